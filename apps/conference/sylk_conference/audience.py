"""Who can take a message of what type: what each client has said in its SDP (RFC 7701 section 6.1).

Nearly every client takes every type that is said, so what costs is only to know that: for each type
those who do not take it are looked up once, and again when somebody comes or goes.
"""

from sylk.payload.content_type import matches_any
from sylk_conference.people import Participant, People

MAX_TYPES = 64
"""Types that are remembered; clients may write each in many ways."""


class Audience:
    """Which of the people in a room take which type."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._deaf: dict[bytes, list[Participant]] = {}

    def changed(self) -> None:
        """Forget what is known: somebody has come or gone."""
        self._deaf.clear()

    def deaf_to(self, content_type: bytes) -> list[Participant]:
        """Return those whose clients do not take this type; for most types nobody."""
        deaf = self._deaf.get(content_type)
        if deaf is None:
            if len(self._deaf) >= MAX_TYPES:
                self._deaf.clear()
            text = content_type.decode("utf-8", "replace")
            deaf = self._deaf[content_type] = [
                participant
                for user in self._people
                for participant in user.participants
                if not takes(participant, text)
            ]
        return deaf


def takes(participant: Participant, content_type: str) -> bool:
    """Tell whether a client takes a type wrapped in CPIM."""
    return not participant.accepts or matches_any(content_type, participant.accepts)
