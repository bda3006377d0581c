import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.sip.address import NameAddr
from sylk.sip.checks import check_message
from sylk.sip.message import Request, Response, make_request
from sylk.sip.parser import Limits, MalformedMessage, parse_message
from sylk.sip.uri import OtherURI, SipURI
from tests.corpora import corpus

FIELDS = (
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
)
OPTIONS = b"OPTIONS sip:c@d SIP/2.0\r\n" + FIELDS


def refused(data: bytes, limits: Limits | None = None) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(data, limits or Limits())
    return caught.value


def refusal(data: bytes) -> MalformedMessage | None:
    try:
        check_message(parse_message(data))
    except MalformedMessage as error:
        return error
    return None


def test_request() -> None:
    request = parse_message(b"\r\n\r\n" + OPTIONS + b"l: 2\r\n\r\nhi and what follows")
    assert isinstance(request, Request)
    assert request.method == "OPTIONS"
    assert request.uri == SipURI("sip", "c", None, "d")
    assert request.body == b"hi"
    assert request.call_id == "x"


def test_response() -> None:
    response = parse_message("SIP/2.0 200 = 2**3 * 5**2 но\r\n\r\n".encode())
    assert response == Response(200, "= 2**3 * 5**2 но")
    assert parse_message(b"sip/2.0 183 \r\n\r\n") == Response(183, "")
    assert parse_message(b"SIP/2.0 699\r\n\r\n") == Response(699, "")


def test_the_version_is_compared_without_case() -> None:
    assert isinstance(
        parse_message(OPTIONS.replace(b"SIP/2.0\r", b"sip/2.0\r", 1) + b"\r\n"), Request
    )


def test_without_content_length_the_body_is_the_rest_of_the_datagram() -> None:
    assert parse_message(OPTIONS + b"\r\nrest\0").body == b"rest\0"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS sip:c@d SIP/7.0", 505),
        (b"OPTIONS sip:c@d SIP/2.1", 505),
        (b"OPTIONS sip:c@d SIP/02.00", 505),
        (b"OPTIONS  sip:c@d  SIP/2.0", 400),
        (b"OPTIONS sip:c@d SIP/2.0 ", 400),
        (b"OPTIONS <sip:c@d> SIP/2.0", 400),
        (b"OPTIONS sip:c@d; lr SIP/2.0", 400),
        (b"OPTIONS sip:2001:db8::1 SIP/2.0", 400),
        (b"OPTIONS * SIP/2.0", 400),
    ],
)
def test_bad_request_line_that_can_be_answered(line: bytes, status: int) -> None:
    error = refused(line + b"\r\n" + FIELDS + b"\r\n")
    assert error.status == status
    assert error.message is not None
    assert error.message.method == "OPTIONS"
    answer = Response.to_request(error.message, error.status)
    assert answer.cseq.method == "OPTIONS"
    assert not error.framing_lost


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n\r\n",
        b"\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS sip:c@d\r\n" + FIELDS + b"\r\n",
        b"SIP/2.0 099 x\r\n\r\n",
        b"SIP/2.0 700 x\r\n\r\n",
        b"SIP/2.0 4294967301 x\r\n\r\n",
        b"SIP/2.0 20 x\r\n\r\n",
        b"SIP/7.0 200 OK\r\n\r\n",
        b"SIP/2.0 200 OK\r\nno colon\r\n\r\n",
        b"OPT/IONS sip:c@d SIP/2.0\r\n" + FIELDS + b"\r\n",
    ],
)
def test_nobody_to_answer(data: bytes) -> None:
    assert refused(data).message is None


@pytest.mark.parametrize(
    "data",
    [
        OPTIONS,
        OPTIONS + b"l: 3\r\n\r\nhi",
        OPTIONS + b"l: -1\r\n\r\n",
        OPTIONS + b"l: 2\r\nContent-Length: 2\r\n\r\nhi",
        OPTIONS + b"X: a\nb\r\n\r\n",
        OPTIONS + b"no colon\r\n\r\n",
    ],
)
def test_bad_frame_that_can_be_answered(data: bytes) -> None:
    error = refused(data)
    assert error.status == 400
    assert error.message is not None
    assert Response.to_request(error.message, 400).cseq.method == "OPTIONS"


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (Limits(max_message=100), 513),
        (Limits(max_message=20), 513),
        (Limits(max_headers=3), 513),
        (Limits(max_header_line=30), 513),
        (Limits(max_body=3), 413),
    ],
)
@pytest.mark.parametrize("length", [b"", b"l: 4\r\n"])
def test_limits(limits: Limits, status: int, length: bytes) -> None:
    assert refused(OPTIONS + length + b"\r\nbody", limits).status == status


def test_too_long_a_first_line() -> None:
    error = refused(b"OPTIONS sip:" + b"a" * 9000 + b"@d SIP/2.0\r\n" + FIELDS + b"\r\n")
    assert error.status == 414
    assert error.message is not None


