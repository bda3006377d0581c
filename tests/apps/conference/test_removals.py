"""REFER with BYE: who is put out of a room, with all his clients, and what he is told."""

import trio
from sylk_conference import Conference
from sylk_conference.settings import ConferenceSettings

from sylk.server import Server
from tests.apps.conference.invited import Invited, outcome, refer, told
from tests.apps.conference.visits import assert_all_is_gone, enter
from tests.peers import DOMAIN, HOST, PATIENCE, Caller, running_server

OK = ["100 Trying", "200 OK"]


def lenient() -> Conference:
    """Return a conference in which everybody may do everything."""
    return Conference(ConferenceSettings(invite="all", remove="all"))


def people_in(server: Server) -> int:
    conference = server.config.applications["conference"]
    assert isinstance(conference, Conference)
    return conference.participant_count


async def test_one_puts_out_his_own_clients() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as phone,
        Caller(server, "alice") as tablet,
        Caller(server, "bob") as bob,
        Caller(server, "alice") as desk,
    ):
        for caller in (phone, tablet, bob):
            await enter(caller)
        assert await refer(desk, f"<sip:alice@{DOMAIN}>;method=BYE") == 202
        assert await outcome(desk) == OK
        for caller in (phone, tablet):
            bye = await caller.await_bye()
            assert bye["Reason"] == f'SIP;cause=403;text="Removed by alice@{DOMAIN}"'
        while "Removed" not in (notice := await phone.hear_notice()):
            pass
        assert notice == f"Removed by alice@{DOMAIN}"
        with trio.fail_after(PATIENCE):
            while await bob.hear_notice() != f"alice@{DOMAIN} has left the room":
                pass
        assert people_in(server) == 1


async def test_somebody_else_is_put_out_with_all_his_clients() -> None:
    async with (
        running_server(application=lenient()) as server,
        Caller(server, "alice", display_name=b"Alice") as alice,
        Caller(server, "bob") as phone,
        Caller(server, "bob") as tablet,
        Caller(server, "bob") as late,
    ):
        for caller in (alice, phone, tablet):
            await enter(caller)
        # He is on his way in.
        assert (await late.invite()).status == 200
        await late.acknowledge()
        assert await refer(alice, f"<sip:bob@{DOMAIN.upper()};transport=tcp>;method=bye") == 202
        assert await outcome(alice) == OK
        for caller in (phone, tablet, late):
            reason = (await caller.await_bye())["Reason"]
            assert reason == f'SIP;cause=403;text="Removed by Alice <alice@{DOMAIN}>"'
        assert people_in(server) == 1
        assert await refer(alice, f"<sip:bob@{DOMAIN}>;method=BYE") == 202
        assert await outcome(alice) == ["100 Trying", "404 Not In The Room"]
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)


async def test_who_is_being_called_is_called_no_more_when_he_is_put_out() -> None:
    async with (
        running_server(application=lenient()) as server,
        Caller(server, "alice") as alice,
        Caller(server, "alice") as desk,
        Caller(server, "alice") as other,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        await bob.await_invite()
        await bob.reply("180 Ringing")
        assert await told(desk) == ("100 Trying", "active")
        assert await told(desk) == ("180 Ringing", "active")
        assert await refer(other, f"<{bob.uri}>;method=BYE") == 202
        assert await outcome(other) == OK
        assert await outcome(desk) == [f"487 Removed by alice@{DOMAIN}"]
        cancel = await bob.sip.request("CANCEL")
        await bob.reply("200 OK", request=cancel)
        await bob.reply("487 Request Terminated")
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)


async def test_who_a_trusted_proxy_names_is_put_out_under_that_name_and_no_other() -> None:
    settings = {
        "SIP": {"trusted_peers": HOST},
        "Conference": {"remove": "moderators", "moderators": f"alice@{DOMAIN}"},
    }
    asserted = f"P-Asserted-Identity: <sip:cara@{DOMAIN}>"
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob", headers=[asserted]) as cara,
        Caller(server, "alice") as desk,
    ):
        await enter(alice)
        await enter(cara)
        # His From says Bob, as whom nobody is here.
        assert await refer(desk, f"<sip:bob@{DOMAIN}>;method=BYE") == 202
        assert await outcome(desk) == ["100 Trying", "404 Not In The Room"]
        assert people_in(server) == 2
        async with Caller(server, "alice") as again:
            assert await refer(again, f"<sip:cara@{DOMAIN}>;method=BYE") == 202
            assert await outcome(again) == OK
        assert "Removed by" in (await cara.await_bye())["Reason"]


async def test_a_moderator_by_the_place_he_comes_from_is_put_out_by_moderators_alone() -> None:
    settings = {
        "Server": {"bonjour": "no"},
        "SIP": {"local_ip": "0.0.0.0"},
        "MSRP": {"local_ip": "0.0.0.0"},
        "Conference": {"remove": "participants", "moderators": "127.0.0.2/32"},
    }
    async with (
        running_server(settings) as server,
        Caller(server, "alice", host="127.0.0.2") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as desk,
    ):
        await enter(alice)
        await enter(bob)
        assert await refer(desk, f"<sip:alice@{DOMAIN}>;method=BYE") == 403
        await bob.say("still here")
        assert (await alice.hear()).text == "still here"
