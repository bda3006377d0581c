"""The readable form of a traced message: a heading, then each of its lines behind a bar.

    #17 2026-11-21T07:35:47.123Z SIP received udp 192.0.2.1:5062 -> 192.0.2.9:5060 311 bytes
        | INVITE sip:lobby@example.com SIP/2.0
        | Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK776asdhds
        ...

The bar keeps what a peer sends from passing for a heading. A line ends where the message has CR LF;
each other octet that is not the UTF-8 of a character one can see stands as `\\x` and two
hexadecimal digits, and so does a backslash before an x. The number of octets in the heading tells
whether the last line ended too. So the text says exactly what the octets were.
"""

from datetime import UTC, datetime

from sylk.sip.flow import show_address
from sylk.trace.message import TracedMessage

MAX_SHOWN_FAULTY = 2048
"""How many octets of a malformed message are shown; the pcap file has it whole."""

_BAR = "    |"


def render_text(message: TracedMessage, shown: bytes) -> str:
    """Return what the readable file says of a message, of which `shown` is to be seen."""
    heading = _heading(message)
    if message.is_keep_alive:
        return f"{heading} keep-alive\n"
    if message.fault:
        part = shown[:MAX_SHOWN_FAULTY]
        rest = f" ({len(shown) - len(part)} bytes more)" if len(part) < len(shown) else ""
        return f"{heading} malformed ({escape_text(message.fault)}): {escape_octets(part)}{rest}\n"
    lines = [f"{_BAR} {escape_octets(line)}" if line else _BAR for line in _lines(shown)]
    hidden = len(message.octets) - len(shown) + message.left_out
    if hidden:
        where = " before the end-line" if message.protocol == "msrp" else ""
        lines.append(f"    ({hidden} bytes of a body{where} are left out)")
    return "\n".join([heading, *lines, "", ""])


def render_notice(time: float, text: str) -> str:
    """Return a line that tells of the trace itself."""
    return f"--- {render_time(time)} {escape_text(text)}\n"


def render_time(time: float) -> str:
    """Return a time of the clock in UTC, to the millisecond."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def escape_octets(octets: bytes) -> str:
    """Return `octets` as text of which each character can be seen and read back."""
    return escape_text(octets.decode("utf-8", "surrogateescape"))


def escape_text(text: str) -> str:
    """Return `text` with whatever could not be seen, or do harm in a terminal, as octets."""
    if "\\" in text:
        text = text.replace("\\x", "\\x5cx")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    # A lone surrogate stands for an octet that is no UTF-8 (PEP 383), or for a slip of somebody's.
    is_octet = 0xDC80 <= code <= 0xDCFF
    octets = bytes([code - 0xDC00]) if is_octet else char.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{octet:02x}" for octet in octets)


def _lines(octets: bytes) -> list[bytes]:
    lines = octets.split(b"\r\n")
    # Nothing stands behind the last line end.
    return lines if lines[-1] else lines[:-1]


def _heading(message: TracedMessage) -> str:
    direction = "received" if message.received else "sent"
    source, destination = show_address(message.source), show_address(message.destination)
    return (
        f"#{message.number} {render_time(message.time)} {message.protocol.upper()} {direction} "
        f"{message.transport} {source} -> {destination} "
        f"{len(message.octets) + message.left_out} bytes"
    )
