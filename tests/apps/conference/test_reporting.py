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
