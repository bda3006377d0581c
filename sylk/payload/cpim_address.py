"""The addresses in From, To and cc of a CPIM message (RFC 3862 4.1)."""

import re
from dataclasses import dataclass
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.cpim_text import QUOTED_ESCAPES, unescape

_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?=<)')
# Words of the RFC's TOKENCHAR with single spaces between: a name that needs no quotes.
_FORMAL_NAME = re.compile(
    r"[^\x00-\x20\x7f()<>@,;:\\\"/\[\]?={}]+(?: [^\x00-\x20\x7f()<>@,;:\\\"/\[\]?={}]+)*"
)
_BAD_IN_URI = re.compile(r'[\x00-\x20\x7f<>"]')


@dataclass(slots=True)
class Address:
    """The value of From, To or cc: a URI and the name of its owner. RFC 3862 4.1."""

    uri: str
    display_name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `Name <uri>`, `"Name" <uri>`, `<uri>` or a bare URI.

        What follows the bracket is dropped (RFC 7702 puts `;gr=` there). Raises
        RemoteProtocolError (400) if there is no URI, or more than one place to look for it.
        """
        text = text.strip(" \t")
        quoted = _QUOTED_NAME.match(text)
        name, bracket, rest = text[quoted.end() if quoted else 0 :].partition("<")
        uri, closing, tail = rest.partition(">") if bracket else (name, ">", "")
        name = quoted[1] if quoted else name.strip(" \t") if bracket else ""
        if not closing or not uri or _BAD_IN_URI.search(uri) or "<" in tail or ">" in tail:
            raise RemoteProtocolError("malformed address in CPIM")
        return cls(uri, unescape(name))

    def render(self) -> str:
        """Write the address, with quotes round the name only where it needs them.

        Deployed clients write names unquoted and some show the quotes. Raises
        LocalProtocolError for a URI that would break out of its brackets.
        """
        if not self.uri or _BAD_IN_URI.search(self.uri):
            raise LocalProtocolError("this URI cannot be written into CPIM")
        if not self.display_name:
            return f"<{self.uri}>"
        if _FORMAL_NAME.fullmatch(self.display_name):
            return f"{self.display_name} <{self.uri}>"
        return f'"{self.display_name.translate(QUOTED_ESCAPES)}" <{self.uri}>'
