from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError
from sylk.sip.dns_records import (
    AddressRecord,
    Answer,
    Failure,
    Kind,
    NaptrRecord,
    NoSuchName,
    Question,
    Record,
    SrvRecord,
)
from sylk.sip.location import MAX_QUESTIONS, MAX_RECORDS, Location, Target
from sylk.sip.uri import SipURI

ALL = ("udp", "tcp", "tls")
Zone = Mapping[tuple[str, str], Sequence[Record] | Failure]


def first() -> float:
    """Draw what leaves records of equal priority in the order in which they stand."""
    return 0.0


def location(uri: str, transports: Sequence[str] = ALL, *, want_ipv6: bool = True) -> Location:
    return Location(SipURI.parse(uri), transports, want_ipv6=want_ipv6, random=first)


def run(search: Location, zone: Zone) -> list[str]:
    """Answer all questions out of `zone` and return them."""
    names = {name for name, _ in zone}
    asked: list[str] = []
    while (question := search.next_question()) is not None:
        asked.append(f"{question.kind} {question.name}")
        missing: Answer = [] if question.name in names else NoSuchName()
        search.receive_answer(question, zone.get((question.name, question.kind), missing))
    return asked


def a(*addresses: str) -> list[Record]:
    return [AddressRecord(address) for address in addresses]


def srv(target: str, port: int = 5060, priority: int = 0, weight: int = 0) -> SrvRecord:
    return SrvRecord(priority, weight, port, target)


def naptr(order: int, service: str, name: str) -> NaptrRecord:
    return NaptrRecord(order, 50, "s", service, "", name)


def places(search: Location) -> list[tuple[str, str, int]]:
    return [(target.transport, *target.address) for target in search.targets()]


# The records of the example in RFC 3263 section 4.1, with addresses for its servers.
EXAMPLE: Zone = {
    ("example.com", "NAPTR"): [
        naptr(50, "SIPS+D2T", "_sips._tcp.example.com"),
        naptr(90, "SIP+D2T", "_sip._tcp.example.com"),
        naptr(100, "SIP+D2U", "_sip._udp.example.com"),
    ],
    ("_sips._tcp.example.com", "SRV"): [srv("server1.example.com", 5061)],
    ("_sip._tcp.example.com", "SRV"): [
        srv("server1.example.com", weight=1),
        srv("server2.example.com", weight=2),
    ],
    ("_sip._udp.example.com", "SRV"): [srv("server2.example.com")],
    ("server1.example.com", "A"): a("192.0.2.1"),
    ("server2.example.com", "A"): a("192.0.2.2"),
    ("example.com", "A"): a("192.0.2.80"),
}


def test_the_example_of_the_rfc() -> None:
    search = location("sip:user@example.com", ("udp", "tcp"), want_ipv6=False)
    assert run(search, EXAMPLE) == [
        "NAPTR example.com",
        "SRV _sip._tcp.example.com",
        "A server1.example.com",
        "A server2.example.com",
    ]
    assert places(search) == [("tcp", "192.0.2.1", 5060), ("tcp", "192.0.2.2", 5060)]
    assert search.failure == ""


def test_the_domain_that_prefers_tls_gets_tls_where_we_have_it() -> None:
    search = location("sip:user@example.com")
    run(search, EXAMPLE)
    assert search.targets() == [Target("tls", ("192.0.2.1", 5061), "example.com")]


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sip:192.0.2.9", ("udp", "192.0.2.9", 5060)),
        ("sip:192.0.2.9:5070", ("udp", "192.0.2.9", 5070)),
        ("sip:192.0.2.9;transport=tcp", ("tcp", "192.0.2.9", 5060)),
        ("sip:192.0.2.9;transport=TLS", ("tls", "192.0.2.9", 5061)),
        ("sips:192.0.2.9", ("tls", "192.0.2.9", 5061)),
        ("sips:192.0.2.9:5060;transport=tcp", ("tls", "192.0.2.9", 5060)),
        ("sip:[2001:db8::9]", ("udp", "2001:db8::9", 5060)),
        ("sip:example.com;maddr=192.0.2.9", ("udp", "192.0.2.9", 5060)),
        ("sip:example.com:5070;maddr=[2001:db8::9]", ("udp", "2001:db8::9", 5070)),
    ],
)
def test_a_numeric_host_needs_no_question(uri: str, place: tuple[str, str, int]) -> None:
    search = location(uri, want_ipv6=False)
    assert run(search, {}) == []
    assert places(search) == [place]


