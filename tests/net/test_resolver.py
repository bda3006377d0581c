"""Tests of sylk.net.resolver, against a server on the loopback; no other DNS is asked."""

import sys
from collections import Counter
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from sylk.errors import TransportError
from sylk.net.resolver import Resolver, ask_system
from sylk.sip.dns_records import AddressRecord, Answer, Failure, Question
from sylk.sip.location import Target
from sylk.sip.uri import SipURI
from tests.net.dns_server import DnsServer, Zone

ALL = ("udp", "tcp", "tls")
PATIENT = 30.0
HASTY = 0.1

ZONE: Zone = {
    ("example.com", "NAPTR"): [
        '50 50 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
        '90 50 "s" "SIP+D2T" "" _sip._tcp.example.com.',
    ],
    ("_sips._tcp.example.com", "SRV"): ["0 0 5061 server1.example.com."],
    ("_sip._tcp.example.com", "SRV"): [
        "0 0 5060 server1.example.com.",
        "1 0 5070 server2.example.com.",
    ],
    ("server1.example.com", "A"): ["192.0.2.1"],
    ("server1.example.com", "AAAA"): ["2001:db8::1"],
    ("server2.example.com", "CNAME"): ["farm.example.com."],
    ("farm.example.com", "A"): ["192.0.2.2"],
    ("_sip._udp.srv.example", "SRV"): ["0 0 5080 server1.example.com."],
    ("plain.example", "A"): ["192.0.2.3"],
    ("other.example", "A"): ["192.0.2.4"],
}


class Bench:
    """A server, and resolvers that know no other and no hosts file but `hosts_file`."""

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self._nursery = nursery
        self.hosts_file = folder / "hosts"

    async def start(self, server: DnsServer) -> DnsServer:
        await self._nursery.start(server.run)
        return server

    def resolver(
        self,
        *servers: DnsServer,
        patience: float = PATIENT,
        lifetime: float = PATIENT,
        cache_size: int = 100,
        max_queries: int = 10,
        want_ipv6: bool = True,
    ) -> Resolver:
        return Resolver(
            timeout=patience,
            lifetime=lifetime,
            nameservers=[server.address for server in servers],
            cache_size=cache_size,
            hosts_file=self.hosts_file,
            max_queries=max_queries,
            want_ipv6=want_ipv6,
            draw=lambda: 0.0,
        )


@pytest.fixture
def bench(nursery: trio.Nursery, tmp_path: Path) -> Bench:
    return Bench(nursery, tmp_path)


async def places(
    resolver: Resolver, uri: str, transports: tuple[str, ...] = ALL
) -> list[tuple[str, str, int]]:
    targets = await resolver.resolve(SipURI.parse(uri), transports)
    return [(target.transport, *target.address) for target in targets]


async def failure(resolver: Resolver, uri: str, transports: tuple[str, ...] = ALL) -> str:
    with pytest.raises(TransportError) as caught:
        await resolver.resolve(SipURI.parse(uri), transports)
    return str(caught.value)


async def test_naptr_then_srv_then_addresses(bench: Bench) -> None:
    server = await bench.start(DnsServer(ZONE))
    targets = await bench.resolver(server).resolve(SipURI.parse("sip:bob@example.com"), ALL)
    assert targets == [
        Target("tls", ("192.0.2.1", 5061), "example.com"),
        Target("tls", ("2001:db8::1", 5061), "example.com"),
    ]
    assert server.asked == Counter(
        {
            ("example.com", "NAPTR"): 1,
            ("_sips._tcp.example.com", "SRV"): 1,
            ("server1.example.com", "A"): 1,
            ("server1.example.com", "AAAA"): 1,
        }
    )


async def test_servers_behind_an_alias(bench: Bench) -> None:
    resolver = bench.resolver(await bench.start(DnsServer(ZONE)), want_ipv6=False)
    assert await places(resolver, "sip:example.com", ("udp", "tcp")) == [
        ("tcp", "192.0.2.1", 5060),
        ("tcp", "192.0.2.2", 5070),
    ]


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sip:srv.example", ("udp", "192.0.2.1", 5080)),
        ("sip:plain.example", ("udp", "192.0.2.3", 5060)),
        ("sip:plain.example;transport=tcp", ("tcp", "192.0.2.3", 5060)),
        ("sips:plain.example", ("tls", "192.0.2.3", 5061)),
        ("sip:plain.example:5090", ("udp", "192.0.2.3", 5090)),
    ],
)
async def test_domains_with_less(bench: Bench, uri: str, place: tuple[str, str, int]) -> None:
    resolver = bench.resolver(await bench.start(DnsServer(ZONE)), want_ipv6=False)
    assert await places(resolver, uri) == [place]


