"""The read API and the pages, over the database in memory and, where one runs, a real one."""

import html
from typing import Any

import pytest

from tests.support.builders_profile import (
    EMAIL,
    TEL,
    at,
    case_opened,
    clock_started,
    clock_warned,
    customer_id,
    message,
    opaque,
    processor,
    received,
    record,
    reply,
)
from tests.support.memory_database import MemoryDatabase
from tests.support.profile_http import client

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


async def put(database: MemoryDatabase, *events: Any) -> None:
    await database.process(processor(), received(*events), at(0))


async def get(database: MemoryDatabase, path: str, **given: Any) -> Any:
    headers = given.pop("headers", {})
    async with client(database, **given) as http:
        return await http.get(path, headers=headers)


async def test_a_customer_is_found_however_the_number_is_written(database: MemoryDatabase) -> None:
    await put(database, message(TEL, name="Ana"))
    for written in (TEL, "tel:%2B386 40 123-456", "TEL:38640123456"):
        answer = await get(database, f"/v1/customers?contact_point={written.replace('+', '%2B')}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["customer_id"] == customer_id(TEL)
    assert answer.json()["name"] == "Ana"
    assert answer.json()["contact_points"] == [TEL]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/customers?contact_point=email:nobody@example.com", 404, "customer-not-found"),
        ("/v1/customers?contact_point=no-scheme", 422, "invalid"),
        ("/v1/customers?contact_point=tel:12", 422, "invalid"),
        ("/v1/customers", 422, "invalid"),
        ("/v1/customers/cust_unknown", 404, "customer-not-found"),
        ("/v1/customers/cust_unknown/timeline", 404, "customer-not-found"),
        ("/v1/customers/{id}/timeline?limit=0", 422, "invalid"),
        ("/v1/customers/{id}/timeline?limit=201", 422, "invalid"),
        ("/v1/customers/{id}/timeline?cursor=broken", 422, "broken-cursor"),
        ("/v1/customers/{id}/timeline?cursor=", 422, "broken-cursor"),
        ("/v1/customers/{id}/timeline?cursor=%C4%8D", 422, "broken-cursor"),
    ],
)
async def test_a_bad_request_says_what_is_wrong_and_what_to_do(
    database: MemoryDatabase, path: str, status: int, code: str
) -> None:
    await put(database, message(TEL))
    answer = await get(database, path.format(id=customer_id(TEL)))
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"] and error["fix"]


async def test_a_merged_id_answers_with_the_customer_that_stands_for_it(
    database: MemoryDatabase,
) -> None:
    await put(database, message(TEL, number=1), message(EMAIL, number=2), record(TEL, EMAIL))
    smallest = min(customer_id(TEL), customer_id(EMAIL))
    largest = max(customer_id(TEL), customer_id(EMAIL))
    answer = await get(database, f"/v1/customers/{largest}")
    assert answer.json()["customer_id"] == smallest
    assert answer.json()["linked_ids"] == [smallest, largest]
    timeline = await get(database, f"/v1/customers/{largest}/timeline")
    assert len(timeline.json()["entries"]) == 3
    page = await get(database, f"/customers/{largest}")
    assert (page.status_code, page.headers["location"]) == (303, f"/customers/{smallest}")


async def test_the_timeline_is_newest_first_and_typed(database: MemoryDatabase) -> None:
    await put(database, message(TEL, time=at(0), number=1), reply(TEL, time=at(3)))
    answer = await get(database, f"/v1/customers/{customer_id(TEL)}/timeline")
    first, second = answer.json()["entries"]
    assert (first["kind"], second["kind"]) == ("message.sent", "message.received")
    assert first["occurred_at"] == "2026-03-04T12:03:00Z"
    assert second["data"]["text"] == "Where is my parcel?"
    assert answer.json()["next_cursor"] is None


async def test_with_a_token_set_nothing_is_shown_without_it(database: MemoryDatabase) -> None:
    await put(database, message(TEL))
    token = "a-token-of-16-characters"
    paths = [
        f"/v1/customers?contact_point={TEL.replace('+', '%2B')}",
        f"/v1/customers/{customer_id(TEL)}",
        f"/v1/customers/{customer_id(TEL)}/timeline",
        "/customers",
        f"/customers/{customer_id(TEL)}",
        f"/customers/{customer_id(TEL)}/events",
    ]
    for path in paths:
        assert (await get(database, path, api_token=token)).status_code == 401
    for path in paths[:-1]:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await get(database, path, api_token=token, headers=headers)).status_code == 200


