"""The tools for the tests of applications, tried on a room and on applications of the test."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from sylk.application import Application
from sylk.errors import SessionEnded
from sylk.session import Invitation
from sylk.testing import running


class Parrot(Application):
    name = "parrot"

    async def handle_invitation(self, invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            async for message in chat:
                await chat.send(f"{message.text}, {message.text}")


class Shy(Application):
    name = "shy"


async def test_an_application_is_called_by_its_name() -> None:
    async with running(Parrot, Shy) as server, server.calling("parrot", "alice") as alice:
        await alice.say("nuts")
        assert await alice.hear() == "nuts, nuts"
        assert server.uri("x") == f"sip:x@{server.host}"


async def test_a_refusal_is_told_with_its_status() -> None:
    async with running(Shy) as server:
        with pytest.raises(SessionEnded) as refused:
            async with server.calling("shy", "alice"):
                pytest.fail("he was let in")
        assert refused.value.status == 488


async def test_people_meet_in_a_room() -> None:
    settings = {"Conference": {"history": "no"}}
    async with (
        running(settings=settings) as server,
        server.calling("lobby", "alice") as alice,
        server.calling("lobby", "bob") as bob,
    ):
        await alice.hear("bob@.* has joined")
        await bob.say("hello")
        message = await alice.hear_message("^hello$")
        assert message.text == "hello"


async def test_the_end_of_a_call_ends_the_hearing() -> None:
    class Short(Application):
        name = "short"

        async def handle_invitation(self, invitation: Invitation) -> None:
            async with invitation.accept() as chat:
                await chat.send("bye")

    async with running(Short) as server, server.calling("short", "alice") as alice:
        assert await alice.hear() == "bye"
        with pytest.raises(StopAsyncIteration), trio.fail_after(5):
            await alice.hear()


def test_the_page_for_authors_shows_an_application_and_a_test_that_work(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parent.parent / "docs" / "applications.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for name, text in zip(("greeter.py", "test_greeter.py"), blocks, strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "trio_mode=true", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
