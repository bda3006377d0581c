"""The Via header field: the path a request took and its answer takes back.

RFC 3261 section 20.42; `received` and `rport` as in section 18.2.1 and RFC 3581.
"""

import re
from dataclasses import dataclass, field
from typing import Self

from sylk.errors import RemoteProtocolError
from sylk.sip.grammar import parse_params, parse_unsigned, render_params
from sylk.sip.uri import HOST, MAX_PORT, parse_host, parse_port, render_host

MAGIC_COOKIE = "z9hG4bK"
"""A branch that begins so is unique by itself (RFC 3261 section 8.1.1.7)."""

_VIA = re.compile(
    r"[ \t]*+SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++"
    rf"({HOST})(?:[ \t]*+:[ \t]*+([0-9]{{1,5}}))?[ \t]*+(;.*)?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(slots=True)
class Via:
    """One hop: who sent the request, over which transport. Treat it as immutable."""

    transport: str
    host: str
    port: int | None = None
    params: dict[str, str | None] = field(default_factory=dict[str, str | None])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse one Via value; `transport` comes out in upper case. Raises RemoteProtocolError."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise RemoteProtocolError("malformed Via")
        transport, host, port, params = match.groups()
        via = cls(
            transport.upper(),
            parse_host(host),
            parse_port(port) if port is not None else None,
            parse_params(params) if params else {},
        )
        rport = via.params.get("rport")
        if rport:
            parse_unsigned(rport, MAX_PORT, "rport")
        return via

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        host = render_host(self.host)
        return f"SIP/2.0/{self.transport} {host}{port}{render_params(self.params)}"

    @property
    def branch(self) -> str | None:
        """The branch parameter; None when it is missing or empty."""
        return self.params.get("branch") or None

    @property
    def received(self) -> str | None:
        """The address the request came from, without the brackets some put around IPv6."""
        value = self.params.get("received")
        return value.strip("[]") or None if value else None

    @property
    def rport(self) -> int | None:
        """The port the request came from; None also for an `rport` that only asks for it."""
        value = self.params.get("rport")
        return int(value) if value else None

    @property
    def wants_rport(self) -> bool:
        """Whether the sender asks for answers to the port it sent from (RFC 3581 section 3)."""
        return "rport" in self.params

    def with_received(self, address: str, port: int | None = None) -> "Via":
        """Return a copy that says where the request really came from; `port` fills rport."""
        params = {**self.params, "received": address}
        if port is not None:
            params["rport"] = str(port)
        return Via(self.transport, self.host, self.port, params)
