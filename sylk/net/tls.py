"""TLS over any byte stream, with the same shape as the stream below it.

The standard library's TLS engine works on two memory buffers here, and this module moves what is in
them to and from the network. So a write is what it is on TCP: at once, as much as the network
takes. TLS 1.2 and newer, no renegotiation, no compression.

A client is asked for a certificate on a port whose owner wants one, SIP's, and only if the operator
says so. The standard library ends the handshake of a client that shows a self-signed one, and lets
nobody else decide. So for MSRP the fingerprint of RFC 8122 is checked where we are the TLS client;
where we are the server, the secret session-id in the path tells who came (RFC 4975 section 14.1).
"""

import ssl
from pathlib import Path
from typing import Literal

import trio

from sylk.errors import ConfigError, LocalProtocolError, TransportError
from sylk.net.certificate import (
    check_sip_domain,
    fingerprint,
    fingerprints,
    first_certificate,
    load_pair,
    sip_identities,
)
from sylk.net.stream import ByteStream
from sylk.net.tls_errors import tls_error
from sylk.net.turns import Turns

_SEND_PIECE = 64 * 1024
"""Bytes that are encrypted before the network is asked whether it takes more."""

_RECEIVE_PIECE = 16 * 1024
"""Bytes that are given to TLS at a time: its buffer never shrinks again."""

_RECORD_SIZE = 16 * 1024
"""The most that one TLS record holds (RFC 8446 section 5.1)."""

_MAX_ANSWERS = 64 * 1024
"""Bytes of TLS's own answers that may wait for a peer that asks for them and reads none."""

_HANDSHAKE, _ALERT = 22, 21
_SHOWN = 16  # first bytes of a peer that speaks no TLS, for the operator

ClientCertificates = Literal["no", "optional", "required"]
"""Whether a client is asked for a certificate, and whether it may do without."""


