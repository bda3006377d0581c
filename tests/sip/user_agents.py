"""Messages, flows and cores that the tests of the SIP engines share."""

from collections.abc import Callable
from itertools import count

from sylk.sip.address import NameAddr
from sylk.sip.core import Event, IncomingRequest, UserAgentCore
from sylk.sip.flow import Flow
from sylk.sip.message import Message, Request, Response, make_request
from sylk.sip.parser import MalformedMessage, parse_message
from sylk.sip.timers import Timers
from sylk.sip.transaction_bounds import TransactionBounds
from sylk.sip.uri import SipURI
from sylk.sip.via import Via

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
TCP = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.9", 40000), 1)
TLS = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 40001), 2)

METHODS = (
    *("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "SUBSCRIBE"),
    *("REFER", "MESSAGE", "NOTIFY", "UPDATE", "INFO"),
)
CONTACT = NameAddr(SipURI("sip", "sylk", None, "192.0.2.1"))


def tokens(prefix: str = "token") -> Callable[[], str]:
    """Return a source of tokens that differ, in an order that tests can repeat."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def make_core(
    *, prefix: str = "token", max_transactions: int = 1000, timers: Timers | None = None
) -> UserAgentCore:
    return UserAgentCore(
        methods=METHODS,
        supported=["replaces", "norefersub"],
        accept={"INVITE": ["application/sdp"], "MESSAGE": ["text/*"]},
        server_name="Sylk-Test",
        random_token=tokens(prefix),
        bounds=TransactionBounds(max_transactions),
        timers=timers,
    )


def make(
    method: str,
    *headers: tuple[str, str],
    branch: str | None = "z9hG4bK1",
    to_tag: str | None = None,
    from_tag: str | None = "alice",
    call_id: str = "call",
    cseq: int = 1,
    uri: str = "sip:room@192.0.2.1",
    body: bytes = b"",
    content_type: str | None = None,
    contact: str | None = "<sip:alice@192.0.2.9>",
) -> Request:
    """Return a request as a client at 192.0.2.9 sends it."""
    from_ = NameAddr(SipURI("sip", "alice", None, "example.com"))
    to = NameAddr(SipURI("sip", "room", None, "example.com"))
    request = make_request(
        method,
        SipURI.parse(uri),
        from_.with_tag(from_tag) if from_tag else from_,
        to.with_tag(to_tag) if to_tag else to,
        call_id,
        cseq,
        headers=[*headers, *([("Contact", contact)] if contact else [])],
        body=body,
        content_type=content_type,
    )
    params: dict[str, str | None] = {"rport": None}
    if branch is not None:
        params["branch"] = branch
    request.push_via(Via("UDP", "192.0.2.9", 5060, params))
    return request


def over_the_wire(message: Message) -> Request | Response:
    """Return what the other side reads."""
    return parse_message(message.render())


def read(data: bytes) -> Request | Response | MalformedMessage:
    """Return what a datagram holds, in the form a core takes it."""
    try:
        return parse_message(data)
    except MalformedMessage as error:
        return error


def events_of(core: UserAgentCore) -> list[Event]:
    events: list[Event] = []
    while (event := core.next_event()) is not None:
        events.append(event)
    return events


def receive(
    core: UserAgentCore, request: Request, flow: Flow = UDP, now: float = 0.0
) -> list[Event]:
    """Give a request to a core and return what it tells."""
    core.receive_message(over_the_wire(request), flow, now)
    return events_of(core)


def receive_one(
    core: UserAgentCore, request: Request, flow: Flow = UDP, now: float = 0.0
) -> IncomingRequest:
    """Give a request that the core has to hand on."""
    (event,) = receive(core, request, flow, now)
    assert isinstance(event, IncomingRequest)
    return event


def responses_of(core: UserAgentCore) -> list[Response]:
    """Return what the core sends, all of which have to be responses."""
    messages = [message for message, _ in core.messages_to_send()]
    responses = [message for message in messages if isinstance(message, Response)]
    assert len(responses) == len(messages)
    return responses


def response_of(core: UserAgentCore) -> Response:
    """Return the one response that the core sends."""
    (response,) = responses_of(core)
    return response


def statuses_of(core: UserAgentCore) -> list[int]:
    return [response.status for response in responses_of(core)]
