"""Tests of sylk.payload.conference_users: each part of a user, the order, and what is kept."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sylk.errors import LocalProtocolError
from sylk.payload.conference_users import (
    NAMESPACE,
    XCON_NAMESPACE,
    DisconnectionMethod,
    Endpoint,
    EndpointStatus,
    Execution,
    JoiningMethod,
    Media,
    MediaStatus,
    State,
    UriEntry,
    User,
    state_of,
    word_of,
)
from sylk.payload.xml import Element
from tests.payload.conferences import users
from tests.payload.documents import ANY_TEXT, PLAIN_TEXT, PLAIN_URI, assert_valid

WHEN = datetime(2026, 11, 21, 7, 35, 47, 123456, UTC)
BOB = User(
    "sip:bob@example.com",
    "Bob & <Hoskins>",
    'Dopey "Donkey"',
    (UriEntry("mailto:bob@example.com", "email", "x"),),
    ("participant", "moderator"),
    (
        Endpoint(
            "sip:bob@[2001:db8::1]:5060;transport=tls",
            "Laptop",
            Execution(WHEN, "expert required", "sip:mike@example.com"),
            EndpointStatus.ON_HOLD,
            JoiningMethod.DIALED_OUT,
            Execution(WHEN),
            DisconnectionMethod.BOOTED,
            Execution(None, "bad voice", None),
            (Media("1", "message", "chat", "34567", "432424", MediaStatus.SENDRECV),),
        ),
    ),
)


def document(content: bytes) -> bytes:
    head = f'<conference-info xmlns="{NAMESPACE}" xmlns:xcon="{XCON_NAMESPACE}" entity="sip:r@x">'
    return head.encode() + b"<users>" + content + b"</users></conference-info>"


def element(content: str | bytes) -> Element:
    data = document(content.encode() if isinstance(content, str) else content)
    return etree.fromstring(data)[0][0]


def test_all_that_can_be_told_of_a_user() -> None:
    assert BOB.rendered.decode() == (
        '<user entity="sip:bob@example.com" state="full" xcon:nickname="Dopey &quot;Donkey&quot;">'
        "<display-text>Bob &amp; &lt;Hoskins&gt;</display-text>"
        "<associated-aors><entry><uri>mailto:bob@example.com</uri>"
        "<display-text>email</display-text><purpose>x</purpose></entry></associated-aors>"
        "<roles><entry>participant</entry><entry>moderator</entry></roles>"
        '<endpoint entity="sip:bob@[2001:db8::1]:5060;transport=tls" state="full">'
        "<display-text>Laptop</display-text>"
        "<referred><when>2026-11-21T07:35:47.123456Z</when><reason>expert required</reason>"
        "<by>sip:mike@example.com</by></referred><status>on-hold</status>"
        "<joining-method>dialed-out</joining-method>"
        "<joining-info><when>2026-11-21T07:35:47.123456Z</when></joining-info>"
        "<disconnection-method>booted</disconnection-method>"
        "<disconnection-info><reason>bad voice</reason></disconnection-info>"
        '<media id="1"><display-text>chat</display-text><type>message</type>'
        "<label>34567</label><src-id>432424</src-id><status>sendrecv</status></media>"
        "</endpoint></user>"
    )
    assert_valid(document(BOB.rendered), "conference-info.xsd")
    assert User.read(element(BOB.rendered)) == BOB


def test_little_that_can_be_told() -> None:
    user = User("sip:bob@example.com", endpoints=(Endpoint("x", state=State.DELETED),))
    assert user.rendered == (
        b'<user entity="sip:bob@example.com" state="full">'
        b'<endpoint entity="x" state="deleted"></endpoint></user>'
    )
    assert User.read(element(user.rendered)) == user


def test_a_user_is_written_once() -> None:
    user = replace(BOB)
    assert user.rendered is user.rendered
    other = replace(user, display_text="Robert")
    assert b"Robert" in other.rendered
    assert b"Robert" not in user.rendered


def test_words_that_are_not_known_are_not_said() -> None:
    user = User.read(
        element(
            '<user state="odd"><x xmlns="urn:x"/><languages>en</languages>'
            '<endpoint state="partial"><status>flying</status><joining-method/>'
            "<joining-info><when>now</when><by>sip%3Aa%40b</by><x/></joining-info>"
            "<joining-method>dialed-in</joining-method><call-info/><media><status>x</status>"
            "</media></endpoint><associated-aors><entry/></associated-aors>"
            "<display-text> Bob\n</display-text></user>"
        )
    )
    endpoint = Endpoint(
        "", joining_info=Execution(by="sip:a@b"), media=(Media(""),), state=State.PARTIAL
    )
    assert user == User("", "Bob", endpoints=(endpoint,))
    assert word_of(EndpointStatus, " connected\n") is EndpointStatus.CONNECTED
    assert word_of(EndpointStatus, "Connected") is None
    assert state_of(element("<user/>")) is State.FULL


def test_a_time_needs_a_zone() -> None:
    with pytest.raises(LocalProtocolError):
        Execution(WHEN.replace(tzinfo=None)).render("referred")


@given(users(ANY_TEXT, ANY_TEXT, st.sampled_from(State)))
def test_what_we_write_is_valid(user: User) -> None:
    assert_valid(document(user.rendered), "conference-info.xsd")


@given(users(PLAIN_TEXT, PLAIN_URI, st.sampled_from(State)))
def test_there_and_back(user: User) -> None:
    assert User.read(element(user.rendered)) == user
