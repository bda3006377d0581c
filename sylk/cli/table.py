"""Aligned columns for a terminal."""

import unicodedata
from collections.abc import Iterable, Sequence

from sylk.log import escape

_GAP = "  "


def width_of(text: str) -> int:
    """Return how many columns a terminal shows `text` in."""
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return lines under `head`, the columns `right` (by number) aligned on the right.

    What came from peers cannot move the cursor: everything is escaped.
    """
    cells = [list(head), *([escape(cell) for cell in row] for row in rows)]
    widths = [max(width_of(row[column]) for row in cells) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = [
            f"{' ' * (width - width_of(cell))}{cell}"
            if column in right
            else f"{cell}{' ' * (width - width_of(cell))}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return _GAP.join(padded).rstrip()

    return "\n".join(map(line, cells))


def size(count: float) -> str:
    """Return a number of bytes as a person reads it: `812 B`, `1.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def span(seconds: float) -> str:
    """Return a time as a person reads it, in its two largest units: `3 d 4 h`, `12 s`."""
    whole = int(seconds)
    parts = [
        (whole // 86400, "d"),
        (whole // 3600 % 24, "h"),
        (whole // 60 % 60, "min"),
        (whole % 60, "s"),
    ]
    while len(parts) > 1 and not parts[0][0]:
        del parts[0]
    return " ".join(f"{count} {unit}" for count, unit in parts[:2])
