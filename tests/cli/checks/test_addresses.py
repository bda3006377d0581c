"""Who reaches the server, by the address that it goes by."""

import pytest

from sylk.cli.checks.addresses import check_addresses
from sylk.cli.checks.finding import Level
from sylk.errors import TransportError
from sylk.sections import SipSettings
from sylk.server_config import ServerSections
from sylk.sip.flow import Address


def check(sip: SipSettings, outside: str | None = None) -> tuple[Level, str]:
    def towards(_remote: Address) -> str:
        if outside is None:
            raise TransportError("no route")
        return outside

    (only,) = check_addresses(ServerSections(sip=sip), towards)
    assert bool(only.cure) is (only.level is not Level.OK)
    return only.level, only.text


@pytest.mark.parametrize(
    ("local", "outside", "text"),
    [
        ("127.0.0.1", None, "this machine alone"),
        ("0.0.0.0", None, "no network leads outside"),
        ("0.0.0.0", "192.168.1.5", "192.168.1.5: reached from this network"),
        ("::", "fe80::5", "fe80::5: reached from this network"),
        ("0.0.0.0", "9.9.9.9", "9.9.9.9: reached from everywhere"),
        ("9.9.9.9", None, "9.9.9.9: reached from everywhere"),
    ],
)
def test_the_address_is_told(local: str, outside: str | None, text: str) -> None:
    level, told = check(SipSettings(local_ip=local), outside)
    assert level is Level.OK
    assert text in told


@pytest.mark.parametrize(
    ("advertised", "level"), [("198.51.100.9", Level.OK), ("127.0.0.1", Level.WARN)]
)
def test_an_advertised_address_is_one_that_others_reach(advertised: str, level: Level) -> None:
    found, text = check(SipSettings(advertised_ip=advertised))
    assert found is level
    assert text.startswith(f"peers are told {advertised}")
