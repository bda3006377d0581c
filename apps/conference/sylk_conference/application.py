"""The conference application: an INVITE to any URI makes or joins the room of that URI.

An INVITE with Join comes into the room of the call that it names, whatever its URI is: who may
INVITE a room may join it. One with Replaces takes the seat of that call, as a person does who goes
on with another client (RFC 4579 sections 5.8 and 5.9): the others are told neither of a leave nor
of a join, and it does not matter that the room is full.

Somebody whose network is gone leaves at once where that can be seen, and after silence within
`keepalive_interval` and 30 seconds, or `outbox_timeout` if there is something to be sent to him.
"""

import secrets
from collections.abc import Callable, Hashable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self

from sylk.application import Application
from sylk.payload.cpim import Address
from sylk.session import Chat, Invitation, ReferralRequest, SubscriptionRequest
from sylk_conference.dial_out import DialOut
from sylk_conference.factory import Factory
from sylk_conference.info import About, RoomInfo
from sylk_conference.open_room import OpenRoom
from sylk_conference.people import Arrival, Participant, key_of
from sylk_conference.permissions import ParticipantsInvite, Permissions
from sylk_conference.presence import PresenceWatching
from sylk_conference.referrals import Referrals
from sylk_conference.reporting import Reporting
from sylk_conference.room import Room
from sylk_conference.rooms import Rooms
from sylk_conference.settings import ConferenceSettings
from sylk_conference.visit import Visit
from sylk_conference.watching import Watchers

CHATROOM = ("private-messages",)
ROOM_NAME = "Conference Room"

NOTIFY_INTERVAL = 1.0
"""Seconds between two documents that tell the state of a room."""

_NOT_OPEN = 480


class Conference(Application):
    """Rooms in which everybody hears everybody, each gone when its last participant is."""

    name = "conference"
    settings_class = ConferenceSettings
    settings: ConferenceSettings
    event_packages = ("conference", "presence")

    def __init__(self, settings: ConferenceSettings) -> None:
        super().__init__(settings)
        self._rooms = Rooms(settings, self._open)
        self._presence = PresenceWatching(self._rooms, NOTIFY_INTERVAL, self._set_alarm)
        self._rooms.on_changed = self._presence.changed
        self._factory = Factory(settings.factory, secrets.randbelow)
        self._dial_out = DialOut(self._rooms, settings, CHATROOM, self.logger, self.event_packages)
        self._referrals = Referrals(
            self._rooms,
            self._dial_out,
            self._factory,
            self.permissions_of,
            self.logger,
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start."""
        self._dial_out.user_agent = self.user_agent
        await self._stack.enter_async_context(self._dial_out)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the calls of the rooms."""
        await self._stack.__aexit__(kind, error, traceback)

    @property
    def room_count(self) -> int:
        """How many rooms are open."""
        return len(self._rooms)

    @property
    def participant_count(self) -> int:
        """How many sessions are in all the rooms."""
        return sum(len(open_room.chats) for open_room in self._rooms)

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Let the caller into the room that he called, until he leaves."""
        if not invitation.offers_chat or not invitation.offers_cpim:
            await invitation.reject(488)
            return
        address = self._place_of(invitation)
        replaced = invitation.replaces
        if not self._rooms.can_replace(replaced):
            # A seat holds one: the next who wants it needs one of his own.
            replaced = None
        if replaced is None and (status := self._rooms.refusal(address)) is not None:
            await invitation.reject(status)
            return
        with self._rooms.seat(address, invitation.call, replaced) as open_room:
            async with invitation.accept(
                focus=True, chatroom=CHATROOM, local=address, streams=True, allow_join=True
            ) as chat:
                await self._take_part(open_room, chat)

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        """Tell who is in a room, or whether it is open."""
        address = _room_at(str(subscription.request_uri.aor))
        if (subscription.event or "").lower() == "presence":
            await self._presence.accept(address, subscription)
            return
        open_room = self._rooms.get(address)
        if open_room is None:
            await subscription.reject(_NOT_OPEN)
            return
        await open_room.watchers.accept(subscription)

    async def handle_referral(self, referral: ReferralRequest) -> None:
        """Have somebody called into a room, or put out of it."""
        place = self._rooms.place_of(referral.call)
        await self._referrals.handle(referral, place or _room_at(str(referral.request_uri.aor)))

    def permissions_of(self, _address: Address) -> Permissions:
        """Return who may have others called into the room of an address, or put out of it."""
        return ParticipantsInvite()

    def _place_of(self, invitation: Invitation) -> Address:
        """Return the room that an invitation leads to: that of the call that it names, or its own.

        The room of another call is known by the address of that one.
        """
        place = self._rooms.place_of(invitation.replaces or invitation.joins)
        return place or _room_at(str(invitation.request_uri.aor))

    async def _take_part(self, open_room: OpenRoom, chat: Chat) -> None:
        if not chat.takes_cpim:
            # Only an answer that comes in the ACK is seen as late as here.
            self.logger.info("%s takes no message/cpim", chat.remote.uri)
            return
        arrival = Arrival(datetime.now(UTC), contact=chat.call.contact)
        await Visit(open_room, chat, arrival, self.logger).run()

    def _open(self, address: Address) -> OpenRoom:
        chats: dict[Participant, Chat] = {}
        settings, key = self.settings, key_of(address)
        reporting = Reporting(
            settings.success_reports,
            settings.report_timeout,
            chats,
            partial(self._set_alarm, ("reports", key)),
        )
        room = Room(address)
        info = RoomInfo(room, About(maximum_user_count=settings.max_participants))
        watchers = Watchers(info, NOTIFY_INTERVAL, partial(self._set_alarm, ("watchers", key)))
        return OpenRoom(room, chats, reporting, info, watchers)

    def _set_alarm(
        self, key: Hashable, deadline: float | None, ring: Callable[[float], None]
    ) -> None:
        assert self.user_agent is not None, "rooms are opened by a server"
        self.user_agent.set_alarm((self.name, key), deadline, ring)


def _room_at(uri: str) -> Address:
    return Address(uri, ROOM_NAME)
