"""How a chat looks: messages, notices and failures become lines of styled text.

    12:03 alice: hello
    12:04 * bob has joined the room

No terminal is needed to make a line: it is a list of (style, text) pairs, whose styles are names
for the colours of `terminal.py`, and whose texts alone are the line of a pipe. The time is that of
arrival here, because the clock of a peer may be anything.
"""

import zlib
from datetime import datetime

from sylk.cli.harmless import harmless, harmless_lines, harmless_name
from sylk.payload.cpim import Address

Line = list[tuple[str, str]]
"""A line as pairs of style and text."""

NAME_COLOURS = 12
"""How many styles for names there are: "class:name0" and on."""

TEXT_LIMIT = 8000
"""Characters of one message that a terminal shows."""

NAMES_LIMIT = 10_000
"""People whose names are remembered; over it, everybody new is shown with the address."""

_QUOTE_LIMIT = 60
_INDENT = "      "


def plain_text(line: Line) -> str:
    """Return a line without its styles."""
    return "".join(text for _, text in line)


def bare_address(uri: str) -> str:
    """Return user@host of a SIP URI, or another URI as it is."""
    scheme, colon, rest = uri.partition(":")
    return rest.partition(";")[0] if colon and scheme.lower() in ("sip", "sips") else uri


class Names:
    """What to call people: the display name or the user, with the address where two share one."""

    def __init__(self, limit: int = NAMES_LIMIT) -> None:
        self._owners: dict[str, str] = {}
        self._limit = limit

    def name(self, person: Address) -> str:
        """Return the name of `person`; whoever was seen first with a name has it alone."""
        address = bare_address(person.uri)
        user = address.rpartition("@")[0] or address
        name = harmless_name(person.display_name) or harmless_name(user) or "?"
        owner = self._owners.get(name.casefold())
        if owner is None and len(self._owners) < self._limit:
            owner = self._owners[name.casefold()] = address
        return name if owner == address else f"{name} <{harmless(address)}>"


class ChatView:
    """Makes the lines of one chat; `own` and `room` are who we are, and whom we called."""

    def __init__(self, own: Address, room: Address, *, text_limit: int | None = None) -> None:
        self._own = own
        self._names = Names()
        self._text_limit = text_limit
        # Nobody who comes later can take these names.
        self._names.name(own)
        self._names.name(room)

    def called(self, person: Address) -> str:
        """Return what to call somebody."""
        return self._names.name(person)

    def said(
        self,
        person: Address,
        text: str,
        at: datetime,
        *,
        is_private: bool = False,
        to: Address | None = None,
        now: datetime | None = None,
    ) -> list[Line]:
        """Return the lines of what somebody said, us included; all but the first are indented.

        `to` is to whom alone we say it. With `now` it was said earlier: `at` is when.
        """
        if self._text_limit is not None and len(text) > self._text_limit:
            left_out = len(text) - self._text_limit
            text = f"{text[: self._text_limit]}… ({left_out} characters more)"
        first, *others = harmless_lines(text)
        mark = f" → {self._names.name(to)}" if to is not None else ""
        mark += " (private)" if is_private or to is not None else ""
        mark += " (earlier)" if now is not None else ""
        is_of_another_day = now is not None and now.date() != at.date()
        head = [
            ("class:time", f"{at:%Y-%m-%d %H:%M} ") if is_of_another_day else _time(at),
            (_name_style(person), self._names.name(person)),
            ("class:mark", f"{mark}: "),
        ]
        return [[*head, ("", first)], *([("", _INDENT + line)] for line in others)]

    def notice(self, text: str, at: datetime) -> list[Line]:
        """Return the lines of a notice, of the room or of this program."""
        first, *others = harmless_lines(text)
        lines = [f"* {first}", *(f"  {line}" for line in others)]
        return [
            [_time(at) if index == 0 else ("", _INDENT), ("class:notice", line)]
            for index, line in enumerate(lines)
        ]

    def unread(self, since: datetime) -> list[Line]:
        """Return the line above what came since the user was last at the keyboard."""
        return [[("class:notice", f"— new since {since:%H:%M} —")]]

    def failure(self, text: str, at: datetime) -> list[Line]:
        """Return the line of something that went wrong."""
        return [[_time(at), ("class:failure", f"! {harmless(text)}")]]


def not_delivered(text: str, status: int, reason: str) -> str:
    """Say that a message was not delivered, why, and which one it was."""
    shown = " ".join(text.split())
    if len(shown) > _QUOTE_LIMIT:
        shown = f"{shown[: _QUOTE_LIMIT - 1]}…"
    return harmless(f"not delivered: {' '.join(f'{status} {reason}'.split())}: “{shown}”")


def _time(at: datetime) -> tuple[str, str]:
    return ("class:time", f"{at:%H:%M} ")


def _name_style(person: Address) -> str:
    number = zlib.crc32(bare_address(person.uri).encode("utf-8", "replace")) % NAME_COLOURS
    return f"class:name{number}"
