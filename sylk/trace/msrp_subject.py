"""Whom an MSRP frame is about: the call whose session its paths name."""

import re
from collections.abc import Iterator, Mapping

from sylk.errors import RemoteProtocolError
from sylk.net.msrp_watch import SessionCall
from sylk.sip.uri import SipURI
from sylk.trace.filters import Person, Subject

_PATH = re.compile(rb"\r\n(?:To|From)-Path:[ \t]*([^ \r\n]+)", re.IGNORECASE)


def subject_of_frame(octets: bytes, remote: str, calls: Mapping[str, SessionCall]) -> Subject:
    """Return whom a frame is about that came from `remote`, or goes there."""
    head = octets.partition(b"\r\n\r\n")[0]
    for path in _PATH.findall(head):
        session_id = path.rpartition(b"/")[2].partition(b";")[0].decode("latin-1")
        call = calls.get(session_id)
        if call is not None:
            ours = frozenset(_person(call.ours))
            return Subject(remote, call.call_id, ours.union(_person(call.theirs)), ours)
    return Subject(remote)


def _person(uri: str) -> Iterator[Person]:
    try:
        parsed = SipURI.parse(uri)
    except RemoteProtocolError:
        # A tel URI, say: its number is how the person is looked up.
        yield uri.partition(":")[2].partition(";")[0].lower(), ""
    else:
        if parsed.user is not None:
            yield parsed.user.lower(), parsed.host.lower()
