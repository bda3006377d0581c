"""Whether a message that could be framed is fit to be acted upon.

RFC 3261 section 8.1.1 says what is mandatory, 7.3.1 what may come once only, 20 what each
value looks like; RFC 4475 shows what goes wrong. What needs knowledge of methods, schemes,
extensions or dialogs is left to the core.
"""

from sylk.errors import RemoteProtocolError
from sylk.sip.message import Message, Request, Response
from sylk.sip.parser import MalformedMessage
from sylk.sip.uri import SipURI
from sylk.sip.via import MAGIC_COOKIE

_ONLY_ONCE = frozenset(
    {
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Max-Forwards",
        "Content-Length",
        "Content-Type",
        "Content-Disposition",
        "Expires",
        "Event",
        "Subscription-State",
        "Refer-To",
        "Referred-By",
        "Refer-Sub",
        "Replaces",
        "Session-Expires",
        "Min-SE",
        "RSeq",
        "RAck",
    }
)


def check_message(message: Request | Response) -> None:
    """Raise MalformedMessage if a core could not handle `message` or answer it rightly."""
    try:
        _check_fields(message)
        if isinstance(message, Request):
            _check_request(message)
    except RemoteProtocolError as error:
        request = message if isinstance(message, Request) else None
        raise MalformedMessage(str(error), error.status, error.headers, message=request) from None


def _check_fields(message: Message) -> None:
    repeated = _ONLY_ONCE.intersection(message.headers.repeated_names())
    if repeated:
        raise RemoteProtocolError(f"more than one {min(repeated)} header field")
    # Reading a value is checking it; each raises if it is missing or malformed.
    _ = message.from_, message.to, message.call_id, message.cseq, message.top_via
    _ = message.contacts, message.routes, message.record_routes
    _ = message.max_forwards, message.expires


def _check_request(request: Request) -> None:
    if request.cseq.method != request.method:
        raise RemoteProtocolError("CSeq is for another method")
    if isinstance(request.uri, SipURI) and request.uri.headers:
        raise RemoteProtocolError("header fields in the Request-URI")
    if request.top_via.branch == MAGIC_COOKIE:
        raise RemoteProtocolError("the branch is nothing but the magic cookie")
    if request.body and not request.content_type:
        raise RemoteProtocolError("a body without Content-Type")
    if request.headers.get("Contact") == "*" and request.method != "REGISTER":
        raise RemoteProtocolError("a Contact of * outside REGISTER")
