"""`sylk-chat --browse`: the neighbourhood as lines for a script, and as a list to choose from."""

from functools import partial
from typing import TYPE_CHECKING, TextIO

import trio

from sylk.cli.neighbours import Entry, Neighbourhood, bare, look

if TYPE_CHECKING:
    # The import costs a tenth of a second, which a script need not pay.
    from prompt_toolkit.formatted_text import StyleAndTextTuples

_WIDTH = 32  # columns of a name
_WINDOW = 20  # lines of the list that are shown at one time


async def print_neighbours(seconds: float, output: TextIO) -> int:
    """Look for so long, then write who is there, a line each; returns how many there are.

    A line has the name, the address and the note, with tabs between them. Raises TransportError.
    """
    neighbourhood = Neighbourhood()
    await look(neighbourhood, partial(trio.sleep, seconds))
    entries = neighbourhood.entries
    for entry in entries:
        print(entry.line, file=output, flush=True)
    return len(entries)


class NeighbourList:
    """The list, and the line of it that is chosen; without a terminal."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._chosen: Entry | None = None

    @property
    def index(self) -> int:
        """The place of the chosen line."""
        return 0 if self._chosen is None else self.entries.index(self._chosen)

    @property
    def chosen(self) -> Entry | None:
        """The line that is chosen, None of an empty list."""
        return self.entries[self.index] if self.entries else None

    def take(self, entries: list[Entry]) -> None:
        """Take who is there now; what was chosen stays so while it is there."""
        index, chosen = (0, None) if self.chosen is None else (self.index, self.chosen)
        self.entries = entries
        self._chosen = None
        if chosen is not None and entries:
            same = [one for one in entries if one.uri == chosen.uri]
            self._chosen = same[0] if same else entries[min(index, len(entries) - 1)]

    def move(self, lines: int) -> None:
        """Choose another line, so many further down."""
        if self.entries:
            index = max(0, min(self.index + lines, len(self.entries) - 1))
            self._chosen = self.entries[index]

    def render(self) -> "StyleAndTextTuples":
        """Return what is to be seen."""
        if not self.entries:
            return [("class:dim", "Looking for rooms and people here …  (q leaves)\n")]
        found: StyleAndTextTuples = []
        first = max(0, min(self.index - _WINDOW // 2, len(self.entries) - _WINDOW))
        for number, entry in enumerate(self.entries[first : first + _WINDOW], first):
            style = "reverse" if number == self.index else ""
            mark = "room  " if entry.is_room else "      "
            found += [
                (f"class:dim {style}", mark),
                (style, f"{entry.name:{_WIDTH}.{_WIDTH}} "),
                (f"class:dim {style}", f"{bare(entry.uri)}  {entry.note}"),
                ("", "\n"),
            ]
        found.append(("class:dim", "Arrow keys choose, Enter joins, q leaves.\n"))
        return found
