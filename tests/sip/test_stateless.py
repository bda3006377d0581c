import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.flow import Flow
from sylk.sip.stateless import StatelessAnswers, stamp_malformed
from tests.sip.user_agents import UDP, make

ANSWERS = StatelessAnswers("secret" * 100)


def test_a_retransmission_gets_the_same_tag_and_nobody_else_does() -> None:
    tag = ANSWERS.tag(make("BYE", to_tag="x"))
    assert ANSWERS.tag(make("BYE", to_tag="x")) == tag
    assert ANSWERS.tag(make("BYE", to_tag="y")) != tag
    assert ANSWERS.tag(make("BYE", to_tag="x", cseq=2)) != tag
    assert StatelessAnswers("other").tag(make("BYE", to_tag="x")) != tag


def test_a_tag_is_made_of_anything() -> None:
    request = make("BYE")
    for name in ("From", "To", "Call-ID", "CSeq"):
        request.headers.remove(name)
    assert ANSWERS.tag(request)
    request.headers.add("To", "\udcff")
    assert ANSWERS.tag(request)


def test_a_refusal_says_what_the_error_says() -> None:
    error = RemoteProtocolError("no", 420, [("Unsupported", "x")])
    response = ANSWERS.refusal(make("INVITE"), error)
    assert (response.status, response.headers.get("Unsupported")) == (420, "x")
    assert response.to.tag == ANSWERS.tag(make("INVITE"))


def test_a_malformed_request_is_answered_where_it_came_from() -> None:
    flow = Flow("udp", UDP.local, ("192.0.2.9", 7777))
    request = make("BYE")
    assert stamp_malformed(request, flow) == flow
    assert request.top_via.rport == 7777
    request.headers.set("Via", "nonsense")
    assert stamp_malformed(request, flow) == flow
    request.headers.set("Via", "")
    assert stamp_malformed(request, flow) is None


@pytest.mark.parametrize("method", ["ACK", "BYE"])
def test_an_ack_and_a_request_without_via_are_not_answered(method: str) -> None:
    request = make(method)
    if method == "BYE":
        request.headers.remove("Via")
    assert stamp_malformed(request, UDP) is None
