"""Being told who is in the room, by notifiers that are not ours."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.cli.focus import INTERVAL, Focus
from sylk.cli.room_watch import PAUSE, RoomWatch
from sylk.cli.roster import Roster
from sylk.payload.conference_info import CONTENT_TYPE, ConferenceDescription, ConferenceInfo
from sylk.payload.conference_users import State, User
from sylk.payload.cpim import Address
from sylk.session import UserAgent
from tests.peers import DOMAIN, HOST, PATIENCE, running_endpoint
from tests.session.notifiers import Notifier
from tests.session.wire_servers import WireServer, response_to

ALICE = Address(f"sip:alice@{DOMAIN}", "Alice")
TYPE = f"Content-Type: {CONTENT_TYPE}"


class Watched:
    """A room watch that runs, and the names that it has brought, change by change."""

    def __init__(self, watch: RoomWatch, roster: Roster, server: WireServer) -> None:
        self.watch = watch
        self.roster = roster
        self.server = server
        self.names: list[list[str]] = []
        self.over = trio.Event()
        watch.on_change = lambda: self.names.append(roster.names())

    async def run(self) -> None:
        await self.watch.run()
        self.over.set()

    async def wait_over(self) -> None:
        with trio.fail_after(PATIENCE):
            await self.over.wait()

    async def subscribed(self) -> Notifier:
        subscribe = await self.server.request("SUBSCRIBE")
        notifier = Notifier(self.server, subscribe)
        await notifier.accept()
        return notifier


@asynccontextmanager
async def watching() -> AsyncGenerator[Watched]:
    roster = Roster()
    async with WireServer() as server, running_endpoint() as endpoint:
        focus = Focus(UserAgent(endpoint), f"sip:room@{HOST}:{server.port}")
        watched = Watched(RoomWatch(focus, ALICE, roster), roster, server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.run)
            yield watched
            nursery.cancel_scope.cancel()


def info(version: int, *users: User, partial: bool = False) -> bytes:
    state = State.PARTIAL if partial else State.FULL
    description = ConferenceDescription(subject="Tea")
    return ConferenceInfo(
        "sip:room@example.com", version, description, users=users, state=state, users_state=state
    ).render()


BOB = User("sip:bob@example.com", "Bob", "Bo")
EVE = User("sip:eve@example.com", "Eve")


async def test_documents_and_changes_are_worked_in() -> None:
    async with watching() as watched:
        notifier = await watched.subscribed()
        asked = notifier.subscribe
        assert (asked["Event"], asked["Expires"]) == ("conference", str(INTERVAL))
        assert asked["Accept"] == CONTENT_TYPE
        await notifier.notify("active", info(1, BOB), TYPE)
        await notifier.notify("active", b"no document", TYPE)
        await notifier.notify("active", info(2, EVE, partial=True), TYPE)
        await notifier.notify("terminated;reason=noresource")
        await watched.wait_over()
        assert watched.names == [["Bo"], ["Bo", "Eve"]]
        assert watched.watch.refusal == "noresource"
        assert watched.roster.info is None


async def test_after_a_gap_everything_is_asked_for_anew(jumping_clock: MockClock) -> None:
    async with watching() as watched:
        notifier = await watched.subscribed()
        await notifier.notify("active", info(7, BOB), TYPE)
        await notifier.notify("active", info(9, EVE, partial=True), TYPE)
        goodbye = await watched.server.request("SUBSCRIBE")
        assert goodbye["Expires"] == "0"
        await watched.server.send(
            response_to(goodbye, "200 OK", notifier.contact, tag="n"), goodbye
        )
        await notifier.notify("terminated;reason=timeout")
        again = await watched.subscribed()
        # A new subscription counts from the beginning, and what was told stands meanwhile.
        assert watched.roster.names() == ["Bo"]
        await again.notify("active", info(1, BOB, EVE), TYPE)
        await trio.testing.wait_all_tasks_blocked()
        assert watched.names[-1] == ["Bo", "Eve"]


async def test_a_room_that_is_moved_is_asked_again(jumping_clock: MockClock) -> None:
    async with watching() as watched:
        notifier = await watched.subscribed()
        before = trio.current_time()
        await notifier.notify("terminated;reason=probation;retry-after=30")
        await watched.subscribed()
        assert trio.current_time() - before >= 30 > PAUSE


@pytest.mark.parametrize("status", ["403 Forbidden", "489 Bad Event"])
async def test_a_refusal_is_the_end_of_it(status: str) -> None:
    async with watching() as watched:
        subscribe = await watched.server.request("SUBSCRIBE")
        await watched.server.send(response_to(subscribe, status, tag="n"), subscribe)
        await watched.wait_over()
        assert watched.watch.refusal == status.partition(" ")[2]
        assert watched.roster.info is None