@pytest.mark.parametrize(
    ("uri", "transport"),
    [
        ("sip:example.com:5070", "udp"),
        ("sip:example.com.:5070;transport=tcp", "tcp"),
        ("sip:Example.COM:5070;transport=tls", "tls"),
        ("sips:example.com:5070", "tls"),
        ("sip:other.example:5070;maddr=example.com", "udp"),
    ],
)
def test_with_a_port_the_host_has_addresses_alone(uri: str, transport: str) -> None:
    search = location(uri)
    assert run(search, EXAMPLE) == ["A example.com", "AAAA example.com"]
    assert places(search) == [(transport, "192.0.2.80", 5070)]


@pytest.mark.parametrize(
    ("uri", "name", "place"),
    [
        ("sip:example.com;transport=udp", "_sip._udp", ("udp", "192.0.2.2", 5060)),
        ("sip:example.com;transport=tcp", "_sip._tcp", ("tcp", "192.0.2.1", 5060)),
        ("sip:example.com;transport=tls", "_sips._tcp", ("tls", "192.0.2.1", 5061)),
        ("sips:example.com;transport=tcp", "_sips._tcp", ("tls", "192.0.2.1", 5061)),
        ("sips:example.com;transport=tls", "_sips._tcp", ("tls", "192.0.2.1", 5061)),
    ],
)
def test_with_a_transport_its_srv_records_are_asked_for(
    uri: str, name: str, place: tuple[str, str, int]
) -> None:
    search = location(uri)
    assert run(search, EXAMPLE)[0] == f"SRV {name}.example.com"
    assert places(search)[0] == place


def test_a_transport_without_srv_records_has_the_host_itself_on_the_default_port() -> None:
    search = location("sip:example.com;transport=tls", want_ipv6=False)
    run(search, {("example.com", "A"): a("192.0.2.1")})
    assert places(search) == [("tls", "192.0.2.1", 5061)]


def test_without_naptr_each_of_our_transports_is_asked_for_in_our_order() -> None:
    zone: Zone = {
        ("_sips._tcp.example.com", "SRV"): [srv("server.example.com", 5061)],
        ("server.example.com", "A"): a("192.0.2.1"),
    }
    search = location("sip:example.com", ("tcp", "udp", "tls"), want_ipv6=False)
    assert run(search, zone) == [
        "NAPTR example.com",
        "SRV _sip._tcp.example.com",
        "SRV _sip._udp.example.com",
        "SRV _sips._tcp.example.com",
        "A server.example.com",
    ]
    assert places(search) == [("tls", "192.0.2.1", 5061)]


def test_the_first_transport_that_leads_somewhere_is_the_one() -> None:
    zone = {key: value for key, value in EXAMPLE.items() if key[1] != "NAPTR"}
    search = location("sip:example.com", want_ipv6=False)
    assert "SRV _sip._tcp.example.com" not in run(search, zone)
    assert places(search) == [("udp", "192.0.2.2", 5060)]


@pytest.mark.parametrize(
    ("transports", "place"),
    [
        (("udp", "tcp", "tls"), ("udp", "192.0.2.80", 5060)),
        (("tcp", "udp"), ("tcp", "192.0.2.80", 5060)),
        (("tls",), ("tls", "192.0.2.80", 5061)),
        (("ws", "udp"), ("udp", "192.0.2.80", 5060)),
    ],
)
def test_a_domain_without_srv_records_is_the_host(
    transports: Sequence[str], place: tuple[str, str, int]
) -> None:
    search = location("sip:example.com", transports)
    asked = run(search, {("example.com", "A"): a("192.0.2.80")})
    assert asked[-2:] == ["A example.com", "AAAA example.com"]
    assert places(search) == [place]


