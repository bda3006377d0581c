"""Messages put together from chunks."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.msrp.assembly import Assembly, MessageAssembler


def assemble(
    chunks: list[tuple[int, bytes, bool]], assembler: MessageAssembler | None = None
) -> list[bytes]:
    assembler = assembler or MessageAssembler()
    whole: list[bytes] = []
    for start, data, last in chunks:
        assembly = assembler.open(b"m", False, b"yes")
        result = assembler.add(assembly, start, data, last=last)
        if result is not None:
            whole.append(result)
    return whole


def test_chunks_in_order() -> None:
    assert assemble([(0, b"ab", False), (2, b"cd", False), (4, b"e", True)]) == [b"abcde"]


def test_chunks_out_of_order() -> None:
    assert assemble([(4, b"e", True), (2, b"cd", False), (0, b"ab", False)]) == [b"abcde"]


def test_the_later_chunk_wins_where_two_overlap() -> None:
    assert assemble([(0, b"aaaa", False), (2, b"bbbb", False), (6, b"c", True)]) == [b"aabbbbc"]
    assert assemble([(4, b"cc", True), (1, b"bbbb", False), (0, b"a", False)]) == [b"abbbbc"]
    assert assemble([(2, b"cc", False), (0, b"aaaaaa", True)]) == [b"aaaaaa"]


def test_the_last_chunk_tells_the_size() -> None:
    assert assemble([(0, b"abcdef", False), (2, b"X", True)]) == [b"abX"]


def test_a_gap_is_waited_for() -> None:
    assembler = MessageAssembler()
    assert assemble([(0, b"a", False), (2, b"c", True)], assembler) == []
    assert assembler.has_open
    assert assemble([(1, b"b", False)], assembler) == [b"abc"]
    assert not assembler.has_open
    assert assembler.is_done(b"m")


def test_an_empty_last_chunk_completes() -> None:
    assert assemble([(0, b"ab", False), (2, b"", True)]) == [b"ab"]
    assert assemble([(0, b"", True)]) == [b""]


def test_a_message_that_is_too_large_is_refused_and_forgotten() -> None:
    assembler = MessageAssembler(max_message_size=10)
    with pytest.raises(RemoteProtocolError) as caught:
        assemble([(0, b"x" * 8, False), (8, b"xxx", False)], assembler)
    assert caught.value.status == 413
    assert not assembler.has_open
    with pytest.raises(RemoteProtocolError):
        assemble([(2**63, b"x", True)], assembler)


def test_a_message_in_too_many_stretches_is_refused() -> None:
    assembler = MessageAssembler(max_segments=3)
    with pytest.raises(RemoteProtocolError) as caught:
        assemble([(i * 2, b"x", False) for i in range(4)], assembler)
    assert caught.value.status == 413


def test_too_many_open_messages_drop_the_oldest() -> None:
    assembler = MessageAssembler(max_open=2)
    for message_id in (b"1", b"2", b"3"):
        assembler.add(assembler.open(message_id, False, b"yes"), 0, b"x", last=False)
    assert [assembly.message_id for assembly in assembler.dropped] == [b"1"]
    assert assembler.get(b"1") is None
    assert assembler.get(b"3") is not None


def test_memory_is_bounded_over_all_messages() -> None:
    assembler = MessageAssembler(max_message_size=10)
    for message_id in (b"1", b"2", b"3"):
        assembler.add(assembler.open(message_id, False, b"yes"), 0, b"x" * 9, last=False)
    assert [assembly.message_id for assembly in assembler.dropped] == [b"1"]


@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=20),
    st.randoms(use_true_random=False),
)
def test_any_chunks_that_cover_a_message_give_it(
    body: bytes, extra: list[tuple[int, int]], random: Random
) -> None:
    chunks = [(i, body[i : i + 7], False) for i in range(0, len(body), 7)]
    chunks += [
        (start, body[start : start + size], False) for start, size in extra if start < len(body)
    ]
    random.shuffle(chunks)
    assembler = MessageAssembler()
    assert assemble(chunks, assembler) == []
    assert assemble([(len(body), b"", True)], assembler) == [body]


@given(st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=12)), max_size=20))
def test_bytes_lie_where_a_plain_buffer_has_them(chunks: list[tuple[int, bytes]]) -> None:
    assembly = Assembly(b"m", False, b"yes")
    plain: dict[int, int] = {}
    for start, data in chunks:
        assembly.put(start, data, 100)
        plain.update({start + i: byte for i, byte in enumerate(data)})
    found = {
        segment.start + i: byte
        for segment in assembly.segments
        for i, byte in enumerate(segment.data)
    }
    assert found == plain
    assert assembly.held == len(plain)
