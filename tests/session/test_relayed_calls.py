"""Calls of ours whose messages a relay carries: what the offer says, how the path is kept."""

import logging

import pytest
import trio
import trio.testing

from sylk.call.relay_digest import RelayPassword
from sylk.errors import SessionEnded, TransportError
from sylk.msrp.uri import MsrpURI
from sylk.net.relay_path import RelayAccount
from sylk.session.challenges import Credentials
from sylk.session.dial import Dialled
from sylk.sip.flow import Flow
from tests.end_to_end.wire_msrp import render_frame
from tests.net.relays import account, relay_port
from tests.peers import (
    HOST,
    PATIENCE,
    Callee,
    assert_nothing_left,
    attribute,
    chat_offer,
    connect_msrp,
    destination,
    living_tasks,
    running_endpoint,
    running_server,
)

FLOW = Flow("udp", (HOST, 5060), (HOST, 5070))
THEIRS = "msrp://127.0.0.1:9/theirs;tcp"
CHALLENGE = 'Digest realm="example.com", nonce="n1", algorithm=SHA-256'


async def test_two_talk_over_the_relay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.relay")
    with trio.fail_after(PATIENCE):
        async with (
            relay_port() as relay,
            running_server() as server,
            running_endpoint(relay=account(relay)) as endpoint,
        ):
            async with Dialled(endpoint, destination(server.endpoint, "echo")) as chat:
                await chat.send("hello")
                assert (await anext(aiter(chat))).text == "hello"
            await assert_nothing_left(endpoint)
    assert "relay path for 'alice' from 127.0.0.1:" in caplog.text


async def test_each_sending_of_the_invite_has_the_same_path() -> None:
    """Also the one that answers a challenge; who is called connects to the relay."""
    async with (
        relay_port() as relay,
        running_endpoint(msrp_port=None, relay=account(relay)) as endpoint,
        Callee() as callee,
        trio.open_nursery() as nursery,
    ):
        leave = trio.Event()
        number = dict(relay.listening)["tcp"][1]

        async def call() -> None:
            credentials = Credentials("alice", "secret")
            async with Dialled(endpoint, callee.destination, credentials=credentials):
                await leave.wait()

        with trio.fail_after(PATIENCE):
            nursery.start_soon(call)
            first = await callee.receive("INVITE")
            await callee.reply(f"401 Unauthorized\r\nWWW-Authenticate: {CHALLENGE}")
            await callee.receive("ACK")
            second = await callee.receive("INVITE")
            (path,) = attribute(second.body, "path")
            assert attribute(first.body, "path") == [path]
            uris = path.split()
            assert len(uris) == 2
            assert uris[0].startswith(f"msrp://{HOST}:{number}/")
            # Nobody can connect to us, but they can to the relay.
            assert attribute(second.body, "setup") == ["actpass"]
            assert f"m=message {number} TCP/MSRP *".encode() in second.body
            assert b"msrp-cema" not in second.body
            await callee.reply("200 OK", chat_offer(THEIRS))
            await callee.receive("ACK")
            peer = await connect_msrp(number)
            lines = ["Message-ID: m", "Byte-Range: 1-0/0"]
            await peer.send(render_frame("SEND", path, THEIRS, lines))
            assert (await peer.receive()).status == 200
            leave.set()
            bye = await callee.receive("BYE")
            await callee.reply("200 OK", to=bye)
            peer.close()


async def test_a_call_that_is_refused_gives_its_path_back() -> None:
    with trio.fail_after(PATIENCE):
        async with (
            relay_port() as relay,
            running_endpoint(relay=account(relay)) as endpoint,
            Callee() as callee,
            trio.open_nursery() as nursery,
        ):

            async def refuse() -> None:
                await callee.receive("INVITE")
                await callee.reply("486 Busy Here")

            await trio.testing.wait_all_tasks_blocked()
            before = living_tasks()
            nursery.start_soon(refuse)
            with pytest.raises(SessionEnded, match="Busy Here"):
                async with Dialled(endpoint, callee.destination):
                    raise AssertionError("it does not stand")
            # Both ends of the connection to the relay are gone.
            while living_tasks() > before:
                await trio.testing.wait_all_tasks_blocked()
            await assert_nothing_left(endpoint)


async def test_a_relay_that_refuses_us_ends_the_call_before_it_begins() -> None:
    with trio.fail_after(PATIENCE):
        async with (
            relay_port() as relay,
            running_endpoint(relay=account(relay, password="wrong")) as endpoint,
            Callee() as callee,
        ):
            with pytest.raises(TransportError, match="401"):
                async with Dialled(endpoint, callee.destination):
                    raise AssertionError("it does not stand")
            assert endpoint.call_count == 0


async def test_a_relay_that_is_silent_is_given_up(jumping_clock: trio.testing.MockClock) -> None:
    assert jumping_clock.autojump_threshold is not None
    (listener,) = await trio.open_tcp_listeners(0, host=HOST)
    uri = MsrpURI(False, None, HOST, listener.socket.getsockname()[1], "")
    silent = RelayAccount(uri, RelayPassword("alice", "secret", lambda: "c"))
    async with listener, running_endpoint(establish_timeout=5, relay=silent) as endpoint:
        with pytest.raises(TransportError, match="does not answer"):
            await endpoint.media.reserve_path(FLOW)


async def test_without_a_relay_there_is_no_path_to_reserve() -> None:
    async with running_endpoint() as endpoint:
        assert await endpoint.media.reserve_path(FLOW) is None
