"""An endpoint without sockets: users of dialogs on the line of tests.sip.watchers, under a clock.

It does what `DialogUser` and `Outlet` ask of an endpoint, and nothing else.
"""

from trio.testing import MockClock

from sylk.session.dialog_user import DialogUser
from sylk.session.subscription import Referral, Subscription
from sylk.sip.core import Event, IncomingRequest, IncomingResponse, RequestFailed
from sylk.sip.dialog import DialogKey
from sylk.sip.flow import Flow
from sylk.sip.notifier import NotifierUsage
from sylk.sip.refer_notifier import ReferNotifier
from sylk.sip.transaction import ClientTransaction, ServerTransaction
from tests.sip.watchers import Agent, Line


class Desk(Agent):
    """Bob, with as many users as he likes; time is that of trio."""

    def __init__(self) -> None:
        super().__init__("bob", "192.0.2.2", "192.0.2.1")
        self.by_dialog: dict[DialogKey, DialogUser] = {}
        self.by_request: dict[ClientTransaction, DialogUser] = {}
        self.alarms: dict[DialogUser, float] = {}
        self.forgotten: list[DialogUser] = []
        self.now = 0.0
        self.waiting = 0
        """Bytes that wait for alice."""

    def settle(self, user: DialogUser, /) -> None:
        if user.dialog is not None:
            self.by_dialog[user.dialog.key] = user
        for request, _ in user.requests_to_send():
            transaction = self.core.send_request(request, self.flow, self.address, self.now)
            self.by_request[transaction] = user
        deadline = user.next_deadline()
        self.alarms.pop(user, None)
        if deadline is not None:
            self.alarms[user] = deadline
        user.take_events()

    def backlog(self, flow: Flow, /) -> int:
        return self.waiting if flow == self.flow else 0

    def forget(self, user: DialogUser, /) -> None:
        self.by_dialog = {key: other for key, other in self.by_dialog.items() if other is not user}
        self.by_request = {
            key: other for key, other in self.by_request.items() if other is not user
        }
        self.alarms.pop(user, None)
        self.forgotten.append(user)

    def subscription(self) -> Subscription:
        """Make the subscription of the last SUBSCRIBE that came."""
        incoming = self.requests[-1]
        return Subscription(self, NotifierUsage(self.core, incoming, self.contact), incoming.flow)

    def referral(self) -> Referral:
        """Make the referral of the last REFER that came."""
        incoming = self.requests[-1]
        return Referral(self, ReferNotifier(self.core, incoming, self.contact), incoming.flow)

    def take_in(self, now: float) -> None:
        self.now = now
        super().take_in(now)

    def _give(self, event: Event, now: float) -> None:
        match event:
            case IncomingRequest(dialog=None):
                self.requests.append(event)
            case IncomingRequest():
                assert event.dialog is not None
                self.by_dialog[event.dialog.key].receive_request(event, now)
            case IncomingResponse():
                user = self.by_request.pop(event.transaction, None) if event.transaction else None
                if user is not None:
                    user.receive_response(event.response, now)
            case RequestFailed():
                self._fail(event.transaction, event.status, now)
            case _:
                pass

    def _fail(
        self, transaction: ClientTransaction | ServerTransaction, status: int, now: float
    ) -> None:
        if isinstance(transaction, ClientTransaction):
            user = self.by_request.pop(transaction, None)
            if user is not None:
                user.request_failed(transaction.request.method, status, now)

    def next_deadline(self) -> float | None:
        deadlines = [self.core.next_deadline(), *self.alarms.values()]
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        self.core.handle_deadline(now)
        self.now = now
        for user, at in list(self.alarms.items()):
            if at <= now:
                user.ring_alarm(now)


class ClockedLine(Line):
    """A line whose time is that of trio, which tests move."""

    def __init__(self, clock: MockClock) -> None:
        super().__init__()
        self.clock = clock
        self.desk = Desk()
        self.bob = self.desk

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self.clock.jump(seconds)
