"""A request of ours outside a dialog that wants one answer: MESSAGE, OPTIONS and the like.

`ask` sends it until there is an answer that will not change: see `attempts`.
"""

from collections.abc import Sequence

import trio

from sylk.errors import SessionEnded
from sylk.session.attempts import Attempts, Destination, Outcome
from sylk.session.challenges import Credentials
from sylk.session.dialog_user import Outlet
from sylk.session.endpoint import Endpoint
from sylk.session.sending import MAX_DATAGRAM
from sylk.sip.core import IncomingRequest
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.reasons import REASONS

TIMEOUT = 90.0
"""Seconds for all sendings of one request together."""


class PlainRequest:
    """One sending, which ends with a final response or without one; it has no dialog."""

    def __init__(self, outlet: Outlet, request: Request, flow: Flow) -> None:
        self.request = request
        self.flow = flow
        """The way that it takes."""
        self.response: Response | None = None
        """The final response."""
        self.status: int | None = None
        """Why there is none: 408 for no answer, 503 for no way."""
        self.done = trio.Event()
        self._outlet = outlet
        self._unsent: list[tuple[Request, Dialog | None]] = [(request, None)]

    @property
    def call_id(self) -> str:
        """The Call-ID, by which every log line about it can be found."""
        return self.request.call_id

    @property
    def dialog(self) -> Dialog | None:
        """None: it belongs to no dialog and opens none."""
        return None

    def receive_request(self, incoming: IncomingRequest, now: float) -> None:
        """Never called: there is no dialog in which a request could come."""
        raise AssertionError("a plain request has no dialog")

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response; the first final one counts."""
        if response.status >= 200 and not self.done.is_set():
            self.response = response
            self.give_up()

    def request_failed(self, method: str, status: int, now: float) -> None:
        """Take it that there will be no response."""
        self.status = status
        self.give_up()

    def give_up(self) -> None:
        """Hear no more of it."""
        self.done.set()
        self._outlet.forget(self)

    def requests_to_send(self) -> Sequence[tuple[Request, Dialog | None]]:
        """Return the request, once."""
        unsent, self._unsent = self._unsent, []
        return unsent

    def next_deadline(self) -> float | None:
        """Return None: its transaction has all the timers."""
        return None

    def ring_alarm(self, now: float) -> None:
        """Do nothing: no alarm is set."""

    def take_events(self) -> None:
        """Do nothing: all is told by `done`."""


async def ask(
    endpoint: Endpoint,
    destination: Destination,
    method: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
    *,
    credentials: Credentials | None = None,
) -> Response:
    """Send a request and return its final response, whatever it says.

    Raises SessionEnded when there is none in time, TransportError when no server can be reached.
    """
    with trio.move_on_after(TIMEOUT):
        attempts = Attempts(endpoint, destination, credentials)
        await attempts.open()
        while True:
            request = attempts.make_request(method, headers, body, content_type)
            flow = await attempts.fit(request)
            if method == "MESSAGE" and not flow.reliable:
                _check_size(endpoint, request, flow)
            sending = PlainRequest(endpoint, request, flow)
            try:
                endpoint.adopt(sending)
                await sending.done.wait()
            finally:
                sending.give_up()
            if await attempts.go_on(Outcome(request, sending.response, sending.status)):
                continue
            if sending.response is not None:
                return sending.response
            reason = "no answer" if sending.status == 408 else "cannot be reached"
            raise SessionEnded(reason, sending.status)
    raise SessionEnded(f"no answer within {TIMEOUT:g} s", 408)


def _check_size(endpoint: Endpoint, request: Request, flow: Flow) -> None:
    """Refuse a MESSAGE that is too large for UDP (RFC 3428 section 8).

    Raises SessionEnded with 513, as a server would say it.
    """
    size = endpoint.sender.size_of(request, flow)
    if size > MAX_DATAGRAM:
        reason = f"{REASONS[513]}: {size} bytes, and over UDP only {MAX_DATAGRAM} are allowed"
        raise SessionEnded(reason, 513)
