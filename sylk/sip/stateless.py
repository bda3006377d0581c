"""Answers that leave nothing behind (RFC 3261 section 8.2.7).

The same request has to get the same answer each time, the To tag included, although nobody
remembers the first one. So the tag is a keyed hash of what every retransmission repeats: nobody
else can tell which tag a request will get.

Over UDP such an answer goes to a source that nothing has proven: whoever writes the address of
somebody else into his packets has us send to that one. So it leaves out what it may, as far as it
would be longer than its request: who we are, in a 200 to OPTIONS what we support and read, and all
challenges but the last, which is the one that most clients know. What an answer cannot do without
stays: one challenge in a 401, Allow in a 405 and a 200, what a 420, 415, 480 or 503 is about, and
the tag and the source in Via. So the shortest requests get back more than they are: up to twice,
when the realm is as long as the request. How often that is done is bounded for each source
(`sylk.sip.source_limits`).
"""

from hashlib import blake2b
from string import ascii_lowercase

from sylk.errors import RemoteProtocolError
from sylk.sip.capabilities import Capabilities
from sylk.sip.flow import Flow
from sylk.sip.headers import canonical_name
from sylk.sip.message import Request, Response
from sylk.sip.response_routing import reply_flow, stamp_source

TAG_BYTES = 8
_IDENTITY = ("From", "To", "Call-ID", "CSeq")
_LINE = len(":\r\n")
_LAST_LINE = len("\r\n")
_SPARE = ("Server", "Supported")  # the first goes first
_COMPACT = frozenset(canonical_name(letter) for letter in ascii_lowercase)


class StatelessAnswers:
    """Makes answers without a transaction; `secret` is what the tags depend on."""

    def __init__(self, secret: str, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        self._key = secret.encode()[: blake2b.MAX_KEY_SIZE]

    def tag(self, request: Request) -> str:
        """Return the To tag for every answer to this request."""
        identity = "\n".join(request.headers.get(name) or "" for name in _IDENTITY)
        data = identity.encode("utf-8", "surrogateescape")
        return blake2b(data, key=self._key, digest_size=TAG_BYTES).hexdigest()

    def refusal(self, request: Request, error: RemoteProtocolError, back: Flow) -> Response:
        """Return the answer to a request that we refuse, to go over `back`."""
        answer = Response.to_request(
            request, error.status, to_tag=self.tag(request), headers=error.headers
        )
        return self._finish(answer, request, back)

    def options_answer(self, request: Request, back: Flow) -> Response:
        """Return the answer to an OPTIONS, to go over `back`."""
        answer = self._capabilities.options_answer(request, self.tag(request))
        return self._finish(answer, request, back)

    def _finish(self, answer: Response, request: Request, back: Flow) -> Response:
        self._capabilities.describe(answer, request.method)
        if not back.reliable:
            shorten(answer, request)
        return answer


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


def shorten(response: Response, request: Request) -> None:
    """Leave out of a response what it need not have, as far as it is longer than the request."""
    excess = len(response.render()) - least_octets(request)
    spare = (*_SPARE, "Accept") if response.status == 200 else _SPARE
    for name in spare:
        value = response.headers.get(name)
        if excess > 0 and value is not None:
            response.headers.remove(name)
            excess -= len(f"{name}: {value}\r\n")
    challenges = response.headers.lines("WWW-Authenticate")
    for challenge in challenges[:-1]:
        if excess > 0:
            response.headers.replace_first("WWW-Authenticate")
            excess -= len(f"WWW-Authenticate: {challenge}\r\n")


def least_octets(request: Request) -> int:
    """Return how many octets a request had at least when it came, whose source is stamped by now.

    Header fields count as if their names had been written in the shortest form.
    """
    octets = len(request.start_line()) + 2 * _LAST_LINE + len(request.body)
    for name, value in request.headers:
        octets += (1 if name in _COMPACT else len(name)) + _LINE
        octets += len(value.encode("utf-8", "surrogateescape"))
    return octets - _stamp_octets(request)


def _stamp_octets(request: Request) -> int:
    try:
        params = request.top_via.params
    except RemoteProtocolError:
        return 0
    received, rport = params.get("received"), params.get("rport")
    return (len(f";received={received}") if received else 0) + (len(f"={rport}") if rport else 0)
