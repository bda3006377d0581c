"""What people may bring along in a name: nothing that forges what stands beside it on a screen.

Letters of any script stay as they are, and the joiners that some scripts need between them. What
goes: line ends and other controls, marks that turn the direction of what follows, and angle
brackets, behind which deployed clients look for the address.
"""

import re

MAX_LENGTH = 100
"""Characters of a display name; more are cut off."""

_TURNS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_FORGING = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_TURNS}]")
_BRACKETS = re.compile("[<>]")


def harmless(text: str) -> str:
    """Return a text of one line without controls and marks of direction."""
    if text.isascii() and text.isprintable():
        return text
    return _FORGING.sub(" ", text)


def shown_name(name: str) -> str:
    """Return a display name as it can stand before an address in angle brackets."""
    name = " ".join(_BRACKETS.sub(" ", harmless(name)).split())
    return name if len(name) <= MAX_LENGTH else name[:MAX_LENGTH].rstrip() + "…"
