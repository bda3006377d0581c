"""Connections that a middlebox anchors (RFC 6714), and both ends of who connects (RFC 6135)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
import trio

from sylk.errors import SessionEnded
from sylk.net.certificate import CertificateFiles
from sylk.session import Invitation
from sylk.session.dial import Dialled
from sylk.session.endpoint import Endpoint
from sylk.sip.core import IncomingRequest
from sylk.sip.uri import SipURI
from tests.end_to_end.wire_msrp import render_frame
from tests.peers import (
    HOST,
    PATIENCE,
    Answering,
    Callee,
    Caller,
    MsrpListener,
    answer_frame,
    assert_nothing_left,
    attribute,
    chat_offer,
    connect_msrp,
    destination,
    msrp_port,
    running_endpoint,
    running_server,
    sip_port,
)
from tests.session.middlebox import anchored, border_controller
from tests.session.tls_peers import MakeSettings, TlsCaller, TlsListener

CEMA = "a=msrp-cema"


def port_of(path: str) -> int:
    return int(path.partition("/")[2].rpartition(":")[2].partition("/")[0])


def hidden(path: str) -> str:
    """Return the path with an address at which nobody listens."""
    return f"msrp://127.0.0.1:1/{path.rpartition('/')[2]}"


# A wire client calls; we answer


async def test_we_connect_to_the_anchor_of_a_caller_who_knows_cema(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        MsrpListener() as listener,
        anchored((HOST, port_of(listener.path))) as anchor,
        Caller(server) as caller,
    ):
        caller.path = hidden(listener.path)
        offer = chat_offer(caller.path, setup="passive", port=anchor.port, extra=[CEMA])
        final = await caller.invite(offer)
        assert attribute(final.body, "setup") == ["active"]
        assert attribute(final.body, "msrp-cema") == [""]
        await caller.acknowledge()
        caller.take_msrp(await listener.accept())
        first = await caller.msrp.receive()
        # The paths name the session as ever, wherever the connection went.
        assert first.headers["To-Path"] == caller.path
        await caller.msrp.send(answer_frame(first))
        await answering.wait_stands()
        assert await caller.send(b"From: <sip:a@b>\r\n\r\n\r\nhello") == 200
        assert anchor.connections == 1
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_line_that_was_rewritten_for_a_caller_without_cema_is_refused(
    answering: Answering,
) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        offer = chat_offer(caller.path, setup="passive", port=4321)
        final = await caller.invite(offer)
        assert final.status == 488
        assert final["Warning"].startswith("399 ")
        await caller.acknowledge()
        await answering.wait_over()
        await assert_nothing_left(server)


async def test_with_cema_switched_off_we_connect_to_the_path(answering: Answering) -> None:
    settings = {"MSRP": {"cema": "no"}}
    async with (
        running_server(settings, application=answering.application) as server,
        MsrpListener() as listener,
        Caller(server) as caller,
    ):
        caller.path = listener.path
        offer = chat_offer(caller.path, setup="passive", port=4321, extra=[CEMA])
        final = await caller.invite(offer)
        assert attribute(final.body, "msrp-cema") == []
        await caller.acknowledge()
        caller.take_msrp(await listener.accept())
        await caller.msrp.send(answer_frame(await caller.msrp.receive()))
        await answering.wait_stands()


@pytest.mark.parametrize("setup", ["active", "actpass", "holdconn", None])
async def test_a_caller_who_connects_is_taken_whatever_was_rewritten(
    answering: Answering, setup: str | None
) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        final = await caller.invite(chat_offer(caller.path, setup=setup, port=4321))
        assert attribute(final.body, "setup") == ["passive"]
        assert attribute(final.body, "msrp-cema") == []
        await caller.acknowledge()
        await caller.connect()
        await answering.wait_stands()


# While the call stands


async def test_a_chat_cannot_go_on_in_another_session(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        await answering.wait_stands()
        other = caller.path.replace(caller.session_id, "another")
        for method in ("INVITE", "UPDATE"):
            refused = await caller.ask(method, body=chat_offer(other, version=2))
            assert refused.status == 488
            assert refused["Warning"].startswith("399 ")
            if method == "INVITE":
                await caller.acknowledge()
        # Nothing has changed.
        assert await caller.send(None) == 200
        assert (await caller.reinvite(chat_offer(caller.path, version=2))).status == 200
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_once_we_are_connecting_the_peer_stays_where_it_is(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        MsrpListener() as listener,
        Caller(server) as caller,
    ):
        caller.path = listener.path
        await caller.invite(chat_offer(listener.path, setup="passive"))
        await caller.acknowledge()
        caller.take_msrp(await listener.accept())
        bind = await caller.msrp.receive()
        other = caller.path.replace(listener.session_id, "another")
        refused = await caller.reinvite(chat_offer(other, setup="passive", version=2))
        assert refused.status == 488
        await caller.acknowledge()
        await caller.msrp.send(answer_frame(bind))
        await answering.wait_stands()


async def test_before_there_is_a_connection_the_peer_may_come_to_another_session(
    answering: Answering,
) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.invite()
        await caller.acknowledge()
        caller.path = caller.path.replace(caller.session_id, "another")
        assert (await caller.reinvite(chat_offer(caller.path, version=2))).status == 200
        await caller.connect()
        await answering.wait_stands()


# We call a wire client


async def test_as_offerer_we_connect_to_the_anchor() -> None:
    """Section 4.2 asks for it even where the answer says nothing of CEMA."""
    for extra in ([CEMA], []):
        async with (
            running_endpoint() as phone,
            MsrpListener() as listener,
            anchored((HOST, port_of(listener.path))) as anchor,
            Callee() as callee,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(_dial, phone, callee)
            invite = await callee.receive("INVITE")
            assert attribute(invite.body, "msrp-cema") == [""]
            path = hidden(listener.path)
            answer = chat_offer(path, setup="passive", port=anchor.port, extra=extra)
            await callee.reply("200 OK", answer)
            msrp = await listener.accept()
            await msrp.send(answer_frame(await msrp.receive()))
            assert anchor.connections == 1
            await callee.reply("200 OK", to=await callee.receive("BYE"))
            await assert_nothing_left(phone)
            msrp.close()


async def _dial(phone: Endpoint, callee: Callee) -> None:
    async with Dialled(phone, callee.destination):
        pass


async def test_a_middlebox_that_knows_no_cema_is_asked_anew() -> None:
    """RFC 6714 section 4.2, first criterion; the middlebox then is an end of MSRP itself."""
    async with (
        running_endpoint() as phone,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_dial, phone, callee)
        first = await callee.receive("INVITE")
        (ours,) = attribute(first.body, "path")
        theirs = "msrp://127.0.0.1:9/theirs;tcp"
        await callee.reply("200 OK", chat_offer(theirs, setup="active", port=4321))
        await callee.receive("ACK")
        second = await callee.receive("INVITE")
        assert attribute(second.body, "msrp-cema") == []
        assert attribute(second.body, "path") == [ours]
        box = "msrp://127.0.0.1:4321/box;tcp"
        await callee.reply("200 OK", chat_offer(box, setup="active", version=2), to=second)
        await callee.receive("ACK")
        # What was answered anew counts, and it alone.
        for path, status in ((theirs, 481), (box, 200)):
            msrp = await connect_msrp(port_of(ours))
            lines = ["Message-ID: 1234", "Byte-Range: 1-0/0"]
            await msrp.send(render_frame("SEND", ours, path, lines))
            assert (await msrp.receive()).status == status
            if status == 200:
                await callee.reply("200 OK", to=await callee.receive("BYE"))
            msrp.close()
        await assert_nothing_left(phone)


async def test_a_middlebox_before_the_relay_of_the_callee_is_asked_anew() -> None:
    """The third criterion: the path has relays, and it is we who connect."""
    async with (
        running_endpoint() as phone,
        MsrpListener() as listener,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_dial, phone, callee)
        await callee.receive("INVITE")
        relayed = f"msrp://127.0.0.1:1/hop;tcp {hidden(listener.path)}"
        await callee.reply("200 OK", chat_offer(relayed, setup="passive", port=4321))
        await callee.receive("ACK")
        second = await callee.receive("INVITE")
        assert attribute(second.body, "msrp-cema") == []
        answer = chat_offer(listener.path, setup="passive", version=2)
        await callee.reply("200 OK", answer, to=second)
        msrp = await listener.accept()
        bind = await msrp.receive()
        assert bind.headers["To-Path"] == listener.path
        await msrp.send(answer_frame(bind))
        await callee.reply("200 OK", to=await callee.receive("BYE"))
        await assert_nothing_left(phone)
        msrp.close()


@pytest.mark.parametrize(("address", "is_asked"), [("127.0.0.1", False), ("127.0.0.99", True)])
async def test_the_names_in_an_answer_are_looked_up(address: str, is_asked: bool) -> None:
    """RFC 6714 section 4.4: whether c= is the address of the path is for DNS to say."""
    async with (
        running_endpoint() as phone,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_dial, phone, callee)
        (ours,) = attribute((await callee.receive("INVITE")).body, "path")
        theirs = "msrp://localhost:4321/theirs;tcp"
        answer = chat_offer(theirs, setup="active")
        answer = answer.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 " + address.encode())
        await callee.reply("200 OK", answer)
        await callee.receive("ACK")
        if is_asked:
            second = await callee.receive("INVITE")
            assert attribute(second.body, "msrp-cema") == []
            await callee.reply("200 OK", chat_offer(theirs, setup="active"), to=second)
            await callee.receive("ACK")
        msrp = await connect_msrp(port_of(ours))
        await msrp.send(
            render_frame("SEND", ours, theirs, ["Message-ID: 1234", "Byte-Range: 1-0/0"])
        )
        assert (await msrp.receive()).status == 200
        # Had there been another offer, it would have come before the BYE.
        request = await callee.next_request()
        assert request.method == "BYE"
        await callee.reply("200 OK", to=request)
        msrp.close()
        await assert_nothing_left(phone)


async def test_tls_goes_through_the_anchor_untouched(
    answering: Answering, with_tls: MakeSettings, phone: CertificateFiles
) -> None:
    """The certificate is that of the peer, whose fingerprint its SDP has (RFC 6714 section 7.4)."""
    async with (
        running_server(with_tls(), application=answering.application) as server,
        TlsListener(phone) as listener,
        anchored((HOST, port_of(listener.path))) as anchor,
        TlsCaller(server) as caller,
    ):
        caller.path = hidden(listener.path).replace("msrp://", "msrps://")
        offer = caller.offer(CEMA, f"a=fingerprint:{listener.fingerprint}", setup="passive")
        await caller.invite(offer.replace(b"m=message 1 ", b"m=message %d " % anchor.port))
        await caller.acknowledge()
        caller.take_msrp(await listener.accept())
        await caller.msrp.send(answer_frame(await caller.msrp.receive()))
        await answering.wait_stands()
        assert anchor.connections == 1
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


# Two of us, with a border controller between


@asynccontextmanager
async def answering_phone(*, listens: bool) -> AsyncGenerator[tuple[Endpoint, list[str]]]:
    """Run an endpoint that answers each call and says what it hears back to it."""
    heard: list[str] = []
    async with trio.open_nursery() as nursery:

        async def answer(invitation: Invitation) -> None:
            with suppress(SessionEnded):
                async with invitation.accept() as chat:
                    async for message in chat:
                        heard.append(message.text)
                        await chat.send(message.text.upper())

        def ring(incoming: IncomingRequest) -> None:
            nursery.start_soon(answer, Invitation(phone, incoming))

        async with running_endpoint(ring, msrp_port=0 if listens else None) as phone:
            yield phone, heard
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("callee_listens", "strips_cema", "used"),
    [(True, False, [0, 1]), (False, False, [1, 0]), (True, True, [0, 1])],
)
async def test_two_of_us_through_a_border_controller(
    callee_listens: bool, strips_cema: bool, used: list[int]
) -> None:
    """Whoever connects does so through the box: alice by the second of its anchors."""
    async with (
        running_endpoint() as alice,
        answering_phone(listens=callee_listens) as (bob, heard),
        border_controller((HOST, sip_port(bob, "udp")), strips_cema=strips_cema) as box,
    ):
        way = replace(destination(bob, "bob"), proxy=SipURI.parse(f"sip:{HOST}:{box.port}"))
        with trio.fail_after(PATIENCE):
            async with Dialled(alice, way) as chat:
                await chat.send("hello")
                async for message in chat:
                    assert message.text == "HELLO"
                    break
        assert heard == ["hello"]
        assert [anchor.connections for anchor in box.anchors[:2]] == used
        await assert_nothing_left(alice)
        await assert_nothing_left(bob)


async def test_where_only_the_callee_can_connect_a_box_without_cema_is_refused() -> None:
    async with (
        running_endpoint() as alice,
        answering_phone(listens=False) as (bob, heard),
        border_controller((HOST, sip_port(bob, "udp")), strips_cema=True) as box,
    ):
        way = replace(destination(bob, "bob"), proxy=SipURI.parse(f"sip:{HOST}:{box.port}"))
        with trio.fail_after(PATIENCE), pytest.raises(SessionEnded) as caught:
            async with Dialled(alice, way):
                pass
        assert caught.value.status == 488
        assert heard == []
        await assert_nothing_left(alice)


@pytest.mark.parametrize("callee_listens", [True, False])
async def test_two_of_us_with_nothing_between(callee_listens: bool) -> None:
    async with (
        running_endpoint() as alice,
        answering_phone(listens=callee_listens) as (bob, heard),
    ):
        with trio.fail_after(PATIENCE):
            async with Dialled(alice, destination(bob, "bob")) as chat:
                await chat.send("hello")
                async for _ in chat:
                    break
        assert heard == ["hello"]
        assert callee_listens is ("tcp" in dict(bob.msrp.listening))
        assert msrp_port(alice) != 0
        await assert_nothing_left(alice)
        await assert_nothing_left(bob)
