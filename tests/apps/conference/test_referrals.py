"""REFER to rooms: who is called, who is put out, who may, and what the referrer is told of it."""

import pytest
from sylk_conference import Conference
from sylk_conference.settings import ConferenceSettings
from trio.testing import MockClock

from sylk.server import Server
from tests.apps.conference.invited import Invited, outcome, refer, told
from tests.apps.conference.visits import assert_all_is_gone, enter, hears, said
from tests.peers import DOMAIN, HOST, Caller, chat_offer, running_server

OK = ["100 Trying", "200 OK"]


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


def lenient() -> Conference:
    """Return a conference in which everybody may do everything."""
    return Conference(ConferenceSettings(invite="all", remove="all"))


def people_in(server: Server) -> int:
    conference = server.config.applications["conference"]
    assert isinstance(conference, Conference)
    return conference.participant_count


async def test_somebody_is_called_into_the_room() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice", display_name=b"Alice") as alice,
        Caller(server, "alice", display_name=b"Alice") as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        assert await told(desk) == ("100 Trying", "active")
        invite = await bob.await_invite()
        assert invite["From"].startswith(f'"Conference Call" <sip:lobby@{DOMAIN}>;tag=')
        assert invite["Contact"].startswith("<sip:lobby@")
        assert invite["Contact"].endswith(";isfocus")
        assert invite["Referred-By"] == f"<sip:alice@{DOMAIN}>"
        assert invite["Subject"] == f"Join conference request from Alice <alice@{DOMAIN}>"
        assert invite["X-Orig-From"] == f"sip:alice@{DOMAIN}"
        assert invite["Allow-Events"] == "conference, presence"
        assert b"a=chatroom:" in invite.body
        await bob.reply("180 Ringing")
        assert await told(desk) == ("180 Ringing", "active")
        # A provisional response that comes again is no news.
        await bob.reply("180 Ringing")
        await bob.pick_up()
        assert await told(desk) == ("200 OK", "terminated")
        assert f"already: Alice <alice@{DOMAIN}>" in await bob.hear_notice()
        assert await alice.hear_notice() == f"bob@{HOST} has joined the room"
        # The call lives on although the referral is over.
        await bob.say("hello")
        assert (await alice.hear()).text == "hello"
        await alice.say("welcome")
        assert (await bob.hear()).text == "welcome"
        assert (await alice.bye()).status == 200
        assert await bob.hear_notice() == f"Alice <alice@{DOMAIN}> has left the room"
        server.stop.set()
        assert (await bob.await_bye())["Reason"] == 'SIP;cause=503;text="The server stops"'
        await assert_all_is_gone(server)


@pytest.mark.parametrize(
    "target", ["<{}>", "<{}>;method=INVITE", "{};method=invite", "<{};method=Invite>"]
)
async def test_a_target_is_written_in_many_ways(target: str) -> None:
    async with (
        running_server() as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, target.format(bob.uri)) == 202
        await bob.come()
        assert await outcome(desk) == OK


async def test_a_refer_inside_the_call_of_a_participant() -> None:
    async with running_server() as server, Caller(server) as alice, Invited(server) as bob:
        await enter(alice)
        assert await refer(alice, f"<{bob.uri}>") == 202
        invite = await bob.await_invite()
        assert invite["Referred-By"] == f"<sip:alice@{DOMAIN}>"
        assert "lobby@" in invite["From"]
        await bob.pick_up()
        assert (await outcome(alice))[-1] == "200 OK"
        # The call stands as before, and so does the dialog.
        await alice.say("hello")
        assert await hears(bob) == said(alice, "hello")
        # One who was called may do the same.
        async with Invited(server, "carol") as carol:
            assert await ask_in_dialog(bob, f"Refer-To: <{carol.uri}>") == 202
            assert (await carol.await_invite())["Referred-By"] == f"<sip:bob@{HOST}>"
            await carol.reply("603 Decline")
            assert (await outcome(bob))[-1] == "603 Decline"
        assert (await alice.bye()).status == 200


async def ask_in_dialog(invited: Invited, *headers: str) -> int:
    """Send a REFER inside the call that the server has made."""
    called = invited.called
    assert called is not None
    target = called["Contact"].partition("<")[2].partition(">")[0]
    lines = [
        f"REFER {target} SIP/2.0",
        f"Via: SIP/2.0/UDP {HOST}:{invited.sip.port};branch=z9hG4bK{invited.tag}r;rport",
        "Max-Forwards: 70",
        f"From: {called['To']};tag={invited.tag}",
        f"To: {called['From']}",
        f"Call-ID: {called['Call-ID']}",
        "CSeq: 1 REFER",
        f"Contact: <{invited.uri}>",
        *headers,
        "Content-Length: 0",
        "",
        "",
    ]
    await invited.sip.send("\r\n".join(lines).encode())
    return (await invited.sip.response("REFER")).status


