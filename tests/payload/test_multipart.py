"""Tests of sylk.payload.multipart: parts, boundaries that are none, bodies made to cost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.content_type import ContentType
from sylk.payload.multipart import MAX_DEPTH, MAX_PARTS, BodyPart, Multipart
from sylk.payload.resource_lists import parse_recipients
from tests.corpora import corpus
from tests.payload.documents import read_or_refused

MIXED = "multipart/mixed;boundary=b"
TEXT = ("Content-Type", "text/plain")


def body(*lines: str, eol: str = "\r\n") -> bytes:
    return eol.join(lines).encode()


def contents(data: bytes, content_type: str = MIXED) -> list[bytes]:
    return [part.content for part in Multipart.parse(data, content_type).parts]


def refused(data: bytes, content_type: str = MIXED) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Multipart.parse(data, content_type)
    assert caught.value.status == 400


def flow(name: str) -> tuple[bytes, str]:
    """Return the body of a message of the corpora, and its Content-Type."""
    data = (corpus("flows") / "sip" / name).read_bytes()
    head, _, content = data.partition(b"\r\n\r\n")
    unfolded = re.sub(r"\r\n[ \t]+", " ", head.decode())
    types = re.findall(r"^content-type *: *(.*?)\r?$", unfolded, re.IGNORECASE | re.MULTILINE)
    return content, types[0] if types else ""


def test_an_invitation_with_a_list() -> None:
    data, content_type = flow("rfc5366-001-INVITE.sip")
    multipart = Multipart.parse(data, content_type)
    assert multipart.subtype == "mixed"
    offer, recipients = multipart.parts
    assert offer.content_type == "application/sdp"
    assert offer.content.startswith(b"v=0\r\n")
    assert (recipients.disposition, recipients.optional) == ("recipient-list", False)
    assert len(parse_recipients(recipients.content)) == 7
    assert multipart.part_of_type(["application/resource-lists+xml"]) is recipients
    assert multipart.part_of_type(["application/pidf+xml"]) is None


def test_all_multiparts_of_the_rfcs() -> None:
    read = 0
    for path in sorted((corpus("flows") / "sip").glob("*.sip")):
        data, content_type = flow(path.name)
        if content_type.lower().startswith("multipart/") and data.strip():
            multipart = Multipart.parse(data, content_type)
            assert all(part.headers or part.content for part in multipart.leaves())
            read += 1
    assert read > 20


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
def test_parts_and_what_is_round_them(eol: str) -> None:
    data = body("preamble", "--b", "A: x", "", "one", "", "--b", "", "two", "--b--", "end", eol=eol)
    assert contents(data) == [f"one{eol}".encode(), b"two"]
    (first, second) = Multipart.parse(data, MIXED).parts
    assert first.headers == [("A", "x")]
    assert (second.content_type, second.disposition, second.optional) == ("text/plain", "", False)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"--b\r\n\r\none\r\n--b--", [b"one"]),
        (b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo", [b"one"]),
        (b"--b \t\r\n\r\none\r\n--b-- \r\n", [b"one"]),
        (b"--b\r\n\r\none", [b"one"]),
        (b"--b\r\n\r\none\r\n", [b"one\r\n"]),
        (b"--b\r\n--b\r\n--b--", [b"", b""]),
        (b"--b\r\n\r\n--b--", [b""]),
        (b"--b", [b""]),
        (b"x--b\r\n--b\r\n\r\none--b\r\n--b--", [b"one--b"]),
        (b"--b\r\n\r\n--bc\r\n--bc--\r\n--b--", [b"--bc\r\n--bc--"]),
        (b"--b\r\n\r\n--b-\r\n--b-x\r\n--b--", [b"--b-\r\n--b-x"]),
        (b"--b\r\n\r\n --b\r\n--b--x\r\n--b--", [b" --b\r\n--b--x"]),
        (b"--b\r\n\r\none\r--b\r\n--b--", [b"one\r--b"]),
        (b"--b\r\nno header\r\n\r\none\r\n--b--", [b"no header\r\n\r\none"]),
        (b"--b\r\n\r\n\0\xff\r\n\r\n--b--", [b"\0\xff\r\n"]),
    ],
)  # fmt: skip
def test_boundaries(data: bytes, found: list[bytes]) -> None:
    assert contents(data) == found


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/mixed; boundary="a b:(c)"',
        "multipart/mixed; charset=x; Boundary=a",
        f"multipart/mixed;boundary={'x' * 70}",
    ],
)
def test_boundaries_that_can_be_one(content_type: str) -> None:
    boundary = ContentType.parse(content_type).params["boundary"]
    assert contents(f"--{boundary}\r\n\r\none\r\n--{boundary}--".encode(), content_type) == [b"one"]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain;boundary=b",
        "multipart/mixed",
        "multipart/mixed;boundary=",
        'multipart/mixed;boundary=""',
        'multipart/mixed;boundary=" "',
        'multipart/mixed;boundary="b\\""',
        "multipart/mixed;boundary=é",
        f"multipart/mixed;boundary={'x' * 71}",
    ],
)
def test_boundaries_that_are_none(content_type: str) -> None:
    refused(b"--b\r\n\r\none\r\n--b--", content_type)


@pytest.mark.parametrize("data", [b"", b"--", b"-b", b"one", b"--b--", b"x--b\r\n", b"--bc\r\n"])
def test_no_parts(data: bytes) -> None:
    refused(data)


def test_parts_inside_parts() -> None:
    data = body(
        "--b", "Content-Type: Multipart/Alternative; boundary=bb", "",
        "--bb", "Content-Type: text/plain", "", "plain",
        "--bb", "Content-Type: text/html", "", "rich", "--bb--",
        "--b", "Content-Type: image/png", "", "image", "--b--",
    )  # fmt: skip
    multipart = Multipart.parse(data, MIXED)
    assert [part.content for part in multipart.leaves()] == [b"plain", b"rich", b"image"]
    assert [part.content for part in multipart.parts[0].parts] == [b"plain", b"rich"]
    assert multipart.part_of_type(["image/*"]) is multipart.parts[1]


def test_of_an_alternative_the_last_that_is_understood() -> None:
    data = body(
        "--b", "Content-Type: text/plain", "", "1", "--b", "Content-Type: text/html", "", "2",
        "--b", "Content-Type: x/y", "", "3", "--b--",
    )  # fmt: skip
    for subtype, chosen in (("alternative", b"2"), ("mixed", b"1")):
        part = Multipart.parse(data, f"multipart/{subtype};boundary=b").part_of_type(["text/*"])
        assert part is not None
        assert part.content == chosen


@pytest.mark.parametrize(
    ("value", "disposition", "optional"),
    [
        ("render", "render", False),
        ("Recipient-List; handling=optional", "recipient-list", True),
        ("session;x=y;Handling=OPTIONAL", "session", True),
        ("session;handling=required", "session", False),
        (";handling=optional", "", False),
        ("", "", False),
    ],
)
def test_dispositions(value: str, disposition: str, optional: bool) -> None:
    part = BodyPart([("content-disposition", value)], b"")
    assert (part.disposition, part.optional) == (disposition, optional)


def nested(levels: int) -> bytes:
    data = b"one"
    for level in range(levels, 0, -1):
        inner = f"Content-Type: multipart/mixed;boundary=b{level}\r\n".encode()
        header = inner if level < levels else b""
        boundary = f"--b{level - 1}".encode()
        data = boundary + b"\r\n" + header + b"\r\n" + data + b"\r\n" + boundary + b"--"
    return data


def test_bounds() -> None:
    part = b"--b\r\n\r\none\r\n"
    assert len(contents(part * MAX_PARTS)) == MAX_PARTS
    refused(part * (MAX_PARTS + 1))
    assert (
        len(list(Multipart.parse(nested(MAX_DEPTH), "multipart/mixed;boundary=b0").leaves())) == 1
    )
    refused(nested(MAX_DEPTH + 1), "multipart/mixed;boundary=b0")
    refused(b"--b\r\n" + b"A: b\r\n" * 65 + b"\r\none")
    refused(b"--b\r\nA: " + b"b" * 20000 + b"\r\n\r\none")
    refused(b"--b\r\nA: \0\r\n\r\none")


def test_parts_inside_parts_are_counted() -> None:
    inner = b"Content-Type: multipart/mixed;boundary=c\r\n\r\n" + b"--c\r\n\r\n\r\n" * 10
    part = b"--b\r\n" + inner
    assert len(list(Multipart.parse(part * 2, MIXED).leaves())) == 20
    refused(part * 3)


@pytest.mark.parametrize(
    "data",
    [
        b"--b\r\n" * 100000,
        b"--b" * 300000,
        b"--b\r\n\r\n" + b"\n--bx" * 200000 + b"--b--" * 1000 + b"\r\n--b\r\n" * 40,
        b"--b " + b" " * 500000 + b"x" + b"\r\n--b" * 50,
        (b"--b" + b" " * 1000 + b"x\r\n") * 500,
    ],
    ids=["empty parts", "no lines", "look-alikes", "padding", "much padding"],
)
def test_bodies_made_to_cost(data: bytes) -> None:
    refused(data)


def test_what_we_write() -> None:
    parts = [BodyPart([TEXT, ("Content-ID", "<é@x>")], b"one"), BodyPart([], b"")]
    content_type, data = Multipart("mixed", parts).render()
    boundary = ContentType.parse(content_type).params["boundary"]
    assert data.decode() == (
        f"--{boundary}\r\nContent-Type: text/plain\r\nContent-ID: <é@x>\r\n\r\none\r\n"
        f"--{boundary}\r\n\r\n\r\n--{boundary}--\r\n"
    )
    assert Multipart("mixed", parts).render() == (content_type, data)


def test_the_boundary_is_in_no_part() -> None:
    part = BodyPart([TEXT], b"one")
    for _ in range(5):
        content_type, data = Multipart("mixed", [part]).render()
        part = BodyPart([("Content-Type", content_type)], data)
    content_type, data = Multipart("mixed", [part]).render()
    boundary = ContentType.parse(content_type).params["boundary"]
    assert boundary.encode() not in part.content


def test_what_cannot_be_written() -> None:
    for multipart in (
        Multipart("mixed", []),
        Multipart("mixed", [BodyPart([("a b", "x")], b"")]),
        Multipart("a b", [BodyPart([], b"")]),
    ):
        with pytest.raises(LocalProtocolError):
            multipart.render()
    _, data = Multipart("mixed", [BodyPart([("A", "x\r\nB: y")], b"")]).render()
    assert b"\r\nA: x  B: y\r\n" in data


_NAMES = st.sampled_from(["Content-Type", "Content-ID", "X"])
_HEADERS = st.lists(st.tuples(_NAMES, st.text("abcÄ<>@/;=\"'", max_size=9)), max_size=3)


@given(st.lists(st.builds(BodyPart, _HEADERS, st.binary()), min_size=1, max_size=5))
def test_there_and_back(parts: list[BodyPart]) -> None:
    content_type, data = Multipart("mixed", parts).render()
    assert Multipart.parse(data, content_type) == Multipart("mixed", parts)


_PIECES = st.sampled_from(
    [b"--b", b"--", b"--b--", b"\r\n", b"\n", b" ", b"--bc", b"b", b"X: y", b"\0",
     b"Content-Type: multipart/x;boundary=bc"]
)  # fmt: skip


@given(
    st.binary() | st.lists(_PIECES).map(b"".join),
    st.sampled_from([MIXED, "multipart/a;boundary=-"]),
)
def test_any_octets_are_read_or_refused(data: bytes, content_type: str) -> None:
    read_or_refused(lambda data: Multipart.parse(data, content_type), data)