async def test_nothing_a_customer_wrote_becomes_markup(database: MemoryDatabase) -> None:
    await put(
        database,
        message(TEL, name=EVIL, text=EVIL, subject=EVIL, number=1),
        record(TEL, name=EVIL),
        opaque({"contact_points": [TEL], EVIL: EVIL}),
        message(f"chat:{EVIL}", number=2, name=EVIL),
        message(f"chat:{EVIL}", number=3, attachments=[{"reference": "r", "name": EVIL}]),
    )
    pages = [
        f"/customers/{customer_id(TEL)}",
        f"/customers/{customer_id(f'chat:{EVIL}')}",
        "/customers",
    ]
    for path in pages:
        page = (await get(database, path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert html.escape("<script>alert", quote=True) in page, "shown as text, not lost"
    searched = await get(database, "/customers?contact_point=%3Cscript%3Ealert(1)%22%3E")
    assert "<script>alert" not in searched.text


async def test_pages_forbid_every_script_but_their_own_file(database: MemoryDatabase) -> None:
    await put(database, message(TEL))
    for path in ("/customers", f"/customers/{customer_id(TEL)}", "/customers/nobody"):
        page = await get(database, path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert "<style" not in page.text and " style=" not in page.text and " on" not in _tags(page)
        assert "://" not in page.text, "nothing from another host"


def _tags(page: Any) -> str:
    return "".join(part.partition(">")[0] for part in page.text.split("<"))


async def test_the_page_tells_the_story_in_plain_words(database: MemoryDatabase) -> None:
    await put(
        database,
        message(TEL, name="Ana", text="Where is it?", number=1),
        case_opened(TEL),
        clock_started(TEL, due=at(120)),
        clock_warned(TEL, due=at(120), time=at(90)),
        reply(TEL, time=at(95)),
    )
    page = (await get(database, f"/customers/{customer_id(TEL)}")).text
    for words in (
        "<h1>Ana</h1>",
        "Wrote by SMS",
        "Where is it?",
        "7KF-M3X-QPW",
        "We promised to answer by 14:00",
        "The promise to answer by 14:00 is at risk: 75\N{NO-BREAK SPACE}% of the time is gone",
        "We answered by SMS",
        "Wednesday, 4 March 2026",
    ):
        assert words in page, words
    assert page.index("We answered by SMS") < page.index("Where is it?"), "newest first"


async def test_a_message_shows_the_case_its_conversation_opened(database: MemoryDatabase) -> None:
    await put(database, message(TEL, number=1))
    path = f"/customers/{customer_id(TEL)}"
    assert "7KF-M3X-QPW" not in (await get(database, path)).text
    await put(database, case_opened(TEL, time=at(1)))
    assert (await get(database, path)).text.count("7KF-M3X-QPW") == 2


async def test_times_are_in_the_time_zone_of_the_deployment(database: MemoryDatabase) -> None:
    await put(database, message(TEL, time=at(11 * 60 + 30)))
    page = (
        await get(database, f"/customers/{customer_id(TEL)}", time_zone="Europe/Ljubljana")
    ).text
    assert ">00:30<" in page and "Thursday, 5 March 2026" in page


async def test_the_search_understands_what_people_type(database: MemoryDatabase) -> None:
    await put(database, message(TEL, number=1), message(EMAIL, number=2))
    for typed, point in (("%2B386 40 123 456", TEL), ("Ana@Example.si", EMAIL), (EMAIL, EMAIL)):
        found = await get(database, f"/customers?contact_point={typed}")
        assert found.headers["location"] == f"/customers/{customer_id(point)}"
    missing = await get(database, "/customers?contact_point=other@example.si")
    assert missing.status_code == 404 and "Nobody has contacted us from there." in missing.text


async def test_the_index_lists_those_who_contacted_us_last(database: MemoryDatabase) -> None:
    for number in range(25):
        point = f"email:p{number:02}@example.com"
        await put(database, message(point, name=f"Person {number:02}", time=at(20 * number)))
    await put(database, record("email:imported@example.com", name="Never wrote"))
    page = (await get(database, "/customers")).text
    shown = [number for number in range(25) if f"Person {number:02}" in page]
    assert shown == list(range(5, 25))
    assert page.index("Person 24") < page.index("Person 05")
    assert "Never wrote" not in page


async def test_static_files_are_ours_alone(database: MemoryDatabase) -> None:
    script = await get(database, "/customers/static/timeline.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert (await get(database, "/customers/static/..%2Froutes.py")).status_code == 404
    assert (await get(database, "/customers/static/routes.py")).status_code == 404
