"""The pure parts of reading mail: charsets, encoded words, flowing lines, tokens, safe HTML."""

import time
from email.message import Message

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.mail.headers import addresses, decoded, message_ids
from services.ingest.domain import limits
from services.ingest.domain.charsets import declared_in_html, decode
from services.ingest.domain.flowed import unflow
from services.ingest.domain.html_safe import safe_html
from services.ingest.domain.mail_thread import (
    MailTrace,
    case_reference_in,
    choose_conversation,
    conversation_of_message_id,
)
from services.ingest.domain.plus_address import plus_token, with_token
from tests.support.builders_ingest import IDS, our_message_id

MAILBOX = "support@example.com"
ANA = "email:ana@example.si"
CONVERSATION = IDS.conversation_id("email", "support", "m1@example.si", ANA)


def answer_address(conversation: str) -> str:
    """Return where we ask a customer to answer."""
    address = with_token("support@example.com", plus_token(IDS, conversation))
    assert address is not None
    return address


def headers(name: str, *values: str) -> Message:
    mail = Message()
    for value in values:
        mail[name] = value
    return mail


@pytest.mark.parametrize(
    ("raw", "declared", "text"),
    [
        ("škripa".encode(), None, "škripa"),
        ("škripa".encode(), "iso-8859-1", "škripa"),
        ("škripa".encode("cp1252"), "utf-8", "škripa"),
        ("škripa".encode("cp1250"), "windows-1250", "škripa"),
        ("škripa".encode("iso8859-2"), '"ISO-8859-2"', "škripa"),
        ("“café”".encode("cp1252"), "iso-8859-1", "“café”"),
        ("汉字€".encode("gb18030"), "gb2312", "汉字€"),
        ("日本①".encode("cp932"), "shift_jis", "日本①"),
        ("škripa čas ž".encode() + b"\xff", "utf-8", "škripa čas ž\ufffd"),
        (b"plain", "no-such-charset", "plain"),
        (b"plain", "zip", "plain"),
        (b"plain", "x" * 1_000, "plain"),
    ],
)
def test_text_is_read_in_the_charset_it_is_really_in(
    raw: bytes, declared: str | None, text: str
) -> None:
    assert decode(raw, declared) == text


@given(st.binary(max_size=200), st.none() | st.text(max_size=20) | st.sampled_from(["utf-7", "hz"]))
def test_no_bytes_and_no_label_break_the_decoder(raw: bytes, declared: str | None) -> None:
    assert isinstance(decode(raw, declared), str)


def test_a_page_names_its_charset_within_its_beginning() -> None:
    assert declared_in_html(b'<html><meta charset="windows-1250">') == "windows-1250"
    assert declared_in_html(b" " * 5_000 + b'<meta charset="windows-1250">') is None


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?= b", "a b"),
        ("a =?utf-8?q?b?=", "a b"),
        ("=?utf-8?B?w?= =?utf-8?B?!?=", "=?utf-8?B?w?= =?utf-8?B?!?="),
        ("=?utf-8*sl?Q?=C5=A1?=", "š"),
        ("=?utf-8?Q?=C5?= =?utf-8?Q?=A1?=", "š"),
        ("=?iso-8859-2?Q?=B9?= =?utf-8?Q?=C5=A1?=", "šš"),
        ("no words", "no words"),
    ],
)
def test_encoded_words_are_decoded_each_if_it_can_be(written: str, text: str) -> None:
    assert decoded(written) == text


@given(st.text(max_size=100))
def test_text_without_encoded_words_is_untouched(written: str) -> None:
    if "=?" not in written:
        assert decoded(written) == written


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("ana@example.si", [(ANA, None)]),
        ("<ana@example.si>", [(ANA, None)]),
        ("Ana <ana@example.si>", [(ANA, "Ana")]),
        ('"Kovac, Ana" <Ana@Example.si>', [(ANA, "Kovac, Ana")]),
        ("Shop: ana@example.si, b@example.si;", [(ANA, None), ("email:b@example.si", None)]),
        ("undisclosed-recipients:;", []),
        ("mallory@example.net <ana@example.si>", [(ANA, "mallory@example.net")]),
        ("ana@example.si (Ana), b@example.si", [(ANA, None), ("email:b@example.si", None)]),
        (r'"A \"B\"" <ana@example.si>', [(ANA, 'A "B"')]),
        ("<ana@example.si>, b@example.si", [(ANA, None), ("email:b@example.si", None)]),
        ("nobody", []),
        ("<>", []),
    ],
)
def test_addresses_are_found_with_their_names(written: str, found: object) -> None:
    assert addresses(headers("from", written), "from") == found


