"""The relay on real links: connections, slow readers, closed doors, the log."""

import ipaddress
import logging

import pytest
import trio
import trio.testing

from sylk.msrp.frame import REPORT, reported_status
from sylk.msrp.relay_limits import RelayLimits
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.relay_traffic import is_allowed
from tests.msrp.relay_world import answer, send
from tests.net.relays import HOST, OWN, Guests, relay_port

PATIENCE = 20.0


async def test_messages_are_carried_to_a_connection_of_ours_and_back() -> None:
    with trio.fail_after(PATIENCE):
        async with relay_port() as port, Guests(port) as guests:
            client = await guests.connect()
            path = await client.log_in(port)
            listener, far_uri = await guests.listen()
            await client.send(send(path + b" " + far_uri, OWN))
            far = await guests.accept(listener)
            frame = await far.read()
            assert frame is not None
            assert frame.body == b"Hi"
            accepted = await client.read()
            assert accepted is not None
            assert accepted.status == 200
            await far.send(answer(frame, 413))
            report = await client.read()
            assert report is not None
            assert (report.method, reported_status(report)) == (REPORT, 413)
            # A second message takes the same connection.
            await client.send(send(path + b" " + far_uri, OWN, b"again", tid=b"t2"))
            frame = await far.read()
            assert frame is not None
            assert frame.body == b"again"


async def test_a_place_that_refuses_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.relay")
    with trio.fail_after(PATIENCE):
        async with relay_port() as port, Guests(port) as guests:
            client = await guests.connect()
            path = await client.log_in(port)
            listener, far_uri = await guests.listen()
            await listener.aclose()
            await client.send(send(path + b" " + far_uri, OWN))
            statuses: list[int | None] = []
            for _ in range(2):
                frame = await client.read()
                assert frame is not None
                statuses.append(frame.status or reported_status(frame))
            assert statuses == [200, 408]
    assert "relay path for 'alice' from 127.0.0.1:" in caplog.text
    assert "no way to 127.0.0.1:" in caplog.text


async def test_a_place_that_is_not_allowed_is_never_connected_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "sylk.relay")
    with trio.fail_after(PATIENCE):
        async with relay_port(networks=()) as port, Guests(port) as guests:
            client = await guests.connect()
            path = await client.log_in(port)
            listener, far_uri = await guests.listen()
            await client.send(send(path + b" " + far_uri, OWN, failure=b"partial"))
            report = await client.read()
            assert report is not None
            assert reported_status(report) == 408
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0) as nobody:
                await listener.accept()
            assert nobody.cancelled_caught
    assert "its address is not among allowed_networks" in caplog.text


async def test_a_client_is_kept_without_a_session_and_a_stranger_is_not() -> None:
    settings = MsrpPortSettings(host=HOST, port=0, establish_timeout=0.3)
    with trio.fail_after(PATIENCE):
        async with relay_port(settings=settings) as port, Guests(port) as guests:
            client, stranger = await guests.connect(), await guests.connect()
            path = await client.log_in(port)
            # It asks, but never proves anything.
            await stranger.send(
                b"MSRP a1 AUTH\r\nTo-Path: msrp://h:1;tcp\r\nFrom-Path: msrp://x:1/x;tcp\r\n"
                b"-------a1$\r\n"
            )
            assert await stranger.read() is not None
            assert await stranger.read() is None
            listener, far_uri = await guests.listen()
            await client.send(send(path + b" " + far_uri, OWN))
            assert await (await guests.accept(listener)).read() is not None


async def test_who_fails_too_often_is_answered_and_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "sylk.msrp")
    with trio.fail_after(PATIENCE):
        async with relay_port(RelayLimits(max_challenges=3)) as port, Guests(port) as guests:
            wire = await guests.connect()
            for _ in range(3):
                await wire.send(
                    b"MSRP a1 AUTH\r\nTo-Path: msrp://h:1;tcp\r\nFrom-Path: msrp://x:1/x;tcp\r\n"
                    b"-------a1$\r\n"
                )
                frame = await wire.read()
                assert frame is not None
                assert frame.status == 401
            assert await wire.read() is None
            await trio.testing.wait_all_tasks_blocked()
    assert "AUTH failed too often" in caplog.text


async def test_a_sender_waits_for_a_slow_recipient_and_nobody_else_does() -> None:
    """Both read nothing but what the test reads: what is under way stays bounded."""
    with trio.fail_after(PATIENCE):
        async with relay_port() as port, Guests(port) as guests, trio.open_nursery() as nursery:
            alice, bob = await guests.connect(), await guests.connect()
            path = await alice.log_in(port)
            bob_path = await bob.log_in(port, "bob")
            listener, far_uri = await guests.listen()
            total, block = 64 * 1024 * 1024, b"x" * 65536
            sent = 0

            async def pour() -> None:
                nonlocal sent
                await alice.send(
                    b"MSRP big1 SEND\r\nTo-Path: %b %b\r\nFrom-Path: %b\r\nMessage-ID: big\r\n"
                    b"Byte-Range: 1-*/*\r\nContent-Type: a/b\r\n\r\n" % (path, far_uri, OWN)
                )
                while sent < total:
                    await alice.send(block)
                    sent += len(block)
                await alice.send(b"\r\n-------big1$\r\n")

            nursery.start_soon(pour)
            far_stream = (await guests.accept(listener)).stream
            # It stops when the buffers of the system and 256 KiB of ours are full.
            before = -1
            while before != sent:
                before = sent
                with trio.move_on_after(0.3):
                    await trio.sleep_forever()
            assert sent < 24 * 1024 * 1024
            # Meanwhile another client has its messages carried.
            other, other_uri = await guests.listen()
            await bob.send(send(bob_path + b" " + other_uri, OWN))
            frame = await (await guests.accept(other)).read()
            assert frame is not None
            assert frame.body == b"Hi"
            # And in the end all of it arrives.
            size = 0
            while size < total:
                size += len(await far_stream.receive_some(1024 * 1024))
            accepted = await alice.read()
            assert accepted is not None
            assert accepted.status == 200


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("239.1.2.3", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::a00:1", False),
        ("no address", False),
    ],
)
def test_only_the_public_internet_is_open(address: str, allowed: bool) -> None:
    assert is_allowed(address, ()) is allowed


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::5", "8.8.8.8"])
def test_networks_can_be_opened(address: str) -> None:
    networks = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
    assert is_allowed(address, networks)
    assert not is_allowed("192.168.1.1", networks)
