"""The way to a peer: which transport, host and port a request goes to (RFC 3261 18.1.1, 18.2.2).

What is here needs no look-up: names are the business of `sylk.net.resolver`.
"""

from ipaddress import ip_address

from sylk.errors import RemoteProtocolError
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Address, Flow
from sylk.sip.message import Request
from sylk.sip.uri import OtherURI, SipURI

DEFAULT_PORT = 5060
DEFAULT_TLS_PORT = 5061


def transport_of(uri: SipURI, default: str = "udp") -> str:
    """Return the transport that `uri` asks for."""
    if uri.scheme == "sips":
        return "tls"
    return (uri.transport or default).lower()


def address_of(uri: SipURI | OtherURI, transport: str | None = None) -> Address:
    """Return host and port to send to over `transport`, or over that of the URI.

    Raises RemoteProtocolError (416) for another scheme.
    """
    if isinstance(uri, OtherURI):
        raise RemoteProtocolError(f"cannot send a request to a {uri.scheme} URI", 416)
    maddr = uri.params.get("maddr")
    secure = (transport or transport_of(uri)) == "tls"
    return maddr or uri.host, uri.port or (DEFAULT_TLS_PORT if secure else DEFAULT_PORT)


def came_through_nat(request: Request, flow: Flow) -> bool:
    """Tell whether the request's own Via names another place than the packet came from."""
    via = request.top_via
    host, port = flow.remote
    return (via.port or DEFAULT_PORT) != port or not _same_host(via.host, host)


def keeps_flow(dialog: Dialog, request: Request, flow: Flow, is_alive: bool) -> bool:
    """Tell whether a request in a dialog goes over the flow of the `request` that began it.

    A stream that stands is used again, towards the peer itself or the proxy that it came from
    (RFC 5923). Over UDP the Contact is believed, unless the peer sits behind a NAT: one that called
    us shows that by its Via, one that we called by a Contact that only its own network knows.
    """
    hop = dialog.next_hop
    if flow.reliable:
        return is_alive and (not dialog.route_set or hop.host == flow.remote[0])
    if dialog.route_set:
        return False
    return _is_private_to(hop.host, flow) if dialog.is_uac else came_through_nat(request, flow)


def _same_host(host: str, address: str) -> bool:
    """Tell whether `host` is `address`, of which IPv6 knows many spellings."""
    try:
        return ip_address(host) == ip_address(address)
    except ValueError:
        return False


def _is_private_to(host: str, flow: Flow) -> bool:
    """Tell whether `host` is an address of a private network that we reach from outside."""
    try:
        return ip_address(host).is_private and not ip_address(flow.remote[0]).is_private
    except ValueError:
        return False
