"""What may be said in a room."""

import pytest
from sylk_conference.content import Refusal

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import CpimMessage
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
        ("message/imdn+xml", b"<imdn/>", 413),
        ("application/octet-stream", b"", 413),
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
