from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.sip.message import Request, Response
from sylk.sip.parser import Limits, MalformedMessage
from sylk.sip.stream import KeepAlivePing, StreamParser
from tests.corpora import corpus

FIELDS = (
    b"Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\n"
)
MESSAGE = b"MESSAGE sip:c@d SIP/2.0\r\n" + FIELDS + b"l: 6\r\n\r\n\r\n\r\n!\n"
ANSWER = b"SIP/2.0 200 OK\r\n" + FIELDS + b"Content-Length: 0\r\n\r\n"
BAD_URI = b"MESSAGE <c> SIP/2.0\r\n" + FIELDS + b"Content-Length: 1\r\n\r\n!"
SMALL = Limits(max_message=400, max_headers=8, max_header_line=60, max_body=20)

Outcome = Request | Response | KeepAlivePing | tuple[int, bool]


def events(pieces: Iterable[bytes], limits: Limits | None = None) -> list[Outcome]:
    parser = StreamParser(limits or Limits())
    found: list[Outcome] = []
    for piece in pieces:
        parser.receive_data(piece)
        for event in drain(parser):
            found.append(event)
            if isinstance(event, tuple) and event[1]:
                return found
    return found


def drain(parser: StreamParser) -> Iterator[Outcome]:
    while True:
        try:
            event = parser.next_event()
        except MalformedMessage as error:
            yield (error.status, error.framing_lost)
            if error.framing_lost:
                return
        else:
            if event is None:
                return
            yield event


def single(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def lost(data: bytes, limits: Limits | None = None) -> MalformedMessage:
    parser = StreamParser(limits or Limits())
    parser.receive_data(data)
    with pytest.raises(MalformedMessage) as caught:
        parser.next_event()
    assert caught.value.framing_lost
    parser.receive_data(MESSAGE)
    with pytest.raises(MalformedMessage) as again:
        parser.next_event()
    assert again.value is caught.value
    return caught.value


def test_messages_and_keep_alives() -> None:
    first, ping, second, third = events([MESSAGE + b"\r\n\r\n" + ANSWER + b"\r\n" + MESSAGE])
    assert isinstance(first, Request)
    assert first.body == b"\r\n\r\n!\n"
    assert ping == KeepAlivePing()
    assert isinstance(second, Response)
    assert third == first


def test_one_crlf_is_the_answer_to_our_ping() -> None:
    assert events([b"\r\n" + MESSAGE + b"\r\n" + MESSAGE]) == events([MESSAGE + MESSAGE])
    assert events([b"\r", b"\n", b"\r", b"\n", b"\r\n"]) == [KeepAlivePing()]


def test_idle_between_messages() -> None:
    parser = StreamParser()
    assert parser.is_idle
    parser.receive_data(MESSAGE[:50])
    assert parser.next_event() is None
    assert not parser.is_idle
    parser.receive_data(MESSAGE[50:])
    assert isinstance(parser.next_event(), Request)
    assert parser.is_idle


def test_a_malformed_message_that_is_framed_does_not_end_the_stream() -> None:
    found = events([BAD_URI + ANSWER])
    assert found[0] == (400, False)
    assert isinstance(found[1], Response)


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"l: -1\r\n",
        b"l: x\r\n",
        b"l: 0\r\nContent-Length: 0\r\n",
        b"l: 0\r\nl: 5\r\n",
        b"l: 0\r\nno colon\r\n",
        b"l: 0\r\nX: a\nb\r\n",
        b"l: 0\r\nX: a\0b\r\n",
        b"l: 0\r\n \r\n",
    ],
)
def test_nobody_knows_where_the_message_ends(field: bytes) -> None:
    error = lost(b"MESSAGE sip:c@d SIP/2.0\r\n" + FIELDS + field + b"\r\n")
    assert error.status == 400
    assert error.message is not None
    assert error.message.call_id == "x"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16",
        b"\x16\x03\x01",
        b"\0",
        b"\n",
        b"\rX",
        b" MESSAGE",
        b"\x80\x9e\x01",
        b"{",
        b"GET / HTTP/1.1\r\n",
        b"POST /?a= SIP/2.0/ HTTP/1.1\r\n",
        b"CONNECT 192.0.2.1:5060 HTTP/1.0\r\n",
        b"MESSAGE sip:c@d\r\n",
        b"hello\r\n",
    ],
)
def test_what_is_no_sip_is_refused_at_once(data: bytes) -> None:
    error = lost(data)
    assert error.status == 400
    assert error.message is None
    assert events(single(data)) == [(400, True)]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"M" * 62, 414),
        (b"MESSAGE sip:c@d SIP/2.0\r\n" + b"A: b\r\n" * 100, 513),
        (b"MESSAGE sip:c@d SIP/2.0\r\n" + b"A: b\r\n" * 9 + b"\r\n", 513),
        (b"MESSAGE sip:c@d SIP/2.0\r\n" + FIELDS + b"l: 21\r\n\r\n", 413),
        (b"MESSAGE sip:c@d SIP/2.0\r\nX: " + b"x" * 60 + b"\r\n\r\n", 513),
    ],
)
def test_limits(data: bytes, status: int) -> None:
    assert lost(data, SMALL).status == status
    assert events(single(data), SMALL) == [(status, True)]


