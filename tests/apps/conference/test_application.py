"""The conference application on real sockets, with participants that are not ours."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing
from sylk_conference import Conference
from sylk_conference.settings import ConferenceSettings
from trio.testing import MockClock

from sylk.server import Server
from sylk.session.dial import Dialled
from tests.peers import (
    DOMAIN,
    PATIENCE,
    Caller,
    MsrpListener,
    answer_frame,
    assert_nothing_left,
    attribute,
    chat_offer,
    connect_msrp,
    destination,
    living_tasks,
    running_endpoint,
    running_server,
    server_config,
    wrap,
)

SMALL = 4096
"""Bytes of the receive buffer of somebody who has stopped reading."""


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


def conference_of(server: Server) -> Conference:
    conference = server.config.applications["conference"]
    assert isinstance(conference, Conference)
    return conference


def rooms_of(server: Server) -> int:
    return conference_of(server).room_count


async def assert_all_is_gone(server: Server) -> None:
    await assert_nothing_left(server)
    assert rooms_of(server) == 0


async def enter(caller: Caller, receive_buffer: int | None = None) -> str:
    """Join, and return the welcome: from now on the caller is in the room for certain."""
    await caller.join(receive_buffer)
    return await caller.hear_notice()


def said(sender: Caller, text: str) -> tuple[str, str]:
    return f"<sip:{sender.address}>", text


async def hears(caller: Caller) -> tuple[str, str]:
    heard = await caller.hear()
    return heard.sender, heard.text


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
        assert attribute(final.body, "chatroom") == ["private-messages"]
        assert attribute(final.body, "accept-types") == ["message/cpim"]
        await alice.acknowledge()
        assert rooms_of(server) == 0
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


async def test_the_next_one_after_the_last_finds_an_empty_room() -> None:
    async with running_server() as server:
        for _ in range(2):
            async with Caller(server) as caller:
                assert "the first one here" in await enter(caller)
                assert (await caller.bye()).status == 200
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


# Whispers and refusals


async def test_a_whisper_reaches_one_person_alone() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as bobs_phone,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, bobs_phone, carol):
            await enter(caller)
        await alice.msrp.send(
            alice.line("public 1") + alice.line("secret", bob.address) + alice.line("public 2")
        )
        for caller in (bob, bobs_phone):
            heard = [(one.text, one.recipient) for one in [await caller.hear() for _ in range(3)]]
            assert heard == [
                ("public 1", f"<sip:lobby@{DOMAIN}>"),
                ("secret", f"<sip:bob@{DOMAIN}>"),
                ("public 2", f"<sip:lobby@{DOMAIN}>"),
            ]
        assert [(await carol.hear()).text for _ in range(2)] == ["public 1", "public 2"]


async def test_what_is_wrong_is_refused_aloud_and_ends_nothing() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        own, room = alice.address, alice.room
        assert await alice.send(wrap(bob.address, room, b"forged")) == 403
        assert await alice.send(wrap(own, f"nobody@{DOMAIN}", b"lost")) == 404
        assert await alice.send(b"bare", "text/plain") == 415
        # Deployed clients know what is wrong inside only from a REPORT after a 200.
        for body, status in (
            (b"nonsense", 400),
            (wrap(own, room, b"\xff\xfe"), 415),
            (wrap(own, room, b"x", "application/octet-stream"), 413),
            (wrap(own, room, b"x", "text/plain; charset=klingon"), 415),
        ):
            assert await alice.send(body) == 200
            report = await alice.next_frame("REPORT")
            assert report.headers["Status"].startswith(f"000 {status}")
        for body in (
            wrap(None, None, b"no From, no To"),
            wrap(own, None, b""),
        ):
            assert await alice.send(body) == 200
        heard = [await bob.hear() for _ in range(2)]
        assert [one.text for one in heard] == ["no From, no To", ""]
        assert all(one.sender == f"<sip:{own}>" for one in heard)
        assert all(f"<sip:{room}>" in one.recipient for one in heard)


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
        assert attribute(final.body, "chatroom") == ["private-messages"]
        caller.path = listener.path
        await caller.acknowledge(chat_offer(listener.path, setup="passive"))
        caller.take_msrp(await listener.accept())
        await caller.msrp.send(answer_frame(await caller.msrp.receive()))
        assert "the first one here" in await caller.hear_notice()


@pytest.mark.parametrize("method", ["SUBSCRIBE", "REFER", "MESSAGE"])
async def test_other_requests_are_refused_for_good(method: str) -> None:
    async with running_server() as server, Caller(server) as caller:
        assert (await caller.ask(method, "Event: conference")).status in (405, 489)


# Who people are


async def test_a_person_with_two_clients_joins_and_leaves_once() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as bobs_phone,
    ):
        await enter(alice)
        await enter(bob)
        assert f"already: alice@{DOMAIN}. " in await enter(bobs_phone)
        await bobs_phone.say("hello")
        # His other client hears him too.
        assert await hears(bob) == said(bob, "hello")
        assert (await bob.bye()).status == 200
        await bobs_phone.say("bye")
        assert (await bobs_phone.bye()).status == 200
        notices = [(await alice.hear_all()).text for _ in range(4)]
        assert notices == [
            f"bob@{DOMAIN} has joined the room",
            "hello",
            "bye",
            f"bob@{DOMAIN} has left the room",
        ]


@pytest.mark.parametrize(
    "name",
    [b'"\xff\xfe"', b'"' + b"x" * 5000 + b'"', b'"\x1b[2J"', b'"a\\"b\\\\"', "Ünal".encode()],
)
async def test_a_strange_name_harms_nobody(name: bytes) -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "eve", transport="tcp", display_name=name) as eve,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        final = await eve.invite()
        if final.status == 200:
            await eve.acknowledge()
            await eve.connect()
            notice = await alice.hear_notice()
            assert f"eve@{DOMAIN}> has joined the room" in notice
            assert notice.isprintable()
            assert len(notice) < 300
            await eve.say("hello")
            assert f"<sip:eve@{DOMAIN}>" in (await alice.hear()).sender
            assert (await eve.bye()).status == 200
        else:
            assert final.status == 400
        await enter(bob)
        await bob.say("all is well")
        assert (await alice.hear()).text == "all is well"


# Bounds


async def test_a_full_room_is_busy_and_a_full_house_unavailable() -> None:
    settings = {"Conference": {"max_participants": 2, "max_rooms": 1}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
        Caller(server, "dave") as dave,
    ):
        await enter(alice)
        # A seat is taken from the answer on, or a crowd that comes at once would all get in.
        assert (await bob.invite()).status == 200
        assert (await carol.invite()).status == 486
        await carol.acknowledge()
        async with Caller(server, "dave", room=f"other@{DOMAIN}") as elsewhere:
            assert (await elsewhere.invite()).status == 503
            await elsewhere.acknowledge()
        await bob.acknowledge()
        await bob.connect()
        assert (await bob.bye()).status == 200
        await trio.testing.wait_all_tasks_blocked()
        await enter(dave)
        for caller in (alice, dave):
            assert (await caller.bye()).status == 200
        await assert_all_is_gone(server)
        async with Caller(server, "dave", room=f"other@{DOMAIN}") as elsewhere:
            assert (await elsewhere.invite()).status == 200


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

                for number in range(count):
                    await chat.send(f"{number} {line}", "text/plain; charset=utf-8")
                for caller in (bob, carol):
                    nursery.start_soon(listen, caller)


# Ends


Ending = Callable[[Caller], Awaitable[object]]


async def end_by_reset(caller: Caller) -> None:
    caller.msrp.reset()
    assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")


async def end_by_closing(caller: Caller) -> None:
    caller.msrp.close()
    await caller.await_bye()


async def end_by_garbage(caller: Caller) -> None:
    await caller.msrp.send(b"\xff" * 100_000)
    await caller.await_bye()


async def end_in_the_middle_of_a_message(caller: Caller) -> None:
    await caller.msrp.send(caller.line("x" * 5000)[:3000])
    caller.msrp.reset()
    await caller.await_bye()


async def end_with_a_bye(caller: Caller) -> None:
    assert (await caller.bye()).status == 200


async def end_by_taking_the_chat_away(caller: Caller) -> None:
    await caller.reinvite(chat_offer(caller.path, port=0, version=2))
    await caller.await_bye()


@pytest.mark.parametrize(
    "ending",
    [
        end_by_reset,
        end_by_closing,
        end_by_garbage,
        end_in_the_middle_of_a_message,
        end_with_a_bye,
        end_by_taking_the_chat_away,
    ],
)
async def test_however_one_ends_the_others_see_a_leave(ending: Ending) -> None:
    before = living_tasks()
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
    ):
        await enter(alice)
        await trio.testing.wait_all_tasks_blocked()
        with_alice = living_tasks()
        async with Caller(server, "bob", transport="tcp") as bob:
            await enter(bob)
            assert await alice.hear_notice() == f"bob@{DOMAIN} has joined the room"
            await ending(bob)
        assert await alice.hear_notice() == f"bob@{DOMAIN} has left the room"
        await trio.testing.wait_all_tasks_blocked()
        assert server.endpoint.call_count == 1
        assert living_tasks() == with_alice
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)
    assert living_tasks() == before


@pytest.mark.parametrize("stage", ["cancelled", "no ack", "no media", "wrong session"])
async def test_who_does_not_get_in_leaves_nothing(stage: str) -> None:
    async with (
        running_server(establish_timeout=0.05) as server,
        Caller(server, "alice") as alice,
        Caller(server, "eve") as eve,
    ):
        await enter(alice)
        if stage == "cancelled":
            await eve.sip.send(eve.request("INVITE", body=chat_offer(eve.path)))
            await eve.cancel()
            # The 200 is as quick as the CANCEL: either may have won.
            if (await eve.await_answer()).status == 200:
                await eve.acknowledge()
                await eve.await_bye()
        else:
            await eve.invite()
            if stage != "no ack":
                await eve.acknowledge()
            if stage == "wrong session":
                stray = await connect_msrp(eve.msrp_port)
                eve.take_msrp(stray)
                eve.path = f"{eve.path.partition('//')[0]}//127.0.0.1:1/wrong;tcp"
                assert await eve.send(None) == 481
            if stage == "no ack":
                await trio.testing.wait_all_tasks_blocked(0.1)
                await eve.acknowledge()
            await eve.await_bye()
        await trio.testing.wait_all_tasks_blocked()
        assert server.endpoint.call_count == 1
        # Alice has heard nothing of all this.
        await alice.say("anybody?")
        assert (await alice.bye()).status == 200
        assert [frame.what for frame in await alice.msrp.rest() if frame.body] == []
        await assert_all_is_gone(server)


async def test_a_stop_says_bye_to_all_and_nothing_about_who_leaves(
    jumping_clock: MockClock,
) -> None:
    before = living_tasks()
    server = Server(server_config())
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        await nursery.start(server.run)
        callers = [
            await stack.enter_async_context(Caller(server, f"user{number}")) for number in range(20)
        ]
        for caller in callers:
            await enter(caller)
        stopped_at = jumping_clock.current_time()
        for caller in callers[:10]:
            await caller.msrp.send(caller.line("in the middle of everything"))
        server.stop.set()
        for caller in callers[::2]:
            reason = (await caller.await_bye())["Reason"]
            assert reason == 'SIP;cause=503;text="The server stops"'
        for caller in callers:
            frames = await caller.msrp.rest()
            assert not any(b"has left the room" in frame.body for frame in frames)
    # Every second one has not answered the BYE.
    assert jumping_clock.current_time() - stopped_at < 5
    assert rooms_of(server) == 0
    assert living_tasks() == before


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
