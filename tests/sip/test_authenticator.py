import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
)

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.authenticator import (
    MAX_TRIED,
    Authenticated,
    Authenticator,
    needs_authentication,
)
from sylk.sip.digest import (
    PASSWORD_ALGORITHMS,
    Challenge,
    Credentials,
    StoredUser,
    answer_challenge,
    compute_response,
    hash_password,
    parse_challenges,
)
from sylk.sip.message import Request, Response
from sylk.sip.nonces import REORDERING_WINDOW
from sylk.sip.uri import SipURI, parse_uri
from tests.sip.user_agents import make, over_the_wire, tokens

REALM = "example.com"
LIFETIME = 300.0
URI = "sip:room@192.0.2.1"
PASSWORDS = {"alice": "secret", "bob": "hunter2"}
# Every method that gets something done: none may come by with less than INVITE needs.
METHODS = ("INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "BYE", "INFO", "UPDATE", "OPTIONS", "NOTIFY")


def find_user(username: str, realm: str) -> StoredUser | None:
    password = PASSWORDS.get(username)
    if password is None or realm != REALM:
        return None
    return StoredUser(
        {
            algorithm: hash_password(username, realm, password, algorithm)
            for algorithm in PASSWORD_ALGORITHMS
        }
    )


def make_authenticator(
    *, algorithms: tuple[str, ...] = ("SHA-256", "MD5"), allows_no_qop: bool = False
) -> Authenticator:
    return Authenticator(
        REALM,
        find_user,
        random_token=tokens("secret"),
        nonce_lifetime=LIFETIME,
        max_nonces=100,
        algorithms=algorithms,
        allows_no_qop=allows_no_qop,
    )


def challenges_of(authenticator: Authenticator, now: float = 0.0) -> list[Challenge]:
    headers = authenticator.challenge(make("INVITE"), now)
    return parse_challenges(value for _, value in headers)


def answer(
    challenges: list[Challenge],
    *,
    username: str = "alice",
    password: str = "secret",
    method: str = "INVITE",
    uri: str = URI,
    count: int = 1,
) -> str:
    return answer_challenge(challenges, username, password, method, uri, count, "cnonce")


def with_answer(value: str, *more: tuple[str, str], method: str = "INVITE") -> Request:
    return make(method, ("Authorization", value), *more, uri=URI)


def rewritten(challenge: Challenge, changes: Mapping[str, str | None]) -> str:
    """Return credentials of alice with other values in them, and the digest that fits those."""
    credentials = Credentials(
        "alice",
        challenge.realm,
        challenge.nonce,
        URI,
        "",
        challenge.algorithm,
        "auth",
        "00000001",
        "cnonce",
    )
    for name, value in changes.items():
        setattr(credentials, name, value)
    ha1 = hash_password("alice", REALM, "secret", challenge.algorithm)
    credentials.response = compute_response(ha1, credentials, "INVITE")
    return str(credentials)


def refusal_of(
    authenticator: Authenticator, request: Request, now: float = 0.0
) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        authenticator.check(request, now)
    return caught.value


def stale_of(error: RemoteProtocolError) -> bool:
    """Return whether a 401 says that only the nonce was bad."""
    assert error.status == 401
    assert {name for name, _ in error.headers} == {"WWW-Authenticate"}
    (stale,) = {one.stale for one in parse_challenges(value for _, value in error.headers)}
    return stale


# The round trip


@pytest.mark.parametrize("algorithm", PASSWORD_ALGORITHMS)
def test_who_answers_the_challenge_is_known(algorithm: str) -> None:
    authenticator = make_authenticator(algorithms=(algorithm,))
    (challenge,) = challenges_of(authenticator)
    assert challenge.algorithm == algorithm
    request = over_the_wire(with_answer(answer([challenge])))
    assert isinstance(request, Request)
    expected = Authenticated("alice", REALM, SipURI("sip", "alice", None, REALM))
    assert authenticator.check(request, 0.0) == expected


def test_a_challenge_for_each_algorithm_the_strongest_first() -> None:
    challenges = challenges_of(make_authenticator(algorithms=("MD5", "SHA-256")))
    assert [challenge.algorithm for challenge in challenges] == ["SHA-256", "MD5"]
    for challenge in challenges:
        assert challenge.realm == REALM
        assert challenge.qop == ("auth",)
        assert not challenge.stale
        assert challenge.opaque is None


def test_the_weaker_algorithm_is_taken_if_it_was_offered() -> None:
    authenticator = make_authenticator()
    _, md5 = challenges_of(authenticator)
    assert authenticator.check(with_answer(answer([md5])), 0.0).username == "alice"


def test_a_proxy_asks_with_its_own_header_fields() -> None:
    authenticator = make_authenticator()
    request = make("INVITE", uri=URI)
    with pytest.raises(RemoteProtocolError) as caught:
        authenticator.check(request, 0.0, proxy=True)
    assert caught.value.status == 407
    assert {name for name, _ in caught.value.headers} == {"Proxy-Authenticate"}
    value = answer(parse_challenges(value for _, value in caught.value.headers))
    request.headers.add("Proxy-Authorization", value)
    assert stale_of(refusal_of(authenticator, request)) is False
    assert authenticator.check(request, 0.0, proxy=True).username == "alice"


def test_credentials_for_other_realms_and_schemes_are_not_ours() -> None:
    authenticator = make_authenticator()
    others = [
        ("Authorization", "Basic YWxpY2U6c2VjcmV0"),
        ("Authorization", rewritten(Challenge("other.example", "n"), {})),
    ]
    assert stale_of(refusal_of(authenticator, make("INVITE", *others, uri=URI))) is False
    value = answer(challenges_of(authenticator))
    request = make("INVITE", *others, ("Authorization", value), uri=URI)
    assert authenticator.check(request, 0.0).username == "alice"


def test_a_client_may_answer_every_challenge() -> None:
    authenticator = make_authenticator()
    sha256, md5 = challenges_of(authenticator)
    bad = answer([sha256], password="wrong")
    request = with_answer(bad, ("Authorization", answer([md5])))
    assert authenticator.check(request, 0.0).username == "alice"
    many = [("Authorization", bad)] * MAX_TRIED
    assert refusal_of(authenticator, with_answer(bad, *many)).status == 400


# What is refused


@pytest.mark.parametrize("method", METHODS)
def test_every_method_needs_credentials(method: str) -> None:
    assert needs_authentication(method)
    authenticator = make_authenticator()
    error = refusal_of(authenticator, make(method, uri=URI))
    assert stale_of(error) is False
    challenges = parse_challenges(value for _, value in error.headers)
    request = with_answer(answer(challenges, method=method), method=method)
    assert authenticator.check(request, 0.0).username == "alice"


@pytest.mark.parametrize("method", [method for method in METHODS if method != "INVITE"])
def test_the_credentials_of_an_invite_are_good_for_no_other_method(method: str) -> None:
    authenticator = make_authenticator()
    value = answer(challenges_of(authenticator))
    assert stale_of(refusal_of(authenticator, with_answer(value, method=method))) is False


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_are_never_challenged(method: str) -> None:
    authenticator = make_authenticator()
    assert not needs_authentication(method)
    with pytest.raises(LocalProtocolError):
        authenticator.challenge(make(method), 0.0)
    with pytest.raises(LocalProtocolError):
        authenticator.check(make(method), 0.0)


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer() -> None:
    answers: list[Response] = []
    for username, password in (("alice", "wrong"), ("nobody", "secret"), ("", "")):
        authenticator = make_authenticator()
        value = answer(challenges_of(authenticator), username=username, password=password)
        request = with_answer(value)
        error = refusal_of(authenticator, request)
        answers.append(Response.to_request(request, error.status, headers=error.headers))
        assert authenticator.remembered == 0
    assert answers[0] == answers[1] == answers[2]


def test_who_guesses_the_user_that_nobody_is_stays_outside() -> None:
    names = [f"secret{number}" for number in range(1, 10)]
    for name, password in itertools.pairwise(names):
        authenticator = make_authenticator()
        value = answer(challenges_of(authenticator), username=name, password=password)
        assert stale_of(refusal_of(authenticator, with_answer(value))) is False


def test_the_log_line_of_a_refusal_is_short_and_on_one_line() -> None:
    authenticator = make_authenticator()
    value = answer(challenges_of(authenticator), username="x\0\x1b\x85\u202e" * 500)
    message = str(refusal_of(authenticator, with_answer(value)))
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "SHA-256-sess"},
        {"algorithm": "MD5-sess"},
        {"qop": "auth-int"},
        {"qop": None, "nonce_count": None, "cnonce": None},
        {"qop": None},
        {"realm": "EXAMPLE.COM"},
        {"nonce": ""},
    ],
)
def test_credentials_that_answer_no_challenge_of_ours(changes: dict[str, str | None]) -> None:
    authenticator = make_authenticator()
    challenge = challenges_of(authenticator)[0]
    value = rewritten(challenge, changes)
    assert stale_of(refusal_of(authenticator, with_answer(value))) is False


