"""The web chat over real sockets: nothing lost, nothing twice, nobody in who should not be."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.ingest.chat.presence import Standing
from services.ingest.chat.server import peer_of
from services.ingest.chat.socket import BURST, PATIENCE
from services.ingest.chat.store import KEPT, PAGE
from services.ingest.domain.chat import GAP, TEXT, Finished, Said, session_id
from services.ingest.senders.contract import File, Refused, Sent
from shared.errors import Unavailable
from tests.support.builders_ingest import DOORS, NOW
from tests.support.chat import ORIGIN, ChatHouse, Visitor, chat_house, soon


@pytest.fixture
async def house() -> AsyncIterator[ChatHouse]:
    async with chat_house() as house:
        yield house


def session_of(visitor: Visitor) -> str:
    assert visitor.token is not None
    return session_id("main", visitor.token)


async def arrived(house: ChatHouse, **more: Any) -> Visitor:
    visitor = Visitor(house, **more)
    await visitor.connect()
    return visitor


def events(house: ChatHouse, kind: str) -> list[Any]:
    """Return what was published of one kind, each id once, as whoever reads Kafka sees it."""
    unique = {event.id: event for event in house.fakes.publisher.events}
    return [event for event in unique.values() if event.type == f"throughline.{kind}.v1"]


# -- what is said is safe ------------------------------------------------------------------------


async def test_a_message_is_acknowledged_when_its_event_is_safe(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Where is my parcel?")
    ack = await visitor.next("ack")
    assert ack["seq"] == 1
    (message,) = events(house, "message.received")
    (started,) = events(house, "interaction.started")
    assert message.data.text == "Where is my parcel?"
    assert message.data.locale == "sl-SI"
    assert message.data.reply_to == session_of(visitor)
    assert started.data.kind == "chat"
    assert started.data.conversation_id == message.data.conversation_id
    assert house.fakes.types()[0] == message.type, "the case it opens should know its words"


async def test_nothing_is_acknowledged_that_is_not_safe(house: ChatHouse) -> None:
    visitor = await arrived(house)
    house.fakes.publisher.down = True
    message_id = await visitor.say("Is anybody there?")
    problem = await visitor.next("error")
    assert (problem["code"], problem["id"]) == ("unavailable", message_id)
    assert house.history() == []
    house.fakes.publisher.down = False
    await visitor.flush(again=True)
    assert (await visitor.next("ack"))["id"] == message_id
    await visitor.until(1)
    assert visitor.texts() == ["Is anybody there?"]


async def test_the_same_message_sent_twice_is_one(house: ChatHouse) -> None:
    visitor = await arrived(house)
    message_id = await visitor.say("Once")
    first = await visitor.next("ack")
    await visitor.say("Once", message_id)
    assert await visitor.next("ack") == first
    assert len(house.history()) == 1
    assert len(events(house, "message.received")) == 1


async def test_an_event_that_was_safe_before_the_history_was_keeps_its_id(
    house: ChatHouse,
) -> None:
    visitor = await arrived(house)
    insert = house.memory.insert

    async def failing(*_: Any) -> bool:
        raise Unavailable("MongoDB does not answer.", "Try again.")

    house.memory.insert = failing  # type: ignore[method-assign]
    await visitor.say("Kafka has it, the history has not")
    await visitor.next("error")
    house.memory.insert = insert  # type: ignore[method-assign]
    await visitor.flush(again=True)
    await visitor.next("ack")
    assert len(house.fakes.publisher.events) == 4
    assert len({event.id for event in house.fakes.publisher.events}) == 2


async def test_two_hundred_lost_connections_lose_and_double_nothing(
    house: ChatHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.chat.socket.PER_SECOND", 50.0)  # nobody waits in a test
    chance = random.Random(20261103)
    visitor = Visitor(house)
    await visitor.connect()
    await visitor.say("0")
    await visitor.until(1)
    said, replied = ["0"], []
    for number in range(200):
        for _ in range(chance.randrange(3)):
            said.append(str(len(said)))
            await visitor.say(said[-1])
        if chance.random() < 0.5:
            replied.append(f"answer {number}")
            await house.reply(session_of(visitor), replied[-1])
        with contextlib.suppress(TimeoutError):
            for _ in range(chance.randrange(8)):
                await visitor.read(0.01 * chance.random())
        visitor.cut()
        await visitor.connect()
    while visitor.outbox:
        if (await visitor.read())["type"] == "error":  # too fast: another socket may go on
            await visitor.connect()
    await visitor.until(len(said) + len(replied))
    mine = [frame["text"] for frame in visitor.told if frame["from"] == "visitor"]
    assert mine == said
    assert [f["text"] for f in visitor.told if f["from"] == "agent"] == replied
    assert sorted(e.data.text for e in events(house, "message.received")) == sorted(said)
    assert len(house.history()) == len(said) + len(replied)


# -- what is told --------------------------------------------------------------------------------


async def test_an_agents_reply_reaches_the_open_socket(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    assert isinstance(await house.reply(session_of(visitor), "Good day"), Sent)
    await visitor.until(2)
    assert visitor.told[-1]["from"] == "agent"
    assert visitor.texts() == ["Hello", "Good day"]


async def test_who_comes_back_gets_the_rest_and_only_the_rest(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    visitor.cut()
    for number in range(2 * PAGE + 3):
        await house.reply(session_of(visitor), f"{number}")
    welcome = await visitor.connect()
    assert (welcome["resumed"], welcome["after"], welcome["last"]) == (True, 1, 2 * PAGE + 4)
    await visitor.until(2 * PAGE + 4)
    assert visitor.texts() == ["Hello", *map(str, range(2 * PAGE + 3))]


async def test_a_page_that_was_loaded_anew_gets_the_whole_history(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    again = await arrived(house, token=visitor.token)
    await again.until(1)
    assert again.texts() == ["Hello"]


async def test_two_tabs_show_the_same(house: ChatHouse) -> None:
    one = await arrived(house)
    two = await arrived(house, token=one.token)
    await one.say("From the first")
    await two.until(1)
    await two.say("From the second")
    await one.until(2)
    await two.until(2)
    assert one.texts() == two.texts() == ["From the first", "From the second"]
    assert len(events(house, "interaction.started")) == 1


async def test_what_was_said_while_nobody_watched_is_told_when_somebody_does(
    house: ChatHouse,
) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    ((_, queue),) = house.memory._watchers
    queue.put_nowait = lambda _: None  # type: ignore[method-assign]
    await house.reply(session_of(visitor), "Not told by the stream")
    house.live._wake_all()
    await visitor.until(2)


async def test_a_widget_that_knows_more_than_there_is_begins_anew(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    again = Visitor(house, token=visitor.token)
    assert (await again.connect(last=7))["after"] == 0
    await again.until(1)


async def test_the_wait_is_unknown_when_nobody_knows_it(house: ChatHouse) -> None:
    status = await (await arrived(house)).next("status")
    assert (status["position"], status["wait_seconds"], status["agents_present"]) == (None,) * 3
    assert status["open"] is True  # Tuesday, 10:15 in Ljubljana
    house.fakes.clock.time = NOW.replace(hour=20)
    status = await (await arrived(house)).next("status")
    assert (status["open"], status["opens_at"]) == (False, "2026-11-04T07:00:00+00:00")


class Routing:
    """A presence that knows."""

    async def standing(self, account: str, conversation_id: str) -> Standing:
        """Return where everybody stands."""
        assert conversation_id.startswith("conv_")
        return Standing(position=3, wait_seconds=240, agents_present=True)


async def test_position_and_wait_are_shown_when_somebody_knows_them() -> None:
    async with chat_house(presence=Routing()) as house:
        status = await (await arrived(house)).next("status")
    assert (status["position"], status["wait_seconds"], status["agents_present"]) == (3, 240, True)


# -- when nobody is there, and when it is over ---------------------------------------------------


async def test_an_address_left_is_a_form_with_that_address_alone(house: ChatHouse) -> None:
    visitor = await arrived(house)
    form = {"email": "Ana.Kovac@Example.si", "name": "Ana", "text": "Call me"}
    await visitor.send(type="offline", id="form-0001", **form)
    await visitor.next("ack")
    (event,) = events(house, "form.submitted")
    assert event.data.contact_points == ("email:ana.kovac@example.si",)
    assert event.data.form == "chat-offline"
    assert event.data.display_name == "Ana"
    assert {one.name: one.value for one in event.data.fields}["text"] == "Call me"
    assert events(house, "interaction.started") == []


async def test_an_address_that_is_none_is_named(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.send(type="offline", id="form-0001", phone="12", text="Call me")
    problem = await visitor.next("error")
    assert (problem["code"], problem["id"]) == ("bad-address", "form-0001")


async def test_who_ends_the_chat_and_writes_again_begins_another_interaction(
    house: ChatHouse,
) -> None:
    visitor = await arrived(house)
    await visitor.say("First")
    await visitor.until(1)
    await visitor.send(type="end", id="end-00001")
    await visitor.until(2)
    assert [f["open"] for f in visitor.told] == [True, False]
    await visitor.say("Second")
    await visitor.until(3)
    first, second = events(house, "interaction.started")
    (ended,) = events(house, "interaction.ended")
    assert ended.data.interaction_id == first.data.interaction_id != second.data.interaction_id
    assert first.data.conversation_id == second.data.conversation_id


async def test_ending_what_is_not_open_ends_nothing(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.send(type="end", id="end-00001")
    assert (await visitor.next("ack"))["seq"] is None
    assert house.fakes.publisher.events == []


async def test_an_end_with_the_id_of_a_message_is_that_message_again(house: ChatHouse) -> None:
    visitor = await arrived(house)
    message_id = await visitor.say("Hello")
    first = await visitor.next("ack")
    await visitor.send(type="end", id=message_id)
    assert await visitor.next("ack") == first
    assert events(house, "interaction.ended") == []
    assert [entry["open"] for entry in house.history()] == [True]


async def test_an_end_sent_twice_is_told_its_number_again(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.next("ack")
    for _ in range(2):
        await visitor.send(type="end", id="end-00001")
        assert (await visitor.next("ack"))["seq"] == 2
    assert len(events(house, "interaction.ended")) == 1


async def test_no_id_of_a_visitors_keeps_us_from_ending_an_interaction(house: ChatHouse) -> None:
    visitor, sessions = await arrived(house), house.chat.sessions
    assert visitor.token is not None
    visit = sessions.visit(DOORS["webchat", "main"], visitor.token, None)
    for number in range(1, 10):
        await sessions.say(visit, Said(f"message-{number}", "Hello"))
        await sessions.finish(visit, Finished(f"finished-{number}"))
    await visitor.say("The tenth interaction", "ended-10")
    await visitor.next("ack")
    entry = await sessions.finish(visit, reason="timeout")
    assert entry is not None
    assert (entry.kind, entry.open) == ("ended", False)


async def test_a_chat_that_was_silent_for_hours_is_over_before_the_next_message(
    house: ChatHouse,
) -> None:
    visitor = await arrived(house)
    await visitor.say("In the morning")
    await visitor.until(1)
    house.fakes.clock.time = NOW + GAP
    await visitor.say("In the afternoon")
    await visitor.until(2)
    (ended,) = events(house, "interaction.ended")
    assert ended.data.reason == "timeout"
    assert len(events(house, "interaction.started")) == 2


async def test_silence_closes_the_socket_and_ends_the_interaction(
    house: ChatHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    (one,) = house.server._sockets
    monkeypatch.setattr("services.ingest.chat.socket.STATUS_SECONDS", 0.0)
    one._heard -= GAP.total_seconds()
    assert await visitor.closed() == 4001
    (ended,) = events(house, "interaction.ended")
    assert ended.data.reason == "timeout"


# -- who gets in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "origin", "status"),
    [
        ("main", "https://elsewhere.example.com", 403),
        ("main", "https://shop.example.com.evil.example", 403),
        ("main", "null", 403),
        ("main", None, 403),
        ("nobody", ORIGIN, 404),
    ],
)
async def test_only_the_accounts_own_sites_may_open_it(
    house: ChatHouse, account: str, origin: str | None, status: int
) -> None:
    url = house.url.replace("main", account)
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers={"Origin": origin} if origin else {})
    assert refused.value.response.status_code == status


async def test_two_origins_are_none(house: ChatHouse) -> None:
    with pytest.raises(InvalidStatus):
        await connect(house.url, additional_headers=[("Origin", ORIGIN), ("Origin", ORIGIN)])


async def test_there_are_only_so_many_places_and_they_are_given_back() -> None:
    async with chat_house(places=2) as house:
        first, _second = await arrived(house), await arrived(house)
        with pytest.raises(InvalidStatus) as refused:
            await arrived(house)
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"]
        assert first.socket is not None
        await first.socket.close()
        await soon(lambda: len(house.server._sockets) == 1)
        await arrived(house)


async def test_one_address_cannot_hold_all_places() -> None:
    async with chat_house(per_peer=2) as house:
        first, _second = await arrived(house), await arrived(house)
        with pytest.raises(InvalidStatus) as refused:
            await arrived(house)
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"]
        assert first.socket is not None
        await first.socket.close()
        await soon(lambda: len(house.server._sockets) == 1)
        await arrived(house)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("a-socket-file", "a-socket-file", True),
    ],
)
def test_an_ipv6_network_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (peer_of(one) == peer_of(other)) is same


async def test_a_token_of_another_account_or_made_up_opens_nothing_of_anybody(
    house: ChatHouse,
) -> None:
    visitor = await arrived(house)
    await visitor.say("Private")
    await visitor.until(1)
    assert visitor.token is not None
    assert session_id("other", visitor.token) != session_of(visitor)
    guessed = Visitor(house, token="x" * 43)
    assert (await guessed.connect())["resumed"] is False
    short = Visitor(house, token="x")
    assert (await short.connect())["token"] not in (None, "x")


async def test_the_token_is_kept_nowhere_on_our_side(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    assert visitor.token is not None
    everything = f"{house.history()} {house.fakes.publisher.events} {house.fakes.meter.render()!r}"
    assert visitor.token not in everything


async def test_who_says_nothing_at_first_is_sent_away(
    house: ChatHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.chat.socket.HELLO_SECONDS", 0.1)
    visitor = Visitor(house)
    visitor.socket = await connect(house.url, origin=ORIGIN)
    assert await visitor.closed() == 4000


# -- what strangers send -------------------------------------------------------------------------


GARBAGE = [
    b"\xff\xfe\x00",
    "",
    "[]",
    "null",
    '"hello"',
    "{}",
    '{"type": 7}',
    '{"type": "dance"}',
    '{"type": "hello"}',
    '{"type": "message"}',
    '{"type": "message", "id": "x", "text": "too short an id"}',
    '{"type": "message", "id": ["list-of-ids"], "text": {}}',
    json.dumps({"type": "message", "id": "a" * 10, "text": "x" * (TEXT + 1)}),
    '{"type": "offline", "id": "a2345678", "email": {}, "text": "x"}',
    "[" * 5_000,
    '{"type": "message", "id": "a2345678", "text": "\\ud800"',
]


@pytest.mark.parametrize("frame", GARBAGE)
async def test_garbage_is_answered_and_the_chat_goes_on(
    house: ChatHouse, frame: str | bytes
) -> None:
    visitor = await arrived(house)
    assert visitor.socket is not None
    await visitor.socket.send(frame)
    assert (await visitor.next("error"))["message"]
    await visitor.say("Still here")
    await visitor.next("ack")


@pytest.mark.parametrize("frame", GARBAGE[:8])
async def test_garbage_before_hello_is_answered_too(house: ChatHouse, frame: str | bytes) -> None:
    visitor = Visitor(house)
    visitor.socket = await connect(house.url, origin=ORIGIN)
    await visitor.socket.send(frame)
    kind = "welcome" if frame == '{"type": "hello"}' else "error"
    assert (await visitor.next(kind))["type"] == kind


async def test_a_thousand_damaged_frames_make_no_fault_of_ours(
    house: ChatHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("PER_SECOND", "BURST", "PATIENCE"):
        monkeypatch.setattr(f"services.ingest.chat.socket.{limit}", 1e6)
    faults: list[Any] = []
    monkeypatch.setattr(house.server._log, "error", lambda *_, **why: faults.append(why))
    chance = random.Random(4711)
    frames = [one.encode() for one in GARBAGE if isinstance(one, str) and len(one) < 200]
    frames.append(b'{"type":"offline","id":"form-0001","email":"a@example.si","text":"x"}')
    visitor = await arrived(house)
    assert visitor.socket is not None
    reading = asyncio.create_task(visitor.closed(30))
    for _ in range(1_000):
        frame = bytearray(chance.choice(frames))
        for _ in range(chance.randrange(4)):
            place = chance.randrange(len(frame) + 1)
            frame[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        await visitor.socket.send(bytes(frame))
    await visitor.send(type="message", id="the-last-one", text="Still here")
    await soon(lambda: any(one["id"] == "the-last-one" for one in house.history()))
    assert faults == []
    visitor.cut()
    await reading


async def test_half_a_surrogate_is_text_like_any_other(house: ChatHouse) -> None:
    visitor = await arrived(house)
    assert visitor.socket is not None
    await visitor.socket.send('{"type":"message","id":"a2345678","text":"\\ud800 here"}')
    await visitor.until(1)
    assert visitor.texts() == ["\ufffd here"]


async def test_a_frame_beyond_the_limit_ends_the_socket(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.send(type="message", id="a2345678", text="x" * 17_000)
    assert await visitor.closed() == 1009
    assert house.history() == []


async def test_the_longest_text_fits_a_frame(house: ChatHouse) -> None:
    visitor = await arrived(house)
    text = "\U0001f9d1" * TEXT
    assert visitor.socket is not None
    frame = {"type": "message", "id": "a2345678", "text": text}
    await visitor.socket.send(json.dumps(frame, ensure_ascii=False))
    await visitor.until(1)
    assert visitor.texts() == [text]


async def test_typing_and_pings_are_not_recorded(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.send(type="typing")
    await visitor.send(type="ping")
    await visitor.next("pong")
    assert house.fakes.publisher.events == []


async def test_who_floods_is_slowed_down_and_then_sent_away(
    house: ChatHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.chat.socket.PER_SECOND", 0.01)  # or a slow flood is none
    visitor = await arrived(house)
    for number in range(int(BURST) + 5):
        await visitor.send(type="message", id=f"flooding-{number}", text="Hello?")
    problem = await visitor.next("error")
    assert problem["code"] == "rate-limited"
    assert problem["id"].startswith("flooding-")
    with pytest.raises(ConnectionClosed):
        for _ in range(2 * PATIENCE):
            await visitor.send(type="ping")
        await visitor.next("never")
    assert len(house.history()) <= BURST + 5


async def test_a_widget_that_does_not_read_is_cut_off_and_holds_little() -> None:
    async with chat_house(ping=0.5) as house:
        visitor = await arrived(house)
        await visitor.say("Hello")
        await visitor.until(1)
        assert visitor.socket is not None
        visitor.socket.transport.pause_reading()
        for _ in range(600):
            await house.reply(session_of(visitor), "x" * TEXT)
        await soon(lambda: not house.server._sockets)
        await soon(lambda: not house.serving.server_state.connections)
        visitor.cut()


# -- leaving -------------------------------------------------------------------------------------


async def test_a_process_that_stops_sends_everybody_on(house: ChatHouse) -> None:
    visitors = [await arrived(house) for _ in range(3)]
    await house.server.drain()
    assert [await visitor.closed() for visitor in visitors] == [1012] * 3
    assert all(visitor.others[-1]["type"] == "moving" for visitor in visitors)
    with pytest.raises(InvalidStatus) as refused:
        await arrived(house)
    assert refused.value.response.status_code == 503


async def test_a_message_that_is_being_taken_is_acknowledged_before_leaving(
    house: ChatHouse,
) -> None:
    visitor = await arrived(house)
    publish, held = house.fakes.publisher.publish, asyncio.Event()

    async def slowly(given: Any) -> None:
        await held.wait()
        await publish(given)

    house.fakes.publisher.publish = slowly  # type: ignore[method-assign]
    message_id = await visitor.say("Just in time")
    (one,) = house.server._sockets
    await soon(one._taking.locked)
    leaving = asyncio.create_task(house.server.drain())
    held.set()
    assert await visitor.closed() == 1012
    await leaving
    assert message_id not in visitor.outbox


async def test_a_history_that_cannot_be_read_sends_the_widget_away_for_now(
    house: ChatHouse,
) -> None:
    house.memory.down = True
    visitor = Visitor(house)
    with pytest.raises(ConnectionClosed) as closed:
        await visitor.connect()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


# -- replies -------------------------------------------------------------------------------------


async def test_a_reply_delivered_twice_is_told_once(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    for _ in range(2):
        outcome = await house.reply(session_of(visitor), "Good day", reply_id="reply-x")
        assert outcome == Sent("reply-x")
    await house.reply(session_of(visitor), "Anything else?")
    await visitor.until(3)
    assert visitor.texts() == ["Hello", "Good day", "Anything else?"]


async def test_a_visitor_cannot_take_the_id_of_a_reply(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Mine", "reply-x1")
    await visitor.until(1)
    await house.reply(session_of(visitor), "Ours", reply_id="reply-x1")
    await visitor.until(2)
    assert visitor.texts() == ["Mine", "Ours"]


async def test_a_reply_shows_files_by_their_address(house: ChatHouse) -> None:
    visitor = await arrived(house)
    await visitor.say("Hello")
    await visitor.until(1)
    file = File("https://files.example.com/a.pdf", "application/pdf", "a.pdf")
    await house.reply(session_of(visitor), "Here", files=(file,))
    await visitor.until(2)
    assert visitor.told[-1]["files"] == [{"url": file.reference, "name": "a.pdf"}]


async def test_a_reply_to_a_session_that_is_not_kept_is_refused(house: ChatHouse) -> None:
    for session in (f"chat_{'0' * 32}", "", "somewhere else"):
        outcome = await house.reply(session, "Hello")
        assert isinstance(outcome, Refused)
        assert "not kept" in outcome.reason


# -- the widget's door ---------------------------------------------------------------------------


async def test_the_widget_is_small_and_may_be_kept_for_a_while(house: ChatHouse) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{house.port}") as http:
        script = await http.get("/chat/widget.js")
        again = await http.get("/chat/widget.js", headers={"If-None-Match": script.headers["etag"]})
        demo = await http.get("/chat/main/demo")
        none = await http.get("/chat/nobody/demo")
    assert len(script.content) < 15_000
    assert script.headers["content-type"].startswith("text/javascript")
    assert "max-age=" in script.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")
    assert b'data-account="main"' in demo.content
    assert "script-src 'self'" in demo.headers["content-security-policy"]
    assert none.status_code == 404


async def test_without_the_setting_there_is_no_demo() -> None:
    async with (
        chat_house(demo=False) as house,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{house.port}") as http,
    ):
        assert (await http.get("/chat/main/demo")).status_code == 404


def test_the_widget_writes_no_markup_and_names_nobody_elses_server() -> None:
    from services.ingest.chat.pages import _STATIC

    script = (_STATIC / "chat.js").read_text()
    for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://"):
        assert word not in script


def test_a_history_is_kept_longer_than_a_session_can_be_quiet() -> None:
    assert KEPT > 10 * GAP
