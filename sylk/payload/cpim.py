"""Message/CPIM (RFC 3862): the wrapper that tells who says what to whom in a chat.

A message is a block of CPIM headers, a blank line, MIME headers, a blank line, content.
`CpimMessage` is the whole of it. `split_envelope` is the short way for a switch, which
reads From, To and DateTime, writes a new header block and forwards the rest untouched.
How the blocks are told apart, and what is forgiven there, stands in `cpim_headers`.

Header names are compared without regard to case, and the space after the colon may be
missing. COMPAT: RFC 3862 demands both, deployed clients write `CC:` and `DateTime:2013-...`.

Header values are kept as they were on the wire, with their escapes; `Header.text`,
`CpimMessage.header` and `Address` give plain text. Text is UTF-8 with surrogateescape.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.content_type import ContentType
from sylk.payload.cpim_address import Address
from sylk.payload.cpim_envelope import (
    Envelope,
    line_uri,
    render_envelope,
    split_envelope,
    wrapped_content_type,
)
from sylk.payload.cpim_headers import (
    CONTROLS,
    DEFAULT_CONTENT_TYPE,
    MAX_HEADER_SIZE,
    MAX_HEADERS,
    HeaderLine,
    blank_line_at,
    is_mime_name,
    is_name,
    read_cpim_block,
    read_entity,
)
from sylk.payload.cpim_text import (
    CONTROL_ESCAPES,
    TEXT_ESCAPES,
    decode,
    encode,
    split_parameters,
    unescape,
)

__all__ = [
    "CPIM_NAMESPACE",
    "Address",
    "CpimMessage",
    "Envelope",
    "Header",
    "line_uri",
    "render_envelope",
    "split_envelope",
    "wrapped_content_type",
]

CPIM_NAMESPACE = "urn:ietf:params:cpim-headers:"  # of every header without a prefix

_CONTROL_TO_SPACE = dict.fromkeys(CONTROLS, " ")
_NAMESPACE = re.compile(r"([^<\s]*)\s*<([^>]*)>")
# Every other charset is read as UTF-8: a codec picked by a stranger may be slow or raise.
_CHARSETS = {
    "iso-8859-1": "latin-1", "latin1": "latin-1", "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252", "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
}  # fmt: skip


@dataclass(slots=True)
class Header:
    """One CPIM header; `prefix` is `agp` in `agp.Message-Type`. RFC 3862 3.

    `value` is the text on the wire, escapes included; `params` is what stands between the
    colon and the space, such as `;lang=fr`.
    """

    name: str
    value: str
    prefix: str = ""
    params: str = ""

    @property
    def text(self) -> str:
        """The value with its escapes undone. RFC 3862 2.3.1."""
        return unescape(self.value)

    def render(self) -> bytes:
        """Write the line without its line end; a control character is escaped.

        Raises LocalProtocolError for a name that is none.
        """
        name = encode(f"{self.prefix}.{self.name}" if self.prefix else self.name)
        if not is_name(name) or split_parameters(self.params) != (self.params, ""):
            raise LocalProtocolError("not a header name or not parameters of CPIM")
        return name + encode(f":{self.params} {self.value}".translate(CONTROL_ESCAPES))


@dataclass(slots=True)
class CpimMessage:
    """A CPIM message: headers in order, MIME headers, content. RFC 3862 2."""

    headers: list[Header]
    content_headers: list[tuple[str, str]]
    content: bytes

    @classmethod
    def parse(
        cls, data: bytes, *, max_headers: int = MAX_HEADERS, max_header_size: int = MAX_HEADER_SIZE
    ) -> Self:
        """Read a whole message; the bounds are in lines and bytes of each header block.

        Raises RemoteProtocolError (400). See the head of this module for what is forgiven.
        """
        block, merged = read_cpim_block(data, max_headers, max_header_size)
        if merged:
            mime = [line for line in block.lines if is_mime_name(line.name)]
            block.lines = [line for line in block.lines if not is_mime_name(line.name)]
            start = block.end + blank_line_at(data, block.end)
        else:
            entity = read_entity(data, block.end, max_headers, max_header_size)
            mime, start = entity.lines, entity.end
        return cls(
            [_make_header(line) for line in block.lines],
            [(decode(line.name), decode(line.value).strip(" ")) for line in mime],
            data[start:],
        )

    @classmethod
    def compose(
        cls,
        from_: Address,
        to: Address | Sequence[Address],
        content: bytes,
        content_type: str,
        date_time: str,
        extra: Iterable[tuple[str, str, str, str]] = (),
    ) -> Self:
        """Make a message; `extra` holds (prefix, namespace URI, name, plain text) for more headers.

        `date_time` is in the form of RFC 3339. Each namespace is declared before its first use.
        """
        receivers = [to] if isinstance(to, Address) else to
        headers = [Header("From", from_.render())]
        headers += [Header("To", receiver.render()) for receiver in receivers]
        headers.append(Header("DateTime", date_time))
        declared: set[tuple[str, str]] = set()
        for prefix, uri, name, text in extra:
            if (prefix, uri) not in declared:
                declared.add((prefix, uri))
                headers.append(Header("NS", f"{prefix} <{uri}>".lstrip(" ")))
            headers.append(Header(name, text.translate(TEXT_ESCAPES), prefix))
        return cls(headers, [("Content-Type", content_type)], content)

    def render(self) -> bytes:
        """Write the message: CRLF in both header blocks, the content as it is.

        A missing Content-Type is written as text/plain, because RFC 3862 2.4 demands one.
        Raises LocalProtocolError for a header name that is none, and without any CPIM header.
        """
        if not self.headers:
            raise LocalProtocolError("a CPIM message needs a CPIM header")
        lines = [header.render() for header in self.headers]
        lines.append(b"")
        content_headers = self.content_headers
        if not any(name.lower() == "content-type" for name, _ in content_headers):
            content_headers = [("Content-Type", DEFAULT_CONTENT_TYPE), *content_headers]
        for name, value in content_headers:
            if not is_name(encode(name)):
                raise LocalProtocolError("not a MIME header name")
            lines.append(encode(f"{name}: {value.translate(_CONTROL_TO_SPACE)}"))
        lines += (b"", self.content)
        return b"\r\n".join(lines)

    @property
    def from_(self) -> Address | None:
        """The sender, None if not told; raises RemoteProtocolError (400) if malformed."""
        return next((Address.parse(each.value) for each in self._plain("from")), None)

    @property
    def to(self) -> list[Address]:
        """The receivers, often one; raises RemoteProtocolError (400) if one is malformed."""
        return [Address.parse(header.value) for header in self._plain("to")]

    @property
    def date_time(self) -> str | None:
        """When it was sent, as written, None if not told. RFC 3862 4.4."""
        return self.header("DateTime") or None

    @property
    def content_type(self) -> str:
        """The media type of the content; text/plain if not told."""
        for name, value in self.content_headers:
            if name.lower() == "content-type" and value:
                return value
        return DEFAULT_CONTENT_TYPE

    @property
    def text(self) -> str:
        """The content as text by its charset; unknown ones are read as UTF-8, never raises.

        Bytes that do not fit become U+FFFD. A transfer encoding is not undone.
        """
        try:
            charset = ContentType.parse(self.content_type).params.get("charset", "")
        except RemoteProtocolError:
            charset = ""
        return self.content.decode(_CHARSETS.get(charset.lower(), "utf-8"), "replace")

    def header(self, name: str, namespace_uri: str | None = None) -> str | None:
        """Return the plain text of the first header `name`, in any letter case.

        Without `namespace_uri` only headers without prefix count; with it only those whose
        prefix (or default) was declared to be that namespace. RFC 3862 3.4.
        """
        if namespace_uri is None:
            return next((header.text for header in self._plain(name)), None)
        namespaces = {"": CPIM_NAMESPACE}
        for header in self.headers:
            if header.name == "NS" and not header.prefix:
                declared = _NAMESPACE.fullmatch(header.value)
                if declared:
                    namespaces[declared[1]] = declared[2]
            elif (
                namespaces.get(header.prefix) == namespace_uri
                and header.name.lower() == name.lower()
            ):
                return header.text
        return None

    def _plain(self, name: str) -> Iterable[Header]:
        name = name.lower()
        return (each for each in self.headers if not each.prefix and each.name.lower() == name)


def _make_header(line: HeaderLine) -> Header:
    params, value = split_parameters(decode(line.value))
    prefix, dot, name = decode(line.name).partition(".")
    if not dot:
        prefix, name = "", prefix
    return Header(name, value, prefix, params)
