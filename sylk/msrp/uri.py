"""MSRP URIs and paths: where a session lives and which hops lead to it (RFC 4975 sections 6, 9).

A path is the list of URIs in `a=path`, `To-Path` or `From-Path`. URIs are compared by the rules of
RFC 4975 section 6.1, which are not those of text equality.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from urllib.parse import unquote

from sylk.errors import RemoteProtocolError

DEFAULT_PORT = 2855
"""The port of a URI that names none (RFC 4975 section 6)."""

MAX_URI_LENGTH = 2048
"""Bytes in one URI; a longer one is refused."""

MAX_PATH_LENGTH = 16
"""URIs in one path: two endpoints and their relays need four; more is refused."""

# The transport follows the session-id after a semicolon; the authority is RFC 3986's.
_URI = re.compile(
    r"(?P<scheme>msrps?)://"
    r"(?:(?P<user>[A-Za-z0-9\-._~!$&'()*+,;=:%]*)@)?"
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9\-._~%]+)?)\]|(?P<host>[A-Za-z0-9\-._~%]+))"
    r"(?::(?P<port>[0-9]{1,5})?)?"
    r"(?:/(?P<session>[A-Za-z0-9\-._~+=/]*))?"
    r";(?P<transport>[A-Za-z0-9]+)"
    r"(?P<params>(?:;[!#-'*+\-.0-9A-Z^-~]+(?:=[!#-'*+\-.0-9A-Z^-~]+)?)*)",
    re.IGNORECASE,
)


def _no_params() -> dict[str, str | None]:
    return {}


@dataclass(slots=True)
class MsrpURI:
    """One hop of a path; `host` has no brackets, `port` is None when the URI names none."""

    secure: bool
    user: str | None
    host: str
    port: int | None
    session_id: str
    transport: str = "tcp"
    params: dict[str, str | None] = field(default_factory=_no_params)

    @classmethod
    def parse(cls, text: str | bytes) -> "MsrpURI":
        """Read one URI; raises RemoteProtocolError 400 when it is none (RFC 4975 section 9)."""
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        match = _URI.fullmatch(text) if len(text) <= MAX_URI_LENGTH and text.isascii() else None
        if match is None:
            raise RemoteProtocolError("not an MSRP URI", 400)
        port = int(match["port"]) if match["port"] else None
        if port is not None and port > 65535:
            raise RemoteProtocolError("port out of range in MSRP URI", 400)
        params: dict[str, str | None] = {}
        for param in match["params"].split(";")[1:]:
            name, equals, value = param.partition("=")
            params[name] = value if equals else None
        return cls(
            secure=match["scheme"].lower() == "msrps",
            user=match["user"],
            host=match["literal"] or match["host"],
            port=port,
            session_id=match["session"] or "",
            transport=match["transport"],
            params=params,
        )

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        session = f"/{self.session_id}" if self.session_id else ""
        params = "".join(
            f";{name}" if value is None else f";{name}={value}"
            for name, value in self.params.items()
        )
        scheme = "msrps" if self.secure else "msrp"
        return f"{scheme}://{user}{host}{port}{session};{self.transport}{params}"

    def matches(self, other: "MsrpURI") -> bool:
        """Whether both name the same place: user and parameters aside (RFC 4975 section 6.1).

        COMPAT: a URI without a port equals one with 2855, since deployed clients write the default
        out when they send a path back; RFC 4975 tells the two apart.
        """
        return (
            self.secure == other.secure
            and _comparable_host(self.host) == _comparable_host(other.host)
            and (self.port or DEFAULT_PORT) == (other.port or DEFAULT_PORT)
            and self.session_id == other.session_id
            and self.transport.lower() == other.transport.lower()
        )


def _comparable_host(host: str) -> str:
    if ":" in host:
        try:
            return IPv6Address(host).compressed
        except ValueError:
            return host.lower()
    return unquote(host).lower()


Path = tuple[MsrpURI, ...]
"""Hops from left (next) to right (last)."""


def parse_path(text: str | bytes) -> Path:
    """Read URIs parted by spaces; raises RemoteProtocolError 400 for none, too many or bad ones."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if len(text) > MAX_PATH_LENGTH * (MAX_URI_LENGTH + 1):
        raise RemoteProtocolError("path too long", 400)
    uris = [uri for uri in text.split(" ") if uri]
    if not uris or len(uris) > MAX_PATH_LENGTH:
        raise RemoteProtocolError(f"path of {len(uris)} URIs", 400)
    return tuple(MsrpURI.parse(uri) for uri in uris)


def render_path(path: Path) -> str:
    """Write a path as it stands in `a=path` and in the path headers."""
    return " ".join(map(str, path))
