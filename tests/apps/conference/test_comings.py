"""Who has come and gone: one by one in a small room, together in a crowd."""

import re
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack

import trio
from sylk_conference.comings import INDIVIDUALLY, NAMED, RATE, WINDOW, Comings
from sylk_conference.people import Participant, People

from sylk.payload.cpim import Address
from tests.apps.conference.visits import assert_all_is_gone, enter
from tests.peers import Caller, running_server

CROWD = INDIVIDUALLY + 1


class Desk:
    """People of a room, what they are told, and an alarm."""

    def __init__(self) -> None:
        people = People()
        self.people = [
            people.join(Address(f"sip:p{number}@example.com")) for number in range(2 * NAMED)
        ]
        self.told: list[tuple[str, list[Participant]]] = []
        self.told_some: list[tuple[str, list[Participant]]] = []
        self.at: float | None = None
        self.ring: Callable[[float], None] | None = None
        self.comings = Comings(self.set_alarm, self.tell, self.tell_some)

    def set_alarm(self, at: float | None, ring: Callable[[float], None]) -> None:
        self.at, self.ring = at, ring

    def tell(self, text: str, about: Collection[Participant]) -> None:
        self.told.append((text, list(about)))

    def tell_some(self, text: str, people: Sequence[Participant]) -> None:
        self.told_some.append((text, list(people)))

    def pass_window(self) -> None:
        assert self.at is not None
        assert self.ring is not None
        self.ring(self.at)


def test_in_a_small_room_each_is_told_of_at_once() -> None:
    desk = Desk()
    first, second, *_ = desk.people
    desk.comings.joined(first, INDIVIDUALLY, 1.0)
    desk.comings.joined(second, INDIVIDUALLY, 1.0)
    desk.comings.left(first, INDIVIDUALLY, 1.0)
    assert desk.told == [
        ("p0@example.com has joined the room", [first]),
        ("p1@example.com has joined the room", [second]),
        ("p0@example.com has left the room", []),
    ]
    assert desk.at is None


def test_in_a_crowd_the_first_is_told_of_at_once_and_the_others_together() -> None:
    desk = Desk()
    first, second, third, fourth, *_ = desk.people
    for participant in (first, second, third, fourth):
        desk.comings.joined(participant, CROWD, 1.0)
    desk.comings.left(first, CROWD, 1.0)
    assert [text for text, _ in desk.told] == ["p0@example.com has joined the room"]
    assert desk.at == 1.0 + WINDOW
    desk.pass_window()
    names = "p1@example.com, p2@example.com and p3@example.com"
    assert desk.told[1:] == [
        (f"{names} have joined the room", [second, third, fourth]),
        ("p0@example.com has left the room", []),
    ]
    # They were welcomed with the names of those before them.
    assert desk.told_some == [
        ("p2@example.com and p3@example.com have joined the room", [second]),
        ("p3@example.com has joined the room", [third]),
    ]


def test_after_a_window_in_which_nothing_happens_the_next_is_told_of_at_once() -> None:
    desk = Desk()
    first, second, third, *_ = desk.people
    desk.comings.joined(first, CROWD, 1.0)
    desk.comings.joined(second, CROWD, 1.0)
    desk.pass_window()
    desk.pass_window()
    assert len(desk.told) == 2
    desk.comings.joined(third, CROWD, 9.0)
    assert desk.told[2] == ("p2@example.com has joined the room", [third])


def test_of_many_only_the_first_are_named() -> None:
    desk = Desk()
    for participant in desk.people:
        desk.comings.joined(participant, CROWD, 1.0)
    desk.pass_window()
    text, about = desk.told[1]
    assert f"p{NAMED}@example.com and {NAMED - 1} more have joined the room" in text
    assert f"p{NAMED + 1}@" not in text
    # They are told so too, all in the same words.
    assert about == []
    assert desk.told_some == []


def test_the_larger_a_room_the_rarer_its_notices() -> None:
    desk = Desk()
    first, second, third, *_ = desk.people
    desk.comings.joined(first, 10 * RATE, 1.0)
    assert desk.at == 11.0
    desk.comings.joined(second, 20 * RATE, 2.0)
    desk.comings.left(third, 20 * RATE, 2.0)
    desk.pass_window()
    assert len(desk.told) == 3
    assert desk.at == 31.0


def test_who_says_something_is_told_of_before() -> None:
    desk = Desk()
    first, second, third, *_ = desk.people
    desk.comings.joined(first, CROWD, 1.0)
    desk.comings.joined(second, CROWD, 1.0)
    desk.comings.before(third)
    desk.comings.before(None)
    assert len(desk.told) == 1
    desk.comings.before(second)
    assert desk.told[1] == ("p1@example.com has joined the room", [second])
    desk.pass_window()
    assert len(desk.told) == 2


def test_nothing_is_told_in_a_room_that_is_closed() -> None:
    desk = Desk()
    desk.comings.joined(desk.people[0], CROWD, 1.0)
    desk.comings.joined(desk.people[1], CROWD, 1.0)
    desk.comings.close()
    assert desk.at is None
    assert desk.ring is not None
    desk.ring(2.0)
    assert len(desk.told) == 1


async def test_everybody_in_a_crowd_is_told_of_once_however_fast_they_come() -> None:
    async with running_server() as server, AsyncExitStack() as stack:
        names = [f"user{number:02d}" for number in range(CROWD + 5)]
        callers = [Caller(server, name, transport="tcp") for name in names]
        for caller in callers:
            await stack.enter_async_context(caller)
            await enter(caller)
        alice, last = callers[0], callers[-1]
        with trio.fail_after(10):
            told: list[str] = []
            while len(told) < len(names) - 1:
                told += re.findall(r"user\d\d(?=@)", await alice.hear_notice())
            assert told == names[1:]
            await last.say("hello")
            assert (await alice.hear()).text == "hello"
            for caller in callers:
                await caller.bye()
            await assert_all_is_gone(server)
