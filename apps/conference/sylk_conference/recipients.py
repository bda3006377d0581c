"""An INVITE with a list of people, who are all called into the room (RFC 5366).

Each is called as if the caller had sent a REFER for him, within the same bounds. There is no
NOTIFY to tell how that went: whoever does not come is named to the caller in a notice of the room.

RFC 5366 has the list sent on to those in it, without `bcc` and without the names of those who are
to be anonymous (RFC 5364). Nothing of it is sent on here: deployed clients refuse an INVITE whose
body is more than a session description. Who else is in the room, everybody sees who comes.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import trio

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address
from sylk.payload.resource_lists import CONTENT_TYPE, parse_recipients
from sylk.session import Chat, Invitation
from sylk_conference.dial_out import DialOut, Invitee, uri_to_call
from sylk_conference.notices import notice
from sylk_conference.open_room import OpenRoom, date_time
from sylk_conference.people import comparable, key_of
from sylk_conference.policy import Asker, RoomPolicy
from sylk_conference.rooms import Rooms

_FORBIDDEN = 403
_BAD_TYPE = 415
_BAD_SCHEME = 416
_REFUSED = 300


def recipients_of(
    invitation: Invitation, policy: RoomPolicy, asker: Asker, max_recipients: int
) -> list[str]:
    """Return the URIs of whom the caller wants called, each once, and himself left out.

    Raises RemoteProtocolError: 400 for a list that cannot be read, 415 for one of another type, 403
    for one that is too long or misleads, and for a caller who may not have others called.
    """
    parts = invitation.recipient_lists
    if not parts:
        return []
    uris: dict[bytes, str] = {}
    for part in parts:
        if part.content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
            raise RemoteProtocolError(f"no list of type {part.content_type[:64]!r} here", _BAD_TYPE)
        for recipient in parse_recipients(part.content):
            uri = uri_to_call(recipient.uri)
            uris.setdefault(comparable(uri.encode("utf-8", "replace")), uri)
    uris.pop(key_of(invitation.sender), None)
    if len(uris) > max_recipients:
        raise RemoteProtocolError(f"more than {max_recipients} people in the list", _FORBIDDEN)
    # By the time that they are called he is here.
    caller, now = replace(asker, is_here=True), trio.current_time()
    if uris and all(policy.may_invite(caller, key, now) is not None for key in uris):
        raise RemoteProtocolError("he may not have others called", _FORBIDDEN)
    return list(uris.values())


def call_recipients(
    rooms: Rooms,
    dial_out: DialOut,
    open_room: OpenRoom,
    chat: Chat,
    asker: Asker,
    uris: Iterable[str],
) -> None:
    """Have everybody called who is not in the room yet; `chat` is that of who wants it."""
    room = open_room.room.address
    policy, caller = open_room.room.policy, replace(asker, is_here=True)
    for uri in uris:
        tell = partial(_tell, chat, room, uri)
        invitee = Invitee(uri, chat.remote)
        if invitee.key in open_room.calls:
            continue
        if uri.partition(":")[0].lower() not in ("sip", "sips"):
            tell(_BAD_SCHEME, "it is no SIP address")
        elif policy.may_invite(caller, invitee.key, trio.current_time()) is not None:
            tell(_FORBIDDEN, "the room does not allow it")
        elif dial_out.is_ringing(open_room, invitee.key):
            dial_out.call(open_room, invitee, tell)
        elif (status := rooms.refusal(room)) is not None:
            tell(status, "the room is full")
        elif (wait := dial_out.wait_for_call(open_room, invitee)) is not None:
            tell(503, f"too many calls, try again in {wait} s")
        else:
            dial_out.call(open_room, invitee, tell)


def _tell(chat: Chat, room: Address, uri: str, status: int, reason: str = "") -> None:
    if status >= _REFUSED and not chat.is_over:
        why = f"{status} {reason}".rstrip(" ")
        chat.post(notice(room, f"{uri.partition(':')[2]} does not come: {why}", date_time()))
