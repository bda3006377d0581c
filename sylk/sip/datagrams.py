"""Which datagrams at a SIP port are not SIP and not worth a word.

Their first octet tells, as no SIP message begins with such a one: line ends or NUL that keep a NAT
open, STUN (RFC 5626 section 4.4), and media that go to the wrong port, which may be fifty a second
(RTP and RTCP, RFC 7983 section 7).
"""

_KEEP_ALIVE = b"\r\n\0 "
_STUN = range(4)
_STUN_HEADER = 20
_RTP = range(0x80, 0xC0)


def is_no_sip(data: bytes) -> bool:
    """Tell whether a datagram is to be dropped in silence."""
    if not data.strip(_KEEP_ALIVE):
        return True
    return data[0] in _RTP or (data[0] in _STUN and len(data) >= _STUN_HEADER)
