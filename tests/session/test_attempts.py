"""An INVITE goes from server to server, until one takes it: UDP and TCP, and how a CANCEL follows.

What a plain request does stands in test_request_client, passwords in test_dial and test_challenges.
"""

from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.errors import SessionEnded
from sylk.session.attempts import Attempts, Destination, Outcome
from sylk.session.challenges import Credentials
from sylk.sip.flow import Flow
from sylk.sip.uri import SipURI
from tests.peers import (
    DOMAIN,
    HOST,
    assert_nothing_left,
    attribute,
    chat_offer,
    msrp_port,
    running_endpoint,
)
from tests.session.test_dial import Calling, connect_to
from tests.session.wire_servers import (
    ALICE,
    WireServer,
    endpoint_in,
    farm,
    response_to,
    silent_port,
    unused_port,
)

BOB = Destination(SipURI.parse(f"sip:bob@{DOMAIN}"), ALICE)
PATH = "msrp://127.0.0.1:2855/theirs;tcp"
SDP = "Content-Type: application/sdp"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_invite_finds_the_server_that_takes_it(
    transport: str, tmp_path: Path, jumping_clock: MockClock
) -> None:
    """One is dead, one answers 503, one is good; the call stands and ends at the good one."""
    async with (
        silent_port() as silent,
        WireServer(transport) as busy,
        WireServer(transport) as good,
    ):
        dead = silent if transport == "udp" else unused_port("tcp")
        zone = farm(DOMAIN, transport, dead, busy.port, good.port)
        async with (
            endpoint_in(zone, tmp_path, clock=jumping_clock) as endpoint,
            trio.open_nursery() as nursery,
        ):
            calling = Calling(endpoint, BOB)
            nursery.start_soon(calling.run)
            first = await busy.request("INVITE")
            await busy.answer(first, "503 Busy")
            assert (await busy.request("ACK"))["CSeq"] == "1 ACK"
            second = await good.request("INVITE")
            for name in ("Call-ID", "CSeq", "From", "To"):
                assert first[name] == second[name]
            assert first["Via"] != second["Via"]
            assert len(endpoint.msrp.registry) == 1
            contact = f"Contact: <sip:bob@{HOST}:{good.port};transport={transport}>"
            answer = response_to(second, "200 OK", SDP, contact, body=chat_offer(PATH))
            await good.send(answer, second)
            await good.request("ACK")
            peer = await connect_to(endpoint, second, PATH)
            await calling.stands.wait()
            calling.leave.set()
            await good.answer(await good.request("BYE"), "200 OK")
            peer.close()
            assert {message.method for message in busy.came} == {"INVITE", "ACK"}
            await assert_nothing_left(endpoint)


async def test_a_server_that_rings_has_the_call(tmp_path: Path) -> None:
    """Its connection breaks while the phone rings: nobody else's phone is made to ring."""
    async with WireServer("tcp") as first, WireServer("tcp") as second:
        zone = farm(DOMAIN, "tcp", first.port, second.port)
        async with endpoint_in(zone, tmp_path) as endpoint, trio.open_nursery() as nursery:
            calling = Calling(endpoint, BOB)
            nursery.start_soon(calling.run)
            await first.answer(await first.request("INVITE"), "180 Ringing")
            await trio.testing.wait_all_tasks_blocked()
            first.vanish()
            assert (await calling.ended()).status == 503
            assert not second.came
            await assert_nothing_left(endpoint)


async def test_a_cancel_goes_where_the_invite_is(tmp_path: Path) -> None:
    async with WireServer() as busy, WireServer() as good:
        zone = farm(DOMAIN, "udp", busy.port, good.port)
        async with endpoint_in(zone, tmp_path) as endpoint:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Calling(endpoint, BOB).run)
                await busy.answer(await busy.request("INVITE"), "503 Busy")
                invite = await good.request("INVITE")
                await good.answer(invite, "180 Ringing")
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            cancel = await good.request("CANCEL")
            assert cancel["Via"] == invite["Via"]
            await good.answer(cancel, "200 OK")
            await good.answer(invite, "487 Request Terminated")
            await good.request("ACK")
            assert "CANCEL" not in {message.method for message in busy.came}
            await assert_nothing_left(endpoint)


@pytest.mark.parametrize("late", ["200 OK", "503 Busy", ""])
async def test_who_gives_up_before_anything_was_heard_leaves_nothing(
    late: str, tmp_path: Path, jumping_clock: MockClock
) -> None:
    """The CANCEL has to wait for a provisional response; the last server says it, or nothing."""
    async with silent_port() as silent, WireServer() as server, WireServer() as other:
        zone = farm(DOMAIN, "udp", silent, server.port, other.port)
        async with endpoint_in(zone, tmp_path, clock=jumping_clock) as endpoint:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Calling(endpoint, BOB).run)
                invite = await server.request("INVITE")
                nursery.cancel_scope.cancel()
            if late == "200 OK":
                contact = f"Contact: <sip:bob@{HOST}:{server.port}>"
                answer = response_to(invite, late, SDP, contact, body=chat_offer(PATH))
                await server.send(answer, invite)
                await server.request("ACK")
                await server.answer(await server.request("BYE"), "200 OK")
            elif late:
                await server.answer(invite, late)
                await server.request("ACK")
            with trio.fail_after(64):
                await endpoint.wait_calls_over()
            await assert_nothing_left(endpoint)
            assert not other.came


