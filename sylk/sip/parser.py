"""One whole message from octets: what a datagram holds (RFC 3261 sections 7 and 18.3).

Only the frame and the first line are judged here; header fields stay text until they are
read. `sylk.sip.checks` says whether they are fit to be acted upon.
"""

import re
from collections.abc import Sequence

from sylk.errors import RemoteProtocolError
from sylk.sip.grammar import is_token
from sylk.sip.head import DEFAULT_LIMITS as DEFAULT_LIMITS
from sylk.sip.head import Head, content_length, split_head
from sylk.sip.head import Limits as Limits
from sylk.sip.message import Request, Response
from sylk.sip.uri import OtherURI, SipURI, parse_uri

_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"SIP/([0-9]++)\.([0-9]++)", re.IGNORECASE)


class MalformedMessage(RemoteProtocolError):
    """A message that cannot be acted upon.

    `message` is the request as far as it could be read, so that it can be answered with
    `status`; None means: drop it, it was a response or nothing like SIP. `framing_lost` tells
    that the end of the message is unknown: a stream has to be closed.
    """

    def __init__(
        self,
        text: str,
        status: int = 400,
        headers: Sequence[tuple[str, str]] = (),
        *,
        message: Request | None = None,
        framing_lost: bool = False,
    ) -> None:
        super().__init__(text, status, headers)
        self.message = message
        self.framing_lost = framing_lost


def parse_message(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Request | Response:
    """Parse the datagram `data`; octets after Content-Length are dropped (section 18.3).

    CRLFs before the start line are skipped. Raises MalformedMessage.
    """
    data = data.lstrip(b"\r\n")
    head_end = data.find(b"\r\n\r\n")
    if head_end == -1:
        text = data[: limits.max_message].removesuffix(b"\r\n")
        head = split_head(text, limits)
        raise malformed(head, RemoteProtocolError("no empty line after the header fields"))
    head = split_head(data[: min(head_end, limits.max_message)], limits)
    if len(data) > limits.max_message:
        raise malformed(head, RemoteProtocolError("message too large", 513))
    body = data[head_end + 4 :]
    try:
        length = content_length(head.headers, limits)
    except RemoteProtocolError as error:
        raise malformed(head, error) from None
    if length is None:
        length = len(body)
        if length > limits.max_body:
            raise malformed(head, RemoteProtocolError("body too large", 413))
    if length > len(body):
        raise malformed(head, RemoteProtocolError("body shorter than Content-Length"))
    return build_message(head, body[:length], limits)


def build_message(head: Head, body: bytes, limits: Limits = DEFAULT_LIMITS) -> Request | Response:
    """Put a message together from its parts. Raises MalformedMessage for a bad `head`."""
    line = head.start_line
    if head.problem is not None:
        raise malformed(head, head.problem)
    if len(line) > limits.max_header_line:
        raise malformed(head, RemoteProtocolError("first line too long", 414))
    if line[:4].upper() == "SIP/":
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise malformed(head, RemoteProtocolError("malformed status line"))
        return Response(int(match[1]), match[2] or "", head.headers, body)
    method, uri, version = _split_request_line(line)
    if version != "SIP/2.0":
        _check_version(head, version)
    if not is_token(method):
        raise malformed(head, RemoteProtocolError("malformed method"))
    try:
        return Request(method, parse_uri(uri), head.headers, body)
    except RemoteProtocolError as error:
        raise malformed(head, error) from None


def malformed(
    head: Head, error: RemoteProtocolError, *, framing_lost: bool = False
) -> MalformedMessage:
    """Return `error` together with the request that it is about, if it is one."""
    method, uri, version = _split_request_line(head.start_line.rstrip(" \t"))
    request = None
    if is_token(method) and _VERSION.fullmatch(version):
        request = Request(method, _uri_or_text(uri), head.headers)
    return MalformedMessage(
        str(error), error.status, error.headers, message=request, framing_lost=framing_lost
    )


def _split_request_line(line: str) -> tuple[str, str, str]:
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    return method, uri, version


def _check_version(head: Head, version: str) -> None:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise malformed(head, RemoteProtocolError("malformed SIP version"))
    if (match[1], match[2]) != ("2", "0"):
        raise malformed(head, RemoteProtocolError("not SIP 2.0", 505))


def _uri_or_text(text: str) -> SipURI | OtherURI:
    try:
        return parse_uri(text)
    except RemoteProtocolError:
        return OtherURI("", text)
