"""Where the domains of the settings lead, with a DNS that the test makes up."""

from collections.abc import Sequence

import pytest

from sylk.cli.checks.domains import check_domains, domains_of
from sylk.cli.checks.finding import Level
from sylk.config import parse_config
from sylk.errors import TransportError
from sylk.sections import SipSettings
from sylk.server_config import ServerSections
from sylk.sip.location import Target

SECTIONS = ServerSections(sip=SipSettings(advertised_ip="198.51.100.9"))


def leads_to(*places: tuple[str, str, int]) -> list[Target]:
    return [Target(transport, (host, port), "example.com") for transport, host, port in places]


@pytest.mark.parametrize(
    ("targets", "level", "text"),
    [
        (leads_to(("udp", "127.0.0.1", 5060)), Level.OK, "leads here, udp 127.0.0.1:5060"),
        (leads_to(("tls", "198.51.100.9", 5061)), Level.OK, "leads here"),
        (leads_to(("udp", "203.0.113.1", 5060)), Level.WARN, "which is not this machine"),
        (leads_to(("udp", "127.0.0.1", 5070)), Level.WARN, "udp port 5070, where nobody listens"),
    ],
)
def test_a_domain_leads_here_or_it_is_told(targets: list[Target], level: Level, text: str) -> None:
    def find(_domain: str, _transports: Sequence[str]) -> Sequence[Target]:
        return targets

    (only,) = check_domains(["example.com"], SECTIONS, find)
    assert only.level is level
    assert text in only.text
    assert bool(only.cure) is (level is Level.WARN)


def test_a_domain_without_records_is_told_with_the_record() -> None:
    def find(domain: str, _transports: Sequence[str]) -> Sequence[Target]:
        raise TransportError(f"no DNS record for {domain}")

    (only,) = check_domains(["example.com"], SECTIONS, find)
    assert only.level is Level.WARN
    assert "_sip._udp.example.com. SRV 0 0 5060 " in only.cure


def test_the_domains_are_those_of_realm_map_and_rooms() -> None:
    text = (
        "[Server]\napplication_map = echo:echo, a@one.example:echo, two.example:echo\n"
        "[SIP]\nrealm = Three.example\ndomains = five.example\n"
        "[lobby@four.example]\n[hall@192.0.2.1]\n"
    )
    raw = parse_config(text)
    found = domains_of(raw, ServerSections.read(raw))
    assert found == ["five.example", "four.example", "one.example", "three.example", "two.example"]
    (only,) = check_domains([], SECTIONS)
    assert only.level is Level.OK
