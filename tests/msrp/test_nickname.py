"""Nicknames on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.events import NicknameAnswered, NicknameRequested
from sylk.msrp.nickname import MAX_NICKNAME, read_nickname, render_nickname
from tests.msrp.pair import answer, bound_wire, send


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=50), st.booleans())
def test_what_is_written_is_read(nickname: str, quoted: bool) -> None:
    try:
        written = render_nickname(nickname, quoted=quoted)
    except LocalProtocolError:
        assert not quoted
        assert nickname[:1] in '" ' or nickname.endswith(" ")
        return
    assert read_nickname(written) == nickname


@given(st.binary(max_size=30))
def test_nothing_but_a_protocol_error_comes_out(value: bytes) -> None:
    try:
        nickname = read_nickname(value)
    except RemoteProtocolError:
        return
    assert nickname.isprintable() or not nickname.isascii()


@pytest.mark.parametrize(
    "value",
    [
        b"\xff",
        b"a\x00",
        b"x" * (MAX_NICKNAME + 1),
        "ä".encode() * (MAX_NICKNAME // 2 + 1),
        b'"Al',
        b'"',
        b'"A"l"',
        b'"Al\\"',
    ],
)
def test_a_malformed_nickname_is_424(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_nickname(value)
    assert caught.value.status == 424


@pytest.mark.parametrize("nickname", ["a\r\nb", "x" * (MAX_NICKNAME + 1), "\ud800"])
def test_what_cannot_be_written_is_our_fault(nickname: str) -> None:
    with pytest.raises(LocalProtocolError):
        render_nickname(nickname)


@pytest.mark.parametrize("nickname", ['"Al"', " Al", "Al "])
def test_a_bare_name_that_would_be_read_as_another_is_our_fault(nickname: str) -> None:
    assert read_nickname(render_nickname(nickname)) == nickname
    with pytest.raises(LocalProtocolError):
        render_nickname(nickname, quoted=False)


@pytest.mark.parametrize(
    ("value", "nickname"), [(b'"Al \\"x\\""', 'Al "x"'), (b"Al", "Al"), (b'""', ""), (b"", "")]
)
def test_a_nickname_is_asked_for_and_answered(value: bytes, nickname: str) -> None:
    session, wire = bound_wire()
    (event,) = wire.receive(send(method=b"NICKNAME", extra=b"Use-Nickname: %b\r\n" % value))
    assert isinstance(event, NicknameRequested)
    assert event.nickname == nickname
    assert wire.sent() == []
    session.answer_nickname(event, 425)
    (frame,) = wire.sent()
    assert (frame.status, frame.comment) == (425, b"Nickname reserved or already in use")


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        (b"", 400),
        (b"Use-Nickname: x\r\nSuccess-Report: no\r\n", 400),
        (b"Use-Nickname: x\r\nFailure-Report: yes\r\n", 400),
        (b"Use-Nickname: \xff\r\n", 424),
        (b"Use-Nickname: \x01\r\n", 424),
    ],
)
def test_a_bad_nickname_request_is_refused(extra: bytes, status: int) -> None:
    _, wire = bound_wire()
    assert wire.receive(send(method=b"NICKNAME", extra=extra)) == []
    assert wire.statuses() == [status]


def test_we_can_ask_for_a_nickname() -> None:
    session, wire = bound_wire()
    transaction_id = session.set_nickname('A"l', 0.0)
    (frame,) = wire.sent()
    assert frame.transaction_id == transaction_id
    assert (frame.method, frame.headers) == (b"NICKNAME", {b"use-nickname": b'"A\\"l"'})
    assert wire.receive(answer(transaction_id, 425)) == [
        NicknameAnswered(transaction_id, 425, b"X")
    ]


def test_a_nickname_is_given_up_bare_for_a_peer_that_takes_quotes_for_letters() -> None:
    session, wire = bound_wire()
    session.set_nickname("", 0.0, quoted=False)
    assert [frame.headers for frame in wire.sent()] == [{b"use-nickname": b""}]
