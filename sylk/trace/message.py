"""One message as a trace holds it, and what of it may reach the disk.

Nothing here knows a protocol but for what is to be hidden in its messages, so that each protocol
that is traced shares the files and their order.
"""

import re
from dataclasses import dataclass

from sylk.sip.flow import Address

_HEADER_END = b"\r\n\r\n"
_MSRP_END = b"\r\n-------"
# Broken messages are traced too: any line end will do, and the field may be anywhere.
_DIGEST_PROOF = re.compile(
    rb"""(\b(?:response|rspauth)[ \t\r\n]*+=[ \t\r\n]*+"?+)([^",\r\n]*+)""", re.IGNORECASE
)
# No possessive group: those of CPython 3.11.2 take one octet too many.
_OTHER_CREDENTIALS = re.compile(
    rb"(\bauthorization[ \t]*+:[ \t\r\n]*+(?!digest\b)[^ \t\r\n]++[ \t]++)"
    rb"([^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class TracedMessage:
    """What was seen on the wire: a message, something like one, or a keep-alive."""

    number: int
    """Counts the messages of one trace, lost ones too."""
    time: float
    """Seconds since 1970, UTC."""
    protocol: str
    """In lower case, as Wireshark calls it: "sip" or "msrp"."""
    received: bool
    transport: str
    local: Address
    remote: Address
    octets: bytes
    fault: str = ""
    """Why it is malformed; "" when it is well."""
    is_keep_alive: bool = False
    as_pcap: bool = False
    left_out: int = 0
    """Octets that were not kept: they stood before the end-line of a large MSRP frame."""

    @property
    def source(self) -> Address:
        """Who sent it."""
        return self.remote if self.received else self.local

    @property
    def destination(self) -> Address:
        """To whom it was sent."""
        return self.local if self.received else self.remote


@dataclass(frozen=True, slots=True)
class Privacy:
    """What of the messages is kept from the files."""

    with_bodies: bool = True
    with_credentials: bool = False

    def show(self, message: TracedMessage) -> bytes:
        """Return the octets that may be shown; a body is left out as a whole."""
        octets = message.octets
        if not self.with_bodies and (end := octets.find(_HEADER_END)) >= 0:
            tail = octets.rfind(_MSRP_END) if message.protocol == "msrp" else -1
            # Without its end-line a frame is none, for Wireshark either.
            octets = octets[: end + 2] + (octets[tail:] if tail >= 0 else b"\r\n")
        return octets if self.with_credentials else mask_credentials(octets)


def mask_credentials(octets: bytes) -> bytes:
    """Return `octets` with each character of a password's proof replaced by an asterisk.

    That is the response of a digest, from which a weak password can be guessed at leisure, and
    whatever an Authorization of another scheme holds. The length stays as it was.
    """
    if b"auth" not in octets.lower():
        return octets
    head, end, body = octets.partition(_HEADER_END)
    for pattern in (_DIGEST_PROOF, _OTHER_CREDENTIALS):
        head = pattern.sub(_mask, head)
    return head + end + body


def _mask(match: re.Match[bytes]) -> bytes:
    return match[1] + b"*" * len(match[2])
