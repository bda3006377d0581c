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

The first exchange settles who connects (`connection_roles`) and where to (`anchoring`). Until a
connection is on its way (`pin`), the peer may come to another path; from then on its session stays
the one that it is. An offer that names another one is refused with 488: the chat that stands would
have no peer any more. In an answer it changes nothing (RFC 4975 section 8.4 lets the peer answer
with another path, and who has really gone there lets go of the connection).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from sylk.call.anchoring import (
    AS_ANSWERER,
    AS_OFFERER,
    NO_ADDRESSES,
    Addresses,
    Anchor,
    Way,
    matches,
    unresolved_names,
)
from sylk.call.connection_roles import (
    ACTIVE,
    PASSIVE,
    answer_setup,
    first_setup,
    later_setup,
    role_after,
)
from sylk.call.media import (
    CLEAR_PROTOCOL,
    TLS_PROTOCOL,
    ChatCapabilities,
    ChatOffer,
    RemoteChat,
    answer_direction,
    describe_chat,
    read_chat,
    read_description,
    read_offer,
    refuse_media,
    unusable,
)
from sylk.errors import LocalProtocolError, RemoteProtocolError
from sylk.msrp.uri import DEFAULT_PORT, Path
from sylk.payload.sdp import MediaDescription, Origin, SessionDescription