def test_a_naptr_record_may_lead_to_another_domain() -> None:
    zone: Zone = {
        ("example.com", "NAPTR"): [naptr(1, "SIP+D2T", "_sip._tcp.school.example")],
        ("_sip._tcp.school.example", "SRV"): [srv("server.school.example", 5080)],
        ("server.school.example", "A"): a("192.0.2.1"),
    }
    search = location("sip:user@example.com")
    run(search, zone)
    # The certificate must still be of the domain that was asked for.
    assert search.targets() == [Target("tcp", ("192.0.2.1", 5080), "example.com")]


def test_a_naptr_record_without_srv_records_leaves_its_transport() -> None:
    zone: Zone = {
        ("example.com", "NAPTR"): [naptr(1, "SIP+D2T", "_sip._tcp.example.com")],
        ("example.com", "A"): a("192.0.2.1"),
    }
    search = location("sip:example.com")
    run(search, zone)
    assert places(search) == [("tcp", "192.0.2.1", 5060)]


def test_the_next_naptr_record_helps_out_where_the_first_leads_nowhere() -> None:
    zone = dict(EXAMPLE)
    zone["_sips._tcp.example.com", "SRV"] = [srv("nowhere.example.com")]
    search = location("sip:example.com")
    run(search, zone)
    assert [transport for transport, *_ in places(search)] == ["tcp", "tcp"]


def test_servers_come_by_priority() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [
            srv("backup.example.com", priority=20),
            srv("main.example.com", 5070, priority=10),
        ],
        ("backup.example.com", "A"): a("192.0.2.2"),
        ("main.example.com", "A"): a("192.0.2.1"),
    }
    search = location("sip:example.com;transport=udp")
    run(search, zone)
    assert places(search) == [("udp", "192.0.2.1", 5070), ("udp", "192.0.2.2", 5060)]


def test_families_take_turns_within_a_host_and_ipv4_begins() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [srv("one.example.com"), srv("two.example.com")],
        ("one.example.com", "A"): a("192.0.2.1", "192.0.2.2", "192.0.2.3"),
        ("one.example.com", "AAAA"): a("2001:db8::1", "2001:db8::2"),
        ("two.example.com", "AAAA"): a("2001:db8::3"),
    }
    search = location("sip:example.com;transport=udp")
    run(search, zone)
    assert [host for _, host, _ in places(search)] == [
        "192.0.2.1",
        "2001:db8::1",
        "192.0.2.2",
        "2001:db8::2",
        "192.0.2.3",
        "2001:db8::3",
    ]


def test_ipv6_is_not_asked_for_where_it_is_not_wanted() -> None:
    search = location("sip:example.com:5060", want_ipv6=False)
    assert run(search, EXAMPLE) == ["A example.com"]


def test_a_name_that_does_not_exist_is_asked_once() -> None:
    search = location("sip:example.net:5060")
    assert run(search, {}) == ["A example.net"]


def test_a_service_that_is_decidedly_not_there() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [srv(".", 0)],
        ("example.com", "A"): a("192.0.2.80"),
    }
    search = location("sip:example.com;transport=udp")
    assert run(search, zone) == ["SRV _sip._udp.example.com"]
    assert search.targets() == []
    assert search.failure == "example.com has no SIP service over udp"


def test_servers_without_addresses_are_no_reason_to_ask_the_domain_itself() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [srv("nowhere.example.com")],
        ("example.com", "A"): a("192.0.2.80"),
    }
    search = location("sip:example.com;transport=udp")
    run(search, zone)
    assert search.targets() == []
    assert search.failure == "no DNS record for nowhere.example.com (A)"


@pytest.mark.parametrize("record", [srv("bad name"), srv("server.example.com", 0), srv("a..b")])
def test_a_server_record_that_names_none_is_passed_over(record: Record) -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [record, srv("server.example.com", priority=1)],
        ("server.example.com", "A"): a("192.0.2.1"),
    }
    search = location("sip:example.com;transport=udp", want_ipv6=False)
    run(search, zone)
    assert places(search) == [("udp", "192.0.2.1", 5060)]
    search = location("sip:example.com;transport=udp", want_ipv6=False)
    run(search, {("_sip._udp.example.com", "SRV"): [record]})
    assert search.failure == "no DNS record for example.com that leads to a server"


def test_an_address_as_the_target_of_a_server_record() -> None:
    search = location("sip:example.com;transport=udp")
    run(search, {("_sip._udp.example.com", "SRV"): [srv("192.0.2.1."), srv("2001:db8::1")]})
    assert places(search) == [("udp", "192.0.2.1", 5060), ("udp", "2001:db8::1", 5060)]


