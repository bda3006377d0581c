"""The conference factory: a room of one's own for everybody who calls it."""

import re
import secrets

import pytest
from sylk_conference.factory import Factory

from sylk.share import Share
from tests.apps.conference.invited import Invited, outcome, refer
from tests.apps.conference.visits import assert_all_is_gone, enter, rooms_of
from tests.peers import DOMAIN, Caller, running_server

FACTORY = f"conference-factory@{DOMAIN}"
NAME = r"(?:(?:[bdfghjklmnprstvz][aeiou]){3}-){3}(?:[bdfghjklmnprstvz][aeiou]){3}"


def test_names_can_be_read_out_and_not_guessed() -> None:
    asked: list[int] = []

    def below(limit: int) -> int:
        asked.append(limit)
        return limit - 1

    assert Factory("f", below).new_name() == "zuzuzu-zuzuzu-zuzuzu-zuzuzu"
    # 80 to the power of 12 is more than 2 to the power of 75.
    assert asked == [80] * 12
    names = {Factory("f", secrets.randbelow).new_name() for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(NAME, name) for name in names)


@pytest.mark.parametrize(
    ("user", "is_named"), [("make", True), ("MAKE", True), ("maker", False), (None, False)]
)
def test_the_factory_is_known_by_its_name(user: str | None, is_named: bool) -> None:
    assert Factory("Make", secrets.randbelow).is_named(user) is is_named


def test_there_may_be_no_factory() -> None:
    factory = Factory("", secrets.randbelow)
    assert not factory.is_named("")
    assert not factory.is_named(None)


@pytest.mark.parametrize(
    ("uri", "room"),
    [
        ("sip:f@example.com", "sip:{}@example.com"),
        ("sips:f@[2001:db8::1]", "sips:{}@[2001:db8::1]"),
    ],
)
def test_a_new_room_has_the_host_of_the_factory(uri: str, room: str) -> None:
    assert Factory("f", lambda _: 0).new_room(uri) == room.format("bababa-bababa-bababa-bababa")


def test_a_name_leads_to_the_worker_that_has_made_it() -> None:
    share = Share(2, 3)
    factory = Factory("f", secrets.randbelow, share.owns)
    names = {factory.new_name() for _ in range(100)}
    assert len(names) == 100
    assert all(share.owns(name) for name in names)


async def test_each_who_calls_the_factory_gets_a_room_of_his_own() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice", room=FACTORY) as alice,
        Caller(server, "bob", room=FACTORY) as bob,
        Caller(server, "carol") as carol,
    ):
        names: list[str] = []
        for caller in (alice, bob):
            final = await caller.invite()
            assert final.status == 200
            assert final["Contact"].endswith(";isfocus")
            match = re.match(rf"<sip:({NAME})@", final["Contact"])
            assert match
            names.append(match[1])
            caller.room = f"{match[1]}@{DOMAIN}"
            await caller.acknowledge()
            await caller.connect()
            assert f"Others join at {caller.room}" in await caller.hear_notice()
        assert len(set(names)) == 2
        assert rooms_of(server) == 2
        # The Contact leads to the room, whatever the address of the server is called there.
        async with (
            Caller(server, "carol", room=f"{names[0]}@127.0.0.1") as carol,
            Invited(server, "dave", f"{names[0]}@{DOMAIN}") as dave,
            Caller(server, "alice", room=f"{names[0]}@127.0.0.1") as desk,
        ):
            carol_room, carol.room = carol.room, alice.room
            assert carol_room != carol.room
            assert f"alice@{DOMAIN}" in await enter(carol)
            assert await alice.hear_notice() == f"carol@{DOMAIN} has joined the room"
            assert await refer(desk, f"<{dave.uri}>") == 202
            assert (await dave.await_invite())["From"].count(names[0])
            await dave.pick_up()
            assert (await outcome(desk))[-1] == "200 OK"
            for caller in (alice, bob, carol, dave):
                if caller is not dave:
                    assert (await caller.bye()).status == 200
            server.stop.set()
            await dave.await_bye()
        await assert_all_is_gone(server)


async def test_a_room_of_the_factory_is_found_no_more_once_it_is_gone() -> None:
    async with running_server() as server, Caller(server, room=FACTORY) as alice:
        final = await alice.invite()
        name = final["Contact"].partition(":")[2].partition("@")[0]
        await alice.acknowledge()
        await alice.connect()
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)
        room = f"{name}@127.0.0.1"
        async with Caller(server, room=room) as late:
            assert f"Others join at {room}" in await enter(late)


@pytest.mark.parametrize(
    ("method", "header"),
    [("SUBSCRIBE", "Event: conference"), ("SUBSCRIBE", "Event: presence"), ("REFER", "")],
)
async def test_nobody_is_in_the_factory(method: str, header: str) -> None:
    async with running_server() as server, Caller(server, room=FACTORY) as alice:
        header = header or "Refer-To: <sip:bob@example.com>"
        assert (await alice.ask(method, header)).status == 405
        assert rooms_of(server) == 0


async def test_the_factory_can_be_switched_off() -> None:
    settings = {"Conference": {"factory": ""}}
    async with running_server(settings) as server, Caller(server, room=FACTORY) as alice:
        assert f"Others join at {FACTORY}" in await enter(alice)
