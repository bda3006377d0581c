"""Answering servers that ask for a password (RFC 3261 section 22, RFC 7616).

The request goes out once more with the digest: same Call-ID, same From tag, the next CSeq. Each
realm is answered once, and once more when it says that nothing but the nonce was old: whoever asks
again after that does not like the password. A request may meet several realms, a proxy and the
server itself; what the first one was told then goes to the next one too (section 22.3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sylk.errors import RemoteProtocolError
from sylk.sip.digest import Challenge, answer_challenge, parse_challenges
from sylk.sip.message import Request, Response
from sylk.sip.uri import OtherURI, SipURI

MAX_REALMS = 4
"""Realms that one request is given a password for."""

# Status of a challenge: where it stands, and where its answer goes (RFC 3261 sections 22.2, 22.3).
_CHALLENGES = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to a server that asks for a digest."""

    username: str
    password: str = field(repr=False)


@dataclass(slots=True)
class _Answered:
    """What one realm asks; `uses` counts how often its nonce has been used."""

    challenges: Sequence[Challenge]
    may_be_stale: bool
    uses: int = 0


class ChallengeAnswers:
    """The answers to what one request was asked, which each sending of it has to carry.

    `own_realm` is answered in front of others that stand beside it; `make_cnonce` returns text that
    nobody can guess.
    """

    def __init__(
        self, credentials: Credentials | None, own_realm: str, make_cnonce: Callable[[], str]
    ) -> None:
        self._credentials = credentials
        self._own_realm = own_realm
        self._make_cnonce = make_cnonce
        # By the header field of the answer, and by realm.
        self._answered: dict[tuple[str, str], _Answered] = {}

    def take(self, response: Response, request: Request) -> bool:
        """Take a response to `request`; tell whether to send it again with `headers`.

        False for what is no challenge, and for one that there is no answer to.
        """
        if self._credentials is None or response.status not in _CHALLENGES:
            return False
        asked_in, answered_in = _CHALLENGES[response.status]
        try:
            challenges = self._of_one_realm(parse_challenges(response.headers.lines(asked_in)))
            self._answer(challenges, 1, request.method, request.uri)
        except RemoteProtocolError:
            # The request stays refused, which its user is told.
            return False
        key = answered_in, challenges[0].realm
        before = self._answered.get(key)
        is_stale = any(challenge.stale for challenge in challenges)
        if before is not None and not (before.may_be_stale and is_stale):
            return False
        if before is None and len(self._answered) >= MAX_REALMS:
            return False
        self._answered[key] = _Answered(challenges, may_be_stale=before is None)
        return True

    def headers(self, method: str, uri: SipURI | OtherURI) -> list[tuple[str, str]]:
        """Return the header fields for the next sending of the request."""
        fields: list[tuple[str, str]] = []
        for (name, _), answered in self._answered.items():
            answered.uses += 1
            value = self._answer(answered.challenges, answered.uses, method, uri)
            fields.append((name, value))
        return fields

    def _answer(
        self, challenges: Sequence[Challenge], uses: int, method: str, uri: SipURI | OtherURI
    ) -> str:
        assert self._credentials is not None
        return answer_challenge(
            challenges,
            self._credentials.username,
            self._credentials.password,
            method,
            str(uri),
            uses,
            self._make_cnonce(),
        )

    def _of_one_realm(self, challenges: Sequence[Challenge]) -> list[Challenge]:
        """Return the challenges of our own realm, else those of the first one."""
        realms = [challenge.realm for challenge in challenges]
        wanted = self._own_realm if self._own_realm in realms else realms[0] if realms else ""
        return [challenge for challenge in challenges if challenge.realm == wanted]
