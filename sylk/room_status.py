"""What an application tells of each of its rooms to the operator: `sylk-server rooms`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomStatus:
    """One room, or whatever else brings people together, as it is now."""

    address: str
    """The URI that one calls to come in."""
    people: int
    """How many persons are in it."""
    participants: int
    """How many sessions they have there."""
    messages: int = 0
    """How many messages it has taken since it opened."""
    waiting: int = 0
    """Bytes that wait for its participants."""
    subject: str = ""
    locked: bool = False
    """Whether nobody else may come in for now."""
    history: bool = False
    """Whether what is said is kept."""
