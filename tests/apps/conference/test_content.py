"""What may be said in a room."""

import pytest
from sylk_conference.content import Refusal, check_content

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import CpimMessage, split_envelope
from tests.apps.conference.test_room import compose, post, room_with


@pytest.mark.parametrize(
    ("content_type", "content", "status"),
    [
        ("text/plain", b"hi", None),
        ("TEXT/Plain", b"hi", None),
        ("text/html; charset=UTF-8", "ü".encode(), None),
        ('text/plain; charset="utf8"', "ü".encode(), None),
        ("text/plain; charset=us-ascii", b"hi", None),
        ("text/plain; charset=iso-8859-1", b"hi", None),
        ("text/plain; charset=us-ascii", "ü".encode(), 415),
        ("text/plain; charset=utf-16", b"hi", 415),
        ("text/plain; charset=klingon", b"hi", 415),
        ("text/plain; charset=klingon; charset=utf-8", b"hi", 415),
        ("text/plain", b"\xff", 415),
        ("image/png", b"iVBORw0KGgo=", None),
        ("image/png", b"\x89PNG\r\n", 415),
        ("application/im-iscomposing+xml", b"<isComposing/>", None),
        ("message/imdn+xml", b"<imdn/>", None),
        ("application/octet-stream", b"", None),
        ("x", b"", 400),
    ],
)
def test_content_that_ends_the_session_of_deployed_clients_is_refused(
    content_type: str, content: bytes, status: int | None
) -> None:
    room, (alice,) = room_with("alice")
    body = compose("<sip:alice@example.com>", [], content, content_type)
    if status is None:
        assert CpimMessage.parse(post(room, alice, body).body).content == content
        return
    with pytest.raises(RemoteProtocolError) as caught:
        post(room, alice, body)
    assert caught.value.status == status
    # Deployed clients know refusals of the content only as a REPORT; a mere 400 becomes one too.
    assert not isinstance(caught.value, Refusal) or caught.value.as_report


@pytest.mark.parametrize(
    ("types", "content_type", "status"),
    [
        (("text/*",), "text/html", None),
        (("text/*",), "TEXT/Plain; charset=utf-8", None),
        (("text/plain", "image/*"), "image/png", None),
        (("text/plain",), "text/html", 413),
        (("text/*",), "application/octet-stream", 413),
        ((), "text/plain", 413),
    ],
)
def test_a_room_says_which_types_it_takes(
    types: tuple[str, ...], content_type: str, status: int | None
) -> None:
    body = compose("<sip:alice@example.com>", [], b"x", content_type)
    end = split_envelope(body).header_end
    if status is None:
        assert check_content(body, end, types, whole=True).decode() == content_type
        return
    with pytest.raises(Refusal) as caught:
        check_content(body, end, types, whole=True)
    assert caught.value.status == status
