"""Decides who sent a request, by digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760).

What is refused, and how:

- No credentials for our realm, or empty ones: 401 with a challenge for each algorithm.
- An unknown user, a wrong password, an algorithm or qop that was not offered: the same 401. An
  unknown user's digest is computed too, with a password of nobody, so that time tells as little
  as the answer does.
- A right digest over a nonce that is not ours, has expired, or came with this count already: 401
  with stale=true. The password is right, so the client goes on without asking for it again (RFC
  7616 sections 3.3 and 5.4); who replays a request cannot answer for the new nonce.
- A right digest from somebody who says in From to be another: 403. That no challenge can mend, and
  no P-Asserted-Identity: who is trusted to write one is not asked for a password.
- What cannot be read, lacks what is mandatory, or is made for another resource: 400.

The digest-uri and the Request-URI must have the same user part, and no more: RFC 3261 22.4 (6)
and RFC 8760 2.6 (6) allow for proxies that put another host, port or parameters into the
Request-URI. RFC 7616 3.4.6 has 400 for the others.

Our challenges have no `opaque`, which protects nothing that the nonce does not: they are shorter
without it, and answers go to sources that are not proven yet. Credentials with an opaque value
answer the challenge of somebody else, and their nonce counts as not ours. The -sess variants are
not offered, as clients disagree about which cnonce makes the session key.

Wrong answers are counted for each source, so that a guesser is slowed down: over the limit no
digest of that source is looked at, and it gets 503. Who answers a nonce that we did not give to
this source may not be there at all, and only write its address into datagrams. Those answers are
counted apart, and over that limit they are challenged anew, which costs the true owner of the
address nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.digest import (
    AUTH,
    PASSWORD_ALGORITHMS,
    Challenge,
    Credentials,
    StoredUser,
    compute_response,
    hash_password,
    parse_credentials,
    responses_agree,
)
from sylk.sip.message import Request
from sylk.sip.nonces import MAX_NONCES, NONCE_LIFETIME, Nonces
from sylk.sip.source_limits import TokenBuckets, retry_after
from sylk.sip.uri import OtherURI, SipURI, parse_uri

FindUser = Callable[[str, str], StoredUser | None]
"""Returns what is kept of (username, realm), None for nobody."""

DEFAULT_ALGORITHMS = ("SHA-256", "MD5")
"""What is offered: RFC 8760's algorithm, and the one that every client knows."""

MAX_TRIED = 4
"""How many credentials for our realm one request may hold: a client may answer each challenge."""

# RFC 3261 22.1: an ACK gets no answer, a CANCEL cannot be sent again with credentials.
_NEVER_CHALLENGED = frozenset({"ACK", "CANCEL"})
_ELSEWHERE = "/?"  # no address has it at its end
_LONGEST_NAME_SHOWN = 64  # characters


@dataclass(slots=True)
class Authenticated:
    """Who sent a request, proven. `identity` is the URI that names them: go by it, not by From."""

    username: str
    realm: str
    identity: SipURI


class _Verdict(Enum):
    """What credentials are worth."""

    GOOD = auto()
    STALE = auto()
    BAD = auto()


def needs_authentication(method: str) -> bool:
    """Tell whether requests of this method can be challenged (RFC 3261 section 22.1)."""
    return method not in _NEVER_CHALLENGED