@pytest.mark.parametrize(
    "field",
    [
        b"CSeq: " + b"1" * 8000 + b" OPTIONS",
        b"CSeq: 1 " + b"A" * 8000,
        b"Via: SIP/2.0/UDP a;branch=" + b"x" * 8000,
        b"From: <sip:a@b>;tag=" + b"x" * 8000,
        b'To: "' + b"\\x" * 4000 + b'" <sip:c@d>',
        b"Contact: <sip:" + b"a" * 8000 + b"@b>",
        b"Contact: " + b"<sip:a@b>," * 800 + b"<sip:a@b>",
        b"Via: " + b"SIP/2.0/UDP a," * 500 + b"SIP/2.0/UDP a",
        b"From: <sip:a@b>" + b";" * 8000,
        b"From: " + b'"' * 8000,
        b"From: " + b"<" * 8000,
        b"Contact: " + b" " * 8000 + b"<",
    ],
)
def test_long_values_are_read_or_refused(field: bytes) -> None:
    data = b"OPTIONS sip:c@d SIP/2.0\r\n" + field + b"\r\n" + FIELDS + b"\r\n"
    error = refusal(data)
    assert error is None or error.status == 400


@pytest.mark.parametrize("name", [b"Accept", b"Via", b"Contact", b"X-Unknown"])
def test_hundreds_of_fields(name: bytes) -> None:
    value = {b"Via": b"SIP/2.0/UDP a", b"Contact": b"<sip:a@b>"}.get(name, b"x")
    line = name + b": " + value + b"\r\n"
    assert len(parse_message(OPTIONS + line * 251 + b"\r\n").headers) == 256
    error = refused(OPTIONS + line * 252 + b"\r\n")
    assert error.status == 513
    assert error.message is not None
    assert len(error.message.headers) == 256


def flow_messages() -> list[tuple[str, bytes]]:
    folder = corpus("flows")
    with (folder / "MANIFEST.csv").open(encoding="utf-8") as manifest:
        names = [
            row["file"]
            for row in csv.DictReader(manifest)
            if row["note"] == "ok" and row["file"].startswith("sip/")
        ]
    # In some the heading of the next message was cut out along with the last line.
    heading = re.compile(rb"^(Content-Length: *[0-9]+)(?:\r\n [^\r]*)+", re.MULTILINE)
    return [(name, heading.sub(rb"\1", (folder / name).read_bytes())) for name in names]


def test_flows_of_the_rfcs_round_trip() -> None:
    messages = flow_messages()
    assert len(messages) > 500
    for name, data in messages:
        message = parse_message(data)
        assert parse_message(message.render()) == message, name


def test_most_flows_of_the_rfcs_pass_the_checks() -> None:
    # The rest lacks Via, From or To, or was folded inside a URI, for the sake of print.
    refused = [name for name, data in flow_messages() if refusal(data)]
    assert len(refused) <= 40


def samples() -> list[Path]:
    folders = (corpus("traces") / "pcap-messages", corpus("traces") / "fuzz-seeds" / "sipgo")
    return [path for folder in folders for path in sorted(folder.iterdir())]


def test_captured_messages_and_fuzz_finds() -> None:
    parsed = 0
    for path in samples():
        try:
            message = parse_message(path.read_bytes())
        except MalformedMessage:
            continue
        assert parse_message(message.render()).render() == message.render(), path.name
        parsed += 1
    assert parsed > 15


def mutations(data: bytes) -> st.SearchStrategy[bytes]:
    junk = st.sampled_from([b"", b"\r\n", b"\0", b'"', b"<", b";", b",", b":", b" ", b"\xff", b"%"])
    cut = st.integers(0, len(data))

    def replace(start: int, end: int, octets: bytes) -> bytes:
        return data[: min(start, end)] + octets + data[max(start, end) :]

    return st.builds(replace, cut, cut, junk)


BASE = OPTIONS + b'Contact: "a" <sip:a@[2001:db8::1]:5;x=%41?y=z>;q=1\r\nl: 2\r\n\r\nhi'


@settings(max_examples=500)
@given(st.binary() | mutations(BASE))
def test_only_malformed_message_can_come_out(data: bytes) -> None:
    error = refusal(data)
    if error is None:
        rendered = parse_message(data).render()
        again = parse_message(rendered)
        check_message(again)
        assert again.render() == rendered
    elif error.message is not None:
        parse_message(Response.to_request(error.message, error.status, to_tag="t").render())


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n")),
    st.text(min_size=1),
    st.binary(max_size=100),
)
def test_rendered_requests_parse(name: str, user: str, body: bytes) -> None:
    address = NameAddr(SipURI("sip", user, None, "example.com"), name, {"tag": "t"})
    request = make_request(
        "MESSAGE", address.uri, address, address, "id", 1,
        headers=[("Via", "SIP/2.0/TCP a;branch=z9hG4bKx")], body=body, content_type="text/plain",
    )  # fmt: skip
    parsed = parse_message(request.render())
    check_message(parsed)
    assert isinstance(parsed, Request)
    assert parsed.uri == request.uri
    assert parsed.from_ == address
    assert parsed.body == body


def test_malformed_uri_is_kept_as_text() -> None:
    error = refused(b"OPTIONS <x> SIP/2.0\r\n" + FIELDS + b"\r\n")
    assert error.message is not None
    assert error.message.uri == OtherURI("", "<x>")
