"""What the endpoint asks of whatever lives in a dialog, and what that asks of the endpoint.

A call, a subscription and a referral differ in what they say, not in how they are carried: requests
inside a dialog come in, requests go out, a clock rings. The endpoint keeps each user under its
dialog, and under the transactions of its requests, from the first `settle` until `forget`.
"""

from collections.abc import Sequence
from typing import Protocol

from sylk.sip.core import IncomingRequest
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response


class DialogUser(Protocol):
    """One use of a dialog; compared and hashed by identity.

    Each of the `receive` methods, `request_failed` and `ring_alarm` ends with `settle` at its
    outlet, so that the caller has nothing more to do.
    """

    @property
    def flow(self) -> Flow:
        """The way over which the peer is reached as long as it stands."""
        ...

    @property
    def request(self) -> Request:
        """The request that began it; its Via tells whether the peer sits behind a NAT."""
        ...

    @property
    def call_id(self) -> str:
        """The Call-ID, by which every log line about it can be found."""
        ...

    @property
    def dialog(self) -> Dialog | None:
        """The dialog to find it by, None before there is one and once it is finished."""
        ...

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a request inside the dialog."""
        ...

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response to a request that came from `requests_to_send`."""
        ...

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that such a request got no answer (408) or found no way (503)."""
        ...

    def requests_to_send(self) -> Sequence[tuple[Request, Dialog | None]]:
        """Return, once, the requests to send; without a dialog over `flow`, else where that leads.

        An ACK among them is sent without a transaction.
        """
        ...

    def next_deadline(self) -> float | None:
        """Return when to call `ring_alarm`; None takes the alarm away."""
        ...

    def ring_alarm(self, now: float) -> None:
        """Handle a deadline."""
        ...

    def take_events(self) -> None:
        """Turn what the engine has to tell into what tasks wait for; may call `forget`."""
        ...


class Outlet(Protocol):
    """What a user of a dialog needs of the endpoint that it lives in."""

    def settle(self, user: DialogUser, /) -> None:
        """Register the user's dialog, send what it and the core have ready, set its alarm.

        In this order: `dialog`, `requests_to_send`, `next_deadline`, `take_events`; then flush.
        """
        ...

    def backlog(self, flow: Flow, /) -> int:
        """Return how many bytes wait for whoever is at the other end of a flow."""
        ...

    def forget(self, user: DialogUser, /) -> None:
        """Drop every reference to a user that is finished: dialog, transactions, alarm.

        Called from inside `take_events`; calling it again does nothing.
        """
        ...
