"""A display name that passes for a nickname is not shown while somebody has that one."""

import pytest
from sylk_conference.content import Refusal
from sylk_conference.room import Room

from sylk.payload.cpim import Address, split_envelope

ROOM = Address("sip:lobby@example.com", "Conference Room")


def told(uri: str, name: str = "") -> Address:
    return Address(f"sip:{uri}@example.com", name)


def test_a_display_name_comes_back_when_nobody_has_it_as_a_nickname() -> None:
    room = Room(ROOM)
    bob = room.join(told("bob"))
    assert room.rename(bob, "Zoe") == [bob.user]
    carol = room.join(told("carol", "Zo\u0435"))
    assert carol.user.shown_name == ""
    assert room.rename(bob, "") == [bob.user, carol.user]
    assert carol.user.shown_name == "Zo\u0435"
    assert "Zo\u0435" in carol.from_line.decode()


def test_a_display_name_comes_back_when_who_had_it_has_left() -> None:
    room = Room(ROOM)
    bob, bobs_phone = room.join(told("bob")), room.join(told("bob"))
    room.rename(bob, "Zoe")
    carol = room.join(told("carol", "Zoe"))
    assert room.leave(bob) == [bob.user]
    assert carol.user.shown_name == ""
    assert room.leave(bobs_phone) == [carol.user]
    assert carol.user.shown_name == "Zoe"
    assert room.leave(bobs_phone) == []


def test_who_has_a_right_to_a_name_takes_it_from_who_only_says_so() -> None:
    room = Room(ROOM)
    carol = room.join(told("carol", "Zoe"))
    zoe = room.join(told("zoe"))
    assert room.rename(zoe, "Zoe") == [zoe.user, carol.user]
    assert carol.from_line == b"From: <sip:carol@example.com>"


def test_ones_own_clients_are_not_who_a_message_is_meant_for() -> None:
    """Nor does one that would show a private message as another get a copy of it."""
    room = Room(ROOM)
    alice = room.join(told("alice"))
    laptop = room.join(told("alice"))
    room.join(told("alice"), takes_private=False)
    bob = room.join(told("bob"), accepts=("text/plain",))
    for to in (ROOM, bob.address):
        picture = b"To: %b\r\n\r\nContent-Type: image/png\r\n\r\nx" % to.render().encode()
        with pytest.raises(Refusal) as refusal:
            room.post(alice, picture, split_envelope(picture), b"now")
        assert refusal.value.status == 415
    whisper = b"To: %b\r\n\r\nContent-Type: text/plain\r\n\r\nx" % bob.address.render().encode()
    delivery = room.post(alice, whisper, split_envelope(whisper), b"now")
    assert delivery.recipients == [bob, laptop]