_REQUEST_PENDING = 491
_MISCELLANEOUS = 399


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

    __slots__ = (
        "_address",
        "_before",
        "_cema",
        "_expected",
        "_fingerprints",
        "_is_pinned",
        "_last_version",
        "_listens",
        "_local",
        "_path",
        "_protocols",
        "_remote_ports",
        "_says_cema",
        "_session_id",
        "_session_name",
        "_version",
        "_was_offered_by_us",
        "active",
        "capabilities",
        "chat",
        "holds",
        "on_moved",
        "state",
        "way",
    )

    def __init__(
        self,
        path: Path,
        address: str,
        session_name: str,
        session_id: int,
        fingerprints: Sequence[str] = (),
        *,
        listens: bool = True,
        cema: bool = True,
    ) -> None:
        """Take our MSRP path, the address to put into c= and o=, and the number for o=.

        The path decides whether the chat goes over TLS; `fingerprints` are our certificate's then.
        `listens` tells whether the peer can connect to the path; without `cema` we say nothing of
        it (RFC 6714).
        """
        self.state = NegotiationState.NONE
        self.capabilities = ChatCapabilities()
        self.chat: RemoteChat | None = None
        """The peer's side of the chat, once it is known."""
        self.active = False
        """True when it is we who connect to the peer."""
        self.way = Way.WAIT
        """How the connection comes to stand, once the first exchange is over."""
        self.on_moved: Callable[[], None] | None = None
        """Called when the peer has come to another path than it had."""
        self._listens = listens
        # For a relay of our own the peer's anchor is no address (RFC 6714 section 4.1).
        self._cema = cema and len(path) == 1
        self._is_pinned = False
        self._was_offered_by_us = False
        self._says_cema = self._cema
        self._path = path
        self._protocols = (TLS_PROTOCOL if path[0].secure else CLEAR_PROTOCOL,)
        self._fingerprints = fingerprints
        self._address = address
        self._session_name = session_name
        self._session_id = session_id
        self.holds = False
        """True while we hold the peer, or have offered to."""
        self._version = self._last_version = session_id
        self._local: list[MediaDescription] = []
        self._remote_ports: list[int] = []
        self._before: _Before | None = None
        self._expected: ChatOffer | None = None

    @property
    def is_held(self) -> bool:
        """Tell whether the peer holds us, so that it must not be sent anything."""
        return self.chat is not None and self.chat.is_held

    @property
    def next_hop(self) -> Anchor:
        """Host and port to connect to, if that is our part: the peer's path, or its anchor."""
        assert self.chat is not None
        if self.way is Way.ANCHOR and self.chat.anchor is not None:
            return self.chat.anchor
        first = self.chat.path[0]
        return first.host, first.port or DEFAULT_PORT

    @property
    def unresolved_names(self) -> list[str]:
        """The host names that `resolve` asks for: what CEMA makes of the answer hangs on them."""
        chat = self.chat
        if chat is None or not self._cema or chat.knows_cema or not self._was_offered_by_us:
            return []
        return unresolved_names(chat.anchor, chat.path)

    def resolve(self, addresses: Addresses) -> None:
        """Take the IP addresses of host names into account (RFC 6714 section 4.4)."""
        if self.chat is not None and self._was_offered_by_us:
            self._choose_way_as_offerer(self.chat, addresses)

    def fall_back(self) -> None:
        """Go by paths alone from now on; the next offer says nothing of CEMA (4.2)."""
        self._cema = self._says_cema = False
        self.way = Way.PATH if self.active else Way.WAIT

    def pin(self) -> None:
        """Take it that a connection is on its way: the peer's session stays the one that it is."""
        self._is_pinned = True
        # Nobody comes to another path any more, and who was to be told may be let go of.
        self.on_moved = None

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
        first = self.chat is None
        setup = first_setup(listens=self._listens) if first else later_setup(active=self.active)
        line = self._describe_chat(
            setup, "sendonly" if self.holds else "sendrecv", cema=self._says_cema
        )
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
        before = self.chat
        if before is None:
            role = role_after(first_setup(listens=self._listens), chat.setup)
            self.active, self._was_offered_by_us = role == ACTIVE, True
            self._choose_way_as_offerer(chat, NO_ADDRESSES)
        elif self._is_pinned:
            self._keep_place(before, chat)
        self._take(chat)
        self.state = NegotiationState.STABLE
        return chat

    def expect(self, offer: ChatOffer) -> None:
        """Take it that the first offer, which has still to be received, is this one."""
        self._expected = offer

    def receive_offer(self, data: bytes) -> bytes:
        """Take the peer's offer and return our answer.

        Afterwards `chat` is None when the peer has switched the chat off. Raises
        RemoteProtocolError: 488 when there is no chat to take, 491 while our own offer waits.
        """
        if self.state is NegotiationState.LOCAL_OFFER:
            raise RemoteProtocolError("an offer of ours is not answered yet", _REQUEST_PENDING)
        first = self.state is NegotiationState.NONE
        if first:
            offer = self._expected or read_offer(data, self._protocols)
            description, chat, self._expected = offer.description, offer.chat, None
        else:
            description = read_description(data)
            if len(description.media) < len(self._local):
                raise unusable("a media line has gone", _MISCELLANEOUS)
            chat = self._same_chat(description)
        self._remote_ports = [media.port for media in description.media]
        media = [refuse_media(line, self._address) for line in description.media]
        if chat is not None:
            if first:
                self._settle_as_answerer(chat)
            setup = ACTIVE if self.active else PASSIVE
            direction = answer_direction(chat.direction, holds=self.holds)
            media[chat.index] = self._describe_chat(setup, direction, cema=self._says_cema)
        self._take(chat)
        self.state = NegotiationState.STABLE
        return self._describe(media)

    def _same_chat(self, description: SessionDescription) -> RemoteChat | None:
        if self.chat is None:
            return None
        if description.media[self.chat.index].port == 0:
            if self._adds_a_line(description):
                # COMPAT: deployed servers refuse to take one stream for another in one offer.
                raise unusable("a media line cannot be exchanged for another", _MISCELLANEOUS)
            return None
        chat = read_chat(description, self.chat.index, self._protocols)
        if self._is_pinned:
            if chat.session_id != self.chat.session_id:
                raise unusable("the chat cannot go on in another MSRP session", _MISCELLANEOUS)
            self._keep_place(self.chat, chat)
        return chat

    def _take(self, chat: RemoteChat | None) -> None:
        before, self.chat = self.chat, chat
        has_moved = chat is not None and before is not None and chat.path != before.path
        if has_moved and self.on_moved is not None:
            self.on_moved()

    def _keep_place(self, before: RemoteChat, chat: RemoteChat) -> None:
        # The connection stays; where a new one would go is no business of a later exchange.
        chat.path, chat.anchor = before.path, before.anchor

    def _settle_as_answerer(self, chat: RemoteChat) -> None:
        try:
            setup = answer_setup(chat.setup, listens=self._listens)
        except RemoteProtocolError as error:
            raise unusable(str(error)) from error
        active = setup == ACTIVE
        way, says_cema = Way.PATH if active else Way.WAIT, False
        if self._cema:
            matching = matches(chat.anchor, chat.path)
            way, says_cema = AS_ANSWERER[chat.knows_cema, matching, active, chat.has_relays]
        if way is Way.REFUSE:
            raise unusable("the c= and m= lines are not the address of the path", _MISCELLANEOUS)
        self.active, self.way, self._says_cema = active, way, says_cema

    def _choose_way_as_offerer(self, chat: RemoteChat, addresses: Addresses) -> None:
        self.way = Way.PATH if self.active else Way.WAIT
        if self._cema:
            matching = matches(chat.anchor, chat.path, addresses)
            self.way = AS_OFFERER[chat.knows_cema, matching, self.active, chat.has_relays]

    def _adds_a_line(self, description: SessionDescription) -> bool:
        known = len(self._remote_ports)
        return any(
            media.port and (index >= known or not self._remote_ports[index])
            for index, media in enumerate(description.media)
        )

    def _describe_chat(self, setup: str, direction: str, *, cema: bool) -> MediaDescription:
        return describe_chat(
            self._path,
            self._address,
            self.capabilities,
            setup,
            direction,
            self._fingerprints,
            cema=cema,
        )

    def _describe(self, media: list[MediaDescription]) -> bytes:
        if self._local and media != self._local:
            self._last_version += 1
            self._version = self._last_version
        self._local = media
        family = "IP6" if ":" in self._address else "IP4"
        origin = Origin("-", self._session_id, self._version, self._address, family)
        return SessionDescription(origin=origin, name=self._session_name, media=media).render()
