"""Clients that have to show a certificate, or may: whom we believe, and who they are to us."""

import ssl
from pathlib import Path

import pytest
import trio

from sylk.errors import TransportError
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.stream import ByteStream, connect_tcp
from sylk.net.stream_ports import StreamPorts
from sylk.net.tls import ClientCertificates, TlsContexts, TlsStream, tls_handshake
from tests.net.test_tls import PATIENCE, Make, contexts, make, tls_pair

__all__ = ["contexts", "make"]  # fixtures

PROXY = "proxy.example.com"


def asking(make: Make, mode: ClientCertificates, ca_file: Path | None = None) -> TlsContexts:
    """Return the contexts of a server that knows the proxy."""
    own = make("chat.example.com")
    known = ca_file or make(PROXY).certificate
    return TlsContexts(own.certificate, own.private_key, ca_file=known, client_certificates=mode)


def client_of(make: Make, name: str | None) -> ssl.SSLContext:
    """Return the context of a client that shows this certificate, or none."""
    if name is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    files = make(name)
    return TlsContexts(files.certificate, files.private_key).client_context(verify=False)


async def identities(server: TlsContexts, client: ssl.SSLContext) -> frozenset[str]:
    """Return who a client has proven to be; raises TransportError when it is not let in."""
    async with tls_pair(server, client, server_context=server.asking_context) as (_, accepted):
        return accepted.peer_identities


@pytest.mark.parametrize("mode", ["optional", "required"])
async def test_a_known_client_is_who_its_certificate_says(
    make: Make, mode: ClientCertificates
) -> None:
    server = asking(make, mode)
    assert await identities(server, client_of(make, PROXY)) == {PROXY, "127.0.0.1"}


@pytest.mark.parametrize("mode", ["optional", "required"])
async def test_an_unknown_certificate_is_refused(make: Make, mode: ClientCertificates) -> None:
    with pytest.raises(TransportError, match="self-signed and not among the trusted ones"):
        await identities(asking(make, mode), client_of(make, "stranger.example.com"))


async def test_no_certificate_is_enough_where_it_is_optional_and_says_nothing(make: Make) -> None:
    assert await identities(asking(make, "optional"), client_of(make, None)) == frozenset()
    with pytest.raises(TransportError, match="showed no certificate, and must"):
        await identities(asking(make, "required"), client_of(make, None))


@pytest.mark.parametrize("name", [None, PROXY, "stranger.example.com"])
async def test_where_nobody_asks_nothing_is_shown(make: Make, name: str | None) -> None:
    server = asking(make, "no")
    assert server.asking_context is server.server_context
    assert await identities(server, client_of(make, name)) == frozenset()


async def test_the_authorities_are_loaded_again(make: Make, tmp_path: Path) -> None:
    known = tmp_path / "known.pem"
    known.write_bytes(make(PROXY).certificate.read_bytes())
    server = asking(make, "required", known)
    newcomer = client_of(make, "new.example.com")
    async with tls_pair(server, client_of(make, PROXY), server_context=server.asking_context) as (
        client,
        accepted,
    ):
        with pytest.raises(TransportError):
            await identities(server, newcomer)
        known.write_bytes(make("new.example.com").certificate.read_bytes())
        server.reload()
        assert await identities(server, newcomer) == {"new.example.com", "127.0.0.1"}
        with pytest.raises(TransportError):
            await identities(server, client_of(make, PROXY))
        # Who is in stays in.
        client.try_send(b"still here")
        assert await accepted.receive() == b"still here"


@pytest.mark.parametrize(("asks", "is_served"), [(True, False), (False, True)])
async def test_only_a_port_that_asks_refuses_those_without(
    make: Make, asks: bool, is_served: bool
) -> None:
    """The clients of the MSRP port have no certificates."""
    ports = StreamPorts(
        "127.0.0.1",
        None,
        0,
        asking(make, "required"),
        limits=ConnectionLimits(10),
        handshake_timeout=5.0,
        asks_certificates=asks,
    )

    async def serve(stream: ByteStream) -> None:
        assert isinstance(stream, TlsStream)
        stream.try_send(await stream.receive())

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            ports.start(nursery, serve)
            below = await connect_tcp(dict(ports.listening)["tls"])
            received = b""
            try:
                client = await tls_handshake(below, client_of(make, None), server_side=False)
                client.try_send(b"hello")
                received = await client.receive()
            except TransportError:
                # TLS 1.3 tells a client that it is not wanted only after its handshake.
                pass
            finally:
                below.close()
                ports.close()
    assert received == (b"hello" if is_served else b"")