class TlsStream:
    """A TLS connection over another stream, made by `tls_handshake`.

    What `try_send` returns is a count of plaintext bytes. Like every byte stream it is then to be
    given the rest, from exactly there: up to 64 KiB of it may be encrypted already, and in part
    sent. Those bytes are counted once all of their records are with the network, so a caller
    that has been told of all its bytes has nothing left in here that waits to be sent.
    """

    def __init__(
        self,
        stream: ByteStream,
        engine: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
    ) -> None:
        self.local, self.remote = stream.local, stream.remote
        self.fileno = stream.fileno
        self._stream = stream
        self._engine = engine
        self._incoming, self._outgoing = incoming, outgoing
        self._unsent: bytes | memoryview = b""
        """Records that the network has not taken yet; those in `_outgoing` come after them."""
        self._received: bytes | memoryview = b""
        """What came from the network and was not given to TLS yet."""
        self._held = 0
        """Plaintext bytes that are encrypted and have not been counted yet."""
        self.is_ended = False
        self._is_closed = False

    def try_send(self, data: bytes | memoryview) -> int:
        """Encrypt and write what the network takes at once; raises TransportError."""
        if not self._flush():
            return 0
        total = len(data)
        taken = min(self._held, total)
        self._held -= taken
        view = memoryview(data)
        while taken < total:
            try:
                size = self._engine.write(view[taken : taken + _SEND_PIECE])
            except ssl.SSLError as error:
                raise tls_error(error) from error
            if not self._flush():
                self._held = size
                return taken
            taken += size
        return taken

    async def wait_sendable(self) -> None:
        """Wait until the network below has room."""
        await self._stream.wait_sendable()

    async def receive(self) -> bytes:
        """Return what one read from the network brought, decrypted; b"" at the end.

        A peer that closes without a word of TLS has ended too, as many do: SIP and MSRP both say
        where a message ends, so that a message which was cut off is seen above.
        """
        if self.is_ended or self._incoming.pending or self._received:
            await trio.lowlevel.checkpoint()
        while not self.is_ended:
            data = self._decrypt()
            if data or self.is_ended:
                return data
            self._received = await self._stream.receive()
            self.is_ended = not self._received
        return b""

    def try_receive(self) -> bytes | None:
        """Return what has come, decrypted, as `receive` does; None while no record is whole."""
        while not self.is_ended:
            data = self._decrypt()
            if data or self.is_ended:
                return data
            received = self._stream.try_receive()
            if received is None:
                return None
            self._received, self.is_ended = received, not received
        return b""

    def close(self) -> None:
        """Say goodbye if the network takes it at once, and close the stream below."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._flush():
                self._engine.unwrap()
        except (ssl.SSLError, TransportError, ValueError):
            # It waits for the peer's goodbye, which we do not; or the connection is gone.
            pass
        self._flush_quietly()
        self._stream.close()

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate that the peer presented, in DER form."""
        return self._engine.getpeercert(binary_form=True)

    def peer_fingerprint(self, hash_name: str = "sha-256") -> str | None:
        """Return the fingerprint of the peer's certificate as in `a=fingerprint` (RFC 8122)."""
        certificate = self.peer_certificate
        return None if certificate is None else fingerprint(certificate, hash_name)

    @property
    def peer_identities(self) -> frozenset[str]:
        """The SIP domains that the peer has proven to be, by a verified certificate (RFC 5922)."""
        return sip_identities(self._engine.getpeercert() or {})

    @property
    def version(self) -> str:
        """The protocol version, for example TLSv1.3."""
        return self._engine.version() or ""

    @property
    def cipher(self) -> str:
        """The name of the cipher suite."""
        found = self._engine.cipher()
        return found[0] if found else ""

    async def handshake(self, turns: Turns | None = None) -> None:
        """Agree on keys before anything else is done; raises TransportError.

        Each step takes one of `turns`, as it costs more than all that follows.
        """
        is_first = True
        while True:
            try:
                self._engine.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush_all()
            except ssl.SSLError as error:
                self._flush_quietly()
                raise tls_error(error) from error
            finally:
                if turns is not None:
                    turns.is_over()
            if not self._received:
                self._received = data = await self._stream.receive()
                if turns is not None:
                    await turns.take()
                if not data:
                    raise TransportError("the peer closed the connection during the TLS handshake")
                if is_first and data[0] not in (_HANDSHAKE, _ALERT):
                    shown = ascii(data[:_SHOWN])
                    raise TransportError(f"the peer does not speak TLS, it began with {shown}")
                is_first = False
            self._feed()
        await self._flush_all()

    def _feed(self) -> None:
        self._incoming.write(self._received[:_RECEIVE_PIECE])
        self._received = memoryview(self._received)[_RECEIVE_PIECE:] or b""

    def _decrypt(self) -> bytes:
        """Return all that can be decrypted of what was received."""
        parts: list[bytes] = []
        while self._received or self._incoming.pending:
            self._feed()
            try:
                while self._incoming.pending:
                    part = self._engine.read(_RECORD_SIZE)
                    if not part:
                        self.is_ended, self._received = True, b""
                        return b"".join(parts)
                    parts.append(part)
            except ssl.SSLWantReadError:
                if not self._received:
                    # The rest of a record is to come.
                    break
            except ssl.SSLError as error:
                self._flush_quietly()
                raise tls_error(error) from error
        # TLS may have something to answer, a change of keys for example.
        if self._outgoing.pending and not self._flush() and self._outgoing.pending > _MAX_ANSWERS:
            raise TransportError("the peer makes TLS answer and takes no answer")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _flush(self) -> bool:
        """Tell whether the network has taken every record that there is."""
        while True:
            if self._unsent:
                sent = self._stream.try_send(self._unsent)
                if sent < len(self._unsent):
                    self._unsent = memoryview(self._unsent)[sent:]
                    return False
                self._unsent = b""
            if not self._outgoing.pending:
                return True
            self._unsent = self._outgoing.read()

    def _flush_quietly(self) -> None:
        # The last word to a peer that may be gone.
        try:
            self._flush()
        except TransportError:
            return

    async def _flush_all(self) -> None:
        while not self._flush():
            await self._stream.wait_sendable()