async def test_referrals_in_one_call_are_told_apart() -> None:
    async with running_server() as server, Caller(server) as alice:
        await enter(alice)
        events: list[str] = []
        for _ in range(2):
            # Each has herself called, where nobody is.
            assert await refer(alice, f"<sip:alice@{HOST}:9;transport=tls>") == 202
            notify = await alice.sip.request("NOTIFY")
            await alice.sip.send(notify.answer("200 OK"))
            events.append(notify["Event"])
            if "terminated" not in notify["Subscription-State"]:
                await outcome(alice)
        assert events == ["refer;id=2", "refer;id=3"]
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)


async def test_a_call_may_end_before_its_referral() -> None:
    async with (
        running_server() as server,
        Caller(server) as alice,
        Caller(server, "carol") as carol,
        Invited(server) as bob,
    ):
        await enter(alice)
        await enter(carol)
        assert await refer(alice, f"<{bob.uri}>") == 202
        await bob.await_invite()
        assert (await alice.bye()).status == 200
        await bob.pick_up()
        assert (await outcome(alice))[-1] == "200 OK"
        for caller in (carol,):
            assert (await caller.bye()).status == 200


async def test_a_referrer_who_wants_no_subscription_is_told_nothing() -> None:
    async with (
        running_server() as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        answer = await desk.ask("REFER", f"Refer-To: <{bob.uri}>", "Refer-Sub: false")
        assert (answer.status, answer["Refer-Sub"]) == (202, "false")
        await bob.come()
        assert (await desk.ask("OPTIONS")).status == 200
        assert server.endpoint.subscription_count == 0


@pytest.mark.parametrize("refusal", ["486 Busy Here", "603 Not now, sorry", "404 Not Found"])
async def test_a_refusal_is_told_as_it_is(refusal: str) -> None:
    async with (
        running_server() as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        await bob.await_invite()
        await bob.reply(refusal)
        assert await outcome(desk) == ["100 Trying", refusal]
        assert people_in(server) == 1
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)


async def test_who_does_not_answer_is_called_no_more(jumping_clock: MockClock) -> None:
    settings = {"Conference": {"ringing_time": 5}}
    async with (
        running_server(settings) as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        await bob.await_invite()
        await bob.reply("180 Ringing")
        cancel = await bob.sip.request("CANCEL")
        await bob.reply("200 OK", request=cancel)
        await bob.reply("487 Request Terminated")
        assert (await outcome(desk))[-1] == "408 no answer within 5 s"


async def test_who_cannot_be_reached_is_told() -> None:
    async with running_server() as server, Caller(server) as alice, Caller(server) as desk:
        await enter(alice)
        assert await refer(desk, f"<sip:bob@{HOST}:9;transport=tls>") == 202
        assert (await outcome(desk))[-1].startswith("503 ")


async def test_who_takes_no_cpim_is_not_let_in() -> None:
    async with (
        running_server() as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        await bob.await_invite()
        await bob.reply("200 OK", chat_offer(bob.path, accept_types="text/plain"))
        await bob.sip.request("ACK")
        await bob.connect()
        assert (await outcome(desk))[-1] == "488 message/cpim is not accepted"
        assert "cause=488" in (await bob.await_bye())["Reason"]


async def test_who_is_here_already_is_not_called() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "alice") as desk,
    ):
        await enter(alice)
        await enter(bob)
        assert await refer(desk, f"<sip:bob@{DOMAIN}>") == 202
        assert await outcome(desk) == ["100 Trying", "200 Is Here Already"]


async def test_two_who_call_the_same_hear_of_one_call() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "alice") as first,
        Caller(server, "alice") as second,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(first, f"<{bob.uri}>") == 202
        await bob.await_invite()
        await bob.reply("180 Ringing")
        assert await told(first) == ("100 Trying", "active")
        assert await told(first) == ("180 Ringing", "active")
        assert await refer(second, f"<{bob.uri}>") == 202
        await bob.pick_up()
        assert (await outcome(first))[-1] == "200 OK"
        assert (await outcome(second))[-1] == "200 OK"
        assert people_in(server) == 2


