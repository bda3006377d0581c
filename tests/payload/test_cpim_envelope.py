import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.cpim import CpimMessage
from sylk.payload.cpim_address import Address
from sylk.payload.cpim_envelope import (
    Envelope,
    line_uri,
    render_envelope,
    split_envelope,
    wrapped_content_type,
)
from sylk.payload.cpim_headers import MAX_HEADER_SIZE, MAX_HEADERS, read_entity
from tests.corpora import corpus

FROM = b"From: Alice <sip:alice@example.com>"
TO = b"To: Conference Room <sip:room@example.com>"
DATE = b"DateTime: 2026-11-21T07:35:47.123456+00:00"
EOLS = [b"\r\n", b"\n"]
BODY = b'MIME-Version: 1.0\nContent-Type: text/plain; charset="utf8"\n\nhello\r\n\r\nworld'


def message(*lines: bytes, body: bytes = BODY, eol: bytes = b"\r\n") -> bytes:
    return b"".join(line + eol for line in lines) + eol + body


def split_or_none(data: bytes) -> Envelope | None:
    try:
        return split_envelope(data)
    except RemoteProtocolError:
        return None


def parse_or_none(data: bytes) -> CpimMessage | None:
    try:
        return CpimMessage.parse(data)
    except RemoteProtocolError:
        return None


def test_a_message_by_the_book() -> None:
    data = message(FROM, TO, DATE, b"NS: imdn <urn:ietf:params:imdn>", b"imdn.Message-ID: 1")
    envelope = split_envelope(data)
    assert envelope.from_line == FROM
    assert envelope.to_lines == [TO]
    assert envelope.date_time == b"2026-11-21T07:35:47.123456+00:00"
    assert envelope.other_lines == [b"NS: imdn <urn:ietf:params:imdn>", b"imdn.Message-ID: 1"]
    assert data[envelope.header_end :] == BODY


def test_replacing_the_header_block_leaves_the_rest() -> None:
    data = message(b"Subject: x", FROM, TO, b"To: <sip:bob@example.com>", b"x.y: z")
    envelope = split_envelope(data)
    stamped = render_envelope(
        b"From: Ali <sip:alice@example.com>", TO, b"2026-11-21T00:00:00Z", envelope.other_lines
    )
    assert stamped + data[envelope.header_end :] == message(
        b"From: Ali <sip:alice@example.com>", TO, b"DateTime: 2026-11-21T00:00:00Z",
        b"Subject: x", b"x.y: z",
    )  # fmt: skip


def test_an_envelope_that_is_rendered_splits_to_the_same() -> None:
    data = message(FROM, TO, DATE, b"cc: <sip:dave@example.com>")
    envelope = split_envelope(data)
    again = render_envelope(envelope.from_line, TO, envelope.date_time, envelope.other_lines)
    assert again + BODY == data
    with pytest.raises(LocalProtocolError):
        render_envelope(None, None, None, [])


header_lines = st.sampled_from(
    [FROM, TO, DATE, b"To: <sip:bob@example.com>", b"from: <sip:mallory@example.com>",
     b"to:<sip:x>", b"DATETIME:x", b"DateTime: ", b"Subject:;lang=fr x", b"NS: a <b>", b"a.From: x",
     b" folded",
     b"Content-Type: text/html", b"Content-length: 5", b"no colon", b"X-Y: z\tq", b"N\xc3: 1", b"",
     b"a.b: \x1b", b"caf: \xff\xe9", b"Subject: x\nFrom: <sip:mallory@example.com>", b"X: \r"]
)  # fmt: skip
bodies = st.sampled_from(
    [BODY, b"", b"x", b"\r\nx", b"Content-Type: a/b", b"From: x\r\n\r\n", b"Content-ID: \0\r\n\r\n"]
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(header_lines, max_size=6))
    lead, eol = draw(st.sampled_from([b"", b"\r\n", b"\r\n\r\n"])), draw(st.sampled_from(EOLS))
    return lead + message(*lines, body=draw(bodies), eol=eol)


@given(messages() | st.binary(max_size=60))
def test_the_short_way_and_the_whole_reading_agree(data: bytes) -> None:
    envelope, whole = split_or_none(data), parse_or_none(data)
    if envelope is None:
        # The one thing that only the switch refuses: it cannot cut From or To out of there.
        assert whole is None or re.search(rb"(?ims)^content-.*^(from|to):", data)
    elif whole is None:
        # The one thing that a switch does not look at.
        with pytest.raises(RemoteProtocolError):
            read_entity(data, envelope.header_end)
    else:
        senders = [] if envelope.from_line is None else [envelope.from_line]
        assert values(senders) == plain(whole, "from")
        assert values(envelope.to_lines) == plain(whole, "to")
        assert 0 <= envelope.header_end <= len(data)


