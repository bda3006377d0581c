"""The media side of calls: MSRP sessions with the paths that SDP offers for them."""

import secrets
from collections.abc import Sequence

from sylk.call.media import CLEAR_PROTOCOL, TLS_PROTOCOL
from sylk.call.offer_answer import Negotiation
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import MsrpURI, Path
from sylk.net.msrp_port import MsrpPort
from sylk.sip.flow import Flow


class MediaSessions:
    """Makes the MSRP sessions of one endpoint; `name` is that of SDP sessions."""

    def __init__(self, port: MsrpPort, name: str) -> None:
        self._port = port
        self._name = name

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols of m= lines that can be carried."""
        return (CLEAR_PROTOCOL, TLS_PROTOCOL) if self._port.speaks_tls else (CLEAR_PROTOCOL,)

    @property
    def offers_tls(self) -> bool:
        """Tell whether an offer of ours is for MSRP over TLS."""
        return self._port.settings.use_tls and self._port.speaks_tls

    def open_session(
        self, flow: Flow, accept_types: Sequence[str], *, secure: bool
    ) -> tuple[MsrpSession, Negotiation]:
        """Make the MSRP session and the negotiation of a new call over `flow`."""
        host, port = self._port.path_address(flow.local[0], secure=secure)
        session_id = self._port.registry.new_session_id()
        path = (MsrpURI(secure=secure, user=None, host=host, port=port, session_id=session_id),)
        fingerprints = self._port.fingerprints if secure else ()
        negotiation = Negotiation(
            path,
            host,
            self._name,
            secrets.randbits(31),
            fingerprints,
            listens=self._port.listens(secure=secure),
            cema=self._port.settings.cema,
        )
        return self.session_on(path, accept_types), negotiation

    def session_on(
        self, path: Path, accept_types: Sequence[str], *, streams: bool = False
    ) -> MsrpSession:
        """Make the MSRP session of our own `path`; other types than these are refused with 415.

        With `streams` its user takes large messages in pieces.
        """
        limits = self._port.settings.session_limits(streams=streams)
        return MsrpSession(path, active=False, accept_types=accept_types, limits=limits)