async def test_nobody_is_called_into_a_room_that_is_full() -> None:
    settings = {"Conference": {"max_participants": 1}}
    async with running_server(settings) as server, Caller(server) as alice, Caller(server) as desk:
        await enter(alice)
        assert await refer(desk, f"<sip:bob@{HOST}:9>") == 202
        assert await outcome(desk) == ["100 Trying", "486 The Room Is Full"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("<tel:+431234567>", 416),
        ("<http://example.com/>", 416),
        ("<sip:bob@example.com>;method=SUBSCRIBE", 488),
        ("<sip:bob@example.com;method=REFER?Refer-To=sip:lobby%40example.com>", 488),
        (f"<sip:lobby@{DOMAIN}>", 482),
        (f"<sip:conference-factory@{DOMAIN}>", 482),
        ("<sip:bob@example.com;method=BYE>;method=INVITE", 400),
        ("<>", 400),
        ("<sip:boss@example.com;maddr=127.0.0.1>", 403),
    ],
)
async def test_what_is_not_done_is_refused(target: str, status: int) -> None:
    async with running_server() as server, Caller(server) as alice, Caller(server) as desk:
        await enter(alice)
        assert await refer(desk, target) == status
        assert await refer(alice, target) == status
        assert server.endpoint.subscription_count == 0


async def test_strangers_have_nobody_called_and_put_nobody_out() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "eve") as eve,
    ):
        await enter(alice)
        assert await refer(eve, f"<sip:bob@{HOST}:9>") == 403
        assert await refer(eve, f"<sip:alice@{DOMAIN}>;method=BYE") == 403
        assert people_in(server) == 1


async def test_a_room_that_is_not_open_calls_nobody() -> None:
    async with running_server() as server, Caller(server) as alice:
        assert await refer(alice, f"<sip:bob@{HOST}:9>") == 403
        assert await refer(alice, f"<sip:alice@{DOMAIN}>;method=BYE") == 403
        await assert_all_is_gone(server)


async def test_the_factory_is_no_room() -> None:
    room = f"Conference-Factory@{DOMAIN}"
    async with running_server() as server, Caller(server, room=room) as alice:
        answer = await alice.ask("REFER", f"Refer-To: <sip:bob@{HOST}:9>")
        assert answer.status == 405


async def test_an_invitation_that_finds_its_way_back_is_a_loop() -> None:
    async with running_server() as server, Caller(server) as alice, Caller(server) as desk:
        await enter(alice)
        port = dict(server.endpoint.transports.listening)["udp"][1]
        assert await refer(desk, f"<sip:elsewhere@{HOST}:{port}>") == 202
        assert await outcome(desk) == ["100 Trying", "482 Loop Detected"]
        assert (await alice.bye()).status == 200
        await assert_all_is_gone(server)


async def test_who_is_alone_is_not_called_into_an_empty_room() -> None:
    async with (
        running_server() as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        await bob.await_invite()
        await bob.reply("180 Ringing")
        assert (await alice.bye()).status == 200
        cancel = await bob.sip.request("CANCEL")
        await bob.reply("200 OK", request=cancel)
        await bob.reply("487 Request Terminated")
        assert (await outcome(desk))[-1] == "487 Nobody is in the room any more"
        await assert_all_is_gone(server)


async def test_who_may_invite_from_outside_has_nobody_called_into_a_closed_room() -> None:
    async with running_server(application=lenient()) as server, Caller(server) as alice:
        assert await refer(alice, f"<sip:bob@{HOST}:9>") == 202
        assert await outcome(alice) == ["100 Trying", "480 The Room Is Not Open"]


async def test_a_call_between_two_is_taken_into_the_room() -> None:
    # RFC 4579 section 5.10. What else is embedded in the target is not ours to say.
    async with (
        running_server() as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        replaces = "a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2"
        others = "Subject=forged&X-Evil=1&body=hello&Route=%3Csip:evil%3E"
        assert await refer(desk, f"<{bob.uri}?Replaces={replaces}&{others}>") == 202
        invite = await bob.await_invite()
        assert invite["Replaces"] == "a@b;to-tag=1;from-tag=2"
        assert "forged" not in invite.raw.decode()
        assert not {"X-Evil", "Route"} & {name for name, _ in invite.headers}
        await bob.pick_up()
        assert (await outcome(desk))[-1] == "200 OK"


async def test_a_name_forges_no_header() -> None:
    async with (
        running_server() as server,
        Caller(server, display_name=b'"a\xc2\x85b\xe2\x80\xa8X-Evil: 1"') as alice,
        Caller(server, display_name=b'"a\xc2\x85b\xe2\x80\xa8X-Evil: 1"') as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        referred_by = f"Referred-By: <sip:boss@{DOMAIN}>;cid=1@x"
        assert await refer(desk, f"<{bob.uri}>", referred_by) == 202
        invite = await bob.await_invite()
        assert "X-Evil" not in {name for name, _ in invite.headers}
        assert invite["Referred-By"] == f"<sip:alice@{DOMAIN}>"
