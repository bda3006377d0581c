"""The text of CPIM headers: UTF-8, and the escapes of RFC 3862 2.3.

Bytes that are not UTF-8 pass through as lone surrogates (surrogateescape), so that a header
in a forgotten charset leaves as it came.
"""

import re

from sylk.payload.cpim_headers import CONTROLS

CONTROL_ESCAPES = {code: f"\\u{code:04x}" for code in CONTROLS} | {
    8: "\\b", 9: "\\t", 10: "\\n", 13: "\\r"
}  # fmt: skip
TEXT_ESCAPES = CONTROL_ESCAPES | {ord("\\"): "\\\\"}
QUOTED_ESCAPES = TEXT_ESCAPES | {ord('"'): '\\"'}
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u([0-9a-fA-F]{4})|\\(.?)",
    re.DOTALL,
)
_ESCAPED_CONTROL = {"b": "\b", "t": "\t", "n": "\n", "r": "\r"}
_PARAMETERS = re.compile(r'(?:;(?:[^ ;"]|"(?:[^"\\]|\\.)*")*)*')
_LONE_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def unescape(text: str) -> str:
    """Undo the escapes of RFC 3862 2.3; what is no escape loses its backslash."""
    return _ESCAPE.sub(_unescape_one, text) if "\\" in text else text


def _unescape_one(match: re.Match[str]) -> str:
    high, low, code, other = match.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10 | int(low, 16) & 0x3FF))
    if code:
        # Half a pair would turn into a raw byte when the text is encoded again.
        return "\ufffd" if 0xD800 <= int(code, 16) <= 0xDFFF else chr(int(code, 16))
    return _ESCAPED_CONTROL.get(other, other)


def decode(data: bytes) -> str:
    """Return the text of header bytes; never raises."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes of header text; what UTF-8 cannot hold becomes U+FFFD."""
    # Half a surrogate pair that stands for no byte has no form in UTF-8.
    return _LONE_SURROGATE.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def split_parameters(text: str) -> tuple[str, str]:
    """Cut what follows the colon into parameters (such as `;lang=fr`) and value. RFC 3862 3.6."""
    match = _PARAMETERS.match(text)
    length = match.end() if match else 0
    return text[:length], text[length:].strip(" ")
