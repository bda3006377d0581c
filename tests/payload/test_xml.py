"""Tests of sylk.payload.xml: hostile documents, and text made fit for one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sylk.errors import RemoteProtocolError
from sylk.payload.xml import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_SIZE,
    MAX_TEXT,
    Element,
    children,
    escape_attribute,
    escape_text,
    escape_uri,
    number_of,
    read_document,
    read_number,
    read_uri,
    text_of,
    truth_of,
)
from tests.payload.documents import ANY_TEXT, PLAIN_TEXT, PLAIN_URI, assert_valid, read_or_refused

NAMESPACE = "urn:test"


def read(data: bytes) -> Element:
    return read_document(data, NAMESPACE, "a")


def wrapped(content: str | bytes) -> bytes:
    inner = content.encode() if isinstance(content, str) else content
    return b'<a xmlns="urn:test">' + inner + b"</a>"


def refused(data: bytes) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        read(data)
    assert caught.value.status == 400
    return str(caught.value)


def test_children_of_the_namespace_and_their_texts() -> None:
    root = read(
        b'<?xml version="1.0"?><!-- c --><?p i?>'
        + wrapped('<b> x<!-- c --> y </b><c xmlns="urn:other"/><d><e/></d><n>007</n><b/>')
    )
    assert [(name, text_of(child)) for name, child in children(root, NAMESPACE)] == [
        ("b", "x y"),
        ("d", ""),
        ("n", "007"),
        ("b", ""),
    ]
    assert [number_of(child) for _, child in children(root, NAMESPACE)] == [None, None, 7, None]


ENTITIES = [
    b'<!DOCTYPE a [<!ENTITY x "y">]>' + wrapped("&x;"),
    b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">' + wrapped(""),
    b'<!DOCTYPE a PUBLIC "-//X//Y" "file:///etc/passwd">' + wrapped(""),
    b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>' + wrapped(""),
    b'<?xml version="1.0"?>\n<!DOCTYPE a [<!ATTLIST a b CDATA "c">]>' + wrapped(""),
    '<!DOCTYPE a [<!ENTITY x "y">]><a xmlns="urn:test">&x;</a>'.encode("utf-16"),
]


@pytest.mark.parametrize("data", ENTITIES)
def test_no_dtd_is_taken(data: bytes) -> None:
    assert refused(data) == "a DTD in the XML document"


def test_a_billion_laughs_are_not_laughed() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    refused(f'<!DOCTYPE a [<!ENTITY l0 "ha">{levels}]>'.encode() + wrapped("&l9;"))


def test_one_long_entity_is_not_repeated() -> None:
    text = "x" * 50000
    refused(f'<!DOCTYPE a [<!ENTITY x "{text}">]>'.encode() + wrapped("&x;" * 10000))


def test_a_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    assert "secret" not in refused(entity.encode() + wrapped("&x;"))
    include = f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{secret.as_uri()}"/>'
    assert "secret" not in "".join(map(str, read(wrapped(include)).itertext()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \r\n",
        b"\0",
        b"a",
        b"<a/>",
        b'<a xmlns="urn:other"/>',
        b'<b xmlns="urn:test"/>',
        wrapped("")[:-1],
        wrapped("") + wrapped(""),
        wrapped("<b>"),
        wrapped("</b>"),
        wrapped("<b c='1' c='2'/>"),
        wrapped("<x:b/>"),
        wrapped("&x;"),
        wrapped("&#0;"),
        wrapped("&#xD800;"),
        wrapped("&#1;"),
        wrapped("\0"),
        wrapped("\x1b"),
        wrapped("") + b"\0",
        wrapped(b"\xff"),
        wrapped(b"\xc0\xbc"),
        wrapped(b"\xed\xa0\x80"),
        b'<?xml version="1.1"?>' + wrapped("&#1;"),
        b'<?xml version="1.0" encoding="utf-7"?>' + wrapped("+AGEA-"),
        b'<?xml version="1.0" encoding="utf-16"?>' + wrapped(""),
        b'<?xml version="1.0" encoding="ebcdic-cp-us"?>' + wrapped(""),
        b'<?xml version="1.0" encoding="x-no-such"?>' + wrapped(""),
        b'<?xml version="1.0" encoding=""?>' + wrapped(""),
        wrapped("").decode().encode("utf-16-le"),
        wrapped("").decode().encode("utf-32"),
        b"\xff\xfe" + wrapped(""),
        b"\xff\xfe<",
    ],
)
def test_what_is_refused(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize(
    "data",
    [
        wrapped("é"),
        b"\xef\xbb\xbf" + wrapped("é"),
        b"\r\n " + wrapped("é") + b"\r\n",
        b'<?xml version="1.0" encoding="UTF-8"?>' + wrapped("é"),
        b'\xef\xbb\xbf<?xml version="1.0" encoding="Utf-8"?>\n' + wrapped("é"),
        b"<?xml version='1.0' encoding='us-ascii' standalone='yes'?>" + wrapped("&#233;"),
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + wrapped(b"\xe9"),
        '<?xml version="1.0" encoding="UTF-16"?>\n<a xmlns="urn:test">é</a>\n'.encode("utf-16"),
        b"\xfe\xff" + '<a xmlns="urn:test">é</a>'.encode("utf-16-be"),
        wrapped("<![CDATA[é]]>"),
    ],
)
def test_charsets_that_are_read(data: bytes) -> None:
    assert text_of(read(data)) == "é"


def test_bounds() -> None:
    read(wrapped("<b/>" * (MAX_ELEMENTS - 1)))
    assert "elements" in refused(wrapped("<b/>" * (MAX_ELEMENTS + 1)))
    assert "elements" in refused(wrapped("<!---->" * (MAX_ELEMENTS + 1)))
    read(wrapped("<b>" * (MAX_DEPTH - 1) + "</b>" * (MAX_DEPTH - 1)))
    assert "deep" in refused(wrapped("<b>" * MAX_DEPTH + "</b>" * MAX_DEPTH))
    read(wrapped("x" * MAX_TEXT))
    assert "text" in refused(wrapped("x" * (MAX_TEXT + 1)))
    assert "text" in refused(wrapped(f"<b c='{'x' * (MAX_TEXT + 1)}'/>"))
    assert "large" in refused(wrapped(" " * MAX_SIZE))


@pytest.mark.parametrize("form", [' b{}="<>"', " xmlns:b{}='u'", "\n b{} = 'x > \"y\"'", " b{}=''"])
def test_attributes_have_a_bound(form: str) -> None:
    def element(count: int) -> bytes:
        attributes = "".join(form.replace("<>", ">").format(n) for n in range(count))
        return wrapped(f"<c{attributes}/>")

    read(element(MAX_ATTRIBUTES))
    assert "attributes" in refused(element(MAX_ATTRIBUTES + 1))


@pytest.mark.parametrize(
    "content",
    [
        "<b>" * 250000,
        "<b>" * 60000 + "</b>" * 60000,
        "<b/>" * 250000,
        "<b c='1'/>" * 50000 + "<",
        "<b " + " ".join(f"c{n}=''" for n in range(100000)) + "/>",
        "<b " + " ".join(f"xmlns:c{n}='u'" for n in range(60000)) + "/>",
        "<b " + "c='" * 300000,
        "<b" + " " * 900000,
        "&amp;" * 180000,
        "<" * 900000,
        "<b c=" * 150000,
        "<![CDATA[" * 100000,
        "<!--" * 200000,
        f"<{'b' * 900000}/>",
    ],
    ids=lambda content: content[:12],
)
def test_what_is_made_to_cost_is_refused(content: str) -> None:
    refused(wrapped(content))


@given(
    st.binary()
    | st.binary().map(wrapped)
    | ANY_TEXT.map(lambda t: wrapped(t.encode("utf-8", "replace")))
)
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    read_or_refused(read, data)


@given(ANY_TEXT)
def test_any_text_can_stand_in_a_document(text: str) -> None:
    data = wrapped(f'<b c="{escape_attribute(text)}">{escape_text(text)}</b>'.encode())
    ((_, child),) = children(read(data), NAMESPACE)
    told = child.text or ""
    assert told == child.get("c")
    assert len(told) == len(text)
    assert all(a == b or b == "\ufffd" for a, b in zip(text, told, strict=True))


@given(PLAIN_TEXT)
def test_text_that_xml_knows_is_kept(text: str) -> None:
    data = wrapped(f'<b c="{escape_attribute(text)}">{escape_text(text)}</b>'.encode())
    ((_, child),) = children(read(data), NAMESPACE)
    assert text_of(child) == child.get("c") == text


@pytest.mark.parametrize("text", ["\0", "\x1b", "\ud800", "\ufffe", "\uffff", "\x0b"])
def test_what_has_no_form_is_replaced(text: str) -> None:
    assert escape_text(f"a{text}b") == escape_attribute(f"a{text}b") == "a\ufffdb"


@pytest.mark.parametrize(
    ("uri", "escaped"),
    [
        ("sip:room@example.com", "sip:room@example.com"),
        ("sip:a%20b@example.com;x=%3B?h=v", "sip:a%20b@example.com;x=%3B?h=v"),
        ("tel:+31201234567", "tel:+31201234567"),
        ("https://[2001:db8::1]:80/a?b=c#d", "https://[2001:db8::1]:80/a?b=c#d"),
        ("sip:a@example.com?x=y&z=", "sip:a@example.com?x=y&amp;z="),
        ("sip:a@[2001:db8::1]:5060", "sip:a@%5B2001:db8::1%5D:5060"),
        ('sip:a"<b>@c', "sip:a%22%3Cb%3E@c"),
        ("sip:100%@a", "sip:100%25@a"),
        ("sip://a:b", "sip:%2F/a:b"),
        ("sip:é@b", "sip:é@b"),
        ("sip:a\udcff\x00@b", "sip:a%3F%00@b"),
        (":", "%3A"),
        ("", ""),
    ],
)
def test_uris(uri: str, escaped: str) -> None:
    assert escape_uri(uri) == escaped


@given(ANY_TEXT | PLAIN_URI | ANY_TEXT.map("sip:{}".format) | ANY_TEXT.map("http://{}".format))
def test_any_uri_is_valid_for_the_library_of_clients(uri: str) -> None:
    data = (
        '<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" '
        f'entity="{escape_uri(uri)}"/>'
    ).encode()
    assert_valid(data, "conference-info.xsd")


@given(PLAIN_URI)
def test_uris_come_back(uri: str) -> None:
    root = etree.fromstring(f'<a b="{escape_uri(uri)}"/>')
    assert read_uri(root.get("b", "")) == uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip%3Aroom%40example.com", "sip:room@example.com"),
        ("tel%3A%2B31201234567", "tel:+31201234567"),
        (" sip:a%3Ab@c\n", "sip:a%3Ab@c"),
        ("sip:%5Bx%5D@c", "sip:%5Bx%5D@c"),
        ("sip:%5B::1%5D:5060", "sip:[::1]:5060"),
        ("%3a%ff%zz", ":\ufffd%zz"),
    ],
)
def test_uris_as_others_write_them(text: str, uri: str) -> None:
    assert read_uri(text) == uri


def test_numbers_and_truths() -> None:
    assert [read_number(text) for text in ("0", "4294967295", "4294967296")] == [
        0,
        4294967295,
        None,
    ]
    for text in ("", "-1", "+1", "1.0", "٣", "²", "9" * 5000):
        assert read_number(text) is None
    assert [truth_of(text) for text in ("true", " 1 ", "FALSE", "0", "", "yes")] == [
        True, True, False, False, None, None
    ]  # fmt: skip
