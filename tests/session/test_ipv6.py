"""Over IPv6: a room, its addresses on the wire, and both families at one port."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from sylk.cli.client_tls import make_client_tls
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.resolver import Resolver
from sylk.net.sip_transports import SipTransportSettings
from sylk.payload.cpim import Address
from sylk.server import Server
from sylk.session import UserAgent
from sylk.session.attempts import Destination
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.session.request_client import ask
from sylk.sip.uri import SipURI
from tests.net.dns_server import DnsServer
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Caller,
    assert_nothing_left,
    attribute,
    refuse_nothing,
    running_server,
    sip_port,
)
from tests.session.wire_servers import ALICE, WireServer

LOCAL = "::1"
BOTH = pytest.mark.parametrize("local_ip", [LOCAL, "::"])


@asynccontextmanager
async def server_at(local_ip: str, folder: Path) -> AsyncGenerator[Server]:
    settings: dict[str, dict[str, object]] = {
        "Server": {"spool_dir": folder},
        "SIP": {"local_ip": local_ip, "local_tls_port": 0},
        "MSRP": {"local_ip": local_ip, "local_tls_port": 0},
    }
    async with running_server(settings) as server:
        yield server


def caller_of(server: Server, user: str, transport: str, host: str = LOCAL) -> Caller:
    room = f"lobby@[{LOCAL}]" if host == LOCAL else f"lobby@{host}"
    return Caller(server, user, room=room, transport=transport, host=host)


@BOTH
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_two_people_talk(local_ip: str, transport: str, tmp_path: Path) -> None:
    async with (
        server_at(local_ip, tmp_path) as server,
        caller_of(server, "alice", transport) as alice,
        caller_of(server, "bob", transport) as bob,
    ):
        await alice.join()
        await bob.join()
        await alice.say("hello")
        assert (await bob.hear()).text == "hello"
        await bob.say("hi")
        assert (await alice.hear()).text == "hi"
        assert alice.answer is not None
        contact = alice.answer["Contact"]
        assert contact.startswith(f"<sip:lobby@[::1]:{sip_port(server.endpoint, transport)}")
        (path,) = attribute(alice.answer.body, "path")
        assert re.fullmatch(rf"msrp://\[::1\]:{alice.msrp_port}/\S+;tcp", path)
        assert b"c=IN IP6 ::1\r\n" in alice.answer.body
        assert re.search(rb"^o=\S+ \d+ \d+ IN IP6 ::1\r$", alice.answer.body, re.MULTILINE)
        via = alice.answer["Via"]
        assert "received=::1" in via or "received" not in via
        await alice.bye()
        server.stop.set()
        bye = await bob.await_bye()
        assert f"SIP/2.0/{transport.upper()} [::1]:" in bye["Via"]
        assert bye.start_line.startswith(f"BYE sip:bob@[::1]:{bob.sip.port}")


@asynccontextmanager
async def phone_at(host: str, resolver: Resolver | None = None) -> AsyncGenerator[Endpoint]:
    """Run an endpoint of ours that speaks everything, MSRP over TLS too."""
    settings = EndpointSettings(
        name="Phone",
        tls=make_client_tls(None),
        resolver=resolver,
        sip=SipTransportSettings(host, 0, 0),
        msrp=MsrpPortSettings(host, 0, 0, use_tls=True),
    )
    async with trio.open_nursery() as nursery:
        endpoint = Endpoint(settings, refuse_nothing)
        await nursery.start(endpoint.run)
        yield endpoint
        nursery.cancel_scope.cancel()


@BOTH
async def test_two_people_talk_over_tls(local_ip: str, tmp_path: Path) -> None:
    async with server_at(local_ip, tmp_path) as server, phone_at(LOCAL) as phone:
        room = f"sip:lobby@[{LOCAL}]:{sip_port(server.endpoint, 'tls')};transport=tls"
        agent = UserAgent(phone)
        alice = agent.call(room, local=Address(f"sip:alice@{DOMAIN}"))
        bob = agent.call(room, local=Address(f"sip:bob@{DOMAIN}"))
        with trio.fail_after(PATIENCE):
            async with alice as first, bob as second:
                assert first.call.flow.transport == "tls"
                assert first.call.flow.remote[0] == LOCAL
                await first.send("hello")
                async for message in second:
                    if message.text == "hello":
                        break
                theirs = second.call.usage.negotiation.chat
                assert theirs is not None
                (hop,) = theirs.path
                assert (hop.secure, hop.host) == (True, LOCAL)
        await assert_nothing_left(phone)
        await assert_nothing_left(server)


async def test_a_host_with_an_ipv6_address_alone_is_found(tmp_path: Path) -> None:
    dns = DnsServer({("six.example", "AAAA"): [LOCAL]})
    async with WireServer("udp", host=LOCAL) as server, trio.open_nursery() as nursery:
        await nursery.start(dns.run)
        resolver = Resolver(nameservers=[dns.address], hosts_file=tmp_path / "hosts")
        async with phone_at("::", resolver) as phone:
            uri = SipURI.parse(f"sip:bob@six.example:{server.port}")
            nursery.start_soon(ask, phone, Destination(uri, ALICE), "OPTIONS")
            request = await server.request("OPTIONS")
            port = sip_port(phone, "udp")
            assert request["Via"].startswith(f"SIP/2.0/UDP [::1]:{port};")
            await server.answer(request, "200 OK")
            await trio.testing.wait_all_tasks_blocked()
            await assert_nothing_left(phone)
        nursery.cancel_scope.cancel()


async def test_both_families_meet_in_one_room(tmp_path: Path) -> None:
    """What is bound to :: serves IPv4 too, each side with addresses of its own family."""
    async with (
        server_at("::", tmp_path) as server,
        caller_of(server, "old", "udp", HOST) as old,
        caller_of(server, "older", "tcp", HOST) as older,
        caller_of(server, "new", "udp") as new,
    ):
        for who in (old, older, new):
            who.room = f"lobby@{DOMAIN}"
            await who.join()
            assert who.answer is not None
            shown = HOST if who.host == HOST else f"[{LOCAL}]"
            assert f"@{shown}:" in who.answer["Contact"]
            assert f"//{shown}:" in attribute(who.answer.body, "path")[0]
