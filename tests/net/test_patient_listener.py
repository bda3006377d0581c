"""Tests of sylk.net.patient_listener."""

import resource
import socket

import pytest
import trio
import trio.testing

from sylk.net.patient_listener import PatientListener
from tests.net.test_listener import lowest_free_descriptor


async def test_used_up_descriptors_are_waited_for_with_one_line(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = PatientListener(server, "a question")
        client = socket.create_connection(server.getsockname())
        accepted: list[trio.SocketStream] = []

        async def accept() -> None:
            accepted.append(await listener.accept())

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        async with trio.open_nursery() as nursery:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free_descriptor(), hard))
            try:
                nursery.start_soon(accept)
                await trio.sleep(2.0)
                assert not accepted
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.close()
        await accepted[0].aclose()
        await listener.aclose()
    (record,) = caplog.records
    assert record.getMessage() == "cannot take a question for now: Too many open files"


async def test_a_listener_that_is_closed_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = PatientListener(server, "a question")
        await listener.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()
