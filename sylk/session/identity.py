"""Who a peer says that he is, as a chat shows it."""

from sylk.payload.cpim import Address
from sylk.sip.address import NameAddr
from sylk.sip.uri import SipURI


def identity_of(name_addr: NameAddr) -> Address:
    """Return the CPIM identity of a SIP address: display name, and the URI bare of parameters.

    Clients look people up by this text, so it is the same in every document that names them.
    """
    uri = name_addr.uri
    text = str(uri.aor) if isinstance(uri, SipURI) else str(uri)
    return Address(text, name_addr.display_name)