@pytest.mark.parametrize("written", ["%d.of.very.many.people@example.si", "%d@example.si (x)"])
def test_of_very_many_addresses_the_first_count(written: str) -> None:
    many = ", ".join(written % number for number in range(150))
    assert 10 < len(addresses(headers("to", many), "to")) <= limits.MAIL_ADDRESSES


@pytest.mark.parametrize("before", ["", "a", "ab"])
@pytest.mark.parametrize(("comment", "least"), [("", 40), ("(x) ", 2)])
def test_a_long_list_ends_in_nobody_elses_address(before: str, comment: str, least: int) -> None:
    domain = f"{'ab.' * 40}example.si"  # nearly wherever it is cut it is another one
    many = ", ".join(f"{comment}{before}{number}@{domain}" for number in range(40))
    found = addresses(headers("to", many), "to")
    assert len(found) >= least
    assert all(point.endswith(domain) for point, _ in found)


def test_of_very_many_references_the_first_and_the_newest_count() -> None:
    written = " ".join(f"<{number}@example.si>" for number in range(500))
    found = message_ids(headers("references", written), "references")
    assert (found[0], found[-1], len(found)) == ("0@example.si", "499@example.si", 100)


def test_flowing_lines_are_put_together_at_their_own_depth() -> None:
    assert unflow("> one \n> two\nthree \nfour") == "> one two\nthree four"
    assert unflow("日 \n本", delete_space=True) == "日本"


@given(st.text(alphabet="ab >\n-", max_size=80))
def test_flowing_loses_no_word(text: str) -> None:
    assert [c for c in unflow(text) if c in "ab"] == [c for c in text if c in "ab"]


@given(st.text())
def test_what_we_sign_leads_back_to_its_conversation(thread: str) -> None:
    conversation = IDS.conversation_id("email", "support", thread)
    address = answer_address(conversation)
    message_id = our_message_id("reply_1", conversation, ANA)
    assert len(address.partition("@")[0]) <= 64
    trace = MailTrace(MAILBOX, "email:x@example.si", (address,), (), "x")
    assert choose_conversation(trace, IDS, "email", "support").conversation_id == conversation
    assert conversation_of_message_id(message_id, ANA, IDS) == conversation
    assert conversation_of_message_id(message_id, "email:x@example.si", IDS) is None


