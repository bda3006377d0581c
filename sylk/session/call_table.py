"""Which calls there are, and how a message or a transaction is brought to its call."""

from collections import Counter
from collections.abc import Iterator

import trio

from sylk.call.usage_table import State
from sylk.session.call import Call
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.transaction import ClientTransaction, ServerTransaction


class CallTable:
    """The calls of one endpoint, by dialog, by INVITE and by the requests that they have sent."""

    def __init__(self) -> None:
        self._calls: set[Call] = set()
        self._flows: Counter[Flow] = Counter()
        self._by_dialog: dict[tuple[str, str, str], Call] = {}
        self._by_invite: dict[ServerTransaction, Call] = {}
        self._by_request: dict[ClientTransaction, Call] = {}
        self._changed = trio.Event()

    def __len__(self) -> int:
        """Return how many calls stand or are being set up or ended."""
        return len(self._calls)

    def __contains__(self, call: Call) -> bool:
        return call in self._calls

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls))

    def add(self, call: Call) -> None:
        """Take up a call, and the INVITE that it waits to answer."""
        self._calls.add(call)
        self._flows[call.flow] += 1
        if call.usage.server_transaction is not None:
            self._by_invite[call.usage.server_transaction] = call

    def follow(self, call: Call) -> bool:
        """Note what has become of a call; tells whether its INVITE was just answered."""
        usage = call.usage
        if usage.dialog is not None and usage.state is not State.TERMINATED:
            self._by_dialog[usage.dialog.key] = call
        if usage.server_transaction is None or usage.state is State.INCOMING:
            return False
        return self._by_invite.pop(usage.server_transaction, None) is not None

    def remove(self, call: Call) -> bool:
        """Drop every reference to a call that is over; tells whether there was one."""
        if call not in self._calls:
            return False
        self._calls.remove(call)
        self._flows[call.flow] -= 1
        if not self._flows[call.flow]:
            del self._flows[call.flow]
        usage = call.usage
        if usage.dialog is not None:
            self._by_dialog.pop(usage.dialog.key, None)
        if usage.server_transaction is not None:
            self._by_invite.pop(usage.server_transaction, None)
        if usage.client_transaction is not None:
            self._by_request.pop(usage.client_transaction, None)
        self._changed.set()
        return True

    async def wait_empty(self) -> None:
        """Wait until no call stands or is being ended."""
        while self._calls:
            self._changed = trio.Event()
            await self._changed.wait()

    # Finding a call

    def carried_by(self, flow: Flow) -> bool:
        """Tell whether a call goes over `flow`."""
        return flow in self._flows

    def of_dialog(self, dialog: Dialog) -> Call | None:
        """Return the call that has this dialog."""
        return self._by_dialog.get(dialog.key)

    def of_invite(self, transaction: ServerTransaction) -> Call | None:
        """Return the call whose INVITE waits for an answer in this transaction."""
        return self._by_invite.get(transaction)

    def of_request(self, transaction: ClientTransaction) -> Call | None:
        """Return the call that has sent the request of this transaction."""
        return self._by_request.get(transaction)

    def sent(self, transaction: ClientTransaction, call: Call) -> None:
        """Note that a call has sent a request."""
        self._by_request[transaction] = call

    def answered(self, transaction: ClientTransaction) -> None:
        """Note that nothing more will be heard of a request."""
        self._by_request.pop(transaction, None)
