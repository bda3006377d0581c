"""Is this a request that we take? The checks of RFC 3261 section 8.2, in its order.

Each check raises RemoteProtocolError with the status and header fields to answer with. The first
one, who asks at all, is `Admit`, which the core is given. Between `check_method_and_uri` and
`check_content` the core looks for the dialog, or for a request that came twice
(8.2.2.2).
"""

from collections.abc import Callable, Sequence

from sylk.errors import RemoteProtocolError
from sylk.sip.asserted_identity import Identity
from sylk.sip.body_parts import is_multipart, take_parts
from sylk.sip.capabilities import Capabilities
from sylk.sip.flow import Flow
from sylk.sip.grammar import parse_params
from sylk.sip.message import Request
from sylk.sip.replaces import read_reference
from sylk.sip.uri import SipURI
from sylk.sip.via import MAGIC_COOKIE

# What a user agent can be expected to have heard of: 405 for these, 501 for others.
_REQUIRED_METHODS = ("INVITE", "ACK", "OPTIONS", "BYE", "CANCEL", "REGISTER")  # RFC 3261
_LATER_METHODS = (
    *("PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH"),
    *("INFO", "REFER", "MESSAGE", "UPDATE"),
)
# Their body describes the session, or early media (RFC 3959), which we do not know.
_DESCRIBING_METHODS = ("INVITE", "UPDATE")
KNOWN_METHODS = frozenset(_REQUIRED_METHODS + _LATER_METHODS)
Admit = Callable[[Request, Flow, float], Identity | None]
"""Tells who sent a request outside of a dialog, at a time; raises RemoteProtocolError to refuse it.

It is not asked about ACK, which gets no answer, and CANCEL, which nobody can be challenged for.
"""

Screen = Callable[[Request], None]
"""Raises RemoteProtocolError to refuse a request outside of a dialog that passed all checks.

It is asked before there is a transaction, so that of what it refuses nothing is kept or repeated.
"""

RECIPIENT_LIST_INVITE = "recipient-list-invite"
"""The option tag of an INVITE with a list of people to be called (RFC 5366)."""

# How many bad extensions a 420 lists, so that the answer to a long list stays short.
MAX_UNSUPPORTED_LISTED = 16


def check_method_and_uri(request: Request, flow: Flow, capabilities: Capabilities) -> None:
    """Refuse methods, schemes and transports that we do not serve (8.2.1, 8.2.2.1).

    A Replaces or Join that makes no sense is refused too (RFC 3891 section 3, RFC 3911 section 4).
    """
    if request.method not in capabilities.methods:
        known = request.method in KNOWN_METHODS
        raise RemoteProtocolError(
            f"method {request.method[:32]!r} is not served",
            405 if known else 501,
            [capabilities.allow_header],
        )
    if not isinstance(request.uri, SipURI):
        raise RemoteProtocolError("not a SIP URI", 416)
    if request.uri.is_secure and not flow.secure:
        # RFC 5630 section 5.2: what is addressed with sips has to come over TLS.
        host = f"[{flow.local[0]}]" if ":" in flow.local[0] else flow.local[0]
        raise RemoteProtocolError(
            "a sips URI without TLS", 480, [("Warning", f'380 {host} "SIPS Not Allowed"')]
        )
    read_reference(request)


def check_content(request: Request, capabilities: Capabilities) -> None:
    """Refuse extensions and bodies that we do not know (8.2.2.3, 8.2.3).

    An INVITE that is to open a dialog is refused if it lacks what that takes.
    """
    headers = request.headers
    if "Require" in headers:
        known = capabilities.supported
        if request.to.tag is not None:
            # RFC 5366 section 5.1: it has no meaning in a call that stands.
            known -= {RECIPIENT_LIST_INVITE}
        unsupported = [tag for tag in request.require if tag not in known]
        if unsupported:
            listed = ", ".join(unsupported[:MAX_UNSUPPORTED_LISTED])
            raise RemoteProtocolError("bad extension", 420, [("Unsupported", listed)])
    if request.body:
        _check_body(request, capabilities)
    if request.method == "INVITE" and "Accept" in headers:
        _check_accept(request, capabilities)
    if request.method == "INVITE" and request.to.tag is None:
        _check_contact(request)


