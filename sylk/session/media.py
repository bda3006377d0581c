"""The media side of calls: MSRP sessions with the paths that SDP offers for them."""

import secrets
from collections.abc import Sequence

import trio

from sylk.call.media import CLEAR_PROTOCOL, TLS_PROTOCOL
from sylk.call.offer_answer import Negotiation
from sylk.errors import TransportError
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import MsrpURI, Path
from sylk.net.msrp_port import MsrpPort
from sylk.net.relay_path import RelayAccount, RelayPath
from sylk.net.standing_path import StandingPath
from sylk.sip.flow import Flow


class MediaSessions:
    """Makes the MSRP sessions of one endpoint; `name` is that of SDP sessions.

    With a `relay`, the calls that we make can have their messages carried by it; with a `standing`
    path, all calls that fit it do.
    """

    def __init__(
        self,
        port: MsrpPort,
        name: str,
        relay: RelayAccount | None = None,
        standing: StandingPath | None = None,
    ) -> None:
        self._port = port
        self._name = name
        self._relay = relay
        self._standing = standing

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols of m= lines that can be carried."""
        return (CLEAR_PROTOCOL, TLS_PROTOCOL) if self._port.speaks_tls else (CLEAR_PROTOCOL,)

    @property
    def offers_tls(self) -> bool:
        """Tell whether an offer of ours is for MSRP over TLS."""
        standing = self._standing
        for secure in (True, False):
            if standing is not None and standing.leads(secure=secure):
                return secure
        return self._port.settings.use_tls and self._port.speaks_tls

    async def reserve_path(self, flow: Flow) -> RelayPath | None:
        """Get a path through our relay for a call over `flow`, None where we have no relay.

        Give it back with `MsrpPort.give_back`. Raises TransportError.
        """
        account = self._relay
        if account is None:
            return None
        own = self._own_uri(flow, secure=account.uri.secure)
        with trio.move_on_after(self._port.settings.establish_timeout):
            return await self._port.reserve(account, own)
        raise TransportError(f"the relay {account.uri.host} does not answer")

    def _own_uri(self, flow: Flow, *, secure: bool) -> MsrpURI:
        host, port = self._port.path_address(flow.local[0], secure=secure)
        return MsrpURI(secure, None, host, port, self._port.registry.new_session_id())

    def open_session(
        self,
        flow: Flow,
        accept_types: Sequence[str],
        *,
        secure: bool,
        via: RelayPath | None = None,
    ) -> tuple[MsrpSession, Negotiation]:
        """Make the MSRP session and the negotiation of a new call over `flow`; as `negotiate`."""
        path, negotiation = self.negotiate(flow, secure=secure, via=via)
        return self.session_on(path, accept_types), negotiation

    def negotiate(
        self, flow: Flow, *, secure: bool, via: RelayPath | None = None
    ) -> tuple[Path, Negotiation]:
        """Return our path and the negotiation of a new call over `flow`.

        `via` is a path through our relay; where it leads decides whether over TLS.
        """
        path = self._direct_or_standing(flow, secure=secure) if via is None else via.path
        is_relayed = len(path) > 1
        # Whoever connects to the relay sees the certificate of the relay, not ours.
        fingerprints = self._port.fingerprints if secure and not is_relayed else ()
        negotiation = Negotiation(
            path,
            # The c= line goes with the first URI, be it of a relay: else it looks like a middlebox.
            path[0].host,
            self._name,
            secrets.randbits(31),
            fingerprints,
            listens=is_relayed or self._port.listens(secure=secure),
            cema=self._port.settings.cema,
        )
        return path, negotiation

    def _direct_or_standing(self, flow: Flow, *, secure: bool) -> Path:
        """Return the path of a session of ours; SDP says TLS where its first URI does."""
        own = self._own_uri(flow, secure=secure)
        standing = self._standing
        if standing is not None and standing.leads(secure=secure):
            return (*standing.relays, own)
        return (own,)

    def session_on(
        self, path: Path, accept_types: Sequence[str], *, streams: bool = False
    ) -> MsrpSession:
        """Make the MSRP session of our own `path`; other types than these are refused with 415.

        With `streams` its user takes large messages in pieces.
        """
        limits = self._port.settings.session_limits(streams=streams)
        return MsrpSession(path, active=False, accept_types=accept_types, limits=limits)
