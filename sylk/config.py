"""Reads `sylk.ini` into typed sections, and writes the sample file from the same declarations.

The file is read once, as text, into a `RawConfig` that remembers the line of everything; the
sections are typed afterwards, one by one, because [Server] must be known before the applications
are found whose sections follow. Each error names the file, the line, the section, the key and
what would be right. Python's own configparser is not used because it forgets the lines.

The rules of the file: `[section]`, then `key = value` or `key: value`; keys are case-insensitive;
a line indented deeper than its key continues the value; `#` and `;` begin a comment at the start
of a line or after white space; the same key or section twice is an error.

`python -m sylk.config` prints the sample file.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from sylk.errors import ConfigError
from sylk.media_sections import MsrpSettings, RelaySection
from sylk.sections import MetricsSettings, ServerSettings, SipSettings, TlsSettings
from sylk.setting_types import near_miss
from sylk.settings import Setting, settings_of
from sylk.trace.settings import TraceSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Section = TypeVar("Section", bound="DataclassInstance")
SectionTypes = Mapping[str, "type[DataclassInstance]"]

# Where the file is looked for when nobody names it, in this order.
SEARCH_PATH = (Path("sylk.ini"), Path("/etc/sylk/sylk.ini"))

# The sections of the server itself; each application adds one.
SERVER_SECTIONS: SectionTypes = {
    ServerSettings.section: ServerSettings,
    SipSettings.section: SipSettings,
    MsrpSettings.section: MsrpSettings,
    RelaySection.section: RelaySection,
    TlsSettings.section: TlsSettings,
    TraceSettings.section: TraceSettings,
    MetricsSettings.section: MetricsSettings,
}

_COMMENT = re.compile(r"(?:^|\s)[#;].*")
_SECTION = re.compile(r"\[([^\[\]]+)\]")
_SETTING = re.compile(r"([^=:]+?)\s*[=:]\s*(.*)")
_SAMPLE_WIDTH = 79  # columns
_SAMPLE_ADDRESS = "lobby@example.com"
_SAMPLE_HEAD = """\
; Settings of the Sylk server. Copy this file to sylk.ini, in the folder in
; which the server is started, or to /etc/sylk/sylk.ini. What is not set keeps
; its default, which is what stands behind the semicolon here. A change of what
; says "reload" is taken up when the server gets SIGHUP, any other when it is
; started again.
"""


@dataclass(slots=True)
class RawValue:
    """The text of one setting, and the line on which it stands."""

    text: str
    line: int


@dataclass(slots=True)
class RawSection:
    """One section as it stands in the file."""

    line: int
    values: dict[str, RawValue] = field(default_factory=dict[str, RawValue])


@dataclass(slots=True)
class RawConfig:
    """The settings file, read but not yet typed."""

    file: str | None = None
    sections: dict[str, RawSection] = field(default_factory=dict[str, RawSection])
    syntax_errors: list[ConfigError] = field(default_factory=list[ConfigError])

    def section(self, section_type: type[Section], name: str) -> Section:
        """Return section `name` as an instance of `section_type`, defaults where nothing is set.

        Raises ConfigError, the first in the file; `all_errors` has the others.
        """
        return section_type(**self.values(section_type, name))

    def values(
        self,
        section_type: "type[DataclassInstance]",
        name: str,
        general: "tuple[str, type[DataclassInstance]] | None" = None,
    ) -> dict[str, object]:
        """Return what section `name` sets, by key; raises ConfigError, the first in the file.

        `general` is the section, with its type, that has what must not be set here.
        """
        values, errors = self._read_section(section_type, name, general)
        _raise_first(self.syntax_errors + errors)
        return values

    def check_unused(self, known_sections: Iterable[str]) -> None:
        """Raise ConfigError for the first section that nobody knows."""
        _raise_first(self._unused(known_sections))

    def all_errors(self, section_types: SectionTypes) -> list[ConfigError]:
        """Return every error of the file, by line; for the operator who would mend all at once."""
        errors = self.syntax_errors + self._unused(section_types)
        for name, section_type in section_types.items():
            errors += self._read_section(section_type, name)[1]
        return sorted(errors, key=_line_of)

    def error(self, section: str, key: str, message: str) -> ConfigError:
        """Return an error about a value that reads well and still cannot be used."""
        raw = self.sections.get(section)
        value = raw.values.get(key) if raw is not None else None
        line = value.line if value is not None else None
        return ConfigError(message, file=self.file, line=line, section=section, key=key)

    def _read_section(
        self,
        section_type: "type[DataclassInstance]",
        name: str,
        general: "tuple[str, type[DataclassInstance]] | None" = None,
    ) -> tuple[dict[str, object], list[ConfigError]]:
        declared: dict[str, Setting] = {one.name: one for one in settings_of(section_type)}
        elsewhere = {one.name for one in settings_of(general[1])} if general else set[str]()
        raw = self.sections.get(name)
        values: dict[str, object] = {}
        errors: list[ConfigError] = []
        for key, value in raw.values.items() if raw is not None else ():
            if key not in declared:
                problem = f"there is no such setting{near_miss(key, declared)}"
                if general and key in elsewhere:
                    problem = f"holds for all addresses: set it in [{general[0]}]"
                errors.append(self.error(name, key, problem))
                continue
            try:
                values[key] = declared[key].read(value.text)
            except ValueError as error:
                errors.append(self.error(name, key, str(error)))
        return values, errors

    def _unused(self, known_sections: Iterable[str]) -> list[ConfigError]:
        known = list(known_sections)
        return [
            ConfigError(
                f"there is no such section{near_miss(name, known)}",
                file=self.file,
                line=raw.line,
                section=name,
            )
            for name, raw in self.sections.items()
            if name not in known
        ]


def _line_of(error: ConfigError) -> int:
    return error.line or 0


def _raise_first(errors: list[ConfigError]) -> None:
    if errors:
        raise min(errors, key=_line_of)


def find_config(explicit: str | None) -> Path | None:
    """Return the file to read: the one that is named, else the first of the search path.

    Raises ConfigError where the named one is not there; None means that defaults will do.
    """
    if explicit is not None:
        if not Path(explicit).is_file():
            raise ConfigError("there is no such file", file=explicit)
        return Path(explicit)
    return next((path for path in SEARCH_PATH if path.is_file()), None)


def read_config(path: Path | None) -> RawConfig:
    """Read the file at `path`, or nothing where it is None.

    Raises ConfigError where it cannot be read at all; what is wrong inside it is raised by
    `RawConfig.section`.
    """
    if path is None:
        return RawConfig()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from error
    try:
        return parse_config(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not text in UTF-8", file=str(path), line=line) from error


def parse_config(text: str, file: str | None = None) -> RawConfig:
    """Parse the text of a settings file; what is wrong is kept in `syntax_errors`."""
    config = RawConfig(file)
    section: RawSection | None = None
    section_name: str | None = None
    value: RawValue | None = None
    value_indent = 0
    # Not splitlines(), which also cuts at form feeds and other characters inside a value.
    for number, full_line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        line = _COMMENT.sub("", full_line).strip()
        indent = len(full_line) - len(full_line.lstrip())
        if not line:
            if not full_line.strip():
                value = None
        elif value is not None and indent > value_indent:
            value.text = f"{value.text} {line}".strip()
        elif match := _SECTION.fullmatch(line):
            name = match[1].strip()
            section_name, value = name, None
            section = _begin_section(config, name, number)
        else:
            value, value_indent = RawValue("", number), indent
            error = _add_setting(section, line, value)
            if error:
                config.syntax_errors.append(
                    ConfigError(error, file=file, line=number, section=section_name)
                )
    return config


def _begin_section(config: RawConfig, name: str, line: int) -> RawSection:
    begun = RawSection(line)
    earlier = config.sections.setdefault(name, begun)
    if earlier is not begun:
        config.syntax_errors.append(
            ConfigError(
                f"this section began on line {earlier.line} already: join the two",
                file=config.file,
                line=line,
                section=name,
            )
        )
    return earlier


def _add_setting(section: RawSection | None, line: str, value: RawValue) -> str:
    """Put the setting on `line` into the section; returns what is wrong, or ""."""
    match = _SETTING.fullmatch(line)
    if match is None:
        return f"{line!r} is neither [section] nor key = value"
    if section is None:
        return f"{match[1]!r} stands before the first [section]"
    value.text = match[2]
    key = match[1].lower()
    earlier = section.values.setdefault(key, value)
    if earlier is not value:
        return f"{key} was set on line {earlier.line} already: keep one of the two"
    return ""


def render_sample(section_types: SectionTypes, address_types: SectionTypes | None = None) -> str:
    """Return the sample file: every setting with its default, commented out, and its meaning.

    `address_types` has what a section of a single address may set, by the section that it takes
    the rest from.
    """
    parts = [_SAMPLE_HEAD]
    for name, section_type in section_types.items():
        settings = [_render_setting(one) for one in settings_of(section_type)]
        if settings:
            parts.append("\n".join([f"[{name}]", *settings]))
        if address_types is not None and name in address_types:
            parts.append(_render_address_section(name, address_types[name]))
    return "\n".join(parts)


def _render_setting(one: Setting) -> str:
    words = [one.facts.meaning]
    reload = "" if one.facts.restart else "reload"
    if facts := ", ".join(part for part in (one.facts.unit, one.bounds, reload) if part):
        words.append(f"({facts})")
    if one.facts.not_yet:
        words.append(f"{one.facts.not_yet[0].upper()}{one.facts.not_yet[1:]}.")
    return f"{_comment(' '.join(words))}\n;{one.name} = {one.default_text}".rstrip() + "\n"


def _render_address_section(name: str, section_type: "type[DataclassInstance]") -> str:
    keys = ", ".join(one.name for one in settings_of(section_type))
    text = (
        f"A section named by an address has the settings of that address alone; what it leaves out "
        f"is as in [{name}]. It may set: {keys}."
    )
    return f"{_comment(text)}\n;[{_SAMPLE_ADDRESS}]\n"


def _comment(text: str) -> str:
    return textwrap.fill(
        text, _SAMPLE_WIDTH, initial_indent="; ", subsequent_indent="; ", break_on_hyphens=False
    )


class _HasSettings(Protocol):
    """What the sample must know of an application."""

    name: str
    settings_class: "type[DataclassInstance]"
    address_settings_class: "type[DataclassInstance] | None"


def sample_sections() -> tuple[SectionTypes, SectionTypes]:
    """Return the sections of the server and of the applications that come with it.

    The second mapping has what a section of a single address may set, by the section of its
    application.
    """
    sections = dict(SERVER_SECTIONS)
    of_addresses: dict[str, type[DataclassInstance]] = {}
    for entry in sorted(entry_points(group="sylk.applications")):
        # Applications of other distributions have a sample of their own.
        if entry.dist is not None and entry.dist.name == "sylk":
            application: _HasSettings = entry.load()
            name = application.name.capitalize()
            sections[name] = application.settings_class
            if application.address_settings_class is not None:
                of_addresses[name] = application.address_settings_class
    return sections, of_addresses


def sample() -> str:
    """Return the sample file of the server and of the applications that come with it."""
    return render_sample(*sample_sections())


if __name__ == "__main__":
    print(sample(), end="")
