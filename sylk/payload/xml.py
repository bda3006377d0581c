"""XML bodies of strangers: read within bounds, and text made fit to stand in a document.

Reading never meets a DTD: a document that holds one is refused before the XML library sees it,
and with it every entity, every default attribute and every reference to a file or a host. What
costs more than its octets is bounded too, before parsing where it can be told from the octets
(attributes, elements), afterwards inside the library where not (depth, text).

Octets are read as UTF-8, or as what a byte order mark says. Of other declared charsets only
ISO-8859-1 is taken, which some clients write; the choice is never left to the library.

Text that is written may hold anything that a peer can put into a display name. XML 1.0 has no
form at all for most control characters and for surrogates (2.2), so that these become U+FFFD.
COMPAT: deployed clients check documents against the schema and drop an invalid one without a
word, so that one odd URI would blind everybody in a room. Hence `escape_uri`.
"""

import re

from lxml import etree

from sylk.errors import RemoteProtocolError

MAX_SIZE = 1048576  # octets of a document; a larger one is refused
MAX_ELEMENTS = 32768  # elements and comments; a document with more is refused
MAX_ATTRIBUTES = 64  # attributes of one element; a document with more is refused
MAX_DEPTH = 32  # elements inside each other; a deeper document is refused
MAX_TEXT = 65536  # characters of one text or attribute; a document with a longer one is refused

Element = etree._Element  # pyright: ignore[reportPrivateUsage] the stubs have no public name for it

_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?\s*+<\?xml\s[^<>]{0,200}?\?>")
_DECLARED_CHARSET = re.compile(rb"\sencoding\s*=\s*[\"']([^\"']*)[\"']")
_UTF_8 = frozenset((b"utf-8", b"utf8", b"us-ascii", b"ascii"))
_LATIN = frozenset((b"iso-8859-1", b"latin1"))

# What XML 1.0 has no form for, and what is markup. CR would be read back as LF.
_FORBIDDEN = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_IN_TEXT = re.compile(f"[&<>\r{_FORBIDDEN}]")
_IN_ATTRIBUTE = re.compile(f'[&<>"\t\n\r{_FORBIDDEN}]')
_REFERENCES = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;",
    "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",
}  # fmt: skip

_URI_CHARACTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})"
_AUTHORITY = r"(?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?![^/?#]))"
_URI = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.-]*+:(?:{_AUTHORITY}|(?!//)){_URI_CHARACTER}*+(?:#{_URI_CHARACTER}*+)?"
)
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*+:")
# A URI may hold characters beyond ASCII: XML Schema takes IRIs.
_NOT_IN_URI = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?%\u00a1-\ud7ff-]")
_ESCAPED_HOST = re.compile(r"((?:^sips?:|@))%5B([0-9A-Fa-f:.]+)%5D", re.IGNORECASE)
_ESCAPED = re.compile("(?:%[0-9A-Fa-f]{2})+")


def read_document(
    data: bytes,
    namespace: str,
    name: str,
    *,
    max_size: int = MAX_SIZE,
    max_elements: int = MAX_ELEMENTS,
    max_attributes: int = MAX_ATTRIBUTES,
    max_depth: int = MAX_DEPTH,
    max_text: int = MAX_TEXT,
) -> Element:
    """Return the root element of `data`, which must be `name` of `namespace`.

    Comments and processing instructions are left out. Bounds are in octets, elements, attributes
    of one element, levels and characters of one text. Raises RemoteProtocolError (400) past a
    bound, for a DTD, and for all that is not well formed.
    """
    if len(data) > max_size:
        raise RemoteProtocolError("the XML document is too large")
    data = _as_utf_8(data)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise RemoteProtocolError("a DTD in the XML document")
    # Each element begins with this; end tags are not counted, comments are.
    if data.count(b"<") - data.count(b"</") > max_elements + 1:
        raise RemoteProtocolError("too many elements in the XML document")
    if _many_attributes(max_attributes).search(data):
        raise RemoteProtocolError("too many attributes in the XML document")
    root = _parse(data)
    if root.tag != f"{{{namespace}}}{name}":
        raise RemoteProtocolError(f"the XML document is no {name}")
    if root.xpath(f"boolean({'/*' * (max_depth + 1)})"):
        raise RemoteProtocolError("the XML document is too deep")
    if root.xpath(f"boolean(//text()[string-length() > {max_text}])") or root.xpath(
        f"boolean(//@*[string-length() > {max_text}])"
    ):
        raise RemoteProtocolError("too long a text in the XML document")
    return root