@given(st.integers(0, 40), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_message_id_that_was_changed_leads_nowhere(place: int, character: str) -> None:
    ours = our_message_id("reply_1", CONVERSATION, ANA)
    name, _, domain = ours.partition("@")
    start = len("reply_1.") + place
    changed = f"{name[:start]}{character}{name[start + 1 :]}@{domain}"
    assert (conversation_of_message_id(changed, ANA, IDS) is not None) == (changed == ours)


def test_a_token_in_the_address_of_another_mailbox_does_not_count_here() -> None:
    address = answer_address(CONVERSATION).replace("support+", "sales+")
    trace = MailTrace(MAILBOX, ANA, (address,), (), "m9@example.si")
    assert choose_conversation(trace, IDS, "email", "support").by == "thread"


def test_the_address_comes_before_the_answer_and_the_answer_before_the_thread() -> None:
    other = IDS.conversation_id("email", "support", "m2@example.si", ANA)
    address = answer_address(CONVERSATION)
    ours = our_message_id("reply_1", other, ANA)
    both = MailTrace(MAILBOX, ANA, (address,), (ours,), "m3@example.si")
    assert choose_conversation(both, IDS, "email", "support").conversation_id == CONVERSATION
    answered = MailTrace(MAILBOX, ANA, (MAILBOX,), ("strange@example.net", ours), "m3@example.si")
    assert choose_conversation(answered, IDS, "email", "support").conversation_id == other


@pytest.mark.parametrize(
    ("subject", "reference"),
    [
        ("Re: [7kf-m3x-qpw] lid", "7KF-M3X-QPW"),
        ("7KF–M3X–QPW", "7KF-M3X-QPW"),
        ("7KF-M3X-QPX", None),
        ("THE-MAN-HAD", None),
        ("A7KF-M3X-QPW", None),
        (None, None),
    ],
)
def test_only_a_true_case_reference_is_one(subject: str | None, reference: str | None) -> None:
    assert case_reference_in(subject) == reference


@pytest.mark.parametrize(
    ("written", "safe"),
    [
        ("<p>Hi <b>you</b>", "<p>Hi <b>you</b></p>"),
        ("1 < 2 &amp; 3", "1 &lt; 2 &amp; 3"),
        ('<p dir="rtl" lang=he>שלום</p>', '<p dir="rtl" lang="he">שלום</p>'),
        ("<b>a<p>b</b>c", "<b>a<p>bc</p></b>"),
        ("<img src='cid:logo'>", '<img src="cid:3">'),
        ("<img src='cid:other' alt=x>", '<img alt="x">'),
        ("<img src=https://example.net/x.png>", "<img>"),
        ("<img src=data:image/png;base64,AA>", "<img>"),
        ("<a href='java\nscript:alert(1)'>x</a>", '<a rel="noopener noreferrer nofollow">x</a>'),
        ("<svg/onload=alert(1)>x", None),
        ("<svg><a>hidden</a></svg>shown", "shown"),
        ("<style>p{}</style><title>t</title>shown", "shown"),
        ("<!-- comment -->", None),
        ("", None),
    ],
)
def test_html_is_made_safe_to_show(written: str, safe: str | None) -> None:
    assert safe_html(written, {"logo": "3"}) == (safe, False)


PIECES = [
    "<b>",
    "</b>",
    "<p>",
    "</p>",
    "<td>",
    "<table>",
    "</table>",
    "<a href=x:y>",
    "<svg>",
    "<style>",
    "<math>",
    "<!--",
    "-->",
    "x",
    "'",
    '"',
    ">",
    "&lt;script&gt;",
    "<img src=//x onerror=y>",
    "<script>",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_safe_html_stays_as_it_is_when_cleaned_again(pieces: list[str]) -> None:
    safe = safe_html("".join(pieces))[0] or ""
    for danger in ("<script", "<svg", "<style", "<math", "onerror=y>", "src="):
        assert danger not in safe
    assert nh3.clean(safe, link_rel="noopener noreferrer nofollow").count("<") == safe.count("<")


@given(st.text(alphabet="<>&ab'\"/p =", max_size=300), st.integers(70, 200))
def test_safe_html_is_within_its_limit(written: str, limit: int) -> None:
    safe, _ = safe_html(written, limit=limit)
    assert len(safe or "") <= limit


def test_html_that_is_cut_says_so() -> None:
    safe, left_out = safe_html("<p>word</p>" * 20_000)
    assert left_out
    assert safe is not None
    assert len(safe) <= limits.TEXT
    assert safe.endswith("</p>")


HOSTILE = [
    "<div>",
    "<b>",
    "<b x=1>",
    "<a href=http://x>",
    "<table>",
    "<table><tr><td>",
    "<b><p>",
    "<li>",
    "<i><a><b><u>",
    "<svg>",
    "<math>",
    "<template>",
    "<!--",
    "&amp;",
    "<img src=cid:x ",
    "<x",
    "&#9",
    "<font a=1><p>",
    "a<",
    "<a href='",
    "<blockquote>",
    "<ul><li><a href=x>",
    "<b></p>",
    "<table><b>",
    "<div a=b ",
    "</p>",
    "< a=",
    "\x00",
]


def _seconds(unit: str, length: int) -> float:
    written = unit * (length // len(unit))
    taken = []
    for _ in range(2):
        started = time.process_time()
        safe_html(written)
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_html_takes_more_than_its_length_allows(unit: str) -> None:
    """Eight times the input: sixty-four times the time would be quadratic."""
    short, long = _seconds(unit, 30_000), _seconds(unit, 240_000)
    assert long < 24 * short + 0.02


def test_a_mark_of_another_mailboxs_conversation_does_not_lead_there() -> None:
    sales = IDS.conversation_id("email", "sales", "m1@example.si", ANA)
    token = plus_token(IDS, sales)
    trace = MailTrace(
        "support@example.com",
        ANA,
        (f"support+{token}@example.com",),
        (our_message_id("reply-1", sales, ANA),),
        "m9@example.si",
    )
    choice = choose_conversation(trace, IDS, "email", "support")
    assert choice.by == "thread"
    assert choose_conversation(trace, IDS, "email", "sales").conversation_id == sales
