"""Those who guess passwords: slowed down, and not at the cost of those whose address they use."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.authenticator import Authenticator
from sylk.sip.digest import Challenge, answer_challenge, parse_challenges
from sylk.sip.message import Request
from sylk.sip.source_limits import TokenBuckets
from tests.sip.test_authenticator import REALM, URI, find_user
from tests.sip.user_agents import make, tokens

SOURCE = "192.0.2.9"
GUESSES = 3
FOREIGN = Challenge(REALM, "4d2.made-up.00", "MD5")


def make_authenticator() -> Authenticator:
    guesses = TokenBuckets(1, GUESSES)
    return Authenticator(REALM, find_user, random_token=tokens("secret"), guesses=guesses)


def challenge_for(authenticator: Authenticator, source: str = SOURCE) -> Challenge:
    headers = authenticator.challenge(make("INVITE"), 0.0, source=source)
    return parse_challenges(value for _, value in headers)[-1]


def answering(challenge: Challenge, password: str, user: str = "alice", count: int = 1) -> Request:
    value = answer_challenge([challenge], user, password, "INVITE", URI, count, "cnonce")
    return make("INVITE", ("Authorization", value), uri=URI)


def status_of(
    authenticator: Authenticator,
    request: Request,
    now: float = 0.0,
    source: str = SOURCE,
    limited_as: str = SOURCE,
) -> int:
    try:
        authenticator.check(request, now, source=source, limited_as=limited_as)
    except RemoteProtocolError as error:
        return error.status
    return 200


def guess_until_refused(authenticator: Authenticator) -> list[int]:
    challenge = challenge_for(authenticator)
    return [status_of(authenticator, answering(challenge, f"guess{n}")) for n in range(6)]


def test_over_the_limit_no_password_is_looked_at() -> None:
    authenticator = make_authenticator()
    assert guess_until_refused(authenticator) == [401] * GUESSES + [503] * 3
    right = answering(challenge_for(authenticator), "secret")
    with pytest.raises(RemoteProtocolError) as caught:
        authenticator.check(right, 0.0, source=SOURCE, limited_as=SOURCE)
    assert caught.value.status == 503
    assert dict(caught.value.headers) == {"Retry-After": "1"}
    assert status_of(authenticator, right, 1.1) == 200


def test_unknown_users_count_like_known_ones() -> None:
    authenticator = make_authenticator()
    challenge = challenge_for(authenticator)
    statuses = [
        status_of(authenticator, answering(challenge, "x", f"user{n}")) for n in range(GUESSES + 1)
    ]
    assert statuses == [401] * GUESSES + [503]


def test_others_are_not_slowed_down() -> None:
    authenticator = make_authenticator()
    guess_until_refused(authenticator)
    other = "192.0.2.10"
    right = answering(challenge_for(authenticator, other), "secret")
    assert status_of(authenticator, right, source=other, limited_as=other) == 200


def test_who_has_no_limits_may_guess() -> None:
    authenticator = make_authenticator()
    challenge = challenge_for(authenticator)
    for number in range(10):
        wrong = answering(challenge, f"guess{number}")
        assert status_of(authenticator, wrong, limited_as="") == 401
    assert status_of(authenticator, answering(challenge, "secret"), limited_as="") == 200


def test_what_is_no_wrong_password_does_not_count() -> None:
    authenticator = make_authenticator()
    right = answering(challenge_for(authenticator), "secret")
    assert status_of(authenticator, right) == 200
    for _ in range(10):
        assert status_of(authenticator, right) == 401  # replayed
        assert status_of(authenticator, make("INVITE", uri=URI)) == 401  # none at all
        assert status_of(authenticator, answering(FOREIGN, "secret")) == 401  # of another run
    assert status_of(authenticator, answering(challenge_for(authenticator), "secret")) == 200


def test_whoever_writes_the_address_of_another_locks_nobody_out() -> None:
    """Only one who is there can answer a nonce that was sent there."""
    authenticator = make_authenticator()
    for number in range(20):
        assert status_of(authenticator, answering(FOREIGN, f"guess{number}")) == 401
    assert status_of(authenticator, answering(challenge_for(authenticator), "secret")) == 200


def test_answers_to_nonces_of_nobody_tell_a_guesser_nothing_over_the_limit() -> None:
    """A right password over a foreign nonce is told by stale=true: that is a guess too."""
    authenticator = make_authenticator()
    for number in range(GUESSES):
        status_of(authenticator, answering(FOREIGN, f"guess{number}"))
    with pytest.raises(RemoteProtocolError) as caught:
        authenticator.check(answering(FOREIGN, "secret"), 0.0, source=SOURCE, limited_as=SOURCE)
    challenges = parse_challenges(value for _, value in caught.value.headers)
    assert caught.value.status == 401
    assert [one.stale for one in challenges] == [False, False]
    with pytest.raises(RemoteProtocolError) as caught:
        authenticator.check(answering(FOREIGN, "secret"), 5.0, source=SOURCE, limited_as=SOURCE)
    challenges = parse_challenges(value for _, value in caught.value.headers)
    assert [one.stale for one in challenges] == [True, True]