def test_the_same_host_on_two_ports_is_asked_once() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [
            srv("server.example.com", 5060),
            srv("SERVER.example.com", 5070),
            srv("server.example.com", 5060),
        ],
        ("server.example.com", "A"): a("192.0.2.1"),
    }
    search = location("sip:example.com;transport=udp", want_ipv6=False)
    assert len(run(search, zone)) == 2
    assert places(search) == [("udp", "192.0.2.1", 5060), ("udp", "192.0.2.1", 5070)]


def test_questions_that_fail_count_as_without_records() -> None:
    zone: Zone = {
        ("example.com", "NAPTR"): Failure("the DNS server says SERVFAIL"),
        ("_sip._udp.example.com", "SRV"): Failure("the DNS server does not answer"),
        ("example.com", "A"): a("192.0.2.80"),
    }
    search = location("sip:example.com", ("udp",))
    run(search, zone)
    assert places(search) == [("udp", "192.0.2.80", 5060)]


def test_the_failure_says_what_was_asked() -> None:
    search = location("sip:example.com", ("udp",))
    run(search, {("example.com", "A"): Failure("the DNS server does not answer")})
    assert search.failure == (
        "the DNS server does not answer, asked for the A record of example.com"
    )


def test_the_failure_lists_the_records_that_are_missing() -> None:
    search = location("sip:example.com", ("udp",))
    run(search, {("example.com", "TXT"): []})
    assert search.failure == (
        "no DNS record for example.com (NAPTR, A, AAAA), _sip._udp.example.com (SRV)"
    )


@pytest.mark.parametrize(
    ("uri", "transports"),
    [
        ("sip:example.com", ()),
        ("sip:example.com", ("ws",)),
        ("sip:example.com;transport=sctp", ALL),
        ("sip:192.0.2.1;transport=tls", ("udp", "tcp")),
        ("sips:example.com", ("udp", "tcp")),
        ("sips:192.0.2.1;transport=udp", ALL),
    ],
)
def test_a_uri_that_no_transport_of_ours_fits(uri: str, transports: Sequence[str]) -> None:
    search = location(uri, transports)
    assert run(search, EXAMPLE) == []
    assert search.targets() == []
    assert search.failure == f"no transport of ours fits {uri}"


@pytest.mark.parametrize("maddr", ["a b", "a..b", "\x00", "fe80::1%eth0", "x" * 300, "\udcff"])
def test_a_host_that_no_dns_can_know(maddr: str) -> None:
    uri = SipURI("sip", None, None, "example.com", params={"maddr": maddr})
    search = Location(uri, ALL, want_ipv6=True, random=first)
    assert search.next_question() is None
    assert "is no host name" in search.failure
    assert len(search.failure) < 100
    assert search.failure.isascii()


def test_an_answer_to_another_question_is_our_own_fault() -> None:
    search = location("sip:example.com")
    with pytest.raises(LocalProtocolError):
        search.receive_answer(Question("example.com", "A"), [])
    over = location("sip:192.0.2.1")
    with pytest.raises(LocalProtocolError):
        over.receive_answer(Question("example.com", "A"), [])


def test_targets_can_be_had_before_the_search_is_over() -> None:
    search = location("sip:example.com;transport=tcp", want_ipv6=False)
    for records in (EXAMPLE["_sip._tcp.example.com", "SRV"], a("192.0.2.1")):
        question = search.next_question()
        assert question is not None
        search.receive_answer(question, records)
    assert search.next_question() == Question("server2.example.com", "A")
    assert places(search) == [("tcp", "192.0.2.1", 5060)]


def test_the_addresses_of_one_family_can_be_had_before_those_of_the_other() -> None:
    search = location("sip:example.com:5060")
    search.receive_answer(Question("example.com", "A"), a("192.0.2.1", "192.0.2.2"))
    assert places(search) == [("udp", "192.0.2.1", 5060), ("udp", "192.0.2.2", 5060)]
    search.receive_answer(Question("example.com", "AAAA"), a("2001:db8::1"))
    assert [host for _, host, _ in places(search)] == ["192.0.2.1", "2001:db8::1", "192.0.2.2"]


