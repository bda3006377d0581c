"""Who is asked whether a request may come in, when, and what is kept of one that may not."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.address import NameAddr
from sylk.sip.asserted_identity import Identity
from sylk.sip.core import Event, IncomingRequest, Refused, UserAgentCore
from sylk.sip.dialog import Dialog
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.source_limits import SentNoAnswer
from tests.sip.user_agents import (
    CONTACT,
    METHODS,
    TCP,
    UDP,
    events_of,
    make,
    receive,
    receive_one,
    response_of,
    statuses_of,
    tokens,
)

CARA = Identity(NameAddr.parse('"Cara" <sip:cara@example.com>'), "192.0.2.9")
CHALLENGE = [("WWW-Authenticate", 'Digest realm="example.com", nonce="n", algorithm=MD5')]
BEGINNING = ["INVITE", "SUBSCRIBE", "REFER", "MESSAGE"]


class Porter:
    """Admits everybody, or refuses with an error, and notes who was there."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Flow, float]] = []
        self.refusal: RemoteProtocolError | None = None
        self.screened: list[str] = []
        self.misfit: RemoteProtocolError | None = None
        self.core = UserAgentCore(
            methods=METHODS,
            supported=[],
            accept={"INVITE": ["application/sdp"]},
            server_name="Sylk-Test",
            random_token=tokens(),
            admit=self.admit,
            screen=self.screen,
        )

    def admit(self, request: Request, flow: Flow, now: float) -> Identity:
        self.asked.append((request.method, flow, now))
        if self.refusal is not None:
            raise self.refusal
        return CARA

    def screen(self, request: Request) -> None:
        self.screened.append(request.method)
        if self.misfit is not None:
            raise self.misfit


def refused(events: list[Event]) -> list[int]:
    assert all(isinstance(event, Refused) for event in events)
    return [event.status for event in events if isinstance(event, Refused)]


@pytest.mark.parametrize("method", BEGINNING)
def test_what_was_found_out_travels_with_the_request(method: str) -> None:
    porter = Porter()
    incoming = receive_one(porter.core, make(method), UDP, 7.0)
    assert porter.asked == [(method, UDP, 7.0)]
    assert incoming.identity is CARA
    assert str(incoming.sender) == '"Cara" <sip:cara@example.com>'
    assert incoming.source == "192.0.2.9"


@pytest.mark.parametrize("method", BEGINNING)
@pytest.mark.parametrize("flow", [UDP, TCP])
def test_nothing_is_kept_of_a_request_that_is_refused(method: str, flow: Flow) -> None:
    porter = Porter()
    porter.refusal = RemoteProtocolError("who is it?", 401, CHALLENGE)
    assert refused(receive(porter.core, make(method), flow)) == [401]
    first = response_of(porter.core)
    assert first.status == 401
    assert first.headers.lines("WWW-Authenticate") == [CHALLENGE[0][1]]
    assert porter.core.next_deadline() is None
    # The same again is asked about again, and gets the same answer.
    assert refused(receive(porter.core, make(method), flow, 0.5)) == [401]
    assert response_of(porter.core).render() == first.render()
    assert len(porter.asked) == 2
    assert receive(porter.core, make("ACK", to_tag=first.to.tag), flow) == []
    assert len(porter.asked) == 2


def test_a_retransmission_of_what_was_admitted_is_not_asked_about_again() -> None:
    porter = Porter()
    receive_one(porter.core, make("INVITE"))
    assert statuses_of(porter.core) == [100]
    porter.refusal = RemoteProtocolError("replayed", 401, CHALLENGE)
    assert receive(porter.core, make("INVITE"), UDP, 0.5) == []
    assert statuses_of(porter.core) == [100]
    assert len(porter.asked) == 1


