"""One session's time in a room: he is greeted, takes part, and leaves."""

import math
from datetime import UTC, datetime
from itertools import islice

import trio

from sylk.log import ApplicationLogger
from sylk.payload.conference_info import DisconnectionMethod, Execution
from sylk.session import Chat
from sylk_conference.notices import NAMES_IN_WELCOME, welcome
from sylk_conference.open_room import OpenRoom, date_time
from sylk_conference.people import Arrival
from sylk_conference.showing import show
from sylk_conference.switch import Switch

_FAILURE = 400


class Visit:
    """What happens between one participant and the room."""

    __slots__ = ("_chat", "_logger", "_open_room", "_participant", "_recorded")

    def __init__(
        self, open_room: OpenRoom, chat: Chat, arrival: Arrival, logger: ApplicationLogger
    ) -> None:
        """Let somebody in; he must be let out by `run`."""
        self._open_room = open_room
        self._chat = chat
        self._logger = logger
        room, chats = open_room.room, open_room.chats
        if not chats:
            logger.info("room %s opened", room.address.uri)
        peer = chat.peer
        participant = self._participant = room.join(
            chat.remote,
            chat.claimed,
            arrival,
            accepts=() if peer is None else peer.wrapped_types,
            takes_private=peer is None or peer.takes_private_messages,
        )
        room.called_as(chat.local)
        open_room.enter(participant, chat)
        chat.on_hold_changed = self._hold
        self._recorded = open_room.history.enter(participant)
        logger.info("%s joined %s (%d sessions)", chat.remote.uri, room.address.uri, len(chats))

    async def run(self) -> None:
        """Take part until the session ends."""
        open_room, participant, chat = self._open_room, self._participant, self._chat
        switch = Switch(open_room, participant, chat, self._logger)
        try:
            with trio.CancelScope() as greeting:
                # Who hangs up before he has seen what was said leaves at once.
                chat.on_over = greeting.cancel
                await self._greet()
            chat.on_over = None
            async for batch in chat.batches_with_pieces():
                switch.take(batch)
                await switch.keep_pace()
        finally:
            switch.close()
            self._leave()

    def _hold(self, held: bool) -> None:
        self._open_room.hold(self._participant, held)

    # Coming and going

    async def _greet(self) -> None:
        """Tell the newcomer where he is and what was said before, and the others of him."""
        open_room, participant, chat = self._open_room, self._participant, self._chat
        room, history = open_room.room, open_room.history
        named = islice(room.people, NAMES_IN_WELCOME + 1)
        others = [user.shown_address for user in named if user is not participant.user]
        kept = history.age if history.is_kept else 0
        subject, count = room.policy.subject, len(room.people) - 1
        text = welcome(
            room.address, others, date_time(), subject, kept, count=count, seen=chat.local
        )
        chat.post(text)
        is_first = participant.user.participants == [participant]
        if is_first and room.policy.settings.join_notices == "all":
            open_room.comings.joined(participant, len(open_room.chats), trio.current_time())
        rest = await show(chat, await history.replay(participant, self._recorded))
        open_room.catch_up(participant, rest)

    def _leave(self) -> None:
        open_room, participant, chat = self._open_room, self._participant, self._chat
        # A chat that leads back to its visit would keep both until a collection of cycles.
        chat.on_hold_changed = None
        room = open_room.room
        open_room.leave(participant)
        open_room.history.leave(self._recorded)
        self._tell_watchers()
        self._logger.info(
            "%s left %s (%d sessions): %s",
            chat.remote.uri,
            room.address.uri,
            len(open_room.chats),
            chat.call.reason or "the server stops",
        )
        if not open_room.chats:
            self._logger.info("room %s closed", room.address.uri)
        elif (
            participant.key not in room.people
            and room.policy.settings.join_notices == "all"
            and not _is_stopping()
        ):
            open_room.comings.left(participant, len(open_room.chats), trio.current_time())

    def _tell_watchers(self) -> None:
        call, participant = self._chat.call, self._participant
        how = DisconnectionMethod.DEPARTED
        if participant.removed_by is not None:
            how = DisconnectionMethod.BOOTED
        elif call.status is not None and call.status >= _FAILURE:
            how = DisconnectionMethod.FAILED
        gone = Execution(datetime.now(UTC), call.reason or None, participant.removed_by)
        self._open_room.info.departed(participant, how, gone)
        self._open_room.changed(participant.user)


def _is_stopping() -> bool:
    """Tell whether this task is being cancelled: all leave at once, and no notice is due."""
    return trio.current_effective_deadline() == -math.inf
