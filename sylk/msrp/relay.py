"""A relay: carries MSRP between its clients and the world (RFC 4976 section 6).

It takes from the connections of a server what is for it: AUTH, and what has one of its paths at the
head of its To-Path. Everything that it writes goes into the queues of connections; `take_written`
tells which have something to send. Who runs it opens and closes connections as `next_event` says,
and tells what came of that.
"""

from collections import deque
from collections.abc import Callable

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import AUTH, REPORT, SEND, Frame
from sylk.msrp.identifiers import TransactionIds
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_desk import Access, Desk, PathWriter
from sylk.msrp.relay_events import CloseWanted, RelayEvent
from sylk.msrp.relay_hops import key_of
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_outlets import Outlets
from sylk.msrp.relay_returns import Returns
from sylk.msrp.relay_routes import Route, find_route
from sylk.msrp.relay_sends import Sends, check_head, render
from sylk.msrp.relay_tokens import Token, Tokens
from sylk.msrp.relay_transactions import Purpose, Transactions, transaction_of
from sylk.msrp.uri import MsrpURI

MAX_ROUTES = 64
"""Ways remembered for one connection; more are found again."""

_TIMEOUT = 408
_GONE = 481


class _Peer:
    """What is kept of one connection that the relay uses."""

    __slots__ = ("has_sent", "routes", "used")

    def __init__(self, now: float) -> None:
        self.used = now
        self.has_sent = False
        self.routes: dict[tuple[bytes, bytes], Route] = {}


