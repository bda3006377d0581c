"""Who may ask the server for something, in whose name, and how often.

The core asks here about each request outside of a dialog, before it keeps anything of it (RFC 3261
sections 8.2 and 26.3.2.4). What is refused here is answered without state, or not at all.

In this order: is the source within its limits; may it be here at all, and who is it; is there room.
OPTIONS is answered to everybody who keeps within the limits: it is how others see that we live.

A peer is trusted when `trusted_peers` names its address, which `any` does not, or when it has shown
a certificate for one of `trusted_domains`. Such a peer is a proxy that speaks for others: it is
believed who they are (`sylk.sip.asserted_identity`), and it has no limits, as it carries everybody.
All others speak for themselves: with authentication in the name of their user alone.
"""

import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sylk.errors import RemoteProtocolError
from sylk.routing import TrustedPeers
from sylk.sip.address import NameAddr
from sylk.sip.asserted_identity import Identity, identify_behind_proxy
from sylk.sip.authenticator import Authenticator
from sylk.sip.flow import Flow
from sylk.sip.message import Request
from sylk.sip.source_limits import SentNoAnswer, SourceLimits, TokenBuckets, source_of

logger = logging.getLogger("sylk.server")

BUSY = (("Retry-After", "10"),)
"""What a refusal for lack of room carries, in seconds."""

_LOG_INTERVAL = 60.0
"""Seconds between two log lines about the silence towards one source."""


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """What the settings say about who may come in."""

    trusted_peers: TrustedPeers
    """Who may send requests; those that it names speak for others too."""
    authenticator: Authenticator | None = None
    """Whom it asks for a password; None where the address of a peer is all that counts."""
    trusted_domains: frozenset[str] = frozenset()
    """The domains, in lower case, whose certificate makes a peer trusted."""
    unlimited_peers: TrustedPeers = field(default_factory=lambda: TrustedPeers(()))
    """Whom the limits for each source do not hold for."""
    max_request_rate: float = math.inf
    """Requests a second of one source."""
    max_sessions: int = 10_000
    """Calls at one time."""
    warning: str = ""
    """What is wrong with the users, to be said at the start; empty when nothing is."""

    def is_unlimited(self, address: str) -> bool:
        """Tell whether the limits for each source do not hold for `address`."""
        return self.trusted_peers.names(address) or self.unlimited_peers.allows(address)


class Admission:
    """Decides about each request outside of a dialog.

    `call_count` returns how many calls there are, `proven_domains` for which domains the peer of
    a flow has shown a certificate.
    """

    def __init__(
        self,
        policy: AdmissionPolicy,
        call_count: Callable[[], int],
        proven_domains: Callable[[Flow], frozenset[str]],
    ) -> None:
        self.is_open = False
        """Whether there is anybody to give a request to; until then there is only 503."""
        self._policy = policy
        self._call_count = call_count
        self._proven_domains = proven_domains
        self._limits = SourceLimits(policy.max_request_rate)
        self._lines = TokenBuckets(1 / _LOG_INTERVAL, 1)
        self._pseudonym_key = secrets.token_bytes()

    def reconfigure(self, policy: AdmissionPolicy) -> None:
        """Decide by another policy from now on; what sources have used up counts on if it can."""
        if policy.max_request_rate != self._policy.max_request_rate:
            self._limits = SourceLimits(policy.max_request_rate)
        self._policy = policy

    def admit(self, request: Request, flow: Flow, now: float) -> Identity:
        """Return who sent a request; raises RemoteProtocolError with the refusal."""
        address = flow.remote[0]
        is_trusted = self._is_trusted(flow)
        is_unlimited = is_trusted or self._policy.is_unlimited(address)
        source = "" if is_unlimited else source_of(address)
        if source:
            self._check_limits(source, now)
        if request.method == "OPTIONS":
            return Identity(request.from_, source)
        sender = self._identify(request, flow, now, source, is_trusted=is_trusted)
        self._check_room(request.method)
        return Identity(sender, source)

    def _is_trusted(self, flow: Flow) -> bool:
        if self._policy.trusted_peers.names(flow.remote[0]):
            return True
        domains = self._policy.trusted_domains
        return bool(domains) and not domains.isdisjoint(self._proven_domains(flow))

    def _check_limits(self, source: str, now: float) -> None:
        try:
            self._limits.check(source, now)
        except SentNoAnswer:
            if self._lines.take(source, now):
                logger.warning("requests from %s get no answer: they are too many", source)
            raise

    def _identify(
        self, request: Request, flow: Flow, now: float, source: str, *, is_trusted: bool
    ) -> NameAddr:
        if is_trusted:
            return identify_behind_proxy(request, self._pseudonym_key)
        address = flow.remote[0]
        authenticator = self._policy.authenticator
        if authenticator is not None:
            authenticator.check(request, now, source=address, limited_as=source)
        elif not self._policy.trusted_peers.allows(address):
            raise RemoteProtocolError("the source is not among trusted_peers", 403)
        return request.from_

    def _check_room(self, method: str) -> None:
        if not self.is_open:
            raise RemoteProtocolError("the server is starting or stopping", 503, BUSY)
        if method == "INVITE" and self._call_count() >= self._policy.max_sessions:
            raise RemoteProtocolError("max_sessions is reached", 503, BUSY)
