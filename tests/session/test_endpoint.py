"""The endpoint between the sockets and the calls: the ways of requests, and what is left behind."""

import logging
import socket

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.errors import TransportError
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.sip_transports import SipTransportSettings
from sylk.session import Invitation
from sylk.session.endpoint import ANSWER_TIMEOUT, Endpoint, EndpointSettings
from sylk.sip.core import IncomingRequest
from sylk.sip.flow import Flow
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Caller,
    Scripted,
    alarms_of,
    assert_nothing_left,
    chat_offer,
    living_tasks,
    refuse_nothing,
    running_endpoint,
    running_server,
    sip_port,
)


async def hold(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        async for _ in chat:
            pass


async def leave(invitation: Invitation) -> None:
    async with invitation.accept():
        await trio.lowlevel.checkpoint()


# Ways


async def test_an_answer_in_tcp_leaves_over_the_connection_of_its_request() -> None:
    async with (
        running_server(application=Scripted(leave)) as server,
        Caller(server, transport="tcp") as caller,
    ):
        assert (await caller.join()).answer is not None
        final = caller.answer
        assert final is not None
        assert f":{sip_port(server.endpoint, 'tcp')};transport=tcp>" in final["Contact"]
        await caller.await_bye()
        await assert_nothing_left(server)


# What belongs to nothing


async def test_what_belongs_to_no_call_is_answered_without_making_one() -> None:
    async with running_server() as server, Caller(server) as caller:
        assert (await caller.ask("OPTIONS")).status == 200
        for method, status in {"REGISTER": 405, "INFO": 405, "FOO": 501, "CANCEL": 481}.items():
            assert (await caller.ask(method)).status == status
        caller_to = caller.request("BYE").replace(
            b"@example.com>\r\nCall-ID", b"@x>;tag=1\r\nCall-ID"
        )
        await caller.sip.send(caller_to)
        assert (await caller.sip.response("BYE")).status == 481
        for header, status in {
            "Require: 100rel": 420,
            "Accept: application/pkcs7-mime": 406,
            "Content-Encoding: gzip": 415,
        }.items():
            caller.call_id += "x"
            final = await caller.ask("INVITE", header, body=chat_offer(caller.path))
            assert (header, final.status) == (header, status)
            await caller.acknowledge()
        caller.call_id += "x"
        final = await caller.ask("INVITE", body=b"<x/>", content_type="text/xml")
        assert (final.status, final["Accept"]) == (415, "application/sdp")
        assert server.endpoint.call_count == 0
        # Answers that nobody asked for, and ACKs to nothing, are dropped.
        await caller.sip.send(caller.request("ACK"))
        stray = caller.request("OPTIONS").partition(b"\r\n")[2]
        await caller.sip.send(b"SIP/2.0 200 OK\r\n" + stray)
        assert (await caller.ask("OPTIONS")).status == 200


async def test_garbage_and_keep_alives_harm_nobody() -> None:
    async with (
        running_server() as server,
        Caller(server) as udp,
        Caller(server, transport="tcp") as tcp,
    ):
        for garbage in (b"\r\n\r\n", b"\0\0\0\0", b"\xff" * 100, b"INVITE", b"SIP/2.0 200"):
            await udp.sip.send(garbage)
        await tcp.sip.send(b"\r\n\r\n")
        assert (await udp.ask("OPTIONS")).status == 200
        await tcp.sip.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(message.status == 400 for message in await tcp.sip.rest())


# Faults of our own


async def test_a_bug_that_one_message_brings_out_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_incoming: IncomingRequest) -> None:
        raise RuntimeError("a bug")

    async with running_endpoint(fail) as endpoint, Caller(endpoint) as caller:
        await caller.sip.send(caller.request("MESSAGE"))
        with trio.fail_after(PATIENCE):
            while not caplog.records:
                await trio.testing.wait_all_tasks_blocked()
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None
        assert (await caller.ask("OPTIONS")).status == 200


def test_a_port_that_is_taken_leaves_none_open() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = EndpointSettings(
            sip=SipTransportSettings(HOST, 0, 0), msrp=MsrpPortSettings(HOST, port)
        )
        # An unclosed socket would be a ResourceWarning, which fails the test.
        with pytest.raises(TransportError, match=str(port)):
            Endpoint(settings, refuse_nothing)


async def test_nothing_runs_once_the_endpoint_is_cancelled() -> None:
    before = living_tasks()
    async with running_endpoint() as endpoint:
        assert living_tasks() > before
        assert alarms_of(endpoint) == 0
        await endpoint.wait_calls_over()
    assert living_tasks() == before


@pytest.mark.parametrize(
    ("transport", "contact"),
    [("udp", "<sip:u@192.0.2.1:{}>"), ("tcp", "<sip:u@192.0.2.1:{};transport=tcp>")],
)
async def test_the_contact_is_the_address_that_the_peer_reached(
    transport: str, contact: str
) -> None:
    async with running_endpoint() as endpoint:
        flow = Flow(transport, ("192.0.2.1", 9), ("192.0.2.2", 9))
        port = sip_port(endpoint, transport)
        assert endpoint.contact_for(flow, "u") == contact.format(port)


async def test_a_stream_keeps_its_way_while_another_call_ends() -> None:
    """Two calls over one connection: the end of one is no end of the other."""
    async with (
        running_server(application=Scripted(hold)) as server,
        Caller(server, "alice", transport="tcp") as alice,
        Caller(server, "bob", transport="tcp") as bob,
    ):
        unused, bob.sip = bob.sip, alice.sip
        await alice.join()
        await bob.join()
        assert server.endpoint.transports.connection_count == 2
        assert (await alice.bye()).status == 200
        assert await bob.send(None) == 200
        assert (await bob.bye()).status == 200
        await assert_nothing_left(server)
        unused.close()


async def test_peers_of_one_domain_are_told_apart_by_their_dialogs() -> None:
    async with (
        running_server(application=Scripted(hold)) as server,
        Caller(server, "alice") as one,
        Caller(server, "alice") as two,
    ):
        two.call_id = one.call_id
        await one.join()
        await two.join()
        assert (await one.bye()).status == 200
        assert await two.send(None) == 200
        assert (await two.bye()).status == 200
        assert one.address == two.address == f"alice@{DOMAIN}"
        await assert_nothing_left(server)


async def test_an_application_that_never_answers_is_answered_for(
    jumping_clock: MockClock,
) -> None:
    arrived = trio.Event()

    async def sleep(_invitation: Invitation) -> None:
        arrived.set()
        await trio.sleep_forever()

    async with (
        running_server(application=Scripted(sleep)) as server,
        Caller(server) as caller,
    ):
        await caller.sip.send(caller.request("INVITE", body=chat_offer(caller.path)))
        await arrived.wait()
        with trio.move_on_after(ANSWER_TIMEOUT - 1):
            await server.endpoint.wait_calls_over()
        assert server.endpoint.call_count == 1
        assert (await caller.await_answer()).status == 480
        await caller.acknowledge()
        await assert_nothing_left(server)
        assert ANSWER_TIMEOUT <= jumping_clock.current_time() < ANSWER_TIMEOUT + 2
