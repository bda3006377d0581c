"""People and their clients."""

import pytest
from sylk_conference.people import comparable
from sylk_conference.room import Room

from sylk.payload.cpim import Address
from tests.apps.conference.test_room import ROOM, room_with


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        (b"sip:a@Example.COM:5060;transport=tcp", b"a@example.com"),
        (b"SIPS:a@h?subject=x", b"a@h"),
        (b"sip:a?b@h", b"a?b@h"),
        (b"sip:a;b@h", b"a;b@h"),
        (b"sip:a@[2001:DB8::1]:5060;x", b"a@[2001:db8::1]"),
        (b"sip:[2001:DB8::1]:5060", b"[2001:db8::1]"),
        (b"sip:H;lr", b"h"),
        (b"a@H", b"a@h"),
    ],
)
def test_people_are_compared_by_user_and_host(uri: bytes, key: bytes) -> None:
    assert comparable(uri) == key


def test_to_leave_twice_is_harmless() -> None:
    room, (alice, second) = room_with("alice", "alice")
    for _ in range(2):
        room.leave(alice)
        assert second.key in room.people
    room.leave(second)
    room.leave(second)
    assert not len(room.people)


def test_a_name_that_is_no_text_can_be_written() -> None:
    room = Room(ROOM)
    strange = room.join(Address("sip:x@example.com", "\udcff"))
    assert strange.from_line == b"From: <sip:x@example.com>"
