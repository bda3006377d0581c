"""Status lines as bodies: how a REFER is told what became of it (RFC 3420, RFC 3515 2.4.5).

A fragment may hold header fields and more after its first line. None of it is read: a referrer
needs the status alone, and what else a peer puts there is for its own debugging.
"""

import re
from dataclasses import dataclass
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError

CONTENT_TYPE = "message/sipfrag;version=2.0"
MAX_SIZE = 65536  # octets of a whole fragment; a larger one is refused
MAX_LINE = 1024  # octets of the status line; a longer one is refused, a longer reason is cut

_STATUS_LINE = re.compile(rb"SIP/2\.0 ++([1-6][0-9]{2})(?: ([^\r\n]*+))?", re.IGNORECASE)
# Controls, and the surrogates that stand for no octet.
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")


@dataclass(slots=True)
class StatusFragment:
    """A status code with its reason phrase."""

    status: int
    reason: str

    @classmethod
    def parse(cls, data: bytes, *, max_size: int = MAX_SIZE, max_line: int = MAX_LINE) -> Self:
        """Read the status line that `data` begins with; bounds are in octets.

        Raises RemoteProtocolError (400) for anything else, and past a bound. A missing reason
        phrase, a bare LF and no line end at all are taken.
        """
        if len(data) > max_size:
            raise RemoteProtocolError("the SIP fragment is too large", 413)
        line = data[: max_line + 2].partition(b"\n")[0].removesuffix(b"\r")
        if len(line) > max_line:
            raise RemoteProtocolError("the status line is too long")
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError("no status line in the SIP fragment")
        reason = (match[2] or b"").decode("utf-8", "surrogateescape").strip(" \t")
        return cls(int(match[1]), _UNFIT.sub(" ", reason))

    def render(self) -> bytes:
        """Return the fragment as octets, one line; control characters become spaces.

        Raises LocalProtocolError for a number that is no status code.
        """
        if not 100 <= self.status <= 699:
            raise LocalProtocolError(f"{self.status} is no status code")
        line = f"SIP/2.0 {self.status} {_UNFIT.sub(' ', self.reason)}"
        data = line.encode("utf-8", "surrogateescape")
        if len(data) > MAX_LINE:
            # Not in the middle of a character.
            data = data[:MAX_LINE].decode("utf-8", "ignore").encode()
        return data + b"\r\n"
