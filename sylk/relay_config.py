"""What the [Relay] section makes of the server, read and checked."""

import secrets
import socket

from sylk.call.relay_digest import RelayDigest
from sylk.config import RawConfig
from sylk.media_sections import MsrpSettings, RelaySection
from sylk.msrp.relay_limits import RelayLimits
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
