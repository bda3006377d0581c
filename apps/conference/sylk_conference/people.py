"""Who is in a room: people, and the clients that each of them is there with.

A user (RFC 4575) is a person, known by user@host of his URI; a participant is one of his sessions.
No I/O, no clock, no tasks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from sylk.payload.cpim import Address

JoiningMethod = Literal["dialed-in", "dialed-out", "focus-owner"]

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def comparable(uri: bytes) -> bytes:
    """Return user@host of a SIP URI, the host in lower case (RFC 3261 section 19.1.4)."""
    rest = uri.partition(b":")[2] if uri[:4].lower() in (b"sip:", b"sips") else uri
    # A user may hold "?" and ";" as they are (RFC 3261 section 25.1), but no "@".
    user, at, host = rest.partition(b"@") if b"@" in rest else (b"", b"", rest)
    host = host.partition(b"?")[0].partition(b";")[0]
    host = host.partition(b"]")[0] + b"]" if host.startswith(b"[") else host.partition(b":")[0]
    return user + at + host.lower()


def key_of(address: Address) -> bytes:
    """Return by what a person or a room is told from others."""
    return _key_of(address.uri)


# Whoever comes, and where he comes to, is looked for under its key a dozen times.
@lru_cache(maxsize=256)
def _key_of(uri: str) -> bytes:
    return comparable(uri.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a session came into the room, as conference-info tells it."""

    when: datetime = LONG_AGO
    method: JoiningMethod = "dialed-in"
    contact: str = ""
    """The URI of the client, its Contact."""
    referred_by: str = ""
    """The URI of who brought him in, empty for one who came of his own accord."""
    source: str = ""
    """The IP address that his INVITE came from; empty for one whom the room has called."""


@dataclass(slots=True, eq=False)
class User:
    """A person in the room, with any number of clients."""

    key: bytes
    """user@host, by which people are compared."""
    address: Address
    """As he was named when he came."""
    nickname: str = ""
    shown_name: str = ""
    """By what name the others see him; empty where his address alone tells who he is."""
    roles: tuple[str, ...] = ("participant",)
    """What he is in the room (RFC 4575 section 5.6.3)."""
    participants: list["Participant"] = field(default_factory=list["Participant"])
    """His sessions, in the order of joining."""

    @property
    def shown_address(self) -> Address:
        """Who the others see."""
        return Address(self.address.uri, self.shown_name)


@dataclass(slots=True, eq=False)
class Participant:
    """One session in the room; a person with two clients is there twice."""

    user: User
    address: Address
    from_line: bytes
    """The CPIM From line of everything that he says."""
    claimed_key: bytes
    """user@host of what he calls himself, which `from_line` takes the place of."""
    arrival: Arrival = field(default_factory=Arrival)
    accepts: tuple[str, ...] = ()
    """The types that his client takes wrapped, as patterns; none stands for all."""
    takes_private: bool = True
    """False for a client that has said that it cannot tell a private message from another."""
    direction: str = "sendrecv"
    """Which way messages flow, as the SDP of his client says."""
    removed_by: str | None = None
    """The URI of who put him out."""
    is_muted: bool = False
    """True while he may not speak."""

    @property
    def key(self) -> bytes:
        """user@host of the person."""
        return self.user.key

    @property
    def is_held(self) -> bool:
        """Tell whether his client wants to be sent nothing (RFC 3264 section 8.4)."""
        return self.direction in ("sendonly", "inactive")


class People:
    """The users of one room, by user@host, in the order in which they came."""

    def __init__(self) -> None:
        self._users: dict[bytes, User] = {}

    def __len__(self) -> int:
        """Return how many people are here, each counted once."""
        return len(self._users)

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def __contains__(self, key: bytes) -> bool:
        return key in self._users

    def get(self, key: bytes) -> User | None:
        """Return the person of this user@host, None if he is not here."""
        return self._users.get(key)

    def join(
        self, address: Address, claimed: Address | None = None, arrival: Arrival | None = None
    ) -> Participant:
        """Let somebody in, who may call himself by another address than we know him by."""
        key = key_of(address)
        user = self._users.get(key)
        if user is None:
            user = self._users[key] = User(key, address)
        participant = Participant(
            user, address, b"", key_of(claimed or address), arrival or Arrival()
        )
        user.participants.append(participant)
        self.rename(user, user.nickname, user.shown_name or address.display_name)
        return participant

    def leave(self, participant: Participant) -> None:
        """Let somebody out; nothing happens when he is gone already."""
        user = participant.user
        if participant in user.participants:
            user.participants.remove(participant)
        if not user.participants:
            self._users.pop(user.key, None)

    def rename(self, user: User, nickname: str, shown_name: str) -> None:
        """Let somebody be called otherwise, on all his clients."""
        user.nickname, user.shown_name = nickname, shown_name
        for participant in user.participants:
            shown = Address(participant.address.uri, shown_name)
            participant.from_line = b"From: " + shown.render().encode("utf-8", "replace")
