"""The conference application on real sockets, with participants that are not ours."""

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing
from sylk_conference import Conference
from sylk_conference.settings import ConferenceSettings
from trio.testing import MockClock

from tests.apps.conference.visits import (
    assert_all_is_gone,
    conference_of,
    enter,
    hears,
    rooms_of,
    said,
)
from tests.peers import (
    DOMAIN,
    PATIENCE,
    Caller,
    MsrpListener,
    answer_frame,
    assert_nothing_left,
    attribute,
    chat_offer,
    running_server,
    wrap,
)

SMALL = 4096
"""Bytes of the receive buffer of somebody who has stopped reading."""


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


# The room


async def test_the_first_and_the_second_meet() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice", display_name=b'"Alice"') as alice,
        Caller(server, "bob", transport="tcp") as bob,
    ):
        final = await alice.invite()
        # What clients know a focus by (RFC 4579 5.2, RFC 7701 8).
        assert final["Contact"].endswith(";isfocus")
        assert attribute(final.body, "chatroom") == ["nickname private-messages"]
        assert attribute(final.body, "accept-types") == ["message/cpim"]
        await alice.acknowledge()
        # Who subscribes now must find the room, though nobody is in it yet.
        assert rooms_of(server) == 1
        assert conference_of(server).participant_count == 0
        await alice.connect()
        assert "the first one here" in await alice.hear_notice()
        assert f"already: Alice <alice@{DOMAIN}>" in await enter(bob)
        assert await alice.hear_notice() == f"bob@{DOMAIN} has joined the room"
        await alice.say("hello")
        heard = await bob.hear()
        assert heard.sender == f"Alice <sip:alice@{DOMAIN}>"
        assert heard.recipient == f"Conference Room <sip:lobby@{DOMAIN}>"
        assert heard.text == "hello"
        await bob.say("hi")
        assert await hears(alice) == said(bob, "hi")
        assert (await alice.bye()).status == 200
        assert await bob.hear_notice() == f"Alice <alice@{DOMAIN}> has left the room"
        assert rooms_of(server) == 1
        assert (await bob.bye()).status == 200
        await assert_all_is_gone(server)


async def test_rooms_do_not_hear_each_other() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob", room=f"LOBBY@{DOMAIN}") as elsewhere,
        Caller(server, "carol", room=f"lobby@{DOMAIN.upper()};x=y") as carol,
    ):
        for caller in (alice, elsewhere):
            await enter(caller)
        await carol.join()
        # The room keeps the address under which it was opened.
        assert "already: alice" in (await carol.hear_all()).text
        # Users are compared exactly, hosts without regard to case (RFC 3261 section 19.1.4).
        assert rooms_of(server) == 2
        await alice.say("one")
        assert (await carol.hear()).text == "one"
        await elsewhere.say("two")
        assert await elsewhere.send(None) == 200
        await carol.send(wrap(carol.address, None, b"three"))
        assert (await alice.hear()).text == "three"


async def test_five_who_talk_at_once_hear_the_same_in_one_order() -> None:
    names = ["alice", "bob", "carol", "dave", "erin"]
    count = 40
    async with (
        running_server() as server,
        AsyncExitStack() as stack,
        trio.open_nursery() as nursery,
    ):
        callers = [
            await stack.enter_async_context(Caller(server, name, transport=transport))
            for name, transport in zip(names, ["udp", "tcp", "udp", "tcp", "tcp"], strict=True)
        ]
        for caller in callers:
            await enter(caller)
        heard: dict[str, list[str]] = {name: [] for name in names}

        async def talk(caller: Caller) -> None:
            for number in range(count):
                await caller.msrp.send(caller.line(f"{caller.user} {number}"))
                await trio.lowlevel.checkpoint()

        async def listen(caller: Caller) -> None:
            while len(heard[caller.user]) < count * (len(names) - 1):
                heard[caller.user].append((await caller.hear()).text)

        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as talking:
                for caller in callers:
                    talking.start_soon(talk, caller)
                    talking.start_soon(listen, caller)
        for one in names:
            for other in names:
                # What both hear is all but what either says himself.
                both = [
                    [text for text in heard[name] if text.split()[0] not in (one, other)]
                    for name in (one, other)
                ]
                assert both[0] == both[1]
            own = [f"{other} {number}" for other in names for number in range(count)]
            assert sorted(heard[one]) == sorted(text for text in own if text.split()[0] != one)
        for caller in callers:
            nursery.start_soon(caller.bye)
        await assert_all_is_gone(server)


@pytest.mark.parametrize("accept_types", ["text/plain", "text/* image/*"])
async def test_who_takes_no_cpim_cannot_take_part(accept_types: str) -> None:
    async with running_server() as server, Caller(server) as caller:
        final = await caller.invite(chat_offer(caller.path, accept_types=accept_types))
        assert final.status == 488
        await caller.acknowledge()
        await assert_all_is_gone(server)


async def test_who_says_only_in_the_ack_that_he_takes_no_cpim_cannot_either() -> None:
    async with running_server() as server, Caller(server) as caller:
        await caller.invite(b"")
        await caller.acknowledge(chat_offer(caller.path, accept_types="text/plain"))
        await caller.connect()
        await caller.await_bye()
        await assert_all_is_gone(server)


async def test_the_offer_may_be_left_to_the_room() -> None:
    async with running_server() as server, MsrpListener() as listener, Caller(server) as caller:
        final = await caller.invite(b"")
        assert attribute(final.body, "chatroom") == ["nickname private-messages"]
        caller.path = listener.path
        await caller.acknowledge(chat_offer(listener.path, setup="passive"))
        caller.take_msrp(await listener.accept())
        await caller.msrp.send(answer_frame(await caller.msrp.receive()))
        assert "the first one here" in await caller.hear_notice()


async def test_a_page_message_is_refused_for_good() -> None:
    async with running_server() as server, Caller(server) as caller:
        assert (await caller.ask("MESSAGE")).status == 405


async def test_a_fault_of_ours_in_the_middle_of_a_join_leaves_nobody_behind() -> None:
    conference = Conference(ConferenceSettings())
    async with running_server(application=conference) as server:
        async with Caller(server, "alice") as alice, Caller(server, "bob") as bob:
            await enter(alice)
            # Bob is gone before the room knows of him.
            await bob.invite()
            await bob.open_msrp()
            await bob.msrp.send(bob.frame(None))
            bob.msrp.reset()
            await bob.acknowledge()
            await trio.testing.wait_all_tasks_blocked()
            assert conference.participant_count == 1
            assert (await bob.bye()).status in (200, 481)
            assert (await alice.bye()).status == 200
        await assert_nothing_left(server)
        assert conference.room_count == 0
