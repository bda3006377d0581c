"""Writes `docs/settings.md` from the same declarations as `sylk.ini.sample`.

`python -m sylk.settings_page` prints it.
"""

from typing import TYPE_CHECKING

from sylk.config import SectionTypes, sample_sections
from sylk.settings import Setting, settings_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_HEAD = """\
# Settings

Every setting of `sylk.ini`, by section, as this version knows them. Each has a default that works.
What says *reload* is taken up when the server gets SIGHUP, the rest when it is started again.
`make sample` writes this page and `sylk.ini.sample`.
"""


def render_page(section_types: SectionTypes, address_types: SectionTypes) -> str:
    """Return the page: a table of settings for each section.

    `address_types` has what a section of a single address may set, by the section that it takes
    the rest from.
    """
    parts = [_HEAD]
    for name, kind in section_types.items():
        settings = list(settings_of(kind))
        if not settings:
            continue
        own = _names(address_types[name]) if name in address_types else set[str]()
        lines = [f"## [{name}]", ""]
        if own:
            lines += ["What is marked *address* may also stand in a section that is named by an"]
            lines += ["address, such as `[lobby@example.com]`, and then holds for that one.", ""]
        lines += ["| setting | default | what it does |", "|---|---|---|"]
        lines += [_row(one, is_of_address=one.name in own) for one in settings]
        parts.append("\n".join([*lines, ""]))
    return "\n".join(parts)


def _names(kind: "type[DataclassInstance]") -> set[str]:
    return {one.name for one in settings_of(kind)}


def _row(one: Setting, *, is_of_address: bool) -> str:
    facts = [one.facts.unit, one.bounds]
    facts += ["*reload*"] if not one.facts.restart else []
    facts += ["*address*"] if is_of_address else []
    text = one.facts.meaning
    if known := ", ".join(fact for fact in facts if fact):
        text += f" ({known})"
    if one.facts.not_yet:
        text += f" Not yet: {one.facts.not_yet}."
    default = f"`{one.default_text}`" if one.default_text else ""
    return f"| `{one.name}` | {_cell(default)} | {_cell(text)} |"


def _cell(text: str) -> str:
    """Return a text that cannot end the cell, or be taken for mark-up of its own."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(render_page(*sample_sections()), end="")