def test_an_algorithm_that_we_do_not_have() -> None:
    authenticator = make_authenticator()
    value = answer(challenges_of(authenticator)).replace("SHA-256", "SHA-3000")
    assert stale_of(refusal_of(authenticator, with_answer(value))) is False


def test_an_algorithm_for_which_no_digest_is_kept() -> None:
    def find(username: str, realm: str) -> StoredUser:
        return StoredUser({"MD5": hash_password(username, realm, "secret", "MD5")})

    authenticator = Authenticator(REALM, find, random_token=tokens())
    sha256, md5 = challenges_of(authenticator)
    assert stale_of(refusal_of(authenticator, with_answer(answer([sha256])))) is False
    assert authenticator.check(with_answer(answer([md5])), 0.0).username == "alice"


def test_a_client_that_introduces_itself_before_the_challenge() -> None:
    # RFC 8760 section 2.7
    value = f'Digest username="alice", realm="{REALM}", nonce="", uri="{URI}", response=""'
    assert stale_of(refusal_of(make_authenticator(), with_answer(value))) is False


@pytest.mark.parametrize(
    "changes",
    [{"nonce": "deadbeef"}, {"nonce": "1.2.3"}, {"nonce": "\xe9\udcff"}, {"opaque": "other"}],
)
def test_a_right_digest_over_a_nonce_that_is_not_ours_is_stale(changes: dict[str, str]) -> None:
    authenticator = make_authenticator()
    value = rewritten(challenges_of(authenticator)[0], changes)
    assert stale_of(refusal_of(authenticator, with_answer(value))) is True
    assert authenticator.remembered == 0


