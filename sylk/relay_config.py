"""Relays in the settings: the one that [Relay] makes of us, and the one that [MSRP] names."""

import secrets
import socket

from sylk.call.relay_digest import RelayDigest, RelayPassword
from sylk.config import RawConfig
from sylk.errors import RemoteProtocolError
from sylk.media_sections import MsrpSettings, RelaySection
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.uri import MsrpURI
from sylk.net.relay_path import RelayAccount
from sylk.net.relay_traffic import RelaySettings
from sylk.sections import ServerSettings, SipSettings
from sylk.sip.source_limits import TokenBuckets
from sylk.users import USERS_FILE, UserFile


def relay_settings(
    raw: RawConfig, server: ServerSettings, sip: SipSettings, msrp: MsrpSettings
) -> RelaySettings | None:
    """Return for whom the server is a relay, None for nobody; raises ConfigError."""
    section = RelaySection.section
    relay = raw.section(RelaySection, section)
    if not relay.enabled:
        return None
    if msrp.local_tls_port is None and not relay.clear:
        raise raw.error(section, "enabled", "needs local_tls_port of [MSRP] to be set too")
    if relay.host == "":
        raise raw.error(section, "host", "is empty: give the name in the certificate, or none")
    realm = sip.realm if relay.realm is None else relay.realm
    if not realm:
        raise raw.error(section, "realm", "is empty: give the domain of the users, or none")
    if not relay.min_expires <= relay.default_expires <= relay.max_expires:
        raise raw.error(section, "default_expires", "must lie between min_expires and max_expires")
    users = UserFile(server.spool_dir / USERS_FILE)
    return RelaySettings(
        access=RelayDigest(
            realm,
            users.find,
            random_token=secrets.token_hex,
            guesses=TokenBuckets(relay.max_wrong_passwords / 60, relay.max_wrong_passwords),
        ),
        host=relay.host or msrp.advertised_ip or sip.advertised_ip or socket.getfqdn(),
        allows_clear=relay.clear,
        networks=relay.allowed_networks,
        limits=RelayLimits(
            min_expires=relay.min_expires,
            max_expires=relay.max_expires,
            default_expires=relay.default_expires,
            max_clients=relay.max_clients,
            max_paths=relay.max_paths_per_client,
            max_next_hops=relay.max_next_hops,
            idle_timeout=relay.idle_timeout,
        ),
    )


def standing_relay(raw: RawConfig, msrp: MsrpSettings) -> RelayAccount | None:
    """Return the relay of the server's own sessions, None for none; raises ConfigError."""
    section = MsrpSettings.section
    if msrp.relay is None:
        return None
    try:
        uri = MsrpURI.parse(msrp.relay)
    except RemoteProtocolError as error:
        raise raw.error(section, "relay", f"must be such as msrps://HOST;tcp: {error}") from None
    if uri.session_id:
        raise raw.error(section, "relay", "must name a relay, not a path through one")
    if uri.secure and msrp.local_tls_port is None:
        raise raw.error(section, "relay", "is reached over TLS and needs local_tls_port to be set")
    if not msrp.relay_user:
        raise raw.error(section, "relay_user", "is missing: the relay lets in users alone")
    if msrp.relay_password_file is None:
        raise raw.error(section, "relay_password_file", "is missing: the relay wants a password")
    try:
        lines = msrp.relay_password_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise raw.error(section, "relay_password_file", f"cannot be read: {error}") from None
    if not lines or not lines[0]:
        raise raw.error(section, "relay_password_file", "has an empty first line")
    return RelayAccount(uri, RelayPassword(msrp.relay_user, lines[0], secrets.token_hex))
