"""Somebody is writing: application/im-iscomposing+xml (RFC 3994)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.payload.date_time import read_date_time, render_date_time
from sylk.payload.xml import children, escape_text, read_document, read_number, text_of

CONTENT_TYPE = "application/im-iscomposing+xml"
NAMESPACE = "urn:ietf:params:xml:ns:im-iscomposing"
DEFAULT_REFRESH = 120  # seconds that an active state holds without another one, RFC 3994 3.3
MAX_REFRESH = 86400  # seconds; a longer one that a peer names is read as this
MAX_SIZE = 16384  # octets of a document; a larger one is refused


class ComposingState(StrEnum):
    """Whether somebody is writing. RFC 3994 3.2."""

    ACTIVE = "active"
    IDLE = "idle"


@dataclass(slots=True)
class IsComposing:
    """A status message; `refresh` is in seconds, None for the default. RFC 3994 3.4.

    `content_type` is that of what is being written. COMPAT: deployed clients say `text` or a whole
    media type, so that it is kept as it is.
    """

    state: ComposingState
    last_active: datetime | None = None
    content_type: str | None = None
    refresh: int | None = None

    def render(self) -> bytes:
        """Write the document; raises LocalProtocolError for a refresh that is not above 0."""
        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<isComposing xmlns="{NAMESPACE}"><state>{self.state}</state>'
        ]
        if self.last_active is not None:
            parts.append(f"<lastactive>{render_date_time(self.last_active)}</lastactive>")
        if self.content_type is not None:
            parts.append(f"<contenttype>{escape_text(self.content_type)}</contenttype>")
        if self.refresh is not None:
            if self.refresh <= 0:
                raise LocalProtocolError("the refresh of a composing state must be above 0 seconds")
            parts.append(f"<refresh>{self.refresh}</refresh>")
        parts.append("</isComposing>")
        return "".join(parts).encode()

    @classmethod
    def parse(cls, data: bytes, *, max_size: int = MAX_SIZE) -> Self:
        """Read a document of at most `max_size` octets.

        A state that is not known is idle (RFC 3994 3.5). Raises RemoteProtocolError (400) for what
        is no such document or tells no state.
        """
        root = read_document(data, NAMESPACE, "isComposing", max_size=max_size)
        texts = {name: text_of(child) for name, child in children(root, NAMESPACE)}
        if "state" not in texts:
            raise RemoteProtocolError("no state in an isComposing document")
        active = texts["state"] == ComposingState.ACTIVE
        refresh = read_number(texts.get("refresh", ""), 10**20)
        return cls(
            ComposingState.ACTIVE if active else ComposingState.IDLE,
            read_date_time(texts.get("lastactive", "")),
            texts.get("contenttype"),
            min(refresh, MAX_REFRESH) if refresh else None,
        )
