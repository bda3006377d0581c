"""Offer and answer for a session with one chat (RFC 3264, 6337, 6135).

Theory. A session has a description of each side. They change only by an offer and its answer;
between the two nothing else may be offered. Whoever offers first may be either side: the INVITE
carries the offer and the 2xx the answer, or the 2xx the offer and the ACK the answer.

    state           input             next
    NONE            make_offer        LOCAL_OFFER
    NONE            receive_offer     STABLE         (we answer at once)
    LOCAL_OFFER     receive_answer    STABLE
    LOCAL_OFFER     withdraw_offer    what was before
    LOCAL_OFFER     receive_offer     error 491
    STABLE          make_offer        LOCAL_OFFER
    STABLE          receive_offer     STABLE

The first usable chat line of the first exchange is the chat of the session and stays it. Every
offered line is answered in its place, a refused one with port 0, and our session version counts up
by one whenever what we say has changed. An offer of ours that the peer refuses leaves everything as
it was; the number of its version is not given to another one.

Hold (RFC 3264 section 8.4, RFC 6337 section 5.3). Each side says for itself whether it takes
messages. To hold the peer we offer `sendonly` and answer its offers without taking anything, until
we resume. While the peer is `sendonly` or `inactive`, it holds us.
"""

from dataclasses import dataclass
from enum import Enum

from sylk.call.media import (
    CLEAR_PROTOCOL,
    TLS_PROTOCOL,
    ChatCapabilities,
    RemoteChat,
    answer_direction,
    answer_setup,
    describe_chat,
    find_chat,
    read_chat,
    read_description,
    refuse_media,
    unusable,
)
from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.uri import Path
from sylk.payload.sdp import MediaDescription, Origin, SessionDescription

_REQUEST_PENDING = 491


class NegotiationState(Enum):
    """Where offer and answer stand."""

    NONE = "none"
    LOCAL_OFFER = "local offer"
    STABLE = "stable"


@dataclass(slots=True)
class _Before:
    """What stood before an offer of ours."""

    state: NegotiationState
    local: list[MediaDescription]
    version: int
    holds: bool


