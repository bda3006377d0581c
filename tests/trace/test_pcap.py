"""The capture file, read back by Wireshark's own dissectors."""

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.trace.message import TracedMessage
from sylk.trace.pcap import FILE_HEADER, MAX_PACKET, render_packet
from tests.end_to_end.programs import program
from tests.trace.messages import INVITE, traced


def dissect(folder: Path, packets: bytes, *fields: str, only: str = "") -> list[list[str]]:
    """Return the values of `fields` in each packet that the filter `only` lets through."""
    file = folder / "trace.pcap"
    file.write_bytes(FILE_HEADER + packets)
    done = subprocess.run(
        [
            *(str(program("tshark", "tshark")), "-n", "-r", str(file), "-T", "fields"),
            *("-E", "separator=|", *(["-Y", only] if only else [])),
            *(word for field in fields for word in ("-e", field)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.split("|") for line in done.stdout.splitlines()]


def packet(message: TracedMessage, shown: bytes | None = None) -> bytes:
    return render_packet(message, message.octets if shown is None else shown)


def test_the_dissectors_find_sip_and_what_carried_it(tmp_path: Path) -> None:
    packets = [
        packet(traced()),
        packet(traced(received=False, transport="tcp")),
        packet(traced(transport="tls", local=("2001:db8::9", 5061), remote=("2001:db8::1", 50000))),
        packet(traced(b"SIP/2.0 200 OK\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n")),
    ]
    fields = (
        *("sip.Method", "sip.Status-Code", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst"),
        *("exported_pdu.src_port", "exported_pdu.dst_port", "exported_pdu.port_type"),
        *("frame.time_epoch", "sip.Call-ID", "sdp.version", "exported_pdu.p2p_dir"),
    )
    time = "1795246547.123456000"
    call = "a84b4c76e66710"
    remote, local = "192.0.2.1", "192.0.2.9"
    assert dissect(tmp_path, b"".join(packets), *fields, only="sip") == [
        ["INVITE", "", remote, local, "", "", "5062", "5060", "3", time, call, "0", "1"],
        ["INVITE", "", local, remote, "", "", "5060", "5062", "2", time, call, "0", "0"],
        [
            *("INVITE", "", "", "", "2001:db8::1", "2001:db8::9"),
            *("50000", "5061", "2", time, call, "0", "1"),
        ],
        ["", "200", remote, local, "", "", "5062", "5060", "3", time, "", "", "1"],
    ]
    assert dissect(tmp_path, b"".join(packets), "frame.number", only="_ws.malformed") == []


def test_the_header_is_read_where_the_body_is_left_out(tmp_path: Path) -> None:
    without = packet(traced(), INVITE.removesuffix(b"v=0\r\n"))
    (found,) = dissect(tmp_path, without, "sip.Method", "sip.Call-ID", "sdp.version", only="sip")
    assert found == ["INVITE", "a84b4c76e66710", ""]


def test_what_is_no_message_does_not_spoil_the_file(tmp_path: Path) -> None:
    packets = [
        packet(traced(b"\r\n\r\n", is_keep_alive=True)),
        packet(traced(b"\0\1\2 rubbish", fault="not a SIP message")),
        packet(traced(b"")),
        packet(traced()),
    ]
    found = dissect(tmp_path, b"".join(packets), "_ws.col.Protocol", "sip.Method")
    assert [protocol for protocol, _ in found[:2]] == ["SIP", "SIP"]
    assert found[3] == ["SIP/SDP", "INVITE"]


@pytest.mark.parametrize("size", [MAX_PACKET, 70_000])
def test_a_huge_message_is_cut_off_and_told_so(tmp_path: Path, size: int) -> None:
    packets = packet(traced(INVITE + bytes(size))) + packet(traced())
    long, short = dissect(tmp_path, packets, "frame.len", "frame.cap_len", "sip.Method")
    assert int(long[0]) > size
    assert int(long[1]) == min(int(long[0]), MAX_PACKET)
    assert short[2] == "INVITE"


@given(
    octets=st.binary(max_size=300),
    source=st.ip_addresses().map(str),
    destination=st.ip_addresses().map(str),
    port=st.integers(0, 65535),
    fault=st.sampled_from(["", "not a SIP message"]),
    is_keep_alive=st.booleans(),
)
def test_whatever_is_traced_ends_where_its_packet_says(
    octets: bytes, source: str, destination: str, port: int, fault: str, is_keep_alive: bool
) -> None:
    message = traced(
        octets,
        local=(destination, port),
        remote=(source, port),
        fault=fault,
        is_keep_alive=is_keep_alive,
    )
    written = render_packet(message, octets)
    *_, captured, length = struct.unpack_from("<IIII", written)
    assert captured == length == len(written) - 16
    place, kind = 16, -1
    while kind != 0:
        kind, size = struct.unpack_from(">HH", written, place)
        assert size % 4 == 0
        place += 4 + size
    assert written[place:] == octets
