"""Digest authentication as values: challenges, credentials, and the digests that join them.

RFC 7616 with the algorithms of RFC 8760 and what RFC 3261 section 22 makes of both. Only
`qop=auth` is spoken. A challenge without qop comes from a server of RFC 2069 and is answered in
its way; whether credentials without qop are good enough is for the caller to say.

What deployed clients write is read where it has one meaning only: values quoted that should be
bare (nc, qop, algorithm) and bare that should be quoted (uri, response), names in any case,
white space around the equals sign, empty list elements, several challenges on one line, empty
`nonce` and `response` before there was a challenge (RFC 8760 section 2.7). A parameter that
comes twice is refused.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.sip.grammar import QUOTED_STRING, TOKEN, is_token, quote, unquote

MAX_VALUES = 16
"""How many challenges, or credentials, one message may hold."""

MAX_PARAMETERS = 32
"""How many parameters one challenge, or credentials, may have."""

MAX_NONCE_COUNT = 2**32 - 1  # eight hexadecimal digits

DEFAULT_ALGORITHM = "MD5"
"""What a challenge or credentials without the parameter mean (RFC 7616 section 3.3)."""

AUTH = "auth"

_SESSION = "-sess"
# The strongest first. Whether there is SHA-512/256 depends on the libraries Python is built with.
_HASHES: Mapping[str, str] = {
    algorithm: name
    for algorithm, name in (("SHA-512-256", "sha512_256"), ("SHA-256", "sha256"), ("MD5", "md5"))
    if name in hashlib.algorithms_available
}

PASSWORD_ALGORITHMS: tuple[str, ...] = tuple(_HASHES)
"""The hashes under which a password can be kept, the strongest first."""

ALGORITHMS: tuple[str, ...] = tuple(
    algorithm for base in _HASHES for algorithm in (base, base + _SESSION)
)
"""The algorithms that we speak, the strongest first."""

_CANONICAL = {algorithm.lower(): algorithm for algorithm in ALGORITHMS}

_LWS = " \t"
# The group is not possessive: in CPython 3.11.2 such a one takes half of what does not match.
_ELEMENT = re.compile(rf'(?:[^",]++|{QUOTED_STRING})*', re.DOTALL)
_PARAMETER = re.compile(
    rf"(?:({TOKEN.pattern})[ \t]++)?({TOKEN.pattern})[ \t]*+=[ \t]*+"
    rf'({QUOTED_STRING}|[^\x00-\x20\x7f",]*+)',
    re.DOTALL,
)
# A scheme alone, or with one opaque word as Negotiate has it (token68 of RFC 9110 11.2).
_OTHER_SCHEME = re.compile(rf"({TOKEN.pattern})(?:[ \t]++[A-Za-z0-9\-._~+/]++=*+)?")
_NONCE_COUNT = re.compile(r"[0-9A-Fa-f]{1,8}")
_EXTENDED_VALUE = re.compile(r"utf-8'[A-Za-z0-9-]*'([^']*)", re.IGNORECASE)

_FLAWED = "malformed credentials or challenge"


@dataclass(slots=True)
class Challenge:
    """What a server asks for (RFC 7616 section 3.3).

    `algorithm` is spelled as in `ALGORITHMS` if it is one of them. An empty `qop` means that the
    challenge had none.
    """

    realm: str
    nonce: str
    algorithm: str = DEFAULT_ALGORITHM
    qop: tuple[str, ...] = (AUTH,)
    opaque: str | None = None
    stale: bool = False

    def __str__(self) -> str:
        """Render the value of WWW-Authenticate or Proxy-Authenticate."""
        parts = [f"Digest realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f'qop="{",".join(self.qop)}"')
        return ", ".join(parts)


@dataclass(slots=True)
class Credentials:
    """What a client answers (RFC 7616 section 3.4).

    `uri`, `nonce_count` and `response` are text as the client wrote it, because the digest covers
    the text. `nonce_count` is one to eight hexadecimal digits.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = DEFAULT_ALGORITHM
    qop: str | None = None
    nonce_count: str | None = None
    cnonce: str | None = None
    opaque: str | None = None

    def __str__(self) -> str:
        """Render the value of Authorization or Proxy-Authorization."""
        parts = [
            f"Digest username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
            f"algorithm={self.algorithm}",
        ]
        if self.cnonce is not None:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.qop is not None:
            parts.append(f"qop={self.qop}")
        if self.nonce_count is not None:
            parts.append(f"nc={self.nonce_count}")
        return ", ".join(parts)


