"""What the settings of SylkServer are called here, what becomes of their values, and what has none.

Each row names a setting of `config.ini` or `conference.ini`, and how it goes on: a function gets
the value and returns the (section, key, value) triples that say the same here; NoCounterpart says
why there are none. What has a default there and is not set keeps the default of here.
"""

from collections.abc import Callable, Mapping, Sequence

from sylk.cli.sylkserver_reasons import REASONS

Triple = tuple[str, str, str]
Convert = Callable[[str], Sequence[Triple]]

KNOWN_APPLICATIONS = ("conference", "echo")
"""Those of SylkServer that are here too."""

_TRUE = ("yes", "true", "on", "1")


class NoCounterpart(Exception):
    """There is nothing like it; the message says what to do instead."""


def is_on(value: str) -> bool:
    """Tell whether a value of SylkServer means yes."""
    return value.strip().lower() in _TRUE


def _same(section: str, key: str) -> Convert:
    return lambda value: [(section, key, value)]


def _port(key: str) -> Convert:
    # There, whatever is no number switches the port off.
    return lambda value: [("SIP", key, value if value.strip().isdigit() else "none")]


def _switch(section: str, key: str, on: str) -> Convert:
    return lambda value: [(section, key, on)] if is_on(value) else []


def _address(value: str) -> Sequence[Triple]:
    return [("SIP", "local_ip", value), ("MSRP", "local_ip", value)] if value.strip() else []


def _default_application(value: str) -> Sequence[Triple]:
    if value not in KNOWN_APPLICATIONS:
        raise NoCounterpart(f"there is no application {value} here; conference stays the default")
    return [("Server", "default_application", value)]


def _application_map(value: str) -> Sequence[Triple]:
    entries = [entry.strip() for entry in value.split(",") if entry.strip()]
    kept = [one for one in entries if one.rpartition(":")[2].strip() in KNOWN_APPLICATIONS]
    triples = [("Server", "application_map", ", ".join(kept))] if kept else []
    if lost := [one for one in entries if one not in kept]:
        raise PartOnly(triples, f"there is no such application here: {', '.join(lost)}")
    return triples


def _disabled(value: str) -> Sequence[Triple]:
    names = [name.strip() for name in value.split(",")]
    kept = [name for name in names if name in KNOWN_APPLICATIONS]
    return [("Server", "disabled_applications", ", ".join(kept))] if kept else []


def _authorities(value: str) -> Sequence[Triple]:
    raise PartOnly(
        [],
        f"ca_file = {value} is taken over only with verify_server: here [TLS] ca_file means that "
        "certificates are checked",
    )


class PartOnly(NoCounterpart):
    """Only `triples` of it go on; the message tells the rest."""

    def __init__(self, triples: Sequence[Triple], message: str) -> None:
        super().__init__(message)
        self.triples = triples


def _access_policy(section: str) -> Convert:
    def convert(value: str) -> Sequence[Triple]:
        order = ", ".join(word.strip() for word in value.split(","))
        return [(section, "access_policy", order)]

    return convert


def _people(section: str, key: str) -> Convert:
    def convert(value: str) -> Sequence[Triple]:
        words = [word.strip() for word in value.split(",") if word.strip()]
        everybody = any(word in ("all", "any", "*") for word in words)
        return [(section, key, "all" if everybody else ", ".join(words) or "none")]

    return convert


SERVER: Mapping[tuple[str, str], Convert] = {
    ("Server", "default_application"): _default_application,
    ("Server", "application_map"): _application_map,
    ("Server", "disabled_applications"): _disabled,
    ("Server", "trace_dir"): _same("Trace", "directory"),
    ("Server", "trace_sip"): _switch("Trace", "trace_sip", "all"),
    ("Server", "trace_msrp"): _switch("Trace", "trace_msrp", "all"),
    ("Server", "log_level"): lambda value: [("Server", "log_level", value.lower())],
    ("Server", "ca_file"): _authorities,
    ("Server", "certificate"): _same("TLS", "certificate"),
    # Off by default there, and on here.
    ("Server", "enable_bonjour"): lambda value: [
        ("Server", "bonjour", "auto" if is_on(value) else "no")
    ],
    ("SIP", "local_ip"): _address,
    ("SIP", "local_udp_port"): _port("local_udp_port"),
    ("SIP", "local_tcp_port"): _port("local_tcp_port"),
    ("SIP", "local_tls_port"): _port("local_tls_port"),
    ("SIP", "advertised_ip"): _same("SIP", "advertised_ip"),
    ("SIP", "outbound_proxy"): _same("SIP", "outbound_proxy"),
    ("SIP", "trusted_peers"): _same("SIP", "trusted_peers"),
    ("MSRP", "use_tls"): lambda value: [("MSRP", "use_tls", "yes" if is_on(value) else "no")],
}
"""By section and key of config.ini."""


def room_settings(section: str) -> Mapping[str, Convert]:
    """Return what [Conference], or the section of a room, of conference.ini may say, by key."""
    rows: dict[str, Convert] = {
        "access_policy": _access_policy(section),
        "allow": _people(section, "allow"),
        "deny": _people(section, "deny"),
    }
    if section == "Conference":
        rows["history_size"] = _same(section, "history_replay")
    return rows


def reason(section: str, key: str) -> str:
    """Return why a setting has no counterpart, and what to do instead."""
    return REASONS.get((section, key)) or REASONS.get((section, "*")) or "SylkServer has none such"
