"""Who a peer says that he is, as a chat shows it."""

import re
from urllib.parse import quote

from sylk.payload.cpim import Address
from sylk.sip.address import NameAddr
from sylk.sip.uri import SipURI

MAX_NAME = 128
"""Characters of a display name; the rest of a longer one is cut off."""

_URI_CHARACTERS = "!#$%&'()*+,/:;=?@[]"

# C0, DEL and C1 controls, line and paragraph separators, what turns the direction of text, and
# surrogates, which stand for bytes that were not UTF-8.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def identity_of(name_addr: NameAddr) -> Address:
    """Return the CPIM identity of a SIP address: display name, and the URI bare of parameters.

    Clients look people up by this text, so it is the same in every document that names them.
    A name is shown to others: no character of it breaks a line or drives a terminal.
    """
    uri = name_addr.uri
    # The user of a SIP URI is escaped when it is written; other URIs stand as they came.
    text = (
        str(uri.aor)
        if isinstance(uri, SipURI)
        else quote(str(uri), _URI_CHARACTERS, errors="surrogateescape")
    )
    return Address(text, harmless(name_addr.display_name)[:MAX_NAME])


def harmless(text: str) -> str:
    """Return what a peer wrote without characters that break a line or drive a terminal."""
    return _UNFIT.sub("\ufffd", text)
