"""Whose a message is: the table of the module, case by case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.share import worker_of
from sylk.sip.message import Request, Response
from sylk.sip.parser import parse_message
from sylk.sip.uri import OtherURI, SipURI
from sylk.sip.worker_choice import MAX_REMEMBERED, WorkerChoice
from tests.sip.user_agents import make

COUNT = 4
OWN = worker_of("room", COUNT)
OTHER = (OWN + 1) % COUNT


@pytest.fixture
def choice() -> WorkerChoice:
    return WorkerChoice(COUNT, "front")


def token(choice: WorkerChoice, worker: int) -> str:
    return f"{choice.mark_of(worker)}ab12"


@given(st.text(min_size=1), st.sampled_from(["INVITE", "SUBSCRIBE", "REFER", "MESSAGE", "CANCEL"]))
def test_what_belongs_to_nothing_goes_by_the_user(user: str, method: str) -> None:
    request = make(method)
    request.uri = SipURI("sip", user, None, "example.com")
    assert WorkerChoice(COUNT, "front").choose(request) == worker_of(user, COUNT)


def test_the_host_and_the_rest_of_the_uri_do_not_matter(choice: WorkerChoice) -> None:
    for uri in ("sip:room@example.com", "sips:r%6fom@[2001:db8::1]:5061;x=y", "sip:room@b?a=b"):
        assert choice.choose(make("INVITE", uri=uri)) == OWN


def test_without_a_user(choice: WorkerChoice) -> None:
    assert choice.choose(make("OPTIONS", uri="sip:example.com")) == worker_of(None, COUNT)
    request = make("OPTIONS")
    request.uri = OtherURI("tel", "+31123")
    assert choice.choose(request) == worker_of(None, COUNT)


def test_a_request_in_a_dialog_goes_to_who_has_made_its_tag(choice: WorkerChoice) -> None:
    for method in ("ACK", "BYE", "INVITE", "NOTIFY", "REFER"):
        assert choice.choose(make(method, to_tag=token(choice, OTHER))) == OTHER


def test_a_tag_of_somebody_else_says_nothing(choice: WorkerChoice) -> None:
    for tag in ("a", "front99ab", "front", WorkerChoice(COUNT, "other").mark_of(OTHER)):
        assert choice.choose(make("BYE", to_tag=tag)) == OWN


def test_our_own_request_comes_back_to_who_has_sent_it(choice: WorkerChoice) -> None:
    assert choice.choose(make("INVITE", from_tag=token(choice, OTHER))) == OTHER


@pytest.mark.parametrize("name", ["Replaces", "Join"])
@pytest.mark.parametrize("tag", ["to-tag", "from-tag"])
def test_an_invite_goes_to_the_call_that_it_names(
    choice: WorkerChoice, name: str, tag: str
) -> None:
    tags = {"to-tag": "x", "from-tag": "y", tag: token(choice, OTHER)}
    value = "call" + "".join(f";{key}={text}" for key, text in tags.items())
    assert choice.choose(make("INVITE", (name, value), branch="z9hG4bKa")) == OTHER
    # Its CANCEL names no call, and has its branch.
    assert choice.choose(make("CANCEL", branch="z9hG4bKa")) == OTHER
    assert choice.choose(make("CANCEL", branch="z9hG4bKb")) == OWN


def test_one_that_names_a_call_of_nobody_goes_by_the_user(choice: WorkerChoice) -> None:
    for value in ("call;to-tag=a;from-tag=b", "nonsense", ""):
        assert choice.choose(make("INVITE", ("Replaces", value))) == OWN


def test_few_such_invites_are_remembered(choice: WorkerChoice) -> None:
    value = f"call;to-tag={token(choice, OTHER)};from-tag=x"
    for number in range(MAX_REMEMBERED + 1):
        choice.choose(make("INVITE", ("Join", value), branch=f"z9hG4bK{number}"))
    assert choice.choose(make("CANCEL", branch="z9hG4bK0")) == OWN
    assert choice.choose(make("CANCEL", branch="z9hG4bK1")) == OTHER


def test_a_response_goes_to_who_has_made_its_branch(choice: WorkerChoice) -> None:
    def response(branch: str) -> Response:
        return Response.to_request(make("INVITE", branch=branch), 200)

    assert choice.choose(response(f"z9hG4bK{token(choice, OTHER)}")) == OTHER
    assert choice.choose(response("z9hG4bKelse")) is None


def test_what_cannot_be_read_is_chosen_all_the_same(choice: WorkerChoice) -> None:
    request = parse_message(
        b"INVITE sip:room@example.com SIP/2.0\r\nVia: ?\r\nTo: <<\r\nFrom: >\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert isinstance(request, Request)
    assert choice.choose(request) == OWN
    response = parse_message(b"SIP/2.0 200 OK\r\nVia: ?\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(response, Response)
    assert choice.choose(response) is None
