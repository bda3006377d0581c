"""Answers that leave nothing behind (RFC 3261 section 8.2.7).

The same request has to get the same answer each time, the To tag included, although nobody
remembers the first one. So the tag is a keyed hash of what every retransmission repeats: nobody
else can tell which tag a request will get.
"""

from hashlib import blake2b

from sylk.errors import RemoteProtocolError
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.response_routing import reply_flow, stamp_source

TAG_BYTES = 8
_IDENTITY = ("From", "To", "Call-ID", "CSeq")


class StatelessAnswers:
    """Makes answers without a transaction; `secret` is what the tags depend on."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()[: blake2b.MAX_KEY_SIZE]

    def tag(self, request: Request) -> str:
        """Return the To tag for every answer to this request."""
        identity = "\n".join(request.headers.get(name) or "" for name in _IDENTITY)
        data = identity.encode("utf-8", "surrogateescape")
        return blake2b(data, key=self._key, digest_size=TAG_BYTES).hexdigest()

    def refusal(self, request: Request, error: RemoteProtocolError) -> Response:
        """Return the answer to a request that we refuse."""
        return Response.to_request(
            request, error.status, to_tag=self.tag(request), headers=error.headers
        )


def stamp_malformed(request: Request, flow: Flow) -> Flow | None:
    """Prepare a malformed request to be answered; return where to, None if it cannot be.

    Without Via nobody can find the transaction of our answer. ACK is never answered.
    """
    if request.method == "ACK" or not request.headers.get("Via"):
        return None
    try:
        stamp_source(request, flow)
        return reply_flow(request, flow)
    except RemoteProtocolError:
        return flow
