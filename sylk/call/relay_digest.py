"""The digest of AUTH: what HTTP, SIP and a relay have in common (RFC 4976 section 9.1).

The digest is that of SIP, with these differences. The digest-uri is the rightmost URI of the
To-Path; clients leave it out, and one that is given must say the same. qop is `auth`, always. The
answer proves in turn that the relay knows the password (rspauth).

COMPAT: deployed clients answer only a challenge with `opaque`, and the last of several, whatever
algorithm that asks for. So MD5 comes last and each challenge has a value.
"""

import re
from collections.abc import Callable, Sequence

from sylk.errors import RemoteProtocolError
from sylk.msrp.relay_desk import Admission, HeaderLines
from sylk.msrp.uri import MsrpURI
from sylk.sip.authenticator import DEFAULT_ALGORITHMS, FindUser
from sylk.sip.digest import (
    AUTH,
    Challenge,
    Credentials,
    StoredUser,
    answer_challenge,
    compute_response,
    hash_password,
    parse_challenges,
    parse_credentials,
    responses_agree,
)
from sylk.sip.grammar import quote
from sylk.sip.nonces import MAX_NONCES, NONCE_LIFETIME, Nonces
from sylk.sip.source_limits import TokenBuckets

METHOD = "AUTH"

MAX_TRIED = 4
"""Credentials for our realm that one request may hold."""

_PROOF = re.compile(r'(?:^|[,\s])rspauth\s*=\s*"?([0-9A-Fa-f]+)"?')


class RelayDigest:
    """Challenges the clients of a relay and checks their answers.

    `find_user` returns what is kept of a password, `random_token` text that nobody can guess;
    `guesses` has a token for each wrong answer that a source may give. Times are seconds of a clock
    that does not go back.
    """

    def __init__(
        self,
        realm: str,
        find_user: FindUser,
        *,
        random_token: Callable[[], str],
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        nonce_lifetime: float = NONCE_LIFETIME,
        max_nonces: int = MAX_NONCES,
        guesses: TokenBuckets | None = None,
    ) -> None:
        self._realm = realm
        self._find_user = find_user
        self._algorithms = tuple(algorithms)
        self._guesses = guesses
        self._nonces = Nonces(random_token, lifetime=nonce_lifetime, max_nonces=max_nonces)
        self._opaque = random_token()
        nobody = random_token()
        self._nobody = StoredUser(
            {name: hash_password(nobody, realm, nobody, name) for name in self._algorithms}
        )

    def challenge(self, now: float, source: str, *, stale: bool = False) -> HeaderLines:
        """Return a WWW-Authenticate header field for each algorithm."""
        nonce = self._nonces.issue(now, source)
        challenges = (
            Challenge(self._realm, nonce, name, opaque=self._opaque, stale=stale)
            for name in self._algorithms
        )
        return [("WWW-Authenticate", str(challenge)) for challenge in challenges]

    def check(
        self, authorization: str, uri: str, now: float, source: str, guesser: str = ""
    ) -> Admission:
        """Return who answered a challenge, and use its nonce count up.

        Raises RemoteProtocolError: 401 with a challenge, 400, or 403 for a `guesser` who has given
        too many wrong answers: then the right one too is not told from a wrong one.
        """
        guesses = self._guesses if guesser else None
        if guesses is not None and guesses.wait(guesser, now):
            raise RemoteProtocolError("too many wrong passwords from its address", 403)
        offered = parse_credentials([authorization], uri=uri)
        offered = [one for one in offered if one.realm == self._realm]
        if len(offered) > MAX_TRIED:
            raise RemoteProtocolError("too many credentials for one realm")
        stale = False
        for credentials in offered:
            ha1 = self._ha1_of(credentials, uri)
            if ha1 is None:
                continue
            count = int(credentials.nonce_count or "", 16)
            if credentials.opaque in (None, self._opaque) and self._nonces.use(
                credentials.nonce, count, now, source
            ):
                return Admission(credentials.username, _info(ha1, credentials))
            stale = True
        name = f" of {offered[0].username[:64]!a}" if offered else ""
        if guesses is not None and offered and not stale:
            guesses.take(guesser, now)
        what = "used or expired nonce" if stale else "wrong credentials"
        challenge = self.challenge(now, source, stale=stale)
        raise RemoteProtocolError(f"{what}{name}", 401, challenge)

    def _ha1_of(self, credentials: Credentials, uri: str) -> str | None:
        """Return the user's H(A1) if the digest is right, in the same time for all users."""
        if credentials.algorithm not in self._algorithms or credentials.qop != AUTH:
            return None
        if credentials.uri != uri and not _is_same(credentials.uri, uri):
            raise RemoteProtocolError("the credentials are made for another URI")
        user = self._find_user(credentials.username, self._realm)
        known = None if user is None else user.ha1.get(credentials.algorithm)
        ha1 = self._nobody.ha1[credentials.algorithm] if known is None else known
        is_right = responses_agree(compute_response(ha1, credentials, METHOD), credentials.response)
        return known if is_right else None


class RelayPassword:
    """Answers the challenges of relays for one user."""

    def __init__(self, username: str, password: str, random_token: Callable[[], str]) -> None:
        self._username = username
        self._password = password
        self._random_token = random_token

    def answer(self, challenges: str, uri: str) -> str:
        """Return the value of Authorization; raises RemoteProtocolError where we know none."""
        return answer_challenge(
            parse_challenges([challenges]),
            self._username,
            self._password,
            METHOD,
            uri,
            1,
            self._random_token(),
        )

    def is_stale(self, challenges: str) -> bool:
        """Tell whether nothing but the nonce was old."""
        try:
            return any(challenge.stale for challenge in parse_challenges([challenges]))
        except RemoteProtocolError:
            return False

    def knows_us(self, info: str, authorization: str) -> bool:
        """Tell whether Authentication-Info proves that the relay knows the password."""
        try:
            (given,) = parse_credentials([authorization])
        except (RemoteProtocolError, ValueError):
            return False
        match = _PROOF.search(info)
        if match is None:
            return False
        ha1 = hash_password(given.username, given.realm, self._password, given.algorithm)
        return responses_agree(compute_response(ha1, given, ""), match[1])


def _info(ha1: str, credentials: Credentials) -> str:
    proof = compute_response(ha1, credentials, "")
    return (
        f"rspauth={quote(proof)}, cnonce={quote(credentials.cnonce or '')}, "
        f"nc={credentials.nonce_count}, qop={AUTH}"
    )


def _is_same(text: str, uri: str) -> bool:
    try:
        return MsrpURI.parse(text).matches(MsrpURI.parse(uri))
    except RemoteProtocolError:
        return False
