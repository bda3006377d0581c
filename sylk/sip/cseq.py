"""The CSeq header field: the order of requests in a dialog (RFC 3261 section 20.16)."""

import re
from dataclasses import dataclass
from typing import Self

from sylk.errors import RemoteProtocolError
from sylk.sip.grammar import parse_unsigned

MAX_CSEQ = 2**32 - 1
"""Senders must stay below 2**31 (RFC 3261 section 8.1.1.5); we read what 32 bits hold."""

_CSEQ = re.compile(r"[ \t]*+([0-9]++)[ \t]++([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+")


@dataclass(slots=True)
class CSeq:
    """A sequence number and the method it counts."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `4711 INVITE`. Raises RemoteProtocolError, also for a number over 32 bits."""
        match = _CSEQ.fullmatch(text)
        if match is None:
            raise RemoteProtocolError("malformed CSeq")
        return cls(parse_unsigned(match[1], MAX_CSEQ, "CSeq"), match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
