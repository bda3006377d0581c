"""Messages for the tests of traces."""

from sylk.sip.flow import Address
from sylk.trace.message import TracedMessage

LOCAL: Address = ("192.0.2.9", 5060)
REMOTE: Address = ("192.0.2.1", 5062)
TIME = 1_795_246_547.123456  # 2026-11-21 07:35:47.123456 UTC
INVITE = (
    b"INVITE sip:lobby@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK776\r\n"
    b'From: "Alice" <sip:alice@example.com>;tag=1928\r\n'
    b"To: <sip:lobby@example.com>\r\n"
    b"Call-ID: a84b4c76e66710\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@192.0.2.1:5062>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"v=0\r\n"
)


def traced(
    octets: bytes = INVITE,
    *,
    received: bool = True,
    transport: str = "udp",
    local: Address = LOCAL,
    remote: Address = REMOTE,
    fault: str = "",
    is_keep_alive: bool = False,
    as_pcap: bool = True,
    number: int = 17,
) -> TracedMessage:
    return TracedMessage(
        number,
        TIME,
        "sip",
        received,
        transport,
        local,
        remote,
        octets,
        fault,
        is_keep_alive,
        as_pcap,
    )
