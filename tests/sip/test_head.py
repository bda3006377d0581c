import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.sip.head import Head, Limits, content_length, split_head
from sylk.sip.headers import Headers


def fields(head: Head) -> list[tuple[str, str]]:
    return list(head.headers)


def test_names_values_and_folding() -> None:
    head = split_head(
        b"INVITE x SIP/2.0\r\nTO :\r\n sip:a@b ;\r\n\ttag = 1\r\ns:\r\nX-y:z: \xc3\xa9 \r\nm:a"
    )
    assert head.problem is None
    assert head.start_line == "INVITE x SIP/2.0"
    assert fields(head) == [
        ("To", "sip:a@b ; tag = 1"),
        ("Subject", ""),
        ("X-y", "z: é"),
        ("Contact", "a"),
    ]


def test_no_fields() -> None:
    head = split_head(b"x")
    assert (head.start_line, fields(head), head.problem) == ("x", [], None)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"x\r\nTo: a\nVia: b", [("To", "a Via: b")]),
        (b"x\r\nTo: a\rVia: b", [("To", "a Via: b")]),
        (b"x\r\nTo: a\0b", [("To", "a b")]),
        (b"x\r\nTo: a\r\n \t \r\nVia: b", [("To", "a"), ("Via", "b")]),
        (b"x\r\nTo: a\r\n ", [("To", "a")]),
        (b"x\r\n folded: start\r\nTo: a", [("To", "a")]),
        (b"x\r\nFoobar roobar\r\nTo: a", [("To", "a")]),
        (b"x\r\n: nameless\r\nTo: a", [("To", "a")]),
        (b"x\r\na b: c\r\nTo: a", [("To", "a")]),
        (b"x\r\n\xe9: c\r\nTo: a", [("To", "a")]),
        (b"x\r\n\r\nTo: a", [("To", "a")]),
    ],
)
def test_what_others_could_read_otherwise(data: bytes, kept: list[tuple[str, str]]) -> None:
    head = split_head(data)
    assert head.problem is not None
    assert head.problem.status == 400
    assert fields(head) == kept


def test_nul_is_fine_as_a_quoted_pair() -> None:
    assert split_head(b'x\r\nTo: "\\\0" <sip:a@b>').problem is None


def test_limits() -> None:
    limits = Limits(max_headers=2, max_header_line=10)
    assert split_head(b"x\r\nTo: 123456\r\nA:1", limits).problem is None
    for data in (
        b"x\r\nTo: 1234567\r\nA:1",
        b"x\r\nTo: 12\r\n 3456\r\nA:1",
        b"x\r\nA:1\r\nB:2\r\nC:3",
    ):
        problem = split_head(data, limits).problem
        assert problem is not None
        assert problem.status == 513


def test_content_length() -> None:
    assert content_length(Headers()) is None
    assert content_length(Headers([("l", "0012")])) == 12


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (["-999"], 400),
        (["+5"], 400),
        (["bad"], 400),
        ([""], 400),
        (["1, 1"], 400),
        (["13", "5"], 400),
        (["5", "5"], 400),
        (["0x10"], 400),
        (["9" * 5000], 400),
        (["18446744073709551617"], 400),
        (["4294967297"], 413),
        (["101"], 413),
    ],
)
def test_content_length_that_cannot_be_trusted(values: list[str], status: int) -> None:
    headers = Headers([("Content-Length", value) for value in values])
    with pytest.raises(RemoteProtocolError) as caught:
        content_length(headers, Limits(max_body=100))
    assert caught.value.status == status


@given(
    st.binary()
    | st.lists(st.sampled_from([b"\r\n", b" ", b"\n", b"\0", b"To:", b"a"])).map(b"".join)
)
def test_no_octets_break_out_of_a_line(data: bytes) -> None:
    head = split_head(data)
    for name, value in head.headers:
        assert not set("\r\n") & set(name + value)
