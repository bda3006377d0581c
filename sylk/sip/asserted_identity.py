"""Who sent a request, as far as we know: claimed, proven, or asserted by a proxy (RFC 3325).

P-Asserted-Identity counts only when the peer that the request came from is trusted to assert; from
all others it is a claim like any, and is not read. P-Preferred-Identity is a wish that a client has
of its proxy, and is never read. One value may be a SIP URI and another a tel URI: the SIP one names
the person, because it can be called back by SIP; the tel one does where it stands alone.

Somebody who asks for privacy (RFC 3323) is named neither by the assertion, which his proxy was
told to keep from people like those in a room, nor by From, in which he might write the name of
anybody. He is shown as an anonymous address that stays the same for the same person as long as
the server runs, so that two of them can be told apart, answered, and shown the door.
"""

from dataclasses import dataclass
from hashlib import blake2b

from sylk.sip.address import NameAddr
from sylk.sip.headers import Headers
from sylk.sip.message import Request
from sylk.sip.uri import SipURI

# RFC 3325 9.1 has one or two values; a proxy that is trusted may err, not flood.
MAX_VALUES = 8

_ANONYMOUS_HOST = "anonymous.invalid"  # RFC 3323 section 4.1.1.3
_PSEUDONYM_BYTES = 6
_KEEPS_PRIVATE = frozenset({"id", "user", "header"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sent a request, for those that he speaks with.

    `source` is what limits count by; it is empty where none apply.
    """

    address: NameAddr
    source: str = ""


def asserted_address(headers: Headers) -> NameAddr | None:
    """Return who a trusted proxy says that it is; None if it says nothing that names anybody.

    Raises RemoteProtocolError for a malformed value.
    """
    values = [NameAddr.parse(value) for value in headers.values("P-Asserted-Identity")[:MAX_VALUES]]
    for value in values:
        if isinstance(value.uri, SipURI):
            return value
    for value in values:
        if str(value.uri).lower().startswith("tel:"):
            return value
    return None


def wants_privacy(headers: Headers) -> bool:
    """Tell whether the sender wants to be named to nobody (RFC 3323 section 4.2)."""
    asked = {word.strip().lower() for line in headers.lines("Privacy") for word in line.split(";")}
    return "none" not in asked and not asked.isdisjoint(_KEEPS_PRIVATE)


def identify_behind_proxy(request: Request, key: bytes) -> NameAddr:
    """Return who sent a request that came from a trusted proxy.

    `key` is a secret of at most 64 octets, by which nobody else can tell whose a pseudonym is.
    Raises RemoteProtocolError for a malformed assertion.
    """
    asserted = asserted_address(request.headers)
    if asserted is None:
        return request.from_
    return pseudonym_of(asserted, key) if wants_privacy(request.headers) else asserted


def pseudonym_of(address: NameAddr, key: bytes) -> NameAddr:
    """Return the anonymous address for somebody, always the same with the same key."""
    uri = address.uri
    name = str(uri.aor) if isinstance(uri, SipURI) else str(uri)
    data = name.encode("utf-8", "surrogatepass")
    digest = blake2b(data, key=key, digest_size=_PSEUDONYM_BYTES).hexdigest()
    return NameAddr(SipURI("sip", f"anonymous-{digest}", None, _ANONYMOUS_HOST), "Anonymous")