def test_an_expired_nonce_is_stale_only_with_the_right_password() -> None:
    authenticator = make_authenticator()
    challenges = challenges_of(authenticator)
    good, bad = with_answer(answer(challenges)), with_answer(answer(challenges, password="x"))
    assert stale_of(refusal_of(authenticator, good, LIFETIME)) is True
    assert stale_of(refusal_of(authenticator, bad, LIFETIME)) is False
    assert authenticator.check(good, LIFETIME - 1).username == "alice"


def test_a_replay_is_refused_and_an_honest_client_goes_on() -> None:
    authenticator = make_authenticator()
    request = with_answer(answer(challenges_of(authenticator)))
    authenticator.check(request, 0.0)
    error = refusal_of(authenticator, request)
    assert stale_of(error) is True
    again = answer(parse_challenges(value for _, value in error.headers))
    assert authenticator.check(with_answer(again), 0.0).username == "alice"


def test_counts_that_overtake_each_other() -> None:
    authenticator = make_authenticator()
    challenges = challenges_of(authenticator)
    for count in (2, 1, 3):
        request = with_answer(answer(challenges, count=count))
        assert authenticator.check(request, 0.0).username == "alice"
        assert stale_of(refusal_of(authenticator, request)) is True


def test_a_client_of_rfc_2069_gets_in_once_a_nonce_if_that_is_allowed() -> None:
    authenticator = make_authenticator(allows_no_qop=True)
    challenge = challenges_of(authenticator)[1]
    for without in ({"qop": None, "nonce_count": None, "cnonce": None}, {"qop": None}):
        value = rewritten(Challenge(REALM, challenge.nonce), without)
        if authenticator.remembered:
            assert stale_of(refusal_of(authenticator, with_answer(value))) is True
        else:
            assert authenticator.check(with_answer(value), 0.0).username == "alice"
    assert stale_of(refusal_of(authenticator, with_answer(answer([challenge])))) is True


