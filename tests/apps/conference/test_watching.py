"""Subscriptions to conference-info, over real sockets and against the schema."""

from contextlib import AsyncExitStack

import trio
import trio.testing

from sylk.payload.conference_info import EndpointStatus, State
from tests.apps.conference.subscribers import Subscriber, users_of
from tests.apps.conference.visits import assert_all_is_gone, enter
from tests.peers import DOMAIN, Caller, chat_offer, running_server


async def test_the_room_is_ready_when_the_200_leaves() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Subscriber(server, "alice") as watcher,
    ):
        assert (await alice.invite()).status == 200
        # Before the ACK, and before a connection: a client that is refused waits for a minute.
        assert (await watcher.subscribe()).status == 200
        first = await watcher.document()
        assert (first.users, first.state) == ((), State.FULL)
        await alice.acknowledge()
        await alice.connect()
        await watcher.until("alice")


async def test_who_comes_goes_and_holds_is_told_in_rising_versions() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice", display_name=b'"Alice"') as alice,
        Caller(server, "bob") as bob,
        Subscriber(server) as watcher,
    ):
        await enter(alice)
        final = await watcher.subscribe()
        assert final["Expires"] == "600"
        notify = await watcher.notify()
        assert notify["Event"] == "conference"
        assert notify["Subscription-State"].startswith("active;expires=")
        assert notify["Content-Type"] == "application/conference-info+xml"
        await enter(bob)
        info = await watcher.until("alice", "bob")
        assert [user.display_text for user in info.users] == ["Alice", None]
        assert info.users[0].entity == f"sip:{alice.address}"
        assert info.users[1].endpoints[0].entity.startswith("sip:bob@127.0.0.1:")
        offer = chat_offer(bob.path, extra=["a=inactive"], version=2)
        assert (await bob.reinvite(offer)).status == 200
        while info.users[1].endpoints[0].status is not EndpointStatus.ON_HOLD:
            info = await watcher.until("alice", "bob")
        await alice.bye()
        await watcher.until("bob")
        await bob.bye()
        while (notify := await watcher.notify()).body:
            assert "active" in notify["Subscription-State"]
        assert notify["Subscription-State"] == "terminated;reason=noresource"
        await assert_all_is_gone(server)


async def test_a_hundred_joins_are_a_few_documents_and_the_last_state_arrives() -> None:
    people = 100
    async with (
        running_server() as server,
        Subscriber(server) as watcher,
        AsyncExitStack() as stack,
    ):
        callers = [Caller(server, f"user{number}", transport="tcp") for number in range(people)]
        for caller in callers:
            await stack.enter_async_context(caller)
        await callers[0].join()
        assert (await watcher.subscribe()).status == 200
        async with trio.open_nursery() as nursery:
            for caller in callers[1:]:
                nursery.start_soon(caller.join)
        count = 0
        while watcher.held is None or len(watcher.held.users) < people:
            await watcher.document()
            count += 1
        assert count < people / 3
        assert set(users_of(watcher.held)) == {caller.user for caller in callers}


async def test_a_refresh_and_the_end_of_a_subscription() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Subscriber(server) as watcher,
    ):
        await enter(alice)
        await watcher.subscribe()
        first = await watcher.notify()
        assert (await watcher.subscribe()).status == 200
        again = await watcher.notify()
        assert again.body == first.body
        assert (await watcher.subscribe(expires=0)).status == 200
        assert (await watcher.notify())["Subscription-State"].startswith("terminated")


async def test_a_poll_is_told_once() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Subscriber(server) as watcher,
    ):
        await enter(alice)
        assert (await watcher.subscribe(expires=0)).status == 200
        notify = await watcher.notify()
        assert b"alice@" in notify.body
        assert notify["Subscription-State"].startswith("terminated")


async def test_a_room_that_is_not_open_has_nothing_to_tell() -> None:
    async with running_server() as server, Subscriber(server) as watcher:
        assert (await watcher.subscribe()).status == 480
        refused = await watcher.ask("SUBSCRIBE", "Event: dialog", "Expires: 600")
        assert refused.status == 489
        assert "conference" in refused["Allow-Events"]


async def test_a_subscriber_who_is_gone_is_forgotten() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Subscriber(server) as watcher,
        Subscriber(server, "other") as other,
    ):
        await enter(alice)
        await watcher.subscribe()
        await watcher.notify()
        await other.subscribe()
        await other.until("alice")
        watcher.sip.reset()
        await enter(bob)
        await other.until("alice", "bob")
        await alice.bye()
        await bob.bye()
        while (await other.notify()).body:
            pass
        await assert_all_is_gone(server)


async def test_everybody_in_a_room_may_watch_it_and_gets_the_same() -> None:
    async with (
        running_server() as server,
        Caller(server, "alice") as alice,
        Subscriber(server, "alice") as one,
        Subscriber(server, "alice", transport="udp") as two,
        Subscriber(server, "alice", room=f"LOBBY@{DOMAIN}") as elsewhere,
    ):
        await enter(alice)
        for watcher in (one, two):
            assert (await watcher.subscribe()).status == 200
        assert (await one.notify()).body == (await two.notify()).body
        assert (await elsewhere.subscribe()).status == 480


async def test_many_behind_one_proxy_are_told_one_after_the_other() -> None:
    people, size = 30, 300_000
    async with (
        running_server({"Conference": {"description": "x" * size}}) as server,
        Caller(server, "alice") as alice,
        Subscriber(server) as proxy,
    ):
        await enter(alice)
        for number in range(people):
            subscriber = Subscriber(server, f"user{number}")
            subscriber.sip.close()
            subscriber.sip = proxy.sip
            request = subscriber.request("SUBSCRIBE", "Event: conference", "Expires: 600")
            await proxy.sip.send(request)
        # All of their documents would be too much for what may wait on a connection.
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(20):
            told: set[str] = set()
            while len(told) < people:
                notify = await proxy.notify()
                assert len(notify.body) > size
                told.add(notify["Call-ID"])
