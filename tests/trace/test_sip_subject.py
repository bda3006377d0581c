"""Whom a SIP message is about."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.sip.flow import Flow
from sylk.sip.message import Message, Response
from sylk.sip.parser import MalformedMessage, parse_message
from sylk.trace.filters import Subject
from sylk.trace.sip_subject import subject_of
from tests.trace.messages import INVITE, LOCAL, REMOTE

FLOW = Flow("udp", LOCAL, REMOTE)
ALICE = ("alice", "example.com")
LOBBY = ("lobby", "example.com")


def parse(octets: bytes) -> Message | MalformedMessage:
    try:
        return parse_message(octets)
    except MalformedMessage as fault:
        return fault


def with_fields(*fields: bytes) -> bytes:
    return INVITE.replace(b"CSeq:", b"\r\n".join([*fields, b"CSeq:"]))


def subject(octets: bytes, *, received: bool = True) -> Subject:
    return subject_of(parse(octets), FLOW, received=received)


def test_everybody_whom_a_request_names() -> None:
    found = subject(
        with_fields(
            b"P-Asserted-Identity: <sip:Carol@Example.NET>, <tel:+4930123;phone-context=x>",
            b"Refer-To: <sips:dave@example.com:5061;transport=tls?Replaces=x>",
        ).replace(b"INVITE sip:lobby@", b"INVITE sip:door%20bell@")
    )
    assert found.remote == "192.0.2.1"
    assert found.call_id == "a84b4c76e66710"
    assert found.people == {
        *(ALICE, LOBBY, ("alice", "192.0.2.1"), ("door bell", "example.com")),
        *(("carol", "example.net"), ("+4930123", ""), ("dave", "example.com")),
    }
    assert found.ours == {LOBBY, ("door bell", "example.com")}


def test_the_room_is_on_our_side_in_each_direction() -> None:
    request = parse_message(INVITE)
    assert not isinstance(request, Response)
    answer = Response.to_request(request, 200).render()
    assert subject(INVITE).ours == {LOBBY}
    assert subject(answer, received=False).ours == {LOBBY}
    # What we send first comes from the room.
    assert subject(INVITE, received=False).ours == {ALICE}
    assert subject(answer).ours == {ALICE}


def test_a_field_that_cannot_be_read_names_nobody() -> None:
    octets = with_fields(b"Refer-To: <<<", b"P-Asserted-Identity: ,,,").replace(
        b"Contact: <sip:alice@192.0.2.1:5062>", b"Contact: *"
    )
    assert subject(octets).people == {ALICE, LOBBY}
    assert subject(INVITE.replace(b"From:", b"X-From:")).people >= {LOBBY}


def test_a_malformed_message_is_about_whom_it_still_names() -> None:
    fault = parse(INVITE.replace(b"Content-Length: 5", b"Content-Length: 500"))
    assert isinstance(fault, MalformedMessage)
    found = subject_of(fault, FLOW, received=True)
    assert found.people >= {ALICE, LOBBY}
    assert found.call_id == "a84b4c76e66710"


def test_a_keep_alive_and_rubbish_are_about_the_peer_alone() -> None:
    assert subject_of(None, FLOW, received=True) == Subject("192.0.2.1")
    assert subject(b"\0\1rubbish") == Subject("192.0.2.1")


@given(st.binary(max_size=200), st.integers(0, len(INVITE)), st.booleans())
def test_whatever_comes_is_about_somebody(noise: bytes, place: int, received: bool) -> None:
    found = subject(INVITE[:place] + noise + INVITE[place:], received=received)
    assert found.remote == "192.0.2.1"
    assert found.ours <= found.people
