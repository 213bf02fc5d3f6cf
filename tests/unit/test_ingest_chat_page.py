"""The widget as people meet it: in a real browser, by keyboard, under a strict content policy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.browser import BROWSER, Page, browser
from tests.support.chat import ChatHouse, chat_house, soon

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium to look at the widget")

ROOT = "document.querySelector('div[dir]').shadowRoot"


@pytest.fixture
async def house() -> AsyncIterator[ChatHouse]:
    async with chat_house() as house:
        yield house


@pytest.fixture
async def page(house: ChatHouse, tmp_path: Path) -> AsyncIterator[Page]:
    async with browser(tmp_path) as page:
        await page.go(f"http://127.0.0.1:{house.port}/chat/main/demo")
        await page.until(f"{ROOT}.querySelector('button') !== null")
        yield page
        assert page.problems == [], "nothing is refused by the policy, nothing throws"


async def opened(page: Page) -> None:
    await page.value(f"{ROOT}.querySelector('.main').focus()")
    await page.press("Enter")
    await page.until(f"{ROOT}.activeElement?.name === 'label'")


async def lines(page: Page) -> list[str]:
    found: list[str] = await page.value(
        f"[...{ROOT}.querySelectorAll('.log p')].map((p) => p.lastChild.textContent)"
    )
    return found


async def shows(page: Page, count: int) -> None:
    await page.until(f"{ROOT}.querySelectorAll('.log p:not([data-pending])').length === {count}")


async def test_a_conversation_by_keyboard_that_goes_on_after_the_page_is_loaded_anew(
    house: ChatHouse, page: Page
) -> None:
    await opened(page)
    await page.type("Where is my parcel?")
    await page.press("Enter")
    await shows(page, 1)
    await page.type("First line")
    await page.press("Enter", shift=True)
    await page.type("<b>second</b> line")
    await page.press("Enter")
    await shows(page, 2)
    session = house.history()[0]["session"]
    await house.reply(session, "<img src=x onerror=alert(1)> مرحبا")
    await shows(page, 3)
    expected = [
        "Where is my parcel?",
        "First line\n<b>second</b> line",
        "<img src=x onerror=alert(1)> مرحبا",
    ]
    assert await lines(page) == expected

    await page.press("Escape")
    assert await page.value(f"{ROOT}.activeElement.className") == "main"
    await house.reply(session, "Are you still there?")
    await page.until(f"{ROOT}.querySelector('.main').textContent.endsWith('(1)')")

    await page.go(f"http://127.0.0.1:{house.port}/chat/main/demo")
    await shows(page, 4)
    assert await lines(page) == [*expected, "Are you still there?"]
    await opened(page)
    for _ in range(12):
        await page.press("Tab")
        assert await page.value(f"{ROOT}.activeElement !== null"), "the focus stays inside"


async def test_what_is_written_without_a_network_is_sent_when_there_is_one(
    house: ChatHouse, page: Page
) -> None:
    await opened(page)
    await page.type("Before")
    await page.press("Enter")
    await shows(page, 1)
    house.fakes.publisher.down = True
    await page.type("During")
    await page.press("Enter")
    await page.until(f"{ROOT}.querySelectorAll('[data-pending]').length === 1")
    house.fakes.publisher.down = False
    await shows(page, 2)
    assert [entry["text"] for entry in house.history()] == ["Before", "During"]


async def test_when_nobody_is_there_an_address_can_be_left(house: ChatHouse, page: Page) -> None:
    house.fakes.clock.time = house.fakes.clock.time.replace(hour=20)
    await page.value(f"{ROOT}.querySelector('.main').click()")
    await page.until(f"{ROOT}.querySelector('.state').textContent.includes('Nobody is here')")
    await page.until(f"!{ROOT}.querySelector('[name=email]').closest('form').hidden")
    await page.value(f"{ROOT}.querySelector('[name=email]').focus()")
    await page.type("ana.kovac@example.si")
    await page.value(f"{ROOT}.querySelector('[name=about]').focus()")
    await page.type("Please write to me")
    await page.value(f"{ROOT}.querySelector('[name=about]').form.requestSubmit()")
    await soon(lambda: "throughline.form.submitted.v1" in house.fakes.types())
    await shows(page, 1)
    assert "Thank you" in (await lines(page))[0]


async def test_assistive_technology_is_told_what_everything_is(page: Page) -> None:
    await opened(page)
    tree = await page.call("Accessibility.getFullAXTree")
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree["nodes"]
        if "role" in node
    }
    assert {
        ("dialog", "Chat"),
        ("log", "Chat"),
        ("textbox", "Your message"),
        ("button", "Send"),
        ("button", "Close chat"),
    } <= named
