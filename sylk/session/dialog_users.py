"""Who lives in which dialog, and how a message or a transaction is brought to its user.

Calls, subscriptions and referrals are kept alike; only a call has an INVITE that may be cancelled.
"""

from collections import Counter
from collections.abc import Iterator

import trio

from sylk.call.usage_table import State
from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser
from sylk.sip.dialog import Dialog, DialogKey
from sylk.sip.flow import Flow
from sylk.sip.message import Request
from sylk.sip.transaction import ClientTransaction, ServerTransaction

MAX_LATE = 1000
"""Calls of ours that are remembered for half a minute after their end; the oldest is forgotten."""


class DialogUsers:
    """The users of the dialogs of one endpoint, by dialog, by INVITE and by what they have sent."""

    def __init__(self) -> None:
        self._users: set[DialogUser] = set()
        self._flows: Counter[Flow] = Counter()
        self._dialogs: dict[DialogUser, set[DialogKey]] = {}
        self._by_dialog: dict[tuple[str, str, str], DialogUser] = {}
        self._by_invite: dict[ServerTransaction, Call] = {}
        self._by_request: dict[ClientTransaction, DialogUser] = {}
        self._sent: dict[DialogUser, set[ClientTransaction]] = {}
        self._asking: dict[tuple[str, str], DialogUser] = {}
        # Calls of ours that are over, by INVITEs that another phone may still answer with a 2xx.
        self._late: dict[ClientTransaction, Call] = {}
        self._changed = trio.Event()
        self.call_count = 0
        """How many calls stand or are being set up or ended."""

    def __len__(self) -> int:
        """Return how many users there are, calls among them."""
        return len(self._users)

    def __contains__(self, user: DialogUser) -> bool:
        return user in self._users

    def __iter__(self) -> Iterator[DialogUser]:
        return iter(list(self._users))

    @property
    def is_empty(self) -> bool:
        """True when nothing at all is kept, no user and nothing to find one by."""
        kept = (self._users, self._flows, self._dialogs, self._by_dialog, self._by_invite)
        return not any((*kept, self._by_request, self._sent, self._asking))

    def add(self, user: DialogUser) -> None:
        """Take up a user; a call with the INVITE that it waits to answer."""
        self._users.add(user)
        self._flows[user.flow] += 1
        if isinstance(user, Call):
            self.call_count += 1
            if user.usage.server_transaction is not None:
                self._by_invite[user.usage.server_transaction] = user

    def follow(self, user: DialogUser) -> bool:
        """Note what has become of a user; tells whether its INVITE was just answered."""
        if user in self._users:
            self._follow_dialogs(user)
        if not isinstance(user, Call) or user.usage.state is State.INCOMING:
            return False
        transaction = user.usage.server_transaction
        return transaction is not None and self._by_invite.pop(transaction, None) is not None

    def _follow_dialogs(self, user: DialogUser) -> None:
        dialogs = [] if user.dialog is None else [user.dialog]
        if isinstance(user, Call):
            dialogs += user.early_dialogs
        if dialogs:
            known = self._dialogs.setdefault(user, set())
            for dialog in dialogs:
                known.add(dialog.key)
                self._by_dialog[dialog.key] = user

    def remove(self, user: DialogUser) -> bool:
        """Drop every reference to a user that is finished; tells whether there was one."""
        if user not in self._users:
            return False
        self._users.remove(user)
        self._flows[user.flow] -= 1
        if not self._flows[user.flow]:
            del self._flows[user.flow]
        for key in self._dialogs.pop(user, ()):
            if self._by_dialog.get(key) is user:
                del self._by_dialog[key]
        if isinstance(user, Call):
            self.call_count -= 1
            if user.usage.server_transaction is not None:
                self._by_invite.pop(user.usage.server_transaction, None)
            self._note_late(user)
        for transaction in self._sent.pop(user, ()):
            del self._by_request[transaction]
        asking = _asking_key(user)
        if self._asking.get(asking) is user:
            del self._asking[asking]
        self._changed.set()
        self._changed = trio.Event()
        return True

    async def wait_empty(self) -> None:
        """Wait until there is no user left."""
        while self._users:
            await self._changed.wait()

    # Finding a user

    def carried_by(self, flow: Flow) -> bool:
        """Tell whether a user is reached over `flow`."""
        return flow in self._flows

    def of_dialog(self, dialog: Dialog) -> DialogUser | None:
        """Return the user of this dialog."""
        return self._by_dialog.get(dialog.key)

    def of_key(self, key: DialogKey) -> DialogUser | None:
        """Return the user of the dialog with this key."""
        return self._by_dialog.get(key)

    def of_invite(self, transaction: ServerTransaction) -> Call | None:
        """Return the call whose INVITE waits for an answer in this transaction."""
        return self._by_invite.get(transaction)

    def of_request(self, transaction: ClientTransaction) -> DialogUser | None:
        """Return the user that has sent the request of this transaction.

        That may be a call that is over: a 2xx of another phone still has to be acknowledged and
        ended with a BYE (RFC 3261 section 13.2.2.4).
        """
        return self._by_request.get(transaction) or self._late.get(transaction)

    def of_notify(self, request: Request) -> DialogUser | None:
        """Return whoever asked for a NOTIFY that is in no dialog yet (RFC 6665 section 4.4.1)."""
        return self._asking.get((request.call_id, request.to.tag or ""))

    def expect_notify(self, user: DialogUser) -> None:
        """Note that NOTIFYs for a SUBSCRIBE or REFER of this user may open its dialog."""
        self._asking[_asking_key(user)] = user

    def sent(self, transaction: ClientTransaction, user: DialogUser) -> None:
        """Note that a user has sent a request; one that is finished hears no more of it."""
        if user in self._users:
            self._forget_ended(user)
            self._by_request[transaction] = user
            self._sent.setdefault(user, set()).add(transaction)

    def _note_late(self, call: Call) -> None:
        invite = call.usage.client_transaction
        if invite is not None and call.usage.dialog is not None and not invite.is_terminated:
            self._late[invite] = call
        while self._late and (
            (oldest := next(iter(self._late))).is_terminated or len(self._late) > MAX_LATE
        ):
            del self._late[oldest]

    def _forget_ended(self, user: DialogUser) -> None:
        """Forget the INVITEs that no 2xx can come for any more; a call may send many of them."""
        for transaction in [one for one in self._sent.get(user, ()) if one.is_terminated]:
            self.answered(transaction)

    def find_sent(self, user: DialogUser, request: Request) -> ClientTransaction | None:
        """Return the transaction in which a user has sent this request."""
        return next((one for one in self._sent.get(user, ()) if one.request is request), None)

    def answered(self, transaction: ClientTransaction) -> None:
        """Note that nothing more will be heard of a request."""
        user = self._by_request.pop(transaction, None)
        if user is not None:
            sent = self._sent[user]
            sent.discard(transaction)
            if not sent:
                del self._sent[user]


def _asking_key(user: DialogUser) -> tuple[str, str]:
    return user.call_id, user.request.from_.tag or ""
