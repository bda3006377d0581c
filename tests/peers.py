"""Servers, endpoints and scripted peers on loopback, for the tests of whole calls.

`Caller` is no part of Sylk: it writes SIP and MSRP as text, so not both ends of a call are ours.
It sends what a test tells it to, right or wrong, and puts aside what comes meanwhile.
"""

import secrets
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

import trio
import trio.testing

from sylk.application import Application, NoSettings
from sylk.config import parse_config
from sylk.errors import SessionEnded
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.relay_path import RelayAccount
from sylk.net.sip_transports import SipTransportSettings
from sylk.routing import RoutingTable
from sylk.server import Server
from sylk.server_config import ServerConfig, build_config
from sylk.session.attempts import Destination
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.session.invitation import Invitation
from sylk.sip.address import NameAddr
from sylk.sip.core import IncomingRequest
from sylk.sip.uri import SipURI
from tests.end_to_end.wire_client import Heard, unwrap
from tests.end_to_end.wire_msrp import Frame, render_frame, take_frame
from tests.end_to_end.wire_sip import SipMessage, render_request

HOST = "127.0.0.1"
DOMAIN = "example.com"
PATIENCE = 10.0
"""Seconds until what a test waits for must have come; only a test that fails waits so long."""

Settings = Mapping[str, Mapping[str, object]]
"""Section to key to value, as they go into sylk.ini."""

_LOOPBACK: Settings = {
    "SIP": {"local_ip": HOST, "local_udp_port": 0, "local_tcp_port": 0, "local_tls_port": "none"},
    "MSRP": {"local_ip": HOST, "local_tcp_port": 0, "local_tls_port": "none"},
    "Conference": {"history": "no"},
}


# Servers and endpoints of ours


class Scripted(Application):
    """An application that does what a test says."""

    name = "scripted"

    def __init__(self, script: Callable[[Invitation], Awaitable[None]]) -> None:
        super().__init__(NoSettings())
        self._script = script

    async def handle_invitation(self, invitation: Invitation) -> None:
        await self._script(invitation)


class Answering:
    """Accepts each call and tells how it went."""

    def __init__(self) -> None:
        self.stands = trio.Event()
        self.over = trio.Event()
        self.reason = ""

    async def answer(self, invitation: Invitation) -> None:
        try:
            async with invitation.accept() as chat:
                self.stands.set()
                async for _ in chat:
                    pass
                self.reason = chat.call.reason
        except SessionEnded as ended:
            self.reason = ended.reason
            raise
        finally:
            self.over.set()

    async def wait_stands(self) -> None:
        with trio.fail_after(PATIENCE):
            await self.stands.wait()

    async def wait_over(self) -> str:
        with trio.fail_after(PATIENCE):
            await self.over.wait()
        return self.reason

    @property
    def application(self) -> Scripted:
        return Scripted(self.answer)


def server_config(settings: Settings | None = None) -> ServerConfig:
    """Read settings as the command does: loopback and free ports, unless they say otherwise."""
    given = settings or {}
    lines: list[str] = []
    for section in {**_LOOPBACK, **given}:
        lines.append(f"[{section}]")
        values = {**_LOOPBACK.get(section, {}), **given.get(section, {})}
        lines += [f"{key} = {value}" for key, value in values.items()]
    return build_config(parse_config("\n".join(lines)))


@asynccontextmanager
async def running_server(
    settings: Settings | None = None,
    *,
    application: Application | None = None,
    establish_timeout: float = 15.0,
    outbox_limit: int = 4 * 1024 * 1024,
    reconnect_timeout: float = 0.0,
) -> AsyncGenerator[Server]:
    """Run a server while inside; with `application`, that one alone answers everything.

    A chat ends with its connection, unless `reconnect_timeout` gives it time.
    """
    config = server_config(settings)
    config.endpoint.msrp.establish_timeout = establish_timeout
    config.endpoint.msrp.outbox_limit = outbox_limit
    config.endpoint.msrp.reconnect_timeout = reconnect_timeout
    if application is not None:
        name = application.name
        config = replace(
            config, applications={name: application}, routing=RoutingTable(name, {}, [name])
        )
    server = Server(config)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server
        nursery.cancel_scope.cancel()


def refuse_nothing(_incoming: IncomingRequest) -> None:
    raise AssertionError("nobody calls this endpoint")


