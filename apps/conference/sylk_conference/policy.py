"""Who may do what in a room, by what the operator has set and what moderators have decided since.

Every decision is a method that changes nothing and returns None, or a `Denial` with the status to
answer with and the reason. No I/O, no clock, no tasks: the time is handed in, in seconds of any
clock that goes on.

Moderators come in whatever the lists, the bans and the lock say, since otherwise they could shut
themselves out, and by each other they can be put out alone, not banned or muted: who is to be a
moderator no more is taken from the settings. For all others a ban goes before everything that lets
somebody in.
"""

from dataclasses import dataclass

from sylk.payload.content_type import matches_any
from sylk_conference.display_names import harmless
from sylk_conference.message_rate import MessageBucket
from sylk_conference.sanctions import Sanctions
from sylk_conference.settings import RoomSettings

MAX_SUBJECT = 500
"""Characters of a subject that a moderator gives."""

_FORBIDDEN = 403
_FULL = 486
_TOO_LARGE = 413
"""The sender is to stop (RFC 4975 10.5); deployed servers say it of an unwanted type too."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why not: a status of SIP, or of MSRP where it is about a message, and a sentence."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants something of the room."""

    key: bytes
    """user@host, as `comparable` writes it."""
    source: str = ""
    """The IP address that his request came from; empty where that is not known."""
    is_here: bool = False
    """Whether he is in the room, with any client."""


