"""The sections of the applications: one for each, and one for each address with its own settings.

`[Conference]` belongs to the application `conference`. A section whose name is an address, such as
`[lobby@example.com]`, belongs to the application that answers that address; what it leaves out is
as in the section of the application.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sylk.application import Application
from sylk.config import SERVER_SECTIONS, RawConfig
from sylk.errors import ConfigError
from sylk.routing import RoutingTable
from sylk.settings import AddressSettings, address_key, settings_of

ApplicationTypes = Mapping[str, type[Application]]


@dataclass(slots=True)
class ApplicationSections:
    """What the file says to one application."""

    settings: Any
    addresses: Mapping[str, Mapping[str, object]]
    """What the section of each address sets itself, by `address_key`."""
    address_settings_class: type[Any] | None = None

    def address_settings(self, settings: Any) -> AddressSettings[Any]:
        """Return the settings of each address, where `settings` are those of the application."""
        kind = self.address_settings_class
        if kind is None:
            return AddressSettings(settings)
        inherited = {one.name: getattr(settings, one.name) for one in fields(kind)}
        own = {key: kind(**{**inherited, **values}) for key, values in self.addresses.items()}
        return AddressSettings(kind(**inherited), own)


def read_applications(
    raw: RawConfig, types: ApplicationTypes, disabled: Collection[str], routing: RoutingTable
) -> dict[str, ApplicationSections]:
    """Return what the file says to each application; raises ConfigError.

    Sections of the `disabled` ones, which are not imported, are left unread, and sections that
    belong to nobody are refused.
    """
    names = {name.capitalize() for name in [*types, *disabled]}
    addresses = [name for name in raw.sections if "@" in name]
    raw.check_unused([*SERVER_SECTIONS, *names, *addresses])
    found = {
        name: ApplicationSections(
            raw.section(kind.settings_class, name.capitalize()), {}, _address_class(kind)
        )
        for name, kind in types.items()
    }
    owners = _owners(raw, addresses, routing)
    for name, application in found.items():
        application.addresses = {
            key: _read_address(raw, section, types[name])
            for key, (section, owner) in owners.items()
            if owner == name
        }
    return found


def _owners(
    raw: RawConfig, sections: list[str], routing: RoutingTable
) -> dict[str, tuple[str, str]]:
    """Return by address the name of its section, and that of the application it belongs to."""
    found: dict[str, tuple[str, str]] = {}
    for section in sections:
        try:
            key = address_key(section)
        except ValueError as error:
            raise _section_error(raw, section, str(error)) from None
        if key in found:
            other = found[key][0]
            line = raw.sections[other].line
            problem = f"is the address of [{other}] on line {line} too: join the two"
            raise _section_error(raw, section, problem)
        user, _, host = key.rpartition("@")
        found[key] = section, routing.owner_of(user, host)
    return found


def _read_address(raw: RawConfig, section: str, kind: type[Application]) -> dict[str, object]:
    """Return what the section of an address sets itself."""
    if kind.address_settings_class is None:
        raise _section_error(
            raw,
            section,
            f"belongs to the application {kind.name!r}, as application_map and "
            "default_application say, which has no settings for single addresses",
        )
    general = kind.name.capitalize(), kind.settings_class
    return raw.values(kind.address_settings_class, section, general)


def _address_class(kind: type[Application]) -> type[Any] | None:
    """Return the class of settings for single addresses, if the application's has all of these."""
    of_address = kind.address_settings_class
    if of_address is None:
        return None
    general = {one.name for one in settings_of(kind.settings_class)}
    for one in settings_of(of_address):
        if one.name not in general:
            raise TypeError(f"{kind.settings_class.__name__} has no {one.name} to be inherited")
        if one.facts.restart:
            raise TypeError(f"{of_address.__name__}.{one.name} must be declared restart=False")
    return of_address


def _section_error(raw: RawConfig, section: str, message: str) -> ConfigError:
    return ConfigError(message, file=raw.file, line=raw.sections[section].line, section=section)
