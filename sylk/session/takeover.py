"""A call that is to take the place of another, or to be joined to it (RFC 3891, RFC 3911).

Which call is meant, and whether it can be taken over at all, is found out when the INVITE comes;
the rules are in `sylk.sip.replaces`. Who may is decided when the INVITE is accepted: the same user
by himself, anybody else only if the application says so. Referred-By is no proof of anything
without a signature (RFC 3892 section 3), so by itself it opens no door.

Who the caller is counts as far as it is known. Where the server asks for no password, and no
trusted proxy answers for its users, From is a claim like any other; then it is only our tag, which
nobody can guess, that keeps a call from those who have not seen its messages.
"""

from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser
from sylk.session.dialog_users import DialogUsers
from sylk.sip.address import NameAddr
from sylk.sip.dialog import DialogKey, DialogState
from sylk.sip.message import Request
from sylk.sip.replaces import DialogReference, Found, Purpose, check_found, read_reference
from sylk.sip.uri import SipURI

MAX_ENDED = 1000
"""Dialogs of calls that are remembered after their end; the oldest is forgotten."""

REPLACED = "Replaced by another call"
"""What the peer of a call that was replaced is told, with the cause 200 (RFC 3326)."""

_NOBODY = "anonymous@anonymous.invalid"  # RFC 3323 section 4.1.1.3


class EndedCalls:
    """The dialogs of calls that are over, the latest `MAX_ENDED` of them.

    Who wants to take over a call that has just ended is declined; a phone that would go on ringing
    for it is a nuisance (RFC 3891 section 3).
    """

    def __init__(self, limit: int = MAX_ENDED) -> None:
        self._limit = limit
        self._keys: dict[DialogKey, None] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: DialogKey) -> bool:
        return key in self._keys

    def add(self, key: DialogKey) -> None:
        """Remember the dialog of a call that is over."""
        self._keys[key] = None
        if len(self._keys) > self._limit:
            del self._keys[next(iter(self._keys))]


@dataclass(frozen=True, slots=True)
class Takeover:
    """What an INVITE wants with another call.

    `call` is None for a Join that names no dialog of ours: a conference goes on as if there was no
    Join, all others refuse it (RFC 3911 section 4).
    """

    purpose: Purpose
    call: Call | None

    @property
    def replaces(self) -> Call | None:
        """The call whose place is to be taken."""
        return self.call if self.purpose is Purpose.REPLACES else None

    @property
    def joins(self) -> Call | None:
        """The call that is to be joined."""
        return self.call if self.purpose is Purpose.JOIN else None

    def check_accepted(
        self, caller: NameAddr, *, focus: bool, allow_replaces: bool, allow_join: bool
    ) -> None:
        """Make sure that the INVITE may be accepted as it is going to be.

        Raises RemoteProtocolError: 603 when the other call has ended meanwhile, 403 for somebody
        else than its user, 488 where nobody knows how to join, 481 for a Join of nothing.
        """
        if self.call is None:
            if not focus:
                check_found(self.purpose, Found.NOTHING)
        elif self.call.is_over:
            check_found(self.purpose, Found.ENDED)
        elif self.purpose is Purpose.JOIN:
            if not allow_join:
                raise RemoteProtocolError("Join: nothing here can be joined", 488)
        elif not (allow_replaces or is_same_user(caller, self.call.peer)):
            raise RemoteProtocolError("Replaces: the call is somebody else's", 403)


def find_takeover(request: Request, users: DialogUsers, ended: EndedCalls) -> Takeover | None:
    """Return what an INVITE wants with another call, None when it is a call like any other.

    Raises RemoteProtocolError with the refusal: see `sylk.sip.replaces`.
    """
    reference = read_reference(request)
    if reference is None:
        return None
    purpose, dialog = reference
    found, call = _look_up(dialog, users, ended)
    if purpose is Purpose.JOIN and found is Found.NOTHING:
        return Takeover(purpose, None)
    check_found(purpose, found, early_only=dialog.early_only)
    return Takeover(purpose, call)


def is_same_user(one: NameAddr, other: NameAddr) -> bool:
    """Tell whether both are the same user; those who hide who they are never are."""
    if isinstance(one.uri, SipURI) and isinstance(other.uri, SipURI):
        return one.uri.address == other.uri.address != _NOBODY
    return one.uri == other.uri


def _look_up(
    reference: DialogReference, users: DialogUsers, ended: EndedCalls
) -> tuple[Found, Call | None]:
    candidates = (users.of_key(key) for key in reference.keys)
    named = {user for user in candidates if user is not None}
    if len(named) > 1:
        return Found.NOTHING, None  # RFC 3891 section 3: as if there was none.
    if not named:
        is_known = any(key in ended for key in reference.keys)
        return (Found.ENDED if is_known else Found.NOTHING), None
    return _kind_of(named.pop(), reference)


def _kind_of(user: DialogUser, reference: DialogReference) -> tuple[Found, Call | None]:
    if not isinstance(user, Call):
        return Found.NO_CALL, None
    dialogs = user.early_dialogs if user.dialog is None else [user.dialog]
    dialog = next((one for one in dialogs if one.key in reference.keys), None)
    if user.is_over or dialog is None:
        # Without a dialog: that of a phone that rang too, until another one was answered.
        return Found.ENDED, None
    if dialog.state is not DialogState.EARLY:
        return Found.CONFIRMED, user
    return (Found.EARLY_OUTGOING if dialog.is_uac else Found.EARLY_INCOMING), user
