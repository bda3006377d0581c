"""The conference application: an INVITE to any URI makes or joins the room of that URI.

An INVITE with Join comes into the room of the call that it names, whatever its URI is: who may
INVITE a room may join it. One with Replaces takes the seat of that call, as a person does who goes
on with another client (RFC 4579 sections 5.8 and 5.9): the others are told neither of a leave nor
of a join, and it does not matter that the room is full.

Somebody whose network is gone leaves at once where that can be seen, and after silence within
`keepalive_interval` and 30 seconds, or `outbox_timeout` if there is something to be sent to him. He
may come back within `reconnect_timeout`, and leaves after it.
"""

import secrets
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from sylk.application import Application
from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address
from sylk.room_status import RoomStatus
from sylk.session import Chat, Invitation, ReferralRequest, SubscriptionRequest
from sylk.settings import AddressSettings
from sylk_conference.alarm import SetAlarm
from sylk_conference.announcing import Announcing
from sylk_conference.dial_out import DialOut
from sylk_conference.factory import Factory
from sylk_conference.history import FILE_NAME, HistoryLimits, HistoryStore, spread
from sylk_conference.home import Home
from sylk_conference.info import RoomInfo
from sylk_conference.open_room import OpenRoom
from sylk_conference.overview import figures, room_status
from sylk_conference.people import Arrival, Participant
from sylk_conference.policy import Asker, RoomPolicy
from sylk_conference.presence import PresenceWatching
from sylk_conference.recipients import call_recipients, recipients_of
from sylk_conference.referrals import Referrals
from sylk_conference.reporting import Reporting
from sylk_conference.room import Room
from sylk_conference.room_history import RoomHistory
from sylk_conference.rooms import ROOM_NAME, Rooms
from sylk_conference.settings import ConferenceSettings, RoomSettings
from sylk_conference.visit import Visit
from sylk_conference.watching import Watchers

_NOT_ALLOWED = 405
_NOT_OPEN = 480


