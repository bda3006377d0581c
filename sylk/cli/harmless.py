"""What strangers write, made fit for a terminal.

A chat message can carry escape sequences that recolour, erase or rename the terminal, line ends
that forge lines of other people, and marks that turn the order of the text round. None of them
reaches the screen: a control character is shown as its picture (U+2400 and on), any other as
U+FFFD. The joiners that emoji and several scripts need stay in texts, but not in names.
"""

import re

NAME_LIMIT = 40
"""Characters of a name, before the rest of it is cut off."""

_TAB_WIDTH = 4

# C0, DEL and C1 controls; marks and overrides of direction; line and paragraph separators;
# invisible characters; surrogates, which stand for bytes that were not UTF-8; tags.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_JOINERS = re.compile("[\u200c\u200d]")
_LINE_END = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")


def harmless(line: str) -> str:
    """Return one line of text in which nothing drives a terminal."""
    return _UNSAFE.sub(_show, line.expandtabs(_TAB_WIDTH))


def harmless_lines(text: str) -> list[str]:
    """Return the lines of `text`, each harmless; blank lines at the end are left out."""
    lines = [harmless(line) for line in _LINE_END.split(text)]
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    return lines


def harmless_name(name: str, limit: int = NAME_LIMIT) -> str:
    """Return a name that cannot pass for more than a name, of at most `limit` characters.

    One that holds a mark which has a meaning beside a name is put into quotes: the colon before
    a text, the brackets of an address, the star and the exclamation mark of a notice.
    """
    name = harmless(" ".join(_JOINERS.sub("", name).split()))
    if len(name) > limit:
        name = f"{name[: limit - 1]}…"
    if any(mark in name for mark in ':"<>') or name.startswith(("*", "!")):
        name = f'"{name.replace(chr(34), chr(39))}"'
    return name


def _show(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
