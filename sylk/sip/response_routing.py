"""Where responses go (RFC 3261 section 18.2 and RFC 3581).

`maddr` in Via is not followed: it would let anybody aim our responses at a third party.
"""

from ipaddress import ip_address

from sylk.sip.flow import Flow
from sylk.sip.message import Request

DEFAULT_PORT = 5060


def stamp_source(request: Request, flow: Flow) -> None:
    """Write into the top Via where the request came from (18.2.1, RFC 3581 section 4).

    Raises RemoteProtocolError when the top Via is malformed.
    """
    via = request.top_via
    address, port = flow.remote
    if via.wants_rport:
        request.replace_top_via(via.with_received(address, port))
    elif not _same_address(via.host, address):
        request.replace_top_via(via.with_received(address))


def reply_flow(request: Request, flow: Flow) -> Flow:
    """Return the flow over which the responses to a request go (18.2.2, RFC 3581 section 4).

    Over UDP without rport they go to the port of sent-by, except when sent-by shows that there is
    a NAT in between, behind which that port means nothing. Raises RemoteProtocolError when the top
    Via is malformed.
    """
    if flow.reliable:
        return flow
    via = request.top_via
    if via.wants_rport or (via.port or DEFAULT_PORT) == flow.remote[1]:
        return flow
    if _is_address(via.host) and not _same_address(via.host, flow.remote[0]):
        return flow
    return Flow(flow.transport, flow.local, (flow.remote[0], via.port or DEFAULT_PORT))


def _same_address(host: str, address: str) -> bool:
    return host == address or (_is_address(host) and ip_address(host) == ip_address(address))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