@dataclass(slots=True)
class StoredUser:
    """What is kept of a password: H(A1) in hexadecimal, by the names in `PASSWORD_ALGORITHMS`.

    Whoever reads it can pose as the user, so it is left out of what is printed.
    """

    ha1: Mapping[str, str] = field(repr=False)


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Return the Digest challenges in the values of WWW-Authenticate or Proxy-Authenticate.

    Challenges of other schemes are left out. Raises RemoteProtocolError.
    """
    return [_challenge(params) for params in _digest_params(lines)]


def parse_credentials(lines: Iterable[str], *, uri: str | None = None) -> list[Credentials]:
    """Return the Digest credentials in the values of Authorization or Proxy-Authorization.

    `uri` is the digest-uri of those that give none, as MSRP leaves it out (RFC 4976 section 7).
    Credentials of other schemes are left out. Raises RemoteProtocolError with status 400.
    """
    implied = {} if uri is None else {"uri": uri}
    return [_credentials(implied | params) for params in _digest_params(lines)]


def hash_password(username: str, realm: str, password: str, algorithm: str) -> str:
    """Return H(A1) without the session part: all that a server has to keep of a password.

    The -sess variants use the same value as the algorithm that they are a variant of. Raises
    LocalProtocolError for an algorithm that is not in `ALGORITHMS`.
    """
    return _hash(algorithm, f"{username}:{realm}:{password}")


def password_algorithm(algorithm: str) -> str:
    """Return the algorithm under which the password is kept that `algorithm` needs."""
    return algorithm.removesuffix(_SESSION)


def compute_response(ha1: str, credentials: Credentials, method: str) -> str:
    """Return the response that proves knowledge of `ha1` (RFC 7616 sections 3.4.1 to 3.4.3).

    Everything but `credentials.response` goes into it. Raises LocalProtocolError for an algorithm
    that is not in `ALGORITHMS`.
    """
    algorithm, nonce = credentials.algorithm, credentials.nonce
    cnonce = credentials.cnonce or ""
    if algorithm.endswith(_SESSION):
        ha1 = _hash(algorithm, f"{ha1}:{nonce}:{cnonce}")
    ha2 = _hash(algorithm, f"{method}:{credentials.uri}")
    if credentials.qop is None:
        return _hash(algorithm, f"{ha1}:{nonce}:{ha2}")
    count = credentials.nonce_count or ""
    return _hash(algorithm, f"{ha1}:{nonce}:{count}:{cnonce}:{credentials.qop}:{ha2}")


def responses_agree(expected: str, given: str) -> bool:
    """Compare two responses in a time that does not tell where they differ.

    Digits may be in either case: RFC 7616 has lower case, some clients write upper.
    """
    return hmac.compare_digest(_octets(expected.lower()), _octets(given.lower()))


def answer_challenge(
    challenges: Sequence[Challenge],
    username: str,
    password: str,
    method: str,
    uri: str,
    nonce_count: int,
    cnonce: str,
) -> str:
    """Return the value of Authorization for the strongest of `challenges` that we can answer.

    RFC 8760 section 2.4 would have the topmost taken; the order can be changed on the way, and a
    server that offers an algorithm takes it. `uri` is the Request-URI, `nonce_count` is 1 for the
    first use of a nonce and `cnonce` is text that nobody can guess. Give the challenges of one
    realm. Raises RemoteProtocolError if none can be answered.
    """
    answerable = [challenge for challenge in challenges if _is_answerable(challenge)]
    if not answerable:
        raise RemoteProtocolError("no challenge that we can answer")
    chosen = min(answerable, key=_weakness)
    credentials = Credentials(
        username, chosen.realm, chosen.nonce, uri, "", chosen.algorithm, opaque=chosen.opaque
    )
    # RFC 8760 2.6 (8) would have qop sent even so, but a server of RFC 2069 cannot check that.
    if chosen.qop:
        credentials = replace(
            credentials, qop=AUTH, nonce_count=f"{nonce_count:08x}", cnonce=cnonce
        )
    ha1 = hash_password(username, chosen.realm, password, chosen.algorithm)
    return str(replace(credentials, response=compute_response(ha1, credentials, method)))


def _is_answerable(challenge: Challenge) -> bool:
    if challenge.algorithm not in ALGORITHMS:
        return False
    if not challenge.qop:
        # RFC 3261 22.4 (8): what depends on cnonce needs qop.
        return not challenge.algorithm.endswith(_SESSION)
    return AUTH in challenge.qop


def _weakness(challenge: Challenge) -> int:
    return PASSWORD_ALGORITHMS.index(password_algorithm(challenge.algorithm))


def _hash(algorithm: str, text: str) -> str:
    name = _HASHES.get(password_algorithm(algorithm))
    if name is None:
        raise LocalProtocolError(f"there is no digest algorithm {algorithm!r}")
    # MD5 is what many clients know; nobody pretends that it is secure.
    return hashlib.new(name, _octets(text), usedforsecurity=False).hexdigest()


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _digest_params(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the parameters of each value whose scheme is Digest, names in lower case."""
    count = 0
    for line in lines:
        values = _parse_line(line)
        count += len(values)
        if count > MAX_VALUES:
            raise RemoteProtocolError("too many challenges or credentials")
        yield from (params for scheme, params in values if scheme == "digest")


