import os
from io import StringIO

import trio
from hypothesis import given
from hypothesis import strategies as st

from sylk.cli.commands import Order, Say
from sylk.cli.plain import LineCutter, Plain


def cut(*pieces: bytes, limit: int = 100) -> list[str]:
    cutter = LineCutter(limit)
    return [line for piece in (*pieces, b"") for line in cutter.feed(piece)]


def test_lines_are_cut_at_line_ends_alone() -> None:
    assert cut(b"one\r\ntwo\n\n  \nth\x0bree\rx\nlast") == ["one", "two", "th\x0bree\rx", "last"]


def test_what_is_not_utf8_is_replaced() -> None:
    assert cut(b"a\xff\n\xc3") == ["a\ufffd", "\ufffd"]


def test_a_long_line_comes_in_pieces() -> None:
    assert cut(b"x" * 25, limit=10) == ["x" * 10, "x" * 10, "x" * 5]


@given(st.lists(st.text().map(str.encode), max_size=5), st.data())
def test_it_does_not_matter_where_reads_cut(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"\n".join(parts)
    place = data.draw(st.integers(0, len(whole)))
    # An empty read is the end, so none stands in the middle.
    assert cut(*filter(None, [whole[:place], whole[place:]])) == cut(*filter(None, [whole]))


async def read_all(plain: Plain) -> list[Say | Order]:
    send, receive = trio.open_memory_channel[Say | Order](0)
    lines: list[Say | Order] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plain.read_lines, send)
        async with receive:
            lines.extend([line async for line in receive])
    return lines


async def test_the_input_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo")
    os.close(writing)
    try:
        assert await read_all(Plain(reading, StringIO(), StringIO())) == [Say("one"), Say("two")]
    finally:
        os.close(reading)


async def test_a_script_may_want_commands() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"/who\nhello\n/nonsense\n/help\n//me\n/quit\nmore\n")
    os.close(writing)
    output, errors = StringIO(), StringIO()
    try:
        plain = Plain(reading, output, errors, takes_commands=True)
        assert await read_all(plain) == [Order("/who"), Say("hello"), Say("/me")]
    finally:
        os.close(reading)
    assert errors.getvalue().startswith("sylk-chat: /nonsense is no command.")
    assert "/ban NAME" in output.getvalue()


async def test_the_input_ends_when_nobody_reads_the_output() -> None:
    # The reading end stays open: a thread may still be about to read from it.
    reading, writing = os.pipe()
    closed, broken = os.pipe()
    os.close(closed)
    with os.fdopen(writing, "wb"), os.fdopen(broken, "w") as output:
        plain = Plain(reading, output, StringIO())
        plain.show([[("", "hello")]])
        assert await read_all(plain) == []
        # What could not be written would be tried again at the end.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, broken)
        os.close(null)


def test_output_and_errors_are_told_apart() -> None:
    output, errors = StringIO(), StringIO()
    plain = Plain(0, output, errors)
    plain.show([[("class:time", "12:00 "), ("", "hello")]])
    plain.complain([[("class:time", "12:00 "), ("class:failure", "! not delivered")]])
    assert output.getvalue() == "12:00 hello\n"
    assert errors.getvalue() == "sylk-chat: not delivered\n"
