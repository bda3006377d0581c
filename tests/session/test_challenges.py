"""What a request answers to servers that ask for a password; on the wire in test_dial."""

import itertools

import pytest

from sylk.session.challenges import MAX_REALMS, ChallengeAnswers, Credentials
from sylk.sip.address import NameAddr
from sylk.sip.digest import compute_response, hash_password, parse_credentials
from sylk.sip.message import Request, Response, make_request
from sylk.sip.uri import SipURI

TO = NameAddr.parse("<sip:bob@example.com>")
ALICE = Credentials("alice", "secret")


def request() -> Request:
    return make_request("MESSAGE", SipURI.parse("sip:bob@example.com"), TO, TO, "call", 1)


def answers(credentials: Credentials | None = ALICE) -> ChallengeAnswers:
    numbers = itertools.count()
    return ChallengeAnswers(credentials, "example.com", lambda: f"cnonce{next(numbers)}")


def asked(*values: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    headers = [(name, f"Digest {value}") for value in values]
    return Response.to_request(request(), status, headers=headers)


def given(made: ChallengeAnswers) -> list[tuple[str, str, str, str | None]]:
    """Return field, realm, nonce and count of each answer, each checked to be right."""
    found: list[tuple[str, str, str, str | None]] = []
    for name, value in made.headers("MESSAGE", request().uri):
        (one,) = parse_credentials([value])
        ha1 = hash_password("alice", one.realm, "secret", one.algorithm)
        assert one.response == compute_response(ha1, one, "MESSAGE")
        found.append((name, one.realm, one.nonce, one.nonce_count))
    return found


def test_a_nonce_that_is_used_again_counts_up() -> None:
    made = answers()
    assert made.headers("MESSAGE", request().uri) == []
    assert made.take(asked('realm="r", nonce="n", qop="auth"'), request())
    assert given(made) == [("Authorization", "r", "n", "00000001")]
    assert given(made) == [("Authorization", "r", "n", "00000002")]


def test_a_proxy_and_the_server_are_both_answered() -> None:
    made = answers()
    assert made.take(asked('realm="r", nonce="n"', status=407), request())
    assert made.take(asked('realm="r", nonce="m"'), request())
    assert given(made) == [
        ("Proxy-Authorization", "r", "n", None),
        ("Authorization", "r", "m", None),
    ]


def test_our_own_realm_is_answered_in_front_of_others() -> None:
    made = answers()
    assert made.take(asked('realm="r", nonce="n"', 'realm="example.com", nonce="m"'), request())
    assert given(made) == [("Authorization", "example.com", "m", None)]


def test_a_realm_is_answered_once_and_once_more_when_the_nonce_was_old() -> None:
    made = answers()
    assert made.take(asked('realm="r", nonce="n", qop="auth"'), request())
    assert given(made)
    assert not made.take(asked('realm="r", nonce="m", qop="auth"'), request())
    assert made.take(asked('realm="r", nonce="m", qop="auth", stale=true'), request())
    assert given(made) == [("Authorization", "r", "m", "00000001")]
    assert not made.take(asked('realm="r", nonce="o", qop="auth", stale=true'), request())
    # What was given before is given again, as long as the request goes on for other reasons.
    assert given(made) == [("Authorization", "r", "m", "00000002")]


def test_a_server_cannot_ask_for_ever() -> None:
    made = answers()
    taken = [made.take(asked(f'realm="{number}", nonce="n"'), request()) for number in range(9)]
    assert taken == [True] * MAX_REALMS + [False] * (9 - MAX_REALMS)


@pytest.mark.parametrize("status", [200, 403, 503])
def test_what_is_no_challenge_has_no_answer(status: int) -> None:
    assert not answers().take(Response.to_request(request(), status), request())


def test_without_a_password_there_is_no_answer() -> None:
    assert not answers(None).take(asked('realm="r", nonce="n"'), request())


@pytest.mark.parametrize("value", ["", 'realm="r"', 'realm="r", nonce="n", algorithm=ROT13'])
def test_what_cannot_be_answered_is_not(value: str) -> None:
    made = answers()
    assert not made.take(asked(value), request())
    assert made.headers("MESSAGE", request().uri) == []