@pytest.mark.parametrize(
    ("name", "value"),
    [("uri", "sip:other@192.0.2.1"), ("uri", "sip:192.0.2.1"), ("uri", "tel:+1"), ("uri", "")],
)
def test_credentials_for_another_resource(name: str, value: str) -> None:
    authenticator = make_authenticator()
    request = with_answer(rewritten(challenges_of(authenticator)[0], {name: value}))
    error = refusal_of(authenticator, request)
    assert (error.status, error.headers) == (400, ())
    assert authenticator.remembered == 0


@pytest.mark.parametrize(
    "uri", ["sip:room@example.com", "sips:room@example.com:5061;transport=tls", "sip:r%6fom@[::1]"]
)
def test_a_proxy_may_rewrite_all_but_the_user(uri: str) -> None:
    authenticator = make_authenticator()
    request = with_answer(answer(challenges_of(authenticator), uri=uri))
    assert authenticator.check(request, 0.0).username == "alice"


@pytest.mark.parametrize("value", ["Digest", f'Digest realm="{REALM}"', '"', "Digest x"])
def test_malformed_credentials(value: str) -> None:
    error = refusal_of(make_authenticator(), with_answer(value))
    assert (error.status, error.headers) == (400, ())


def test_a_nonce_can_be_bound_to_its_source() -> None:
    authenticator = make_authenticator()
    headers = authenticator.challenge(make("INVITE"), 0.0, source="192.0.2.9")
    request = with_answer(answer(parse_challenges(value for _, value in headers)))
    assert stale_of(refusal_of(authenticator, request)) is True
    assert authenticator.check(request, 0.0, source="192.0.2.9").username == "alice"


