"""Replaces and Join: the values, and the table of what becomes of them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.message import Request
from sylk.sip.parser import parse_message
from sylk.sip.refer import parse_refer
from sylk.sip.replaces import (
    REFUSALS,
    DialogReference,
    Found,
    Purpose,
    check_found,
    read_reference,
)
from sylk.sip.uri import SipURI
from tests.sip.user_agents import make

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=20)
# RFC 3261 section 25.1: word, perhaps an "@" and another one.
WORDS = st.text("abcXYZ019-.!%*_+`'~()<>:\\\"/[]?{}", min_size=1, max_size=30)
CALL_IDS = WORDS | st.builds("{}@{}".format, WORDS, WORDS)
REFERENCES = st.builds(DialogReference, CALL_IDS, TOKENS, TOKENS, st.booleans())


# RFC 3891 section 6.1, RFC 3911 section 7.1
@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (
            "98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff",
            DialogReference("98732@sip.example.com", "ff87ff", "r33th4x0r"),
        ),
        (
            "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only",
            DialogReference("12adf2f34456gs5", "12345", "54321", early_only=True),
        ),
        ("a;x=y;TO-TAG=1;From-Tag=2;z", DialogReference("a", "1", "2")),
    ],
)
def test_what_is_read(value: str, reference: DialogReference) -> None:
    assert DialogReference.parse(value) == reference


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        ";to-tag=1;from-tag=2",
        "a;to-tag=1",
        "a;from-tag=2",
        "a;to-tag;from-tag=2",
        "a;to-tag=;from-tag=2",
        "a;to-tag=1;from-tag=2;from-tag=3",
        'a;to-tag="1 2";from-tag=2',
        "a b;to-tag=1;from-tag=2",
        "a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2",
        "a, b;to-tag=1;from-tag=2",
    ],
)
@pytest.mark.parametrize("purpose", Purpose)
def test_what_cannot_be_read_is_400(value: str, purpose: Purpose) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        read_reference(make("INVITE", (purpose.value, value)))
    assert refused.value.status == 400


@given(REFERENCES)
def test_what_is_written_is_read_again(reference: DialogReference) -> None:
    assert DialogReference.parse(str(reference)) == reference
    sent = make("INVITE", ("Replaces", str(reference)))
    received = parse_message(sent.render())
    assert isinstance(received, Request)
    assert read_reference(received) == (Purpose.REPLACES, reference)


@given(REFERENCES)
def test_it_is_carried_by_the_uri_of_a_refer(reference: DialogReference) -> None:
    # RFC 3891 section 4, RFC 4579 section 5.10: escaped, in Refer-To.
    uri = SipURI("sip", "bob", None, "example.com", headers=(("Replaces", str(reference)),))
    refer = parse_refer(make("REFER", ("Refer-To", f"<{uri}>")))
    assert refer.replaces is not None
    assert DialogReference.parse(refer.replaces) == reference


@given(st.text(max_size=60))
def test_no_value_does_more_than_be_refused(value: str) -> None:
    with suppress(RemoteProtocolError):
        reference = DialogReference.parse(value)
        assert DialogReference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("reference", "keys"),
    [
        (DialogReference("a", "1", "2"), [("a", "1", "2")]),
        (DialogReference("a", "1", "0"), [("a", "1", "0"), ("a", "1", "")]),
        (DialogReference("a", "0", "2"), [("a", "0", "2"), ("a", "", "2")]),
        (DialogReference("a", "00", "2"), [("a", "00", "2")]),
    ],
)
def test_a_tag_of_zero_stands_for_none_too(
    reference: DialogReference, keys: list[tuple[str, str, str]]
) -> None:
    assert reference.keys == keys


def test_a_request_without_either_wants_nothing() -> None:
    assert read_reference(make("INVITE")) is None
    assert read_reference(make("BYE")) is None


GOOD = "a;to-tag=1;from-tag=2"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("INVITE", [("Replaces", GOOD), ("Join", GOOD)]),
        ("INVITE", [("Replaces", GOOD), ("Replaces", GOOD)]),
        ("INVITE", [("Join", GOOD), ("join", GOOD)]),
        ("SUBSCRIBE", [("Replaces", GOOD)]),
        ("BYE", [("Join", GOOD)]),
        ("OPTIONS", [("Replaces", "nonsense")]),
    ],
)
def test_what_makes_no_sense_is_400(method: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        read_reference(make(method, *headers))
    assert refused.value.status == 400


EXPECTED = {
    Found.NOTHING: (481, 481),
    Found.NO_CALL: (481, 481),
    Found.ENDED: (603, 603),
    Found.EARLY_INCOMING: (481, None),
    Found.EARLY_OUTGOING: (None, None),
    Found.CONFIRMED: (None, None),
}


def status_of(purpose: Purpose, found: Found, *, early_only: bool) -> int | None:
    try:
        check_found(purpose, found, early_only=early_only)
    except RemoteProtocolError as error:
        return error.status
    return None


@pytest.mark.parametrize("found", Found)
def test_each_dialog_that_can_be_found(found: Found) -> None:
    replaces, join = EXPECTED[found]
    assert status_of(Purpose.REPLACES, found, early_only=False) == replaces
    assert status_of(Purpose.JOIN, found, early_only=False) == join
    # RFC 3911 has no such flag.
    assert status_of(Purpose.JOIN, found, early_only=True) == join
    answered = 486 if found is Found.CONFIRMED else replaces
    assert status_of(Purpose.REPLACES, found, early_only=True) == answered


def test_the_table_refuses_nothing_that_is_not_expected() -> None:
    assert len(REFUSALS) == sum(status is not None for both in EXPECTED.values() for status in both)
