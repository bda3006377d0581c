import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.authenticator import Authenticator
from sylk.sip.capabilities import Capabilities
from sylk.sip.digest import parse_challenges
from sylk.sip.flow import Flow
from sylk.sip.message import Request, Response
from sylk.sip.parser import parse_message
from sylk.sip.response_routing import stamp_source
from sylk.sip.stateless import StatelessAnswers, least_octets, stamp_malformed
from tests.sip.user_agents import METHODS, TCP, UDP, make, tokens

ABOUT_US = Capabilities(METHODS, ["replaces"], {"INVITE": ["application/sdp"]}, "Sylk-Test")
ANSWERS = StatelessAnswers("secret" * 100, ABOUT_US)


def test_a_retransmission_gets_the_same_tag_and_nobody_else_does() -> None:
    tag = ANSWERS.tag(make("BYE", to_tag="x"))
    assert ANSWERS.tag(make("BYE", to_tag="x")) == tag
    assert ANSWERS.tag(make("BYE", to_tag="y")) != tag
    assert ANSWERS.tag(make("BYE", to_tag="x", cseq=2)) != tag
    assert StatelessAnswers("other", ABOUT_US).tag(make("BYE", to_tag="x")) != tag


def test_a_tag_is_made_of_anything() -> None:
    request = make("BYE")
    for name in ("From", "To", "Call-ID", "CSeq"):
        request.headers.remove(name)
    assert ANSWERS.tag(request)
    request.headers.add("To", "\udcff")
    assert ANSWERS.tag(request)


def test_a_refusal_says_what_the_error_says() -> None:
    error = RemoteProtocolError("no", 420, [("Unsupported", "x")])
    response = ANSWERS.refusal(make("INVITE"), error, UDP)
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


# Not more out than in

SHORTEST = (
    b"%b sip:h SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nMax-Forwards:9\r\n"
    b"f:<sip:h>;tag=1\r\nt:sip:h\r\ni:1\r\nCSeq:1 %b\r\nm:<sip:h>\r\n\r\n"
)
"""The smallest request that RFC 3261 allows: a client may leave out no more."""

KNOWN = ("Via", "From", "To", "Call-ID", "CSeq")


def as_it_came(data: bytes) -> Request:
    request = parse_message(data)
    assert isinstance(request, Request)
    stamp_source(request, UDP)
    return request


def challenge(request: Request) -> RemoteProtocolError:
    """Return the 401 to a request without credentials, as a server with common settings has it."""
    authenticator = Authenticator("example.com", lambda _u, _r: None, random_token=tokens("f" * 15))
    with pytest.raises(RemoteProtocolError) as caught:
        authenticator.check(request, 1e6, source="192.0.2.9")
    return caught.value


def algorithms_of(response: Response) -> list[str]:
    return [one.algorithm for one in parse_challenges(response.headers.lines("WWW-Authenticate"))]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER"])
def test_the_smallest_request_gets_one_challenge_and_nothing_else(method: str) -> None:
    data = SHORTEST % (method.encode(), method.encode())
    request = as_it_came(data)
    response = ANSWERS.refusal(request, challenge(request), UDP)
    assert algorithms_of(response) == ["MD5"]
    names = [name for name, _ in response.headers]
    assert names == [*KNOWN, "WWW-Authenticate"]
    # This is what cannot be kept: the challenge itself, our tag, and where the request came from.
    assert len(response.render()) <= len(data) + 250


def test_a_request_of_common_length_gets_all_challenges_and_no_more_octets_than_it_had() -> None:
    request = make("INVITE", body=b"v=0\r\n" + b"a=x\r\n" * 80, content_type="application/sdp")
    data = request.render()
    request = as_it_came(data)
    response = ANSWERS.refusal(request, challenge(request), UDP)
    assert algorithms_of(response) == ["SHA-256", "MD5"]
    assert response.headers.get("Server") == "Sylk-Test"
    assert len(response.render()) <= len(data)


def test_the_longer_the_request_the_more_is_said_and_never_more_octets_than_it_had() -> None:
    said: list[tuple[int, bool]] = []
    for size in range(0, 500, 5):
        data = make("INVITE", body=b"x" * size, content_type="text/plain").render()
        request = as_it_came(data)
        response = ANSWERS.refusal(request, challenge(request), UDP)
        said.append((len(algorithms_of(response)), "Server" in response.headers))
        assert len(response.render()) <= max(len(data), 420)
    assert said == sorted(said)
    assert set(said) == {(1, False), (2, False), (2, True)}


def test_over_a_connection_nothing_is_left_out() -> None:
    request = as_it_came(SHORTEST % (b"INVITE", b"INVITE"))
    response = ANSWERS.refusal(request, challenge(request), TCP)
    assert algorithms_of(response) == ["SHA-256", "MD5"]
    assert "Server" in response.headers


@pytest.mark.parametrize("status", [403, 404, 481, 482, 400])
def test_a_refusal_without_words_is_longer_by_tag_and_source_alone(status: int) -> None:
    data = SHORTEST % (b"BYE", b"BYE")
    response = ANSWERS.refusal(as_it_came(data), RemoteProtocolError("no", status), UDP)
    assert [name for name, _ in response.headers] == list(KNOWN)
    assert len(response.render()) <= len(data) + 80


def test_an_answer_to_options_keeps_what_it_is_asked_for() -> None:
    request = make("OPTIONS")
    short = ANSWERS.options_answer(as_it_came(request.render()), UDP)
    full = ANSWERS.options_answer(as_it_came(request.render()), TCP)
    assert {"Allow", "Accept", "Supported", "Server"} <= {name for name, _ in full.headers}
    assert short.headers.get("Allow") == ", ".join(METHODS)
    assert len(short.render()) < len(full.render())


@pytest.mark.parametrize(
    ("status", "name"), [(405, "Allow"), (420, "Unsupported"), (415, "Accept")]
)
def test_what_a_refusal_is_about_stays(status: int, name: str) -> None:
    request = as_it_came(SHORTEST % (b"INVITE", b"INVITE"))
    error = RemoteProtocolError("no", status, [(name, "x" * 100)])
    assert ANSWERS.refusal(request, error, UDP).headers.get(name) == "x" * 100


@given(st.lists(st.sampled_from(["Via", "Contact", "Subject", "X-Other", "Max-Forwards"])))
def test_a_request_had_no_fewer_octets_than_we_think(names: list[str]) -> None:
    request = make("MESSAGE", *[(name, "SIP/2.0/UDP h") for name in names], body=b"12")
    data = request.render()
    assert least_octets(as_it_came(data)) <= len(data)


def test_a_request_in_its_shortest_form_had_just_as_many_octets_as_we_think() -> None:
    data = SHORTEST % (b"MESSAGE", b"MESSAGE")
    request = as_it_came(data)
    assert request.top_via.rport == UDP.remote[1]
    assert least_octets(request) == len(data)


def test_octets_and_not_characters_are_counted() -> None:
    plain, wide = make("MESSAGE", ("Subject", "aa")), make("MESSAGE", ("Subject", "\u00e9"))
    assert least_octets(plain) == least_octets(wide)


def test_a_malformed_request_is_measured_too() -> None:
    request = make("MESSAGE")
    request.headers.set("Via", "nonsense")
    assert least_octets(request) > 100
