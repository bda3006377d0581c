"""The dialog: what two user agents remember about each other (RFC 3261 section 12).

A dialog is named by the Call-ID and one tag from each side. It holds what every later request
needs: the addresses, the next sequence number of each side, where the peer is to be found
(`remote_target`) and by which proxies (`route_set`).

It begins EARLY with a provisional response, or CONFIRMED with a 2xx. The 2xx that confirms an early
dialog brings the final route set at the client (13.2.2.4). A failure of the request that made it
ends an early dialog and means nothing to a confirmed one, where it can only have been the failure
of another request. What ends a confirmed dialog is for its usage to say, with `terminate`.

Nothing here has a timer: an idle dialog costs its memory and nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.message import Message, Request, Response, make_request
from sylk.sip.uri import SipURI

# Those that carry a new remote target (RFC 3261 section 12.2, RFC 3311, RFC 6665, RFC 3515).
TARGET_REFRESH_METHODS = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
# RFC 3261 8.1.1.5 lets us choose; a small number leaves all the room there is.
FIRST_CSEQ = 1
_CREDENTIALS = ("Authorization", "Proxy-Authorization")
# When a request out of order may be tried again, in seconds.
RETRY_AFTER_OUT_OF_ORDER = 1

# Call-ID, local tag, remote tag; a tag is empty for a peer of RFC 2543, which has none.
DialogKey = tuple[str, str, str]


class DialogState(Enum):
    """Where a dialog is."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class DialogInput(Enum):
    """What happens to a dialog: a response to the request that made it, or its end."""

    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx to 6xx"
    END = "end"


class DialogAction(Enum):
    """What a dialog does on its way to the next state."""

    NOTHING = "nothing"
    LEARN_ROUTES = "take route set and target of the response, if we are the client"


_S, _I, _A = DialogState, DialogInput, DialogAction

DIALOG: Mapping[tuple[DialogState, DialogInput], tuple[DialogAction, DialogState]] = {
    (_S.EARLY, _I.PROVISIONAL): (_A.NOTHING, _S.EARLY),
    (_S.EARLY, _I.SUCCESS): (_A.LEARN_ROUTES, _S.CONFIRMED),
    (_S.EARLY, _I.FAILURE): (_A.NOTHING, _S.TERMINATED),
    (_S.EARLY, _I.END): (_A.NOTHING, _S.TERMINATED),
    (_S.CONFIRMED, _I.PROVISIONAL): (_A.NOTHING, _S.CONFIRMED),
    (_S.CONFIRMED, _I.SUCCESS): (_A.NOTHING, _S.CONFIRMED),
    (_S.CONFIRMED, _I.FAILURE): (_A.NOTHING, _S.CONFIRMED),
    (_S.CONFIRMED, _I.END): (_A.NOTHING, _S.TERMINATED),
    (_S.TERMINATED, _I.PROVISIONAL): (_A.NOTHING, _S.TERMINATED),
    (_S.TERMINATED, _I.SUCCESS): (_A.NOTHING, _S.TERMINATED),
    (_S.TERMINATED, _I.FAILURE): (_A.NOTHING, _S.TERMINATED),
    (_S.TERMINATED, _I.END): (_A.NOTHING, _S.TERMINATED),
}


