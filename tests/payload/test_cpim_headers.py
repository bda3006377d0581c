import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim_headers import (
    MAX_HEADER_SIZE,
    MAX_HEADERS,
    HeaderBlock,
    blank_line_at,
    is_mime_name,
    is_name,
    read_block,
    read_cpim_block,
    read_entity,
)


def pairs(block: HeaderBlock) -> list[tuple[bytes, bytes]]:
    return [(line.name, line.value.strip()) for line in block.lines]


def read(data: bytes, start: int = 0) -> HeaderBlock:
    return read_block(data, start, MAX_HEADERS, MAX_HEADER_SIZE)


def test_names() -> None:
    assert all(map(is_name, (b"From", b"agp.Message-Type", b"a.b.c", b"X")))
    assert not any(
        map(is_name, (b"", b".x", b"x.", b"a b", b"From ", b"a\0", b"caf\xc3\xa9", b"a@"))
    )
    assert all(
        map(is_mime_name, (b"Content-Type", b"content-id", b"MIME-Version", b"Mime-version"))
    )
    assert not any(map(is_mime_name, (b"Content", b"X-Content-Type", b"From")))


def test_a_blank_line_is_measured() -> None:
    assert [blank_line_at(b"\r\n\nx", at) for at in range(5)] == [2, 1, 1, 0, 0]


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_a_block_ends_behind_its_blank_line(eol: bytes) -> None:
    data = eol.join([b"xxA: 1", b"B:2", b"", b"C: 3"])
    block = read(data, 2)
    assert pairs(block) == [(b"A", b"1"), (b"B", b"2")]
    assert block.complete
    assert data[block.end :] == b"C: 3"
    assert [data[line.start :][:1] for line in block.lines] == [b"A", b"B"]


def test_a_block_ends_before_a_line_that_is_no_header() -> None:
    data = b"A: 1\r\nhello world\r\n"
    block = read(data)
    assert (pairs(block), data[block.end :], block.complete) == (
        [(b"A", b"1")], b"hello world\r\n", False,
    )  # fmt: skip


@pytest.mark.parametrize("data", [b"A: 1", b"A: 1\r\n", b"A: 1\r\n\r"])
def test_a_block_may_end_with_the_data(data: bytes) -> None:
    assert read(data) == HeaderBlock(read(b"A: 1").lines, len(data), False)


def test_folded_lines_and_tabs_become_one_line() -> None:
    assert pairs(read(b"A: 1;\r\n\t x=2\r\n  y\tz\r\nB: 3\r\n\r\n")) == [
        (b"A", b"1; x=2 y z"), (b"B", b"3"),
    ]  # fmt: skip


@pytest.mark.parametrize("bad", [b"\0", b"\x1b", b"\x7f", b"\r", b"\x0b"])
@pytest.mark.parametrize("place", [b"A: x%by\r\n\r\n", b"A: x\r\n %by\r\n\r\n"])
def test_control_characters_are_refused(bad: bytes, place: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(place.replace(b"%b", bad + b" "))
    assert caught.value.status == 400


def test_lines_and_bytes_are_bounded() -> None:
    assert len(read(b"A: 1\r\n" * MAX_HEADERS + b"\r\n").lines) == MAX_HEADERS
    with pytest.raises(RemoteProtocolError):
        read(b"A: 1\r\n" * (MAX_HEADERS + 1) + b"\r\n")
    with pytest.raises(RemoteProtocolError):
        read(b"A: 1\r\n" + b" x\r\n" * MAX_HEADERS + b"\r\n")
    fits = b"A: " + b"x" * (MAX_HEADER_SIZE - 7) + b"\r\n\r\n"
    assert read(fits).complete
    with pytest.raises(RemoteProtocolError):
        read(fits.replace(b"A", b"AA"))
    with pytest.raises(RemoteProtocolError):
        read(b"x" * (MAX_HEADER_SIZE + 1))


@pytest.mark.parametrize(
    ("data", "names", "rest", "merged"),
    [
        (b"To: a\r\n\r\nContent-type: b\r\n\r\nx", [b"To"], b"Content-type: b\r\n\r\nx", False),
        (b"\r\nTo: a\r\n\r\nx", [b"To"], b"x", False),
        (b"To: a\r\nContent-type: b\r\n\r\nx", [b"To", b"Content-type"], b"x", True),
        (b"Content-type: b\r\nTo: a\r\n\r\nx", [b"Content-type", b"To"], b"x", True),
        # By the book, whatever the first block holds.
        (b"Content-X: a\r\n\r\nContent-type: b\r\n\r\nx", [b"Content-X"],
         b"Content-type: b\r\n\r\nx", False),
        # No blank line of its own behind it: this is text, not a MIME header block.
        (b"To: a\r\nContent-type: b\r\n\r\nContent-Type: x", [b"To", b"Content-type"],
         b"Content-Type: x", True),
    ],
)  # fmt: skip
def test_where_the_cpim_headers_end(
    data: bytes, names: list[bytes], rest: bytes, merged: bool
) -> None:
    block, is_merged = read_cpim_block(data)
    assert [line.name for line in block.lines] == names
    assert data[block.end :] == rest
    assert is_merged is merged


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n", b"\r\n\r\nTo: a\r\n\r\n", b"\r\nContent-type: b\r\n\r\nx", b"garbage",
      b"To: a", b"To: a\r\n", b"To: a\r\nnonsense\r\n\r\n",
     b" To: a\r\n\r\n", b"To : a\r\n\r\n", b"From: a\r\nFrom: a\r\n\r\n",
     b"from: a\r\nTo: b\r\nFROM: c\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_cpim_header_block(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_cpim_block(data)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("data", "headers", "content"),
    [
        (b"Content-Type: a/b\r\n\r\nx", [(b"Content-Type", b"a/b")], b"x"),
        (b"MIME-Version: 1.0\nContent-Type: a/b\n\nx",
         [(b"MIME-Version", b"1.0"), (b"Content-Type", b"a/b")], b"x"),
        (b"\r\nx", [], b"x"), (b"\r\n\r\nx", [], b"\r\nx"), (b"", [], b""),
        (b"just text", [], b"just text"), (b"http://x\r\n\r\ny", [], b"http://x\r\n\r\ny"),
        (b"Content-Type: a/b\r\njust text", [(b"Content-Type", b"a/b")], b"just text"),
        (b"Content-Length: 0", [(b"Content-Length", b"0")], b""),
    ],
)  # fmt: skip
def test_entities(data: bytes, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    entity = read_entity(data, 0)
    assert pairs(entity) == headers
    assert data[entity.end :] == content


@given(st.lists(st.sampled_from([b"A: 1", b"", b" f", b"\r", b"\n", b"x", b"\0"]), max_size=12))
def test_a_block_never_ends_outside_of_the_data(pieces: list[bytes]) -> None:
    data = b"\r\n".join(pieces)
    try:
        block = read(data)
    except RemoteProtocolError:
        return
    assert 0 <= block.end <= len(data)
    assert read(data[: block.end]) == block