class Negotiation:
    """The two descriptions of one session and the rules by which they change."""

    def __init__(
        self,
        path: Path,
        address: str,
        session_name: str,
        session_id: int,
        fingerprint: str | None = None,
    ) -> None:
        """Take our MSRP path, the address to put into c= and o=, and the number for o=.

        The path decides whether the chat goes over TLS; `fingerprint` is our certificate's then.
        """
        self.state = NegotiationState.NONE
        self.capabilities = ChatCapabilities()
        self.chat: RemoteChat | None = None
        """The peer's side of the chat, once it is known."""
        self.active = False
        """True when it is we who connect to the peer's path."""
        self._path = path
        self._protocols = (TLS_PROTOCOL if path[0].secure else CLEAR_PROTOCOL,)
        self._fingerprint = fingerprint
        self._address = address
        self._session_name = session_name
        self._session_id = session_id
        self.holds = False
        """True while we hold the peer, or have offered to."""
        self._version = self._last_version = session_id
        self._local: list[MediaDescription] = []
        self._remote_ports: list[int] = []
        self._before: _Before | None = None

    @property
    def is_held(self) -> bool:
        """Tell whether the peer holds us, so that it must not be sent anything."""
        return self.chat is not None and self.chat.is_held

    def make_offer(self, *, hold: bool | None = None, repeat: bool = False) -> bytes:
        """Return our offer, with the chat line as it stands; raises LocalProtocolError.

        `hold` begins to hold the peer, or ends it. With `repeat` we say once more what we said
        last, and the version tells that nothing has changed.
        """
        if self.state is NegotiationState.LOCAL_OFFER:
            raise LocalProtocolError("an offer of ours is not answered yet")
        self._before = _Before(self.state, self._local, self._version, self.holds)
        if hold is not None:
            self.holds = hold
        self.state = NegotiationState.LOCAL_OFFER
        if repeat and self.chat is not None:
            return self._describe(self._local)
        media = [refuse_media(line, self._address) for line in self._local]
        setup = "actpass" if self.chat is None else ("active" if self.active else "passive")
        line = self._describe_chat(setup, "sendonly" if self.holds else "sendrecv")
        if self.chat is None:
            media.append(line)
        else:
            media[self.chat.index] = line
        return self._describe(media)

    def withdraw_offer(self) -> None:
        """Take it that the peer has refused our offer: as if there had been none (14.1)."""
        before = self._before
        if self.state is not NegotiationState.LOCAL_OFFER or before is None:
            raise LocalProtocolError("there is no offer of ours to withdraw")
        self.state, self._local = before.state, before.local
        self._version, self.holds = before.version, before.holds

    def receive_answer(self, data: bytes) -> RemoteChat | None:
        """Take the answer to our offer and return the peer's chat.

        None when the peer has switched off a chat that stood. Raises RemoteProtocolError (488) when
        it refuses the first offer or answers nonsense.
        """
        if self.state is not NegotiationState.LOCAL_OFFER:
            raise LocalProtocolError("there is no offer of ours to answer")
        description = read_description(data)
        if len(description.media) != len(self._local):
            raise RemoteProtocolError("the answer has another number of media lines", 488)
        self._remote_ports = [media.port for media in description.media]
        if self.chat is not None and description.media[self.chat.index].port == 0:
            self.chat = None
            self.state = NegotiationState.STABLE
            return None
        index = len(self._local) - 1 if self.chat is None else self.chat.index
        chat = read_chat(description, index, self._protocols)
        if self.chat is None:
            # An answer without setup comes from a peer that listens (RFC 4975 section 8.1).
            setup = description.media[index].attribute("setup")
            self.active = (setup or "passive").strip().lower() != "active"
        else:
            # The connection stays; where a new one would go is no business of this exchange.
            chat.path = self.chat.path
        self.chat = chat
        self.state = NegotiationState.STABLE
        return chat

    def receive_offer(self, data: bytes) -> bytes:
        """Take the peer's offer and return our answer.

        Afterwards `chat` is None when the peer has switched the chat off. Raises
        RemoteProtocolError: 488 when there is no chat to take, 491 while our own offer waits.
        """
        if self.state is NegotiationState.LOCAL_OFFER:
            raise RemoteProtocolError("an offer of ours is not answered yet", _REQUEST_PENDING)
        description = read_description(data)
        first = self.state is NegotiationState.NONE
        if not first and len(description.media) < len(self._local):
            raise unusable("a media line has gone", 399)
        chat = find_chat(description, self._protocols) if first else self._same_chat(description)
        self._remote_ports = [media.port for media in description.media]
        media = [refuse_media(line, self._address) for line in description.media]
        if chat is not None:
            if first:
                self.active = answer_setup(chat.setup) == "active"
            setup = "active" if self.active else "passive"
            direction = answer_direction(chat.direction, holds=self.holds)
            media[chat.index] = self._describe_chat(setup, direction)
        self.chat = chat
        self.state = NegotiationState.STABLE
        return self._describe(media)

    def _same_chat(self, description: SessionDescription) -> RemoteChat | None:
        if self.chat is None:
            return None
        if description.media[self.chat.index].port == 0:
            if self._adds_a_line(description):
                # COMPAT: deployed servers refuse to take one stream for another in one offer.
                raise unusable("a media line cannot be exchanged for another", 399)
            return None
        chat = read_chat(description, self.chat.index, self._protocols)
        chat.path = self.chat.path
        return chat

    def _adds_a_line(self, description: SessionDescription) -> bool:
        known = len(self._remote_ports)
        return any(
            media.port and (index >= known or not self._remote_ports[index])
            for index, media in enumerate(description.media)
        )

    def _describe_chat(self, setup: str, direction: str) -> MediaDescription:
        return describe_chat(
            self._path, self._address, self.capabilities, setup, direction, self._fingerprint
        )

    def _describe(self, media: list[MediaDescription]) -> bytes:
        if self._local and media != self._local:
            self._last_version += 1
            self._version = self._last_version
        self._local = media
        family = "IP6" if ":" in self._address else "IP4"
        origin = Origin("-", self._session_id, self._version, self._address, family)
        return SessionDescription(origin=origin, name=self._session_name, media=media).render()