class Relay:
    """The relay of one server; see the module."""

    def __init__(
        self,
        registry: SessionRegistry,
        access: Access,
        write_path: PathWriter,
        random_token: Callable[[], str],
        limits: RelayLimits | None = None,
        *,
        allows_clear: bool = False,
    ) -> None:
        """Take who knows the users and our name; `random_token` gives 80 random bits."""
        self._limits = limits = RelayLimits() if limits is None else limits
        self._registry = registry
        self._write_path = write_path
        self._events: deque[RelayEvent] = deque()
        self._tokens = Tokens()
        self._ids = TransactionIds()
        self._outlets = Outlets(registry, self, limits, self._events)
        transactions = Transactions(limits.transaction_timeout, limits.max_transactions)
        self._transactions = transactions
        self._sends = Sends(self._outlets, transactions, self._ids)
        self._returns = Returns(
            self._outlets, transactions, self._ids, self._sends, limits, self._events
        )
        self._desk = Desk(
            access,
            write_path,
            self._tokens,
            self._outlets,
            limits,
            self._events,
            random_token,
            allows_clear=allows_clear,
        )
        # In the order of their last use.
        self._peers: dict[MsrpConnection, _Peer] = {}

    @property
    def client_count(self) -> int:
        """How many connections have a path."""
        return self._tokens.clients

    def next_event(self) -> RelayEvent | None:
        """Return what is to be done or told, None for nothing."""
        return self._events.popleft() if self._events else None

    def take_written(self) -> list[MsrpConnection]:
        """Return, once, the connections that have been written to."""
        return self._outlets.take_written()

    def uses(self, link: MsrpConnection) -> bool:
        """Tell whether a connection is worth keeping: it has a path, or has sent over one."""
        peer = self._peers.get(link)
        return self._tokens.has(link) or (peer is not None and peer.has_sent)

    def opened(self, link: MsrpConnection) -> None:
        """Take it that a connection stands that we wanted."""
        self._outlets.opened(link)

    def closed(self, link: MsrpConnection, now: float) -> None:
        """Take it that a connection has closed, or could not be opened."""
        link.close(link.close_reason or "closed")
        was_used = self._peers.pop(link, None) is not None
        was_ours = self._outlets.closed(link)
        self._desk.forget(link)
        if not was_used and not was_ours:
            return
        self._sends.closed(link, _TIMEOUT)
        for token in self._tokens.drop(link):
            self._end(token)
        self._returns.closed(link)
        self._outlets.closed(link)

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called, None for never."""
        deadlines = [self._transactions.next_deadline(), self._tokens.next_expiry()]
        for oldest in self._peers.values():
            deadlines.append(oldest.used + self._limits.idle_timeout)
            break
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Do what is due by `now`: report what was not answered, forget what has expired."""
        self._returns.expired(now)
        for token in self._tokens.expired(now):
            self._end(token)
        while self._peers:
            link, peer = next(iter(self._peers.items()))
            if peer.used + self._limits.idle_timeout > now:
                return
            if self._tokens.has(link):
                self._use(link, now)
            else:
                del self._peers[link]
                self._events.append(CloseWanted(link, "nobody has used it for long", if_idle=True))

    def receive_frame(self, link: MsrpConnection, frame: Frame, now: float) -> bool:
        """Take a frame that is for the relay; False leaves it to the sessions."""
        if frame.offset:
            is_ours = self._sends.pass_piece(link, frame, now)
        elif not frame.method:
            is_ours = self._returns.receive(link, frame)
        elif frame.method == AUTH and b" " not in frame.to_path and frame.flag:
            self._desk.receive(link, frame, now)
            is_ours = True
        else:
            is_ours = self._receive_request(link, frame, now)
        if is_ours:
            self._use(link, now)
        return is_ours

    def _receive_request(self, link: MsrpConnection, frame: Frame, now: float) -> bool:
        """Take what is to go on; False when no path of ours leads it."""
        peer = self._peers.get(link)
        route = None if peer is None else peer.routes.get((frame.to_path, frame.from_path))
        try:
            if peer is None or route is None or not route.holds(now):
                token = self._tokens.find(frame.to_path.partition(b" ")[0], now)
                if token is None:
                    return False
                route = self._find_route(token, link, frame, now)
            self._forward(link, route, frame, now)
        except RemoteProtocolError as error:
            self._sends.refuse(link, frame, error.status)
        return True

    def _find_route(self, token: Token, link: MsrpConnection, frame: Frame, now: float) -> Route:
        route = find_route(self._tokens, token, link, frame, now)
        if route.target is None and route.next_uri is not None:
            self._check_not_gone(route.next_uri)
            route.target = self._outlets.towards(route.next_uri)
        routes = self._use(link, now).routes
        if len(routes) >= MAX_ROUTES:
            routes.clear()
        routes[frame.to_path, frame.from_path] = route
        return route

    def _check_not_gone(self, uri: MsrpURI) -> None:
        """Raise RemoteProtocolError when a URI was a path of ours and is no more.

        A session of this server may be at the same place: that one is reached as any other is.
        """
        own = MsrpURI.parse(self._write_path("any", secure=uri.secure))
        if key_of(own) == key_of(uri) and self._registry.get(uri.session_id) is None:
            raise RemoteProtocolError("the path of the next hop is good no more", _GONE)

    def _forward(self, link: MsrpConnection, route: Route, frame: Frame, now: float) -> None:
        target = route.target
        assert target is not None
        self._use(target, now)
        self._use(link, now).has_sent = True
        self._outlets.check_room(target)
        check_head(route.path_lines, frame)
        if frame.method == SEND:
            self._sends.pass_on(link, route, frame, now)
            return
        if not frame.flag:
            raise RemoteProtocolError("only SEND may be large", 413)
        transaction_id = self._ids.take(frame.body)
        if frame.method != REPORT:
            steps = len(route.tokens)
            transaction = transaction_of(Purpose.OTHER, frame, link, target, steps)
            if frame.method == AUTH:
                transaction.token = route.tokens[0]
                transaction.has_credentials = b"authorization" in frame.headers
            self._transactions.begin(transaction_id, transaction)
            self._transactions.sent(transaction_id, now)
        self._outlets.write(target, render(transaction_id, route.path_lines, frame))

    def _use(self, link: MsrpConnection, now: float) -> _Peer:
        peer = self._peers.get(link)
        if peer is None:
            peer = self._peers[link] = _Peer(now)
        elif peer.used != now:
            peer.used = now
            self._peers[link] = self._peers.pop(link)
        return peer

    def _end(self, token: Token) -> None:
        self._sends.expired(token.session_id, _GONE)
