"""What the room itself says: the welcome, and who came and went."""

from collections.abc import Sequence

from sylk.payload.cpim import Address, CpimMessage
from sylk_conference.display_names import shown_name

# COMPAT: clients show a message with this header as a notice, not as somebody's words.
_STATUS = ("agp", "urn:ag-projects:xml:ns:cpim", "Message-Type", "status")

_TEXT = "text/plain; charset=utf-8"
NAMES_IN_WELCOME = 10
"""People whom a welcome names; of the others it tells how many they are."""


def name_of(address: Address) -> str:
    """Return a person as a notice names him: display name and address, or the address alone."""
    uri, name = address.uri.partition(":")[2], shown_name(address.display_name)
    return f"{name} <{uri}>" if name else uri


def welcome(
    room: Address,
    others: list[Address],
    date_time: str,
    subject: str = "",
    kept: float | None = 0,
    *,
    count: int | None = None,
    seen: Address | None = None,
) -> bytes:
    """Return the message/cpim that greets a newcomer and tells who else is here.

    `kept` is for how many seconds what is said is kept, None for ever. `count` is how many others
    there are, where `others` are only the first of them. `seen` is by which address the newcomer
    knows the room, where that is another.
    """
    if not others:
        text = "Welcome! You are the first one here."
    else:
        names = ", ".join(name_of(other) for other in others[:NAMES_IN_WELCOME])
        more = (len(others) if count is None else count) - NAMES_IN_WELCOME
        text = f"Welcome! Here already: {names}" + (f" and {more} more." if more > 0 else ".")
    text += f" Others join at {room.uri.partition(':')[2]}"
    if subject:
        text += f"\nSubject: {subject}"
    if kept is None or kept > 0:
        time = "" if kept is None else f" for {_duration(kept)}"
        text += f"\nWhat is said to all is kept{time}, for those who come later."
    return CpimMessage.compose(seen or room, seen or room, text.encode(), _TEXT, date_time).render()


def notice(room: Address, text: str, date_time: str, to: Sequence[Address] | None = None) -> bytes:
    """Return a message/cpim that clients show as a notice of the room."""
    return CpimMessage.compose(
        room, [room] if to is None else to, text.encode(), _TEXT, date_time, [_STATUS]
    ).render()


def _duration(seconds: float) -> str:
    for length, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        count = round(seconds / length)
        if seconds >= length:
            return f"a {name}".replace("a hour", "an hour") if count == 1 else f"{count} {name}s"
    return "less than a minute"
