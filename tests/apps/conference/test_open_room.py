"""A room whose people are slow: one is let go, many slow its speakers."""

import pytest
import trio
from trio.testing import MockClock

from sylk.session.dial import Dialled
from tests.apps.conference.visits import assert_all_is_gone, conference_of, enter
from tests.peers import (
    DOMAIN,
    PATIENCE,
    Caller,
    destination,
    running_endpoint,
    running_server,
)

SMALL = 4096
"""Bytes of the receive buffer of somebody who has stopped reading."""


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


async def test_who_stops_reading_is_let_go_and_nobody_else_notices() -> None:
    limit = 128 * 1024
    async with (
        running_server(outbox_limit=limit) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
        Caller(server, "mallory") as mallory,
    ):
        for caller in (alice, bob, carol):
            await enter(caller)
        await enter(mallory, SMALL)
        line = "x" * 100_000
        spoken = 0
        with trio.fail_after(PATIENCE):
            # The buffers of the system take some megabytes before anything waits at all.
            while conference_of(server).participant_count == 4:
                await alice.say(f"{spoken} {line}")
                for caller in (bob, carol):
                    assert (await caller.hear()).text == f"{spoken} {line}"
                spoken += 1
            bye = await mallory.await_bye()
        assert "too slow" in bye["Reason"]
        for caller in (alice, bob, carol):
            while (text := (await caller.hear_all()).text) != f"mallory@{DOMAIN} has left the room":
                assert "left" not in text
        await alice.say("the rest of us")
        assert (await bob.hear()).text == "the rest of us"
        for caller in (alice, bob, carol):
            assert (await caller.bye()).status == 200
        await assert_all_is_gone(server)


async def test_half_of_a_room_that_is_slow_slows_its_speakers_and_no_more() -> None:
    """Two of ours who flood a room in which most are slow to read: all arrives all the same."""
    async with (
        running_server() as server,
        running_endpoint() as endpoint,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
    ):
        await enter(bob, SMALL)
        await enter(carol, SMALL)
        count, line = 150, "x" * 40_000
        target = destination(server.endpoint, "lobby")
        with trio.fail_after(3 * PATIENCE):
            async with Dialled(endpoint, target) as chat, trio.open_nursery() as nursery:

                async def listen(caller: Caller) -> None:
                    for number in range(count):
                        assert (await caller.hear()).text == f"{number} {line}"

                for caller in (bob, carol):
                    nursery.start_soon(listen, caller)
                for number in range(count):
                    await chat.send(f"{number} {line}", "text/plain; charset=utf-8")
