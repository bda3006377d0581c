"""Which transactions are going on, by what they mean to later messages of the same peer.

The transaction layer finds a transaction by its branch. Here they are found by Call-ID, tag and
sequence number: the same request by another path, an INVITE that crosses another, a NOTIFY that
overtakes the response to its SUBSCRIBE.
"""

from collections.abc import Callable

from sylk.errors import RemoteProtocolError
from sylk.sip.dialog import Dialog
from sylk.sip.message import Request
from sylk.sip.transaction import ClientTransaction, ServerTransaction, Transaction

# The requests of ours that a NOTIFY may answer faster than their response does.
_SUBSCRIBING_METHODS = ("SUBSCRIBE", "REFER")

# RFC 3261 14.2: a second INVITE is told to come again after up to this many seconds.
MAX_RETRY_AFTER_INVITE = 10

# Call-ID and the tag of the side that sent the request.
_Sender = tuple[str, str]


class PendingTransactions:
    """An index of transactions; `discard` each when it has ended."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int, str], ServerTransaction] = {}
        self._server_invites: dict[_Sender, ServerTransaction] = {}
        self._client_invites: dict[_Sender, ClientTransaction] = {}
        self._subscribing: dict[_Sender, ClientTransaction] = {}

    def __len__(self) -> int:
        return (
            len(self._requests)
            + len(self._server_invites)
            + len(self._client_invites)
            + len(self._subscribing)
        )

    def add_server(self, transaction: ServerTransaction) -> None:
        """Take note of a request of a peer."""
        request = transaction.request
        if request.to.tag is None:
            self._requests[_identity(request)] = transaction
        if request.method == "INVITE":
            self._server_invites[_sender(request)] = transaction

    def add_client(self, transaction: ClientTransaction) -> None:
        """Take note of a request of ours."""
        request = transaction.request
        if request.method == "INVITE":
            self._client_invites[_sender(request)] = transaction
        elif request.method in _SUBSCRIBING_METHODS and request.to.tag is None:
            self._subscribing[_sender(request)] = transaction

    def discard(self, transaction: Transaction) -> None:
        """Forget a transaction; it is fine if it was not there."""
        request = transaction.request
        sender = _sender(request)
        if isinstance(transaction, ServerTransaction):
            if self._requests.get(identity := _identity(request)) is transaction:
                del self._requests[identity]
            if self._server_invites.get(sender) is transaction:
                del self._server_invites[sender]
            return
        if self._client_invites.get(sender) is transaction:
            del self._client_invites[sender]
        if self._subscribing.get(sender) is transaction:
            del self._subscribing[sender]

    def is_merged(self, request: Request) -> bool:
        """Return whether a request is here already, by another path (RFC 3261 8.2.2.2)."""
        return _identity(request) in self._requests

    def has_come_back(self, request: Request) -> bool:
        """Return whether a request is our own, which has found its way back here."""
        sender = _sender(request)
        return sender in self._client_invites or sender in self._subscribing

    def has_server_invite(self, request: Request) -> bool:
        """Return whether the sender waits for our answer to an INVITE (14.2)."""
        transaction = self._server_invites.get(_sender(request))
        return transaction is not None and transaction.is_pending

    def has_client_invite(self, dialog: Dialog) -> bool:
        """Return whether an INVITE of ours in this dialog has no final response (14.2)."""
        transaction = self._client_invites.get((dialog.call_id, dialog.local_tag))
        return transaction is not None and transaction.is_pending

    def check_invite(
        self, request: Request, dialog: Dialog, random_token: Callable[[], str]
    ) -> None:
        """Raise RemoteProtocolError (500, 491) if another INVITE of the dialog is open (14.2)."""
        if self.has_server_invite(request):
            seconds = sum(random_token().encode()) % (MAX_RETRY_AFTER_INVITE + 1)
            raise RemoteProtocolError(
                "an INVITE is not answered yet", 500, [("Retry-After", str(seconds))]
            )
        if self.has_client_invite(dialog):
            raise RemoteProtocolError("our INVITE is not answered yet", 491)

    def expects_notify(self, request: Request) -> bool:
        """Return whether a NOTIFY is for a subscription that we just asked for (RFC 6665 4.4.1)."""
        return (request.call_id, request.to.tag or "") in self._subscribing


def _sender(request: Request) -> _Sender:
    return request.call_id, request.from_.tag or ""


def _identity(request: Request) -> tuple[str, str, int, str]:
    return request.call_id, request.from_.tag or "", request.cseq.number, request.method
