"""The digest of AUTH, against clients that write it in their several ways."""

import hashlib
import itertools

import pytest

from sylk.call.relay_digest import RelayDigest, RelayPassword
from sylk.errors import RemoteProtocolError
from sylk.sip.digest import StoredUser, hash_password, parse_challenges
from sylk.sip.source_limits import TokenBuckets

REALM = "relay.example.com"
URI = "msrps://relay.example.com:2855;tcp"
FIND = {"alice": "secret"}


def find_user(username: str, realm: str) -> StoredUser | None:
    if username not in FIND:
        return None
    digests = {
        name: hash_password(username, realm, FIND[username], name) for name in ("MD5", "SHA-256")
    }
    return StoredUser(digests)


def make() -> RelayDigest:
    tokens = itertools.count(1)
    return RelayDigest(REALM, find_user, random_token=lambda: f"token{next(tokens):020d}")


def challenges(digest: RelayDigest, now: float = 0.0, source: str = "here") -> str:
    return ", ".join(value for _, value in digest.challenge(now, source))


def deployed(digest: RelayDigest, password: str = "secret", uri: str = URI) -> tuple[str, str]:
    """Answer as clients in the field do: MD5, no algorithm, no uri. Returns rspauth too."""
    challenge = parse_challenges([digest.challenge(0.0, "here")[-1][1]])[0]
    assert challenge.opaque is not None

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    ha1 = md5(f"alice:{REALM}:{password}")
    middle = f"{challenge.nonce}:00000001:abc:auth"
    response = md5(f"{ha1}:{middle}:{md5('AUTH:' + uri)}")
    value = (
        f'Digest username="alice", realm="{REALM}", nonce="{challenge.nonce}", qop=auth, '
        f'nc=00000001, cnonce="abc", response="{response}", opaque="{challenge.opaque}"'
    )
    return value, md5(f"{ha1}:{middle}:{md5(':' + uri)}")


def test_a_deployed_client_is_let_in_and_can_check_us() -> None:
    digest = make()
    value, proof = deployed(digest)
    admission = digest.check(value, URI, 1.0, "here")
    assert admission.username == "alice"
    assert admission.info == f'rspauth="{proof}", cnonce="abc", nc=00000001, qop=auth'


def test_the_digest_covers_the_rightmost_uri() -> None:
    digest = make()
    value, _ = deployed(digest, uri="msrps://other.example.com;tcp")
    assert status(digest, value) == 401


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("msrps://RELAY.example.com;tcp", 401),
        ("msrps://other.example.com;tcp", 400),
        ("nonsense", 400),
    ],
)
def test_a_uri_that_is_given_must_say_the_same(given: str, expected: int) -> None:
    digest = make()
    value, _ = deployed(digest)
    assert status(digest, f'{value}, uri="{given}"') == expected


def status(digest: RelayDigest, value: str, now: float = 1.0, source: str = "here") -> int:
    try:
        digest.check(value, URI, now, source)
    except RemoteProtocolError as error:
        return error.status
    return 200


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_both_algorithms_work_with_our_own_client(algorithm: str) -> None:
    digest = make()
    offered = [value for _, value in digest.challenge(0.0, "here") if algorithm in value]
    password = RelayPassword("alice", "secret", lambda: "c" * 16)
    value = password.answer(offered[0], URI)
    admission = digest.check(value, URI, 1.0, "here")
    assert password.knows_us(admission.info, value)
    assert not password.knows_us(admission.info.replace("rspauth", "other"), value)
    other = RelayPassword("alice", "wrong", lambda: "c" * 16)
    assert not other.knows_us(admission.info, value)
    assert not password.knows_us(admission.info, "nonsense")


def test_the_stronger_algorithm_is_taken() -> None:
    digest = make()
    value = RelayPassword("alice", "secret", lambda: "c").answer(challenges(digest), URI)
    assert "algorithm=SHA-256" in value


def test_a_count_is_good_once() -> None:
    digest = make()
    value, _ = deployed(digest)
    assert status(digest, value) == 200
    with pytest.raises(RemoteProtocolError) as caught:
        digest.check(value, URI, 1.0, "here")
    assert caught.value.status == 401
    assert "stale=true" in caught.value.headers[0][1]


@pytest.mark.parametrize(("now", "source"), [(301.0, "here"), (1.0, "elsewhere")])
def test_a_nonce_is_good_for_a_while_and_over_one_connection(now: float, source: str) -> None:
    digest = make()
    value, _ = deployed(digest)
    assert status(digest, value, now, source) == 401
    assert status(digest, value) == 200


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("qop=auth", "qop=auth-int"),
        ("qop=auth, ", ""),
        (REALM, "other.example.com"),
        ('"alice"', '"bob"'),
        ("opaque=", "algorithm=MD5-sess, opaque="),
    ],
)
def test_what_was_not_asked_for_is_refused(old: str, new: str) -> None:
    digest = make()
    value, _ = deployed(digest)
    assert status(digest, value.replace(old, new)) == 401


def test_a_wrong_password_and_an_unknown_user_look_alike() -> None:
    digest = make()
    wrong, _ = deployed(digest, password="wrong")
    unknown = wrong.replace('"alice"', '"eve"')
    for value in (wrong, unknown):
        with pytest.raises(RemoteProtocolError) as caught:
            digest.check(value, URI, 1.0, "here")
        assert caught.value.status == 401
        assert "stale" not in caught.value.headers[0][1]


def test_an_opaque_of_somebody_else_is_an_old_challenge() -> None:
    digest = make()
    value, _ = deployed(digest)
    head, _, _ = value.partition("opaque=")
    assert status(digest, head + 'opaque="other"') == 401
    assert status(digest, head.rstrip(", ")) == 200


def test_too_many_credentials_are_refused() -> None:
    digest = make()
    value, _ = deployed(digest)
    assert status(digest, ", ".join([value] * 5)) == 400


@pytest.mark.parametrize(
    ("text", "stale"), [("stale=TRUE", True), ("stale=no", False), ('"', False)]
)
def test_a_stale_challenge_is_known(text: str, stale: bool) -> None:
    password = RelayPassword("alice", "secret", lambda: "c")
    assert password.is_stale(f'Digest realm="r", nonce="n", {text}') is stale


def guess(digest: RelayDigest, password: str, guesser: str, now: float = 0.0) -> int:
    client = RelayPassword("alice", password, lambda: "c" * 16)
    value = client.answer(challenges(digest, now), URI)
    try:
        digest.check(value, URI, now, "here", guesser)
    except RemoteProtocolError as error:
        return error.status
    return 200


def test_a_source_has_so_many_guesses() -> None:
    tokens = itertools.count(1)
    digest = RelayDigest(
        REALM,
        find_user,
        random_token=lambda: f"token{next(tokens):020d}",
        guesses=TokenBuckets(3 / 60, 3),
    )
    assert [guess(digest, "wrong", "192.0.2.1") for _ in range(4)] == [401, 401, 401, 403]
    # The right one tells it nothing now, while others are let in.
    assert guess(digest, "secret", "192.0.2.1") == 403
    assert guess(digest, "secret", "192.0.2.2") == 200
    assert [guess(digest, "wrong", "") for _ in range(9)] == [401] * 9
    assert guess(digest, "secret", "192.0.2.1", 21.0) == 200
    # What is right takes none.
    assert [guess(digest, "secret", "192.0.2.2") for _ in range(9)] == [200] * 9
