"""Replaces and Join in rooms: somebody changes clients, somebody knows only the call of another."""

import gc
import weakref

import pytest
import trio
import trio.testing
from sylk_conference import Conference
from sylk_conference.settings import ConferenceSettings
from trio.testing import MockClock

from sylk.server import Server
from sylk.session import Call, Invitation
from tests.peers import DOMAIN, PATIENCE, Caller, assert_nothing_left, running_server


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


ELSEWHERE = f"elsewhere@{DOMAIN}"


def conference_of(server: Server) -> Conference:
    conference = server.config.applications["conference"]
    assert isinstance(conference, Conference)
    return conference


async def enter(caller: Caller) -> str:
    """Join, and return the welcome: from now on the caller is in the room for certain."""
    await caller.join()
    return await caller.hear_notice()


def next_client(server: Server, caller: Caller, room: str = f"lobby@{DOMAIN}") -> Caller:
    """Return another client of the same person, which is to take the seat of the first."""
    headers = [f"Replaces: {caller.dialog_id}", "Require: replaces"]
    return Caller(server, caller.user, room=room, transport="tcp", headers=headers)


async def test_who_changes_clients_neither_leaves_nor_joins() -> None:
    # A full room is no hindrance: the seat is the same.
    settings = {"Conference": {"max_participants": 2, "max_rooms": 1}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as desk,
        Caller(server, "bob") as bob,
    ):
        await enter(desk)
        await enter(bob)
        assert "bob" in await desk.hear_notice()
        async with next_client(server, desk, ELSEWHERE) as mobile:
            final = await mobile.invite()
            assert final["Contact"].startswith("<sip:lobby@")
            assert final["Contact"].endswith(";isfocus")
            await mobile.acknowledge()
            mobile.room = desk.room
            await mobile.connect()
            assert f"already: bob@{DOMAIN}. Others join at lobby@" in await mobile.hear_notice()
            bye = await desk.await_bye()
            assert bye["Reason"] == 'SIP;cause=200;text="Replaced by another call"'
            await trio.testing.wait_all_tasks_blocked()
            assert conference_of(server).participant_count == 2
            assert conference_of(server).room_count == 1
            await mobile.say("still here")
            # The first thing that Bob hears of all this.
            assert (await bob.hear_all()).text == "still here"
            await bob.say("so I see")
            assert (await mobile.hear()).text == "so I see"
            assert (await mobile.bye()).status == 200
            assert await bob.hear_notice() == f"alice@{DOMAIN} has left the room"
        assert (await bob.bye()).status == 200
        await assert_nothing_left(server)
        assert conference_of(server).room_count == 0


async def test_a_room_of_one_stays_open_while_its_only_one_changes_clients() -> None:
    async with running_server() as server, Caller(server, "alice") as first:
        await enter(first)
        clients = [first]
        for _ in range(3):
            client = next_client(server, clients[-1])
            await client.sip.open()
            await enter(client)
            await clients[-1].await_bye()
            clients[-1].close()
            clients.append(client)
        await trio.testing.wait_all_tasks_blocked()
        assert conference_of(server).participant_count == 1
        assert (await clients[-1].bye()).status == 200
        await assert_nothing_left(server)
        clients[-1].close()


async def test_nothing_is_kept_of_calls_that_are_over(jumping_clock: MockClock) -> None:
    calls: list[weakref.ref[Call]] = []

    class Remembering(Conference):
        async def handle_invitation(self, invitation: Invitation) -> None:
            calls.append(weakref.ref(invitation.call))
            await super().handle_invitation(invitation)

    application = Remembering(ConferenceSettings())
    async with running_server(application=application) as server, Caller(server) as desk:
        await enter(desk)
        async with next_client(server, desk) as mobile:
            await enter(mobile)
            await desk.await_bye()
            assert (await mobile.bye()).status == 200
        await assert_nothing_left(server)
        # An alarm that was taken back is forgotten at the time for which it was set.
        jumping_clock.jump(600)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        assert [call() for call in calls] == [None, None]


