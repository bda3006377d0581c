"""What Tab makes of a line: the rest of a command or of a name, as far as it is certain."""

from collections.abc import Iterable

from sylk.cli.commands import FORMS


def complete(text: str, names: Iterable[str]) -> tuple[str, list[str]]:
    """Return what to put behind `text`, which ends at the cursor, and what there is to choose from.

    A command stands at the beginning; a name that does is spoken to, with a colon.
    """
    if text.startswith("/") and " " not in text:
        found = [name for name in FORMS if name.startswith(text.lower()) and name != "//text"]
        return _rest(text, found, " "), found
    names = list(names)
    for start in _starts(text):
        begun = text[start:]
        found = [name for name in names if name.casefold().startswith(begun.casefold())]
        if begun and found:
            return _rest(begun, found, " " if start else ": "), found
    return "", []


def _starts(text: str) -> Iterable[int]:
    """Return where a name may begin: it may be of several words, so the longest comes first."""
    yield 0
    for index, character in enumerate(text):
        if character == " ":
            yield index + 1


def _rest(begun: str, found: list[str], behind: str) -> str:
    if len(found) == 1:
        return found[0][len(begun) :] + behind
    common = 0
    for letters in zip(*found, strict=False):
        if len({letter.casefold() for letter in letters}) > 1:
            break
        common += 1
    return found[0][len(begun) : common] if found else ""
