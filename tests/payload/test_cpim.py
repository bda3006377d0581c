import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.cpim import CPIM_NAMESPACE, Address, CpimMessage, Header
from tests.corpora import corpus

AGP = "urn:ag-projects:xml:ns:cpim"

_names = st.text("abcXYZ019-_!#$%&'*+^`|~", min_size=1, max_size=8)
_texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).map(
    lambda text: text.strip(" ")
)
_values = _texts | st.just("\udcff \udc80") | st.just(r"escaped \n \\ \u0041")
_params = st.sampled_from(["", "", ";lang=fr", ';a="b c";lang=de-CH'])
headers = st.builds(Header, _names.filter(lambda name: name.lower() != "from"), _values,
                    st.just("") | _names, _params)  # fmt: skip
content_headers = st.lists(
    st.tuples(st.sampled_from(["Content-ID", "MIME-Version", "X-Y", "content-length"]), _values),
    max_size=3,
)
cpim_messages = st.builds(
    CpimMessage,
    st.lists(headers, min_size=1, max_size=5),
    content_headers.map(lambda others: [*others, ("Content-Type", "text/plain")]),
    st.binary(max_size=40) | st.just(b"Content-Type: a/b\r\n\r\nx"),
)


@given(cpim_messages)
def test_what_is_rendered_parses_to_the_same(message: CpimMessage) -> None:
    assert CpimMessage.parse(message.render()) == message


def parse_or_none(data: bytes) -> CpimMessage | None:
    try:
        return CpimMessage.parse(data)
    except RemoteProtocolError:
        return None


pieces = st.sampled_from(
    b"From: a <b:c>|To: x|from:|Content-Type: text/plain|Content-Length: 5||hello|\xff\xfe: 1|"
    b"Subject:;lang=x y|NS: a<b>|a.b: \xe9|\0| folded|.x: y|Content-Type: \xc3\xa9|http://x".split(
        b"|"
    )
)
hostile_messages = st.lists(pieces, max_size=8).map(b"\r\n".join) | st.lists(
    pieces, max_size=8
).map(b"\n".join)


@given(st.binary(max_size=80) | hostile_messages)
def test_any_bytes_parse_stably_or_are_refused(data: bytes) -> None:
    message = parse_or_none(data)
    if message is None:
        return
    again = CpimMessage.parse(message.render())
    assert again.headers == message.headers
    assert again.content == message.content
    assert again.content_type == message.content_type
    assert again.text == message.text


@given(st.text(), st.text(), st.binary(max_size=20), st.text())
def test_what_is_composed_can_be_read(
    name: str, other: str, content: bytes, status: str
) -> None:  # fmt: skip
    message = CpimMessage.compose(
        Address("sip:alice@example.com", name),
        [Address("sip:room@example.com", other), Address("sip:bob@example.com")],
        content,
        'text/plain; charset="utf8"',
        "2026-11-21T07:35:47+00:00",
        [("agp", AGP, "Message-Type", status), ("agp", AGP, "Other", "x")],
    )
    data = message.render()
    block = data.partition(b"\r\n\r\n")[0]
    assert not re.search(rb"[\x00-\x1f\x7f]", block.replace(b"\r\n", b""))
    assert block.count(b"\r\n") == 6
    read = CpimMessage.parse(data)
    assert read.from_ == Address("sip:alice@example.com", name)
    assert read.to == [
        Address("sip:room@example.com", other), Address("sip:bob@example.com"),
    ]  # fmt: skip
    assert read.content == content
    assert read.date_time == "2026-11-21T07:35:47+00:00"
    assert (read.header("Message-Type", AGP) or "").strip(" ") == status.strip(" ")


def test_a_composed_message_is_laid_out_as_clients_expect() -> None:
    room = Address("sip:room@example.com", "Conference Room")
    message = CpimMessage.compose(
        room, room, b"Bob has left", "text/plain", "2026-11-21T07:35:47+00:00",
        [("agp", AGP, "Message-Type", "status")],
    )  # fmt: skip
    assert message.render() == (
        b"From: Conference Room <sip:room@example.com>\r\n"
        b"To: Conference Room <sip:room@example.com>\r\n"
        b"DateTime: 2026-11-21T07:35:47+00:00\r\n"
        b"NS: agp <urn:ag-projects:xml:ns:cpim>\r\n"
        b"agp.Message-Type: status\r\n"
        b"\r\n"
        b"Content-Type: text/plain\r\n"
        b"\r\n"
        b"Bob has left"
    )


