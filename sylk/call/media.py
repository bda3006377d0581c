"""What one `m=message` line says about a chat, read from SDP and written to it.

Rules: RFC 4975 section 8 (path, accept-types), RFC 7701 section 8 (chatroom), RFC 8122
(fingerprint); who connects and where to is in `connection_roles` and `anchoring`. What deployed
clients write is taken too: `*` stands for any type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sylk.call.anchoring import CEMA, Anchor, read_anchor
from sylk.call.connection_roles import read_setup
from sylk.errors import RemoteProtocolError
from sylk.msrp.uri import Path, parse_path, render_path
from sylk.payload.content_type import ContentType
from sylk.payload.sdp import Attribute, Connection, MediaDescription, SessionDescription
from sylk.sip.grammar import quote

CLEAR_PROTOCOL = "TCP/MSRP"
TLS_PROTOCOL = "TCP/TLS/MSRP"
_MEDIA_UNAVAILABLE = 304
_SHARED_LENGTH = 500
"""Characters of a list that is kept for others who write the same one."""
_CPIM = ContentType("message", "cpim")
_ANSWER_TO_DIRECTION = {"sendonly": "recvonly", "recvonly": "sendonly"}
_ANSWER_ON_HOLD = {"sendrecv": "sendonly", "recvonly": "sendonly"}


@dataclass(slots=True)
class ChatCapabilities:
    """What our side of a chat takes, as its m= line tells the peer."""

    accept_types: tuple[str, ...] = ("message/cpim",)
    accept_wrapped_types: tuple[str, ...] = ("*",)
    chatroom: tuple[str, ...] | None = None
    """The tokens of the chatroom attribute of a conference focus; None when we are none."""


@dataclass(slots=True)
class RemoteChat:
    """A usable chat line of the peer; `index` is its place among the m= lines."""

    index: int
    path: Path
    setup: str | None
    """What `a=setup` says, None when it says nothing."""
    direction: str
    accept_types: tuple[str, ...]
    accept_wrapped_types: tuple[str, ...]
    chatroom: tuple[str, ...] = field(default_factory=tuple)
    """The tokens of its chatroom attribute (RFC 7701 section 8)."""
    knows_chatrooms: bool = False
    """Whether it has that attribute at all."""
    fingerprints: tuple[str, ...] = field(default_factory=tuple)
    """The certificates that the peer may show over TLS (RFC 8122)."""
    anchor: Anchor | None = None
    """The address of the c= and m= lines, None when they tell none."""
    knows_cema: bool = False

    @property
    def has_relays(self) -> bool:
        """Tell whether the peer is reached over relays (RFC 4976)."""
        return len(self.path) > 1

    @property
    def session_id(self) -> str:
        """The id of the peer's MSRP session."""
        return self.path[-1].session_id

    @property
    def is_secure(self) -> bool:
        """Tell whether the chat is carried by TLS."""
        return self.path[0].secure

    @property
    def takes_cpim(self) -> bool:
        """Tell whether messages to this peer can be wrapped in CPIM."""
        return _CPIM.matches(self.accept_types)

    @property
    def wrapped_types(self) -> tuple[str, ...]:
        """What it takes wrapped in CPIM, as patterns; none stands for all (RFC 4975 8.6)."""
        if not self.accept_wrapped_types or "*" in self.accept_types:
            return ()
        return (*self.accept_types, *self.accept_wrapped_types)

    @property
    def takes_private_messages(self) -> bool:
        """Tell whether it can tell a private message from another (RFC 7701 section 6.2).

        COMPAT: deployed clients can, and write no chatroom attribute.
        """
        return not self.knows_chatrooms or "private-messages" in self.chatroom

    @property
    def is_held(self) -> bool:
        """Tell whether the peer wants to be sent nothing for now (RFC 3264 section 8.4)."""
        return self.direction in ("sendonly", "inactive")


def read_description(data: bytes) -> SessionDescription:
    """Read the SDP of an offer or answer; raises RemoteProtocolError (488) with a Warning."""
    try:
        return SessionDescription.parse(data)
    except RemoteProtocolError as error:
        raise unusable(f"the SDP cannot be read: {error}") from error


