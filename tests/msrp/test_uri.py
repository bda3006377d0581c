"""MSRP URIs and paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.msrp.uri import (
    MAX_PATH_LENGTH,
    MAX_URI_LENGTH,
    MsrpURI,
    parse_path,
    render_path,
)

URIS = [
    "msrp://atlanta.example.com:7654/jshA7weztas;tcp",
    "msrps://alice@intra.example.com;tcp",
    "msrps://alice@a.example.com:443;ws",
    "msrp://[2001:db8::1]:2855/a=b+c;tcp",
    "msrp://127.0.0.1:9/a/b;tcp;transfer=x;flag",
    "msrps://df7jal23ls0d.invalid:2855/98cjs;ws",
]


@pytest.mark.parametrize("text", URIS)
def test_what_is_read_is_written_back(text: str) -> None:
    assert str(MsrpURI.parse(text)) == text
    assert MsrpURI.parse(text.encode()) == MsrpURI.parse(text)


def test_the_parts_of_a_uri() -> None:
    uri = MsrpURI.parse("MSRPS://al%20ice@[::1]:443/Ab~c;TCP;a=b;c")
    assert uri == MsrpURI(True, "al%20ice", "::1", 443, "Ab~c", "TCP", {"a": "b", "c": None})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:alice@example.com",
        "msrp://host:1/a",
        "msrp://host:99999/a;tcp",
        "msrp://host:1/a;tcp ",
        "msrp://host:1/a b;tcp",
        "msrp://host:1/a;tcp\r\nX: y",
        "msrp://ho\udcffst:1/a;tcp",
        "msrp://hôst:1/a;tcp",
        "msrp://:1/a;tcp",
        "msrp://h/" + "a" * MAX_URI_LENGTH + ";tcp",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        MsrpURI.parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("msrp://Host:1/a;tcp", "MSRP://hOST:1/a;TCP", True),
        ("msrp://alice@h:1/a;tcp", "msrp://bob@h:1/a;tcp;x=y", True),
        ("msrp://h/a;tcp", "msrp://h:2855/a;tcp", True),
        ("msrp://%68/a;tcp", "msrp://h/a;tcp", True),
        ("msrp://[::1]/a;tcp", "msrp://[0:0:0:0:0:0:0:1]/a;tcp", True),
        ("msrp://h:1/a;tcp", "msrp://h:1/A;tcp", False),
        ("msrp://h:1/a;tcp", "msrps://h:1/a;tcp", False),
        ("msrp://h:1/a;tcp", "msrp://h:2/a;tcp", False),
        ("msrp://h:1/a;tcp", "msrp://h:1;tcp", False),
        ("msrp://h:1/a;tcp", "msrp://h:1/a;ws", False),
        ("msrp://[::1:zz]/a;tcp", "msrp://[::1]/a;tcp", None),
    ],
)
def test_comparison_follows_rfc_4975_section_6_1(
    first: str, second: str, same: bool | None
) -> None:
    if same is None:
        with pytest.raises(RemoteProtocolError):
            MsrpURI.parse(first)
        return
    assert MsrpURI.parse(first).matches(MsrpURI.parse(second)) is same
    assert MsrpURI.parse(second).matches(MsrpURI.parse(first)) is same


def test_a_host_that_only_looks_like_ipv6_compares_as_text() -> None:
    assert MsrpURI.parse("msrp://[1:2]/a;tcp").matches(MsrpURI.parse("msrp://[1:2]/a;tcp"))


def test_a_path_is_a_list_of_uris() -> None:
    text = f"{URIS[0]} {URIS[3]}"
    path = parse_path(text.encode())
    assert [uri.host for uri in path] == ["atlanta.example.com", "2001:db8::1"]
    assert render_path(path) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "*", " ".join([URIS[0]] * (MAX_PATH_LENGTH + 1)), URIS[0] * 100_000],
)
def test_bad_and_long_paths_are_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_path(text)


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_nothing_but_a_protocol_error_comes_out(text: bytes | str) -> None:
    try:
        path = parse_path(text)
    except RemoteProtocolError:
        return
    assert parse_path(render_path(path)) == path
