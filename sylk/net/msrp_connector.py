"""Opens MSRP connections, in clear or over TLS (RFC 4975 section 5.4, RFC 8122)."""

from collections.abc import Sequence

from sylk.errors import TransportError
from sylk.net.addresses import WILDCARDS
from sylk.net.certificate import matches_fingerprints
from sylk.net.stream import ByteStream, connect_tcp
from sylk.net.tls import TlsContexts, tls_handshake
from sylk.sip.flow import Address


class MsrpConnector:
    """Connects from one of our addresses; the caller sets the deadline."""

    def __init__(self, host: str, tls: TlsContexts | None, *, verify: bool) -> None:
        """Connect from `host`; without `tls` only in clear.

        `verify` asks for a certificate that an authority has signed, where no fingerprint is known.
        """
        self._local_host = None if host in WILDCARDS else host
        self._tls = tls
        self._verify = verify

    async def open(
        self,
        addresses: Sequence[Address],
        host: str,
        secure: bool,
        fingerprints: Sequence[str] = (),
    ) -> ByteStream:
        """Connect to the first of `addresses` that can be reached; raises TransportError.

        Over TLS the peer must show one of the certificates in `fingerprints`, or else, if we verify
        at all, one for `host`.
        """
        if secure and self._tls is None:
            raise TransportError("the peer wants TLS, which is switched off here")
        failure = TransportError(f"no address for {host}")
        for address in addresses:
            try:
                stream: ByteStream = await connect_tcp(address, local_host=self._local_host)
                return await self._start_tls(stream, host, fingerprints) if secure else stream
            except TransportError as error:
                failure = error
        raise failure

    async def _start_tls(
        self, stream: ByteStream, host: str, fingerprints: Sequence[str]
    ) -> ByteStream:
        assert self._tls is not None
        verify = self._verify and not fingerprints
        context = self._tls.client_context(verify=verify)
        tls_stream = await tls_handshake(
            stream, context, server_side=False, server_hostname=host if verify else None
        )
        if fingerprints and not matches_fingerprints(
            tls_stream.peer_certificate or b"", fingerprints
        ):
            tls_stream.close()
            raise TransportError("the certificate of the peer is not the one that its SDP names")
        return tls_stream
