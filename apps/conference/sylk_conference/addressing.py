"""Whom a message is for: the room, one person, or one client of a person.

The CPIM To holds one of these (RFC 7701 section 6.2, RFC 5627):

    sip:lobby@example.com                  the room, as does no To at all
    sip:bob@example.com                    a person, on all his clients
    sip:bob@example.com;gr=urn:uuid:f81d   one client, by its public GRUU
    sip:hk3c@192.0.2.7:5062                one client, by the Contact that conference-info tells
    sip:lobby@example.com;nickname=Bob     who has this nickname in the room

No I/O, no clock.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

from sylk.payload.cpim_envelope import line_uri
from sylk_conference.content import Refusal
from sylk_conference.people import Participant, People, User, comparable

_FORBIDDEN = 403
_ABSENT = 404
_NO_PRIVATE_MESSAGES = 428

_GRUU = re.compile(rb";gr=([^;?]+)", re.IGNORECASE)
_NICKNAME = re.compile(rb";nickname=([^;?]*)", re.IGNORECASE)


class Addressing:
    """Finds the recipients of what is said in one room."""

    def __init__(
        self,
        is_room: Callable[[bytes], bool],
        people: People,
        find_nickname: Callable[[str], User | None],
    ) -> None:
        """Take what tells whether a URI is the room's, and how to find who has a nickname."""
        self._is_room = is_room
        self._people = people
        self._find_nickname = find_nickname
        # The last To that named the room: clients write it without our display name, each in one
        # way.
        self._usual: bytes | None = None

    def recipients(self, sender: Participant, to_lines: list[bytes]) -> list[Participant] | None:
        """Return who gets a message, None for the whole room.

        Raises Refusal: 403 for several recipients (RFC 7701 section 6.2), 404 for one who is not
        here, 428 for one whose clients cannot show a private message as what it is.
        """
        if not to_lines or (len(to_lines) == 1 and to_lines[0] == self._usual):
            return None
        if len(to_lines) > 1:
            if all(self._is_room(line_uri(line)) for line in to_lines):
                return None
            raise Refusal("a message has one recipient: the room, or one person", _FORBIDDEN)
        uri = line_uri(to_lines[0])
        nickname = None
        if self._is_room(uri):
            nickname = _NICKNAME.search(uri)
            if nickname is None:
                self._usual = to_lines[0]
                return None
        found = self._named(nickname[1]) if nickname else self._addressed(uri, comparable(uri))
        if not found:
            raise Refusal("the recipient is not here", _ABSENT)
        others = [one for one in found if one.takes_private and one is not sender]
        if not others and found != [sender]:
            raise Refusal("the recipient takes no private messages", _NO_PRIVATE_MESSAGES)
        # The sender's other clients show what he whispered too.
        own = [
            one
            for one in sender.user.participants
            if one is not sender and one.takes_private and one not in others
        ]
        return others + own

    def _named(self, nickname: bytes) -> list[Participant]:
        name = unquote(nickname.decode("utf-8", "replace"), errors="replace")
        # People without a nickname have an empty one.
        user = self._find_nickname(name) if name else None
        return [] if user is None else user.participants

    def _addressed(self, uri: bytes, key: bytes) -> list[Participant]:
        user = self._people.get(key)
        gruu = _GRUU.search(uri)
        if user is not None and gruu is not None:
            return [one for one in user.participants if _gruu_of(one) == gruu[1].lower()]
        if user is not None:
            return user.participants
        contact = _bare(uri)
        return [
            one
            for other in self._people
            for one in other.participants
            if _bare(one.arrival.contact.encode("utf-8", "replace")) == contact
        ]


def _gruu_of(participant: Participant) -> bytes | None:
    gruu = _GRUU.search(participant.arrival.contact.encode("utf-8", "replace"))
    return None if gruu is None else gruu[1].lower()


def _bare(uri: bytes) -> bytes:
    """Return user, host and port of a Contact."""
    return uri.partition(b";")[0].partition(b"?")[0].lower()
