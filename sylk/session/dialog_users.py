"""Who lives in which dialog, and how a message or a transaction is brought to its user.

Calls, subscriptions and referrals are kept alike; only a call has an INVITE that may be cancelled.
"""

from collections import Counter
from collections.abc import Iterator

import trio

from sylk.call.usage_table import State
from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.transaction import ClientTransaction, ServerTransaction


class DialogUsers:
    """The users of the dialogs of one endpoint, by dialog, by INVITE and by what they have sent."""

    def __init__(self) -> None:
        self._users: set[DialogUser] = set()
        self._flows: Counter[Flow] = Counter()
        self._dialogs: dict[DialogUser, tuple[str, str, str]] = {}
        self._by_dialog: dict[tuple[str, str, str], DialogUser] = {}
        self._by_invite: dict[ServerTransaction, Call] = {}
        self._by_request: dict[ClientTransaction, DialogUser] = {}
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
        dialog = user.dialog
        if dialog is not None and user in self._users:
            self._dialogs[user] = dialog.key
            self._by_dialog[dialog.key] = user
        if not isinstance(user, Call) or user.usage.state is State.INCOMING:
            return False
        transaction = user.usage.server_transaction
        return transaction is not None and self._by_invite.pop(transaction, None) is not None

    def remove(self, user: DialogUser) -> bool:
        """Drop every reference to a user that is finished; tells whether there was one."""
        if user not in self._users:
            return False
        self._users.remove(user)
        self._flows[user.flow] -= 1
        if not self._flows[user.flow]:
            del self._flows[user.flow]
        key = self._dialogs.pop(user, None)
        if key is not None:
            self._by_dialog.pop(key, None)
        if isinstance(user, Call):
            self.call_count -= 1
            if user.usage.server_transaction is not None:
                self._by_invite.pop(user.usage.server_transaction, None)
            if user.usage.client_transaction is not None:
                self._by_request.pop(user.usage.client_transaction, None)
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

    def of_invite(self, transaction: ServerTransaction) -> Call | None:
        """Return the call whose INVITE waits for an answer in this transaction."""
        return self._by_invite.get(transaction)

    def of_request(self, transaction: ClientTransaction) -> DialogUser | None:
        """Return the user that has sent the request of this transaction."""
        return self._by_request.get(transaction)

    def sent(self, transaction: ClientTransaction, user: DialogUser) -> None:
        """Note that a user has sent a request."""
        self._by_request[transaction] = user

    def answered(self, transaction: ClientTransaction) -> None:
        """Note that nothing more will be heard of a request."""
        self._by_request.pop(transaction, None)
