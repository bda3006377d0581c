"""Whom a SIP message is about, read leniently: what cannot be read names nobody."""

from collections.abc import Callable, Iterator

from sylk.errors import RemoteProtocolError
from sylk.sip.address import NameAddr, parse_name_addrs
from sylk.sip.flow import Flow
from sylk.sip.message import Message, Request
from sylk.sip.parser import MalformedMessage
from sylk.sip.uri import OtherURI, SipURI
from sylk.trace.filters import Person, Subject

_LISTS = ("P-Asserted-Identity", "Refer-To")


def subject_of(
    message: Message | MalformedMessage | None, flow: Flow, *, received: bool
) -> Subject:
    """Return whom a message is about that came, or goes, over `flow`; None is a keep-alive."""
    seen = message.message if isinstance(message, MalformedMessage) else message
    if seen is None:
        return Subject(flow.remote[0])
    sender = frozenset(_persons(lambda: [seen.from_]))
    target = set(_persons(lambda: [seen.to]))
    if isinstance(seen, Request):
        target.update(_person(seen.uri))
    others = set(_persons(lambda: seen.contacts))
    for name in _LISTS:
        for line in seen.headers.lines(name):
            others.update(_persons(lambda line=line: parse_name_addrs(line)))
    # Who is called is on our side when a request comes, and when its answer goes.
    called_is_ours = received == isinstance(seen, Request)
    return Subject(
        flow.remote[0],
        seen.headers.get("Call-ID"),
        frozenset(sender | target | others),
        frozenset(target) if called_is_ours else sender,
    )


def _persons(read: Callable[[], list[NameAddr]]) -> Iterator[Person]:
    try:
        addresses = read()
    except RemoteProtocolError:
        return
    for address in addresses:
        yield from _person(address.uri)


def _person(uri: SipURI | OtherURI) -> Iterator[Person]:
    if isinstance(uri, OtherURI):
        yield uri.text.partition(";")[0].lower(), ""
    elif uri.user is not None:
        yield uri.user.lower(), uri.host.lower()
