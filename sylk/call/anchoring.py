"""Where the connection goes when a middlebox anchors the media: CEMA (RFC 6714).

A border controller that wants the media to pass through itself writes its own address into the
c= and m= lines, as it does for audio, and leaves `a=path` alone. Both sides that know CEMA say
`a=msrp-cema`; then whoever connects goes to the address of c= and m=, the *anchor*. The paths go on
naming the session, and only their session-ids are compared.

Theory. What follows depends on whether the peer knows CEMA, whether its anchor is the address of
its path (RFC 6714 section 4.4), whether we connect, and whether its path leads over relays.

    we answered (section 4.3)                           we do            we say msrp-cema
    peer says cema    we connect                        to the anchor    yes
    peer says cema    it connects, no relays            wait             yes
    peer says cema    it connects, by a relay           wait             no
    peer says none    anchor is the path, no relays     path, or wait    yes
    peer says none    anchor is the path, relays        path, or wait    no
    peer says none    anchor differs, we connect        refuse           -
    peer says none    anchor differs, it connects       wait             no

    we offered (section 4.2)                            we do
    peer says cema    we connect                        to the anchor
    peer says cema    it connects                       wait
    peer says none    anchor is the path, we connect    to the path
    peer says none    anchor is the path, it connects   wait
    peer says none    differs, we connect, no relays    to the anchor
    peer says none    differs, we connect, relays       offer anew without cema
    peer says none    differs, it connects              offer anew without cema

COMPAT: where the anchor differs and the offerer connects, section 4.3 refuses the call. Deployed
NAT helpers rewrite the c= line of any SDP, and the callers behind them connect to us and chat all
the same: such a call is taken. Nothing of ours depends on the anchor there.

We say nothing of CEMA, and go by paths alone, where our own path leads over a relay and where the
operator has switched it off. An anchor of 0.0.0.0 or `::`, or of port 9 (RFC 4145), is none.
"""

import ipaddress
from collections.abc import Collection, Mapping
from enum import Enum

from sylk.msrp.uri import DEFAULT_PORT, Path
from sylk.payload.sdp import MediaDescription, SessionDescription

CEMA = "msrp-cema"

Anchor = tuple[str, int]
"""Host and port of the c= and m= lines."""

Addresses = Mapping[str, Collection[str]]
"""Host names, in lower case, and the IP addresses that DNS has for them."""

NO_ADDRESSES: Addresses = {}

_DISCARD_PORT = 9


class Way(Enum):
    """How the connection comes to stand."""

    WAIT = "the peer connects"
    PATH = "we connect to the first URI of the path"
    ANCHOR = "we connect to the address of c= and m="
    NEW_OFFER = "we offer anew without CEMA"
    REFUSE = "the offer is refused"


_W = Way

# Keys: peer says cema, anchor matches the path, we connect, the peer's path has relays.
AS_ANSWERER: dict[tuple[bool, bool, bool, bool], tuple[Way, bool]] = {
    (True, True, True, False): (_W.ANCHOR, True),
    (True, True, True, True): (_W.ANCHOR, True),
    (True, True, False, False): (_W.WAIT, True),
    (True, True, False, True): (_W.WAIT, False),
    (True, False, True, False): (_W.ANCHOR, True),
    (True, False, True, True): (_W.ANCHOR, True),
    (True, False, False, False): (_W.WAIT, True),
    (True, False, False, True): (_W.WAIT, False),
    (False, True, True, False): (_W.PATH, True),
    (False, True, True, True): (_W.PATH, False),
    (False, True, False, False): (_W.WAIT, True),
    (False, True, False, True): (_W.WAIT, False),
    (False, False, True, False): (_W.REFUSE, False),
    (False, False, True, True): (_W.REFUSE, False),
    (False, False, False, False): (_W.WAIT, False),
    (False, False, False, True): (_W.WAIT, False),
}
"""How, and whether our answer says msrp-cema."""

AS_OFFERER: dict[tuple[bool, bool, bool, bool], Way] = {
    (True, True, True, False): _W.ANCHOR,
    (True, True, True, True): _W.ANCHOR,
    (True, True, False, False): _W.WAIT,
    (True, True, False, True): _W.WAIT,
    (True, False, True, False): _W.ANCHOR,
    (True, False, True, True): _W.ANCHOR,
    (True, False, False, False): _W.WAIT,
    (True, False, False, True): _W.WAIT,
    (False, True, True, False): _W.PATH,
    (False, True, True, True): _W.PATH,
    (False, True, False, False): _W.WAIT,
    (False, True, False, True): _W.WAIT,
    (False, False, True, False): _W.ANCHOR,
    (False, False, True, True): _W.NEW_OFFER,
    (False, False, False, False): _W.NEW_OFFER,
    (False, False, False, True): _W.NEW_OFFER,
}


def read_anchor(description: SessionDescription, media: MediaDescription) -> Anchor | None:
    """Return the address of the c= and m= lines, None when they tell none."""
    connection = description.connection_of(media)
    if connection is None or media.port == _DISCARD_PORT:
        return None
    host = connection.address.partition("/")[0].lower()
    address = _ip_address(host)
    if not host or (address is not None and address.is_unspecified):
        return None
    return host, media.port


def matches(anchor: Anchor | None, path: Path, addresses: Addresses = NO_ADDRESSES) -> bool:
    """Tell whether the anchor is the address of one URI of the path (RFC 6714 section 4.4).

    A name that `addresses` does not tell is taken to be the same: then the path counts.
    """
    if anchor is None:
        return True
    host, port = anchor
    return any(
        port == (uri.port or DEFAULT_PORT) and _same_host(host, uri.host.lower(), addresses)
        for uri in path
    )


def unresolved_names(anchor: Anchor | None, path: Path) -> list[str]:
    """Return the names whose addresses `matches` needs, none when the texts say enough."""
    if anchor is None or any(anchor[0] == uri.host.lower() for uri in path):
        return []
    hosts = dict.fromkeys([anchor[0], *(uri.host.lower() for uri in path)])
    return [host for host in hosts if _ip_address(host) is None]


def _same_host(one: str, other: str, addresses: Addresses) -> bool:
    if one == other:
        return True
    ours, theirs = _addresses_of(one, addresses), _addresses_of(other, addresses)
    return not ours or not theirs or not ours.isdisjoint(theirs)


def _addresses_of(
    host: str, addresses: Addresses
) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    texts = addresses.get(host, ()) if _ip_address(host) is None else (host,)
    return {address for text in texts if (address := _ip_address(text)) is not None}


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
