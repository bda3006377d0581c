"""Subscriptions of ours, to notifiers that are not ours."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.session import Credentials, UserAgent, Watch
from sylk.session.watch import MAX_WAITING
from tests.peers import DOMAIN, HOST, assert_nothing_left, running_endpoint
from tests.session.notifiers import (
    ROOM,
    Notifier,
    Watcher,
    finish,
    statuses,
    subscribe,
    subscribing,
)
from tests.session.wire_servers import WireServer, endpoint_in, farm, response_to, silent_port


async def test_the_state_is_told_until_we_leave() -> None:
    async with subscribing() as (endpoint, server, watcher, notifier):
        first = notifier.subscribe
        assert first.start_line == f"SUBSCRIBE sip:state@{HOST}:{server.port} SIP/2.0"
        assert (first["Event"], first["Expires"]) == ("conference", "600")
        assert first["Accept"] == "text/plain, text/html"
        assert first["Contact"].startswith(f"<sip:lobby@{HOST}:")
        await notifier.accept()
        await notifier.notify("active;expires=600", b"one")
        await notifier.notify("active;expires=600", b"two")
        assert await statuses(server, 2) == [200, 200]
        await trio.testing.wait_all_tasks_blocked()
        assert watcher.contents == [("active", b"one"), ("active", b"two")]
        assert {one.content_type for one in watcher.told} == {"text/plain"}
        assert {one.notifier for one in watcher.told} == {"n"}
        watcher.leave.set()
        await watcher.over()
        goodbye = await finish(server, notifier, endpoint)
        assert (goodbye["Call-ID"], goodbye["CSeq"]) == (first["Call-ID"], "2 SUBSCRIBE")
        assert goodbye["To"].endswith(";tag=n")


async def test_a_notify_may_be_faster_than_the_answer() -> None:
    async with subscribing() as (endpoint, server, watcher, notifier):
        await notifier.notify("active;expires=600", b"one")
        assert await statuses(server, 1) == [200]
        await trio.testing.wait_all_tasks_blocked()
        assert watcher.contents == [("active", b"one")]
        await notifier.accept()
        watcher.leave.set()
        await finish(server, notifier, endpoint)


@pytest.mark.parametrize(
    ("state", "reason", "again"),
    [
        ("terminated;reason=deactivated", "deactivated", 0),
        ("terminated;reason=noresource", "noresource", None),
        ("terminated;reason=probation;retry-after=30", "probation", 30),
    ],
)
async def test_the_notifier_says_why_it_ends(state: str, reason: str, again: int | None) -> None:
    async with subscribing() as (endpoint, server, watcher, notifier):
        await notifier.accept()
        await notifier.notify("active", b"one")
        await notifier.notify(state, b"last")
        await watcher.over()
        assert watcher.contents == [("active", b"one"), ("terminated", b"last")]
        assert watcher.watch is not None
        assert (watcher.watch.reason, watcher.watch.resubscribe_after) == (reason, again)
        await assert_nothing_left(endpoint)
        # It has no dialog any more.
        await notifier.notify("active", b"late")
        assert (await statuses(server, 3))[2] == 481


async def test_a_subscription_is_refreshed(jumping_clock: MockClock) -> None:
    async with subscribing() as (endpoint, server, watcher, notifier):
        await notifier.accept("Expires: 600")
        await notifier.notify("active;expires=600", b"one")
        begin = trio.current_time()
        refresh = await server.later_request("SUBSCRIBE")
        assert 0.55 * 600 < trio.current_time() - begin < 0.9 * 600
        assert (refresh["CSeq"], refresh["Expires"]) == ("2 SUBSCRIBE", "600")
        # Our password may be asked for at any time; this one has none, and the refresh is refused.
        answer = response_to(refresh, "481 Gone")
        await server.send(answer, refresh)
        await watcher.over()
        assert watcher.watch is not None
        assert watcher.watch.status == 481
        await assert_nothing_left(endpoint)


async def test_a_refresh_that_is_asked_for_a_password_is_sent_again(
    jumping_clock: MockClock,
) -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        to = f"sip:state@{HOST}:{server.port}"
        watcher = Watcher(nursery, subscribe(endpoint, to, Credentials("lobby", "secret")))
        first = await server.request("SUBSCRIBE")
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"'
        await server.answer(first, "401 Who", challenge)
        second = await server.request("SUBSCRIBE")
        assert 'username="lobby"' in second["Authorization"]
        assert second["CSeq"] == "2 SUBSCRIBE"
        assert (second["Call-ID"], second["From"]) == (first["Call-ID"], first["From"])
        notifier = Notifier(server, second)
        await notifier.accept()
        await notifier.notify("active;expires=600", b"one")
        refresh = await server.later_request("SUBSCRIBE")
        assert "Authorization" not in refresh
        await server.answer(refresh, "401 Who", challenge.replace('"n"', '"m"'))
        again = await server.request("SUBSCRIBE")
        assert 'nonce="m"' in again["Authorization"]
        assert (again["CSeq"], again["Expires"]) == ("4 SUBSCRIBE", "600")
        await notifier.accept(request=again)
        watcher.leave.set()
        await finish(server, notifier, endpoint)


@pytest.mark.parametrize("status", [403, 481, 489])
async def test_a_refusal_is_told_with_its_status(status: int) -> None:
    async with subscribing() as (endpoint, server, watcher, notifier):
        await server.answer(notifier.subscribe, f"{status} No")
        await watcher.over()
        assert watcher.end is not None
        assert (watcher.end.status, watcher.end.reason) == (status, "No")
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_next_server_is_tried(
    transport: str, tmp_path: Path, jumping_clock: MockClock
) -> None:
    async with silent_port() as silent, WireServer(transport) as busy, WireServer(transport) as ok:
        zone = farm(DOMAIN, transport, silent, busy.port, ok.port)
        async with (
            endpoint_in(zone, tmp_path, clock=jumping_clock) as endpoint,
            trio.open_nursery() as nursery,
        ):
            watcher = Watcher(nursery, subscribe(endpoint, f"sip:state@{DOMAIN}"))
            first = await busy.request("SUBSCRIBE")
            await busy.answer(first, "503 Busy")
            second = await ok.request("SUBSCRIBE")
            assert (first["CSeq"], first["From"]) == (second["CSeq"], second["From"])
            notifier = Notifier(ok, second)
            await notifier.notify("active", b"one")
            await notifier.accept()
            assert await statuses(ok, 1) == [200]
            await trio.testing.wait_all_tasks_blocked()
            assert watcher.contents == [("active", b"one")]
            # Over TCP its Contact is not asked: the connection stands.
            await notifier.notify("terminated;reason=noresource")
            await watcher.over()
            await assert_nothing_left(endpoint)


async def test_a_number_that_a_password_took_is_not_used_again(tmp_path: Path) -> None:
    async with WireServer() as first, WireServer() as second:
        zone = farm(DOMAIN, "udp", first.port, second.port)
        async with endpoint_in(zone, tmp_path) as endpoint, trio.open_nursery() as nursery:
            alice = Credentials("lobby", "secret")
            watcher = Watcher(nursery, subscribe(endpoint, f"sip:state@{DOMAIN}", alice))
            challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"'
            await first.answer(await first.request("SUBSCRIBE"), "401 Who", challenge)
            await first.answer(await first.request("SUBSCRIBE"), "503 Busy")
            other = await second.request("SUBSCRIBE")
            assert other["CSeq"] == "2 SUBSCRIBE"
            await second.answer(other, "404 Not Found")
            await watcher.over()
            await assert_nothing_left(endpoint)


async def test_nobody_answers(jumping_clock: MockClock) -> None:
    async with subscribing() as (endpoint, _, watcher, _):
        await watcher.over()
        assert watcher.end is not None
        assert watcher.end.status == 408
        await assert_nothing_left(endpoint)


async def test_who_leaves_before_the_answer_unsubscribes() -> None:
    async with running_endpoint() as endpoint, WireServer() as server:
        async with trio.open_nursery() as nursery:
            Watcher(nursery, subscribe(endpoint, f"sip:state@{HOST}:{server.port}"))
            notifier = Notifier(server, await server.request("SUBSCRIBE"))
            nursery.cancel_scope.cancel()
        await notifier.accept()
        await finish(server, notifier, endpoint)


async def test_another_notifier_is_refused_or_listened_to() -> None:
    """Two notifiers took the SUBSCRIBE, as a proxy that forks it lets them."""
    for max_forks, expected in ((0, 481), (1, 200)):
        async with subscribing(max_forks) as (endpoint, server, watcher, notifier):
            other = Notifier(server, notifier.subscribe, "o")
            await notifier.accept()
            await notifier.notify("active;expires=600", b"one")
            assert await statuses(server, 1) == [200]
            await other.notify("active;expires=600", b"other")
            assert await statuses(server, 1) == [expected]
            await trio.testing.wait_all_tasks_blocked()
            told = [(one.notifier, one.content) for one in watcher.told]
            assert told == [("n", b"one"), ("o", b"other")][: 1 + max_forks]
            watcher.leave.set()
            await watcher.over()
            for who in (notifier, other)[: 1 + max_forks]:
                goodbye = await server.request("SUBSCRIBE")
                assert goodbye["To"].endswith(f";tag={who.tag}")
                await who.accept("Expires: 0", request=goodbye)
                await who.notify("terminated;reason=timeout")
            await assert_nothing_left(endpoint)


async def test_no_more_notifiers_are_listened_to_than_wanted() -> None:
    async with subscribing(2) as (endpoint, server, watcher, notifier):
        await notifier.accept()
        others = [Notifier(server, notifier.subscribe, tag) for tag in "opq"]
        for who in (notifier, *others):
            await who.notify("active", who.tag.encode())
        assert await statuses(server, 4) == [200, 200, 200, 481]
        await trio.testing.wait_all_tasks_blocked()
        assert [one.content for one in watcher.told] == [b"n", b"o", b"p"]
        for who in (notifier, *others[:2]):
            await who.notify("terminated;reason=noresource")
        await watcher.over()
        await assert_nothing_left(endpoint)


async def test_a_watch_outlasts_the_first_of_its_notifiers() -> None:
    async with subscribing(1) as (endpoint, server, watcher, notifier):
        other = Notifier(server, notifier.subscribe, "o")
        await notifier.accept()
        await notifier.notify("active", b"one")
        await other.notify("active", b"two")
        await notifier.notify("terminated;reason=noresource")
        await trio.testing.wait_all_tasks_blocked()
        await other.notify("active", b"three")
        assert await statuses(server, 4) == [200, 200, 200, 200]
        await trio.testing.wait_all_tasks_blocked()
        assert [one.content for one in watcher.told] == [b"one", b"two", b"three"]
        await other.notify("terminated;reason=noresource")
        await watcher.over()
        await assert_nothing_left(endpoint)


async def test_who_does_not_listen_is_unsubscribed() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        held: list[Watch] = []

        async def hold() -> None:
            async with subscribe(endpoint, f"sip:state@{HOST}:{server.port}") as watch:
                held.append(watch)
                await trio.sleep_forever()

        nursery.start_soon(hold)
        notifier = Notifier(server, await server.request("SUBSCRIBE"))
        await notifier.accept()
        for number in range(MAX_WAITING + 1):
            await notifier.notify("active", b"%d" % number)
            await server.response("NOTIFY")
        (watch,) = held
        assert watch.is_over
        await finish(server, notifier, endpoint)
        told = [one.content async for one in watch]
        assert told == [b"%d" % number for number in range(MAX_WAITING)]
        assert watch.reason == "the application does not listen"
        nursery.cancel_scope.cancel()


async def test_a_notify_that_nobody_asked_for_is_refused() -> None:
    async with subscribing() as (endpoint, server, watcher, notifier):
        await notifier.accept()
        await notifier.notify("active", b"one")
        stranger = Notifier(server, notifier.subscribe, call_id="of-another-call")
        await stranger.notify("active", b"two")
        assert await statuses(server, 2) == [200, 481]
        # Without a To tag it would be one that no SUBSCRIBE has asked for.
        stranger.to = f"<{ROOM.uri}>"
        await stranger.notify("active", b"three")
        assert await statuses(server, 1) == [481]
        assert watcher.contents == [("active", b"one")]
        watcher.leave.set()
        await finish(server, notifier, endpoint)


REFERRED: Sequence[tuple[str, bytes]] = [
    ("active", b"SIP/2.0 100 Trying\r\n"),
    ("terminated;reason=noresource", b"SIP/2.0 200 OK\r\n"),
]


async def test_a_referral_tells_what_becomes_of_it() -> None:
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        agent = UserAgent(endpoint)
        referring = agent.refer(
            f"sip:bob@{HOST}:{server.port}",
            local=ROOM,
            refer_to=f"sip:carol@{DOMAIN}",
            headers=[("Referred-By", f"<{ROOM.uri}>")],
        )
        watcher = Watcher(nursery, referring)
        refer = await server.request("REFER")
        assert refer["Refer-To"] == f"<sip:carol@{DOMAIN}>"
        assert refer["Referred-By"] == f"<{ROOM.uri}>"
        assert "Expires" not in refer
        notifier = Notifier(server, refer)
        await notifier.accept("Expires: 60")
        for state, body in REFERRED:
            await notifier.notify(state, body)
        await watcher.over()
        assert [one.content for one in watcher.told] == [body for _, body in REFERRED]
        await assert_nothing_left(endpoint)


async def test_a_referral_that_nothing_will_be_heard_of() -> None:
    """The other side takes it without the subscription (RFC 4488)."""
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        referring = UserAgent(endpoint).refer(
            f"sip:bob@{HOST}:{server.port}", local=ROOM, refer_to=f"sip:carol@{DOMAIN}"
        )
        watcher = Watcher(nursery, referring)
        refer = await server.request("REFER")
        await server.answer(refer, "202 Accepted", "Refer-Sub: false", "Contact: <sip:b@h>")
        await watcher.over()
        assert (watcher.end, watcher.told) == (None, [])
        await assert_nothing_left(endpoint)