async def test_what_is_said_meanwhile_is_heard_once_and_in_order() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as desk,
        Caller(server, "bob") as bob,
    ):
        await enter(desk)
        await enter(bob)
        heard: dict[str, list[int]] = {"desk": [], "mobile": []}
        stands = trio.Event()

        async def listen(name: str, caller: Caller) -> None:
            while "the end" not in (text := (await caller.hear()).text):
                heard[name].append(int(text))

        async def talk() -> None:
            number = after = 0
            while after < 20:
                await bob.say(str(number))
                number += 1
                after += stands.is_set()
            await bob.say("the end")

        async with next_client(server, desk) as mobile:
            with trio.fail_after(PATIENCE):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(talk)
                    await mobile.join()
                    await mobile.say("I am here")
                    stands.set()
                    nursery.start_soon(listen, "mobile", mobile)
            assert (await desk.await_bye())["Reason"].startswith("SIP;cause=200;")
            for frame in await desk.msrp.rest():
                text = frame.body.rpartition(b"\r\n\r\n")[2].decode()
                if text.isdecimal():
                    heard["desk"].append(int(text))
            before, after = heard["desk"], heard["mobile"]
            assert before == list(range(len(before)))
            # Nothing is lost between the two, and nothing comes to both but what was under way.
            assert after == list(range(after[0], after[-1] + 1))
            assert len(after) >= 20
            assert after[0] <= len(before)


async def test_nobody_takes_the_seat_of_another() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        async with Caller(server, "eve", headers=[f"Replaces: {alice.dialog_id}"]) as eve:
            assert (await eve.invite()).status == 403
            await eve.acknowledge()
        await alice.say("nothing happened")
        assert (await bob.hear_all()).text == "nothing happened"
        assert conference_of(server).participant_count == 2


async def test_a_seat_is_taken_over_by_one_client_at_a_time() -> None:
    settings = {"Conference": {"max_participants": 1}}
    async with running_server(settings) as server, Caller(server, "alice") as desk:
        await enter(desk)
        async with next_client(server, desk) as mobile, next_client(server, desk) as tablet:
            assert (await mobile.invite()).status == 200
            # There is one seat, and somebody is on the way to it.
            assert (await tablet.invite()).status == 486
            await tablet.acknowledge()
            await mobile.acknowledge()
            await mobile.connect()
            await desk.await_bye()
            assert (await mobile.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_takeover_that_fails_leaves_the_seat_to_its_owner() -> None:
    settings = {"Conference": {"max_participants": 1}}
    async with (
        running_server(settings, establish_timeout=0.05) as server,
        Caller(server, "alice") as desk,
    ):
        await enter(desk)
        for _ in range(2):
            async with next_client(server, desk) as mobile:
                assert (await mobile.invite()).status == 200
                await mobile.acknowledge()
                # It never connects.
                assert "cause=500" in (await mobile.await_bye())["Reason"]
            await trio.testing.wait_all_tasks_blocked()
        await desk.say("still mine")
        assert (await desk.bye()).status == 200
        await assert_nothing_left(server)


async def test_who_knows_the_call_of_another_joins_his_room() -> None:
    async with running_server() as server, Caller(server, "alice") as alice:
        await enter(alice)
        headers = [f"Join: {alice.dialog_id}"]
        async with Caller(server, "bob", room=ELSEWHERE, headers=headers) as bob:
            final = await bob.invite()
            assert final["Contact"].startswith("<sip:lobby@")
            await bob.acknowledge()
            bob.room = alice.room
            await bob.connect()
            assert f"already: alice@{DOMAIN}" in await bob.hear_notice()
            assert await alice.hear_notice() == f"bob@{DOMAIN} has joined the room"
            await bob.say("hello")
            assert (await alice.hear()).text == "hello"
            assert (await bob.bye()).status == 200
        assert await alice.hear_notice() == f"bob@{DOMAIN} has left the room"


async def test_a_room_that_is_full_is_full_for_those_who_join_too() -> None:
    settings = {"Conference": {"max_participants": 1}}
    async with running_server(settings) as server, Caller(server, "alice") as alice:
        await enter(alice)
        headers = [f"Join: {alice.dialog_id}"]
        async with Caller(server, "bob", room=ELSEWHERE, headers=headers) as bob:
            assert (await bob.invite()).status == 486
            await bob.acknowledge()


@pytest.mark.parametrize("ended", [True, False])
async def test_the_call_of_nobody_leads_to_the_room_that_was_called(ended: bool) -> None:
    # RFC 3911 section 4: a dialog that is not there is forgiven, one that has ended is not.
    async with running_server() as server, Caller(server, "alice") as alice:
        await enter(alice)
        if ended:
            assert (await alice.bye()).status == 200
            await assert_nothing_left(server)
        named = alice.dialog_id if ended else f"x{alice.dialog_id}"
        async with Caller(server, "bob", room=ELSEWHERE, headers=[f"Join: {named}"]) as bob:
            if ended:
                assert (await bob.invite()).status == 603
                await bob.acknowledge()
            else:
                assert "the first one here" in await enter(bob)