def test_whole_message_over_the_limit() -> None:
    limits = Limits(max_message=len(MESSAGE) - 1)
    assert events([MESSAGE], limits) == events(single(MESSAGE), limits) == [(513, True)]
    assert len(events([MESSAGE], Limits(max_message=len(MESSAGE)))) == 1


def test_torture_on_a_stream() -> None:
    folder = corpus("rfc4475")

    def run(name: str) -> list[Outcome]:
        data = (folder / f"{name}.dat").read_bytes()
        whole = events([data])
        assert events(single(data)) == whole, name
        return whole

    assert run("clerr") == []
    assert run("ncl") == run("mcl01") == run("inv2543") == [(400, True)]
    assert [event.method for event in run("dblreq") if isinstance(event, Request)] == [
        "REGISTER",
        "INVITE",
    ]
    assert run("badvers") == [(505, False)]
    assert len(run("wsinv")) == 1
    assert len(run("mpart01")) == 1


PIECES = st.lists(
    st.sampled_from(
        [
            MESSAGE,
            ANSWER,
            BAD_URI,
            b"\r\n",
            b"\r\n\r\n",
            b"\r",
            b"x",
            MESSAGE[:70],
            b"GET / HTTP/1.1\r\n",
        ]
    )
    | st.binary(max_size=20),
    max_size=6,
).map(b"".join)


@settings(max_examples=200)
@given(PIECES, st.lists(st.integers(0, 1500), max_size=8))
def test_cuts_change_nothing(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    for limits in (Limits(), SMALL):
        whole = events([data], limits)
        assert events(pieces, limits) == whole
        assert events(single(data), limits) == whole


def test_a_flood_of_keep_alives() -> None:
    assert len(events([b"\r\n\r\n" * 10000])) == 10000


# The octets, for those who trace


@given(cuts=st.lists(st.integers(0, 1500), max_size=6))
def test_the_octets_of_each_event_are_those_of_the_wire(cuts: list[int]) -> None:
    expected = [MESSAGE, BAD_URI, ANSWER, b"NO SIP\r\n"]
    data = b"\r\n" + MESSAGE + BAD_URI + b"\r\n\r\n" + ANSWER + expected[-1]
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    parser = StreamParser()
    parser.keep_octets = True
    seen: list[bytes] = []
    for begin, end in pairwise(edges):
        parser.receive_data(data[begin:end])
        for event in drain(parser):
            if not isinstance(event, KeepAlivePing):
                seen.append(parser.octets)
            if isinstance(event, tuple) and event[1]:
                break
    assert seen[:3] == expected[:3]
    # Where framing is lost nobody knows the end: what has come so far is shown.
    assert data.endswith(seen[3])
    assert seen[3].startswith(b"NO SIP"[: len(seen[3])])


def test_without_a_trace_no_octets_are_kept() -> None:
    parser = StreamParser()
    parser.receive_data(MESSAGE + BAD_URI)
    assert len(list(drain(parser))) == 2
    assert parser.octets == b""
