"""What the INVITE of a room says of who asked for it."""

import pytest
from sylk_conference.dial_out import Invitee, headers_of, uri_to_call

from sylk.errors import RemoteProtocolError
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


@pytest.mark.parametrize(
    ("uri", "called"),
    [
        ("sip:bob@example.com", "sip:bob@example.com"),
        ("sip:bob@example.com:5070;transport=tcp", "sip:bob@example.com:5070;transport=tcp"),
        ("sip:bob@example.com?Subject=x&Route=y", "sip:bob@example.com"),
        ("sip:b;maddr=1?c@example.com", "sip:b;maddr=1?c@example.com"),
        ("sip:example.com", "sip:example.com"),
    ],
)
def test_header_fields_of_a_target_are_not_sent(uri: str, called: str) -> None:
    assert uri_to_call(uri) == called


@pytest.mark.parametrize("name", ["maddr", "MADDR", "m%61ddr"])
def test_nobody_comes_in_by_the_name_of_another(name: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        uri_to_call(f"sip:moderator@example.com;transport=tcp;{name}=192.0.2.66")
    assert refused.value.status == 403
