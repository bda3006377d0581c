"""Tests of sylk.call.media."""

from collections.abc import Sequence

import pytest

from sylk.call.media import (
    CLEAR_PROTOCOL,
    TLS_PROTOCOL,
    ChatCapabilities,
    answer_direction,
    describe_chat,
    find_chat,
    read_chat,
    refuse_media,
)
from sylk.errors import RemoteProtocolError
from sylk.msrp.uri import parse_path
from sylk.payload.sdp import Attribute, MediaDescription, SessionDescription

PATH = parse_path("msrp://192.0.2.1:2855/abc;tcp")
SECURE_PATH = parse_path("msrps://192.0.2.1:2856/abc;tcp")
BOTH = (CLEAR_PROTOCOL, TLS_PROTOCOL)
OVER_TLS = (("TCP/MSRP", "TCP/TLS/MSRP"), ("path:msrp:", "path:msrps:"))
ONE, OTHER = "SHA-256 " + "AB:" * 31 + "CD", "sha-1 " + "01:" * 19 + "23"
OFFER = """\
v=0
o=- 1 1 IN IP4 192.0.2.9
s=-
t=0 0
m=message 2855 TCP/MSRP *
c=IN IP4 192.0.2.9
a=path:msrp://192.0.2.9:2855/peer;tcp
a=accept-types:message/cpim text/*
a=accept-wrapped-types:*
a=setup:active
"""


def described(*changes: tuple[str, str]) -> SessionDescription:
    text = OFFER
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return SessionDescription.parse(text.encode())


def fault_of(
    *changes: tuple[str, str], protocols: Sequence[str] = (CLEAR_PROTOCOL,)
) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        read_chat(described(*changes), 0, protocols)
    assert caught.value.status == 488
    ((name, value),) = caught.value.headers
    assert name == "Warning"
    assert value.startswith('304 sylk "')
    return caught.value


def test_a_chat_line_is_read() -> None:
    chat = read_chat(described(), 0)
    assert chat.index == 0
    assert [str(uri) for uri in chat.path] == ["msrp://192.0.2.9:2855/peer;tcp"]
    assert chat.setup == "active"
    assert chat.direction == "sendrecv"
    assert chat.accept_types == ("message/cpim", "text/*")
    assert chat.accept_wrapped_types == ("*",)
    assert chat.chatroom == ()


def test_what_a_focus_says_is_read() -> None:
    chat = read_chat(described(("a=setup:active", "a=chatroom:nickname private-messages")), 0)
    assert chat.chatroom == ("nickname", "private-messages")


@pytest.mark.parametrize(
    ("types", "taken"),
    [("message/cpim", True), ("*", True), ("message/*", True), ("text/plain", False)],
)
def test_whether_the_peer_takes_cpim(types: str, taken: bool) -> None:
    chat = read_chat(described(("message/cpim text/*", types)), 0)
    assert chat.takes_cpim is taken


@pytest.mark.parametrize("line", ["", "a=setup:holdconn\n", "a=setup: HoldConn \n"])
def test_a_setup_that_says_nothing(line: str) -> None:
    assert read_chat(described(("a=setup:active\n", line)), 0).setup is None


def test_setup_and_protocol_are_read_in_any_case() -> None:
    chat = read_chat(described(("setup:active", "setup: ActPass"), ("TCP/MSRP", "tcp/msrp")), 0)
    assert chat.setup == "actpass"


