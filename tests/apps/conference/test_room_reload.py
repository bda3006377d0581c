"""Settings that change while people are in the room: they stay, and the new ones hold at once."""

from sylk.server import Server
from tests.apps.conference.subscribers import Subscriber
from tests.apps.conference.test_room_policy import LOBBY, invite, lobby
from tests.apps.conference.visits import call_oneself, conference_of, enter
from tests.peers import DOMAIN, Caller, running_server, server_config, wrap


def take_up(server: Server, **values: object) -> None:
    """Let the section of the room say this from now on, as after a SIGHUP."""
    other = server_config(lobby(**values)).applications["conference"]
    conference_of(server).reconfigure(other.settings, other.address_settings)


async def test_who_is_here_stays_and_others_find_the_new_door() -> None:
    async with (
        running_server(lobby()) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Subscriber(server, "carol") as watcher,
    ):
        await enter(alice)
        await enter(bob)
        assert (await watcher.subscribe()).status == 200
        await watcher.until("alice", "bob")
        take_up(server, allow=f"alice@{DOMAIN}", moderators=f"boss@{DOMAIN}", max_participants=2)
        await bob.say("still here")
        assert (await alice.hear()).text == "still here"
        # He may bring a second client as little as come again.
        assert await invite(server, "bob") == 403
        assert await invite(server, "alice") == 486
        assert await invite(server, "boss") == 486
        async with Subscriber(server, "dave") as stranger:
            assert (await stranger.subscribe()).status == 403
        async with Subscriber(server, "bob") as own:
            assert (await own.subscribe()).status == 200
        assert (await bob.bye()).status == 200
        assert await invite(server, "bob") == 403
        assert await invite(server, "boss") == 200
        take_up(server)
        assert await invite(server, "bob") == 200


async def test_roles_and_the_subject_are_told() -> None:
    async with (
        running_server(lobby()) as server,
        Caller(server, "alice") as alice,
        Subscriber(server) as watcher,
    ):
        await enter(alice)
        assert (await watcher.subscribe()).status == 200
        info = await watcher.until("alice")
        assert info.users[0].roles == ("participant",)
        take_up(server, moderators=f"alice@{DOMAIN}", subject="News", max_participants=7)
        while (info := await watcher.until("alice")).users[0].roles == ("participant",):
            pass
        assert "moderator" in info.users[0].roles
        assert info.description is not None
        assert info.description.subject == "News"
        assert info.description.maximum_user_count == 7


async def test_what_may_be_said_changes_for_those_who_are_here() -> None:
    async with (
        running_server(lobby()) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await enter(alice)
        await enter(bob)
        assert await call_oneself(alice, "Ali") == 200
        take_up(
            server,
            nicknames="no",
            whisper="none",
            max_message_size=1024,
            join_notices="quiet",
            message_rate=0,
        )
        assert await call_oneself(bob, "Bobby") == 403
        assert await alice.send(wrap(alice.address, bob.address, b"psst")) == 403
        assert await alice.send(wrap(alice.address, alice.room, b"x" * 1024)) == 413
        async with Caller(server, "carol") as carol:
            final = await carol.invite()
            assert b"a=chatroom\r\n" in final.body
            await carol.acknowledge()
            await carol.connect()
            await alice.say("hello")
            heard = await bob.hear_all()
            assert (heard.text, heard.sender) == ("hello", f"Ali <sip:{alice.address}>")


async def test_a_room_becomes_permanent_and_is_no_more() -> None:
    async with (
        running_server(lobby()) as server,
        Subscriber(server) as watcher,
        Caller(server, "alice") as alice,
    ):
        assert (await watcher.subscribe()).status == 480
        take_up(server, permanent="yes")
        assert conference_of(server).room_count == 1
        assert (await watcher.subscribe()).status == 200
        assert (await watcher.document()).users == ()
        await enter(alice)
        await watcher.until("alice")
        take_up(server)
        # It stays open for those who are there, and no longer.
        await alice.say("hello")
        assert conference_of(server).room_count == 1
        await alice.bye()
        while (await watcher.notify())["Subscription-State"].startswith("active"):
            pass
        assert conference_of(server).room_count == 0
        assert await invite(server, "alice", room=LOBBY) == 200
