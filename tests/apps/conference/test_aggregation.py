"""Notifications of what became of a message: one by one in a small room, gathered in a large."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import trio
from sylk_conference.aggregation import (
    IMDN_TYPE,
    INDIVIDUALLY,
    MAX_PARTS,
    WINDOW,
    Aggregation,
)
from sylk_conference.people import People, User

from sylk.payload.cpim import Address
from sylk.payload.imdn import Imdn, ImdnStatus, Notification
from sylk.payload.multipart import Multipart
from tests.apps.conference.visits import assert_all_is_gone, enter
from tests.payload.documents import assert_valid
from tests.peers import Caller, running_server, wrap


def imdn(number: int) -> bytes:
    uri = f"sip:user{number}@example.com"
    return Imdn(
        "m1", "2026-11-21T07:35:47Z", Notification.DISPLAY, ImdnStatus.DISPLAYED, uri
    ).render()


class Desk:
    """Somebody who gets notifications, and an alarm."""

    def __init__(self) -> None:
        self.user = People().join(Address("sip:alice@example.com")).user
        self.sent: list[tuple[str, bytes]] = []
        self.at: float | None = None
        self.ring: Callable[[float], None] | None = None
        self.aggregation = Aggregation(self.set_alarm, self.send)

    def set_alarm(self, at: float | None, ring: Callable[[float], None]) -> None:
        self.at, self.ring = at, ring

    def send(self, user: User, content_type: str, content: bytes) -> None:
        assert user is self.user
        self.sent.append((content_type, content))


def test_what_comes_within_the_window_goes_together() -> None:
    desk = Desk()
    for number in range(3):
        desk.aggregation.add(desk.user, imdn(number), 10.0 + number / 10)
    assert desk.at == 10.0 + WINDOW
    assert desk.sent == []
    assert desk.ring is not None
    desk.ring(10.0 + WINDOW)
    ((content_type, content),) = desk.sent
    parts = Multipart.parse(content, content_type).parts
    assert [part.content for part in parts] == [imdn(number) for number in range(3)]
    desk.aggregation.add(desk.user, imdn(7), 20.0)
    desk.ring(20.0 + WINDOW)
    assert desk.sent[1:] == [(IMDN_TYPE, imdn(7))]


def test_what_is_gathered_is_bounded() -> None:
    desk = Desk()
    for number in range(MAX_PARTS + 1):
        desk.aggregation.add(desk.user, imdn(number), 10.0)
    assert len(desk.sent) == 1
    for _ in range(2):
        desk.aggregation.add(desk.user, b"x" * 30_000, 10.0)
    assert len(desk.sent) == 2
    desk.aggregation.close()
    assert desk.at is None


def test_who_takes_no_multipart_gets_each_by_itself() -> None:
    desk = Desk()
    assert desk.aggregation.takes(desk.user, INDIVIDUALLY + 1)
    assert not desk.aggregation.takes(desk.user, INDIVIDUALLY)
    desk.user.participants[0].accepts = ("text/*", IMDN_TYPE)
    assert not desk.aggregation.takes(desk.user, INDIVIDUALLY + 1)


async def test_in_a_small_room_each_goes_to_the_sender_alone_where_nobody_may_whisper() -> None:
    async with (
        running_server({"Conference": {"whisper": "none"}}) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "bob") as phone,
        Caller(server, "carol") as carol,
    ):
        for caller in (alice, bob, phone, carol):
            await enter(caller)
        assert await bob.send(wrap(bob.address, alice.address, b"psst")) == 403
        assert await bob.send(wrap(bob.address, alice.address, imdn(1), IMDN_TYPE)) == 200
        heard = await alice.hear()
        assert (heard.content_type, heard.sender) == (IMDN_TYPE, f"<sip:{bob.address}>")
        assert_valid(heard.text.encode(), "imdn.rng")
        await alice.say("to all")
        for caller in (phone, carol):
            assert (await caller.hear()).text == "to all"


async def test_in_a_large_room_the_sender_hears_of_many_at_once() -> None:
    count = INDIVIDUALLY + 2
    async with running_server() as server, AsyncExitStack() as stack:
        callers = [Caller(server, f"user{number}", transport="tcp") for number in range(count)]
        for caller in callers:
            await stack.enter_async_context(caller)
            await enter(caller)
        alice, *others = callers
        for number, caller in enumerate(others):
            body = wrap(caller.address, alice.address, imdn(number), IMDN_TYPE)
            assert await caller.send(body) == 200
        parts: list[bytes] = []
        while len(parts) < len(others):
            heard = await alice.hear_all()
            if heard.content_type.startswith("multipart/mixed"):
                mixed = Multipart.parse(heard.text.encode(), heard.content_type)
                parts += [part.content for part in mixed.parts]
        assert parts == [imdn(number) for number in range(len(others))]
        for caller in callers:
            await caller.bye()
        with trio.fail_after(10):
            await assert_all_is_gone(server)
