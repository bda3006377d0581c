"""The conference factory: whoever calls it gets a room of his own (RFC 4579 sections 3.2 and 5.4).

The new room has a name that nobody can guess and that can be read out: syllables, in groups. It is
told in the Contact of the answer, with `isfocus`, and in the welcome. The host is that of the
factory, as what leads to the one leads to the other; the Contact has the address of the server, so
that a room of the factory is found by its name alone. No I/O, no clock, no tasks.
"""

from collections.abc import Callable

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aeiou"
_SYLLABLES = len(_CONSONANTS) * len(_VOWELS)
_GROUPS = 4
_SYLLABLES_IN_GROUP = 3
"""12 syllables of 80: 75 bits."""


class Factory:
    """Names new rooms; `user` is the user part of its own URI, empty where there is no factory."""

    def __init__(
        self,
        user: str,
        random_below: Callable[[int], int],
        leads_here: Callable[[str], bool] = lambda name: True,
    ) -> None:
        """Take what returns a number from 0 up to a limit that nobody can guess.

        `leads_here` tells of a name whether requests for it come to us, and to no other worker.
        """
        self._user = user.lower()
        self._random_below = random_below
        self._leads_here = leads_here

    def is_named(self, user: str | None) -> bool:
        """Tell whether the user part of a URI is that of the factory; its case is forgiven."""
        return bool(self._user) and user is not None and user.lower() == self._user

    def new_room(self, uri: str) -> str:
        """Return the URI of a new room; `uri` is that of the factory, bare of parameters."""
        scheme, _, rest = uri.partition(":")
        return f"{scheme}:{self.new_name()}@{rest.rpartition('@')[2]}"

    def new_name(self) -> str:
        """Return a name for a room that no other has, such as `kolube-rimato-vanise-dupoga`."""
        name = self._draw()
        while not self._leads_here(name):
            name = self._draw()
        return name

    def _draw(self) -> str:
        return "-".join(
            "".join(self._syllable() for _ in range(_SYLLABLES_IN_GROUP)) for _ in range(_GROUPS)
        )

    def _syllable(self) -> str:
        consonant, vowel = divmod(self._random_below(_SYLLABLES), len(_VOWELS))
        return _CONSONANTS[consonant] + _VOWELS[vowel]
