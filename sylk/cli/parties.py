"""Whom to call, and as whom: what the command line says, completed to SIP addresses."""

import getpass
import re
import secrets
from argparse import ArgumentTypeError

from sylk.errors import RemoteProtocolError
from sylk.msrp.uri import MsrpURI
from sylk.sip.address import NameAddr
from sylk.sip.uri import SipURI

_SCHEME = re.compile(r"sips?:", re.IGNORECASE)
_ADDRESS_MARKS = frozenset("@.:;[")
_NO_NAMES = frozenset({"", "root"})
_GUEST = "guest"


def parse_target(text: str) -> SipURI:
    """Return the URI to call; `sip:` may be missing.

    Raises ArgumentTypeError that says what to write.
    """
    uri = parse_sip_uri(text)
    named_host = "." in uri.host or ":" in uri.host or uri.host.lower() == "localhost"
    if uri.user is None and not (_SCHEME.match(text) and named_host):
        raise ArgumentTypeError(
            f"{text} is a room or a host alone: write sip:ROOM@HOST, such as sip:lobby@127.0.0.1"
        )
    return uri


def parse_place(text: str) -> SipURI | str:
    """Return the URI to call, or the name of a neighbour that is to be found.

    Raises ArgumentTypeError that says what to write.
    """
    if text.strip() and not (_SCHEME.match(text) or _ADDRESS_MARKS & set(text)):
        return text.strip()
    return parse_target(text)


def parse_sip_uri(text: str) -> SipURI:
    """Return a SIP URI; `sip:` may be missing. Raises ArgumentTypeError."""
    text = text.strip()
    whole = text if _SCHEME.match(text) else f"sip:{text}"
    try:
        return SipURI.parse(whole)
    except RemoteProtocolError as error:
        raise ArgumentTypeError(
            f"{text!r} is no SIP address ({error}): write sip:USER@HOST"
        ) from None


def parse_relay(text: str) -> MsrpURI:
    """Return the URI of a relay; `msrps://` and `;tcp` may be missing. Raises ArgumentTypeError."""
    text = text.strip()
    whole = text if "://" in text else f"msrps://{text}"
    try:
        uri = MsrpURI.parse(whole if ";" in whole else f"{whole};tcp")
        if uri.transport.lower() != "tcp":
            raise RemoteProtocolError(f"{uri.transport} is not tcp")
    except RemoteProtocolError as error:
        raise ArgumentTypeError(
            f"{text!r} is no MSRP URI ({error}): write msrps://HOST:PORT;tcp"
        ) from None
    return uri


def make_caller(name: str | None, uri: SipURI | None, local_host: str) -> NameAddr:
    """Return who calls.

    Without a URI the user is made of the name or the login name, with a few random characters,
    so that two chats of one person on one machine are two people in a room.
    """
    if uri is not None:
        return NameAddr(uri, name or "")
    user = f"{_user_of(name) or login_name()}-{secrets.token_hex(2)}"
    return NameAddr(SipURI("sip", user, None, local_host), name or user)


def login_name() -> str:
    """Return the name of whoever runs this, or "guest" where there is none worth showing."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        # No variable tells it, and the user number has no entry.
        return _GUEST
    return _GUEST if name in _NO_NAMES else name


def _user_of(name: str | None) -> str:
    return re.sub(r"\W+", "-", (name or "").lower()).strip("-")
