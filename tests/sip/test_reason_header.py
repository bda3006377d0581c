"""The Reason header field: read with patience, written by the grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.headers import Headers
from sylk.sip.message import Request
from sylk.sip.parser import parse_message
from sylk.sip.reason_header import (
    MAX_REASONS,
    MAX_TEXT,
    Reason,
    end_of,
    reason_headers,
    reasons_of,
)
from tests.sip.user_agents import make

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=20)
TEXTS = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=MAX_TEXT
)


def bye(*lines: str) -> Request:
    return make("BYE", *(("Reason", line) for line in lines))


# RFC 3326 section 2
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            'SIP ;cause=200 ;text="Call completed elsewhere"',
            ("SIP", 200, "Call completed elsewhere"),
        ),
        ('Q.850 ;cause=16 ;text="Terminated"', ("Q.850", 16, "Terminated")),
        ('SIP ;cause=600 ;text="Busy Everywhere"', ("SIP", 600, "Busy Everywhere")),
        ("SIP;cause=580;location=here", ("SIP", 580, "")),
        ("Preemption", ("Preemption", None, "")),
        ("sip;TEXT=bare", ("sip", None, "bare")),
        (f'SIP;text="{"x" * 1000}"', ("SIP", None, "x" * MAX_TEXT)),
    ],
)
def test_what_is_read(value: str, reason: tuple[str, int | None, str]) -> None:
    assert Reason.parse(value) == Reason(*reason)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";cause=1",
        "a b",
        "SIP;cause=x",
        "SIP;cause=1;cause=2",
        "SIP;cause=99999",
        "SIP;=",
        "x" * 33,
    ],
)
def test_what_is_no_reason(value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Reason.parse(value)


@given(st.builds(Reason, TOKENS, st.none() | st.integers(0, 65535), TEXTS))
def test_what_is_written_is_read_again(reason: Reason) -> None:
    assert Reason.parse(str(reason)) == reason


@given(st.lists(st.builds(Reason, TOKENS, st.none() | st.integers(0, 65535), TEXTS), max_size=4))
def test_it_survives_the_wire(reasons: list[Reason]) -> None:
    sent = bye(*(str(reason) for reason in reasons))
    received = parse_message(sent.render())
    by_protocol = {reason.protocol.upper(): reason for reason in reversed(reasons)}
    assert {one.protocol.upper(): one for one in reasons_of(received)} == by_protocol


def test_a_protocol_must_be_a_token() -> None:
    with pytest.raises(LocalProtocolError):
        str(Reason("S I P"))


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0"), max_size=80), max_size=3))
def test_no_reason_however_bad_is_more_than_ignored(lines: list[str]) -> None:
    reasons = reasons_of(bye(*lines))
    assert len(reasons) <= MAX_REASONS
    assert all(len(reason.text) <= MAX_TEXT for reason in reasons)


def test_the_first_of_each_protocol_counts_and_bad_ones_do_not() -> None:
    message = bye(
        'SIP;cause=486;text="a, b", Q.850;cause=17', 'nonsense "', "sip;cause=200", "SIP;cause=x"
    )
    reasons = reasons_of(message)
    assert reasons == [Reason("SIP", 486, "a, b"), Reason("Q.850", 17)]
    assert end_of("BYE", reasons, 487) == ("BYE: a, b, Q.850 17", 486)
    assert len(reasons_of(bye(", ".join(f"p{number}" for number in range(50))))) == MAX_REASONS


@pytest.mark.parametrize("value", ["Q.850;cause=486", "SIP;cause=16", "SIP;cause=700", "SIP"])
def test_what_is_no_status(value: str) -> None:
    reasons = [Reason.parse(value)]
    assert end_of("BYE", reasons) == (f"BYE: {value.replace(';cause=', ' ')}", None)
    assert end_of("BYE", reasons, 487)[1] == 487
    assert end_of("BYE", [*reasons, Reason("SIP", 480)], 487)[1] == 480


def test_without_a_reason_there_is_nothing_to_say() -> None:
    assert reasons_of(Request("BYE", make("BYE").uri, Headers())) == []
    assert end_of("BYE", []) == ("BYE", None)
    assert end_of("BYE", [], 487) == ("BYE", 487)
    assert reason_headers(None, "whatever") == []


def test_what_we_write() -> None:
    assert reason_headers(500, 'a "b"') == [("Reason", 'SIP;cause=500;text="a \\"b\\""')]
    assert reason_headers(200, "") == [("Reason", "SIP;cause=200")]
    ((_, value),) = reason_headers(500, "x" * 1000 + "\r\n")
    assert len(value) < MAX_TEXT + 30
