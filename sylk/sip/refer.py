"""What a REFER asks for: whom to contact and how, and whether to tell of it.

RFC 3515, with Referred-By (RFC 3892), Refer-Sub (RFC 4488) and `nosub` (RFC 7614).

Nothing that is read here is acted upon. The target may be of any scheme, a `tel:` or a web page:
whether to go there is for the user to decide. Of the header fields that a Refer-To can embed only
Replaces is handed on; any other would let a stranger write our requests (RFC 3261 section 19.1.5).
"""

import re
from dataclasses import dataclass, replace

from sylk.errors import RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.grammar import FORBIDDEN_IN_LINE, is_token
from sylk.sip.message import Request
from sylk.sip.uri import OtherURI, SipURI

DEFAULT_METHOD = "INVITE"
MAX_METHOD = 32  # characters of the method; a longer one is refused with 400
MAX_EMBEDDED_HEADERS = 16  # header fields in the Refer-To URI; more are refused with 400
MAX_EMBEDDED_SIZE = 4096  # characters of their names and values together; more are refused with 400

# `user@host` and no scheme before it, perhaps in brackets.
_NO_SCHEME = re.compile(r"[ \t]*+[^:<>@ \t]++@")


@dataclass(slots=True)
class Refer:
    """A REFER in short; `target` is without the method and header fields that came inside it.

    `replaces` is the value of the Replaces that the request to the target has to carry (RFC 3891).
    """

    target: SipURI | OtherURI
    method: str = DEFAULT_METHOD
    wants_subscription: bool = True
    referred_by: NameAddr | None = None
    replaces: str | None = None


def parse_refer(request: Request) -> Refer:
    """Return what a REFER asks for.

    Raises RemoteProtocolError (400) unless there is exactly one Refer-To, and for one that cannot
    be read, that holds too much, or that names two different methods.
    """
    values = request.headers.values("Refer-To")
    if len(values) != 1:
        raise RemoteProtocolError(f"{len(values)} Refer-To values where there must be one")
    address = _parse_target(values[0])
    referred_by = request.headers.get("Referred-By")
    refer = Refer(
        address.uri,
        _method_of(address),
        _wants_subscription(request),
        NameAddr.parse(referred_by) if referred_by is not None else None,
    )
    if isinstance(address.uri, SipURI):
        refer.replaces = _replaces_of(address.uri)
        params = {name: value for name, value in address.uri.params.items() if name != "method"}
        refer.target = replace(address.uri, params=params, headers=())
    return refer


def _parse_target(text: str) -> NameAddr:
    start = text.rfind("<") + 1
    if _NO_SCHEME.match(text, start):
        # COMPAT: users type user@host, and some clients send it like that.
        text = f"{text[:start]}sip:{text[start:].lstrip(' ')}"
    return NameAddr.parse(text)


def _method_of(address: NameAddr) -> str:
    """Return the method, which stands in the URI (RFC 3515) or behind it, as clients write it."""
    places = [address.params]
    if isinstance(address.uri, SipURI):
        places.append(address.uri.params)
    named = {(params["method"] or "").upper() for params in places if "method" in params}
    if len(named) > 1:
        raise RemoteProtocolError("Refer-To names two different methods")
    (method,) = named or {DEFAULT_METHOD}
    if not is_token(method) or len(method) > MAX_METHOD:
        raise RemoteProtocolError("Refer-To with a malformed method")
    return method


def _replaces_of(uri: SipURI) -> str | None:
    if len(uri.headers) > MAX_EMBEDDED_HEADERS:
        raise RemoteProtocolError("too many header fields in Refer-To")
    if sum(len(name) + len(value) for name, value in uri.headers) > MAX_EMBEDDED_SIZE:
        raise RemoteProtocolError("the header fields in Refer-To are too large")
    if not all(is_token(name) for name, _ in uri.headers if name != "body"):
        raise RemoteProtocolError("malformed header field name in Refer-To")
    found = [value for name, value in uri.headers if name.lower() == "replaces"]
    if len(found) > 1:
        raise RemoteProtocolError("more than one Replaces in Refer-To")
    if not found:
        return None
    if not found[0] or FORBIDDEN_IN_LINE.search(found[0]):
        raise RemoteProtocolError("malformed Replaces in Refer-To")
    return found[0]


def _wants_subscription(request: Request) -> bool:
    """Tell whether NOTIFYs are to follow: the default, unless it is taken back in one of two ways.

    RFC 7614: with `explicitsub` they would belong to another subscription.
    """
    if {"nosub", "explicitsub"} & set(request.require):
        return False
    value = request.headers.get("Refer-Sub") or ""
    return value.partition(";")[0].strip(" \t").lower() != "false"
