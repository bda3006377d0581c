"""Bodies of several parts: which one describes the session, and what must be understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.body_parts import SESSION_TYPES, is_multipart, take_parts, take_session
from sylk.sip.headers import Headers
from sylk.sip.message import Request, Response
from sylk.sip.uri import SipURI

MIXED = "multipart/mixed;boundary=b"
SDP = "application/sdp"
LIST = "application/resource-lists+xml"


def part(body: bytes, content_type: str = "", *lines: str) -> bytes:
    kind = [f"Content-Type: {content_type}"] if content_type else []
    return "\r\n".join(["--b", *kind, *lines, "", ""]).encode() + body + b"\r\n"


def request_with(*parts: bytes, content_type: str = MIXED) -> Request:
    headers = Headers()
    headers.add("Content-Type", content_type)
    body = b"".join([*parts, b"--b--\r\n"])
    return Request("INVITE", SipURI.parse("sip:lobby@example.com"), headers, body)


def taken(*parts: bytes, lists: bool = False, content_type: str = MIXED) -> tuple[bytes, list[str]]:
    request = request_with(*parts, content_type=content_type)
    assert is_multipart(request)
    take_parts(request, SESSION_TYPES, lists=lists)
    return request.body, [one.disposition for one in request.parts]


def test_the_description_takes_the_place_of_the_body() -> None:
    assert taken(part(b"v=0", SDP)) == (b"v=0", [])
    assert taken(part(b"v=0", SDP, "Content-Disposition: session")) == (b"v=0", [])
    assert taken(part(b"v=0", SDP, "Content-Transfer-Encoding: 8bit")) == (b"v=0", [])


def test_a_list_stays_with_the_request() -> None:
    people = part(b"<a/>", LIST, "Content-Disposition: recipient-list")
    assert taken(people, part(b"v=0", SDP), lists=True) == (b"v=0", ["recipient-list"])
    # Then the offer is left to us.
    assert taken(people, lists=True) == (b"", ["recipient-list"])


REFUSED = {
    "list where it has no meaning": part(b"<a/>", LIST, "Content-Disposition: recipient-list"),
    "something to be shown": part(b"<a>", "text/html"),
    "something without type": part(b"hello"),
    "another session": part(b"v=0", SDP),
    "early session": part(b"v=0", SDP, "Content-Disposition: early-session"),
    "encoded": part(b"dj0w", SDP, "Content-Transfer-Encoding: base64"),
    "packed": part(b"...", SDP, "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("other", REFUSED.values(), ids=REFUSED.keys())
def test_what_must_be_understood_and_is_not_is_refused(other: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        taken(part(b"v=0", SDP), other)
    assert refused.value.status == 415


@pytest.mark.parametrize("body", [b"hello", b"v=0"])
def test_what_is_optional_is_passed_over(body: bytes) -> None:
    icon = part(body, "image/gif", "Content-Disposition: icon;handling=optional")
    assert taken(icon, part(b"v=0", SDP)) == (b"v=0", [])


def test_of_alternatives_the_best_is_taken() -> None:
    alternatives = "multipart/alternative;boundary=b"
    parts = part(b"one", SDP), part(b"two", SDP), part(b"new", "application/sdpng")
    assert taken(*parts, content_type=alternatives) == (b"two", [])
    with pytest.raises(RemoteProtocolError) as refused:
        taken(part(b"new", "application/sdpng"), content_type=alternatives)
    assert refused.value.status == 415


def test_parts_may_hold_parts() -> None:
    inner = b"--c\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--c--"
    assert taken(part(inner, "multipart/related;boundary=c")) == (b"v=0", [])


@pytest.mark.parametrize("content_type", ["multipart/mixed", 'multipart/mixed;boundary=""'])
def test_what_cannot_be_read_is_refused(content_type: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        taken(part(b"v=0", SDP), content_type=content_type)
    assert refused.value.status == 400


@given(st.lists(st.sampled_from([*REFUSED.values(), part(b"v=0", SDP), b"--b\r\n", b"\r\n"])))
def test_any_parts_are_taken_or_refused(parts: list[bytes]) -> None:
    status, body, dispositions = 200, b"", list[str]()
    try:
        body, dispositions = taken(*parts, lists=True)
    except RemoteProtocolError as error:
        status = error.status
    assert status in (200, 400, 415)
    # A last part that is not closed keeps its line end.
    assert body.strip() in (b"", b"v=0")
    assert set(dispositions) <= {"recipient-list"}


def test_the_answer_may_come_in_parts_too() -> None:
    request = request_with(part(b"<a>", "text/html"), part(b"v=0", SDP))
    answer = Response(200, "OK", request.headers, request.body)
    take_session(answer)
    assert answer.body == b"v=0"


@pytest.mark.parametrize("content_type", ["multipart/mixed", SDP])
def test_an_answer_that_cannot_be_read_stays_as_it_is(content_type: str) -> None:
    request = request_with(part(b"v=0", SDP), content_type=content_type)
    answer = Response(200, "OK", request.headers, request.body)
    take_session(answer)
    assert answer.body == request.body
