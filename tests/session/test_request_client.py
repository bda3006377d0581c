"""Requests outside a dialog that want one answer: to which server they go, and what comes of it."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from sylk.errors import SessionEnded, TransportError
from sylk.session.attempts import Destination
from sylk.session.challenges import Credentials
from sylk.session.endpoint import Endpoint
from sylk.session.request_client import ask
from sylk.sip.message import Response
from sylk.sip.uri import SipURI
from tests.peers import DOMAIN, HOST, PATIENCE, assert_nothing_left, running_endpoint
from tests.session.wire_servers import (
    ALICE,
    WireServer,
    endpoint_in,
    farm,
    response_to,
    silent_port,
    unused_port,
)

BOB = Destination(SipURI.parse(f"sip:bob@{DOMAIN}"), ALICE)


class Asking:
    """A request of ours in the background, and its answer."""

    def __init__(
        self,
        nursery: trio.Nursery,
        endpoint: Endpoint,
        destination: Destination = BOB,
        method: str = "OPTIONS",
        body: bytes = b"",
        credentials: Credentials | None = None,
    ) -> None:
        self._arguments = endpoint, destination, method, body, credentials
        self._done = trio.Event()
        self._answer: Response | SessionEnded | None = None
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        endpoint, destination, method, body, credentials = self._arguments
        kind = "text/plain" if body else None
        try:
            self._answer = await ask(
                endpoint, destination, method, (), body, kind, credentials=credentials
            )
        except SessionEnded as ended:
            self._answer = ended
        self._done.set()

    async def status(self) -> int | None:
        is_jumping = isinstance(trio.lowlevel.current_clock(), MockClock)
        with trio.fail_after(200 if is_jumping else PATIENCE):
            await self._done.wait()
        assert self._answer is not None
        return self._answer.status


async def test_the_final_response_is_the_answer() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        asking = Asking(nursery, endpoint, server.destination())
        request = await server.request("OPTIONS")
        assert request["From"].startswith(f"<sip:alice@{DOMAIN}>;tag=")
        assert "tag=" not in request["To"]
        assert request["CSeq"] == "1 OPTIONS"
        await server.answer(request, "183 Wait")
        await server.answer(request, "486 Busy Here")
        # A second final response, as of a fork, is nobody's business any more.
        await server.answer(request, "200 OK")
        assert await asking.status() == 486
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_next_server_is_tried(
    transport: str, tmp_path: Path, jumping_clock: MockClock
) -> None:
    """One is dead, one is silent or refuses the connection, one answers 503, one is good."""
    async with (
        silent_port() as silent,
        WireServer(transport) as busy,
        WireServer(transport) as good,
    ):
        dead = silent if transport == "udp" else unused_port("tcp")
        zone = farm(DOMAIN, transport, dead, busy.port, good.port)
        async with (
            endpoint_in(zone, tmp_path, clock=jumping_clock) as endpoint,
            trio.open_nursery() as nursery,
        ):
            asking = Asking(nursery, endpoint)
            first = await busy.request("OPTIONS")
            await busy.answer(first, "503 Busy", "Retry-After: 600 (later);duration=3")
            second = await good.request("OPTIONS")
            await good.answer(second, "200 OK")
            assert await asking.status() == 200
            for name in ("Call-ID", "CSeq", "From", "To"):
                assert first[name] == second[name]
            assert first["Via"] != second["Via"]
            assert first.start_line == second.start_line == f"OPTIONS sip:bob@{DOMAIN} SIP/2.0"
            # The next request begins with the one that was good.
            again = Asking(nursery, endpoint)
            await good.answer(await good.request("OPTIONS"), "200 OK")
            assert await again.status() == 200
            assert len(busy.came) == 1
            await assert_nothing_left(endpoint)


async def test_a_udp_port_where_nobody_is_costs_no_time(tmp_path: Path) -> None:
    """The system says so at once (RFC 3261 section 18.4); nothing waits for a time-out."""
    async with WireServer("udp") as good:
        zone = farm(DOMAIN, "udp", unused_port("udp"), good.port)
        async with endpoint_in(zone, tmp_path) as endpoint, trio.open_nursery() as nursery:
            asking = Asking(nursery, endpoint)
            await good.answer(await good.request("OPTIONS"), "200 OK")
            assert await asking.status() == 200
            await assert_nothing_left(endpoint)


async def test_a_server_is_left_alone_for_as_long_as_it_asks(
    tmp_path: Path, jumping_clock: MockClock
) -> None:
    async with WireServer() as busy, WireServer() as good:
        zone = farm(DOMAIN, "udp", busy.port, good.port)
        async with (
            endpoint_in(zone, tmp_path, clock=jumping_clock) as endpoint,
            trio.open_nursery() as nursery,
        ):
            asking = Asking(nursery, endpoint)
            await busy.answer(await busy.request("OPTIONS"), "503 Busy", "Retry-After: 600")
            await good.answer(await good.request("OPTIONS"), "200 OK")
            assert await asking.status() == 200
            # Longer than one that says nothing is left alone, and not yet as long as it wants.
            await trio.sleep(500)
            asking = Asking(nursery, endpoint)
            await good.answer(await good.request("OPTIONS"), "200 OK")
            assert await asking.status() == 200
            await trio.sleep(101)
            asking = Asking(nursery, endpoint)
            await busy.answer(await busy.request("OPTIONS"), "200 OK")
            assert await asking.status() == 200


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_last_failure_is_told(
    transport: str, tmp_path: Path, jumping_clock: MockClock
) -> None:
    async with silent_port() as silent, WireServer(transport) as busy:
        dead = silent if transport == "udp" else unused_port("tcp")
        zone = farm(DOMAIN, transport, dead, busy.port)
        async with (
            endpoint_in(zone, tmp_path, clock=jumping_clock) as endpoint,
            trio.open_nursery() as nursery,
        ):
            asking = Asking(nursery, endpoint)
            await busy.answer(await busy.request("OPTIONS"), "503 Busy")
            assert await asking.status() == 503
            await assert_nothing_left(endpoint)


async def test_a_server_that_is_silent_is_told_as_no_answer(jumping_clock: MockClock) -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        asking = Asking(nursery, endpoint, server.destination())
        assert await asking.status() == 408
        assert 31 < jumping_clock.current_time() < 40
        await assert_nothing_left(endpoint)


async def test_all_servers_together_have_a_limited_time(
    tmp_path: Path, jumping_clock: MockClock
) -> None:
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(silent_port()) for _ in range(4)]
        zone = farm(DOMAIN, "udp", *ports)
        async with endpoint_in(zone, tmp_path, clock=jumping_clock) as endpoint:
            begin = jumping_clock.current_time()
            with pytest.raises(SessionEnded) as caught:
                await ask(endpoint, BOB, "OPTIONS")
            assert caught.value.status == 408
            assert 89 < jumping_clock.current_time() - begin < 95
            await assert_nothing_left(endpoint)


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "600 Busy"])
async def test_what_a_server_refuses_no_other_is_asked(status: str, tmp_path: Path) -> None:
    async with WireServer() as first, WireServer() as second:
        zone = farm(DOMAIN, "udp", first.port, second.port)
        async with endpoint_in(zone, tmp_path) as endpoint, trio.open_nursery() as nursery:
            asking = Asking(nursery, endpoint)
            await first.answer(await first.request("OPTIONS"), status)
            assert await asking.status() == int(status[:3])
            assert not second.came
            await assert_nothing_left(endpoint)


async def test_no_server_at_all_is_an_error_of_the_transport() -> None:
    async with running_endpoint() as endpoint:
        target = Destination(SipURI.parse(f"sip:bob@{HOST}:{unused_port('tcp')}"), ALICE, "tcp")
        with pytest.raises(TransportError):
            await ask(endpoint, target, "OPTIONS")
        await assert_nothing_left(endpoint)


async def test_who_gives_up_waiting_leaves_nothing(jumping_clock: MockClock) -> None:
    async with running_endpoint() as endpoint, WireServer() as server:
        with trio.move_on_after(5):
            await ask(endpoint, server.destination(), "OPTIONS")
        assert endpoint.is_idle
        # The answer comes all the same, and concerns nobody.
        await server.answer(await server.request("OPTIONS"), "200 OK")
        await assert_nothing_left(endpoint)


async def test_responses_that_belong_to_nothing_are_dropped() -> None:
    """Each is like a good one but for what names the transaction."""
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        asking = Asking(nursery, endpoint, server.destination())
        request = await server.request("OPTIONS")
        good = response_to(request, "200 OK")
        branch = request["Via"].partition("branch=")[2].partition(";")[0].encode()
        for stray in (
            good.replace(branch, b"z9hG4bKunknown"),
            good.replace(b"1 OPTIONS", b"1 INVITE"),
            good.replace(b"1 OPTIONS", b"1 MESSAGE"),
        ):
            assert stray != good
            await server.send(stray, request)
        await server.answer(request, "404 Not Found")
        assert await asking.status() == 404
        await server.send(good, request)
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
        ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
async def test_a_server_that_asks_for_a_password_is_given_it(
    status: str, asks: str, answers: str
) -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        alice = Credentials("alice", "secret")
        asking = Asking(
            nursery, endpoint, server.destination(), "MESSAGE", b"hello", credentials=alice
        )
        first = await server.request("MESSAGE")
        assert answers not in first
        await server.answer(first, status, f'{asks}: Digest realm="r", nonce="n", qop="auth"')
        second = await server.request("MESSAGE")
        assert 'username="alice"' in second[answers]
        assert (first["CSeq"], second["CSeq"]) == ("1 MESSAGE", "2 MESSAGE")
        for name in ("Call-ID", "From", "To", "Content-Type"):
            assert first[name] == second[name]
        assert second.body == b"hello"
        await server.answer(second, "202 Accepted")
        assert await asking.status() == 202
        await assert_nothing_left(endpoint)
