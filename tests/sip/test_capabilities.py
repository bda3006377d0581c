from sylk.sip.capabilities import Capabilities
from sylk.sip.message import Response
from tests.sip.user_agents import make

CAPABILITIES = Capabilities(
    ["INVITE", "ACK", "OPTIONS"],
    ["replaces", "Path"],
    {"INVITE": ["application/sdp"], "MESSAGE": ["*", "text/*", "Application/SDP"]},
    "Sylk-Test",
)


def test_the_header_fields_that_tell_what_we_do() -> None:
    response = CAPABILITIES.options_answer(make("OPTIONS"), "mine")
    assert response.status == 200
    assert response.to.tag == "mine"
    assert response.headers.get("Allow") == "INVITE, ACK, OPTIONS"
    assert response.headers.get("Supported") == "replaces, Path"
    assert response.headers.values("Accept") == ["application/sdp", "*/*", "text/*"]
    assert CAPABILITIES.accept_header_of("INVITE") == ("Accept", "application/sdp")
    assert CAPABILITIES.accept_header_of("BYE") == ("Accept", "")


def test_the_event_packages_are_told_in_options_and_in_each_489() -> None:
    # RFC 6665 sections 4.4.4 and 8.3.2
    told = Capabilities([], [], {}, "Sylk-Test", ["conference", "presence"])
    answer = told.options_answer(make("OPTIONS"), None)
    assert answer.headers.get("Allow-Events") == "conference, presence"
    for header, expected in (None, "conference, presence"), ("dialog", "dialog"):
        headers = [] if header is None else [("Allow-Events", header)]
        refusal = Response.to_request(make("SUBSCRIBE"), 489, headers=headers)
        told.describe(refusal, "SUBSCRIBE")
        assert refusal.headers.lines("Allow-Events") == [expected]
    other = Response.to_request(make("SUBSCRIBE"), 403)
    told.describe(other, "SUBSCRIBE")
    assert "Allow-Events" not in other.headers


def test_without_event_packages_nothing_is_told_of_them() -> None:
    assert "Allow-Events" not in CAPABILITIES.options_answer(make("OPTIONS"), None).headers
    refusal = Response.to_request(make("SUBSCRIBE"), 489)
    CAPABILITIES.describe(refusal, "SUBSCRIBE")
    assert "Allow-Events" not in refusal.headers


def test_requests_and_responses_say_who_we_are() -> None:
    request = make("BYE")
    CAPABILITIES.describe(request, "BYE")
    assert request.headers.get("User-Agent") == "Sylk-Test"
    assert "Allow" not in request.headers
    response = Response.to_request(request, 200)
    CAPABILITIES.describe(response, "BYE")
    CAPABILITIES.describe(response, "BYE")
    assert response.headers.lines("Server") == ["Sylk-Test"]
    assert "Allow" not in response.headers


def test_invite_and_its_2xx_say_what_we_can_do() -> None:
    # RFC 3261 13.2.1 and 13.3.1.4
    invite = make("INVITE", ("Supported", "mine"))
    CAPABILITIES.describe(invite, "INVITE")
    assert invite.headers.get("Allow") == "INVITE, ACK, OPTIONS"
    assert invite.headers.lines("Supported") == ["mine"]
    success = Response.to_request(invite, 200)
    CAPABILITIES.describe(success, "INVITE")
    assert "Allow" in success.headers
    assert "Supported" in success.headers
    failure = Response.to_request(invite, 486)
    CAPABILITIES.describe(failure, "INVITE")
    assert "Allow" not in failure.headers


def test_a_405_tells_what_is_allowed_and_not_what_it_refuses() -> None:
    # RFC 3261 21.4.6
    refusal = Response.to_request(make("OPTIONS"), 405)
    CAPABILITIES.describe(refusal, "OPTIONS")
    CAPABILITIES.describe(refusal, "OPTIONS")
    assert refusal.headers.lines("Allow") == ["INVITE, ACK"]
    told = Response.to_request(make("OPTIONS"), 405, headers=[("Allow", "BYE")])
    CAPABILITIES.describe(told, "OPTIONS")
    assert told.headers.lines("Allow") == ["BYE"]