@pytest.mark.parametrize("uri", ["sip:192.0.2.9", "sip:[2001:db8::9]:5070"])
async def test_a_numeric_host_loads_nothing_and_asks_nobody(bench: Bench, uri: str) -> None:
    assert len(await places(bench.resolver(), uri)) == 1


async def test_a_domain_that_is_not_there(bench: Bench) -> None:
    resolver = bench.resolver(await bench.start(DnsServer(ZONE)))
    assert await failure(resolver, "sip:nobody.example;transport=udp") == (
        "no DNS record for _sip._udp.nobody.example (SRV), nobody.example (A)"
    )


async def test_a_uri_that_nothing_of_ours_fits(bench: Bench) -> None:
    assert "no transport of ours" in await failure(bench.resolver(), "sips:a.example", ("udp",))


async def test_a_server_that_does_not_answer(bench: Bench) -> None:
    server = await bench.start(DnsServer(ZONE, silent={"A"}))
    resolver = bench.resolver(server, patience=HASTY)
    assert await failure(resolver, "sip:plain.example:5060") == (
        "the DNS server does not answer, asked for the A record of plain.example"
    )


async def test_a_server_that_refuses(bench: Bench) -> None:
    server = await bench.start(DnsServer(ZONE, rcodes={"A": "SERVFAIL", "AAAA": "SERVFAIL"}))
    assert await failure(bench.resolver(server), "sip:plain.example:5060") == (
        "the DNS server says SERVFAIL, asked for the AAAA record of plain.example"
    )


async def test_a_server_that_cannot_do_naptr_and_srv(bench: Bench) -> None:
    server = await bench.start(DnsServer(ZONE, rcodes={"NAPTR": "NOTIMP", "SRV": "SERVFAIL"}))
    resolver = bench.resolver(server, want_ipv6=False)
    assert await places(resolver, "sip:plain.example") == [("udp", "192.0.2.3", 5060)]


async def test_without_any_server(bench: Bench, tmp_path: Path) -> None:
    resolver = Resolver(hosts_file=bench.hosts_file, resolv_conf=tmp_path / "resolv.conf")
    assert await failure(resolver, "sip:plain.example:5060") == (
        "no DNS server is known, asked for the AAAA record of plain.example"
    )


async def test_all_questions_together_are_bounded_by_the_lifetime(
    bench: Bench, mock_clock: MockClock
) -> None:
    server = await bench.start(DnsServer(ZONE, silent={"SRV"}))
    resolver = bench.resolver(server, lifetime=8.0)
    async with trio.open_nursery() as callers:
        callers.start_soon(jump_when_asked, server, "SRV", mock_clock, 8.0)
        assert await failure(resolver, "sip:plain.example") == (
            "the DNS server does not answer, asked for the SRV record of _sip._udp.plain.example"
        )


async def test_what_was_found_when_the_time_is_over_is_used(
    bench: Bench, mock_clock: MockClock
) -> None:
    server = await bench.start(DnsServer(ZONE, silent={"AAAA"}))
    resolver = bench.resolver(server, lifetime=8.0)
    async with trio.open_nursery() as callers:
        callers.start_soon(jump_when_asked, server, "AAAA", mock_clock, 8.0)
        found = await places(resolver, "sip:plain.example:5060")
    assert found == [("udp", "192.0.2.3", 5060)]


async def jump_when_asked(
    server: DnsServer, kind: str, mock_clock: MockClock, seconds: float
) -> None:
    while all(asked != kind for _, asked in server.asked):
        await trio.lowlevel.checkpoint()
    mock_clock.jump(seconds)