class Conference(Application):
    """Rooms in which everybody hears everybody, each gone when its last participant is."""

    name = "conference"
    settings_class = ConferenceSettings
    settings: ConferenceSettings
    address_settings_class = RoomSettings
    event_packages = ("conference", "presence")
    extensions = ("recipient-list-invite",)

    def __init__(self, settings: ConferenceSettings) -> None:
        super().__init__(settings)
        self._home = Home()
        self._rooms = Rooms(self.address_settings, settings.max_rooms, self._open, self._home)
        self._presence = PresenceWatching(self._rooms, settings.notify_interval, self._set_alarm)
        self._announcing = Announcing(self._rooms)
        self._rooms.on_changed = self._room_changed
        self._factory = Factory(settings.factory, secrets.randbelow, self._home.has_user)
        self._dial_out = DialOut(self._rooms, settings, self.logger, self.event_packages)
        self._referrals = Referrals(
            self._rooms,
            self._dial_out,
            self._factory,
            self.logger,
        )
        self._history: HistoryStore | None = None
        self._stack = AsyncExitStack()
        self._nursery: trio.Nursery | None = None

    @classmethod
    def spread(cls, state_dirs: Sequence[Path], count: int) -> None:
        """Move the history of each room to its worker."""
        spread(state_dirs, count)

    async def __aenter__(self) -> Self:
        """Start."""
        self._dial_out.user_agent = self.user_agent
        self._home.hosts, self._home.share = self.own_hosts, self.share
        self._rooms.reconfigure(self.address_settings, self.settings.max_rooms)
        self._announcing.start(self.announcer)
        self._nursery = await self._stack.enter_async_context(trio.open_nursery())
        self._stack.callback(self._nursery.cancel_scope.cancel)
        self._open_history()
        await self._stack.enter_async_context(self._dial_out)
        self._rooms.open_permanent()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the calls of the rooms."""
        await self._stack.__aexit__(kind, error, traceback)

    def reconfigure(
        self, settings: ConferenceSettings, address_settings: AddressSettings[RoomSettings]
    ) -> None:
        """Take other settings for all rooms, those that are open too."""
        super().reconfigure(settings, address_settings)
        self._open_history()
        self._presence.reconfigure(settings.notify_interval)
        self._rooms.reconfigure(address_settings, settings.max_rooms)
        self._announcing.reconfigured()

    def _room_changed(self, key: bytes) -> None:
        self._presence.changed(key)
        self._announcing.changed(key)

    def _open_history(self) -> None:
        """Begin to keep what is said, as soon as some room wants that."""
        if self._nursery is None or self._history is not None or self.state_dir is None:
            return
        kinds = [self.address_settings.default, *self.address_settings.own.values()]
        if any(one.history for one in kinds):
            self._history = self._make_history(self.state_dir)
            self._nursery.start_soon(self._history.run)
            for open_room in self._rooms:
                open_room.history.store = self._history

    def _make_history(self, folder: Path) -> HistoryStore:
        settings = self.settings
        limits = HistoryLimits(
            age=settings.history_age or 0, count=settings.history_count, size=settings.history_size
        )

        def limits_of(room: str) -> HistoryLimits:
            own = self._rooms.settings.of(room)
            return replace(limits, age=own.history_age or 0, count=own.history_count)

        path = folder / FILE_NAME
        return HistoryStore(path, limits, self.logger, limits_of=limits_of)

    @property
    def room_count(self) -> int:
        """How many rooms are open."""
        return len(self._rooms)

    @property
    def participant_count(self) -> int:
        """How many sessions are in all the rooms."""
        return sum(len(open_room.chats) for open_room in self._rooms)

    def status(self) -> Mapping[str, float]:
        """Return how many rooms, people and messages there are."""
        return figures(self._rooms)

    def rooms(self) -> Iterable[RoomStatus]:
        """Return the rooms that are open."""
        return map(room_status, self._rooms)

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
        asker = self._rooms.asker(invitation.sender, invitation.source[0], address)
        seats = 0 if replaced is not None else self._rooms.seats_in(address)
        denial = self._rooms.policy_of(address).may_enter(asker, trio.current_time(), seats)
        if denial is not None:
            self.logger.info("%s may not enter: %s", invitation.sender.uri, denial.reason)
            await invitation.reject(denial.status)
            return
        if replaced is None and (status := self._rooms.refusal(address)) is not None:
            await invitation.reject(status)
            return
        try:
            policy = self._rooms.policy_of(address)
            uris = recipients_of(invitation, policy, asker, self.settings.max_recipients)
        except RemoteProtocolError as error:
            self.logger.info("refused the list of %s: %s", invitation.sender.uri, error)
            await invitation.reject(error.status)
            return
        with self._rooms.seat(address, invitation.call, replaced) as open_room:
            features = open_room.room.policy.features
            if self._calls_factory(invitation):
                self._rooms.find_by_name(address)
            async with invitation.accept(
                focus=True, chatroom=features, local=address, streams=True, allow_join=True
            ) as chat:
                call_recipients(self._rooms, self._dial_out, open_room, chat, asker, uris)
                await self._take_part(open_room, chat, asker)

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        """Tell who is in a room, or whether it is open."""
        if self._factory.is_named(subscription.request_uri.user):
            await subscription.reject(_NOT_ALLOWED)
            return
        address = self._room_at(subscription)
        asker = self._rooms.asker(subscription.sender, subscription.source[0], address)
        denial = self._rooms.policy_of(address).may_subscribe(asker, trio.current_time())
        if denial is not None:
            self.logger.info("%s may not subscribe: %s", subscription.sender.uri, denial.reason)
            await subscription.reject(denial.status)
            return
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
        await self._referrals.handle(referral, place or self._room_at(referral))

    def _place_of(self, invitation: Invitation) -> Address:
        """Return the room that an invitation leads to: that of the call that it names, or its own.

        The room of another call is known by the address of that one.
        """
        place = self._rooms.place_of(invitation.replaces or invitation.joins)
        if place is None and self._calls_factory(invitation):
            place = _address(self._factory.new_room(str(invitation.request_uri.aor)))
        return place or self._room_at(invitation)

    def _calls_factory(self, invitation: Invitation) -> bool:
        is_named = self._factory.is_named(invitation.request_uri.user)
        return is_named and not (invitation.replaces or invitation.joins)

    def _room_at(self, request: Invitation | SubscriptionRequest | ReferralRequest) -> Address:
        uri = request.request_uri
        return self._rooms.made(uri.user) or _address(str(uri.aor))

    async def _take_part(self, open_room: OpenRoom, chat: Chat, asker: Asker) -> None:
        if not chat.takes_cpim:
            # Only an answer that comes in the ACK is seen as late as here.
            self.logger.info("%s takes no message/cpim", chat.remote.uri)
            return
        now = datetime.now(UTC)
        arrival = Arrival(now, contact=chat.call.contact, source=asker.source)
        await Visit(open_room, chat, arrival, self.logger).run()

    def _open(self, address: Address, policy: RoomPolicy) -> OpenRoom:
        chats: dict[Participant, Chat] = {}
        listeners: dict[Participant, Chat] = {}
        settings, key = self.settings, self._home.key_of(address)

        def alarm(what: str) -> SetAlarm:
            return partial(self._set_alarm, (what, key))

        reporting = Reporting(
            settings.success_reports,
            settings.report_timeout,
            chats,
            listeners,
            alarm("reports"),
        )
        room = Room(address, policy, self._home)
        info = RoomInfo(room)
        of_room = policy.settings
        watchers = Watchers(
            info,
            of_room.notify_interval,
            alarm("watchers"),
            partial_state=of_room.partial_notifications,
        )
        history = RoomHistory(room, self._history)
        open_room = OpenRoom(room, chats, listeners, reporting, info, history, watchers, alarm)
        open_room.on_put_out = partial(self._dial_out.cancel, open_room)
        return open_room

    def _set_alarm(
        self, key: Hashable, deadline: float | None, ring: Callable[[float], None]
    ) -> None:
        assert self.user_agent is not None, "rooms are opened by a server"
        self.user_agent.set_alarm((self.name, key), deadline, ring)


def _address(uri: str) -> Address:
    return Address(uri, ROOM_NAME)