def _parse_line(line: str) -> list[tuple[str, dict[str, str]]]:
    values: list[tuple[str, dict[str, str]]] = []
    for element in _elements(line):
        match = _PARAMETER.fullmatch(element)
        if match is None:
            match = _OTHER_SCHEME.fullmatch(element)
            if match is None:
                raise RemoteProtocolError(_FLAWED)
            values.append((match[1].lower(), {}))
            continue
        scheme, name, value = match.groups()
        if scheme is not None:
            values.append((scheme.lower(), {}))
        if not values:
            raise RemoteProtocolError(_FLAWED)
        params, name = values[-1][1], name.lower()
        if name in params:
            raise RemoteProtocolError("a parameter of the credentials or challenge comes twice")
        if len(params) == MAX_PARAMETERS:
            raise RemoteProtocolError("too many parameters in the credentials or challenge")
        params[name] = unquote(value)
    return values


def _elements(line: str) -> Iterator[str]:
    """Yield what stands between the commas outside quotes, stripped, without what is empty."""
    position = 0
    while position <= len(line):
        match = _ELEMENT.match(line, position)
        end = match.end() if match is not None else position
        if end < len(line) and line[end] != ",":
            raise RemoteProtocolError("a quote in the credentials or challenge is never closed")
        if element := line[position:end].strip(_LWS):
            yield element
        position = end + 1


def _challenge(params: Mapping[str, str]) -> Challenge:
    qop = tuple(option.strip(_LWS).lower() for option in params.get("qop", "").split(","))
    qop = tuple(option for option in qop if option)
    if not all(map(is_token, qop)):
        raise RemoteProtocolError(_FLAWED)
    return Challenge(
        realm=_required(params, "realm"),
        nonce=_required(params, "nonce"),
        algorithm=_algorithm(params),
        qop=qop,
        opaque=params.get("opaque"),
        stale=params.get("stale", "").lower() == "true",
    )


def _credentials(params: Mapping[str, str]) -> Credentials:
    qop, nonce_count = params.get("qop"), params.get("nc")
    if qop is not None and not is_token(qop):
        raise RemoteProtocolError("malformed qop in the credentials")
    if nonce_count is not None and not _NONCE_COUNT.fullmatch(nonce_count):
        raise RemoteProtocolError("malformed nc in the credentials")
    if qop is not None and (nonce_count is None or "cnonce" not in params):
        raise RemoteProtocolError("qop without nc and cnonce in the credentials")
    return Credentials(
        username=_username(params),
        realm=_required(params, "realm"),
        nonce=_required(params, "nonce"),
        uri=_required(params, "uri"),
        response=_required(params, "response"),
        algorithm=_algorithm(params),
        qop=qop,
        nonce_count=nonce_count,
        cnonce=params.get("cnonce"),
        opaque=params.get("opaque"),
    )


def _username(params: Mapping[str, str]) -> str:
    """Return the name, which `username*` gives in the notation of RFC 8187."""
    extended = params.get("username*")
    if extended is None:
        return _required(params, "username")
    match = _EXTENDED_VALUE.fullmatch(extended)
    if "username" in params or match is None:
        raise RemoteProtocolError("malformed or second username in the credentials")
    return unquote_to_bytes(_octets(match[1])).decode("utf-8", "surrogateescape")


def _required(params: Mapping[str, str], name: str) -> str:
    value = params.get(name)
    if value is None:
        raise RemoteProtocolError(f"no {name} in the credentials or challenge")
    return value


def _algorithm(params: Mapping[str, str]) -> str:
    algorithm = params.get("algorithm", DEFAULT_ALGORITHM)
    if not is_token(algorithm):
        raise RemoteProtocolError("malformed algorithm in the credentials or challenge")
    return _CANONICAL.get(algorithm.lower(), algorithm)