async def test_a_slow_server_holds_up_nobody_else(bench: Bench) -> None:
    hold = trio.Event()
    slow = await bench.start(DnsServer(ZONE, hold=hold))
    resolver = bench.resolver(slow, want_ipv6=False)
    found: list[str] = []

    async def find(uri: str) -> None:
        found.extend(host for _, host, _ in await places(resolver, uri))

    async with trio.open_nursery() as callers:
        callers.start_soon(find, "sip:plain.example:5060")
        while not slow.asked:
            await trio.lowlevel.checkpoint()
        await find("sip:192.0.2.9")
        assert found == ["192.0.2.9"]
        hold.set()
    assert found == ["192.0.2.9", "192.0.2.3"]


async def test_those_who_ask_the_same_at_once_share_a_question(bench: Bench) -> None:
    hold = trio.Event()
    # Without a time to live the cache is of no help.
    server = await bench.start(DnsServer(ZONE, hold=hold, ttl=0))
    resolver = bench.resolver(server, want_ipv6=False)
    found: list[list[tuple[str, str, int]]] = []

    async def find() -> None:
        found.append(await places(resolver, "sip:plain.example:5060"))

    async with trio.open_nursery() as callers:
        for _ in range(20):
            callers.start_soon(find)
        while not server.asked:
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        hold.set()
    assert found == [[("udp", "192.0.2.3", 5060)]] * 20
    assert server.asked["plain.example", "A"] == 1
    await find()
    assert server.asked["plain.example", "A"] == 2


async def test_when_the_one_who_asked_goes_away_another_asks(bench: Bench) -> None:
    hold = trio.Event()
    server = await bench.start(DnsServer(ZONE, hold=hold))
    resolver = bench.resolver(server, want_ipv6=False)
    impatient = trio.CancelScope()
    found: list[tuple[str, str, int]] = []

    async def ask_and_go_away() -> None:
        with impatient:
            await places(resolver, "sip:plain.example:5060")

    async def find() -> None:
        found.extend(await places(resolver, "sip:plain.example:5060"))

    async with trio.open_nursery() as callers:
        callers.start_soon(ask_and_go_away)
        while not server.asked:
            await trio.lowlevel.checkpoint()
        callers.start_soon(find)
        await wait_all_tasks_blocked()
        impatient.cancel()
        hold.set()
    assert found == [("udp", "192.0.2.3", 5060)]
    assert server.asked["plain.example", "A"] == 2


async def test_questions_under_way_are_bounded(bench: Bench) -> None:
    hold = trio.Event()
    server = await bench.start(DnsServer(ZONE, hold=hold))
    resolver = bench.resolver(server, want_ipv6=False, max_queries=2)
    found: list[str] = []

    async def find(name: str) -> None:
        found.extend(host for _, host, _ in await places(resolver, f"sip:{name}:5060"))

    async with trio.open_nursery() as callers:
        for name in ("plain.example", "other.example", "server1.example.com", "farm.example.com"):
            callers.start_soon(find, name)
        while server.asked.total() < 2:
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert server.asked.total() == 2
        hold.set()
    assert sorted(found) == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]


async def test_records_are_kept_for_their_time(bench: Bench, mock_clock: MockClock) -> None:
    server = await bench.start(DnsServer(ZONE, ttl=60))
    resolver = bench.resolver(server, want_ipv6=False)
    for seconds, asked in ((0.0, 1), (59.0, 1), (2.0, 2), (59.0, 2)):
        mock_clock.jump(seconds)
        assert await places(resolver, "sip:plain.example:5060") == [("udp", "192.0.2.3", 5060)]
        assert server.asked["plain.example", "A"] == asked


async def test_that_there_is_nothing_is_kept_for_a_short_time(
    bench: Bench, mock_clock: MockClock
) -> None:
    zone = dict(ZONE)
    server = await bench.start(DnsServer(zone, negative_ttl=3600))
    resolver = bench.resolver(server, want_ipv6=False)
    await failure(resolver, "sip:new.example:5060")
    zone["new.example", "A"] = ["192.0.2.7"]
    mock_clock.jump(29.0)
    await failure(resolver, "sip:new.example:5060")
    assert server.asked["new.example", "A"] == 1
    mock_clock.jump(2.0)
    assert await places(resolver, "sip:new.example:5060") == [("udp", "192.0.2.7", 5060)]


