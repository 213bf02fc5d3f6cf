"""Contact points have one written form, and a case reference survives people."""

import re

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.case_reference import ALPHABET, case_reference, parse_case_reference
from shared.contact_points import InvalidContactPoint, contact_point, parse_contact_point
from shared.events.envelope import ContactPoint

TRAVELS = TypeAdapter(ContactPoint)
REFERENCES = st.builds(case_reference, st.text(), st.integers(0, 5))
PLACES = [place for place, character in enumerate("ABC-DEF-GHJ") if character != "-"]


def example_numbers() -> list[str]:
    """Return a mobile and a fixed-line number of every region, from the numbering plans."""
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    found = (
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in kinds
    )
    e164 = phonenumbers.PhoneNumberFormat.E164
    return [phonenumbers.format_number(number, e164) for number in found if number is not None]


VARIANTS = st.from_regex(r"\+(549|521|55[1-9]{2}9)[0-9]{8,10}", fullmatch=True)
NUMBERS = (
    VARIANTS
    | st.sampled_from(example_numbers())
    | st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
)
ADDRESSES = st.emails() | st.builds(
    "{}@{}.example.com".format,
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8),
    st.text(st.characters(categories=("Ll",)), min_size=1, max_size=8),
)
OTHERS = st.tuples(
    st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True), st.text(min_size=1, max_size=40)
)
WRITTEN = st.tuples(st.just("tel"), NUMBERS) | st.tuples(st.just("email"), ADDRESSES) | OTHERS


@given(WRITTEN)
def test_bringing_a_contact_point_to_its_written_form_twice_changes_nothing(
    written: tuple[str, str],
) -> None:
    try:
        once = contact_point(*written)
    except InvalidContactPoint:
        assume(False)
    assert parse_contact_point(once) == once
    assert TRAVELS.validate_python(once) == once


def test_the_written_form_of_every_region_s_numbers_is_stable() -> None:
    for number in example_numbers():
        once = contact_point("tel", number)
        assert parse_contact_point(once) == once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5491123456789", "+541123456789"),
        ("+5215512345678", "+525512345678"),
        ("+5511987654321", "+551187654321"),
    ],
    ids=["Argentina", "Mexico", "Brazil"],
)
def test_both_ways_to_write_a_mobile_number_are_one_contact_point(one: str, other: str) -> None:
    assert contact_point("tel", one) == contact_point("tel", other)


@given(st.from_regex(r"\+55[1-9]{2}[2-5][0-9]{7}", fullmatch=True))
def test_no_mobile_number_is_taken_for_a_landline_in_brazil(landline: str) -> None:
    mobile = f"{landline[:5]}9{landline[5:]}"
    assert contact_point("tel", mobile) != contact_point("tel", landline)


@given(st.sampled_from(example_numbers()), st.integers(1, 9999), st.integers(1, 9999))
def test_extensions_of_one_number_are_contact_points_of_their_own(
    number: str, one: int, other: int
) -> None:
    assume(one != other)
    written = contact_point("tel", f"{number} ext. {one}")
    assert written == f"{contact_point('tel', number)};ext={one}" == parse_contact_point(written)
    assert contact_point("tel", f"{number};ext={other}") != written


@given(st.sampled_from(example_numbers()), st.sampled_from([" ", "-", ".", " / "]))
def test_how_a_telephone_number_is_grouped_does_not_matter(number: str, between: str) -> None:
    grouped = between.join(re.findall("..?.?", number))
    assert contact_point("tel", grouped) == contact_point("tel", number)


@given(st.from_regex(r"[a-z][a-z0-9.]{0,20}[a-z0-9]", fullmatch=True))
def test_upper_and_lower_case_are_one_e_mail_address(name: str) -> None:
    assume(".." not in name)
    assert contact_point("email", f"{name.upper()}@Example.COM") == f"email:{name}@example.com"


@given(st.sampled_from(["tel", "email"]), st.text(st.characters(categories=["L", "P"])))
def test_an_address_is_never_part_of_the_error(scheme: str, value: str) -> None:
    with pytest.raises(InvalidContactPoint) as refused:
        contact_point(scheme, f"{value} private")
    assert "private" not in str(refused.value)


# case references


@given(st.text())
def test_a_case_reference_parses_to_itself(case_id: str) -> None:
    reference = case_reference(case_id)
    assert parse_case_reference(reference) == reference
    assert case_reference(case_id) == reference


@given(REFERENCES)
def test_every_single_wrong_character_is_detected(reference: str) -> None:
    for place in PLACES:
        for character in ALPHABET.replace(reference[place], ""):
            wrong = f"{reference[:place]}{character}{reference[place + 1 :]}"
            assert parse_case_reference(wrong) is None, wrong


@given(REFERENCES)
def test_every_swap_of_two_characters_is_detected(reference: str) -> None:
    for one in PLACES:
        for other in PLACES:
            if one < other and reference[one] != reference[other]:
                swapped = list(reference)
                swapped[one], swapped[other] = swapped[other], swapped[one]
                assert parse_case_reference("".join(swapped)) is None, swapped


@given(REFERENCES, st.sampled_from(["", " ", "-", " - ", "\t"]), st.booleans())
def test_case_spaces_and_hyphens_do_not_matter(reference: str, between: str, lower: bool) -> None:
    written = between.join(reference.replace("-", ""))
    assert parse_case_reference(written.lower() if lower else written) == reference


@given(st.text() | st.text(st.sampled_from(ALPHABET + "0125-"), min_size=8, max_size=12))
def test_what_is_written_is_a_reference_of_ours_or_nothing(written: str) -> None:
    parsed = parse_case_reference(written)
    assert parsed is None or parse_case_reference(parsed) == parsed
