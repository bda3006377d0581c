"""What the INVITE of a room says of who asked for it."""

from sylk_conference.dial_out import Invitee, headers_of

from sylk.payload.cpim import Address

ALICE = Address("sip:alice@example.com", "Alice")


def test_the_invite_names_who_asked() -> None:
    assert headers_of(Invitee("sip:bob@example.com", ALICE)) == [
        ("Referred-By", "<sip:alice@example.com>"),
        ("Subject", "Join conference request from Alice <alice@example.com>"),
        ("X-Orig-From", "sip:alice@example.com"),
    ]


def test_the_invite_takes_the_place_of_another_call() -> None:
    invitee = Invitee("sip:bob@example.com", ALICE, "1;to-tag=2;from-tag=3")
    assert headers_of(invitee)[-1] == ("Replaces", "1;to-tag=2;from-tag=3")


def test_people_are_told_apart_by_user_and_host() -> None:
    assert Invitee("sip:bob@EXAMPLE.com:5070;transport=tcp", ALICE).key == b"bob@example.com"
