"""Whether a room is open, told as presence."""

from datetime import UTC, datetime

import pytest
from sylk_conference.presence import presence_of

from sylk.payload.pidf import Basic, Presence
from tests.apps.conference.subscribers import Subscriber
from tests.apps.conference.visits import assert_all_is_gone, enter
from tests.payload.documents import assert_valid
from tests.peers import DOMAIN, Caller, running_server

NOW = datetime(2026, 11, 21, 7, 35, 47, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "basic", "note"),
    [
        (None, Basic.CLOSED, "not open"),
        (0, Basic.OPEN, "nobody is here"),
        (1, Basic.OPEN, "1 participant"),
        (7, Basic.OPEN, "7 participants"),
    ],
)
def test_a_document(count: int | None, basic: Basic, note: str) -> None:
    body = presence_of("sip:lobby@example.com", count, "Tea & cake", NOW)
    assert_valid(body, "presence-all.xsd")
    (room,) = Presence.parse(body).tuples
    assert room.basic is basic
    assert [each.text for each in room.notes] == [note, "Tea & cake"]
    assert room.contact == "sip:lobby@example.com"
    assert room.timestamp == NOW


async def test_a_room_is_watched_before_while_and_after_it_is_open() -> None:
    async with (
        running_server() as server,
        Subscriber(server, event="presence") as watcher,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        assert (await watcher.subscribe()).status == 200

        async def told() -> tuple[Basic | None, str]:
            (room,) = Presence.parse((await watcher.notify()).body).tuples
            assert room.timestamp is not None
            assert room.contact == f"sip:lobby@{DOMAIN}"
            return room.basic, room.notes[0].text

        assert await told() == (Basic.CLOSED, "not open")
        await enter(alice)
        while await told() != (Basic.OPEN, "1 participant"):
            pass
        await enter(bob)
        while await told() != (Basic.OPEN, "2 participants"):
            pass
        await alice.bye()
        await bob.bye()
        while await told() != (Basic.CLOSED, "not open"):
            pass
        await watcher.subscribe(expires=0)
        await watcher.notify()
        await assert_all_is_gone(server)