class RoomPolicy:
    """Decides who may do what in one room."""

    def __init__(self, settings: RoomSettings) -> None:
        self._settings = settings
        self.is_locked = False
        """Moderators set it: nobody comes in but they and who is here with another client."""
        self.bans = Sanctions()
        self.mutes = Sanctions()
        self._subject: str | None = None

    @property
    def settings(self) -> RoomSettings:
        """What the operator has set."""
        return self._settings

    @property
    def features(self) -> tuple[str, ...]:
        """What the SDP says that the room has (`a=chatroom`, RFC 7701 section 8)."""
        nickname = ("nickname",) if self._settings.nicknames else ()
        private = ("private-messages",) if self._settings.whisper != "none" else ()
        return nickname + private

    @property
    def has_sanctions(self) -> bool:
        """Tell whether there are bans or mutes, those that are over included."""
        return len(self.bans) > 0 or len(self.mutes) > 0

    def closed(self) -> None:
        """Take it that the last has left: lock and subject were of those who met, bans stay."""
        self.is_locked = False
        self._subject = None

    def reconfigure(self, settings: RoomSettings) -> None:
        """Take other settings; bans, mutes, the lock and a subject of a moderator's stay."""
        self._settings = settings

    # What moderators decide

    @property
    def subject(self) -> str:
        """What the room is about: what a moderator has said last, or the operator."""
        return self._settings.subject if self._subject is None else self._subject

    def change_subject(self, subject: str | None) -> None:
        """Say what the room is about, in MAX_SUBJECT characters of one line; None takes it back."""
        one_line = None if subject is None else " ".join(harmless(subject).split())
        self._subject = None if one_line is None else one_line[:MAX_SUBJECT]

    def ban(self, target: Asker, now: float, duration: float | None = None) -> Denial | None:
        """Let somebody not come in for `duration` seconds, else for ban_time; he is not put out."""
        return self._sanction(self.bans, target, now, duration)

    def mute(self, target: Asker, now: float, duration: float | None = None) -> Denial | None:
        """Let somebody say nothing for `duration` seconds, else for ban_time."""
        return self._sanction(self.mutes, target, now, duration)

    def _sanction(
        self, sanctions: Sanctions, target: Asker, now: float, duration: float | None
    ) -> Denial | None:
        if self.is_moderator(target):
            return _denied("a moderator is banned or muted by the settings alone")
        length = self._settings.ban_time if duration is None else duration
        if not sanctions.add(target.key, now + length, now):
            return _denied("there are too many of them: take some back")
        return None

    # Who he is

    def is_moderator(self, asker: Asker) -> bool:
        """Tell whether somebody is a moderator."""
        return self._settings.moderators.names(asker.key, asker.source)

    def _is_allowed(self, asker: Asker) -> bool:
        settings = self._settings
        allowed = settings.allow.names(asker.key, asker.source)
        denied = settings.deny.names(asker.key, asker.source)
        if settings.access_policy == "allow, deny":
            return allowed and not denied
        return allowed or not denied

    def _check_outsider(self, asker: Asker, now: float) -> Denial | None:
        """Return why somebody may have nothing to do with the room at all."""
        if self.is_moderator(asker):
            return None
        if self.bans.hold(asker.key, now):
            return _denied("banned from the room")
        return None if self._is_allowed(asker) else _denied("not allowed in the room")

    # Coming in and looking on

    def may_enter(self, asker: Asker, now: float, count: int) -> Denial | None:
        """Decide on an INVITE to a room that `count` participants are in or on their way to.

        403 for who is banned, not allowed or locked out; 486 where the room is full.
        """
        if (denial := self._check_outsider(asker, now)) is not None:
            return denial
        if self.is_locked and not asker.is_here and not self.is_moderator(asker):
            return _denied("the room is locked")
        return self.has_room(count)

    def has_room(self, count: int) -> Denial | None:
        """Decide whether one more may come, whom the room itself calls too."""
        if count >= self._settings.max_participants:
            return Denial(_FULL, "the room is full")
        return None

    def may_subscribe(self, asker: Asker, now: float) -> Denial | None:
        """Decide who may see who is here: participants, even those whom allow does not name.

        They may have been called by the room, or have come before the settings changed.
        """
        if asker.is_here:
            return None
        if self._settings.who_may_subscribe == "participants" and not self.is_moderator(asker):
            return _denied("only participants see who is here")
        return self._check_outsider(asker, now)

    # Inviting, removing, moderating

    def may_invite(self, asker: Asker, target: bytes, now: float) -> Denial | None:
        """Decide whether the room calls somebody at another's request.

        Whom it calls need not be in `allow`; but he is not called while he is banned, and into a
        locked room by moderators alone.
        """
        denial = self._check_right(asker, self._settings.invite, "invite others", now)
        if denial is None and self.bans.hold(target, now):
            return _denied("who is to be invited is banned from the room")
        if denial is None and self.is_locked and not self.is_moderator(asker):
            return _denied("the room is locked")
        return denial

    def may_remove(self, asker: Asker, target: Asker, now: float) -> Denial | None:
        """Decide whether somebody may put another out, or one of his own clients."""
        if target.key == asker.key and asker.is_here:
            return None
        if self.is_moderator(target) and not self.is_moderator(asker):
            return _denied("moderators are put out by moderators alone")
        return self._check_right(asker, self._settings.remove, "remove others", now)

    def may_moderate(self, asker: Asker) -> Denial | None:
        """Decide whether somebody may ban, mute, lock and change the subject."""
        return None if self.is_moderator(asker) else _denied("only moderators may do that")

    def _check_right(self, asker: Asker, who: str, what: str, now: float) -> Denial | None:
        """Return why somebody may not do what the setting `who` is about."""
        if who == "none":
            return _denied(f"nobody may {what} here")
        if self.is_moderator(asker):
            return None
        if who == "moderators":
            return _denied(f"only moderators may {what}")
        if who == "participants" and not asker.is_here:
            return _denied(f"only participants may {what}")
        return None if asker.is_here else self._check_outsider(asker, now)

    # Talking

    def may_speak(self, asker: Asker, now: float) -> Denial | None:
        """Decide whether somebody may say anything."""
        if self.mutes.hold(asker.key, now) and not self.is_moderator(asker):
            return _denied("muted by a moderator")
        return None

    def may_have_nickname(self) -> Denial | None:
        """Decide whether people may choose how they are called (RFC 7701 section 7.1)."""
        return None if self._settings.nicknames else _denied("there are no nicknames here")

    def may_see_history(self, asker: Asker) -> Denial | None:
        """Decide whether somebody who is here sees any of what is kept."""
        if self._settings.history_visible_to == "moderators" and not self.is_moderator(asker):
            return _denied("only moderators see what was said before")
        return None

    def may_whisper(self, asker: Asker, target: Asker) -> Denial | None:
        """Decide whether somebody may say something to another alone.

        His own clients may always get it.
        """
        who = self._settings.whisper
        if who == "all" or asker.key == target.key:
            return None
        if who == "none":
            return _denied("nobody may whisper here")
        if self.is_moderator(asker) or self.is_moderator(target):
            return None
        return _denied("only moderators may whisper, and be whispered to")

    def takes_type(self, content_type: str) -> Denial | None:
        """Decide on what a message holds, by its Content-Type; 413 as deployed servers say it."""
        if matches_any(content_type, self._settings.content_types):
            return None
        return Denial(_TOO_LARGE, f"{content_type.partition(';')[0]} is not passed on")

    def takes_size(self, size: int) -> Denial | None:
        """Decide on how many bytes a message has, all its chunks together."""
        most = self._settings.max_message_size
        if most is None or size <= most:
            return None
        return Denial(_TOO_LARGE, f"the message is larger than {most} bytes")

    def pace(self, bucket: MessageBucket, count: int, now: float) -> float:
        """Return for how many seconds no more is to be read of who has sent `count` messages."""
        rate = self._settings.message_rate
        if not rate:
            return 0.0
        return bucket.spend(count, now, rate=rate, burst=self._settings.message_burst)


def _denied(reason: str) -> Denial:
    return Denial(_FORBIDDEN, reason)
