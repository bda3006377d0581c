"""Who has come and who has gone, as it is said in the chat: by name, and in a crowd together.

Of a thousand who come into one room within seconds, each telling all the others of himself would
make a million notices. So in a room of more than INDIVIDUALLY sessions what happens within WINDOW
after a notice is told in one, with the first names. Each notice goes to everybody, so that the
larger a room, the rarer they are. Who says something is told of before that. No I/O, no clock, no
tasks.
"""

from collections.abc import Callable, Collection, Sequence

from sylk_conference.alarm import SetAlarm
from sylk_conference.notices import name_of
from sylk_conference.people import Participant

INDIVIDUALLY = 20
"""Sessions in a room up to which each is told of by himself, and at once."""

WINDOW = 0.5
"""Seconds for which comings and goings are gathered at least."""

RATE = 400
"""Messages a second that the notices of one room may be: a thousand people gather for 2.5 s."""

NAMED = 10
"""Names in one notice; of the others only how many they are is told."""

Tell = Callable[[str, Collection[Participant]], None]
"""Says something to all but these."""

TellSome = Callable[[str, Sequence[Participant]], None]
"""Says something to these alone."""


class Comings:
    """The comings and goings of one room that are still to be told."""

    def __init__(self, set_alarm: SetAlarm, tell: Tell, tell_some: TellSome) -> None:
        self._set_alarm = set_alarm
        self._tell = tell
        self._tell_some = tell_some
        self._joined: dict[Participant, None] = {}
        self._left: list[Participant] = []
        self._is_gathering = False
        self._sessions = 0

    def joined(self, participant: Participant, sessions: int, now: float) -> None:
        """Tell the others, now or soon, that somebody is here, in a room of so many sessions."""
        self._joined[participant] = None
        self._tell_or_wait(sessions, now)

    def left(self, participant: Participant, sessions: int, now: float) -> None:
        """Tell the others, now or soon, that somebody is here no more."""
        self._left.append(participant)
        self._tell_or_wait(sessions, now)

    def before(self, speaker: Participant | None) -> None:
        """Tell what is still to be told of somebody before he says something."""
        if speaker in self._joined:
            self._flush()

    def close(self) -> None:
        """Forget what is to be told: nobody is here."""
        self._joined.clear()
        self._left.clear()
        self._is_gathering = False
        self._set_alarm(None, self._ring)

    def _tell_or_wait(self, sessions: int, now: float) -> None:
        self._sessions = sessions
        if self._is_gathering:
            return
        self._flush()
        if sessions > INDIVIDUALLY:
            self._gather(now)

    def _ring(self, now: float) -> None:
        self._is_gathering = False
        if self._joined or self._left:
            self._flush()
            self._gather(now)

    def _gather(self, now: float) -> None:
        self._is_gathering = True
        self._set_alarm(now + max(WINDOW, self._sessions / RATE), self._ring)

    def _flush(self) -> None:
        newcomers, left = self._joined, self._left
        self._joined, self._left = {}, []
        if newcomers:
            self._tell_joined(list(newcomers))
        if left:
            self._tell(f"{_names(left)} left the room", ())

    def _tell_joined(self, joined: Sequence[Participant]) -> None:
        text = f"{_names(joined)} joined the room"
        if len(joined) > NAMED:
            # They are among many of whom most have no name there: one text does for all.
            self._tell(text, ())
            return
        self._tell(text, joined)
        # Whoever came before them they know from the welcome.
        for index, participant in enumerate(joined[:-1], 1):
            self._tell_some(f"{_names(joined[index:])} joined the room", [participant])


def _names(people: Sequence[Participant]) -> str:
    """Return the names of people, and the verb that goes with them."""
    names = [name_of(one.address) for one in people[:NAMED]]
    if len(people) == 1:
        return f"{names[0]} has"
    if len(people) > NAMED:
        return f"{', '.join(names)} and {len(people) - NAMED} more have"
    return f"{', '.join(names[:-1])} and {names[-1]} have"
