"""What a message that came is, to a reader: words of a person, a notice, or nothing to show."""

from dataclasses import dataclass

from sylk.errors import RemoteProtocolError
from sylk.payload.content_type import ContentType
from sylk.payload.cpim import Address
from sylk.payload.html_text import text_of_html
from sylk.session.message import ChatMessage

# COMPAT: deployed servers mark the notices of a room in this way.
_NOTICE_NAMESPACE = "urn:ag-projects:xml:ns:cpim"
_COMPOSING = "application/im-iscomposing+xml"


@dataclass(slots=True)
class Said:
    """Words of a person; `is_private` when they were meant for us alone, in a room."""

    sender: Address
    text: str
    is_private: bool = False


@dataclass(slots=True)
class Noticed:
    """A notice of the room, or about a message."""

    text: str


@dataclass(slots=True)
class Parties:
    """Who we are in a chat, whom we called, and whether that is a room."""

    own: Address
    peer: Address
    is_room: bool


def read_message(message: ChatMessage, parties: Parties) -> Said | Noticed | None:
    """Return what a message is to a reader; None for one that is not for reading."""
    try:
        return _read(message, parties)
    except RemoteProtocolError as error:
        return Noticed(f"a message came that cannot be read: {error}")


def _read(message: ChatMessage, parties: Parties) -> Said | Noticed | None:
    content_type = ContentType.parse(message.content_type)
    if content_type.matches((_COMPOSING,)):
        return None
    if content_type.matches(("text/html",)):
        text = text_of_html(message.text)
    elif content_type.matches(("text/*",)):
        text = message.text
    else:
        text = f"[{content_type.type}/{content_type.subtype}, {len(message.content)} bytes]"
    sender = message.sender or parties.peer
    if parties.is_room and (_is_same(sender, parties.peer) or _has_notice_mark(message)):
        return Noticed(text)
    return Said(sender, text, parties.is_room and _is_private(message, parties))


def _has_notice_mark(message: ChatMessage) -> bool:
    return message.is_cpim and message.cpim.header("Message-Type", _NOTICE_NAMESPACE) == "status"


def _is_private(message: ChatMessage, parties: Parties) -> bool:
    recipients = message.recipients
    return len(recipients) == 1 and _is_same(recipients[0], parties.own)


def _is_same(one: Address, other: Address) -> bool:
    return one.uri.lower() == other.uri.lower()
