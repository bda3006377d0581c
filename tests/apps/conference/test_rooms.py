"""The rooms that are open: bounds, seats, and that nothing is left of any."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.apps.conference.visits import assert_all_is_gone, enter
from tests.peers import (
    DOMAIN,
    Caller,
    chat_offer,
    connect_msrp,
    running_server,
)


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


async def test_the_next_one_after_the_last_finds_an_empty_room() -> None:
    async with running_server() as server:
        for _ in range(2):
            async with Caller(server) as caller:
                assert "the first one here" in await enter(caller)
                assert (await caller.bye()).status == 200
            await assert_all_is_gone(server)


async def test_a_full_room_is_busy_and_a_full_house_unavailable() -> None:
    settings = {"Conference": {"max_participants": 2, "max_rooms": 1}}
    async with (
        running_server(settings) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "carol") as carol,
        Caller(server, "dave") as dave,
    ):
        await enter(alice)
        # A seat is taken from the answer on, or a crowd that comes at once would all get in.
        assert (await bob.invite()).status == 200
        assert (await carol.invite()).status == 486
        await carol.acknowledge()
        async with Caller(server, "dave", room=f"other@{DOMAIN}") as elsewhere:
            assert (await elsewhere.invite()).status == 503
            await elsewhere.acknowledge()
        await bob.acknowledge()
        await bob.connect()
        assert (await bob.bye()).status == 200
        await trio.testing.wait_all_tasks_blocked()
        await enter(dave)
        for caller in (alice, dave):
            assert (await caller.bye()).status == 200
        await assert_all_is_gone(server)
        async with Caller(server, "dave", room=f"other@{DOMAIN}") as elsewhere:
            assert (await elsewhere.invite()).status == 200


@pytest.mark.parametrize("stage", ["cancelled", "no ack", "no media", "wrong session"])
async def test_who_does_not_get_in_leaves_nothing(stage: str) -> None:
    async with (
        running_server(establish_timeout=0.05) as server,
        Caller(server, "alice") as alice,
        Caller(server, "eve") as eve,
    ):
        await enter(alice)
        if stage == "cancelled":
            await eve.sip.send(eve.request("INVITE", body=chat_offer(eve.path)))
            await eve.cancel()
            # The 200 is as quick as the CANCEL: either may have won.
            if (await eve.await_answer()).status == 200:
                await eve.acknowledge()
                await eve.await_bye()
        else:
            await eve.invite()
            if stage != "no ack":
                await eve.acknowledge()
            if stage == "wrong session":
                stray = await connect_msrp(eve.msrp_port)
                eve.take_msrp(stray)
                eve.path = f"{eve.path.partition('//')[0]}//127.0.0.1:1/wrong;tcp"
                assert await eve.send(None) == 481
            if stage == "no ack":
                await trio.testing.wait_all_tasks_blocked(0.1)
                await eve.acknowledge()
            await eve.await_bye()
        await trio.testing.wait_all_tasks_blocked()
        assert server.endpoint.call_count == 1
        # Alice has heard nothing of all this.
        await alice.say("anybody?")
        assert (await alice.bye()).status == 200
        assert [frame.what for frame in await alice.msrp.rest() if frame.body] == []
        await assert_all_is_gone(server)
