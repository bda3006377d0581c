"""The dialogs that one INVITE of ours leads to (RFC 3261 sections 12.1.2 and 13.2.2.4).

A proxy may send the INVITE to several phones. Each that rings opens an early dialog, in which it
may already send requests. The first 2xx wins and ends the others; each further 2xx of another phone
stands for a call that nobody wants, which is acknowledged and ended with a BYE. A 2xx is repeated
until its ACK comes, so that the ACK of each is kept.
"""

from sylk.errors import RemoteProtocolError
from sylk.sip.core import UserAgentCore
from sylk.sip.dialog import Dialog, DialogKey, credentials_of
from sylk.sip.message import Request, Response

MAX_DIALOGS = 16
"""Early dialogs, and again 2xx of phones; what more of them come is not worth our memory."""


class Forks:
    """The dialogs of one INVITE; registers those that are early with the core."""

    def __init__(self, core: UserAgentCore, limit: int = MAX_DIALOGS) -> None:
        self._core = core
        self._limit = limit
        self._early: dict[DialogKey, Dialog] = {}
        self._acks: dict[DialogKey, tuple[Request, Dialog]] = {}

    @property
    def early(self) -> list[Dialog]:
        """The early dialogs, in the order in which they were opened."""
        return list(self._early.values())

    def receive_provisional(self, invite: Request, response: Response) -> None:
        """Open the early dialog of a 1xx with a To tag, unless it is open."""
        if not response.to.tag or len(self._early) >= self._limit:
            return
        try:
            dialog = Dialog.as_uac(invite, response)
        except RemoteProtocolError:
            # Without a Contact it opens none; the 2xx may do better.
            return
        if dialog.key not in self._early:
            self._early[dialog.key] = dialog
            self._core.add_dialog(dialog)

    def dialog_of(self, invite: Request, response: Response) -> Dialog:
        """Return the dialog that a 2xx confirms; raises RemoteProtocolError without a Contact."""
        key = response.call_id, response.from_.tag or "", response.to.tag or ""
        if (known := self._acks.get(key)) is not None:
            return known[1]
        return self._early.get(key) or Dialog.as_uac(invite, response)

    def acknowledge(self, invite: Request, dialog: Dialog) -> tuple[Request, bool] | None:
        """Return the ACK of a dialog's 2xx, and whether it is the first of that dialog.

        None when more phones have answered than we care for.
        """
        known = self._acks.get(dialog.key)
        if known is not None:
            return known[0], False
        if len(self._acks) > self._limit:
            return None
        ack = dialog.make_ack(invite.cseq.number, headers=credentials_of(invite))
        self._acks[dialog.key] = ack, dialog
        return ack, True

    def end_early(self, but: Dialog | None = None) -> None:
        """End all early dialogs, except for the one that won."""
        for dialog in self._early.values():
            if dialog is not but:
                dialog.terminate()
                self._core.remove_dialog(dialog)
        self._early.clear()