def test_who_is_to_get_no_answer_gets_none_and_is_told_of_as_a_flood() -> None:
    porter = Porter()
    porter.refusal = SentNoAnswer("enough", 503)
    (refused,) = receive(porter.core, make("INVITE"))
    assert isinstance(refused, Refused)
    assert refused.is_flood
    assert refused.flow == UDP
    assert statuses_of(porter.core) == []
    assert porter.core.next_deadline() is None


@pytest.mark.parametrize(
    "request_",
    [
        make("PUBLISH"),
        make("INVITE", uri="sips:room@192.0.2.1"),
        make("INVITE", ("Require", "unheard-of")),
        make("INVITE", body=b"x", content_type="text/plain"),
        make("BYE"),
        make("OPTIONS"),
    ],
)
def test_who_it_is_is_asked_before_anything_else(request_: Request) -> None:
    """RFC 3261 section 8.2 gives the order; others learn nothing of us."""
    porter = Porter()
    porter.refusal = RemoteProtocolError("who is it?", 403)
    assert refused(receive(porter.core, request_)) == [403]
    porter.refusal = None
    assert 403 not in refused(receive(porter.core, request_))


def test_a_cancel_is_never_asked_about() -> None:
    porter = Porter()
    receive_one(porter.core, make("INVITE"))
    porter.refusal = RemoteProtocolError("who is it?", 401, CHALLENGE)
    (event,) = receive(porter.core, make("CANCEL"))
    assert not isinstance(event, Refused)
    assert statuses_of(porter.core) == [100, 200]
    assert refused(receive(porter.core, make("CANCEL", branch="z9hG4bKother"))) == [481]


def test_inside_a_dialog_nobody_is_asked() -> None:
    porter = Porter()
    incoming = receive_one(porter.core, make("INVITE"), TCP)
    porter.core.add_dialog(Dialog.as_uas(incoming.request, "mine", CONTACT))
    headers = [("Contact", str(CONTACT))]
    answer = Response.to_request(incoming.request, 200, to_tag="mine", headers=headers)
    porter.core.respond(incoming.transaction, answer, 0.0)
    porter.refusal = RemoteProtocolError("who is it?", 401, CHALLENGE)
    (event,) = receive(porter.core, make("BYE", to_tag="mine", cseq=2, branch="z9hG4bK2"), TCP)
    assert isinstance(event, IncomingRequest)
    assert event.identity is None
    # One that has gone is told so: it cannot be challenged for it.
    stray = make("BYE", to_tag="other", cseq=3, branch="z9hG4bK3")
    assert refused(receive(porter.core, stray, TCP)) == [481]
    assert len(porter.asked) == 1
    assert events_of(porter.core) == []


@pytest.mark.parametrize("method", BEGINNING)
def test_what_nobody_takes_is_refused_before_anything_is_kept_of_it(method: str) -> None:
    porter = Porter()
    porter.misfit = RemoteProtocolError("there is no such room", 404)
    request = make(method)
    assert refused(receive(porter.core, request)) == [404]
    first = response_of(porter.core)
    assert first.status == 404
    # Over UDP a refusal in a transaction would come again until its ACK.
    assert porter.core.next_deadline() is None
    assert refused(receive(porter.core, request)) == [404]
    assert response_of(porter.core).render() == first.render()
    assert porter.screened == [method] * 2


def test_only_what_passes_all_checks_and_begins_something_is_screened() -> None:
    porter = Porter()
    for request in make("INVITE", ("Require", "x")), make("INVITE", contact=None), make("OPTIONS"):
        receive(porter.core, request)
    assert porter.screened == []
    incoming = receive_one(porter.core, make("INVITE", branch="z9hG4bKnew"))
    dialog = Dialog.as_uas(incoming.request, incoming.transaction.to_tag, CONTACT)
    porter.core.respond(incoming.transaction, Response.to_request(incoming.request, 200), 0.0)
    porter.core.add_dialog(dialog)
    receive_one(porter.core, make("BYE", to_tag=dialog.local_tag, cseq=2, branch="z9hG4bKbye"))
    assert porter.screened == ["INVITE"]
