"""Who may have others called into a room, and who may put others out of it.

`Permissions` is what referrals ask for; the policy of a room decides. No I/O, no clock, no tasks.
"""

from dataclasses import dataclass
from typing import Protocol

from sylk.payload.cpim import Address
from sylk_conference.people import key_of
from sylk_conference.policy import Asker, RoomPolicy


@dataclass(frozen=True, slots=True)
class Referrer:
    """Who asks, as far as it is known who he is."""

    address: Address
    source: str = ""
    """The IP address that his request came from."""
    is_here: bool = False
    """Whether he is in the room, or on his way in."""

    @property
    def key(self) -> bytes:
        """user@host, by which people are told apart."""
        return key_of(self.address)


class Permissions(Protocol):
    """What a room allows."""

    def may_invite(self, referrer: Referrer, target: bytes) -> bool:
        """Tell whether the room calls `target`, which is user@host, for him."""
        ...

    def may_remove(self, referrer: Referrer, target: bytes) -> bool:
        """Tell whether he may put out `target`, which is user@host."""
        ...


class ByPolicy:
    """Lets the policy of a room decide."""

    def __init__(self, policy: RoomPolicy, now: float) -> None:
        self._policy = policy
        self._now = now

    def may_invite(self, referrer: Referrer, target: bytes) -> bool:
        """Tell whether the room calls others for him."""
        return self._policy.may_invite(_asker(referrer), target, self._now) is None

    def may_remove(self, referrer: Referrer, target: bytes) -> bool:
        """Tell whether he may put out `target`, which is user@host."""
        return self._policy.may_remove(_asker(referrer), Asker(target), self._now) is None


def _asker(referrer: Referrer) -> Asker:
    return Asker(referrer.key, referrer.source, referrer.is_here)
