"""Bodies of several parts: one describes the session, another may name people to be called.

RFC 5621 wants every user agent to read multipart bodies; RFC 5366 puts a list of people beside the
session description of an INVITE. What describes the session takes the place of the whole body, so
that offer and answer need not know in what it came; a list stays with the request, for whoever
makes the conference. Of all else a part is either optional, and passed over, or must be understood
(section 20.11 of RFC 3261), and then the request is refused with 415.
"""

from collections.abc import Sequence

from sylk.errors import RemoteProtocolError
from sylk.payload.content_type import ContentType, matches_any
from sylk.payload.multipart import BodyPart, Multipart
from sylk.sip.message import Message, Request

RECIPIENT_LIST = "recipient-list"
SESSION_TYPES = ("application/sdp",)

_MULTIPART = "multipart/"
_ALTERNATIVE = "alternative"
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary", "identity")


def is_multipart(message: Message) -> bool:
    """Tell whether a message has a body of several parts."""
    return bool(message.body) and (message.content_type or "").lower().startswith(_MULTIPART)


def take_parts(request: Request, types: Sequence[str], *, lists: bool) -> None:
    """Put the description of the session in the place of the body, and a list into `parts`.

    `types` are those of the description; there may be none. `lists` tells whether a list of people
    has a meaning here. Raises RemoteProtocolError: 400 for what cannot be read, 415 for a part that
    must be understood and is not.
    """
    reader = _Reader(types, lists=lists)
    body = Multipart.parse(request.body, request.content_type or "")
    reader.read(body.parts, body.subtype)
    request.body, request.parts = reader.session or b"", tuple(reader.kept)


def take_session(message: Message) -> None:
    """Put the description of the session in the place of the body of an ACK or response.

    What cannot be read is left as it is: neither is answered, and offer and answer see to it.
    """
    if not is_multipart(message):
        return
    try:
        parts = Multipart.parse(message.body, message.content_type or "").leaves()
    except RemoteProtocolError:
        return
    message.body = next(
        (part.content for part in parts if matches_any(part.content_type, SESSION_TYPES)), b""
    )


class _Reader:
    """Reads the parts of one body; what it finds stays when a part is refused."""

    def __init__(self, types: Sequence[str], *, lists: bool) -> None:
        self.session: bytes | None = None
        self.kept: list[BodyPart] = []
        self._types = types
        self._lists = lists

    def read(self, parts: Sequence[BodyPart], subtype: str) -> None:
        if subtype == _ALTERNATIVE:
            self._read_alternative(parts)
            return
        for part in parts:
            try:
                self._take(part)
            except RemoteProtocolError:
                if not part.optional:
                    raise

    def _read_alternative(self, parts: Sequence[BodyPart]) -> None:
        """Take the last part that can be taken: it is the best (RFC 2046 section 5.1.4)."""
        for part in reversed(parts):
            try:
                self._take(part)
            except RemoteProtocolError:
                continue
            return
        raise RemoteProtocolError("none of the alternatives is known here", 415)

    def _take(self, part: BodyPart) -> None:
        if part.parts:
            self.read(part.parts, ContentType.parse(part.content_type).subtype)
            return
        encoding = (part.header("Content-Transfer-Encoding") or "").strip().lower()
        if encoding not in _PLAIN_ENCODINGS or part.header("Content-Encoding"):
            raise RemoteProtocolError("a part of the body is encoded", 415)
        is_session = matches_any(part.content_type, self._types)
        purpose = part.disposition or ("session" if is_session else "render")
        if purpose == "session" and is_session and self.session is None:
            self.session = part.content
        elif purpose == RECIPIENT_LIST and self._lists:
            self.kept.append(part)
        else:
            raise RemoteProtocolError(f"no body part for {purpose[:64]!r} here", 415)
