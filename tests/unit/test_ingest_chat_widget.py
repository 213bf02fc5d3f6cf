"""The widget's own connection code, in node, against a real server whose sockets break."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from services.ingest.domain.chat import session_id
from tests.support.chat import ORIGIN, chat_house, soon

SCRIPT = Path(__file__).parents[1] / "support" / "widget.cjs"
NODE = shutil.which("node")

if NODE is None and os.environ.get("THROUGHLINE_REQUIRE_REAL_KAFKA") != "1":
    pytest.skip("needs node to run the widget", allow_module_level=True)


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_widget_loses_and_doubles_nothing_over_sockets_and_pages_that_break(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.chat.socket.PER_SECOND", 50.0)  # nobody waits in a test
    assert NODE is not None, "node is missing: apt-get install nodejs"
    async with chat_house() as house:
        process = await asyncio.create_subprocess_exec(
            NODE,
            str(SCRIPT),
            house.url,
            ORIGIN,
            "60",
            str(seed),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await soon(lambda: bool(house.history()))
        session = house.history()[0]["session"]
        for number in range(20):
            await house.reply(session, f"answer {number}")
            await asyncio.sleep(0.02)
        await soon(lambda: len(house.history()) == 80, 40)
        out, _ = await process.communicate(b"80\n")
    shown = json.loads(out)
    assert process.returncode == 0
    assert [seq for seq, *_ in shown["told"]] == list(range(1, 81))
    assert [text for _, who, text in shown["told"] if who == "visitor"] == list(map(str, range(60)))
    assert [text for _, who, text in shown["told"] if who == "agent"] == [
        f"answer {number}" for number in range(20)
    ]
    assert shown["kept"] == ["t:token"], "what is safe is kept no longer"
    assert session_id("main", shown["token"]) == session
    assert shown["sockets"] > 20
    ids = {e.id for e in house.fakes.publisher.events if "message.received" in e.type}
    assert len(ids) == 60
