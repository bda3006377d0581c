from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.sip.dns_records import (
    AddressRecord,
    NaptrRecord,
    Record,
    SrvRecord,
    host_name,
    is_address,
    is_address_of,
    offered_services,
    srv_order,
)

ALL = ("udp", "tcp", "tls")


def naptr(
    order: int, preference: int, service: str, name: str, *, flags: str = "s", regexp: str = ""
) -> NaptrRecord:
    return NaptrRecord(order, preference, flags, service, regexp, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("_sip._udp.example.com", "_sip._udp.example.com"),
        ("host_1", "host_1"),
        ("x" * 63 + ".example", "x" * 63 + ".example"),
        ("x" * 64 + ".example", None),
        (".".join(["x" * 60] * 5), None),
        ("a..b", None),
        (".example.com", None),
        ("", None),
        (".", None),
        ("a b", None),
        ("a\x00b", None),
        ("a\\.b", None),
        ("exämple.com", None),
        ("example.com\n", None),
    ],
)
def test_what_can_be_a_host_name(text: str, name: str | None) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("192.0.2.1", "A"),
        ("2001:db8::1", "AAAA"),
        ("fe80::1%eth0", None),
        ("192.0.2", None),
        ("example.com", None),
        ("", None),
    ],
)
def test_what_is_an_address(text: str, kind: str | None) -> None:
    assert is_address(text) == (kind is not None)
    assert is_address_of("A", text) == (kind == "A")
    assert is_address_of("AAAA", text) == (kind == "AAAA")


def test_services_come_by_order_then_preference_then_our_own_order() -> None:
    records = [
        naptr(100, 50, "SIP+D2U", "_sip._udp.a"),
        naptr(50, 60, "SIP+D2U", "_sip._udp.b"),
        naptr(50, 50, "SIPS+D2T", "_sips._tcp.c"),
        naptr(50, 50, "sip+d2t", "_sip._tcp.D."),
    ]
    assert offered_services(records, ("udp", "tcp", "tls")) == [
        ("tcp", "_sip._tcp.d"),
        ("tls", "_sips._tcp.c"),
        ("udp", "_sip._udp.b"),
        ("udp", "_sip._udp.a"),
    ]
    assert offered_services(records, ("tls", "tcp"))[0] == ("tls", "_sips._tcp.c")
    assert offered_services(records, ()) == []


@pytest.mark.parametrize(
    "record",
    [
        naptr(1, 1, "E2U+sip", "x"),
        naptr(1, 1, "SIP+D2S", "_sip._sctp.x"),
        naptr(1, 1, "SIPS+D2U", "_sips._udp.x"),
        naptr(1, 1, "SIP+D2U", "_sip._udp.x", flags="u"),
        naptr(1, 1, "SIP+D2U", "_sip._udp.x", flags=""),
        naptr(1, 1, "SIP+D2U", "_sip._udp.x", flags="a"),
        naptr(1, 1, "SIP+D2U", "_sip._udp.x", regexp="!^.*$!sip:x!"),
        naptr(1, 1, "SIP+D2U", "."),
        naptr(1, 1, "SIP+D2U", "a\\032b"),
        AddressRecord("192.0.2.1"),
    ],
)
def test_what_is_no_service_for_us_is_passed_over(record: Record) -> None:
    assert offered_services([record], ALL) == []


def test_the_flag_may_be_a_capital() -> None:
    record = naptr(1, 1, "SIP+D2U", "_sip._udp.x", flags="S")
    assert offered_services([record], ALL) == [("udp", "_sip._udp.x")]


def test_low_priorities_come_first_whatever_the_weights() -> None:
    records = [SrvRecord(priority, 10 * priority, 5060, "x") for priority in (20, 0, 10)]
    assert [record.priority for record in srv_order(records, Random(1).random)] == [0, 10, 20]


def test_a_record_comes_first_as_often_as_its_share_of_the_weights() -> None:
    records = [SrvRecord(0, weight, 5060, f"w{weight}") for weight in (70, 0, 30)]
    random = Random(3263).random
    first = Counter(srv_order(records, random)[0].target for _ in range(10_000))
    # The bounds are some six standard deviations away.
    assert 6500 < first["w70"] < 7300
    assert 2600 < first["w30"] < 3400
    # "A very small chance", here one in 101.
    assert 30 < first["w0"] < 200


@pytest.mark.parametrize(("drawn", "first"), [(0.0, "none"), (0.4, "one"), (0.999, "two")])
def test_the_drawn_number_picks_by_running_sum(drawn: float, first: str) -> None:
    records = [SrvRecord(0, 1, 1, "one"), SrvRecord(0, 2, 1, "two"), SrvRecord(0, 0, 1, "none")]
    assert srv_order(records, lambda: drawn)[0].target == first


@given(
    st.lists(st.builds(SrvRecord, *[st.integers(0, 65535)] * 3, st.text(max_size=3))),
    st.lists(st.floats(0, 1), min_size=1),
)
def test_every_record_keeps_its_place_in_the_line(
    records: list[SrvRecord], numbers: list[float]
) -> None:
    endless = iter(numbers * (len(records) + 1))
    ordered = srv_order(records, lambda: next(endless))
    assert Counter(ordered) == Counter(records)
    priorities = [record.priority for record in ordered]
    assert priorities == sorted(priorities)
