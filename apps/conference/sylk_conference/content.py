"""What may be said in a room: types and charsets that its clients survive. No I/O, no clock."""

from collections.abc import Sequence

from sylk.errors import RemoteProtocolError
from sylk.payload.content_type import ContentType
from sylk.payload.cpim_envelope import wrapped_content_type
from sylk_conference.commands import COMMAND_TYPE
from sylk_conference.policy import Denial

ANY_TYPE = ("*",)
"""The patterns of a room in which everything may be said that somebody can take."""

_UTF_8 = ("utf-8", "utf8")
_USUAL_TYPES = frozenset(
    (b"text/plain", b"text/plain; charset=utf-8", b'text/plain; charset="utf8"', b"text/html")
)
_LIKE_ASCII = ("us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252")

_UNWANTED = 413
_UNSUPPORTED = 415


class Refusal(RemoteProtocolError):
    """The room does not take a message; `as_report` tells that 200 comes first, then a REPORT.

    COMPAT: deployed clients know refusals of the content only as a REPORT.
    """

    def __init__(self, message: str, status: int, *, as_report: bool = False) -> None:
        super().__init__(message, status)
        self.as_report = as_report


def check_content(
    body: bytes, header_end: int, types: Sequence[str] = ANY_TYPE, *, whole: bool
) -> bytes:
    """Return the wrapped type of a message/cpim whose MIME headers begin at `header_end`.

    `types` are the patterns of what may be said. Of a message that is not `whole` only the
    beginning is here. Raises Refusal: 413 for a type that is not passed on, 415 for text that is
    not UTF-8; RemoteProtocolError (400) for what is no type.
    """
    content_type = wrapped_content_type(body, header_end)
    if content_type not in _USUAL_TYPES or types != ANY_TYPE:
        parsed = ContentType.parse(content_type.decode("utf-8", "replace"))
        if not parsed.matches(types) and not content_type.startswith(COMMAND_TYPE):
            raise Refusal(f"{parsed} is not passed on here", _UNWANTED, as_report=True)
    # COMPAT: content that is not UTF-8, or that its charset does not fit, ends the session of
    # deployed clients that get it.
    if whole:
        try:
            body.decode()
        except UnicodeDecodeError:
            raise Refusal("the body is not UTF-8", _UNSUPPORTED, as_report=True) from None
    if content_type not in _USUAL_TYPES and not _fits_charset(body, header_end, content_type):
        raise Refusal("the charset is not UTF-8", _UNSUPPORTED, as_report=True)
    return content_type


def _fits_charset(body: bytes, header_end: int, content_type: bytes) -> bool:
    """Tell whether the content, which is UTF-8, can be read in the charset that it names."""
    if b"charset" not in content_type.lower():
        return True
    parsed = ContentType.parse(content_type.decode("utf-8", "replace"))
    charset = (parsed.params.get("charset") or _UTF_8[0]).lower()
    return charset in _UTF_8 or (charset in _LIKE_ASCII and body[header_end:].isascii())


def check(denial: Denial | None) -> None:
    """Raise Refusal where the policy denies something."""
    if denial is not None:
        raise Refusal(denial.reason, denial.status)
