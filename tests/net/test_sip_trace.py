"""What the transports show to a trace: the octets of the wire, in both directions."""

import socket

from sylk.net.tls import TlsContexts
from sylk.sip.flow import Flow
from sylk.sip.message import Message, Response
from sylk.sip.parser import MalformedMessage
from tests.net.test_sip_transports import (
    REQUEST,
    TLS_SETTINGS,
    Endpoint,
    connected,
    peer,
    running,
    tls,
)
from tests.sip.user_agents import make

__all__ = ["peer", "tls"]

BROKEN = REQUEST.replace(b"CSeq: ", b"C Seq: ")


class Seen:
    """Writes down what a trace is shown."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.items: list[tuple[bool, bytes, str]] = []
        self.flows: list[Flow] = []
        endpoint.transports.trace = self.take

    def take(
        self, received: bool, octets: bytes, message: Message | MalformedMessage | None, flow: Flow
    ) -> None:
        self.items.append((received, octets, type(message).__name__))
        self.flows.append(flow)


async def test_over_udp(peer: socket.socket) -> None:
    odd = b"\r\n" + REQUEST.replace(b"CSeq:", b"cseq :") + b"behind the body"
    async with running() as endpoint:
        seen = Seen(endpoint)
        for data in (b"\r\n\r\n", b"rubbish", odd):
            peer.sendto(data, endpoint.address("udp"))
        await endpoint.next_fault()
        request, flow = await endpoint.next_request()
        endpoint.transports.send(Response.to_request(request, 200), flow)
        answer = peer.recv(1000)
    assert seen.items == [
        (True, b"\r\n\r\n", "NoneType"),
        (True, b"rubbish", "MalformedMessage"),
        (True, odd, "Request"),
        (False, answer, "Response"),
    ]
    assert set(seen.flows) == {flow}
    peer.close()


async def test_what_could_not_be_sent_is_not_shown() -> None:
    async with running() as endpoint:
        seen = Seen(endpoint)
        request = Response(200, "OK")
        local = endpoint.address("udp")
        endpoint.transports.send(request, Flow("udp", local, ("127.0.0.1", 0)))
        endpoint.transports.send(request, Flow("tcp", local, ("127.0.0.1", 9), 77))
        for _ in range(2):
            await endpoint.next_failure()
    assert seen.items == []


async def test_over_tcp_message_by_message() -> None:
    odd = REQUEST.replace(b"CSeq:", b"cseq :")
    async with running() as endpoint, connected(endpoint) as stream:
        seen = Seen(endpoint)
        await stream.send_all(odd + b"\r\n\r\n" + REQUEST[:50])
        request, flow = await endpoint.next_request()
        endpoint.transports.send(Response.to_request(request, 200), flow)
        answers = b""
        while not answers.endswith(b"\r\n\r\n") or not answers.count(b"SIP/2.0 200"):
            answers += await stream.receive_some()
        # Nobody knows where this one ends: what has come behind it is shown too.
        await stream.send_all(REQUEST[50:] + BROKEN + REQUEST[:50])
        await endpoint.next_request()
        await endpoint.next_fault()
    assert set(seen.items[:4]) == {
        (True, odd, "Request"),
        (True, b"\r\n\r\n", "NoneType"),
        (False, b"\r\n", "NoneType"),
        (False, answers.replace(b"\r\n", b"", 1), "Response"),
    }
    assert seen.items[4:] == [
        (True, REQUEST, "Request"),
        (True, BROKEN + REQUEST[:50], "MalformedMessage"),
    ]


async def test_over_tls_in_clear(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as server, running(tls=tls) as client:
        theirs, ours = Seen(server), Seen(client)
        flow = await client.transports.open_flow("tls", server.address("tls"))
        message = make("OPTIONS")
        client.transports.send(message, flow)
        request, back = await server.next_request()
        server.transports.send(Response.to_request(request, 200), back)
        await client.next()
    assert theirs.flows[0].transport == "tls"
    assert theirs.items[0] == (True, message.render(), "Request")
    assert [(not received, *rest) for received, *rest in theirs.items] == [
        tuple(item) for item in ours.items
    ]


async def test_a_trace_can_go_on_and_off_in_the_middle_of_a_connection() -> None:
    async with running() as endpoint, connected(endpoint) as stream:
        await stream.send_all(REQUEST + REQUEST[:100])
        await endpoint.next_request()
        seen = Seen(endpoint)
        await stream.send_all(REQUEST[100:])
        await endpoint.next_request()
        endpoint.transports.trace = None
        await stream.send_all(REQUEST)
        await endpoint.next_request()
    assert seen.items == [(True, REQUEST, "Request")]
