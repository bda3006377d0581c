"""Tests of sylk.net.dns_client, against a server on the loopback."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from sylk.net.dns_client import FAILURE_TTL, MAX_TTL, PATIENCE, DnsClient, nameservers_of
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
from sylk.sip.flow import Address
from sylk.sip.location import MAX_RECORDS
from tests.net.dns_server import DnsServer, Zone, truncated

PATIENT = 30.0
HASTY = 0.05

ZONE: Zone = {
    ("example.com", "NAPTR"): ['10 20 "s" "SIP+D2U" "" _sip._udp.example.com.'],
    ("_sip._udp.example.com", "SRV"): ["1 2 5070 Server.example.com."],
    ("_sip._tcp.example.com", "SRV"): ["0 0 0 ."],
    ("server.example.com", "A"): ["192.0.2.1", "192.0.2.2"],
    ("server.example.com", "AAAA"): ["2001:db8::1"],
    ("alias.example.com", "CNAME"): ["other.example.com."],
    ("other.example.com", "CNAME"): ["server.example.com."],
    ("loop.example.com", "CNAME"): ["pool.example.com."],
    ("pool.example.com", "CNAME"): ["loop.example.com."],
    ("many.example.com", "A"): [f"10.0.0.{n}" for n in range(100)],
}


EVERYTHING = {"NAPTR", "SRV", "A", "AAAA"}


async def start(nursery: trio.Nursery, server: DnsServer) -> Address:
    await nursery.start(server.run)
    return server.address


async def ask(
    nursery: trio.Nursery, server: DnsServer, name: str, kind: Kind, patience: float = PATIENT
) -> tuple[Answer, float]:
    address = await start(nursery, server)
    return await DnsClient([address], patience).ask(Question(name, kind))


@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        (
            "example.com",
            "NAPTR",
            [NaptrRecord(10, 20, "s", "SIP+D2U", "", "_sip._udp.example.com")],
        ),
        ("_sip._udp.example.com", "SRV", [SrvRecord(1, 2, 5070, "Server.example.com")]),
        ("_sip._tcp.example.com", "SRV", [SrvRecord(0, 0, 0, ".")]),
        ("server.example.com", "A", [AddressRecord("192.0.2.1"), AddressRecord("192.0.2.2")]),
        ("server.example.com", "AAAA", [AddressRecord("2001:db8::1")]),
        ("alias.example.com", "AAAA", [AddressRecord("2001:db8::1")]),
    ],
)
async def test_records(
    nursery: trio.Nursery, name: str, kind: Kind, records: Sequence[Record]
) -> None:
    answer, ttl = await ask(nursery, DnsServer(ZONE, ttl=42), name, kind)
    assert isinstance(answer, Sequence)
    assert set(answer) == set(records)
    assert ttl == 42.0


async def test_a_long_time_to_live_is_cut(nursery: trio.Nursery) -> None:
    server = DnsServer(ZONE, ttl=1_000_000)
    assert (await ask(nursery, server, "server.example.com", "AAAA"))[1] == MAX_TTL


@pytest.mark.parametrize(("minimum", "ttl"), [(0, 5.0), (12, 12.0), (3600, 30.0), (None, 30.0)])
async def test_no_such_name_and_no_such_record_are_kept_for_a_short_time(
    nursery: trio.Nursery, minimum: int | None, ttl: float
) -> None:
    server = DnsServer(ZONE, negative_ttl=minimum)
    assert await ask(nursery, server, "nobody.example.com", "A") == (NoSuchName(), ttl)
    client = DnsClient([server.address], PATIENT)
    assert await client.ask(Question("server.example.com", "SRV")) == ((), ttl)


async def test_what_was_cut_off_is_asked_again_over_tcp(nursery: trio.Nursery) -> None:
    server = DnsServer(ZONE)
    answer, _ = await ask(nursery, server, "many.example.com", "A")
    assert server.over_tcp == 1
    assert isinstance(answer, Sequence)
    assert len(answer) == MAX_RECORDS


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example", ".".join(["x" * 60] * 5)])
async def test_what_can_be_no_name_is_not_asked(nursery: trio.Nursery, name: str) -> None:
    server = DnsServer(ZONE)
    answer, _ = await ask(nursery, server, name, "A")
    assert isinstance(answer, Failure)
    assert not server.asked


async def test_aliases_in_a_circle(nursery: trio.Nursery) -> None:
    answer, _ = await ask(nursery, DnsServer(ZONE), "loop.example.com", "A")
    assert answer == Failure("the DNS server sends what is no answer")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "YXDOMAIN"])
async def test_a_server_that_refuses(nursery: trio.Nursery, rcode: str) -> None:
    server = DnsServer(ZONE, rcodes={"NAPTR": rcode})
    answer, ttl = await ask(nursery, server, "example.com", "NAPTR")
    assert isinstance(answer, Failure)
    assert rcode in answer.reason
    assert ttl == FAILURE_TTL


async def test_a_silent_server(nursery: trio.Nursery) -> None:
    server = DnsServer(ZONE, silent={"A"})
    answer, ttl = await ask(nursery, server, "server.example.com", "A", HASTY)
    assert answer == Failure("the DNS server does not answer")
    assert ttl == FAILURE_TTL
    assert 0 < server.asked["server.example.com", "A"] <= PATIENCE


async def test_a_server_that_is_not_there() -> None:
    answer, _ = await DnsClient([unused_address()], HASTY).ask(Question("example.com", "A"))
    assert answer == Failure("the DNS server does not answer")


async def test_a_server_on_a_network_that_is_not_there() -> None:
    answer, _ = await DnsClient([("255.255.255.255", 53)], HASTY).ask(Question("a.example", "A"))
    assert answer == Failure("the DNS server cannot be reached")


async def test_without_servers() -> None:
    answer, _ = await DnsClient([], HASTY).ask(Question("example.com", "A"))
    assert answer == Failure("no DNS server is known")


async def test_the_server_that_answers_is_asked_first_from_then_on(nursery: trio.Nursery) -> None:
    silent = DnsServer(ZONE, silent=EVERYTHING)
    alive = DnsServer(ZONE)
    client = DnsClient([await start(nursery, silent), await start(nursery, alive)], 0.5)
    first, _ = await client.ask(Question("server.example.com", "AAAA"))
    assert first == (AddressRecord("2001:db8::1"),)
    assert silent.asked.total() == 1
    second, _ = await client.ask(Question("nobody.example.com", "A"))
    assert second == NoSuchName()
    assert silent.asked.total() == 1


def foreign(question: dns.message.QueryMessage) -> bytes:
    """Return an answer to another question, with addresses that are not to be believed."""
    other = dns.message.make_query("server.example.com", "AAAA", id=question.id ^ 1)
    answer = dns.message.make_response(other)
    answer.answer.append(
        dns.rrset.from_text("server.example.com.", 60, "IN", "AAAA", "2001:db8::bad")
    )
    return answer.to_wire()


JUNK: Sequence[Callable[[dns.message.QueryMessage], bytes]] = [
    lambda _: b"",
    lambda _: b"garbage",
    lambda _: bytes(range(256)),
    lambda question: question.to_wire(),
    lambda question: dns.message.make_response(question).to_wire()[:-3],
    foreign,
]


@pytest.mark.parametrize("junk", JUNK)
async def test_what_is_no_answer_is_passed_over(
    nursery: trio.Nursery, junk: Callable[[dns.message.QueryMessage], bytes]
) -> None:
    server = DnsServer(ZONE, lie=lambda question, right, _: (junk(question), right.to_wire()))
    answer, _ = await ask(nursery, server, "server.example.com", "AAAA")
    assert answer == (AddressRecord("2001:db8::1"),)


@pytest.mark.parametrize("junk", JUNK)
async def test_a_server_that_sends_nothing_else(
    nursery: trio.Nursery, junk: Callable[[dns.message.QueryMessage], bytes]
) -> None:
    server = DnsServer(ZONE, lie=lambda question, _, __: (junk(question),))
    answer, _ = await ask(nursery, server, "server.example.com", "AAAA", HASTY)
    assert answer == Failure("the DNS server does not answer")


@pytest.mark.parametrize("junk", JUNK)
async def test_junk_over_tcp(
    nursery: trio.Nursery, junk: Callable[[dns.message.QueryMessage], bytes]
) -> None:
    server = DnsServer(
        ZONE,
        lie=lambda question, _, is_udp: (truncated(question) if is_udp else junk(question),),
    )
    answer, _ = await ask(nursery, server, "server.example.com", "AAAA", 0.2)
    assert isinstance(answer, Failure)
    assert server.over_tcp > 0


async def test_an_answer_for_a_name_that_does_not_exist(nursery: trio.Nursery) -> None:
    def contradict(_: object, answer: dns.message.Message, __: bool) -> Sequence[bytes]:
        answer.set_rcode(dns.rcode.NXDOMAIN)
        return (answer.to_wire(),)

    server = DnsServer(ZONE, lie=contradict)
    answer, _ = await ask(nursery, server, "server.example.com", "A")
    assert answer == Failure("the DNS server sends what is no answer")


async def test_records_of_other_names_are_passed_over(nursery: trio.Nursery) -> None:
    def mislead(_: object, answer: dns.message.Message, __: bool) -> Sequence[bytes]:
        answer.answer = [dns.rrset.from_text("other.example.", 60, "IN", "A", "192.0.2.66")]
        return (answer.to_wire(),)

    server = DnsServer(ZONE, lie=mislead)
    assert (await ask(nursery, server, "server.example.com", "A"))[0] == ()


def test_the_servers_of_resolv_conf(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# nameserver 192.0.2.9\nsearch example.com\nnameserver 192.0.2.1\n"
        "nameserver 2001:db8::1\noptions timeout:1\n"
    )
    assert nameservers_of(path) == [("192.0.2.1", 53), ("2001:db8::1", 53)]


@pytest.mark.parametrize("text", [None, "", "search example.com\n", "nameserver not-an-address\n"])
def test_a_resolv_conf_without_servers(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "resolv.conf"
    if text is not None:
        path.write_text(text)
    assert nameservers_of(path) == []


def unused_address() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()
