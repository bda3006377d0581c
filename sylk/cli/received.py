"""What a message that came is, to a reader: words of a person, a notice, or nothing to show."""

from dataclasses import dataclass
from datetime import datetime

from sylk.errors import RemoteProtocolError
from sylk.payload.composing import CONTENT_TYPE as COMPOSING
from sylk.payload.composing import IsComposing
from sylk.payload.content_type import ContentType
from sylk.payload.cpim import Address
from sylk.payload.date_time import read_date_time
from sylk.payload.html_text import text_of_html
from sylk.session.message import ChatMessage

# COMPAT: deployed servers mark the notices of a room in this way.
_NOTICE_NAMESPACE = "urn:ag-projects:xml:ns:cpim"


@dataclass(slots=True)
class Said:
    """Words of a person; `is_private` when they were meant for us alone, in a room."""

    sender: Address
    text: str
    is_private: bool = False
    to: Address | None = None
    """To whom alone we have said it ourselves, with another client of ours."""
    sent: datetime | None = None
    """When its sender wrote it, by his clock."""


@dataclass(slots=True)
class Noticed:
    """A notice of the room, or about a message."""

    text: str


@dataclass(slots=True)
class Writing:
    """Somebody tells that he writes, or that he does not any more."""

    writer: Address
    status: IsComposing


@dataclass(slots=True)
class Parties:
    """Who we are in a chat, whom we called, and whether that is a room."""

    own: Address
    peer: Address
    is_room: bool


def read_message(message: ChatMessage, parties: Parties) -> Said | Noticed | Writing | None:
    """Return what a message is to a reader; None for one that is not for reading."""
    try:
        return _read(message, parties)
    except RemoteProtocolError as error:
        return Noticed(f"a message came that cannot be read: {error}")


def _read(message: ChatMessage, parties: Parties) -> Said | Noticed | Writing | None:
    content_type = ContentType.parse(message.content_type)
    sender = message.sender or parties.peer
    if content_type.matches((COMPOSING,)):
        return _read_writing(message, sender)
    if content_type.matches(("text/html",)):
        text = text_of_html(message.text)
    elif content_type.matches(("text/*",)):
        text = message.text
    else:
        text = f"[{content_type.type}/{content_type.subtype}, {len(message.content)} bytes]"
    if parties.is_room and (_is_same(sender, parties.peer) or _has_notice_mark(message)):
        return Noticed(text)
    sent = read_date_time(message.cpim.date_time or "") if message.is_cpim else None
    said = Said(sender, text, sent=sent)
    if parties.is_room:
        said.is_private = _is_private(message, parties)
        if _is_same(sender, parties.own):
            said.to = _other_recipient(message, parties)
    return said


def _read_writing(message: ChatMessage, writer: Address) -> Writing | None:
    try:
        return Writing(writer, IsComposing.parse(message.content))
    except RemoteProtocolError:
        # It would only have told that somebody writes.
        return None


def _has_notice_mark(message: ChatMessage) -> bool:
    return message.is_cpim and message.cpim.header("Message-Type", _NOTICE_NAMESPACE) == "status"


def _is_private(message: ChatMessage, parties: Parties) -> bool:
    recipients = message.recipients
    return len(recipients) == 1 and _is_same(recipients[0], parties.own)


def _other_recipient(message: ChatMessage, parties: Parties) -> Address | None:
    """Return the one recipient who is neither the room nor we ourselves."""
    recipients = message.recipients
    if len(recipients) != 1 or any(
        _is_same(recipients[0], each) for each in (parties.own, parties.peer)
    ):
        return None
    return recipients[0]


def _is_same(one: Address, other: Address) -> bool:
    return one.uri.lower() == other.uri.lower()
