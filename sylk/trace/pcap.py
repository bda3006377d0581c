"""Traced messages as a capture file that Wireshark opens and takes apart.

TCP and TLS leave no packets that could be written: what is at hand is a whole message, in clear.
For these there is the link type of Wireshark's "exported PDUs": before each message stand tags that
name the dissector, the addresses and the ports. A tag is a type and a length of two octets each,
most significant first, and a value that is filled up to a multiple of four. All types of tags are
listed in the file epan/exported_pdu.h of Wireshark; the file around them is the classic pcap
format, with microseconds.
"""

import socket
import struct

from sylk.sip.flow import Address
from sylk.trace.message import TracedMessage

LINK_TYPE = 252
"""LINKTYPE_WIRESHARK_UPPER_PDU of the registry at tcpdump.org."""

MAX_PACKET = 262_144
"""The longest packet that readers must expect, in octets; beyond it a message is cut off."""

_MAGIC = 0xA1B2C3D4
FILE_HEADER = struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, MAX_PACKET, LINK_TYPE)
"""What a file begins with; little-endian, version 2.4, times in UTC."""

_PACKET_HEADER = struct.Struct("<IIII")
_TAG_HEADER = struct.Struct(">HH")
_NUMBER = struct.Struct(">I")

_END = 0
_DISSECTOR = 12
_IPV4_SOURCE, _IPV4_DESTINATION = 20, 21
_IPV6_SOURCE, _IPV6_DESTINATION = 22, 23
_PORT_TYPE, _SOURCE_PORT, _DESTINATION_PORT = 24, 25, 26
_PROTOCOL_COLUMN = 33
_DIRECTION = 35

_TCP, _UDP = 2, 3
_NO_DISSECTOR = b"data"


def render_packet(message: TracedMessage, shown: bytes) -> bytes:
    """Return one packet of the file, with the octets `shown` of a message.

    A body that is left out is not told as cut off: Wireshark would then read no header either.
    """
    protocol = message.protocol.encode("ascii")
    tags = [_tag(_DISSECTOR, _NO_DISSECTOR if message.is_keep_alive else protocol)]
    if message.is_keep_alive or message.fault:
        tags.append(_tag(_PROTOCOL_COLUMN, protocol.upper()))
    tags += [
        _address_tag(message.source, _IPV4_SOURCE, _IPV6_SOURCE),
        _address_tag(message.destination, _IPV4_DESTINATION, _IPV6_DESTINATION),
        _tag(_PORT_TYPE, _NUMBER.pack(_UDP if message.transport == "udp" else _TCP)),
        _tag(_SOURCE_PORT, _NUMBER.pack(message.source[1])),
        _tag(_DESTINATION_PORT, _NUMBER.pack(message.destination[1])),
        _tag(_DIRECTION, _NUMBER.pack(int(message.received))),
        _tag(_END, b""),
    ]
    whole = b"".join([*tags, shown])
    seconds, microseconds = divmod(round(message.time * 1_000_000), 1_000_000)
    kept = whole[:MAX_PACKET]
    return _PACKET_HEADER.pack(seconds, microseconds, len(kept), len(whole)) + kept


def _tag(kind: int, value: bytes) -> bytes:
    value += bytes(-len(value) % 4)
    return _TAG_HEADER.pack(kind, len(value)) + value


def _address_tag(address: Address, ipv4_kind: int, ipv6_kind: int) -> bytes:
    host = address[0]
    if ":" in host:
        return _tag(ipv6_kind, socket.inet_pton(socket.AF_INET6, host))
    return _tag(ipv4_kind, socket.inet_pton(socket.AF_INET, host))
