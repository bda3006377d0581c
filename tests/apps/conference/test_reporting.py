"""The alarms of the reports of one room: set when something is due, taken away when nothing is."""

from collections.abc import Callable

from sylk_conference.reporting import Reporting
from sylk_conference.room import Room

from sylk.payload.cpim import Address
from sylk.session import Receipt


class Alarm:
    def __init__(self) -> None:
        self.at: float | None = None
        self.ring: Callable[[float], None] | None = None
        self.count = 0

    def set(self, deadline: float | None, ring: Callable[[float], None]) -> None:
        self.at, self.ring = deadline, ring
        self.count += 1


def make_receipt(failure: bytes = b"yes") -> Receipt:
    return Receipt(b"m", b"", (b"1-1/1", 1), True, failure)


async def test_failures_set_an_alarm_only_when_some_are_gathered() -> None:
    alarm = Alarm()
    room = Room(Address("sip:lobby@example.com"))
    alice = room.join(Address("sip:alice@example.com"))
    others = [room.join(Address(f"sip:p{number}@example.com")) for number in range(6)]
    reporting = Reporting("accepted", 30.0, {}, {}, alarm.set)
    fate = reporting.begin(alice, make_receipt(), others)
    assert not fate.is_asked
    reporting.follow(b"id", fate)
    reporting.sent(b"id", fate)
    for other in others[:3]:
        reporting.failed(other, b"id", 413)
    assert alarm.count == 0
    for other in others[3:]:
        reporting.failed(other, b"id", 413)
    assert alarm.count == 1
    assert alarm.at is not None
    assert alarm.ring is not None
    alarm.ring(alarm.at)
    reporting.failed(others[0], b"id", 413)
    assert alarm.count == 1
    reporting.close()
    assert alarm.at is None


async def test_what_nobody_wants_to_hear_of_is_not_followed() -> None:
    alarm = Alarm()
    room = Room(Address("sip:lobby@example.com"))
    alice, bob = (room.join(Address(f"sip:{name}@example.com")) for name in ("alice", "bob"))
    reporting = Reporting("accepted", 30.0, {}, {}, alarm.set)
    fate = reporting.begin(alice, make_receipt(b"no"), None)
    reporting.follow(b"id", fate)
    for _ in range(6):
        reporting.failed(bob, b"id", 413)
    assert alarm.count == 0


async def test_what_is_answered_at_once_lets_out_no_report_of_what_is_not_answered_yet() -> None:
    room = Room(Address("sip:lobby@example.com"))
    alice = room.join(Address("sip:alice@example.com"))
    others = [room.join(Address(f"sip:p{number}@example.com")) for number in range(2)]
    reporting = Reporting("accepted", 30.0, {}, {}, Alarm().set)
    first, second = make_receipt(), make_receipt()
    of_the_disk = reporting.hold_back(alice)
    reporting.follow(b"1", reporting.begin(alice, first, others))
    reporting.failed(others[0], b"1", 413)
    whispered = reporting.hold_back(alice)
    reporting.follow(b"2", reporting.begin(alice, second, others))
    reporting.failed(others[0], b"2", 415)
    reporting.release(alice, whispered)
    assert [receipt is second for receipt, _, _ in whispered] == [True]
    # One more about the first waits with the others about it.
    reporting.failed(others[1], b"1", 413)
    assert [receipt is first for receipt, _, _ in of_the_disk] == [True, True]
    later = reporting.hold_back(alice)
    reporting.release(alice, of_the_disk)
    reporting.failed(others[0], b"2", 413)
    assert [(receipt is second, status) for receipt, status, _ in later] == [(True, 413)]
    reporting.release(alice, later)
