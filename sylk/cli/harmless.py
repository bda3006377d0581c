"""What strangers write, made fit for a terminal.

A chat message can carry escape sequences that recolour, erase or rename the terminal, line ends
that forge lines of other people, and marks that turn the order of the text round. None of them
reaches the screen: a control character is shown as its picture (U+2400 and on), any other as
U+FFFD. The joiners that emoji and several scripts need stay in texts, but not in names.
"""

import re
from html import unescape

NAME_LIMIT = 40
"""Characters of a name, before the rest of it is cut off."""

HTML_LIMIT = 256 * 1024
"""Characters of HTML that are read; the rest is left out."""

_TAB_WIDTH = 4

# C0, DEL and C1 controls; marks and overrides of direction; line and paragraph separators;
# invisible characters; surrogates, which stand for bytes that were not UTF-8; tags.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_JOINERS = re.compile("[\u200c\u200d]")
_LINE_END = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")

_BLOCKS = frozenset({"br", "div", "p", "li", "tr", "h1", "h2", "h3", "h4", "blockquote", "pre"})
_UNSEEN = frozenset({"head", "script", "style", "title"})
# A doctype and the like have a name too, which means nothing.
_TAG = re.compile(r"<(/?)[!?]?([A-Za-z][A-Za-z0-9]*+)[^<>]*+>")
# The lengths are bounded: the library cannot read a number of thousands of digits.
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_BREAK = "\x0b"


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


def text_of_html(html: str) -> str:
    """Return the text of an HTML message: tags are dropped, blocks begin new lines.

    The standard library's HTMLParser is not used: strangers can make it raise, or take minutes.
    """
    parts: list[str] = []
    unseen = 0
    place = 0
    html = _without_comments(html[:HTML_LIMIT])
    for tag in _TAG.finditer(html):
        if not unseen:
            parts.append(html[place : tag.start()])
        place = tag.end()
        closing, name = tag[1], tag[2].lower()
        if name in _UNSEEN:
            unseen = max(0, unseen - 1) if closing else unseen + 1
        elif not unseen and name in _BLOCKS and (name == "br" or not closing):
            parts.append(_BREAK)
    if not unseen:
        parts.append(html[place:])
    text = _REFERENCE.sub(_resolve, _SPACE.sub(" ", "".join(parts)))
    lines = [line.strip(" ") for line in text.split(_BREAK)]
    return "\n".join(lines).strip("\n")


def _without_comments(html: str) -> str:
    kept: list[str] = []
    place = 0
    while (start := html.find("<!--", place)) >= 0 and (end := html.find("-->", start + 4)) >= 0:
        kept.append(html[place:start])
        place = end + 3
    return "".join([*kept, html[place:]])


def _resolve(reference: re.Match[str]) -> str:
    return unescape(reference[0])


def _show(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
