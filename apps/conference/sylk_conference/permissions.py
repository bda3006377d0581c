"""Who may have others called into a room, and who may put others out of it.

`Permissions` is what referrals ask for; the policy of a room decides. No I/O, no clock, no tasks.
"""

from dataclasses import dataclass
from typing import Protocol

from sylk.payload.cpim import Address
from sylk_conference.people import key_of


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

    def may_invite(self, referrer: Referrer) -> bool:
        """Tell whether the room calls others for him."""
        ...

    def may_remove(self, referrer: Referrer, target: bytes) -> bool:
        """Tell whether he may put out `target`, which is user@host."""
        ...


class ParticipantsInvite:
    """Who is here may invite; everybody may put out his own clients, and nobody others."""

    def may_invite(self, referrer: Referrer) -> bool:
        """Tell whether the room calls others for him."""
        return referrer.is_here

    def may_remove(self, referrer: Referrer, target: bytes) -> bool:
        """Tell whether he may put out `target`, which is user@host."""
        return referrer.key == target
