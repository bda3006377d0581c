"""Commands to the focus: messages that the room does not pass on, but carries out.

SIP and MSRP have no request by which a moderator mutes somebody: REFER brings in and puts out, and
that is all. So a command is a message/cpim to the room, whose wrapped content is a JSON object of
the type `application/vnd.sylk.command+json`; `docs/rooms.md` lists them. No I/O, no clock.
"""

import json
from dataclasses import dataclass
from typing import cast

from sylk.errors import RemoteProtocolError

COMMAND_TYPE = b"application/vnd.sylk.command+json"

MAX_SIZE = 8192
"""Bytes of a command."""

MAX_SECONDS = 10 * 365 * 86_400
"""The longest time that can be written in a command."""

MAX_COUNT = 1000
"""The most messages that can be asked for at once."""

DEFAULT_COUNT = 50
"""How many messages are shown to who does not say."""

COMMANDS = {
    "kick": ("user",),
    "ban": ("user",),
    "unban": ("user",),
    "mute": ("user",),
    "unmute": ("user",),
    "lock": (),
    "unlock": (),
    "subject": ("text",),
    "history": (),
}
"""Each command with what must be in it."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants of the room."""

    name: str
    user: str = ""
    """Whom it is about, as a SIP URI."""
    text: str = ""
    seconds: float | None = None
    """For how long; None leaves it to the room."""
    count: int = DEFAULT_COUNT
    """How many messages."""
    earlier: bool = False
    """Whether those are wanted that come before the last that were shown."""


def read_command(content: bytes) -> Command:
    """Return what a message wants; raises RemoteProtocolError (400) for what is no command."""
    if len(content) > MAX_SIZE:
        raise RemoteProtocolError("the command is too long")
    try:
        read: object = json.loads(content)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("a command is a JSON object") from None
    if not isinstance(read, dict):
        raise RemoteProtocolError("a command is a JSON object")
    fields = cast("dict[str, object]", read)
    name = fields.get("command")
    if not isinstance(name, str) or name not in COMMANDS:
        raise RemoteProtocolError("there is no such command")
    texts = {key: _text(fields, key) for key in ("user", "text")}
    missing = [key for key in COMMANDS[name] if key not in fields]
    if missing:
        raise RemoteProtocolError(f"{name} wants {missing[0]}")
    return Command(
        name,
        texts["user"],
        texts["text"],
        _number(fields, "seconds", MAX_SECONDS),
        round(_number(fields, "count", MAX_COUNT) or DEFAULT_COUNT),
        fields.get("earlier") is True,
    )


def _text(fields: dict[str, object], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{key} is a text")
    return value


def _number(fields: dict[str, object], key: str, most: float) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise RemoteProtocolError(f"{key} is a number from 1 to {most}")
    return value
