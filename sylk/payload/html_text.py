"""The text of an HTML message, for those who take no HTML."""

import re
from html import unescape

HTML_LIMIT = 256 * 1024
"""Characters of HTML that are read; the rest is left out."""

_BLOCKS = frozenset({"br", "div", "p", "li", "tr", "h1", "h2", "h3", "h4", "blockquote", "pre"})
_UNSEEN = frozenset({"head", "script", "style", "title"})
# A doctype and the like have a name too, which means nothing.
_TAG = re.compile(r"<(/?)[!?]?([A-Za-z][A-Za-z0-9]*+)[^<>]*+>")
# The lengths are bounded: the library cannot read a number of thousands of digits.
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_BREAK = "\x0b"


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
