"""The frame parser: every cut gives the same frames, and nothing but a protocol error leaks."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.msrp.frame import Frame, render_answer, render_request, render_response
from sylk.msrp.parser import FrameParser, Limits
from tests.corpora import corpus

PATHS = b"To-Path: msrp://a:1/a;tcp\r\nFrom-Path: msrp://b:1/b;tcp\r\n"
SMALL = Limits(max_header_line=64, max_headers=6, max_head=200, max_held=16)


def drain(parser: FrameParser) -> tuple[list[Frame], int]:
    frames: list[Frame] = []
    try:
        while (frame := parser.next_event()) is not None:
            frames.append(frame)
    except RemoteProtocolError as error:
        return frames, error.status
    return frames, 0


def feed(pieces: list[bytes], limits: Limits | None = None) -> tuple[list[Frame], int]:
    parser = FrameParser(limits) if limits else FrameParser()
    frames: list[Frame] = []
    for piece in pieces:
        parser.receive_data(piece)
        more, status = drain(parser)
        frames += more
        if status:
            return frames, status
    return frames, 0


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(marks)]


def send(body: bytes, transaction_id: bytes = b"tid1", flag: bytes = b"$") -> bytes:
    headers = [
        (b"Message-ID", b"m1"),
        (b"Byte-Range", b"1-*/*"),
        (b"Content-Type", b"text/plain"),
    ]
    to_path, from_path = b"msrp://a:1/a;tcp", b"msrp://b:1/b;tcp"
    return render_request(transaction_id, b"SEND", to_path, from_path, headers, body, flag)


def test_a_frame_with_a_body() -> None:
    frames, status = feed([send(b"Hi\r\n")])
    assert status == 0
    assert frames == [
        Frame(
            b"tid1",
            b"SEND",
            0,
            b"",
            b"msrp://a:1/a;tcp",
            b"msrp://b:1/b;tcp",
            {b"message-id": b"m1", b"byte-range": b"1-*/*", b"content-type": b"text/plain"},
            b"Hi\r\n",
            b"$",
        )
    ]


def test_a_response() -> None:
    frames, _ = feed([b"MSRP tid1 425 Nickname taken\r\n" + PATHS + b"-------tid1$\r\n"])
    frame = frames[0]
    assert (frame.method, frame.status, frame.comment) == (b"", 425, b"Nickname taken")
    assert (frame.body, frame.flag, frame.fault) == (None, b"$", 0)


def test_headers_are_liberal_in_case_order_and_space() -> None:
    data = (
        b"MSRP tid1 SEND\r\nFROM-path:msrp://b:1/b;tcp \r\nMessage-Id:\tx\r\n"
        b"to-PATH:  msrp://a:1/a;tcp\r\nMessage-ID: y\r\n-------tid1$\r\n"
    )
    frame = feed([data])[0][0]
    assert frame.fault == 0
    assert (frame.to_path, frame.from_path) == (b"msrp://a:1/a;tcp", b"msrp://b:1/b;tcp")
    assert frame.headers == {b"message-id": b"x"}


@pytest.mark.parametrize(
    "lines",
    [
        b"To-Path: msrp://a:1/a;tcp\r\n",
        b"From-Path: msrp://b:1/b;tcp\r\n",
        b"X: y\r\n",
        b"",
        PATHS + b"no colon\r\n",
        PATHS + b"Byte-Range: 1-2\r\n",
        PATHS + b"Byte-Range: -1-2/3\r\n",
        PATHS + b"X: a\nb\r\n",
        PATHS + b"X: a\rb\r\n",
        PATHS + b"-------other$\r\n",
        b"To-Path: msrp://a:1/a;tcp\nEvil: yes\r\nFrom-Path: msrp://b:1/b;tcp\r\n",
    ],
)
def test_a_fault_leaves_the_framing_intact(lines: bytes) -> None:
    good = send(b"next", b"tid2")
    data = b"MSRP tid1 SEND\r\n" + lines + b"-------tid1$\r\n" + good
    for pieces in ([data], one_by_one(data)):
        frames, status = feed(pieces)
        assert status == 0
        assert [frame.fault for frame in frames] == [400, 0]
        # What is echoed into an answer must not make a new line there.
        assert b"Evil" not in render_response(frames[0], 400)


@pytest.mark.parametrize("word", [b"send", b"2000", b"S-ND x"])
def test_an_odd_method_is_a_fault(word: bytes) -> None:
    frames, status = feed([b"MSRP tid1 " + word + b"\r\n" + PATHS + b"-------tid1$\r\n"])
    assert (len(frames), status) == (1, 0)
    assert frames[0].fault == 400
    assert frames[0].method


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",
        b"M ",
        b"\r\n\r\nSIP",
        b"\n",
        b"MSRP tid1\r\n\r\n",
        b"MSRP tid1\r\n-------tid1$\r\n",
        b"MSRP tid1  SEND\r\n\r\n",
        b"MSRP  SEND\r\n\r\n",
        b"MSRP -id SEND\r\n\r\n",
        b"MSRP " + b"a" * 65 + b" SEND\r\n\r\n",
        b"MSRP tid1 SEND\r\nX: " + b"a" * 16400 + b"\r\n",
        b"MSRP tid1 SEND\r\n" + b"X: y\r\n" * 65 + b"\r\n",
        b"MSRP tid1 SEND\r\n" + b"X: y\r\n" * 11000,
        b"MSRP tid1 SEND\r\n" + (b"X: " + b"y" * 9000 + b"\r\n") * 8,
    ],
)
def test_what_cannot_be_framed_ends_the_connection(data: bytes) -> None:
    good = send(b"first")
    for tail in (b"", b"\r\n-------tid1$\r\n" * 2, b"\r\n\r\n"):
        frames, status = feed([good + data + tail])
        assert (len(frames), status) == (1, 400)
        pieces = cut(good + data + tail, list(range(0, 200_000, 7)))
        assert feed(pieces) == (frames, status)


def test_an_error_stays() -> None:
    parser = FrameParser()
    parser.receive_data(b"HTTP")
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            parser.next_event()
        parser.receive_data(send(b"x"))


def test_line_ends_between_frames_are_skipped() -> None:
    data = b"\r\n" + send(b"1") + b"\r\n\r\n" + send(b"2")
    for pieces in ([data], one_by_one(data)):
        frames, status = feed(pieces)
        assert ([frame.body for frame in frames], status) == ([b"1", b"2"], 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"-------tid1$",
        b"x\r\n-------tid",
        b"x\r\n-------tid1",
        b"x\r\n-------tid1$\r",
        b"x\r\n-------tid1*\r\ny",
        b"x\r\n-------tid2$\r\ny",
        b"x\r\n-------tid1$y",
        b"x\r\n--------tid1$\r\ny",
        b"\r\n\r\n\r\n",
        b"\x00\xff\r\n-------\r\n-------",
    ],
)
def test_look_alikes_are_body(body: bytes) -> None:
    head = b"MSRP tid1 SEND\r\n" + PATHS + b"Message-ID: m\r\nContent-Type: a/b\r\n\r\n"
    data = head + b"<" + body + b"\r\n-------tid1+\r\n" + send(b"next", b"tid2")
    whole = feed([data])
    assert [frame.body for frame in whole[0]] == [b"<" + body, b"next"]
    assert whole[0][0].flag == b"+"
    assert feed(one_by_one(data)) == whole


@pytest.mark.parametrize("between", [b"\r\n", b"\r\n\r\n"])
def test_an_empty_body_ends_with_or_without_its_own_line_end(between: bytes) -> None:
    data = b"MSRP tid1 SEND\r\n" + PATHS + b"Content-Type: a/b\r\n" + between + b"-------tid1$\r\n"
    for pieces in ([data], one_by_one(data)):
        frames, status = feed(pieces)
        assert (status, len(frames)) == (0, 1)
        assert (frames[0].body, frames[0].flag) == (b"", b"$")


def test_a_large_chunk_comes_in_pieces() -> None:
    body = bytes(range(256)) * 1024
    data = send(body, flag=b"+")
    whole, status = feed([data], Limits(max_held=1000))
    assert status == 0
    assert len(whole) == 263
    assert all(frame.flag == b"" for frame in whole[:-1])
    assert whole[-1].flag == b"+"
    assert b"".join(frame.body or b"" for frame in whole) == body
    assert [frame.offset for frame in whole[:3]] == [0, 1000, 2000]
    assert {frame.transaction_id for frame in whole} == {b"tid1"}
    assert feed(cut(data, list(range(0, len(data), 777))), Limits(max_held=1000)) == (whole, 0)


def test_more_may_come_before_all_pieces_are_taken() -> None:
    data = send(b"a" * 50 + b"b" * 50) + send(b"next", b"tid2")
    expected, _ = feed([data], SMALL)
    parser = FrameParser(SMALL)
    parser.receive_data(data)
    frames: list[Frame] = []
    for i in range(len(expected)):
        frame = parser.next_event()
        assert frame is not None
        frames.append(frame)
        parser.receive_data(b"\r\n" if i % 2 else b"")
    assert frames == expected


def test_a_body_that_is_just_not_too_large_comes_whole() -> None:
    data = send(b"x" * 16)
    frames, _ = feed([data], Limits(max_held=16))
    assert [frame.flag for frame in frames] == [b"$"]
    assert feed(one_by_one(data), Limits(max_held=16))[0] == frames


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [
                    b"\r\n",
                    b"\r",
                    b"\n",
                    b"-------",
                    b"MSRP tid1 SEND\r\n",
                    b"MSRP tid1 200 OK\r\n",
                    PATHS,
                    b"Content-Type: a/b\r\n\r\n",
                    b"\r\n-------tid1",
                    b"-------tid1$\r\n",
                    b"+\r\n",
                    b"#",
                    b" ",
                    b":",
                    send(b"x"),
                ]
            ),
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 500), max_size=6),
)
@settings(max_examples=300)
def test_any_bytes_cut_anywhere_give_the_same(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    for limits in (None, SMALL):
        whole = feed([data], limits)
        assert feed(cut(data, places), limits) == whole
        assert feed(one_by_one(data), limits) == whole


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.lists(
                st.sampled_from([b"\r\n", b"-------", b"tid", b"tid0", b"$", b"x", b"\xff"])
            ).map(b"".join),
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.integers(0, 2000), max_size=8),
    st.sampled_from([b"$", b"+", b"#"]),
)
def test_what_is_written_is_read(bodies: list[bytes], places: list[int], flag: bytes) -> None:
    sent = [(b"T%d" % i + b"qz" * 5, body) for i, body in enumerate(bodies)]
    data = b"".join(send(body, transaction_id, flag) for transaction_id, body in sent)
    frames, status = feed(cut(data, places))
    assert status == 0
    assert [(frame.transaction_id, frame.body) for frame in frames] == sent
    assert {frame.flag for frame in frames} == {flag}


def message_files() -> list[Path]:
    flows = [path for path in (corpus("flows") / "msrp").iterdir() if path.suffix == ".msrp"]
    traces = [path for path in (corpus("traces") / "msrp").iterdir() if path.suffix == ".msrp"]
    assert len(flows) > 80
    return flows + traces


def test_each_frame_printed_in_an_rfc_parses() -> None:
    for path in message_files():
        data = path.read_bytes()
        whole = feed([data])
        frames, status = whole
        assert (len(frames), status) == (1, 0), path.name
        # Some examples leave the paths out for brevity.
        brief = b"To-Path:" not in data or b"From-Path:" not in data
        assert frames[0].fault == (400 if brief else 0), path.name
        assert (frames[0].body is not None) == (b"\r\n\r\n" in data), path.name
        assert feed(one_by_one(data)) == whole, path.name


def traced_frames(text: str) -> list[bytes]:
    """Cut the MSRP frames out of a trace; `<LF>` marks a line that ended in a bare LF."""
    frames: list[bytes] = []
    for block in text.split("==== ")[1:]:
        head, _, rest = block.partition("\n")
        if " MSRP " not in f" {head} ":
            continue
        lines = rest.split("\n")
        ends = [i for i, line in enumerate(lines) if line.startswith("-------")]
        if not ends:
            continue
        wire = "\r\n".join(lines[: ends[-1] + 1]) + "\r\n"
        frames.append(wire.replace("<LF>\r\n", "\n").encode())
    return frames


def test_each_frame_that_a_deployed_server_and_its_peer_exchanged_parses() -> None:
    count = 0
    for path in sorted(corpus("traces").joinpath("sylkserver").glob("*.txt")):
        for data in traced_frames(path.read_text()):
            frames, status = feed([data])
            assert status == 0, (path.name, data)
            assert frames, (path.name, data)
            assert not any(frame.fault for frame in frames), (path.name, data)
            count += len(frames)
    assert count > 100


def written_anew(data: bytes, frame: Frame) -> bytes:
    """Write a frame with the names of header fields as they stand in `data`."""
    head = data.partition(b"\r\n\r\n")[0]
    lines = {line.partition(b":")[0].lower(): line for line in head.split(b"\r\n")[1:]}
    headers = [
        (lines[name].partition(b":")[0], value)
        for name, value in frame.headers.items()
        if name in lines
    ]
    if frame.method:
        return render_request(
            *(frame.transaction_id, frame.method, frame.to_path, frame.from_path),
            *(headers, frame.body, frame.flag),
        )
    paths = b"To-Path: %b\r\nFrom-Path: %b\r\n" % (frame.to_path, frame.from_path)
    paths += b"".join(b"%b: %b\r\n" % header for header in headers)
    return render_answer(frame.transaction_id, frame.status, paths, frame.comment)


def test_each_frame_of_the_corpora_is_written_back_byte_for_byte() -> None:
    # One example has its paths the other way round, which the grammar does not allow.
    found = {path.name: path.read_bytes() for path in message_files()}
    del found["rfc7573-01-SEND.msrp"]
    for path in sorted(corpus("traces").joinpath("sylkserver").glob("*.txt")):
        for number, data in enumerate(traced_frames(path.read_text())):
            found[f"{path.name} {number}"] = data
    count = 0
    for name, data in found.items():
        frames, _ = feed([data])
        if any(frame.fault for frame in frames):
            continue  # Some examples leave the paths out for brevity.
        assert b"".join(written_anew(data, frame) for frame in frames) == data.replace(
            b":  ", b": "
        ), name
        count += len(frames)
    assert count > 150


def test_challenges_are_one_list_on_however_many_lines_they_come() -> None:
    data = (
        b"MSRP t1 401 X\r\nTo-Path: a\r\nFrom-Path: b\r\nWWW-Authenticate: Digest x=1\r\n"
        b"www-authenticate: Digest y=2\r\nExpires: 1\r\nExpires: 2\r\n-------t1$\r\n"
    )
    (frame,), _ = feed([data])
    assert frame.headers[b"www-authenticate"] == b"Digest x=1, Digest y=2"
    assert frame.headers[b"expires"] == b"1"