def _check_contact(request: Request) -> None:
    """Refuse an INVITE that can open no dialog, as it has no usable Contact (8.1.1.8, 12.1.1).

    A client of RFC 2543 needed none (RFC 4475 section 3.4.1): what it asks for is looked at first.
    """
    contact = request.contact
    if contact is None and not (request.top_via.branch or "").startswith(MAGIC_COOKIE):
        return
    if contact is None or not isinstance(contact.uri, SipURI):
        raise RemoteProtocolError("an INVITE needs a Contact with a SIP URI")


def _check_body(request: Request, capabilities: Capabilities) -> None:
    """Refuse a body that nobody here reads, or take it away if it is optional (20.11)."""
    types = capabilities.accept.get(request.method)
    if types is None:
        return
    try:
        _check_disposition(request)
        if request.method in _DESCRIBING_METHODS and is_multipart(request):
            _check_encoding(request)
            _take_parts(request, types, capabilities)
        else:
            _check_type(request, types, capabilities)
    except RemoteProtocolError:
        if not _is_optional(request):
            raise
        request.body = b""


def _check_disposition(request: Request) -> None:
    """Refuse a body that is for something else than the session, where that is all we read."""
    disposition = request.headers.get("Content-Disposition")
    kind = "session" if disposition is None else _media_type(disposition)
    if request.method in _DESCRIBING_METHODS and kind != "session":
        raise RemoteProtocolError(f"no body for {kind[:64]!r} here", 415)


def _take_parts(request: Request, types: Sequence[str], capabilities: Capabilities) -> None:
    # A list of people has a meaning in a new call alone (RFC 5366 section 5.1).
    is_new = request.method == "INVITE" and request.to.tag is None
    lists = is_new and RECIPIENT_LIST_INVITE in capabilities.supported
    try:
        take_parts(request, types, lists=lists)
    except RemoteProtocolError as error:
        known = [capabilities.accept_header_of(request.method)] if error.status == 415 else []
        raise RemoteProtocolError(str(error), error.status, known) from None


def _check_encoding(request: Request) -> None:
    encodings = [encoding.lower() for encoding in request.headers.values("Content-Encoding")]
    if any(encoding != "identity" for encoding in encodings):
        raise RemoteProtocolError("the body is encoded", 415, [("Accept-Encoding", "identity")])


def _check_type(request: Request, types: Sequence[str], capabilities: Capabilities) -> None:
    _check_encoding(request)
    media = _media_type(request.content_type or "")
    if not any(_media_matches(media, pattern) for pattern in types):
        raise RemoteProtocolError(
            f"no body of type {media[:64]!r} here",
            415,
            [capabilities.accept_header_of(request.method)],
        )


def _check_accept(request: Request, capabilities: Capabilities) -> None:
    """Refuse a caller that does not read what we would answer with (RFC 3261 section 21.4.7)."""
    types = capabilities.accept.get("INVITE")
    if not types:
        return
    accepted = [_media_type(value) for value in request.headers.values("Accept")]
    for pattern in accepted:
        if pattern == "*/*" or any(_media_matches(media, pattern) for media in types):
            return
    raise RemoteProtocolError(
        "the caller does not accept our answer", 406, [capabilities.accept_header_of("INVITE")]
    )


def _is_optional(request: Request) -> bool:
    disposition = request.headers.get("Content-Disposition")
    if disposition is None or ";" not in disposition:
        return False
    params = parse_params(disposition[disposition.index(";") :])
    return (params.get("handling") or "").lower() == "optional"


def _media_type(value: str) -> str:
    return "".join(value.partition(";")[0].split()).lower()


def _media_matches(media: str, pattern: str) -> bool:
    if pattern.endswith("/*"):
        return media.startswith(pattern[:-1])
    return pattern == "*" or media == pattern