async def test_the_last_refusal_is_told(tmp_path: Path) -> None:
    async with WireServer() as one, WireServer() as two:
        zone = farm(DOMAIN, "udp", one.port, two.port)
        async with endpoint_in(zone, tmp_path) as endpoint, trio.open_nursery() as nursery:
            calling = Calling(endpoint, BOB)
            nursery.start_soon(calling.run)
            await one.answer(await one.request("INVITE"), "503 Busy")
            await two.answer(await two.request("INVITE"), "503 Closed")
            ended = await calling.ended()
            assert (ended.status, ended.reason) == (503, "Closed")
            await assert_nothing_left(endpoint)


async def test_no_more_servers_are_tried_than_that(tmp_path: Path) -> None:
    async with WireServer() as one, WireServer() as two:
        zone = farm(DOMAIN, "udp", one.port, two.port)
        async with endpoint_in(zone, tmp_path) as endpoint:
            for max_servers, goes_on in ((1, False), (2, True)):
                attempts = Attempts(endpoint, BOB, max_servers=max_servers)
                await attempts.open()
                outcome = Outcome(attempts.make_request("OPTIONS"), None, 408)
                assert await attempts.go_on(outcome) is goes_on


async def test_a_connection_that_was_closed_behind_a_challenge_is_opened_anew() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer("tcp") as server,
        trio.open_nursery() as nursery,
    ):
        alice = Credentials("alice", "secret")
        calling = Calling(endpoint, server.destination("tcp"), credentials=alice)
        nursery.start_soon(calling.run)
        first = await server.request("INVITE")
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"'
        await server.answer(first, "401 Unauthorized", challenge)
        server.drop_connections()
        second = await server.request("INVITE")
        assert "Authorization" in second
        assert second["CSeq"] == "2 INVITE"
        await server.answer(second, "404 Not Found")
        assert (await calling.ended()).status == 404
        await assert_nothing_left(endpoint)


async def test_a_connection_that_breaks_is_no_fault_of_its_server() -> None:
    """It stood from an earlier request; the server is asked once more over a new one."""
    async with (
        running_endpoint() as endpoint,
        WireServer("tcp") as server,
        trio.open_nursery() as nursery,
    ):
        for _ in range(2):
            calling = Calling(endpoint, server.destination("tcp"))
            nursery.start_soon(calling.run)
            invite = await server.request("INVITE")
            if len(server.came) > 2:
                server.drop_connections()
                again = await server.request("INVITE")
                assert (again["CSeq"], again["Call-ID"]) == (invite["CSeq"], invite["Call-ID"])
                invite = again
            await server.answer(invite, "404 Not Found")
            await server.request("ACK")
            assert (await calling.ended()).status == 404
        # Over a new connection it is one: nobody is asked again.
        server.drop_connections()
        await trio.testing.wait_all_tasks_blocked()
        calling = Calling(endpoint, server.destination("tcp"))
        nursery.start_soon(calling.run)
        await server.request("INVITE")
        server.drop_connections()
        assert (await calling.ended()).status == 503
        await assert_nothing_left(endpoint)


async def test_a_flow_that_is_given_is_taken_while_it_stands(tmp_path: Path) -> None:
    """It leads to the peer itself: no proxy, and no other transport for what is large."""
    async with WireServer("udp", "tcp") as server:
        target = server.destination("udp")
        async with endpoint_in({}, tmp_path, outbound_proxy=target.uri) as endpoint:
            flow = await endpoint.sender.open_flow(target.uri)
            nowhere = Destination(SipURI.parse("sip:bob@192.0.2.1"), ALICE, flow=flow)
            attempts = Attempts(endpoint, nowhere)
            await attempts.open()
            request = attempts.make_request("MESSAGE", (), b"x" * 2000)
            assert "Route" not in request.headers
            assert await attempts.fit(request) == flow
            gone = Flow("tcp", (HOST, 1), (HOST, 2), 99)
            attempts = Attempts(endpoint, Destination(target.uri, ALICE, flow=gone))
            await attempts.open()
            request = attempts.make_request("MESSAGE", (), b"x" * 2000)
            assert "Route" in request.headers
            assert attempts.flow == flow
            assert (await attempts.fit(request)).transport == "tcp"


async def test_each_way_has_its_contact(tmp_path: Path) -> None:
    """The path of the media and the Contact are those of the flow that the INVITE takes."""
    async with running_endpoint() as endpoint, WireServer("udp", "tcp") as server:
        for transport in ("udp", "tcp"):
            async with trio.open_nursery() as nursery:
                calling = Calling(endpoint, server.destination(transport))
                nursery.start_soon(calling.run)
                invite = await server.request("INVITE")
                assert (";transport=tcp" in invite["Contact"]) is (transport == "tcp")
                assert f"SIP/2.0/{transport.upper()} " in invite["Via"]
                (path,) = attribute(invite.body, "path")
                assert f"{HOST}:{msrp_port(endpoint)}/" in path
                await server.answer(invite, "486 Busy Here")
                with pytest.raises(SessionEnded):
                    raise await calling.ended()
