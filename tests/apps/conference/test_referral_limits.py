"""How often, and how many at a time, rooms call people whom a REFER names."""

import trio
import trio.testing

from tests.apps.conference.invited import Invited, outcome, refer
from tests.apps.conference.visits import enter
from tests.peers import Caller, running_server

OK = ["100 Trying", "200 OK"]


async def test_one_person_is_not_called_again_and_again() -> None:
    settings = {"Conference": {"max_calls_to_one": 2}}
    async with (
        running_server(settings) as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        for _ in range(2):
            assert await refer(desk, f"<{bob.uri}>") == 202
            await bob.await_invite()
            await bob.reply("603 Decline")
            assert (await outcome(desk))[-1] == "603 Decline"
        answer = await desk.ask("REFER", f"Refer-To: <{bob.uri};x=1>")
        assert answer.status == 503
        assert 590 <= int(answer["Retry-After"]) <= 600


async def test_only_so_many_are_called_at_a_time() -> None:
    settings = {"Conference": {"max_ringing": 1}}
    async with (
        running_server(settings) as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Invited(server) as bob,
        Invited(server, "carol") as carol,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        await bob.await_invite()
        answer = await alice.ask("REFER", f"Refer-To: <{carol.uri}>")
        assert (answer.status, answer["Retry-After"]) == (503, "10")
        await bob.pick_up()
        assert (await outcome(desk))[-1] == "200 OK"
        assert await refer(alice, f"<{carol.uri}>") == 202
        await carol.come()


async def test_a_seat_is_kept_for_who_is_being_called() -> None:
    settings = {"Conference": {"max_participants": 2}}
    async with (
        running_server(settings) as server,
        Caller(server) as alice,
        Caller(server) as desk,
        Caller(server, "carol") as carol,
        Invited(server) as bob,
    ):
        await enter(alice)
        assert await refer(desk, f"<{bob.uri}>") == 202
        await bob.await_invite()
        assert (await carol.invite()).status == 486
        await carol.acknowledge()
        await bob.reply("486 Busy Here")
        assert (await outcome(desk))[-1] == "486 Busy Here"
        async with Caller(server, "dave") as dave:
            await enter(dave)


async def test_a_storm_of_referrals_makes_few_calls() -> None:
    settings = {"Conference": {"max_ringing": 3}}
    async with (
        running_server(settings) as server,
        Caller(server) as alice,
        Caller(server, transport="tcp") as desk,
        Invited(server) as bob,
    ):
        await enter(alice)
        host = bob.uri.partition("@")[2]
        requests = [desk.request("REFER", f"Refer-To: <sip:u{n}@{host}>") for n in range(30)]
        # All of them at once, and each once more.
        for request in requests * 2:
            await desk.sip.send(request)
        statuses = {202: 0, 503: 0}
        for _ in requests:
            statuses[(await desk.sip.response("REFER")).status] += 1
        assert statuses[202] >= 3
        assert sum(statuses.values()) == 30
        called = {(await bob.sip.request("INVITE"))["To"] for _ in range(3)}
        assert len(called) == 3
        await trio.testing.wait_all_tasks_blocked()
        assert server.endpoint.call_count == 4
        assert (await alice.bye()).status == 200
