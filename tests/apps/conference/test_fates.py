"""What becomes of a message in a room, by each rule, and what its sender is told."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sylk_conference.fates import (
    MAX_FATES,
    MAX_UNDER_WAY,
    NAMED,
    WINDOW,
    Fate,
    Fates,
    Rule,
)
from sylk_conference.room import Participant, Room

from sylk.payload.cpim import Address
from sylk.session import Receipt

PATIENCE = 30.0


def make_receipt(*, success: bool = True, failure: bytes = b"yes") -> Receipt:
    return Receipt(b"m", b"", (b"1-1/1", 1), success, failure)


@dataclass
class Desk:
    """A room with a sender and some others."""

    rule: Rule
    size: int = 3
    told: list[tuple[int, str | None]] = field(default_factory=list[tuple[int, str | None]])

    def __post_init__(self) -> None:
        room = Room(Address("sip:lobby@example.com"))
        self.alice = room.join(Address("sip:alice@example.com"))
        self.others = [room.join(Address(f"sip:p{n}@example.com")) for n in range(self.size)]
        self.fates = Fates(self.rule, PATIENCE, self._tell)

    def _tell(self, to: Participant, receipt: Receipt, status: int, comment: str | None) -> None:
        assert to is self.alice
        if receipt.admits(status):
            self.told.append((status, comment))

    def send(
        self,
        identifier: bytes = b"id",
        *,
        success: bool = True,
        failure: bytes = b"yes",
    ) -> Fate:
        receipt = make_receipt(success=success, failure=failure)
        fate = self.fates.begin(self.alice, receipt, self.others)
        self.fates.follow(identifier, fate)
        self.fates.wait(identifier, fate, 0.0)
        return fate

    def fails(
        self, number: int, status: int = 415, reason: str = "", identifier: bytes = b"id"
    ) -> None:
        self.fates.failed(identifier, self.others[number], status, reason, 1.0)


def test_by_the_rule_accepted_nobody_is_asked() -> None:
    desk = Desk("accepted")
    assert not desk.send().is_asked
    desk.fates.delivered(b"id", desk.others[0])
    assert desk.told == []
    assert desk.fates.next_deadline() is None


def test_by_the_rule_any_the_first_one_counts() -> None:
    desk = Desk("any")
    assert desk.send().is_asked
    assert desk.fates.next_deadline() == PATIENCE
    for other in desk.others:
        desk.fates.delivered(b"id", other)
    assert desk.told == [(200, None)]
    assert desk.fates.next_deadline() is None


def test_by_the_rule_all_the_last_one_counts_and_nobody_twice() -> None:
    desk = Desk("all")
    desk.send()
    for number in (0, 0, 1, 1):
        desk.fates.delivered(b"id", desk.others[number])
    assert desk.told == []
    desk.fates.delivered(b"id", desk.others[2])
    assert desk.told == [(200, None)]


def test_who_does_not_ask_for_success_makes_nobody_answer() -> None:
    desk = Desk("all")
    assert not desk.send(success=False).is_asked


def test_the_senders_other_clients_do_not_count() -> None:
    desk = Desk("all")
    room = Room(Address("sip:lobby@example.com"))
    other = room.join(desk.alice.address)
    receipt = make_receipt()
    assert not desk.fates.begin(desk.alice, receipt, [other]).is_asked
    assert desk.fates.begin(desk.alice, receipt, [other, desk.others[0]]).is_asked


def test_who_has_not_answered_in_time_is_named() -> None:
    desk = Desk("all", size=NAMED + 3)
    desk.send()
    desk.fates.delivered(b"id", desk.others[1])
    desk.fates.handle_deadline(PATIENCE - 0.1)
    assert desk.told == []
    desk.fates.handle_deadline(PATIENCE)
    names = "p0@example.com, p2@example.com, p3@example.com and 2 more"
    assert desk.told == [(408, f"{names}: Request Timeout")]
    desk.fates.delivered(b"id", desk.others[0])
    assert len(desk.told) == 1
    assert desk.fates.next_deadline() is None


def test_a_refusal_is_told_at_once_with_the_name() -> None:
    desk = Desk("accepted")
    desk.send()
    desk.fails(0, 415)
    desk.fails(1, 999, "Odd")
    assert desk.told == [
        (415, "p0@example.com: Unsupported media type"),
        (400, "p1@example.com: Odd"),
    ]


@pytest.mark.parametrize("rule", ["accepted", "any", "all"])
def test_who_wants_no_failure_reports_gets_none(rule: Rule) -> None:
    desk = Desk(rule)
    desk.send(failure=b"no")
    desk.fails(0)
    desk.fates.handle_deadline(PATIENCE)
    assert desk.told == []


def test_after_a_refusal_not_all_have_it_and_the_silent_ones_are_still_named() -> None:
    desk = Desk("all")
    desk.send()
    desk.fails(0)
    desk.fates.delivered(b"id", desk.others[1])
    desk.fates.handle_deadline(PATIENCE)
    assert [status for status, _ in desk.told] == [415, 408]
    desk = Desk("all")
    desk.send()
    desk.fails(0)
    desk.fates.delivered(b"id", desk.others[1])
    desk.fates.delivered(b"id", desk.others[2])
    desk.fates.handle_deadline(PATIENCE)
    assert [status for status, _ in desk.told] == [415]


def test_when_all_refuse_nobody_is_waited_for() -> None:
    desk = Desk("any")
    desk.send()
    for number in range(3):
        desk.fails(number)
    assert desk.fates.next_deadline() is None
    assert len(desk.told) == 3


def test_many_refusals_are_told_in_a_handful_of_reports() -> None:
    desk = Desk("accepted", size=100)
    desk.send()
    for number in range(90):
        desk.fails(number, 413)
    assert len(desk.told) == NAMED
    assert desk.fates.next_deadline() == 1.0 + WINDOW
    desk.fates.handle_deadline(1.0 + WINDOW)
    assert desk.told[-1] == (413, "p89@example.com: Message too large, and 86 more")
    for number in range(90, 100):
        desk.fails(number)
    desk.fates.handle_deadline(100.0)
    assert len(desk.told) == NAMED + 1
    assert desk.fates.next_deadline() is None


def test_of_old_messages_nothing_is_known() -> None:
    desk = Desk("accepted")
    for number in range(MAX_FATES + 1):
        desk.send(b"%d" % number)
    desk.fails(0, identifier=b"0")
    assert desk.told == []
    desk.fails(0, identifier=b"1")
    assert len(desk.told) == 1
    desk.fails(0, identifier=b"unknown")
    assert len(desk.told) == 1


def test_for_the_oldest_of_too_many_under_way_the_time_is_over() -> None:
    desk = Desk("all", size=1)
    for number in range(MAX_UNDER_WAY):
        desk.send(b"%d" % number)
    assert desk.told == []
    desk.send(b"one more")
    assert desk.told == [(408, "p0@example.com: Request Timeout")]


def test_a_message_that_will_never_be_whole_is_waited_for_by_nobody() -> None:
    desk = Desk("all")
    fate = desk.send()
    desk.fates.give_up(fate)
    desk.fates.delivered(b"id", desk.others[0])
    desk.fates.handle_deadline(PATIENCE)
    assert desk.told == []


@given(
    st.sampled_from(["any", "all"]),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["has it", "refuses"]))),
)
def test_success_is_told_at_most_once_and_by_the_rule(
    rule: Rule, events: list[tuple[int, str]]
) -> None:
    desk = Desk(rule)
    desk.send()
    first: dict[int, str] = {}
    for number, what in events:
        if what == "has it":
            desk.fates.delivered(b"id", desk.others[number])
        else:
            desk.fails(number)
        first.setdefault(number, what)
    have = [number for number, what in first.items() if what == "has it"]
    successes = [status for status, _ in desk.told if status == 200]
    if rule == "any":
        assert len(successes) == (1 if have else 0)
    else:
        late = [number for number, what in events if what == "refuses"]
        if not late:
            assert len(successes) == (1 if len(have) == 3 else 0)
        else:
            assert len(successes) <= 1
    desk.fates.handle_deadline(PATIENCE)
    assert desk.fates.next_deadline() in (None, 1.0 + WINDOW)