def read_chat(
    description: SessionDescription, index: int, protocols: Sequence[str] = (CLEAR_PROTOCOL,)
) -> RemoteChat:
    """Read a chat line; `protocols` are those that can be carried.

    Raises RemoteProtocolError with status 488 and the reason when the line is no chat that we
    can carry (RFC 3264 section 6).
    """
    media = description.media[index]
    if media.media != "message":
        raise unusable(f"media type {media.media} is not carried here")
    if media.port == 0:
        raise unusable("the media line is switched off")
    if media.protocol.upper() not in protocols:
        raise unusable(f"{media.protocol} is not carried here, {' or '.join(protocols)} is")
    if media.attribute("file-selector") is not None:
        raise unusable("file transfer is not carried here")
    if media.formats != ["*"]:
        raise unusable("the format list of MSRP is *")
    path_text = media.attribute("path")
    if not path_text:
        raise unusable("the path attribute is missing")
    try:
        path = parse_path(path_text)
    except RemoteProtocolError as error:
        raise unusable(f"bad path: {error}") from error
    if not path[-1].session_id or path[-1].transport != "tcp":
        raise unusable("the path names no session over tcp")
    if path[0].secure != (media.protocol.upper() == TLS_PROTOCOL):
        raise unusable(f"the path does not fit {media.protocol}")
    accept_types = _words(media.attribute("accept-types"))
    if not accept_types:
        raise unusable("the accept-types attribute is missing")
    try:
        setup = read_setup(media.attribute("setup"))
    except RemoteProtocolError as error:
        raise unusable(str(error)) from error
    return RemoteChat(
        index=index,
        path=path,
        setup=setup,
        direction=description.direction_of(media),
        accept_types=accept_types,
        accept_wrapped_types=_words(media.attribute("accept-wrapped-types")),
        chatroom=_words(media.attribute("chatroom")),
        knows_chatrooms=media.attribute("chatroom") is not None,
        fingerprints=tuple(
            media.attributes_named("fingerprint") or description.attributes_named("fingerprint")
        ),
        anchor=read_anchor(description, media),
        knows_cema=media.attribute(CEMA) is not None,
    )


def _words(text: str | None) -> tuple[str, ...]:
    """Return the words of a list; the clients that write the same ones share them."""
    if text is None or len(text) > _SHARED_LENGTH:
        return tuple((text or "").split())
    return _shared_words(text)


@lru_cache(maxsize=128)
def _shared_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def find_chat(description: SessionDescription, protocols: Sequence[str]) -> RemoteChat:
    """Return the first usable chat line of an offer, rather one that takes CPIM.

    Raises RemoteProtocolError (488) with the fault of the line that came nearest.
    """
    fault: RemoteProtocolError | None = None
    bare: RemoteChat | None = None
    for index, media in enumerate(description.media):
        try:
            chat = read_chat(description, index, protocols)
        except RemoteProtocolError as error:
            if fault is None or media.media == "message":
                fault = error
            continue
        if chat.takes_cpim:
            return chat
        bare = bare or chat
    if bare is not None:
        return bare
    raise fault or unusable("no media line that is carried here")


@dataclass(slots=True)
class ChatOffer:
    """An offer that has been read: all of it, and the chat that can be taken."""

    description: SessionDescription
    chat: RemoteChat


def read_offer(data: bytes, protocols: Sequence[str]) -> ChatOffer:
    """Read the first offer of a call; raises RemoteProtocolError (488) when it holds no chat."""
    description = read_description(data)
    return ChatOffer(description, find_chat(description, protocols))


def describe_chat(
    path: Path,
    address: str,
    capabilities: ChatCapabilities,
    setup: str,
    direction: str = "sendrecv",
    fingerprints: Sequence[str] = (),
    *,
    cema: bool = False,
) -> MediaDescription:
    """Write our chat line; the attributes stand in the order in which deployed servers put them.

    `fingerprints` are those of our certificate, for a path over TLS. `cema` says that we know CEMA.
    """
    attributes = [
        Attribute("path", render_path(path)),
        Attribute("accept-types", " ".join(capabilities.accept_types)),
    ]
    if capabilities.accept_wrapped_types:
        attributes.append(
            Attribute("accept-wrapped-types", " ".join(capabilities.accept_wrapped_types))
        )
    attributes.append(Attribute("setup", setup))
    if path[0].secure:
        attributes += [Attribute("fingerprint", value) for value in fingerprints]
    if cema:
        attributes.append(Attribute(CEMA, None))
    if direction != "sendrecv":
        attributes.append(Attribute(direction, None))
    if capabilities.chatroom is not None:
        attributes.append(Attribute("chatroom", " ".join(capabilities.chatroom) or None))
    return MediaDescription(
        media="message",
        port=path[0].port or 2855,
        protocol=TLS_PROTOCOL if path[0].secure else CLEAR_PROTOCOL,
        formats=["*"],
        connection=_connection(address),
        attributes=attributes,
    )


def answer_direction(offered: str, *, holds: bool = False) -> str:
    """Return the direction that answers `offered` (RFC 3264 section 6.1).

    `holds` is True while we hold the peer: then we take nothing (RFC 6337 section 5.3).
    """
    if holds:
        return _ANSWER_ON_HOLD.get(offered, "inactive")
    return _ANSWER_TO_DIRECTION.get(offered, offered)


def refuse_media(media: MediaDescription, address: str) -> MediaDescription:
    """Return the answer that switches a media line off: the same line with port 0.

    It has a c= line of its own because our session part has none (RFC 8866 section 5.7).
    """
    return MediaDescription(
        media=media.media,
        port=0,
        protocol=media.protocol,
        formats=list(media.formats),
        connection=_connection(address),
    )


def _connection(address: str) -> Connection:
    return Connection(address, "IP6" if ":" in address else "IP4")


def unusable(reason: str, warning: int = _MEDIA_UNAVAILABLE) -> RemoteProtocolError:
    """Return the refusal of an offer, with the Warning that says why (RFC 3261 section 20.43)."""
    # The reason may repeat words of the peer, quotation marks included.
    return RemoteProtocolError(reason, 488, [("Warning", f"{warning} sylk {quote(reason)}")])
