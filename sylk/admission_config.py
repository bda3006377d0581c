"""From the settings to who may come in: passwords, trusted peers, limits for each source."""

import secrets
from functools import partial

from sylk.admission import AdmissionPolicy
from sylk.config import RawConfig
from sylk.media_sections import MsrpSettings
from sylk.net.connection_limits import ConnectionLimits
from sylk.routing import TrustedPeers
from sylk.sections import ServerSettings, SipSettings, TlsSettings
from sylk.session.subscription_counts import SubscriptionBounds
from sylk.sip.authenticator import DEFAULT_ALGORITHMS, Authenticator
from sylk.sip.parser import Limits
from sylk.sip.source_limits import TokenBuckets
from sylk.users import USERS_FILE, UserFile

_NONCE_BYTES = 8
"""Random octets in a nonce, beside its HMAC: challenges go to sources that nothing has proven."""


def admission_policy(
    raw: RawConfig, server: ServerSettings, sip: SipSettings, tls: TlsSettings
) -> AdmissionPolicy:
    """Return who may come in; raises ConfigError."""
    if tls.client_certificates != "no" and tls.ca_file is None:
        raise raw.error(TlsSettings.section, "client_certificates", "needs ca_file to be set too")
    if sip.trusted_domains and tls.client_certificates == "no":
        raise raw.error(
            SipSettings.section,
            "trusted_domains",
            "needs client_certificates in [TLS] to be optional or required",
        )
    users = UserFile(server.spool_dir / USERS_FILE) if sip.authenticate else None
    return AdmissionPolicy(
        trusted_peers=TrustedPeers(sip.trusted_peers),
        authenticator=None if users is None else _authenticator(raw, users, sip),
        warning="" if users is None else _warning(users, sip.realm),
        trusted_domains=frozenset(name.rstrip(".").lower() for name in sip.trusted_domains),
        unlimited_peers=TrustedPeers(sip.unlimited_peers),
        max_request_rate=sip.max_request_rate,
        max_sessions=sip.max_sessions,
    )


def _authenticator(raw: RawConfig, users: UserFile, sip: SipSettings) -> Authenticator:
    """Return who asks for passwords; raises ConfigError."""
    if not sip.realm:
        raise raw.error(SipSettings.section, "realm", "is empty: give the domain of the users")
    algorithms = [name.upper() for name in sip.digest_algorithms]
    if not algorithms or not set(algorithms) <= set(DEFAULT_ALGORITHMS):
        listed = ", ".join(DEFAULT_ALGORITHMS)
        raise raw.error(SipSettings.section, "digest_algorithms", f"must be some of {listed}")
    return Authenticator(
        sip.realm,
        users.find,
        random_token=partial(secrets.token_hex, _NONCE_BYTES),
        nonce_lifetime=sip.nonce_lifetime,
        algorithms=algorithms,
        guesses=TokenBuckets(sip.max_wrong_passwords / 60, sip.max_wrong_passwords),
    )


def _warning(users: UserFile, realm: str) -> str:
    """Return what is wrong with the users; empty when all is well."""
    realms = sorted({of for _, of in users.names()})
    if realm in realms:
        return ""
    others = f", only those of {', '.join(realms)}" if realms else ""
    return (
        f"authenticate is on, but {users.path} has no user of the realm {realm}{others}: "
        f"nobody can come in with a password; see sylk-server passwd"
    )


def message_limits(sip: SipSettings) -> Limits:
    """Return how much of one SIP message is taken."""
    return Limits(
        max_message=sip.max_message_size,
        max_headers=sip.max_headers,
        max_header_line=sip.max_header_size,
        max_body=sip.max_body_size,
    )


def connection_limits(
    section: SipSettings | MsrpSettings, policy: AdmissionPolicy
) -> ConnectionLimits:
    """Return how many connections the ports of one protocol take."""
    return ConnectionLimits(
        max_connections=section.max_connections,
        max_per_source=section.max_connections_per_source,
        rate=section.max_connection_rate,
        is_exempt=policy.is_unlimited,
    )


def subscription_bounds(sip: SipSettings) -> SubscriptionBounds:
    """Return how many subscriptions and referrals there may be."""
    return SubscriptionBounds(sip.max_subscriptions, sip.max_subscriptions_per_source)
