"""A participant whose connection breaks and is opened again has neither left nor joined."""

import pytest
import trio
from sylk_conference import Conference
from trio.testing import MockClock

from sylk.server import Server
from tests.peers import DOMAIN, PATIENCE, Caller, running_server

RECONNECT = 20.0


@pytest.fixture
def jumping_clock() -> MockClock:
    """Time that jumps ahead whenever the sockets are quiet."""
    return MockClock(autojump_threshold=0.05)


async def lose(server: Server, caller: Caller) -> None:
    """Let the connection of a participant break, and the server see it."""
    sessions = server.endpoint.msrp.registry
    caller.msrp.reset()
    with trio.fail_after(PATIENCE):
        while not any(session.is_detached for session in sessions):
            await trio.lowlevel.checkpoint()


def participants_of(server: Server) -> int:
    conference = server.config.applications["conference"]
    assert isinstance(conference, Conference)
    return conference.participant_count


class Reader:
    """One who knows a message by its Message-ID, so that it sees none twice (RFC 4975 5.4)."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.again = 0
        self._seen: set[str] = set()

    async def read(self) -> str:
        """Return the text of the next message that is of a person and new."""
        while True:
            heard = await self.caller.hear()
            identifier = heard.frame.headers["Message-ID"]
            if identifier not in self._seen:
                self._seen.add(identifier)
                return heard.text
            self.again += 1


async def test_who_comes_back_has_missed_nothing_and_nobody_has_noticed() -> None:
    async with (
        running_server(reconnect_timeout=RECONNECT) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, carol):
            await caller.join()
        await alice.say("before")
        reader = Reader(bob)
        assert await reader.read() == "before"
        assert (await carol.hear()).text == "before"
        await lose(server, bob)
        for number in range(20):
            await alice.say(f"meanwhile {number}")
        await alice.say("secret", to=bob.address)
        assert participants_of(server) == 3
        await bob.connect()
        texts = [await reader.read() for _ in range(21)]
        assert texts == [*(f"meanwhile {number}" for number in range(20)), "secret"]
        assert reader.again == 1, "nobody knew whether it had come"
        await bob.say("I am back")
        for caller in (alice, carol):
            notices: list[str] = []
            while (heard := await caller.hear_all()).text != "I am back":
                notices.append(heard.text)
            assert not [text for text in notices if "left" in text]
            assert sum("bob" in text and "joined" in text for text in notices) <= 1
        assert participants_of(server) == 3


async def test_who_does_not_come_back_leaves_when_the_time_is_over(
    jumping_clock: MockClock,
) -> None:
    async with (
        running_server(reconnect_timeout=RECONNECT) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await alice.join()
        await bob.join()
        await lose(server, bob)
        begun = trio.current_time()
        await trio.sleep(RECONNECT - 1)
        assert participants_of(server) == 2
        while await alice.hear_notice() != f"bob@{DOMAIN} has left the room":
            pass
        assert trio.current_time() - begun == pytest.approx(RECONNECT, abs=0.5)
        assert participants_of(server) == 1


async def test_a_message_that_comes_again_is_passed_on_once() -> None:
    async with (
        running_server(reconnect_timeout=RECONNECT) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await alice.join()
        await bob.join()
        frame = alice.line("once")
        await alice.msrp.send(frame)
        assert (await bob.hear()).text == "once"
        await lose(server, alice)
        await alice.connect()
        await alice.msrp.send(frame)
        assert (await alice.answer_to(frame)).status == 200
        await alice.say("more")
        assert (await bob.hear()).text == "more"