async def tls_handshake(
    stream: ByteStream,
    context: ssl.SSLContext,
    *,
    server_side: bool,
    server_hostname: str | None = None,
    sip_domain: str | None = None,
    turns: Turns | None = None,
) -> TlsStream:
    """Make a TLS connection of `stream`, or close it. The caller sets the deadline.

    A client names the server, so that it can present the right certificate; a context that
    verifies compares the name with the certificate. `sip_domain` in place of `server_hostname`
    compares by the rules of SIP, with a context made for them (RFC 5922). Raises TransportError.
    """
    try:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = sip_domain if server_hostname is None else server_hostname
        is_verified = not server_side and context.verify_mode is ssl.CERT_REQUIRED
        if is_verified and (name if context.check_hostname else sip_domain) is None:
            raise LocalProtocolError("this TLS context verifies, but nobody named the peer")
        try:
            engine = context.wrap_bio(
                incoming, outgoing, server_side, None if server_side else name
            )
        except (ValueError, TypeError) as error:
            raise TransportError(f"{name!r} is no host name for TLS") from error
        tls = TlsStream(stream, engine, incoming, outgoing)
        await tls.handshake(turns)
        if is_verified and sip_domain is not None:
            check_sip_domain(engine.getpeercert() or {}, sip_domain)
    except BaseException:
        stream.close()
        raise
    return tls


class TlsContexts:
    """Our certificate and whom we trust, as the contexts of the connections that begin now.

    Each new connection asks for its context, so that `reload` needs to touch no old one.
    """

    def __init__(
        self,
        certificate: Path,
        private_key: Path | None = None,
        *,
        ca_file: Path | None = None,
        client_certificates: ClientCertificates = "no",
    ) -> None:
        """Load the files; raises ConfigError.

        Without `private_key` the key is in the certificate's file, without `ca_file` the
        authorities that the system trusts are trusted. `client_certificates` are checked by
        `ca_file` alone.
        """
        self._certificate = certificate
        self._private_key = private_key
        self._ca_file = ca_file
        self._client_certificates: ClientCertificates = client_certificates
        self.turns = Turns()
        """Shared by all who come to us over TLS, whatever the port."""
        self.reload()

    def reload(self) -> None:
        """Load the files again for new connections; raises ConfigError and keeps what there was."""
        own_certificate = first_certificate(self._certificate)
        server = asking = self._new_server_context()
        if self._client_certificates != "no":
            asking = self._new_server_context()
            is_required = self._client_certificates == "required"
            asking.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
        trusting = self._new_context(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        verifying = self._new_context(ssl.PROTOCOL_TLS_CLIENT)
        sip = self._new_context(ssl.PROTOCOL_TLS_CLIENT)
        sip.check_hostname = False
        if self._ca_file is not None:
            self._load_authorities(verifying, self._ca_file)
            self._load_authorities(sip, self._ca_file)
            if asking is not server:
                self._load_authorities(asking, self._ca_file)
        self._server, self._asking, self._own_certificate = server, asking, own_certificate
        self._trusting, self._verifying, self._sip_verifying = trusting, verifying, sip

    @property
    def server_context(self) -> ssl.SSLContext:
        """The context for a connection that was accepted now."""
        return self._server

    @property
    def asking_context(self) -> ssl.SSLContext:
        """The same for a port where clients are asked for a certificate, if any are."""
        return self._asking

    def client_context(self, *, verify: bool, sip: bool = False) -> ssl.SSLContext:
        """Return the context for a connection that we open now.

        Without `verify` any certificate will do: compare its fingerprint. With it, authority and
        name are verified; with `sip` the name by RFC 5922, as `sip_domain` of `tls_handshake`.
        """
        if not verify:
            return self._trusting
        context = self._sip_verifying if sip else self._verifying
        if self._ca_file is None and not context.cert_store_stats()["x509_ca"]:
            # The system has many; most servers here never verify, and load none.
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context

    def fingerprint(self, hash_name: str = "sha-256") -> str:
        """Return the fingerprint of our certificate as in `a=fingerprint` (RFC 8122)."""
        return fingerprint(self._own_certificate, hash_name)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The values of `a=fingerprint` for our certificate, the one that all know first."""
        return fingerprints(self._own_certificate)

    def _new_context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        load_pair(context, self._certificate, self._private_key)
        return context

    def _new_server_context(self) -> ssl.SSLContext:
        context = self._new_context(ssl.PROTOCOL_TLS_SERVER)
        # A peer that closes before it has read its tickets resets the connection, and what it
        # sent last may be lost. Few come back soon enough to use one.
        context.num_tickets = 0
        return context

    def _load_authorities(self, context: ssl.SSLContext, ca_file: Path) -> None:
        # So that the file may also hold the self-signed certificate of one peer.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(ca_file)
        except FileNotFoundError as error:
            raise ConfigError("there is no such file of authorities", file=str(ca_file)) from error
        except OSError as error:
            raise ConfigError(
                "holds no certificate of an authority in PEM form", file=str(ca_file)
            ) from error
