"""The metrics port: what a scraper gets, and what others get."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from sylk.application import NoSettings
from sylk.errors import ListenError
from sylk.metrics import MAX_REQUEST, MetricsPort, render
from tests.peers import running_server
from tests.test_status import Telling


@asynccontextmanager
async def asking() -> AsyncGenerator[MetricsPort]:
    application = Telling(NoSettings())
    async with running_server(application=application) as server, trio.open_nursery() as nursery:
        port = MetricsPort("127.0.0.1", 0, server.status)
        nursery.start_soon(port.run)
        yield port
        nursery.cancel_scope.cancel()


async def ask(port: MetricsPort, request: bytes) -> tuple[str, bytes]:
    """Return the status line and the body."""
    with trio.fail_after(10):
        async with await trio.open_tcp_stream(*port.local) as stream:
            await stream.send_all(request)
            answer = b""
            async for data in stream:
                answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().partition("\r\n")[0], body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"),
        (b"GET /metrics?x=y HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        (b"\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (b"x" * MAX_REQUEST, "HTTP/1.1 400 Bad Request"),
    ],
)
async def test_each_request_has_its_answer(request_: bytes, status: str) -> None:
    async with asking() as port:
        answer, body = await ask(port, request_)
        assert answer == status
        assert (b"sylk_sessions" in body) is status.endswith("200 OK")


async def test_the_figures_are_those_of_the_server_and_its_application() -> None:
    async with running_server(application=Telling(NoSettings())) as server:
        server.endpoint.messages_received = 7
        families = text_string_to_metric_families(render(server.status).decode())
        values = {sample.name: sample.value for one in families for sample in one.samples}
        assert values["sylk_sip_received_total"] == 7
        assert values["sylk_sessions"] == 0
        assert values["sylk_telling_guests"] == 3
        assert values["sylk_info"] == 1


async def test_head_has_no_body() -> None:
    async with asking() as port:
        assert await ask(port, b"HEAD /metrics HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", b"")


async def test_a_port_in_use_is_told() -> None:
    async with running_server(application=Telling(NoSettings())) as server:
        first = MetricsPort("127.0.0.1", 0, server.status)
        with pytest.raises(ListenError, match="EADDRINUSE"):
            MetricsPort(*first.local, server.status)
        first.close()