@pytest.mark.parametrize("algorithms", [(), ("SHA-256-sess",), ("MD5", "ROT13")])
def test_algorithms_that_cannot_be_offered(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        make_authenticator(algorithms=algorithms)


def test_the_header_fields_of_a_challenge_are_short() -> None:
    # An answer to a source that may be forged must not be much longer than the question.
    headers = Authenticator(REALM, find_user, random_token=lambda: "0" * 20).challenge(
        make("INVITE"), 1e6
    )
    assert sum(len(f"{name}: {value}\r\n") for name, value in headers) < 350


# Who it is


def test_an_authenticated_user_cannot_be_another() -> None:
    authenticator = make_authenticator()
    value = answer(challenges_of(authenticator), username="bob", password="hunter2")
    error = refusal_of(authenticator, with_answer(value))
    assert (error.status, error.headers) == (403, ())


def test_an_asserted_identity_does_not_help_a_user() -> None:
    authenticator = make_authenticator()
    value = answer(challenges_of(authenticator), username="bob", password="hunter2")
    asserted = ("P-Asserted-Identity", '"Bob" <sip:bob@example.com>, <tel:+1234>')
    assert refusal_of(authenticator, with_answer(value, asserted)).status == 403


@pytest.mark.parametrize(
    ("uri", "agrees"),
    [
        ("sip:alice@example.com", True),
        ("sips:alice@EXAMPLE.com:5061;transport=tls", True),
        ("sip:%61lice@example.com", True),
        ("sip:Alice@example.com", False),
        ("sip:alice@example.org", False),
        ("sip:alice@sub.example.com", False),
        ("sip:bob@example.com", False),
        ("sip:example.com", False),
        ("sip:alice%00@example.com", False),
        ("tel:alice@example.com", False),
    ],
)
@pytest.mark.parametrize("realm", ["example.com", "Example.Com"])
def test_identity(uri: str, agrees: bool, realm: str) -> None:
    alice = StoredUser({"MD5": hash_password("alice", realm, "secret", "MD5")})
    authenticator = Authenticator(
        realm, lambda _user, _realm: alice, random_token=tokens("secret"), algorithms=["MD5"]
    )
    request = with_answer(answer(challenges_of(authenticator)))
    request.headers.set("From", f"<{uri}>;tag=1")
    if agrees:
        assert authenticator.check(request, 0.0).identity == parse_uri(uri)
    else:
        assert refusal_of(authenticator, request).status == 403


# Whatever comes


@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\0"))
        | st.sampled_from([f'Digest realm="{REALM}"', ", ", "nonce=1", ", uri=sip:room@x", "nc=1"]),
        max_size=6,
    ).map("".join)
)
def test_no_text_gets_in(value: str) -> None:
    assert refusal_of(make_authenticator(), with_answer(value)).status in (400, 401)


class Traffic(RuleBasedStateMachine):
    """Requests of two clients, sent, replayed, overtaken and too late, in any order."""

    nonces: Bundle[tuple[str, list[Challenge], float]] = Bundle("nonces")
    under_way: Bundle[tuple[Request, str, float]] = Bundle("under_way")
    seen: Bundle[Request] = Bundle("seen")

    def __init__(self) -> None:
        super().__init__()
        self.authenticator = make_authenticator()
        self.now = 0.0
        self.counts: dict[str, int] = {}

    @rule(target=nonces, username=st.sampled_from(["alice", "bob"]))
    def challenge(self, username: str) -> tuple[str, list[Challenge], float]:
        return username, challenges_of(self.authenticator, self.now), self.now

    @rule(seconds=st.sampled_from([1.0, 100.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        target=under_way,
        known=nonces,
        method=st.sampled_from(["INVITE", "MESSAGE"]),
        algorithm=st.integers(0, 1),
    )
    def send(
        self, known: tuple[str, list[Challenge], float], method: str, algorithm: int
    ) -> MultipleResults[tuple[Request, str, float]]:
        username, challenges, issued = known
        nonce = challenges[0].nonce
        if self.counts.get(nonce) == REORDERING_WINDOW:
            return multiple()  # Later counts would leave those under way too far behind.
        count = self.counts[nonce] = self.counts.get(nonce, 0) + 1
        value = answer(
            [challenges[algorithm]],
            username=username,
            password=PASSWORDS[username],
            method=method,
            count=count,
        )
        request = with_answer(value, method=method)
        request.headers.set("From", f"<sip:{username}@{REALM}>;tag=1")
        return multiple((request, username, issued))

    @rule(target=seen, sent=consumes(under_way))
    def arrive(self, sent: tuple[Request, str, float]) -> Request:
        request, username, issued = sent
        if self.now < issued + LIFETIME:
            known = self.authenticator.check(request, self.now)
            assert known.username == username
        else:
            assert stale_of(refusal_of(self.authenticator, request, self.now)) is True
        return request

    @rule(request=seen)
    def replay(self, request: Request) -> None:
        assert stale_of(refusal_of(self.authenticator, request, self.now)) is True

    @rule(request=seen)
    def replay_as_another_method(self, request: Request) -> None:
        value = request.headers.get("Authorization") or ""
        other = with_answer(value, method="REFER")
        assert stale_of(refusal_of(self.authenticator, other, self.now)) is False


TestTraffic = Traffic.TestCase
