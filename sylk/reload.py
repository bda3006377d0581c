"""The settings file, read again while the server runs: what changes at once, what has to wait.

The new file is checked as a whole, as at the start, before anything changes. Then each section
keeps its old values of what needs a restart (`restart` in `sylk.settings.setting`), and the rest
is in force. Applications stay those of the start: their classes are not imported again.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sylk.admission import AdmissionPolicy
from sylk.admission_config import admission_policy
from sylk.application_config import read_applications
from sylk.config import RawConfig
from sylk.errors import ConfigError
from sylk.net.tls import TlsContexts
from sylk.routing import RoutingTable
from sylk.server_config import ServerConfig, ServerSections, check_sections, routing_table
from sylk.settings import AddressSettings, take_up

logger = logging.getLogger("sylk.server")

_FIELDS = fields(ServerSections)
_PASSWORD_KEYS = ("authenticate", "digest_algorithms", "nonce_lifetime", "max_wrong_passwords")


@dataclass(slots=True)
class Reload:
    """What a running server takes up, and the names of what has changed as `[Section] key`."""

    sections: ServerSections
    routing: RoutingTable
    admission: AdmissionPolicy
    applications: Mapping[str, tuple[Any, AddressSettings[Any]]]
    """The new settings of each application, and those of its addresses."""
    changed: list[str]
    waiting: list[str]
    """What needs a restart."""


def plan_reload(raw: RawConfig, running: ServerConfig) -> Reload:
    """Return what a file that was read again makes of a running server.

    Changes nothing. Raises ConfigError, the first in the file, where a server could not start
    with it.
    """
    given = ServerSections.read(raw)
    check_sections(raw, given)
    types = {name: type(one) for name, one in running.applications.items()}
    # What was or shall be disabled need not be here.
    disabled = {*running.sections.server.disabled_applications, *given.server.disabled_applications}
    server = replace(given.server, disabled_applications=tuple(disabled))
    read = read_applications(raw, types, disabled, routing_table(raw, server, types))
    changed: list[str] = []
    waiting: list[str] = []

    def update(section: str, old: Any, new: Any) -> Any:
        taken = take_up(old, new)
        changed.extend(f"[{section}] {key}" for key in taken.changed)
        waiting.extend(f"[{section}] {key}" for key in taken.waiting)
        return taken.settings

    sections = ServerSections(
        *(
            update(given_section.section, getattr(running.sections, name), given_section)
            for name, given_section in ((one.name, getattr(given, one.name)) for one in _FIELDS)
        )
    )
    applications: dict[str, tuple[Any, AddressSettings[Any]]] = {}
    for name, application in running.applications.items():
        settings = update(name.capitalize(), application.settings, read[name].settings)
        addresses = read[name].address_settings(settings)
        changed += _changed_addresses(application.address_settings, addresses)
        applications[name] = settings, addresses
    policy = admission_policy(raw, sections.server, sections.sip, sections.tls)
    if not any(f"[SIP] {key}" in changed for key in _PASSWORD_KEYS):
        # Its nonces and its counts of wrong passwords live on.
        policy = replace(policy, authenticator=running.admission.authenticator)
    routing = routing_table(raw, sections.server, types)
    return Reload(sections, routing, policy, applications, changed, waiting)


def _changed_addresses(old: AddressSettings[Any], new: AddressSettings[Any]) -> list[str]:
    """Return the addresses whose settings have changed, by whatever section."""
    addresses = sorted({*old.own, *new.own})
    return [f"[{address}]" for address in addresses if old.of(address) != new.of(address)]


def reload_certificate(tls: TlsContexts | None) -> None:
    """Load the certificate again, for connections that begin from now on."""
    if tls is None:
        return
    try:
        tls.reload()
    except ConfigError as error:
        logger.error("the certificate stays as it was: %s", error)
    else:
        logger.info("certificate loaded again: %s", tls.fingerprint())