def test_the_session_part_gives_the_default_direction() -> None:
    assert read_chat(described(("t=0 0", "t=0 0\na=inactive")), 0).direction == "inactive"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([("m=message", "m=audio")], "media type audio"),
        ([("message 2855", "message 0")], "switched off"),
        ([("TCP/MSRP", "TCP/TLS/MSRP")], "TCP/TLS/MSRP is not carried"),
        ([("a=setup:active", "a=file-selector:size:3")], "file transfer"),
        ([("TCP/MSRP *", "TCP/MSRP")], "format"),
        ([("TCP/MSRP *", "TCP/MSRP * 0")], "format"),
        ([("a=path:msrp://192.0.2.9:2855/peer;tcp\n", "")], "path attribute is missing"),
        ([("a=path:msrp://192.0.2.9:2855/peer;tcp", "a=path:")], "path attribute is missing"),
        ([("a=path:msrp://192.0.2.9:2855/peer;tcp", "a=path:http://x/")], "bad path"),
        ([("a=accept-types:message/cpim text/*\n", "")], "accept-types"),
        ([("a=accept-types:message/cpim text/*", "a=accept-types: ")], "accept-types"),
        ([("setup:active", "setup:maybe")], "setup:maybe is not known"),
        ([("setup:active", "setup:")], "setup: is not known"),
    ],
)
def test_an_unusable_line_says_why(changes: list[tuple[str, str]], reason: str) -> None:
    assert reason in str(fault_of(*changes))


def test_the_warning_cannot_be_broken_out_of() -> None:
    fault = fault_of(("setup:active", 'setup:"\\, 999 x "'))
    (_, value) = fault.headers[0]
    assert value == r'304 sylk "setup:\"\\, 999 x \" is not known"'


def test_our_line_stands_as_deployed_servers_write_it() -> None:
    capabilities = ChatCapabilities(chatroom=("nickname", "private-messages"))
    line = describe_chat(PATH, "192.0.2.1", capabilities, "passive")
    assert line.render_lines() == [
        "m=message 2855 TCP/MSRP *",
        "c=IN IP4 192.0.2.1",
        "a=path:msrp://192.0.2.1:2855/abc;tcp",
        "a=accept-types:message/cpim",
        "a=accept-wrapped-types:*",
        "a=setup:passive",
        "a=chatroom:nickname private-messages",
    ]


def test_a_plain_chat_says_no_more_than_it_must() -> None:
    capabilities = ChatCapabilities(accept_types=("text/plain",), accept_wrapped_types=())
    line = describe_chat(PATH, "2001:db8::1", capabilities, "active", "recvonly")
    assert line.render_lines()[1:] == [
        "c=IN IP6 2001:db8::1",
        "a=path:msrp://192.0.2.1:2855/abc;tcp",
        "a=accept-types:text/plain",
        "a=setup:active",
        "a=recvonly",
    ]


def test_a_focus_without_features_still_says_that_it_is_one() -> None:
    line = describe_chat(PATH, "192.0.2.1", ChatCapabilities(chatroom=()), "active")
    assert line.attributes[-1] == Attribute("chatroom", None)


def test_a_path_without_port_stands_for_the_default() -> None:
    path = parse_path("msrp://192.0.2.1/abc;tcp")
    assert describe_chat(path, "192.0.2.1", ChatCapabilities(), "active").port == 2855


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
def test_directions_are_mirrored(offered: str, answered: str) -> None:
    assert answer_direction(offered) == answered


def test_a_refused_line_keeps_what_names_it_and_no_attributes() -> None:
    media = MediaDescription(
        "audio", 40000, "RTP/AVP", ["0", "8"], attributes=[Attribute("sendrecv")]
    )
    refused = refuse_media(media, "192.0.2.1")
    assert refused.render_lines() == ["m=audio 0 RTP/AVP 0 8", "c=IN IP4 192.0.2.1"]


# TLS


def test_a_line_over_tls_is_read_where_that_is_carried() -> None:
    chat = read_chat(described(*OVER_TLS), 0, BOTH)
    assert chat.is_secure
    assert [str(uri) for uri in chat.path] == ["msrps://192.0.2.9:2855/peer;tcp"]
    assert chat.fingerprints == ()
    assert not read_chat(described(), 0, BOTH).is_secure


def test_the_protocol_over_tls_is_read_in_any_case() -> None:
    (_, path) = OVER_TLS
    assert read_chat(described(("TCP/MSRP", "tcp/Tls/msrp"), path), 0, BOTH).is_secure


