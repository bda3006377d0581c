"""What became of a message: message/imdn+xml, and the CPIM headers that ask for it (RFC 5438).

A sender asks in the CPIM headers of a message (`read_request`, `request_headers`); whoever got it,
or passed it on, answers with a notification (`Imdn`). Which status a notification may hold stands
in `STATUSES`.

COMPAT: the headers are also taken with the prefix `imdn` where no namespace is declared, as some
clients write them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.cpim import CPIM_NAMESPACE, CpimMessage, Envelope
from sylk.payload.cpim_text import decode, split_parameters, unescape
from sylk.payload.xml import (
    Element,
    children,
    escape_text,
    escape_uri,
    read_document,
    read_uri,
    text_of,
)

CONTENT_TYPE = "message/imdn+xml"
CONTENT_DISPOSITION = "notification"  # of every message that holds one, RFC 5438 7.2.1
NAMESPACE = "urn:ietf:params:xml:ns:imdn"
CPIM_PREFIX = "imdn"
HEADERS_NAMESPACE = "urn:ietf:params:imdn"  # of the CPIM headers
MESSAGE_ID = "Message-ID"
DISPOSITION_NOTIFICATION = "Disposition-Notification"
MAX_SIZE = 65536  # octets of a document; a larger one is refused


class Disposition(StrEnum):
    """What a sender wants to be told. RFC 5438 10."""

    POSITIVE_DELIVERY = "positive-delivery"
    NEGATIVE_DELIVERY = "negative-delivery"
    PROCESSING = "processing"
    DISPLAY = "display"


class Notification(StrEnum):
    """Which of the three kinds a notification is. RFC 5438 11.1.6."""

    DELIVERY = "delivery-notification"
    PROCESSING = "processing-notification"
    DISPLAY = "display-notification"


class ImdnStatus(StrEnum):
    """What became of the message. RFC 5438 11.1.7."""

    DELIVERED = "delivered"
    FAILED = "failed"
    PROCESSED = "processed"
    STORED = "stored"
    DISPLAYED = "displayed"
    FORBIDDEN = "forbidden"
    ERROR = "error"


_ALWAYS = frozenset((ImdnStatus.FORBIDDEN, ImdnStatus.ERROR))
STATUSES = {
    Notification.DELIVERY: _ALWAYS | {ImdnStatus.DELIVERED, ImdnStatus.FAILED},
    Notification.PROCESSING: _ALWAYS | {ImdnStatus.PROCESSED, ImdnStatus.STORED},
    Notification.DISPLAY: _ALWAYS | {ImdnStatus.DISPLAYED},
}


@dataclass(slots=True)
class Imdn:
    """A notification of what became of the message `message_id`. RFC 5438 11.1.

    `date_time` is the DateTime of that message, as it was written. The schema wants both recipients
    or none, and a subject only with them.
    """

    message_id: str
    date_time: str
    notification: Notification
    status: ImdnStatus
    recipient_uri: str | None = None
    original_recipient_uri: str | None = None
    subject: str | None = None

    def render(self) -> bytes:
        """Write the document. With one recipient told it is the other one too.

        Raises LocalProtocolError for a status that this notification cannot have, and for a
        subject without recipient.
        """
        if self.status not in STATUSES[self.notification]:
            raise LocalProtocolError(f"no {self.notification} tells {self.status}")
        recipient = self.recipient_uri or self.original_recipient_uri
        original = self.original_recipient_uri or recipient
        parts = [
            f'<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="{NAMESPACE}">'
            f"<message-id>{escape_text(self.message_id)}</message-id>"
            f"<datetime>{escape_text(self.date_time)}</datetime>"
        ]
        if recipient and original:
            parts.append(f"<recipient-uri>{escape_uri(recipient)}</recipient-uri>")
            parts.append(f"<original-recipient-uri>{escape_uri(original)}</original-recipient-uri>")
        elif self.subject is not None:
            raise LocalProtocolError("a notification with a subject needs a recipient")
        if self.subject is not None:
            parts.append(f"<subject>{escape_text(self.subject)}</subject>")
        parts.append(
            f"<{self.notification}><status><{self.status}/></status></{self.notification}></imdn>"
        )
        return "".join(parts).encode()

    @classmethod
    def parse(cls, data: bytes, *, max_size: int = MAX_SIZE) -> Self:
        """Read a document of at most `max_size` octets; extensions are skipped.

        Raises RemoteProtocolError (400) for what is no such document, names no message, or tells no
        status that its kind of notification can have.
        """
        root = read_document(data, NAMESPACE, "imdn", max_size=max_size)
        found = dict(children(root, NAMESPACE))
        texts = {name: text_of(child) for name, child in found.items()}
        if not texts.get("message-id"):
            raise RemoteProtocolError("a notification that names no message")
        for notification in Notification:
            status = _status_of(found.get(notification), notification)
            if status is not None:
                break
        else:
            raise RemoteProtocolError("a notification that tells no status")
        recipient = texts.get("recipient-uri")
        original = texts.get("original-recipient-uri")
        return cls(
            texts["message-id"],
            texts.get("datetime", ""),
            notification,
            status,
            read_uri(recipient) if recipient else None,
            read_uri(original) if original else None,
            texts.get("subject"),
        )


@dataclass(slots=True)
class DispositionRequest:
    """What a message says of itself, and what its sender wants to be told. RFC 5438 6."""

    message_id: str | None
    wanted: frozenset[Disposition]


def read_request(message: CpimMessage | Envelope) -> DispositionRequest:
    """Return what the CPIM headers of a message ask for; what is not known is skipped."""
    headers = _plain_headers(message) if isinstance(message, CpimMessage) else _raw_headers(message)
    namespaces = {"": CPIM_NAMESPACE, CPIM_PREFIX: HEADERS_NAMESPACE}
    found: dict[str, str] = {}
    for prefix, name, text in headers:
        if name == "NS" and not prefix:
            declared, bracket, uri = text.partition("<")
            if bracket:
                namespaces[declared.strip()] = uri.removesuffix(">")
        elif namespaces.get(prefix) == HEADERS_NAMESPACE:
            found.setdefault(name.lower(), text.strip())
    words = found.get(DISPOSITION_NOTIFICATION.lower(), "").split(",")
    asked = {word.partition(";")[0].strip().lower() for word in words}
    wanted = frozenset(each for each in Disposition if each in asked)
    return DispositionRequest(found.get(MESSAGE_ID.lower()) or None, wanted)


def request_headers(
    message_id: str, wanted: Iterable[Disposition] = ()
) -> list[tuple[str, str, str, str]]:
    """Return what `CpimMessage.compose` takes as `extra`, to name a message and to ask for more."""
    headers = [(CPIM_PREFIX, HEADERS_NAMESPACE, MESSAGE_ID, message_id)]
    asked = ", ".join(sorted(wanted))
    if asked:
        headers.append((CPIM_PREFIX, HEADERS_NAMESPACE, DISPOSITION_NOTIFICATION, asked))
    return headers


def _status_of(element: Element | None, notification: Notification) -> ImdnStatus | None:
    told = None if element is None else element.find(f"{{{NAMESPACE}}}status")
    if told is None:
        return None
    allowed = STATUSES[notification]
    names = (name for name, _ in children(told, NAMESPACE))
    return next((ImdnStatus(name) for name in names if name in allowed), None)


def _plain_headers(message: CpimMessage) -> Iterator[tuple[str, str, str]]:
    return ((header.prefix, header.name, header.text) for header in message.headers)


def _raw_headers(envelope: Envelope) -> Iterator[tuple[str, str, str]]:
    for line in envelope.other_lines:
        whole, _, value = line.partition(b":")
        prefix, dot, name = decode(whole).partition(".")
        text = unescape(split_parameters(decode(value))[1])
        yield (prefix, name, text) if dot else ("", prefix, text)
