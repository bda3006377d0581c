"""Our own INVITE, until one phone has taken the call and the others have been told (RFC 3261 13.2).

What the caller does at each response is in the usage table; which dialog a response belongs to is
for `forks` to say.
"""

from sylk.call.forks import Forks
from sylk.call.leg import Leg
from sylk.call.standing_call import StandingCall
from sylk.call.usage_events import Established, Ringing
from sylk.call.usage_table import Action, Input
from sylk.errors import RemoteProtocolError
from sylk.sip.dialog import Dialog
from sylk.sip.message import Request, Response
from sylk.sip.reason_header import reason_headers

_ELSEWHERE = reason_headers(200, "Call completed elsewhere")  # RFC 3326 section 3.1


class Caller:
    """Takes the responses to one INVITE of ours."""

    def __init__(self, leg: Leg, standing: StandingCall, invite: Request) -> None:
        self._leg = leg
        self._standing = standing
        self._invite = invite
        self._forks = Forks(leg.core)

    @property
    def early_dialogs(self) -> list[Dialog]:
        """The dialogs of the phones that ring, until one of them has taken the call."""
        return self._forks.early

    def end_early(self) -> None:
        """End the early dialogs: the call is over."""
        self._forks.end_early()

    def receive_response(self, response: Response, now: float) -> None:
        """Take a response, a 2xx as often as it comes."""
        leg = self._leg
        if 100 < response.status < 200:
            action = leg.may(Input.PROVISIONAL)
            if action is not None:
                self._forks.receive_provisional(self._invite, response)
            if action is Action.TELL_RINGING:
                leg.tell(Ringing(response.status))
        elif 200 <= response.status < 300:
            self._receive_success(response, now)
        elif response.status >= 300:
            self._fail(response.reason or "refused", response.status)

    def _receive_success(self, response: Response, now: float) -> None:
        leg = self._leg
        try:
            dialog = self._forks.dialog_of(self._invite, response)
        except RemoteProtocolError as error:
            # Without a Contact there is nowhere to send even the ACK: the peer has to give up.
            self._fail(f"the 200 is no good: {error}", error.status)
            return
        action = leg.may(Input.SUCCESS)
        if action is None and leg.dialog is None:
            return
        acknowledged = self._forks.acknowledge(self._invite, dialog)
        if acknowledged is None:
            return
        ack, is_first = acknowledged
        leg.send(ack, dialog)
        if action is not None:
            self._take_dialog(dialog, response, action, now)
        elif is_first:
            # Another phone has answered as well (13.2.2.4).
            leg.send(dialog.make_request("BYE", headers=_ELSEWHERE), dialog)

    def _take_dialog(self, dialog: Dialog, response: Response, action: Action, now: float) -> None:
        leg = self._leg
        self._forks.end_early(but=dialog)
        leg.dialog = dialog
        leg.core.add_dialog(dialog)
        if action is Action.ACKNOWLEDGE_AND_BYE:
            leg.send_bye()
            return
        self._standing.learn(response)
        leg.session_timer.receive_success(response, now)
        try:
            leg.negotiation.receive_answer(response.body)
        except RemoteProtocolError as error:
            leg.hang_up(f"the answer is no good: {error}", error.status)
        else:
            leg.tell(Established())
            leg.tell_hold()

    def _fail(self, reason: str, status: int) -> None:
        if self._leg.may(Input.FAILURE) is Action.FAIL:
            self.end_early()
            self._leg.finish(reason, status)
