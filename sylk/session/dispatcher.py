"""Brings each thing that the core has to tell to the user of the dialog that it concerns."""

import logging
from collections.abc import Callable

import trio

from sylk.session.call import Call
from sylk.session.dialog_users import DialogUsers
from sylk.session.refusal_log import LINES_A_MINUTE, RefusalLog
from sylk.sip.core import (
    Event,
    IncomingAck,
    IncomingCancel,
    IncomingRequest,
    IncomingResponse,
    Refused,
    RequestFailed,
)
from sylk.sip.flow import Flow
from sylk.sip.transaction import ServerTransaction

logger = logging.getLogger("sylk.session")


class Dispatcher:
    """Gives events out.

    `on_request` gets each request that begins something, `on_stray` what is for somebody who
    is gone: that too has to be answered, or its transaction would stay. `refusal_lines` bounds the
    lines of the log a minute about the refusals of one source.
    """

    def __init__(
        self,
        users: DialogUsers,
        on_request: Callable[[IncomingRequest], None],
        on_stray: Callable[[IncomingRequest], None],
        refusal_lines: int = LINES_A_MINUTE,
    ) -> None:
        self._users = users
        self._on_request = on_request
        self._on_stray = on_stray
        self.on_flood: Callable[[Flow], None] = lambda _flow: None
        """Called with where requests come from that are not even refused, as they are too many."""
        self._refusals = RefusalLog(refusal_lines)

    def dispatch(self, event: Event) -> None:
        """Give one event to whom it concerns."""
        try:
            self._give(event, trio.current_time())
        except Exception:
            # A bug that one message brings out must not take the endpoint from all others.
            logger.exception("handling %s failed", type(event).__name__)

    def _give(self, event: Event, now: float) -> None:
        match event:
            case IncomingRequest():
                self._give_request(event, now)
            case IncomingAck():
                call = self._users.of_dialog(event.dialog)
                if isinstance(call, Call):
                    call.receive_ack(event.request, now)
            case IncomingCancel():
                call = self._users.of_invite(event.transaction)
                if call is not None:
                    call.receive_cancel(event.request, now)
            case IncomingResponse():
                self._give_response(event, now)
            case RequestFailed():
                self._give_failure(event, now)
            case Refused(is_flood=True):
                # Who is silenced has had a line of the log.
                self.on_flood(event.flow)
            case Refused():
                self._refusals.write(event, now)

    def _give_request(self, event: IncomingRequest, now: float) -> None:
        if event.dialog is not None:
            user = self._users.of_dialog(event.dialog)
        elif event.request.method == "NOTIFY":
            user = self._users.of_notify(event.request)
        else:
            self._on_request(event)
            return
        if user is not None:
            user.receive_request(event, now)
        else:
            self._on_stray(event)

    def _give_response(self, event: IncomingResponse, now: float) -> None:
        if event.transaction is None:
            return
        call = self._users.of_request(event.transaction)
        if call is None:
            return
        if event.response.status >= 200 and event.response.cseq.method != "INVITE":
            self._users.answered(event.transaction)
        call.receive_response(event.response, now)

    def _give_failure(self, event: RequestFailed, now: float) -> None:
        transaction = event.transaction
        if isinstance(transaction, ServerTransaction):
            call = self._users.of_invite(transaction)
        else:
            call = self._users.of_request(transaction)
            self._users.answered(transaction)
        if call is not None:
            call.request_failed(transaction.request.method, event.status, now)
