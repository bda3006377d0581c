"""Checks the settings file: every error of it, not only the first."""

from collections.abc import Iterator

from sylk.admission_config import admission_policy
from sylk.application_config import read_applications
from sylk.cli.checks.finding import Finding, fail, ok, warn
from sylk.config import SERVER_SECTIONS, RawConfig, SectionTypes
from sylk.discovery import ApplicationTypes, find_applications
from sylk.errors import ConfigError
from sylk.server_config import ServerSections, check_sections, routing_table

SUBJECT = "configuration"


def check_configuration(raw: RawConfig) -> tuple[list[Finding], ServerSections | None]:
    """Return the findings, and the server's own sections if these can be read."""
    try:
        sections = ServerSections.read(raw)
    except ConfigError:
        return [_finding(error) for error in _own_errors(raw)], None
    try:
        types = find_applications(
            sections.server.extra_applications_dir, sections.server.disabled_applications
        )
    except ConfigError as error:
        return [_finding(error)], sections
    errors = list(_errors(raw, sections, types))
    if errors:
        return [_finding(error) for error in errors], sections
    count = sum(len(section.values) for section in raw.sections.values())
    where = f"{raw.file}, {count} settings" if raw.file else "no file: all defaults"
    return [ok(SUBJECT, where), *_warnings(raw, sections)], sections


def _own_errors(raw: RawConfig) -> list[ConfigError]:
    """Return the errors of the sections of the server, and no more than these."""
    return [
        error
        for error in raw.all_errors(SERVER_SECTIONS)
        if error.section in SERVER_SECTIONS or error in raw.syntax_errors
    ]


def _errors(
    raw: RawConfig, sections: ServerSections, types: ApplicationTypes
) -> Iterator[ConfigError]:
    disabled = sections.server.disabled_applications
    known: SectionTypes = {
        **SERVER_SECTIONS,
        **{name.capitalize(): kind.settings_class for name, kind in types.items()},
    }
    found = [
        error
        for error in raw.all_errors(known)
        # Sections of addresses, and of disabled applications, are looked at below.
        if error.section in known or error in raw.syntax_errors
    ]
    yield from found
    try:
        check_sections(raw, sections)
    except ConfigError as error:
        yield error
    try:
        read_applications(raw, types, disabled, routing_table(raw, sections.server, types))
    except ConfigError as error:
        if str(error) not in map(str, found):
            yield error


def _warnings(raw: RawConfig, sections: ServerSections) -> Iterator[Finding]:
    policy = admission_policy(raw, sections.server, sections.sip, sections.tls)
    if policy.warning:
        text = policy.warning.partition("; see ")[0]
        yield warn("passwords", text, "give each user one: sylk-server passwd USER@REALM")


def _finding(error: ConfigError) -> Finding:
    return fail(SUBJECT, str(error), "mend the line; sylk.ini.sample has every setting")