@pytest.mark.parametrize(
    ("protocols", "changes", "reason"),
    [
        ((CLEAR_PROTOCOL,), OVER_TLS, "TCP/TLS/MSRP is not carried here, TCP/MSRP is"),
        ((TLS_PROTOCOL,), (), "TCP/MSRP is not carried here, TCP/TLS/MSRP is"),
        (
            BOTH,
            (("TCP/MSRP", "UDP/TLS/MSRP"),),
            "UDP/TLS/MSRP is not carried here, TCP/MSRP or TCP/TLS/MSRP is",
        ),
        (BOTH, OVER_TLS[:1], "the path does not fit TCP/TLS/MSRP"),
        (BOTH, OVER_TLS[1:], "the path does not fit TCP/MSRP"),
    ],
)
def test_protocol_and_path_must_fit(
    protocols: tuple[str, ...], changes: tuple[tuple[str, str], ...], reason: str
) -> None:
    assert str(fault_of(*changes, protocols=protocols)) == reason


@pytest.mark.parametrize(
    ("session", "media", "read"),
    [
        ([], [], ()),
        ([ONE], [], (ONE,)),
        ([], [ONE], (ONE,)),
        ([], [ONE, OTHER], (ONE, OTHER)),
        # What a line says for itself stands in place of what the session says.
        ([ONE], [OTHER], (OTHER,)),
    ],
)
def test_the_certificates_of_the_peer_are_read(
    session: list[str], media: list[str], read: tuple[str, ...]
) -> None:
    def lines(values: list[str]) -> str:
        return "".join(f"a=fingerprint:{value}\n" for value in values)

    description = described(
        *OVER_TLS,
        ("t=0 0\n", f"t=0 0\n{lines(session)}"),
        ("a=setup:active\n", f"a=setup:active\n{lines(media)}"),
    )
    assert read_chat(description, 0, BOTH).fingerprints == read


def test_our_line_over_tls_tells_our_certificate() -> None:
    line = describe_chat(
        SECURE_PATH, "192.0.2.1", ChatCapabilities(), "passive", fingerprints=[ONE, OTHER]
    )
    assert line.render_lines() == [
        "m=message 2856 TCP/TLS/MSRP *",
        "c=IN IP4 192.0.2.1",
        "a=path:msrps://192.0.2.1:2856/abc;tcp",
        "a=accept-types:message/cpim",
        "a=accept-wrapped-types:*",
        "a=setup:passive",
        f"a=fingerprint:{ONE}",
        f"a=fingerprint:{OTHER}",
    ]


def test_in_clear_there_is_no_certificate_to_tell() -> None:
    line = describe_chat(
        PATH, "192.0.2.1", ChatCapabilities(), "passive", fingerprints=[ONE, OTHER]
    )
    assert line.attribute("fingerprint") is None


# Which line is taken


def offer_of(*lines: tuple[str, str]) -> SessionDescription:
    """Return an offer of a chat line for each (session-id, accepted types)."""
    head, begin, line = OFFER.partition("m=")
    text = head + "".join(
        (begin + line).replace("/peer;", f"/{name};").replace("message/cpim text/*", types)
        for name, types in lines
    )
    return SessionDescription.parse(text.encode())


@pytest.mark.parametrize(
    ("lines", "taken"),
    [
        ([("a", "message/cpim"), ("b", "message/cpim")], 0),
        ([("a", "text/plain"), ("b", "message/cpim")], 1),
        ([("a", "text/plain"), ("b", "text/plain"), ("c", "*")], 2),
        ([("a", "text/plain"), ("b", "text/html")], 0),
    ],
)
def test_a_line_that_takes_cpim_is_preferred(lines: list[tuple[str, str]], taken: int) -> None:
    assert find_chat(offer_of(*lines), BOTH).index == taken


def test_a_line_that_can_be_carried_is_taken_wherever_it_stands() -> None:
    text = OFFER + "m=" + OFFER.partition("m=")[2]
    for old, new in OVER_TLS:
        text = text.replace(old, new, 1)
    description = SessionDescription.parse(text.encode())
    assert [find_chat(description, (one,)).index for one in BOTH] == [1, 0]
    # The peer's own order counts where both can be carried.
    assert find_chat(description, BOTH).index == 0
