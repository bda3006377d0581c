"""One request of ours outside a dialog, from its first sending to its last.

The same request goes out again in two cases, each time in a transaction of its own:

- To the next server, with the same CSeq, when one cannot be reached, is silent, or answers 503
  (RFC 3263 section 4.3). A server that has said anything provisional beyond 100 is where the
  request is: nobody else gets it. A server that failed is remembered by the sender.
- To the same server, with the next CSeq, when it asks for a password, or with `repeat` for what
  only the sender understands.

Whoever sends (a call, a subscription, a plain request) makes its own request each time, because
Contact and body name the address that the peer reaches us at, which differs from way to way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import trio

from sylk.errors import TransportError
from sylk.session.challenges import ChallengeAnswers, Credentials
from sylk.session.endpoint import Endpoint
from sylk.sip.address import NameAddr
from sylk.sip.event_headers import retry_after_of
from sylk.sip.flow import Flow
from sylk.sip.location import Target
from sylk.sip.message import Request, Response, make_request
from sylk.sip.uri import SipURI

MAX_SERVERS = 8
"""Servers that one request is sent to."""


@dataclass(slots=True)
class Destination:
    """Whom to reach, as whom, and which way; `transport` None leaves that to URI and DNS."""

    uri: SipURI
    caller: NameAddr
    transport: str | None = None
    proxy: SipURI | None = None
    """Through whom it goes; None takes the outbound proxy of the endpoint, if it has one."""
    domain: str | None = None
    """Whose certificate a TLS server must show, where that is not the host that it goes to."""
    servers: Sequence[Target] = ()
    """The servers to try, where they have been looked up already."""
    flow: Flow | None = None
    """The way to take as long as it stands: that over which the peer has reached us."""


@dataclass(slots=True)
class Outcome:
    """What came of one sending: a final response, or `status` for what ended it without one."""

    request: Request
    response: Response | None
    status: int | None
    was_heard: bool = False
    """Whether the server said that it works on it (a provisional response beyond 100)."""


class Attempts:
    """Which server is next, and what the request has to say to it; see the module.

    `open` finds the first flow; after each sending `go_on` tells whether to send once more.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        destination: Destination,
        credentials: Credentials | None = None,
        *,
        max_servers: int = MAX_SERVERS,
    ) -> None:
        self._endpoint = endpoint
        self._sender = endpoint.sender
        self._destination = destination
        self._proxy = destination.proxy or endpoint.settings.outbound_proxy
        self._max_servers = max_servers
        self._servers: list[Target] = []
        self._server: Target | None = None
        self._flow: Flow | None = None
        self._is_reused = False
        self.caller = destination.caller.with_tag(endpoint.core.new_tag())
        """Who we are, with the tag that all sendings share."""
        self.call_id = ""
        self.cseq = 1
        self._credentials = credentials
        self._answers = self.new_answers()

    @property
    def flow(self) -> Flow:
        """The flow for the next sending, unless the request is too large for it."""
        assert self._flow is not None
        return self._flow

    async def open(self) -> None:
        """Find the first server; raises TransportError when there is none to be reached."""
        given = self._destination.flow
        if given is not None and self._sender.is_alive(given):
            # It leads to the peer, or to the proxy that has its flow.
            self._proxy = None
            self._flow = given
        else:
            servers = self._destination.servers or await self._find_servers()
            self._servers = list(servers[: self._max_servers])
            await self._connect_next()
        self.call_id = f"{self._endpoint.core.new_tag()}@{self.flow.local[0]}"

    def make_request(
        self,
        method: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """Return the request for the next sending, with all that the last ones have taught."""
        uri = self._destination.uri
        answers = self._answers.headers(method, uri)
        return make_request(
            method,
            uri,
            self.caller,
            NameAddr(uri.aor),
            self.call_id,
            self.cseq,
            headers=[*self._route(), *headers, *answers],
            body=body,
            content_type=content_type,
        )

    async def fit(self, request: Request) -> Flow:
        """Return the flow for this request: over TCP if it is too large for UDP.

        The flow that a peer has opened is the only one to it, however large the request is.
        """
        if self._server is None:
            return self.flow
        return await self._sender.fitting_flow(request, self.flow)

    async def go_on(self, outcome: Outcome) -> bool:
        """Take what came of a sending; tell whether to send once more.

        False leaves the outcome as the final one.
        """
        if self._is_failure(outcome):
            if outcome.response is None and self._was_closed():
                return await self._connect_again()
            self._note_failure(outcome.response)
            return await self._fail_over()
        if self._server is not None:
            self._sender.health.worked(self._server)
        if outcome.response is None:
            return False
        if not self._answers.take(outcome.response, outcome.request):
            return False
        return await self.repeat(outcome.request)

    def new_answers(self) -> ChallengeAnswers:
        """Return what answers the challenges to another request to the same peer."""
        domain = _domain_of(self._destination.caller)
        return ChallengeAnswers(self._credentials, domain, self._endpoint.core.new_tag)

    async def repeat(self, request: Request) -> bool:
        """Send to the same server once more, with the next CSeq; tell whether that can be done."""
        self.cseq = request.cseq.number + 1
        self._is_reused = True
        return self._sender.is_alive(self.flow) or await self._connect_again()

    # Servers

    def _is_failure(self, outcome: Outcome) -> bool:
        """Tell whether another server may do better (RFC 3263 section 4.3)."""
        if outcome.response is not None:
            return outcome.response.status == 503
        return outcome.status in (408, 503) and not outcome.was_heard

    def _was_closed(self) -> bool:
        """Tell whether the request went over a connection of before that is gone (RFC 5923)."""
        return self._is_reused and not self._sender.is_alive(self.flow)

    def _note_failure(self, response: Response | None) -> None:
        if self._server is not None:
            wait = None if response is None else retry_after_of(response)
            self._sender.health.failed(self._server, trio.current_time(), wait)

    async def _find_servers(self) -> Sequence[Target]:
        target = self._destination
        transports = () if target.transport is None else (target.transport,)
        return await self._sender.find_servers(self._proxy or target.uri, transports)

    async def _fail_over(self) -> bool:
        try:
            await self._connect_next()
        except TransportError:
            return False
        return True

    async def _connect_next(self) -> None:
        failure = TransportError(f"no server for {self._destination.uri.host} is left")
        while self._servers:
            self._server = self._servers.pop(0)
            self._is_reused = self._sender.is_connected(self._server)
            try:
                self._flow = await self._sender.connect(self._server, self._destination.domain)
            except TransportError as error:
                failure = error
            else:
                return
        raise failure

    async def _connect_again(self) -> bool:
        """Open a connection to the same server in place of one that was closed."""
        if self._server is None:
            return False
        self._servers.insert(0, self._server)
        return await self._fail_over()

    def _route(self) -> list[tuple[str, str]]:
        """Return the Route to the proxy: pre-loaded, and loose (RFC 3261 section 8.1.2)."""
        if self._proxy is None:
            return []
        proxy = replace(self._proxy, params={**self._proxy.params, "lr": None}, headers=())
        return [("Route", str(NameAddr(proxy)))]


def _domain_of(caller: NameAddr) -> str:
    return caller.uri.host if isinstance(caller.uri, SipURI) else ""
