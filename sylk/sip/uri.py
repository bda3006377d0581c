"""SIP and SIPS URIs, and every other URI as opaque text (RFC 3261 section 19.1, RFC 3986).

User, parameters and headers are kept with their escapes decoded, once, and are escaped again
when written. A decoded value may hold anything, a NUL included: it is data, never a name to
look up in a file system. Treat the values as immutable, they are shared by message caches.
"""

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from sylk.errors import RemoteProtocolError

MAX_PORT = 65535

HOST = r"[A-Za-z0-9._-]++|\[[0-9A-Fa-f:.]++\]"
"""Source of a pattern for a host; underscores occur in deployed names."""

_TEXT = r'[^\x00-\x20\x7f<>"@'  # An open class: what no part of a URI may hold.
_SIP_URI = re.compile(
    rf"(sips?):(?:({_TEXT}:]++)(?::({_TEXT}:]*+))?@)?({HOST})(?::([0-9]{{1,5}}))?"
    rf"((?:;{_TEXT};?]++)*)(?:\?({_TEXT}]++))?",
    re.IGNORECASE,
)
_OTHER_URI = re.compile(r'([A-Za-z][A-Za-z0-9+.-]*+):([^\x00-\x20\x7f<>"]++)')
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

# The characters that need no escape, beyond letters, digits and "_.-~" (section 25.1).
_USER_SAFE = "!*'()&=+$,;?/"
_PASSWORD_SAFE = "!*'()&=+$,"
_PARAM_SAFE = "!*'()[]/:&+$"
_HEADER_SAFE = "!*'()[]/?:+$"

# A difference in one of these counts even if only one of two URIs has it (section 19.1.4).
_PARAMS_THAT_ALWAYS_COUNT = ("user", "ttl", "method", "maddr", "transport")


@dataclass(slots=True)
class SipURI:
    """Where a SIP request goes or whom it names (RFC 3261 section 19.1.1).

    `user` is decoded; `host` has no brackets; `params` have lower-case names.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    params: dict[str, str | None] = field(default_factory=dict[str, str | None])
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a SIP or SIPS URI. Raises RemoteProtocolError for anything else."""
        match = _SIP_URI.fullmatch(text)
        if match is None:
            raise RemoteProtocolError("malformed SIP URI")
        scheme, user, password, host, port, params, headers = match.groups()
        if "%" in text and _BAD_ESCAPE.search(text):
            raise RemoteProtocolError("malformed escape in URI")
        return cls(
            # Not what the text holds: the same two words for all of many thousand that are kept.
            "sips" if len(scheme) > len("sip") else "sip",
            unescape(user) if user is not None else None,
            unescape(password) if password is not None else None,
            parse_host(host),
            parse_port(port) if port is not None else None,
            _parse_uri_params(params) if params else {},
            _parse_uri_headers(headers) if headers else (),
        )

    def __str__(self) -> str:
        parts = [self.scheme, ":"]
        if self.user is not None:
            parts.append(escape(self.user, _USER_SAFE))
            if self.password is not None:
                parts += (":", escape(self.password, _PASSWORD_SAFE))
            parts.append("@")
        parts.append(render_host(self.host))
        if self.port is not None:
            parts.append(f":{self.port}")
        for name, value in self.params.items():
            parts.append(f";{escape(name, _PARAM_SAFE)}")
            if value is not None:
                parts.append(f"={escape(value, _PARAM_SAFE)}")
        mark = "?"
        for name, value in self.headers:
            parts.append(f"{mark}{escape(name, _HEADER_SAFE)}={escape(value, _HEADER_SAFE)}")
            mark = "&"
        return "".join(parts)

    @property
    def address(self) -> str:
        """`user@host`, or `host` alone, with the host in lower case: who is meant."""
        host = self.host.lower()
        return host if self.user is None else f"{self.user}@{host}"

    @property
    def aor(self) -> "SipURI":
        """The address of record: scheme, user and host without everything else."""
        return SipURI(self.scheme, self.user, None, self.host)

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case, None if there is none."""
        value = self.params.get("transport")
        return value.lower() if value else None

    @property
    def is_secure(self) -> bool:
        """Whether the scheme is sips."""
        return self.scheme == "sips"

    def matches(self, other: "SipURI | OtherURI") -> bool:
        """Return whether both name the same resource by the rules of RFC 3261 section 19.1.4."""
        if not isinstance(other, SipURI):
            return False
        if (self.scheme, self.user, self.password, self.port) != (
            other.scheme,
            other.user,
            other.password,
            other.port,
        ):
            return False
        return (
            self.host.lower() == other.host.lower()
            and _params_match(self.params, other.params)
            and _comparable(self.headers) == _comparable(other.headers)
        )


@dataclass(slots=True)
class OtherURI:
    """A URI of another scheme, such as tel, kept as it came; `text` is what follows the colon."""

    scheme: str
    text: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.text}"


def parse_uri(text: str) -> SipURI | OtherURI:
    """Parse any absolute URI. Raises RemoteProtocolError if it is none."""
    if text[:4].lower() == "sip:" or text[:5].lower() == "sips:":
        return SipURI.parse(text)
    match = _OTHER_URI.fullmatch(text)
    if match is None:
        raise RemoteProtocolError("malformed URI")
    return OtherURI(match[1].lower(), match[2])


def parse_host(text: str) -> str:
    """Return the host in `text`, which `HOST` has matched, without brackets.

    Raises RemoteProtocolError for brackets without an IPv6 address in them. Three colons in a
    row, which the grammar of RFC 3261 allows by mistake, become two (RFC 5118 section 4.10).
    """
    if text[0] != "[":
        return text
    address = text[1:-1].replace(":::", "::")
    try:
        IPv6Address(address)
    except AddressValueError:
        raise RemoteProtocolError("malformed IPv6 address") from None
    return address


def parse_port(text: str) -> int:
    """Return the port number in one to five digits. Raises RemoteProtocolError over 65535."""
    port = int(text)
    if port > MAX_PORT:
        raise RemoteProtocolError("port number too large")
    return port


def render_host(host: str) -> str:
    """Return `host` as a URI or Via needs it: an IPv6 address gets brackets."""
    return f"[{host}]" if ":" in host else host


def unescape(text: str) -> str:
    """Decode %HH once; octets that are no UTF-8 become surrogates."""
    if "%" not in text:
        return text
    # unquote_to_bytes encodes strictly, and what is not escaped may hold surrogates already.
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode(
        "utf-8", "surrogateescape"
    )


def escape(text: str, safe: str) -> str:
    """Escape all but letters, digits, "_.-~" and the characters in `safe`."""
    if text.isascii() and text.isalnum():
        return text
    return quote(text, safe=safe, errors="surrogateescape")


def _parse_uri_params(text: str) -> dict[str, str | None]:
    params: dict[str, str | None] = {}
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        name = unescape(name).lower()
        if not name or name in params:
            raise RemoteProtocolError("empty or repeated URI parameter")
        params[name] = unescape(value) if equals else None
    return params


def _parse_uri_headers(text: str) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if not name:
            raise RemoteProtocolError("URI header without a name")
        headers.append((unescape(name), unescape(value)))
    return tuple(headers)


def _params_match(left: dict[str, str | None], right: dict[str, str | None]) -> bool:
    if any((name in left) != (name in right) for name in _PARAMS_THAT_ALWAYS_COUNT):
        return False
    return all(
        (value or "").lower() == (right[name] or "").lower()
        for name, value in left.items()
        if name in right
    )


def _comparable(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in headers)
