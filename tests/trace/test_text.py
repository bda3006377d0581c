"""The readable form: it says exactly what the octets were, and none of them can forge a line."""

import re

from hypothesis import given
from hypothesis import strategies as st

from sylk.trace.text import MAX_SHOWN_FAULTY, escape_octets, escape_text, render_notice, render_text
from tests.trace.messages import INVITE, TIME, traced

HEADING = "#17 2026-11-21T07:35:47.123Z SIP received udp 192.0.2.1:5062 -> 192.0.2.9:5060 {} bytes"
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")

WIRE = st.one_of(
    st.binary(max_size=100),
    st.lists(
        st.sampled_from(
            [
                *(b"\r\n", b"\n", b"\r", b"\\", b"\\x41", b"x5c", b"#1 2026", b"    | "),
                *(
                    b"\x1b[31m",
                    b"\xe2\x80\xae",
                    b"\xc2\x85",
                    b"a",
                    b" ",
                    b"\xff",
                    b"\xc3\xbc",
                    b"\0",
                ),
            ]
        )
    ).map(b"".join),
)


def unescape(text: str) -> bytes:
    """Read the escapes back, written without a look at how they are made."""
    parts = _ESCAPE.split(text)
    return b"".join(
        bytes([int(part, 16)]) if number % 2 else part.encode() for number, part in enumerate(parts)
    )


def read_back(text: str) -> bytes:
    """Return the octets of a message from its readable form."""
    heading, *lines = text.removesuffix("\n").split("\n")
    assert lines.pop() == ""
    length = int(heading.split()[-2])
    assert all(line == "    |" or line.startswith("    | ") for line in lines)
    octets = b"".join(unescape(line[6:]) + b"\r\n" for line in lines)
    return octets if len(octets) == length else octets.removesuffix(b"\r\n")


@given(WIRE)
def test_the_octets_can_be_read_back(octets: bytes) -> None:
    assert read_back(render_text(traced(octets), octets)) == octets


@given(WIRE, st.text())
def test_nothing_that_cannot_be_seen_gets_into_the_file(octets: bytes, fault: str) -> None:
    for message in (traced(octets), traced(octets, fault=fault)):
        text = render_text(message, octets)
        assert all(line.isprintable() for line in text.split("\n"))
        headings = [line for line in text.split("\n") if line and not line.startswith("    |")]
        assert len(headings) == 1
        assert headings[0].startswith(HEADING.format(len(octets)))


def test_a_message_as_an_operator_sees_it() -> None:
    octets = INVITE.replace(b'"Alice"', '"Zoë\\x\x1b"'.encode())
    assert render_text(traced(octets), octets).split("\n") == [
        HEADING.format(len(octets)),
        "    | INVITE sip:lobby@example.com SIP/2.0",
        "    | Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK776",
        '    | From: "Zoë\\x5cx\\x1b" <sip:alice@example.com>;tag=1928',
        "    | To: <sip:lobby@example.com>",
        "    | Call-ID: a84b4c76e66710",
        "    | CSeq: 314159 INVITE",
        "    | Contact: <sip:alice@192.0.2.1:5062>",
        "    | Content-Type: application/sdp",
        "    | Content-Length: 5",
        "    |",
        "    | v=0",
        "",
        "",
    ]


def test_what_is_sent_over_ipv6() -> None:
    message = traced(
        received=False, transport="tls", local=("2001:db8::9", 5061), remote=("2001:db8::1", 4000)
    )
    heading = render_text(message, INVITE).partition("\n")[0]
    assert " SIP sent tls [2001:db8::9]:5061 -> [2001:db8::1]:4000 " in heading


def test_a_body_that_is_left_out_is_told() -> None:
    text = render_text(traced(), INVITE.removesuffix(b"v=0\r\n"))
    assert "v=0" not in text
    assert text.endswith("    |\n    (5 bytes of a body are left out)\n\n")


def test_what_is_malformed_takes_one_line() -> None:
    octets = b"INVITE\r\nforged\r\n\r\n" + bytes(MAX_SHOWN_FAULTY)
    text = render_text(traced(octets, fault="no\nsense"), octets)
    assert text.count("\n") == 1
    begin = r"INVITE\x0d\x0aforged\x0d\x0a\x0d\x0a"
    assert text.startswith(f"{HEADING.format(len(octets))} malformed (no\\x0asense): {begin}\\x00")
    assert text.endswith(" (18 bytes more)\n")


def test_a_keep_alive_takes_one_line() -> None:
    text = render_text(traced(b"\r\n\r\n", is_keep_alive=True), b"\r\n\r\n")
    assert text == f"{HEADING.format(4)} keep-alive\n"


def test_a_notice_cannot_pass_for_a_message() -> None:
    text = render_notice(TIME, "trace of user:eve\n#1 begins")
    assert text == "--- 2026-11-21T07:35:47.123Z trace of user:eve\\x0a#1 begins\n"


def test_what_harms_a_terminal_is_escaped() -> None:
    assert escape_octets(b"\x1b]0;x\x07\x7f\xe2\x80\xae") == r"\x1b]0;x\x07\x7f\xe2\x80\xae"
    assert escape_text("\udcff \ud800") == r"\xff \xed\xa0\x80"