def plain(whole: CpimMessage, name: str) -> list[str]:
    headers = [each for each in whole.headers if not each.prefix]
    return [each.value for each in headers if each.name.lower() == name]


def values(lines: list[bytes]) -> list[str]:
    return [line.partition(b":")[2].strip().decode() for line in lines]


@given(messages() | st.binary(max_size=60))
def test_what_a_switch_sends_on_is_by_the_book(data: bytes) -> None:
    envelope = split_or_none(data)
    if envelope is None:
        return
    to_line = envelope.to_lines[0] if envelope.to_lines else None
    block = render_envelope(FROM, to_line, envelope.date_time, envelope.other_lines)
    assert block.count(b"\n") == block.count(b"\r\n") == block.count(b"\r")
    assert block.find(b"\r\n\r\n") == len(block) - 4
    again = split_envelope(block + BODY)
    assert again.from_line == FROM
    assert again.to_lines == envelope.to_lines[:1]
    assert again.date_time == envelope.date_time
    assert again.header_end == len(block)


@pytest.mark.parametrize("eol", EOLS)
@pytest.mark.parametrize("lead", [b"", b"\r\n"])
def test_a_missing_blank_line_before_the_mime_headers(eol: bytes, lead: bytes) -> None:
    lines = [FROM, TO, DATE, b"Content-Type: text/plain", b"Content-Length: 5", b"NS: a <b>"]
    data = lead + message(*lines, body=b"hello", eol=eol)
    envelope = split_envelope(data)
    assert (envelope.from_line, envelope.to_lines, envelope.other_lines) == (FROM, [TO], [])
    assert data[envelope.header_end :] == eol.join([*lines[3:], b"", b"hello"])
    assert wrapped_content_type(data, envelope.header_end) == b"text/plain"


def test_a_bare_line_feed_cannot_hide_a_second_sender() -> None:
    with pytest.raises(RemoteProtocolError):
        split_envelope(message(FROM, TO, b"Subject: x\nFrom: <sip:mallory@example.com>"))
    envelope = split_envelope(message(FROM, TO, b"Subject: x\nTo: <sip:mallory@example.com>"))
    assert envelope.to_lines == [TO, b"To: <sip:mallory@example.com>"]
    assert envelope.other_lines == [b"Subject: x"]


def test_what_is_missing_is_none() -> None:
    envelope = split_envelope(message(b"Subject: x"))
    assert (envelope.from_line, envelope.to_lines, envelope.date_time) == (None, [], None)
    assert split_envelope(message(FROM, b"DateTime:")).date_time is None
    assert split_envelope(message(FROM, b"DateTime:2013-02-11T10:00:00Z")).date_time == (
        b"2013-02-11T10:00:00Z"
    )


def test_the_first_date_counts() -> None:
    envelope = split_envelope(message(DATE, b"DateTime: 1970-01-01T00:00:00Z", FROM))
    assert envelope.date_time == DATE.partition(b" ")[2]
    assert envelope.other_lines == []


