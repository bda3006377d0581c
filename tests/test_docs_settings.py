"""The documents name no setting that does not exist, and no command that does not either."""

import re
from functools import cache
from pathlib import Path

import pytest

from sylk.cli.server import COMMANDS
from sylk.config import RawConfig, parse_config, sample_sections
from sylk.settings import settings_of

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_INI = re.compile(r"```ini\n(.*?)```", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_OF_SECTION = re.compile(r"\[(\w+)\] (\w+)(?: = .*)?")
_ASSIGNED = re.compile(r"([a-z][a-z0-9_]*) = \S.*")
_IN_SECTION = re.compile(r"`(\w+_\w+)`(?: (?:and|or|,) `(\w+_\w+)`)? (?:in|of) `\[(\w+)\]`")
_COMMAND = re.compile(r"\bsylk-server ([a-z][a-z-]*)\b")

# Of other programs, or of applications that a page makes up: page, key.
OTHERS = {("applications.md", "application_map"), ("applications.md", "trio_mode")}

any_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@cache
def known() -> dict[str, set[str]]:
    sections, _ = sample_sections()
    return {name: {one.name for one in settings_of(kind)} for name, kind in sections.items()}


def unknown_in(config: RawConfig) -> list[str]:
    """Return the settings of a file that do not exist; applications of others are let pass."""
    sections, of_addresses = sample_sections()
    found = [str(error) for error in config.syntax_errors]
    for name, section in config.sections.items():
        kind = of_addresses["Conference"] if "@" in name else sections.get(name)
        names = set[str]() if kind is None else {one.name for one in settings_of(kind)}
        found += [f"[{name}] {key}" for key in section.values if key not in names]
    return found


@any_document
def test_what_is_shown_as_a_file_can_be_one(document: Path) -> None:
    for text in _INI.findall(document.read_text(encoding="utf-8")):
        assert unknown_in(parse_config(text)) == []


@any_document
def test_every_setting_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for code in _CODE.findall(text):
        if match := _OF_SECTION.fullmatch(code):
            section, key = match.groups()
            assert key in known().get(section, ()), f"there is no [{section}] {key}"
        elif (match := _ASSIGNED.fullmatch(code)) and (document.name, match[1]) not in OTHERS:
            assert any(match[1] in keys for keys in known().values()), f"there is no {match[1]}"
    for *keys, section in _IN_SECTION.findall(text):
        for key in filter(None, keys):
            assert key in known().get(section, ()), f"there is no {key} in [{section}]"


@any_document
def test_every_command_that_is_named_exists(document: Path) -> None:
    for name in _COMMAND.findall(document.read_text(encoding="utf-8")):
        assert name in COMMANDS, f"there is no sylk-server {name}"


def test_what_does_not_exist_is_found() -> None:
    assert unknown_in(parse_config("[SIP]\nlocal_prt = 1\n[a@b]\nmax_rooms = 3\n")) == [
        "[SIP] local_prt",
        "[a@b] max_rooms",
    ]
