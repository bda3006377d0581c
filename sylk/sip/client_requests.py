"""The two requests that an INVITE client makes out of its INVITE: ACK and CANCEL.

Both travel the same hop as the INVITE: same top Via, same Route, same Request-URI.
"""

from collections.abc import Sequence

from sylk.sip.cseq import CSeq
from sylk.sip.headers import Headers
from sylk.sip.message import DEFAULT_MAX_FORWARDS, Request, Response


def make_ack(invite: Request, response: Response) -> Request:
    """Return the ACK for a response that is no 2xx (RFC 3261 section 17.1.1.3)."""
    return _same_hop(invite, "ACK", response.headers.get("To"))


def make_cancel(invite: Request, headers: Sequence[tuple[str, str]] = ()) -> Request:
    """Return the CANCEL for an INVITE (RFC 3261 section 9.1), with a Reason perhaps."""
    cancel = _same_hop(invite, "CANCEL", invite.headers.get("To"))
    for name, value in headers:
        cancel.headers.add(name, value)
    return cancel


def _same_hop(invite: Request, method: str, to: str | None) -> Request:
    headers = Headers([("Via", str(invite.top_via))])
    headers.add("Max-Forwards", str(DEFAULT_MAX_FORWARDS))
    for name, value in (("From", invite.headers.get("From")), ("To", to)):
        headers.add(name, value or "")
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", str(CSeq(invite.cseq.number, method)))
    for route in invite.headers.lines("Route"):
        headers.add("Route", route)
    user_agent = invite.headers.get("User-Agent")
    if user_agent is not None:
        headers.add("User-Agent", user_agent)
    return Request(method, invite.uri, headers)