def test_namespaces() -> None:
    message = CpimMessage.parse(
        b"early.Name: too early\r\nNS: early <urn:a>\r\nNS: late<urn:a>\r\nearly.Other: 1\r\n"
        b"Subject:;lang=fr salut\r\nSubject: hello\r\nlate.Name: 2\r\nNS: <urn:b>\r\nName: 3\r\n"
        b"NS: nonsense\r\n\r\n"
    )
    assert message.header("Name", "urn:a") == "2"
    assert message.header("other", "urn:a") == "1"
    assert message.header("Name", "urn:b") == "3"
    assert message.header("Name") == "3"
    assert message.header("Name", "urn:c") is None
    assert message.header("Subject") == "salut"
    assert message.header("Subject", CPIM_NAMESPACE) == "salut"
    assert message.header("Other") is None
    assert [header.params for header in message.headers if header.name == "Subject"] == [
        ";lang=fr", "",
    ]  # fmt: skip


def test_escapes_are_kept_in_the_value_and_undone_in_the_text() -> None:
    message = CpimMessage.parse(b'Subject: a\\tb \\"c\\" \\\\\r\n\r\n')
    assert message.headers == [Header("Subject", r"a\tb \"c\" \\")]
    assert message.header("subject") == 'a\tb "c" \\'
    assert message.render().startswith(b'Subject: a\\tb \\"c\\" \\\\\r\n')


def test_what_is_missing() -> None:
    message = CpimMessage.parse(b"X: y\r\n\r\n")
    assert (message.from_, message.to, message.date_time) == (None, [], None)
    assert (message.content_type, message.content, message.text) == ("text/plain", b"", "")
    assert message.render() == b"X: y\r\n\r\nContent-Type: text/plain\r\n\r\n"


def test_a_malformed_address_is_told_when_it_is_asked_for() -> None:
    message = CpimMessage.parse(b"From: Alice sip:a\r\nTo: <>\r\n\r\n")
    with pytest.raises(RemoteProtocolError):
        _ = message.from_
    with pytest.raises(RemoteProtocolError):
        _ = message.to


@pytest.mark.parametrize(
    "data",
    [b"", b"garbage", b"From: a\r\nFrom: b\r\n\r\n", b"From: a\r\nfrom: b\r\n\r\n",
     b"X: \0\r\n\r\n", b"X: y\r\n" * 65 + b"\r\n", b"X: " + b"y" * 20000 + b"\r\n\r\n",
     b"X: y\r\n\r\n" + b"Content-X: y\r\n" * 65, b"X: y\r\n\r\nContent-Type: \0\r\n\r\n"],
)  # fmt: skip
def test_refused_messages(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        CpimMessage.parse(data)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        ("text/plain", "café".encode(), "café"), ('text/plain; charset="utf8"', b"\xc3\xa9", "é"),
        ("text/plain; charset=ISO-8859-1", b"\xe9", "é"), ("text/plain", b"caf\xe9!", "caf\ufffd!"),
        ("text/plain; charset=x-unknown", b"\xc3\xa9", "é"), ("nonsense", b"\xc3\xa9", "é"),
        ("text/plain; charset=idna", b"a", "a"), ("text/plain; charset=undefined", b"a", "a"),
        ("text/plain; charset=utf-16", b"\xff\xfea\x00\x00\xd8", "a\ufffd"),
    ],
)  # fmt: skip
def test_any_charset_gives_text(content_type: str, content: bytes, text: str) -> None:
    assert CpimMessage([], [("Content-Type", content_type)], content).text == text


@pytest.mark.parametrize(
    "message",
    [
        CpimMessage([Header("Bad name", "x")], [], b""), CpimMessage([Header("", "x")], [], b""),
        CpimMessage([], [], b"x"), CpimMessage([], [("Content-Type", "a/b")], b"x"),
        CpimMessage([Header("A\r\nFrom", "x")], [], b""),
        CpimMessage([Header("A", "x")], [("A\r\nB", "x")], b""),
        CpimMessage([Header("A", "x", params=";b=c d")], [], b""),
        CpimMessage([Header("A", "x", "p q")], [], b""), CpimMessage([Header("é", "x")], [], b""),
    ],
)  # fmt: skip
def test_what_has_no_written_form_is_not_rendered(message: CpimMessage) -> None:
    with pytest.raises(LocalProtocolError):
        message.render()


def test_values_cannot_break_their_line() -> None:
    message = CpimMessage(
        [Header("Subject", "a\r\nFrom: b\0")], [("Content-Type", "a/b\r\nX: y")], b""
    )
    assert (
        message.render() == b"Subject: a\\r\\nFrom: b\\u0000\r\n\r\nContent-Type: a/b  X: y\r\n\r\n"
    )