class Authenticator:
    """Challenges requests for one realm and checks the answers.

    `find_user` returns what is kept of a password. `random_token` returns text of token characters
    that nobody can guess, with at least 64 bits of randomness. Times are seconds of a clock that
    does not go back; nonces are good for `nonce_lifetime` seconds, and at most `max_nonces` used
    ones are remembered (`sylk.sip.nonces`). Clients of RFC 2069, which send no qop and do not
    count, are refused unless `allows_no_qop`: then each nonce is good for one of their requests.
    `guesses` has a token for each wrong answer that a source may give.
    Raises LocalProtocolError for an algorithm that is not in `PASSWORD_ALGORITHMS`.
    """

    def __init__(
        self,
        realm: str,
        find_user: FindUser,
        *,
        random_token: Callable[[], str],
        nonce_lifetime: float = NONCE_LIFETIME,
        max_nonces: int = MAX_NONCES,
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        allows_no_qop: bool = False,
        guesses: TokenBuckets | None = None,
    ) -> None:
        unknown = [name for name in algorithms if name not in PASSWORD_ALGORITHMS]
        if unknown or not algorithms:
            raise LocalProtocolError(f"cannot offer the digest algorithms {list(algorithms)}")
        self._realm = realm
        self._find_user = find_user
        self._algorithms = [name for name in PASSWORD_ALGORITHMS if name in algorithms]
        self._allows_no_qop = allows_no_qop
        self._guesses = guesses
        self._nonces = Nonces(random_token, lifetime=nonce_lifetime, max_nonces=max_nonces)
        nobody, password = random_token(), random_token()
        self._nobody = StoredUser(
            {name: hash_password(nobody, realm, password, name) for name in self._algorithms}
        )

    @property
    def remembered(self) -> int:
        """How many used nonces are remembered."""
        return len(self._nonces)

    def challenge(
        self,
        request: Request,
        now: float,
        *,
        stale: bool = False,
        proxy: bool = False,
        source: str = "",
    ) -> list[tuple[str, str]]:
        """Return the header fields of a 401, or with `proxy` a 407: the strongest algorithm first.

        The nonce is of use only to who is checked with the same `source`: give the address that
        the request came from, or nothing to let clients wander. Raises LocalProtocolError for an
        ACK or CANCEL.
        """
        _check_method(request.method)
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        nonce = self._nonces.issue(now, source)
        challenges = (
            Challenge(self._realm, nonce, algorithm, stale=stale) for algorithm in self._algorithms
        )
        return [(name, str(challenge)) for challenge in challenges]

    def check(
        self,
        request: Request,
        now: float,
        *,
        proxy: bool = False,
        source: str = "",
        limited_as: str = "",
    ) -> Authenticated:
        """Return who sent the request; uses the nonce count of its credentials up.

        `limited_as` is what wrong answers are counted by; empty leaves them uncounted. Raises
        RemoteProtocolError with what to answer, and LocalProtocolError for an ACK or CANCEL.
        """
        _check_method(request.method)
        lines = request.headers.lines("Proxy-Authorization" if proxy else "Authorization")
        offered = [one for one in parse_credentials(lines) if one.realm == self._realm]
        if len(offered) > MAX_TRIED:
            raise RemoteProtocolError("too many credentials for one realm")
        stale = False
        for credentials in offered:
            verdict = self._judge(credentials, request, now, source, limited_as)
            if verdict is _Verdict.GOOD:
                return self._identify(credentials.username, request.from_.uri)
            stale = stale or verdict is _Verdict.STALE
        raise RemoteProtocolError(
            _describe(offered, stale),
            407 if proxy else 401,
            self.challenge(request, now, stale=stale, proxy=proxy, source=source),
        )

    def _judge(
        self,
        credentials: Credentials,
        request: Request,
        now: float,
        source: str,
        limited_as: str,
    ) -> _Verdict:
        if not credentials.nonce or not credentials.response:
            # RFC 8760 2.7: a client that introduces itself before there was a challenge.
            return _Verdict.BAD
        if credentials.algorithm not in self._algorithms or not self._takes_qop(credentials):
            return _Verdict.BAD
        _check_uri(credentials.uri, request.uri)
        is_there = self._nonces.issued(credentials.nonce, source)
        guesser = limited_as if is_there or not limited_as else limited_as + _ELSEWHERE
        if not self._may_guess(guesser, now, is_there=is_there):
            return _Verdict.BAD
        if not self._is_right(credentials, request.method):
            if self._guesses is not None and guesser:
                self._guesses.take(guesser, now)
            return _Verdict.BAD
        count = None if credentials.qop is None else int(credentials.nonce_count or "", 16)
        if credentials.opaque or not self._nonces.use(credentials.nonce, count, now, source):
            return _Verdict.STALE
        return _Verdict.GOOD

    def _may_guess(self, guesser: str, now: float, *, is_there: bool) -> bool:
        """Tell whether a digest is looked at; raises RemoteProtocolError (503) if that is final."""
        if self._guesses is None or not guesser or not self._guesses.wait(guesser, now):
            return True
        if is_there:
            raise RemoteProtocolError(
                "too many wrong passwords", 503, [retry_after(self._guesses, guesser, now)]
            )
        return False

    def _takes_qop(self, credentials: Credentials) -> bool:
        return self._allows_no_qop if credentials.qop is None else credentials.qop == AUTH

    def _is_right(self, credentials: Credentials, method: str) -> bool:
        """Tell whether the digest is that of the password, in the same time for all users."""
        user = self._find_user(credentials.username, self._realm)
        known = None if user is None else user.ha1.get(credentials.algorithm)
        ha1 = self._nobody.ha1[credentials.algorithm] if known is None else known
        expected = compute_response(ha1, credentials, method)
        return responses_agree(expected, credentials.response) and known is not None

    def _identify(self, username: str, uri: SipURI | OtherURI) -> Authenticated:
        """Let a user be user@realm alone: the user to the letter, the realm in any case."""
        if not isinstance(uri, SipURI) or (uri.user, uri.host.lower()) != (
            username,
            self._realm.lower(),
        ):
            raise RemoteProtocolError(f"{_shown(username)} says to be somebody else", 403)
        return Authenticated(username, self._realm, uri)


def _check_method(method: str) -> None:
    if not needs_authentication(method):
        raise LocalProtocolError(f"{method} must not be challenged")


def _check_uri(text: str, request_uri: SipURI | OtherURI) -> None:
    uri = parse_uri(text)
    if isinstance(uri, SipURI) and isinstance(request_uri, SipURI):
        agrees = uri.user == request_uri.user
    else:
        agrees = uri == request_uri
    if not agrees:
        raise RemoteProtocolError("the credentials are made for another Request-URI")


def _describe(offered: Sequence[Credentials], stale: bool) -> str:
    """Return why there is no access, for the log alone; it does not tell users from others."""
    if not offered:
        return "no credentials"
    what = "used or expired nonce" if stale else "wrong credentials"
    return f"{what} of {_shown(offered[0].username)}"


def _shown(username: str) -> str:
    return ascii(username[:_LONGEST_NAME_SHOWN])