@asynccontextmanager
async def running_endpoint(
    on_request: Callable[[IncomingRequest], None] = refuse_nothing,
    *,
    udp_port: int | None = 0,
    tcp_port: int | None = 0,
    msrp_port: int | None = 0,
    establish_timeout: float = 15.0,
    outbox_limit: int = 4 * 1024 * 1024,
    relay: RelayAccount | None = None,
    reconnect_timeout: float = 0.0,
) -> AsyncGenerator[Endpoint]:
    """Run an endpoint on loopback while inside; `reconnect_timeout` is as in `running_server`."""
    endpoint = Endpoint(
        EndpointSettings(
            name="Phone",
            sip=SipTransportSettings(HOST, udp_port, tcp_port),
            msrp=MsrpPortSettings(
                HOST,
                msrp_port,
                establish_timeout=establish_timeout,
                outbox_limit=outbox_limit,
                reconnect_timeout=reconnect_timeout,
            ),
            relay=relay,
        ),
        on_request,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(endpoint.run)
        yield endpoint
        nursery.cancel_scope.cancel()


def sip_port(endpoint: Endpoint, transport: str) -> int:
    return dict(endpoint.transports.listening)[transport][1]


def msrp_port(endpoint: Endpoint) -> int:
    return dict(endpoint.msrp.listening)["tcp"][1]


def destination(
    endpoint: Endpoint, user: str, caller: str = f"<sip:alice@{DOMAIN}>", transport: str = "udp"
) -> Destination:
    """Return how to call `user` at an endpoint: an address of its domain, its socket as proxy."""
    return Destination(
        SipURI.parse(f"sip:{user}@{DOMAIN}"),
        NameAddr.parse(caller),
        transport,
        SipURI.parse(f"sip:{HOST}:{sip_port(endpoint, transport)}"),
    )


def alarms_of(endpoint: Endpoint) -> int:
    """Return how many alarms are set but for those of transactions, which end by themselves."""
    return len(endpoint.clock) - (endpoint.core.next_deadline() is not None)


async def assert_nothing_left(endpoint: Endpoint | Server) -> None:
    """Wait until the last call is over, and make sure that it has left nothing behind."""
    endpoint = endpoint.endpoint if isinstance(endpoint, Server) else endpoint
    with trio.fail_after(PATIENCE):
        await endpoint.wait_calls_over()
    await trio.testing.wait_all_tasks_blocked()
    assert endpoint.call_count == 0
    assert len(endpoint.msrp.registry) == 0
    assert alarms_of(endpoint) == 0
    assert endpoint.is_idle


def living_tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


# Peers that are not ours


def family(host: str) -> socket.AddressFamily:
    """Return the address family of an address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bracketed(host: str) -> str:
    """Return an address as it stands in a URI."""
    return f"[{host}]" if ":" in host else host


def chat_offer(
    path: str,
    *,
    setup: str | None = "active",
    accept_types: str = "message/cpim text/*",
    port: int | None = None,
    version: int = 1,
    extra: Sequence[str] = (),
) -> bytes:
    """Return an SDP description of one chat, as clients write it; the port is that of the path."""
    if port is None:
        port = int(path.partition("/")[2].rpartition(":")[2].partition("/")[0] or 2855)
    lines = [
        "v=0",
        f"o=- 1 {version} IN IP4 {HOST}",
        "s=-",
        "t=0 0",
        f"m=message {port} TCP/MSRP *",
        f"c=IN IP4 {HOST}",
        f"a=path:{path}",
        f"a=accept-types:{accept_types}",
        "a=accept-wrapped-types:*",
        *([f"a=setup:{setup}"] if setup else []),
        *extra,
    ]
    return "\r\n".join([*lines, ""]).encode()


def wrap(
    sender: str | None,
    recipient: str | None,
    content: bytes,
    content_type: str = "text/plain; charset=utf-8",
    date_time: str | None = "2026-11-21T07:35:47Z",
) -> bytes:
    """Return a message/cpim body; None leaves a header out."""
    lines: list[str] = []
    if sender is not None:
        lines.append(f"From: <sip:{sender}>")
    if recipient is not None:
        lines.append(f"To: <sip:{recipient}>")
    if date_time is not None:
        lines.append(f"DateTime: {date_time}")
    lines += ["", f"Content-Type: {content_type}", "", ""]
    return "\r\n".join(lines).encode() + content


def take_message(data: bytes) -> tuple[SipMessage, bytes] | None:
    """Return the first SIP message in `data` and what follows it, None when it is not whole."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    # What we send that is not UTF-8 comes back to us in the answer.
    start_line, *lines = head.decode("utf-8", "backslashreplace").split("\r\n")
    headers = [
        (name.strip(), value.strip()) for name, _, value in (x.partition(":") for x in lines)
    ]
    length = next(int(value) for name, value in headers if name == "Content-Length")
    if len(rest) < length:
        return None
    raw = head + blank + rest[:length]
    return SipMessage(start_line, headers, rest[:length], raw), rest[length:]


class MsrpPeer:
    """One TCP connection that speaks MSRP as it is told to."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = b""
        self._sending = trio.Lock()

    async def send(self, data: bytes) -> None:
        with trio.fail_after(PATIENCE):
            async with self._sending:
                await self.stream.send_all(data)

    async def receive(self) -> Frame:
        """Return the next frame; raises EOFError when the connection is closed."""
        with trio.fail_after(PATIENCE):
            while (taken := take_frame(self._buffer)) is None:
                try:
                    data = await self.stream.receive_some()
                except trio.BrokenResourceError:
                    raise EOFError from None
                if not data:
                    raise EOFError
                self._buffer += data
        frame, self._buffer = taken
        return frame

    def push_back(self, data: bytes) -> None:
        """Take it that these bytes, read by somebody else, are still to be read."""
        self._buffer = data + self._buffer

    async def rest(self) -> list[Frame]:
        """Return all the frames that come until the connection is closed."""
        frames: list[Frame] = []
        try:
            while True:
                frames.append(await self.receive())
        except EOFError:
            return frames

    def reset(self) -> None:
        """Close the connection with a reset, as a machine that has crashed does."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.stream.socket.close()

    def close(self) -> None:
        self.stream.socket.close()


async def connect_msrp(port: int, receive_buffer: int | None = None, host: str = HOST) -> MsrpPeer:
    sock = trio.socket.socket(family(host), socket.SOCK_STREAM)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await sock.connect((host, port))
    return MsrpPeer(trio.SocketStream(sock))


class MsrpListener:
    """A TCP port to which somebody is to connect."""

    def __init__(self) -> None:
        self._socket = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.session_id = secrets.token_hex(8)
        self.path = ""

    async def __aenter__(self) -> Self:
        await self._socket.bind((HOST, 0))
        self._socket.listen()
        self.path = f"msrp://{HOST}:{self._socket.getsockname()[1]}/{self.session_id};tcp"
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._socket.close()

    async def accept(self) -> MsrpPeer:
        with trio.fail_after(PATIENCE):
            sock, _ = await self._socket.accept()
        return MsrpPeer(trio.SocketStream(sock))


def answer_frame(frame: Frame, status: str = "200 OK") -> bytes:
    """Return the response to a request that came."""
    return render_frame(
        status,
        frame.headers["From-Path"].partition(" ")[0],
        frame.headers["To-Path"].partition(" ")[0],
        transaction_id=frame.transaction_id,
    )


class SipPeer:
    """A UDP socket, or a TCP connection, that speaks SIP as it is told to."""

    def __init__(self, port: int, transport: str = "udp", host: str = HOST) -> None:
        self.transport = transport
        self.host = host
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._socket = trio.socket.socket(family(host), kind)
        if transport != "udp":
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._remote = (host, port)
        self._buffer = b""
        self._waiting: list[SipMessage] = []
        self.port = 0

    async def open(self) -> None:
        await self._socket.bind((self.host, 0))
        await self._socket.connect(self._remote)
        self.port = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Close the connection with a reset, as a machine that has crashed does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    async def send(self, data: bytes) -> None:
        assert await self._socket.send(data) == len(data)

    async def receive(self) -> SipMessage:
        """Return the next message; raises EOFError when the connection is closed."""
        if self._waiting:
            return self._waiting.pop(0)
        with trio.fail_after(PATIENCE):
            while (taken := take_message(self._buffer)) is None:
                data = await self._socket.recv(65536)
                if not data:
                    raise EOFError
                self._buffer += data
        message, self._buffer = taken
        return message

    async def rest(self) -> list[SipMessage]:
        """Return all the messages that come until the connection is closed."""
        messages: list[SipMessage] = []
        try:
            while True:
                messages.append(await self.receive())
        except EOFError:
            return messages

    async def response(self, method: str) -> SipMessage:
        """Return the next final response to a `method`; requests wait meanwhile."""
        put_aside: list[SipMessage] = []
        while True:
            message = await self.receive()
            if message.status >= 200 and message.method == method:
                self._waiting = put_aside + self._waiting
                return message
            if not message.status:
                put_aside.append(message)

    async def request(self, method: str) -> SipMessage:
        """Return the next request of this method; what else comes is dropped."""
        while True:
            message = await self.receive()
            if not message.status and message.method == method:
                return message


class Caller:
    """One who calls a server, or another endpoint of ours."""

    def __init__(
        self,
        endpoint: Endpoint | Server,
        user: str = "alice",
        *,
        room: str = f"lobby@{DOMAIN}",
        transport: str = "udp",
        headers: Sequence[str] = (),
        display_name: bytes = b"",
        host: str = HOST,
    ) -> None:
        endpoint = endpoint.endpoint if isinstance(endpoint, Server) else endpoint
        self.sip = SipPeer(sip_port(endpoint, transport), transport, host)
        self.host = host
        self.msrp_port = msrp_port(endpoint)
        self.user = user
        self.address = f"{user}@{DOMAIN}"
        self.room = room
        self.session_id = secrets.token_hex(8)
        self.path = f"msrp://{bracketed(host)}:2855/{self.session_id};tcp"
        self.call_id = f"{secrets.token_hex(8)}@{bracketed(host)}"
        self.remote_path = ""
        self.answer: SipMessage | None = None
        """The final response to the INVITE."""
        self._msrp: MsrpPeer | None = None
        self._headers = list(headers)
        name = display_name + b" " if display_name else b""
        self._from = b"From: %b<sip:%b>;tag=%b" % (
            name,
            self.address.encode(),
            secrets.token_hex(4).encode(),
        )
        self._to = f"To: <sip:{room}>"
        self._target = f"sip:{room}"
        self._cseq = 0
        self._branch = ""
        self._frames: list[Frame] = []

    async def __aenter__(self) -> Self:
        await self.sip.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all sockets, without a word."""
        self.sip.close()
        if self._msrp is not None:
            self._msrp.close()

    # SIP

    def request(
        self,
        method: str,
        *headers: str,
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> bytes:
        """Return a request with the next CSeq, or with that of the INVITE for its ACK or CANCEL."""
        if method not in ("ACK", "CANCEL"):
            self._cseq += 1
        if method != "CANCEL":
            self._branch = f"z9hG4bK{secrets.token_hex(8)}"
        transport = self.sip.transport
        contact = ";transport=tcp" if transport == "tcp" else ""
        place = f"{bracketed(self.host)}:{self.sip.port}"
        lines = [
            f"Via: SIP/2.0/{transport.upper()} {place};branch={self._branch};rport",
            "Max-Forwards: 70",
            "From: FROM",
            self._to,
            f"Call-ID: {self.call_id}",
            f"CSeq: {self._cseq} {method}",
            f"Contact: <sip:{self.user}@{place}{contact}>",
            *headers,
        ]
        rendered = render_request(f"{method} {self._target} SIP/2.0", lines, body, content_type)
        return rendered.replace(b"From: FROM", self._from, 1)

    async def ask(
        self, method: str, *headers: str, body: bytes = b"", **content: str
    ) -> SipMessage:
        """Send a request and return its final response."""
        await self.sip.send(self.request(method, *headers, body=body, **content))
        return await self.sip.response(method)

    async def invite(self, offer: bytes | None = None) -> SipMessage:
        """Send the INVITE and return the final response, not acknowledged if it is a 200."""
        body = chat_offer(self.path) if offer is None else offer
        await self.sip.send(self.request("INVITE", *self._headers, body=body))
        return await self.await_answer()

    async def await_answer(self) -> SipMessage:
        """Return the final response to the INVITE, having learnt from it."""
        self.answer = final = await self.sip.response("INVITE")
        self._to = f"To: {final['To']}"
        if final.status == 200:
            self._target = final["Contact"].partition("<")[2].partition(">")[0]
            (self.remote_path,) = attribute(final.body, "path")
        return final

    @property
    def dialog_id(self) -> str:
        """The dialog of the call as Replaces and Join name it, once there is an answer."""
        assert self.answer is not None
        to, sender = (self.answer[name].partition("tag=")[2] for name in ("To", "From"))
        return f"{self.call_id};to-tag={to};from-tag={sender}"

    async def acknowledge(self, answer: bytes = b"") -> None:
        """Send the ACK to the 200."""
        await self.sip.send(self.request("ACK", body=answer))

    async def cancel(self) -> None:
        """Cancel the INVITE; the answers are still to be read."""
        await self.sip.send(self.request("CANCEL"))

    async def reinvite(self, offer: bytes | None = None) -> SipMessage:
        """Send a re-INVITE and return the final response, acknowledged."""
        body = chat_offer(self.path) if offer is None else offer
        await self.sip.send(self.request("INVITE", body=body))
        final = await self.sip.response("INVITE")
        if final.status == 200 and body:
            await self.acknowledge()
        return final

    async def bye(self) -> SipMessage:
        """Send a BYE and return its answer."""
        return await self.ask("BYE")

    async def await_bye(self) -> SipMessage:
        """Wait for the BYE of the server, answer it, and return it."""
        bye = await self.sip.request("BYE")
        await self.sip.send(bye.answer("200 OK"))
        return bye

    # MSRP

    @property
    def msrp(self) -> MsrpPeer:
        assert self._msrp is not None
        return self._msrp

    async def open_msrp(self, receive_buffer: int | None = None) -> None:
        """Connect to the MSRP port, saying nothing."""
        if self._msrp is not None:
            self._msrp.close()
        self._msrp = await connect_msrp(self.msrp_port, receive_buffer, self.host)

    def take_msrp(self, msrp: MsrpPeer) -> None:
        """Go on with a connection that came about in another way."""
        self._msrp = msrp

    async def bind(self) -> None:
        """Name the session by an empty SEND."""
        assert await self.send(None) == 200

    async def connect(self, receive_buffer: int | None = None) -> None:
        """Connect to the MSRP port and name the session."""
        await self.open_msrp(receive_buffer)
        await self.bind()

    async def join(self, receive_buffer: int | None = None) -> Self:
        """Call, connect, and stand."""
        final = await self.invite()
        assert final.status == 200, final.raw.decode()
        await self.acknowledge()
        await self.connect(receive_buffer)
        return self

    def frame(self, body: bytes | None, content_type: str = "message/cpim", *headers: str) -> bytes:
        """Return a SEND with this body, or an empty one."""
        size = len(body or b"")
        lines = [f"Message-ID: {secrets.token_hex(8)}", f"Byte-Range: 1-{size}/{size}", *headers]
        if body is not None:
            lines.append(f"Content-Type: {content_type}")
        return render_frame("SEND", self.remote_path, self.path, lines, body)

    async def answer_to(self, frame: bytes) -> Frame:
        """Return the response to a request that was sent; what comes before it waits."""
        identifier = frame.split(maxsplit=2)[1].decode()
        while True:
            came = await self.msrp.receive()
            if came.status and came.transaction_id == identifier:
                return came
            self._frames.append(came)

    async def send(
        self, body: bytes | None, content_type: str = "message/cpim", *headers: str
    ) -> int:
        """Send a SEND and return the status of its answer."""
        frame = self.frame(body, content_type, *headers)
        await self.msrp.send(frame)
        return (await self.answer_to(frame)).status

    def line(self, text: str, to: str | None = None) -> bytes:
        """Return a frame in which we say something to the room, or to one person in it."""
        return self.frame(wrap(self.address, to or self.room, text.encode()))

    async def say(self, text: str, to: str | None = None) -> None:
        """Say something to the room, or to one person in it; it must be taken."""
        assert await self.send(wrap(self.address, to or self.room, text.encode())) == 200

    @property
    def waiting_frames(self) -> list[Frame]:
        """What has come and nobody has asked for yet."""
        return list(self._frames)

    async def next_frame(self, what: str) -> Frame:
        """Return the next frame of a method; others wait."""
        for index, frame in enumerate(self._frames):
            if frame.what == what:
                return self._frames.pop(index)
        while True:
            frame = await self.msrp.receive()
            if frame.what == what:
                return frame
            self._frames.append(frame)

    async def hear_all(self) -> Heard:
        """Return the next message, of the room itself too, and answer it."""
        while True:
            frame = await self.next_frame("SEND")
            if frame.headers.get("Failure-Report", "yes") == "yes":
                await self.msrp.send(answer_frame(frame))
            if frame.body:
                return unwrap(frame)

    async def hear(self) -> Heard:
        """Return the next message that is of a person."""
        while self._is_of_room(heard := await self.hear_all()):
            pass
        return heard

    async def hear_notice(self) -> str:
        """Return the next message, which must be of the room itself."""
        heard = await self.hear_all()
        assert self._is_of_room(heard)
        return heard.text

    def _is_of_room(self, heard: Heard) -> bool:
        # A room is shown with another host where several lead to it.
        return f"<sip:{self.room}>" in heard.sender or heard.sender.startswith("Conference Room <")


def attribute(description: bytes, name: str) -> list[str]:
    """Return the values of an attribute in an SDP description, in order."""
    lines = description.decode().split("\r\n")
    return [line.partition(":")[2] for line in lines if line.partition(":")[0] == f"a={name}"]


class Callee:
    """One who waits for a call over UDP, and answers it as he is told to."""

    def __init__(self) -> None:
        self._socket = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = 0
        self.tag = secrets.token_hex(4)
        self._caller: tuple[str, int] | None = None
        self._invite: SipMessage | None = None

    async def __aenter__(self) -> Self:
        await self._socket.bind((HOST, 0))
        self.port = self._socket.getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._socket.close()

    @property
    def destination(self) -> Destination:
        return Destination(
            SipURI.parse(f"sip:bob@{HOST}:{self.port}"), NameAddr.parse(f"<sip:alice@{DOMAIN}>")
        )

    @property
    def invite(self) -> SipMessage:
        assert self._invite is not None
        return self._invite

    async def next_request(self) -> SipMessage:
        """Return the next request, whatever it is."""
        with trio.fail_after(PATIENCE):
            while True:
                data, self._caller = await self._socket.recvfrom(65536)
                taken = take_message(data)
                assert taken is not None
                if not taken[0].status:
                    if taken[0].method == "INVITE":
                        self._invite = taken[0]
                    return taken[0]

    async def receive(self, method: str) -> SipMessage:
        """Return the next request of this method; others are dropped."""
        while (request := await self.next_request()).method != method:
            pass
        return request

    async def reply(
        self,
        status: str,
        body: bytes = b"",
        *,
        to: SipMessage | None = None,
        tag: str | None = None,
        contact: str | None = None,
    ) -> None:
        """Answer a request, by default the INVITE."""
        request = to or self.invite
        copied = ("Via", "From", "Call-ID", "CSeq")
        lines = [f"SIP/2.0 {status}", *(f"{name}: {request[name]}" for name in copied)]
        given = request["To"]
        lines.append(f"To: {given if 'tag=' in given else f'{given};tag={tag or self.tag}'}")
        if contact != "":
            lines.append(f"Contact: {contact or f'<sip:bob@{HOST}:{self.port}>'}")
        if body:
            lines.append("Content-Type: application/sdp")
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        assert self._caller is not None
        await self._socket.sendto(data, self._caller)

    async def ask(self, method: str, *, tag: str | None = None, cseq: int = 1) -> SipMessage:
        """Send a request in the dialog that `tag` has opened and return its response."""
        invite = self.invite
        lines = [
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            f"From: {invite['To']};tag={tag or self.tag}",
            f"To: {invite['From']}",
            f"Call-ID: {invite['Call-ID']}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:bob@{HOST}:{self.port}>",
        ]
        target = invite["Contact"].partition("<")[2].partition(">")[0]
        assert self._caller is not None
        await self._socket.sendto(render_request(f"{method} {target} SIP/2.0", lines), self._caller)
        with trio.fail_after(PATIENCE):
            while True:
                taken = take_message(await self._socket.recv(65536))
                assert taken is not None
                if taken[0].status and taken[0].method == method:
                    return taken[0]
