"""Replaces and Join: an INVITE that names another dialog (RFC 3891, RFC 3911).

With Replaces the new call takes the place of the other, which is ended once the new one stands.
With Join the caller comes into the conversation that the other dialog belongs to. Both name the
dialog from outside: the to-tag is ours, the from-tag that of the peer, as in a request that the
peer would send.

Theory. What becomes of such an INVITE depends on the dialog that is found, and is a table:

    dialog found                    Replaces        Join
    none                            481             481, or as if there was no Join (3911, 4)
    that of no call                 481             481
    one that has ended              603             603
    early, the other side calls     481             join
    early, we call                  take over       join
    confirmed                       take over       join
    confirmed, and early-only       486             -

In a re-INVITE neither has a meaning, and a dialog goes on whatever else its requests hold.

A Call-ID and two tags are no secret, and with them somebody could throw others out. Whether the
caller may do what he asks is therefore decided apart from this, by whoever knows who he is.
"""

from dataclasses import dataclass
from enum import Enum, auto
from itertools import product

from sylk.errors import RemoteProtocolError
from sylk.sip.dialog import DialogKey
from sylk.sip.grammar import is_token, parse_params
from sylk.sip.message import Request

# Wider than `callid` of RFC 3261 section 25.1, as Call-IDs are; a comma would begin a second value.
_NOT_IN_CALL_ID = frozenset(" \t,")

_NO_CALL = 481


class Purpose(Enum):
    """What an INVITE wants with the dialog that it names; the value is the header field."""

    REPLACES = "Replaces"
    JOIN = "Join"


class Found(Enum):
    """What kind of dialog a reference was found to name."""

    NOTHING = auto()
    NO_CALL = auto()
    ENDED = auto()
    EARLY_INCOMING = auto()
    EARLY_OUTGOING = auto()
    CONFIRMED = auto()


REFUSALS: dict[tuple[Purpose, Found], tuple[int, str]] = {
    (Purpose.REPLACES, Found.NOTHING): (_NO_CALL, "no such dialog"),
    (Purpose.REPLACES, Found.NO_CALL): (_NO_CALL, "the dialog is none of a call"),
    (Purpose.REPLACES, Found.ENDED): (603, "the call has ended"),
    (Purpose.REPLACES, Found.EARLY_INCOMING): (_NO_CALL, "the call is not answered yet"),
    (Purpose.JOIN, Found.NOTHING): (_NO_CALL, "no such dialog"),
    (Purpose.JOIN, Found.NO_CALL): (_NO_CALL, "the dialog is none of a call"),
    (Purpose.JOIN, Found.ENDED): (603, "the call has ended"),
}
"""Status and reason of each refusal; what is not here may go on."""


@dataclass(frozen=True, slots=True)
class DialogReference:
    """A dialog as Replaces or Join names it; the to-tag is that of the side that receives it."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False
    """Whether a dialog that is confirmed by now is to be left alone; Join has nothing like it."""

    @classmethod
    def parse(cls, text: str) -> "DialogReference":
        """Parse a value. Raises RemoteProtocolError (400)."""
        call_id, semicolon, rest = text.partition(";")
        call_id = call_id.strip(" \t")
        params = parse_params(semicolon + rest)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not call_id or not _NOT_IN_CALL_ID.isdisjoint(call_id):
            raise RemoteProtocolError("no Call-ID can be read")
        if to_tag is None or from_tag is None or not is_token(to_tag) or not is_token(from_tag):
            raise RemoteProtocolError("to-tag or from-tag is missing or malformed")
        return cls(call_id, to_tag, from_tag, "early-only" in params)

    def __str__(self) -> str:
        flag = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{flag}"

    @property
    def keys(self) -> list[DialogKey]:
        """The dialogs of ours that are meant: a tag of 0 stands for none as well (RFC 2543)."""
        local, remote = (
            ("0", "") if tag == "0" else (tag,) for tag in (self.to_tag, self.from_tag)
        )
        return [(self.call_id, *tags) for tags in product(local, remote)]


def read_reference(request: Request) -> tuple[Purpose, DialogReference] | None:
    """Return what a request wants with which other dialog, None for a request without that.

    Raises RemoteProtocolError (400): both header fields, one of them twice or malformed, or in a
    request that is no INVITE.
    """
    headers = request.headers
    if "Replaces" not in headers and "Join" not in headers:
        return None
    found = [(purpose, line) for purpose in Purpose for line in headers.lines(purpose.value)]
    if len(found) > 1:
        raise RemoteProtocolError("more than one Replaces or Join")
    ((purpose, line),) = found
    if request.method != "INVITE":
        raise RemoteProtocolError(f"{purpose.value} in a request that is no INVITE")
    try:
        return purpose, DialogReference.parse(line)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"{purpose.value}: {error}") from None


def check_found(purpose: Purpose, found: Found, *, early_only: bool = False) -> None:
    """Make sure that the dialog which was found can be taken over or joined.

    Raises RemoteProtocolError with the status of the refusal: see the module.
    """
    if purpose is Purpose.REPLACES and found is Found.CONFIRMED and early_only:
        raise RemoteProtocolError("Replaces: the call has been answered by now", 486)
    refusal = REFUSALS.get((purpose, found))
    if refusal is not None:
        status, reason = refusal
        raise RemoteProtocolError(f"{purpose.value}: {reason}", status)
