"""What a room tells of itself and its people: conference-info, version by version (RFC 4575).

Nobody is told that somebody has left a room by listing him as gone: deployed clients show everybody
whom a document names. A client that has gone is listed beside those with which the same person is
still here. No I/O, no clock, no tasks.
"""

from dataclasses import replace

from sylk.payload.conference_changes import difference
from sylk.payload.conference_info import (
    CONTENT_TYPE,
    ConferenceDescription,
    ConferenceInfo,
    ConferenceState,
    DisconnectionMethod,
    Endpoint,
    EndpointStatus,
    Execution,
    HostInfo,
    JoiningMethod,
    Media,
    MediaStatus,
    UriEntry,
)
from sylk.payload.conference_info import User as ListedUser
from sylk_conference.people import Participant, User
from sylk_conference.room import Room

HOST = "Sylk"
"""Who hosts the room, to its people."""

MAX_DEPARTED = 4
"""Clients of one person that are listed though they have gone; the oldest is forgotten."""

_DIRECTIONS = {status.value: status for status in MediaStatus}


class RoomInfo:
    """The documents of one room, each for one version."""

    content_type = CONTENT_TYPE

    def __init__(self, room: Room) -> None:
        self._room = room
        self._listed: dict[User, ListedUser] = {}
        self._departed: dict[User, list[Endpoint]] = {}
        self._last: ConferenceInfo | None = None

    def all_changed(self) -> None:
        """Take it that something about everybody may have changed."""
        self._listed.clear()

    def changed(self, user: User) -> None:
        """Take it that something about a person has changed."""
        self._listed.pop(user, None)
        if not user.participants:
            self._departed.pop(user, None)

    def departed(self, participant: Participant, how: DisconnectionMethod, gone: Execution) -> None:
        """Take it that a client has gone; it is listed while its user is here with another."""
        user = participant.user
        if user.participants:
            left = replace(
                self._endpoint(participant, len(user.participants)),
                status=EndpointStatus.DISCONNECTED,
                disconnection_method=how,
                disconnection_info=gone,
                media=(),
            )
            self._departed[user] = [*self._departed.get(user, []), left][-MAX_DEPARTED:]
        self.changed(user)

    def render(self, version: int, *, changes: bool = True) -> tuple[bytes, bytes]:
        """Return the full document, and with `changes` what changed since the one before.

        That is empty for the first, and for one after which changes were not asked for.
        """
        last = self._last
        document = self._document(version)
        self._last = document if changes else None
        if last is None or last.version != version - 1 or not changes:
            return document.render(), b""
        return document.render(), difference(last, document).render()

    def _document(self, version: int) -> ConferenceInfo:
        address, policy, people = self._room.address, self._room.policy, self._room.people
        settings = policy.settings
        uri = address.uri
        return ConferenceInfo(
            entity=uri,
            version=version,
            description=ConferenceDescription(
                display_text=settings.description or uri.partition(":")[2],
                subject=policy.subject,
                conf_uris=(UriEntry(uri, purpose="participation"),),
                maximum_user_count=settings.max_participants,
            ),
            host_info=HostInfo(display_text=HOST),
            conference_state=ConferenceState(len(people), len(people) > 0, policy.is_locked),
            users=tuple([self._listed.get(user) or self._list(user) for user in people]),
        )

    def _list(self, user: User) -> ListedUser:
        taken: set[str] = set()
        endpoints: list[Endpoint] = []
        listed = [self._endpoint(one, index) for index, one in enumerate(user.participants)]
        for endpoint in [*listed, *self._departed.get(user, [])]:
            # The entity is the key of an endpoint among those of its user (RFC 4575 section 5.7).
            entity, number = endpoint.entity, 1
            while entity in taken:
                number += 1
                entity = f"{endpoint.entity};session={number}"
            taken.add(entity)
            endpoints.append(replace(endpoint, entity=entity))
        shown = self._listed[user] = ListedUser(
            entity=user.address.uri,
            display_text=user.shown_name or None,
            nickname=user.nickname or None,
            roles=user.roles,
            endpoints=tuple(endpoints),
        )
        return shown

    def _endpoint(self, participant: Participant, index: int) -> Endpoint:
        arrival, user = participant.arrival, participant.user
        brought = Execution(by=arrival.referred_by) if arrival.referred_by else None
        status = EndpointStatus.CONNECTED
        if participant.is_held:
            status = EndpointStatus.ON_HOLD
        elif participant.is_muted:
            status = EndpointStatus.MUTED_VIA_FOCUS
        return Endpoint(
            entity=arrival.contact or participant.address.uri,
            display_text=user.shown_name or None,
            referred=brought,
            status=status,
            joining_method=JoiningMethod(arrival.method),
            joining_info=Execution(arrival.when, by=arrival.referred_by or None),
            media=(
                Media(
                    id=str(index + 1),
                    type="message",
                    label="chat",
                    status=_DIRECTIONS.get(participant.direction),
                ),
            ),
        )
