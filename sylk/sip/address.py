"""Addresses as From, To, Contact, Route and Refer-To carry them (RFC 3261 section 20.10)."""

import re
from dataclasses import dataclass, field
from typing import Self

from sylk.errors import RemoteProtocolError
from sylk.sip.grammar import (
    QUOTED_STRING,
    parse_params,
    quote,
    render_params,
    split_commas,
    unquote,
)
from sylk.sip.uri import OtherURI, SipURI, parse_uri

# A display name without quotes should be tokens; deployed senders write accents, brackets and
# "@" as well. Comma, semicolon and colon stay out: with them the value reads in two ways.
_NAME_ADDR = re.compile(
    rf'[ \t]*+({QUOTED_STRING}|[^"<>,;:\\\x00-\x08\x0a-\x1f\x7f]*+)[ \t]*+<([^<>]*+)>(.*)',
    re.DOTALL,
)


@dataclass(slots=True)
class NameAddr:
    """A URI with a display name and header parameters. Treat it as immutable: caches share it."""

    uri: SipURI | OtherURI
    display_name: str = ""
    params: dict[str, str | None] = field(default_factory=dict[str, str | None])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `"Name" <uri>;params` or `uri;params`.

        Without brackets everything after a semicolon belongs to the header, and a comma or
        question mark is refused (RFC 3261 section 20.10). Raises RemoteProtocolError.
        """
        if "<" in text:
            match = _NAME_ADDR.fullmatch(text)
            if match is None:
                raise RemoteProtocolError("malformed address")
            name, uri, params = match.groups()
            name = unquote(name) if name[:1] == '"' else name.rstrip(" \t")
            return cls(parse_uri(uri), name, parse_params(params) if params else {})
        uri, semicolon, params = text.partition(";")
        uri = uri.strip(" \t")
        if "," in uri or "?" in uri:
            raise RemoteProtocolError("this URI needs angle brackets")
        return cls(parse_uri(uri), "", parse_params(semicolon + params) if semicolon else {})

    def __str__(self) -> str:
        """Render with brackets always: without them parameters change their owner."""
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{render_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The tag parameter; None when it is missing or empty."""
        return self.params.get("tag") or None

    def with_tag(self, tag: str) -> "NameAddr":
        """Return a copy whose tag is `tag`."""
        return NameAddr(self.uri, self.display_name, {**self.params, "tag": tag})


def parse_name_addrs(text: str) -> list[NameAddr]:
    """Parse a comma-separated list of addresses. Raises RemoteProtocolError."""
    return [NameAddr.parse(element) for element in split_commas(text)]
