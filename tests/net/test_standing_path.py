"""A path for all sessions of a server: asked for, used, lost and asked for again."""

import logging

import pytest
import trio
import trio.testing

from sylk.net.msrp_port import MsrpPortSettings
from sylk.net.standing_path import FIRST_WAIT, StandingPath
from tests.net.relays import HOST, account, relay_port, running

PATIENCE = 20.0
PLAIN = MsrpPortSettings(host=HOST, port=0)


@pytest.fixture
def jumping_clock() -> trio.testing.MockClock:
    """Give time that jumps where nothing goes on, and leaves real sockets a moment."""
    return trio.testing.MockClock(autojump_threshold=0.1)


async def await_path(standing: StandingPath, *, there: bool) -> None:
    while bool(standing.relays) != there:
        await trio.testing.wait_all_tasks_blocked(0.01)


async def test_a_path_that_is_lost_is_asked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sylk.relay")
    with trio.fail_after(PATIENCE):
        async with running(PLAIN) as port, trio.open_nursery() as nursery:
            async with relay_port() as relay:
                number = dict(relay.listening)["tcp"][1]
                standing = StandingPath(port, account(relay))
                assert not standing.leads(secure=False)
                nursery.start_soon(standing.run)
                await await_path(standing, there=True)
                (first,) = standing.relays
                assert (first.host, first.port) == (HOST, number)
                assert standing.leads(secure=False)
                assert not standing.leads(secure=True)
            await await_path(standing, there=False)
            again = MsrpPortSettings(host=HOST, port=number)
            async with relay_port(settings=again):
                await await_path(standing, there=True)
                assert standing.relays != (first,)
            nursery.cancel_scope.cancel()
    assert standing.relays == ()
    assert f"sessions go through the relay {HOST}" in caplog.messages
    assert f"the path through the relay {HOST} is lost: the peer closed the connection" in (
        caplog.messages
    )


async def test_a_relay_that_refuses_us_is_asked_ever_more_rarely(
    caplog: pytest.LogCaptureFixture, jumping_clock: trio.testing.MockClock
) -> None:
    assert jumping_clock.autojump_threshold is not None
    caplog.set_level(logging.WARNING, "sylk.relay")
    async with relay_port() as relay, running(PLAIN) as port:
        standing = StandingPath(port, account(relay, password="wrong"))
        with trio.move_on_after(6.5 * FIRST_WAIT):
            await standing.run()
    assert caplog.messages == [
        f"no path: the relay {HOST}: 401 Unauthorized; the next attempt is in {wait:g} s"
        for wait in (1, 2, 4)
    ]
