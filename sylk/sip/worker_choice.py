"""Which of several workers a SIP message is for, where each has the rooms of its share.

Theory. Whatever belongs to something that a worker has made carries a token of it, which begins
with its mark; all else goes by the user part of the Request-URI (`sylk.share`):

    response                                its Via branch
    request in a dialog                     its To tag
    request of our own that has come back   its From tag: its worker refuses it
    INVITE with Replaces or Join            a tag of the dialog that it names
    CANCEL of such an INVITE                as the INVITE, by the same branch
    any other request                       the user part of its Request-URI

The ACK of a refusal that has no mark has the Request-URI of its INVITE, and goes where that went.
"""

from collections.abc import Callable

from sylk.errors import RemoteProtocolError
from sylk.share import worker_of
from sylk.sip.address import NameAddr
from sylk.sip.message import Request, Response
from sylk.sip.replaces import read_reference
from sylk.sip.uri import SipURI
from sylk.sip.via import MAGIC_COOKIE

MAX_REMEMBERED = 1000
"""INVITEs with Replaces or Join whose CANCEL may come; the oldest is forgotten."""


class WorkerChoice:
    """Chooses among `count` workers; marks begin with `name`, which no other server has."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._workers = {self.mark_of(index): index for index in range(count)}
        self._remembered: dict[str, int] = {}

    def mark_of(self, index: int) -> str:
        """Return what all tags and branches of a worker begin with."""
        return f"{self._name}{index:02x}"

    def choose(self, message: Request | Response) -> int | None:
        """Return the index of the worker; None for a response to nothing of ours."""
        if isinstance(message, Response):
            return self._marked(_branch(message).removeprefix(MAGIC_COOKIE))
        return self._of_request(message)

    def _of_request(self, request: Request) -> int:
        for address_of in (_to, _from):
            worker = self._marked(_tag(request, address_of))
            if worker is not None:
                return worker
        branch = _branch(request)
        if request.method == "CANCEL" and branch in self._remembered:
            return self._remembered[branch]
        user = request.uri.user if isinstance(request.uri, SipURI) else None
        worker = self._named(request)
        if worker is None:
            return worker_of(user, self._count)
        self._remember(branch, worker)
        return worker

    def _named(self, request: Request) -> int | None:
        """Return the worker of the dialog that an INVITE wants to replace or join."""
        try:
            reference = read_reference(request)
        except RemoteProtocolError:
            return None
        if reference is None:
            return None
        # The to-tag is ours; some write the two the other way round.
        by_tags = (self._marked(tag) for tag in (reference[1].to_tag, reference[1].from_tag))
        return next((worker for worker in by_tags if worker is not None), None)

    def _remember(self, branch: str, worker: int) -> None:
        self._remembered[branch] = worker
        if len(self._remembered) > MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    def _marked(self, token: str) -> int | None:
        return self._workers.get(token[: len(self._name) + 2])


def _to(request: Request) -> NameAddr:
    return request.to


def _from(request: Request) -> NameAddr:
    return request.from_


def _tag(request: Request, address_of: Callable[[Request], NameAddr]) -> str:
    """Return the tag of an address, nothing if it cannot be read: the worker refuses that."""
    try:
        return address_of(request).tag or ""
    except RemoteProtocolError:
        return ""


def _branch(message: Request | Response) -> str:
    try:
        return message.top_via.branch or ""
    except RemoteProtocolError:
        return ""