def test_headers_in_another_charset_are_not_touched() -> None:
    line = b"Subject: caf\xe9 \xff"
    assert split_envelope(message(FROM, line)).other_lines == [line]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\r\n", b"garbage", FROM, b"\r\n\r\nhello", b"Content-Type: a/b\r\n\r\nhello",
         FROM + b"\r\n", message(FROM, FROM),
        message(FROM, b"from: <sip:mallory@example.com>"), message(FROM, b"no colon"),
        message(FROM, b"Subject : x"), message(FROM, b"Subject: \0"), message(FROM, b"Subject: \r"),
        message(FROM, b"Content-Type: text/plain", TO, body=b"hello"),
        message(b"Content-Type: text/plain", FROM, body=b"hello"),
        message(*[b"X: y"] * (MAX_HEADERS + 1)), message(b"X: " + b"y" * MAX_HEADER_SIZE),
        b"X" * (2 * MAX_HEADER_SIZE),
    ],
)  # fmt: skip
def test_refused_messages(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        split_envelope(data)
    assert caught.value.status == 400


def test_bounds_can_be_set() -> None:
    assert len(split_envelope(message(*[b"X: y"] * MAX_HEADERS)).other_lines) == MAX_HEADERS
    for bounds in ({"max_headers": 2}, {"max_header_size": 100}):
        with pytest.raises(RemoteProtocolError):
            split_envelope(message(FROM, TO, DATE), **bounds)


@pytest.mark.parametrize("bad", [b"x\r\nFrom: y", b"x\n", b"\r", b"\0", b"\x7f"])
def test_a_control_character_is_never_written(bad: bytes) -> None:
    arguments: list[tuple[bytes, bytes, bytes, list[bytes]]] = [
        (FROM + bad, TO, b"2026", []),
        (FROM, TO + bad, b"2026", []),
        (FROM, TO, b"2026" + bad, []),
        (FROM, TO, b"2026", [b"Subject: " + bad]),
    ]
    assert render_envelope(FROM, TO, b"2026", [b"Subject: x"])
    for changed in arguments:
        with pytest.raises(LocalProtocolError):
            render_envelope(*changed)


@given(
    st.text('Al <>"\\:;@', max_size=10).map(
        lambda text: Address("sip:a@b", text).render().encode()
    )
    | st.text('Al <>"sip:@', max_size=16).map(str.encode)
)  # fmt: skip
def test_the_uri_of_a_line_is_that_of_the_address(value: bytes) -> None:
    try:
        expected = Address.parse(value.decode()).uri.encode()
    except RemoteProtocolError:
        with pytest.raises(RemoteProtocolError):
            line_uri(b"To: " + value)
    else:
        assert line_uri(b"To: " + value) == expected


def test_the_uri_of_a_line() -> None:
    assert line_uri(FROM) == b"sip:alice@example.com"
    assert line_uri(b'To:;lang=en "<sip:x@y>" <sip:a@b>') == b"sip:a@b"
    assert line_uri(b"To: <sip:caf\xff@b>") == b"sip:caf\xff@b"
    assert line_uri(b"To: <sip:a@b>;gr=x") == b"sip:a@b"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BODY, b'text/plain; charset="utf8"'), (b"Content-type:image/png \r\n\r\nx", b"image/png"),
        (b"CONTENT-TYPE: a/b\r\n\r\n", b"a/b"),
        (b"Content-Length: 1\nContent-Type: a/b\n\n", b"a/b"),
        (b"Content-Type: a/b;\r\n\tc=d\r\n\r\n", b"a/b; c=d"), (b"Content-Type: a/b", b"a/b"),
        (b"\r\nContent-Type: a/b", b"text/plain"), (b"hello", b"text/plain"), (b"", b"text/plain"),
        (b"Content-Type:\r\n\r\n", b"text/plain"), (b"Content-Type: \nx: y\n\n", b"text/plain"),
    ],
)  # fmt: skip
def test_the_type_of_the_content(body: bytes, expected: bytes) -> None:
    data = message(FROM, TO, body=body)
    header_end = split_envelope(data).header_end
    assert wrapped_content_type(data, header_end) == expected
    assert CpimMessage.parse(data).content_type == expected.decode()


def test_mime_headers_past_the_bound_are_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        wrapped_content_type(b"Content-Type: " + b"x" * MAX_HEADER_SIZE + b"\r\n\r\n", 0)
    with pytest.raises(RemoteProtocolError):
        wrapped_content_type(b"Content-Type: a\0b\r\n\r\n", 0)


CONTINUATIONS = {
    "rfc4975-11-SEND.cpim", "rfc5547-02-SEND.cpim", "rfc7701-12-SEND.cpim",
}  # fmt: skip


def test_messages_of_the_rfcs_and_of_deployed_clients_split() -> None:
    paths = sorted((corpus("flows") / "cpim").glob("*.cpim"))
    paths += sorted((corpus("traces") / "observed").glob("*.cpim"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        envelope = split_or_none(data)
        assert (envelope is None) is (path.name in CONTINUATIONS), path.name
        if envelope is not None and path.name != "rfc7701-13-SEND.cpim":
            assert envelope.from_line is not None, path.name
            assert len(envelope.to_lines) == 1, path.name
            switched = render_envelope(
                FROM, envelope.to_lines[0], envelope.date_time, envelope.other_lines
            )
            parsed = CpimMessage.parse(switched + data[envelope.header_end :])
            assert parsed.content_type == CpimMessage.parse(data).content_type, path.name