def test_a_zone_full_of_records_is_cut_short() -> None:
    zone: dict[tuple[str, str], Sequence[Record] | Failure] = {
        ("_sip._udp.example.com", "SRV"): [srv(f"h{n}.example.com") for n in range(1000)]
    }
    for n in range(1000):
        zone[f"h{n}.example.com", "A"] = a(f"10.0.{n // 250}.{n % 250}")
    search = location("sip:example.com;transport=udp", want_ipv6=False)
    assert len(run(search, zone)) == MAX_QUESTIONS
    assert len(search.targets()) == MAX_QUESTIONS - 1
    many = a(*(f"10.0.0.{n}" for n in range(200)))
    search = location("sip:h.example:5060")
    run(search, {("h.example", "A"): many})
    assert len(search.targets()) == MAX_RECORDS
    search = location("sip:h.example;transport=udp")
    servers = [srv("h.example", 5060), srv("h.example", 5070)]
    run(search, {("_sip._udp.h.example", "SRV"): servers, ("h.example", "A"): many})
    assert len(search.targets()) == MAX_RECORDS


NAMES = st.sampled_from(["example.com", "_sip._udp.example.com", "a.example", "b.example", ".", ""])
SMALL = st.integers(0, 3)
NAPTR = st.builds(
    NaptrRecord,
    SMALL,
    SMALL,
    st.sampled_from(["s", "S", "u", ""]),
    st.sampled_from(["SIP+D2U", "SIP+D2T", "SIPS+D2T", "SIPS+D2U", "sips+d2t", "x"]),
    st.sampled_from(["", "", "!.*!x!"]),
    NAMES | st.text(),
)
SRV = st.builds(SrvRecord, SMALL, SMALL, SMALL, NAMES | st.text())
ADDRESS = st.builds(AddressRecord, st.ip_addresses().map(str) | st.text())


def answers_of(fitting: st.SearchStrategy[Record]) -> st.SearchStrategy[Answer]:
    """Mostly what fits the question, sometimes anything else, and now and then no answer."""
    return st.one_of(
        st.lists(fitting, max_size=8),
        st.lists(NAPTR | SRV | ADDRESS, max_size=60),
        st.just(NoSuchName()),
        st.builds(Failure, st.text()),
    )


ANSWERS: dict[Kind, st.SearchStrategy[Answer]] = {
    "NAPTR": answers_of(NAPTR),
    "SRV": answers_of(SRV),
    "A": answers_of(ADDRESS),
    "AAAA": answers_of(ADDRESS),
}


@settings(max_examples=500)
@given(
    st.data(),
    st.sampled_from(["sip", "sips"]),
    st.sampled_from(["example.com", "example.com", "a.example", "192.0.2.1", "x y"]),
    st.sampled_from([None, None, 1, 65535]),
    st.sampled_from([None, None, None, "udp", "tcp", "tls", "TCP", "sctp", ""]),
    st.permutations(ALL) | st.lists(st.sampled_from([*ALL, "ws"])),
    st.booleans(),
)
def test_whatever_the_dns_says(
    data: st.DataObject,
    scheme: str,
    host: str,
    port: int | None,
    transport: str | None,
    transports: list[str],
    want_ipv6: bool,
) -> None:
    params = {} if transport is None else {"transport": transport}
    uri = SipURI(scheme, None, None, host, port, {**params})
    numbers = st.floats(0, 1)
    search = Location(uri, transports, want_ipv6=want_ipv6, random=lambda: data.draw(numbers))
    asked: list[Question] = []
    while (question := search.next_question()) is not None:
        asked.append(question)
        search.receive_answer(question, data.draw(ANSWERS[question.kind]))
    assert len(asked) == len(set(asked)) <= MAX_QUESTIONS
    assert want_ipv6 or all(question.kind != "AAAA" for question in asked)
    targets = search.targets()
    assert len(targets) == len(set(targets)) <= MAX_RECORDS
    assert bool(targets) != bool(search.failure)
    for target in targets:
        assert target.transport in transports
        assert target.transport == "tls" or scheme == "sip"
        assert transport != "tls" or target.transport == "tls"
        assert 1 <= target.address[1] <= 65535
    assert len({target.transport for target in targets}) <= 1
