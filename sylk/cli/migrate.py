"""The command `sylk-server migrate`: makes a sylk.ini of the settings of a SylkServer.

What it cannot take over it says, each with the reason, so that nothing is lost in silence.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sylk.cli.sylkserver_settings import (
    SERVER,
    Convert,
    NoCounterpart,
    PartOnly,
    Triple,
    is_on,
    reason,
    room_settings,
)
from sylk.config import SERVER_SECTIONS, RawConfig, read_config
from sylk.discovery import find_applications
from sylk.errors import ConfigError
from sylk.settings import settings_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_PROG = "sylk-server migrate"
_NOTHING: Mapping[str, Convert] = {}
_SERVER_FILE, _CONFERENCE_FILE = "config.ini", "conference.ini"


@dataclass(slots=True)
class Migration:
    """What becomes of the settings."""

    sections: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    remarks: list[str] = field(default_factory=list[str])
    """A line for each setting that does not go on as it was."""

    def add(self, triples: Sequence[Triple], where: str) -> None:
        """Take settings over, unless this server would refuse them."""
        for section, key, value in triples:
            if problem := _problem(section, key, value):
                self.remarks.append(f"{where}: {problem}")
            else:
                self.sections.setdefault(section, {})[key] = value

    def render(self) -> str:
        """Return the sylk.ini."""
        parts = ["; Made by sylk-server migrate. What is not here has its default."]
        for name, values in self.sections.items():
            parts.append("\n".join([f"[{name}]", *(f"{k} = {v}" for k, v in values.items())]))
        return "\n\n".join(parts) + "\n"


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, or 1 if it cannot be done."""
    options = _make_parser().parse_args(arguments)
    try:
        migration = migrate(options.folder)
    except ConfigError as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        return 1
    text = migration.render()
    if options.output is None:
        print(text, end="")
    else:
        try:
            with options.output.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            print(f"{_PROG}: {options.output}: {error.strerror}", file=sys.stderr)
            return 1
        print(f"wrote {options.output}; sylk-server check --config {options.output} looks at it")
    for remark in migration.remarks:
        print(remark, file=sys.stderr)
    return 0


def migrate(folder: Path) -> Migration:
    """Return what becomes of the settings in a folder of SylkServer; raises ConfigError."""
    paths = [folder / name for name in (_SERVER_FILE, _CONFERENCE_FILE)]
    if not any(path.is_file() for path in paths):
        names = f"{_SERVER_FILE} or {_CONFERENCE_FILE}"
        raise ConfigError(f"there is no {names} here", file=str(folder))
    migration = Migration()
    server, conference = (read_config(path if path.is_file() else None) for path in paths)
    for raw in (server, conference):
        migration.remarks += [f"left out: {error}" for error in raw.syntax_errors]
    for section, raw_section in server.sections.items():
        rows = {key: row for (name, key), row in SERVER.items() if name == section}
        for key, value in raw_section.values.items():
            where = f"{_SERVER_FILE}:{value.line}: [{section}] {key}"
            _convert(migration, rows, section, key, value.text, where)
    _take_authorities(migration, server)
    for section, raw_section in conference.sections.items():
        is_known = section == "Conference" or "@" in section
        rows = room_settings(section) if is_known else _NOTHING
        for key, value in raw_section.values.items():
            where = f"{_CONFERENCE_FILE}:{value.line}: [{section}] {key}"
            _convert(migration, rows, section, key, value.text, where)
    return migration


def _convert(
    migration: Migration,
    rows: Mapping[str, Convert],
    section: str,
    key: str,
    value: str,
    where: str,
) -> None:
    row = rows.get(key)
    if row is None:
        general = "Conference" if "@" in section else section
        migration.remarks.append(f"{where}: {reason(general, key)}")
        return
    try:
        migration.add(row(value), where)
    except PartOnly as part:
        migration.add(part.triples, where)
        migration.remarks.append(f"{where}: {part}")
    except NoCounterpart as error:
        migration.remarks.append(f"{where}: {error}")


def _take_authorities(migration: Migration, server: RawConfig) -> None:
    """Take ca_file over where certificates are checked: that takes two settings there."""
    section = server.sections.get("Server")
    if section is None or "ca_file" not in section.values:
        return
    verify = section.values.get("verify_server")
    if verify is not None and is_on(verify.text):
        ca_file = section.values["ca_file"]
        migration.add([("TLS", "ca_file", ca_file.text)], f"{_SERVER_FILE}:{ca_file.line}")
        done = tuple(f"[Server] {key}: " for key in ("ca_file", "verify_server"))
        migration.remarks = [
            line for line in migration.remarks if not any(one in line for one in done)
        ]


def _problem(section: str, key: str, value: str) -> str:
    """Return why this server would not take a setting, "" if it would."""
    for one in settings_of(_type_of(section)):
        if one.name == key:
            try:
                one.read(value)
            except ValueError as error:
                return f"{key} {error}"
            return ""
    return f"there is no {key} here"


def _type_of(section: str) -> "type[DataclassInstance]":
    if section in SERVER_SECTIONS:
        return SERVER_SECTIONS[section]
    conference = find_applications(None)["conference"]
    if "@" in section and conference.address_settings_class is not None:
        return conference.address_settings_class
    return conference.settings_class


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Make a sylk.ini of the config.ini and conference.ini of a SylkServer. What "
        "has no counterpart is told, with the reason, on the standard error.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="for example /etc/sylkserver")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="write it there, if there is no such file yet"
    )
    return parser