@pytest.mark.parametrize("name", ["rfc3862-02.cpim", "rfc3862-03.cpim"])
def test_the_examples_of_the_rfc_come_out_as_they_went_in(name: str) -> None:
    data = (corpus("flows") / "cpim" / name).read_bytes()
    message = CpimMessage.parse(data)
    assert message.render() == data
    assert message.from_ == Address("im:piglet@100akerwood.com", "MR SANDERS")
    uri = "mid:MessageFeatures@id.foo.com"
    assert message.header("WackyMessageOption", uri) == "Use-silly-font"
    assert message.headers[4] == Header(
        "Subject", "beau temps prevu pour aujourd'hui", "", ";lang=fr"
    )
    assert message.content_type == "text/xml; charset=utf-8"


# Later chunks of a message: no message of their own.
CONTINUATIONS = {"rfc4975-11-SEND.cpim", "rfc5547-02-SEND.cpim", "rfc7701-12-SEND.cpim"}


def test_every_message_of_the_rfcs_parses() -> None:
    paths = sorted((corpus("flows") / "cpim").glob("*.cpim"))
    assert paths
    for path in paths:
        message = parse_or_none(path.read_bytes())
        assert (message is None) is (path.name in CONTINUATIONS), path.name
        if message is not None:
            assert CpimMessage.parse(message.render()) == message
            assert any(name.lower() == "content-type" for name, _ in message.content_headers)
            # The last chunk of one message begins amid its headers.
            assert (message.from_ is None) is (path.name == "rfc7701-13-SEND.cpim")


def test_a_message_with_its_mime_headers_among_the_others() -> None:
    data = (corpus("flows") / "cpim" / "rfc5547-01-SEND.cpim").read_bytes()
    message = CpimMessage.parse(data)
    assert message.content == b"... first set of bytes of the JPEG image ..."
    assert message.content_headers == [
        ("Content-Disposition", 'render; filename="My cool picture.jpg"; '
         'creation-date="Mon, 15 May 2006 15:01:31 +0300"; size=4092'),
        ("Content-Type", "image/jpeg"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message_id"),
    [
        ("cpim-datetime-nospace.cpim", b"hello\r\n", "abc123"),
        ("cpim-rcs-anonymous.cpim", b"Bonjour\r\n", "ae6926cfcffa40a89e44252ce9e970a2"),
        ("cpim-no-zone-headers-after.cpim", b"hello\r\n", "imdn12345"),
        ("cpim-ns-no-space.cpim", b"", "W0dcbQV7670XKNzx"),
    ],
)
def test_observed_messages(name: str, content: bytes, message_id: str) -> None:
    message = CpimMessage.parse((corpus("traces") / "observed" / name).read_bytes())
    assert message.content == content
    assert message.header("Message-ID", "urn:ietf:params:imdn") == message_id
    assert message.content_type.startswith("text/plain")
    assert message.from_ is not None
    assert message.from_.uri.startswith("sip:")
    assert len(message.to) == 1
    assert message.date_time is not None


def test_an_observed_group_message() -> None:
    path = corpus("traces") / "observed" / "cpim-linphone-groupchat-cc.cpim"
    message = CpimMessage.parse(path.read_bytes())
    assert message.header("cc") == "<2000000001@example.com>; <2000000002@example.com>"
    assert message.content_type == "application/vnd.gsma.rcs-ft-http+xml"
    assert message.content.startswith(b"<?xml")


def captured_bodies(path: Path) -> list[bytes]:
    """Return the CPIM bodies of a capture, with the line ends that it spells out."""
    found = re.findall(
        rb"\nContent-Type: message/cpim\n\n(.*?)\n-------[0-9a-f]+[$+#]",
        path.read_bytes(),
        re.DOTALL,
    )
    return [re.sub(rb"(<LF>)?\n", lambda end: b"\n" if end[1] else b"\r\n", body) for body in found]


def test_captured_messages_parse() -> None:
    bodies = captured_bodies(corpus("traces") / "sylkserver" / "03_cpim_messages.txt")
    messages = [parse_or_none(body) for body in bodies]
    assert len(messages) > 20
    refused = [body for body, message in zip(bodies, messages, strict=True) if message is None]
    assert refused == [b"garbage"]
    joined = [each for each in messages if each and each.header("Message-Type", AGP) == "status"]
    assert joined
    assert joined[0].text == "Bob <bob@127.0.0.1> has joined the room with chat"
    assert joined[0].content_headers == [
        ("MIME-Version", "1.0"), ("Content-Type", 'text/plain; charset="utf8"'),
    ]  # fmt: skip
    assert joined[0].to == [Address("sip:room@127.0.0.1", "Conference Room")]
