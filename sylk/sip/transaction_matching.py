"""Which transaction a message belongs to (RFC 3261 sections 17.1.3, 17.2.3 and 9.2).

Keys are plain tuples for a dictionary. A client of RFC 3261 marks its branch with the magic cookie
and promises that it is unique; a client of RFC 2543 does not, and its requests are told apart by
everything that a retransmission repeats.
"""

from collections.abc import Iterator, Sequence

from sylk.sip.grammar import is_token
from sylk.sip.message import Request, Response
from sylk.sip.transaction import Key
from sylk.sip.via import MAGIC_COOKIE, Via


def client_key(branch: str, method: str) -> Key:
    """Return the key of a client transaction; CANCEL shares the branch of what it cancels."""
    return branch, method


def response_key(response: Response) -> Key | None:
    """Return the key of the client transaction that a response belongs to.

    None when it has no branch, or more than one Via value: then it is not ours (8.1.3.3). Raises
    RemoteProtocolError for malformed header fields.
    """
    vias = response.vias
    if len(vias) != 1 or vias[0].branch is None:
        return None
    return vias[0].branch, response.cseq.method


def server_key(request: Request, method: str | None = None) -> Key:
    """Return the key of a request, as if its method were `method`; ACK counts as INVITE.

    Raises RemoteProtocolError for malformed header fields.
    """
    method = method or request.method
    if method == "ACK":
        method = "INVITE"
    via = request.top_via
    branch = via.branch
    host = via.host.lower()
    if _has_unique_branch(via):
        return branch, host, via.port, method
    # The To tag of an ACK is that of our response, so that INVITE is compared without it; another
    # request of the same dialog has another CSeq.
    to_tag = None if method == "INVITE" else request.to.tag
    return (
        str(request.uri),
        to_tag,
        request.from_.tag,
        request.call_id,
        request.cseq.number,
        method,
        via.transport,
        host,
        via.port,
        branch,
    )


def acknowledges(ack: Request, response: Response | None) -> bool:
    """Return whether an ACK with the key of an INVITE is for this failure response to it.

    A client of RFC 2543 makes no difference between that and the ACK for a 2xx of a fork, so that
    the To tag has to tell (17.2.3).
    """
    if _has_unique_branch(ack.top_via):
        return True
    return response is not None and ack.to.tag == response.to.tag


def cancelled_keys(cancel: Request, methods: Sequence[str]) -> Iterator[Key]:
    """Return the keys of what a CANCEL may mean: as if its method were any but ACK and CANCEL."""
    return (server_key(cancel, method) for method in methods if method not in ("ACK", "CANCEL"))


def reply_tag(request: Request, response: Response) -> str | None:
    """Return the To tag of our response to a request.

    A response made by `Response.to_request` has the text of the request, with our tag at the end:
    looking there first saves parsing an address for each response.
    """
    asked = request.headers.get("To") or ""
    replied = response.headers.get("To") or ""
    if replied == asked:
        return request.to.tag
    tag = replied.removeprefix(f"{asked};tag=")
    return tag if tag != replied and is_token(tag) else response.to.tag


def _has_unique_branch(via: Via) -> bool:
    # RFC 4475 3.2.1: a branch that is nothing but the cookie promises nothing.
    branch = via.branch or ""
    return branch.startswith(MAGIC_COOKIE) and branch != MAGIC_COOKIE