async def test_no_aaaa_for_a_name_does_not_hide_its_a(bench: Bench) -> None:
    server = await bench.start(DnsServer(ZONE, rcodes={"AAAA": "NXDOMAIN"}))
    resolver = bench.resolver(server)
    for port in (5060, 5070):
        uri = f"sip:plain.example:{port}"
        assert await places(resolver, uri) == [("udp", "192.0.2.3", port)]
    assert server.asked["plain.example", "AAAA"] == 1


async def test_the_cache_is_bounded(bench: Bench) -> None:
    server = await bench.start(DnsServer(ZONE))
    resolver = bench.resolver(server, want_ipv6=False, cache_size=1)
    for uri in ("sip:plain.example:5060", "sip:other.example:5060", "sip:plain.example:5060"):
        await places(resolver, uri)
    assert server.asked["plain.example", "A"] == 2


async def test_names_of_the_hosts_file_do_not_go_to_the_dns(bench: Bench) -> None:
    bench.hosts_file.write_text("192.0.2.8 sip.office.example\n2001:db8::8 sip.office.example\n")
    server = await bench.start(DnsServer({}))
    resolver = bench.resolver(server)
    assert await places(resolver, "sip:SIP.office.example") == [
        ("udp", "192.0.2.8", 5060),
        ("udp", "2001:db8::8", 5060),
    ]
    assert not server.asked
    bench.hosts_file.write_text("192.0.2.88 sip.office.example\n")
    assert await places(resolver, "sips:sip.office.example") == [("tls", "192.0.2.88", 5061)]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "phone.localhost"])
async def test_localhost_is_this_machine(bench: Bench, host: str) -> None:
    server = await bench.start(DnsServer({}))
    assert await places(bench.resolver(server), f"sip:{host}") == [
        ("udp", "127.0.0.1", 5060),
        ("udp", "::1", 5060),
    ]
    assert not server.asked


@pytest.mark.parametrize("host", ["phone", "phone.local", "phone."])
async def test_local_names_are_looked_up_by_the_system(bench: Bench, host: str) -> None:
    asked: list[str] = []

    def look_up(question: Question) -> Answer:
        asked.append(f"{question.kind} {question.name}")
        return [AddressRecord("192.0.2.5")] if question.kind == "A" else ()

    resolver = Resolver(nameservers=[], hosts_file=bench.hosts_file, look_up=look_up)
    assert await places(resolver, f"sip:{host}") == [("udp", "192.0.2.5", 5060)]
    name = host.removesuffix(".")
    assert asked == [
        f"NAPTR {name}",
        f"SRV _sip._udp.{name}",
        f"SRV _sip._tcp.{name}",
        f"SRV _sips._tcp.{name}",
        f"A {name}",
        f"AAAA {name}",
    ]


def test_what_the_system_says() -> None:
    # It needs no DNS for a number.
    assert ask_system(Question("192.0.2.5", "A")) == [AddressRecord("192.0.2.5")]
    assert ask_system(Question("2001:db8::5", "AAAA")) == [AddressRecord("2001:db8::5")]
    assert ask_system(Question("2001:db8::5", "A")) == ()
    assert ask_system(Question("192.0.2.5", "SRV")) == ()
    assert isinstance(ask_system(Question("x" * 70, "A")), Failure)


async def test_resolv_conf_is_read_again_when_it_changes(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    resolver = Resolver(hosts_file=bench.hosts_file, resolv_conf=path, want_ipv6=False)
    assert "no DNS server" in await failure(resolver, "sip:plain.example:5060")
    # An address for which there is no way, so that nothing is waited for.
    path.write_text("nameserver 255.255.255.255\n")
    assert "cannot be reached" in await failure(resolver, "sip:other.example:5060")


async def test_the_dns_library_is_loaded_by_the_first_question_only() -> None:
    program = (
        "import sys, sylk.net.resolver as r; r.trio.run(r.Resolver(nameservers=[]).resolve, "
        "r.SipURI.parse('sip:192.0.2.1'), ('udp',)); sys.exit('dns' in sys.modules)"
    )
    await trio.run_process([sys.executable, "-c", program])
