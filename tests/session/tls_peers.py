"""Peers that speak TLS, for the tests of calls whose SIP or MSRP goes over it."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

import trio

from sylk.net.certificate import CertificateFiles, first_certificate
from sylk.server import Server
from tests.end_to_end.wire_msrp import Frame, take_frame
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import (
    HOST,
    PATIENCE,
    Answering,
    Caller,
    MsrpListener,
    MsrpPeer,
    SipPeer,
    answer_frame,
    assert_nothing_left,
    attribute,
    chat_offer,
    sip_port,
    take_message,
)

Tls = trio.SSLStream[trio.SocketStream]
Settings = dict[str, dict[str, object]]


# Peers that speak TLS


def any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def connect_tls(port: int) -> Tls:
    """Connect, and have spoken TLS."""
    with trio.fail_after(PATIENCE):
        tls: Tls = trio.SSLStream(
            await trio.open_tcp_stream(HOST, port), any_certificate(), https_compatible=True
        )
        await tls.do_handshake()
    return tls


def certificate_of(tls: Tls) -> bytes:
    """Return the certificate of the other side."""
    certificate = tls.getpeercert(True)
    assert isinstance(certificate, bytes)
    return certificate


def sha_256(certificate: bytes) -> str:
    """Return the value of a=fingerprint for a certificate, written from RFC 8122 alone."""
    return "SHA-256 " + ":".join(f"{octet:02X}" for octet in sha256(certificate).digest())


class TlsMsrpPeer(MsrpPeer):
    """An MSRP connection over TLS."""

    def __init__(self, tls: Tls) -> None:
        super().__init__(tls.transport_stream)
        self.tls = tls
        self._data = b""

    async def send(self, data: bytes) -> None:
        with trio.fail_after(PATIENCE):
            await self.tls.send_all(data)

    async def receive(self) -> Frame:
        with trio.fail_after(PATIENCE):
            while (taken := take_frame(self._data)) is None:
                try:
                    data = await self.tls.receive_some()
                except trio.BrokenResourceError:
                    raise EOFError from None
                if not data:
                    raise EOFError
                self._data += data
        frame, self._data = taken
        return frame


class TlsListener(MsrpListener):
    """A port to which somebody is to connect over TLS."""

    def __init__(self, files: CertificateFiles) -> None:
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.certificate, files.private_key)
        self.fingerprint = sha_256(first_certificate(files.certificate))

    @property
    def secure_path(self) -> str:
        return self.path.replace("msrp://", "msrps://")

    async def accept(self) -> TlsMsrpPeer:
        peer = await super().accept()
        tls: Tls = trio.SSLStream(
            peer.stream, self._context, server_side=True, https_compatible=True
        )
        with trio.fail_after(PATIENCE):
            try:
                await tls.do_handshake()
            except BaseException:
                peer.close()
                raise
        return TlsMsrpPeer(tls)


class TlsSipPeer(SipPeer):
    """A SIP connection over TLS."""

    def __init__(self, port: int) -> None:
        super().__init__(port, "tls")
        super().close()
        self._server_port = port
        self._tls: Tls | None = None
        self._data = b""

    async def open(self) -> None:
        self._tls = await connect_tls(self._server_port)
        self.port = self._tls.transport_stream.socket.getsockname()[1]

    def close(self) -> None:
        assert self._tls is not None
        self._tls.transport_stream.socket.close()

    async def send(self, data: bytes) -> None:
        assert self._tls is not None
        with trio.fail_after(PATIENCE):
            await self._tls.send_all(data)

    async def receive(self) -> SipMessage:
        assert self._tls is not None
        with trio.fail_after(PATIENCE):
            while (taken := take_message(self._data)) is None:
                data = await self._tls.receive_some()
                if not data:
                    raise EOFError
                self._data += data
        message, self._data = taken
        return message


class TlsCaller(Caller):
    """One whose media go over TLS, and with a `scheme` its SIP too."""

    def __init__(self, server: Server, scheme: str | None = None) -> None:
        super().__init__(server)
        self.path = self.path.replace("msrp://", "msrps://")
        self.msrp_port = dict(server.endpoint.msrp.listening).get("tls", ("", 0))[1]
        self.shown = b""
        """The certificate that the MSRP port showed."""
        if scheme is not None:
            self.sip.close()
            self.sip = TlsSipPeer(sip_port(server.endpoint, "tls"))
            self._target = f"{scheme}:{self.room}"

    def offer(self, *extra: str, setup: str = "active", path: str = "") -> bytes:
        """Return an offer of MSRP over TLS."""
        return over_tls(chat_offer(path or self.path, setup=setup, extra=extra))

    async def open_msrp(self, receive_buffer: int | None = None) -> None:
        peer = TlsMsrpPeer(await connect_tls(self.msrp_port))
        self.shown = certificate_of(peer.tls)
        self.take_msrp(peer)


def over_tls(description: bytes) -> bytes:
    assert b" TCP/MSRP " in description
    return description.replace(b" TCP/MSRP ", b" TCP/TLS/MSRP ")


def chat_line(description: bytes) -> str:
    (line,) = [line for line in description.decode().split("\r\n") if line.startswith("m=")]
    return line


# Settings


MakeSettings = Callable[..., Settings]


# Media of the server with a peer that listens


async def refused_media(
    server: Server, caller: TlsCaller, listener: TlsListener, *extra: str
) -> str:
    """Let the server connect to a peer that it must not believe, and return the BYE's Reason."""
    await caller.invite(caller.offer(*extra, setup="passive", path=listener.secure_path))
    await caller.acknowledge()
    with suppress(trio.BrokenResourceError):
        # With TLS 1.3 the one who listens may hear of the refusal only afterwards.
        peer = await listener.accept()
        assert await peer.rest() == []
        peer.close()
    reason = (await caller.await_bye())["Reason"]
    await assert_nothing_left(server)
    return reason


async def accepted_media(
    caller: TlsCaller, listener: TlsListener, answering: Answering, *extra: str
) -> None:
    """Let the server connect to a peer, and the call stand."""
    caller.path = listener.secure_path
    final = await caller.invite(caller.offer(*extra, setup="passive"))
    assert attribute(final.body, "setup") == ["active"]
    assert len(attribute(final.body, "fingerprint")) == 1
    await caller.acknowledge()
    peer = await listener.accept()
    caller.take_msrp(peer)
    first = await peer.receive()
    assert (first.what, first.body) == ("SEND", b"")
    assert first.headers["To-Path"] == listener.secure_path
    assert first.headers["From-Path"] == caller.remote_path
    await peer.send(answer_frame(first))
    await answering.wait_stands()
    assert (await caller.bye()).status == 200
    assert await answering.wait_over() == "BYE"
