"""The page of settings is that of this version, and can be read as a table."""

from dataclasses import dataclass
from pathlib import Path

from sylk.config import SERVER_SECTIONS, sample_sections
from sylk.settings import setting, settings_of
from sylk.settings_page import render_page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"


@dataclass(frozen=True, kw_only=True)
class Of:
    """What an address may set."""

    width: int = setting(3, "How wide | it is.", unit="metres", minimum=1, restart=False)


@dataclass(frozen=True, kw_only=True)
class House(Of):
    """A section."""

    colour: str = setting("", "Its <colour>.")


def test_a_row_has_all_that_is_declared() -> None:
    page = render_page({"House": House}, {"House": Of})
    assert "## [House]" in page
    assert (
        "| `width` | `3` | How wide \\| it is. (metres, at least 1, *reload*, *address*) |" in page
    )
    assert "| `colour` |  | Its &lt;colour>. |" in page


def test_the_page_in_the_documents_is_that_of_this_version() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(*sample_sections()), "make sample"


def test_every_setting_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, kind in SERVER_SECTIONS.items():
        section = page.partition(f"## [{name}]\n")[2].partition("\n## ")[0]
        assert all(f"| `{one.name}` |" in section for one in settings_of(kind))