@dataclass(slots=True, eq=False)
class Dialog:
    """One side of a dialog; made by `as_uas` or `as_uac`.

    `contact` is our own Contact as the peer knows it: a request that has to carry one gets it from
    the caller.
    """

    call_id: str
    local: NameAddr
    remote: NameAddr
    remote_target: SipURI
    route_set: list[NameAddr]
    local_cseq: int
    remote_cseq: int | None
    contact: NameAddr | None
    is_uac: bool
    state: DialogState = DialogState.EARLY

    @classmethod
    def as_uas(cls, request: Request, local_tag: str, contact: NameAddr) -> "Dialog":
        """Return the dialog that our response with `local_tag` opens (12.1.1); it is EARLY.

        Raises RemoteProtocolError when the request has no usable Contact.
        """
        to = request.to
        return cls(
            call_id=request.call_id,
            local=to if to.tag else to.with_tag(local_tag),
            remote=request.from_,
            remote_target=_target_of(request),
            route_set=request.record_routes,
            local_cseq=FIRST_CSEQ - 1,
            remote_cseq=request.cseq.number,
            contact=contact,
            is_uac=False,
        )

    @classmethod
    def as_uac(cls, request: Request, response: Response) -> "Dialog":
        """Return the dialog that the response to a request of ours opens (12.1.2).

        EARLY after a 1xx, CONFIRMED after a 2xx. Raises RemoteProtocolError when the response has
        no usable Contact, LocalProtocolError for a response that opens no dialog.
        """
        if not 100 < response.status < 300:
            raise LocalProtocolError(f"a {response.status} opens no dialog")
        early = response.status < 200
        return cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            remote_target=_target_of(response),
            route_set=response.record_routes[::-1],
            local_cseq=request.cseq.number,
            remote_cseq=None,
            contact=request.contact,
            is_uac=True,
            state=DialogState.EARLY if early else DialogState.CONFIRMED,
        )

    @property
    def local_tag(self) -> str:
        """Our tag."""
        return self.local.tag or ""

    @property
    def remote_tag(self) -> str:
        """The peer's tag, empty if it has none (RFC 2543)."""
        return self.remote.tag or ""

    @property
    def key(self) -> DialogKey:
        """What names this dialog among all others."""
        return self.call_id, self.local_tag, self.remote_tag

    @property
    def next_hop(self) -> SipURI:
        """Where the next request goes: the first proxy, or the peer itself (8.1.2)."""
        if self.route_set and isinstance(self.route_set[0].uri, SipURI):
            return self.route_set[0].uri
        return self.remote_target

    def make_request(
        self,
        method: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """Return the next request of our side (12.2.1.1); a Contact is left to `headers`.

        Raises LocalProtocolError for ACK and CANCEL, which have no number of their own.
        """
        if method in ("ACK", "CANCEL"):
            raise LocalProtocolError(f"{method} has the sequence number of its INVITE")
        self.local_cseq += 1
        return self._request(method, self.local_cseq, headers, body, content_type)

    def make_ack(
        self,
        invite_cseq_number: int,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """Return the ACK for a 2xx to our INVITE of that number (13.2.2.4); the body is an answer.

        `headers` are the `credentials_of` that INVITE. Send the same ACK again for each
        retransmission of the 2xx.
        """
        return self._request("ACK", invite_cseq_number, headers, body, content_type)

    def receive_request(self, request: Request) -> None:
        """Take note of a request of the peer, other than ACK and CANCEL (12.2.2).

        Raises RemoteProtocolError with status 500 when it is out of order. A number seen before is
        out of order as well: retransmissions never come this far.
        """
        number = request.cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            raise RemoteProtocolError(
                f"CSeq {number} after {self.remote_cseq}",
                500,
                [("Retry-After", str(RETRY_AFTER_OUT_OF_ORDER))],
            )
        self.remote_cseq = number

    def refresh_target(self, message: Message) -> None:
        """Take a new remote target from an accepted target refresh request, or from its 2xx.

        A Contact that is missing or no SIP URI changes nothing.
        """
        contact = message.contact
        if contact is not None and isinstance(contact.uri, SipURI):
            self.remote_target = contact.uri

    def handle_response(self, response: Response) -> None:
        """Take note of a response, ours or theirs, to the request that made this dialog."""
        if response.status < 200:
            what = DialogInput.PROVISIONAL
        else:
            what = DialogInput.SUCCESS if response.status < 300 else DialogInput.FAILURE
        action, self.state = DIALOG[self.state, what]
        if action is DialogAction.LEARN_ROUTES and self.is_uac:
            self.route_set = response.record_routes[::-1]
            self.refresh_target(response)

    def terminate(self) -> None:
        """End the dialog: a BYE, a 481 or 408 to a request in it, or its usage is over (12.3)."""
        self.state = DIALOG[self.state, DialogInput.END][1]

    def _request(
        self,
        method: str,
        number: int,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        content_type: str | None,
    ) -> Request:
        uri = self.remote_target
        routes = self.route_set
        if routes and isinstance(routes[0].uri, SipURI) and "lr" not in routes[0].uri.params:
            # A strict router of RFC 2543: it finds its own URI in the request line, and the target
            # comes last.
            uri = _for_request_line(routes[0].uri)
            routes = [*routes[1:], NameAddr(self.remote_target)]
        return make_request(
            method,
            uri,
            self.local,
            self.remote,
            self.call_id,
            number,
            headers=[*(("Route", str(route)) for route in routes), *headers],
            body=body,
            content_type=content_type,
        )


def credentials_of(invite: Request) -> list[tuple[str, str]]:
    """Return the credentials in an INVITE: the ACK for its 2xx has to carry the same (13.2.2.4)."""
    return [(name, value) for name in _CREDENTIALS for value in invite.headers.lines(name)]


def _target_of(message: Message) -> SipURI:
    contact = message.contact
    if contact is None or not isinstance(contact.uri, SipURI):
        raise RemoteProtocolError("a dialog needs a Contact with a SIP URI")
    return contact.uri


def _for_request_line(uri: SipURI) -> SipURI:
    """Strip what RFC 3261 table 1 does not allow in a Request-URI."""
    params = {name: value for name, value in uri.params.items() if name != "method"}
    return replace(uri, params=params, headers=())