def children(element: Element, namespace: str) -> list[tuple[str, Element]]:
    """Return (name, child) for the children of `element` that are of `namespace`, in order."""
    prefix = f"{{{namespace}}}"
    start = len(prefix)
    return [
        (tag[start:], child)
        for child in element
        if isinstance(tag := child.tag, str) and tag.startswith(prefix)
    ]


def text_of(element: Element) -> str:
    """Return the text that an element begins with, without the white space round it."""
    return (element.text or "").strip(" \t\r\n")


def number_of(element: Element, maximum: int = 0xFFFFFFFF) -> int | None:
    """Return the number that an element holds, None if it is none or above `maximum`."""
    return read_number(text_of(element), maximum)


def read_number(text: str, maximum: int = 0xFFFFFFFF) -> int | None:
    """Return a number of digits alone, None if it is none or above `maximum`."""
    # Longer ones are above any maximum, and slow to read.
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        return None
    number = int(text)
    return number if number <= maximum else None


def truth_of(text: str) -> bool | None:
    """Return what an xs:boolean says, None if it is none."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())


def escape_text(text: str) -> str:
    """Make `text` fit to stand between tags; what XML 1.0 cannot hold becomes U+FFFD."""
    return _IN_TEXT.sub(_reference, text) if _IN_TEXT.search(text) else text


def escape_attribute(text: str) -> str:
    """Make `text` fit to stand in double quotes; what XML 1.0 cannot hold becomes U+FFFD."""
    return _IN_ATTRIBUTE.sub(_reference, text) if _IN_ATTRIBUTE.search(text) else text


def escape_uri(uri: str) -> str:
    """Make `uri` fit for an xs:anyURI, in text or in double quotes.

    What is a URI stays as it is. COMPAT: libxml2, by which clients check documents, takes square
    brackets only in URIs with `//`, so that those of an IPv6 host in a SIP URI are escaped too.
    """
    if not _URI.fullmatch(uri):
        match = _SCHEME.match(uri)
        scheme = match[0] if match else ""
        rest = _NOT_IN_URI.sub(_percent_encoded, uri[len(scheme) :])
        if rest.startswith("//"):
            rest = "%2F" + rest[1:]
        uri = scheme + rest if scheme else rest.replace(":", "%3A")
    return uri.replace("&", "&amp;")


def read_uri(text: str) -> str:
    """Return the URI that a document holds, as it is compared elsewhere.

    COMPAT: a deployed server escapes whole URIs (`sip%3Aroom%40example.com`). The brackets of an
    IPv6 host that `escape_uri` hid come back.
    """
    text = text.strip(" \t\r\n")
    if ":" not in text and "%3a" in text.lower():
        text = _ESCAPED.sub(_percent_decoded, text)
    return _ESCAPED_HOST.sub(r"\1[\2]", text)


def _as_utf_8(data: bytes) -> bytes:
    """Return the octets of a document in UTF-8, without a mark and white space before it."""
    try:
        text = data.decode(_charset_of(data)).strip(" \t\r\n")
        if "\0" in text:
            raise RemoteProtocolError("NUL in the XML document")
        return text.encode()
    except UnicodeError:
        raise RemoteProtocolError("the XML document is not in its charset") from None


def _charset_of(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    declaration = _DECLARATION.match(data)
    declared = _DECLARED_CHARSET.search(declaration[0]) if declaration else None
    name = declared[1].lower() if declared else b"utf-8"
    if name in _UTF_8:
        return "utf-8-sig"
    if name in _LATIN:
        return "latin-1"
    raise RemoteProtocolError("a charset of the XML document that is not known")


def _many_attributes(maximum: int) -> re.Pattern[bytes]:
    # Namespace declarations count too, which the library does not show as attributes.
    return re.compile(
        rb"<[^\s<>\"'=/!?]++(?:\s*+[^\s<>\"'=]++\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+')){%d}"
        % (maximum + 1)
    )


def _parse(data: bytes) -> Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        # The library's own words quote the document, and would put it into a log.
        raise RemoteProtocolError(f"not well-formed XML in line {error.lineno}") from None


def _reference(match: re.Match[str]) -> str:
    return _REFERENCES.get(match[0], "\ufffd")


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", "replace"))


def _percent_decoded(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")
