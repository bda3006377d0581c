"""What moderators do in a room, and that everybody else is refused it with the reason.

A ban or a mute is against a person, on all his clients, and lasts over an emptied room, not over a
restart of the server. Who is put out or muted is told by whom; that the room is locked or has
another subject is told to all.
"""

from sylk.errors import RemoteProtocolError
from sylk.log import ApplicationLogger
from sylk_conference.commands import Command
from sylk_conference.content import Refusal, check
from sylk_conference.notices import name_of
from sylk_conference.open_room import OpenRoom
from sylk_conference.people import Participant, comparable
from sylk_conference.room import asker_of

_ABSENT = 404


class Moderation:
    """Carries out the commands of one participant."""

    def __init__(
        self, open_room: OpenRoom, participant: Participant, logger: ApplicationLogger
    ) -> None:
        self._open_room = open_room
        self._participant = participant
        self._logger = logger

    def carry_out(self, command: Command, now: float) -> None:
        """Do what a command says; raises RemoteProtocolError with the reason why not."""
        policy = self._open_room.room.policy
        asker = asker_of(self._participant)
        if command.name != "kick":
            check(policy.may_moderate(asker))
        match command.name:
            case "kick":
                self._kick(command, now)
            case "ban":
                self._ban(command, now)
            case "unban":
                self._lift(policy.bans.lift(self._key(command)))
            case "mute" | "unmute":
                self._mute(command, now)
            case "lock" | "unlock":
                policy.is_locked = command.name == "lock"
                self._tell_all(f"has {command.name}ed the room")
            case "subject":
                policy.change_subject(command.text)
                self._tell_all(f"has given the room the subject: {policy.subject}")
            case _:
                raise RemoteProtocolError("there is no such command")
        self._log(command)

    def _key(self, command: Command) -> bytes:
        return comparable(command.user.encode("utf-8", "replace"))

    def _kick(self, command: Command, now: float) -> None:
        policy, target = self._open_room.room.policy, self._open_room.room.known(self._key(command))
        check(policy.may_remove(asker_of(self._participant), target, now))
        if not self._put_out(target.key, "Removed"):
            raise Refusal("he is not here", _ABSENT)

    def _ban(self, command: Command, now: float) -> None:
        target = self._open_room.room.known(self._key(command))
        check(self._open_room.room.policy.ban(target, now, command.seconds))
        self._put_out(target.key, "Banned")

    def _put_out(self, key: bytes, what: str) -> bool:
        address = self._participant.address
        return self._open_room.put_out(key, f"{what} by {name_of(address)}", address.uri)

    def _mute(self, command: Command, now: float) -> None:
        open_room, target = self._open_room, self._open_room.room.known(self._key(command))
        policy = open_room.room.policy
        if command.name == "mute":
            check(policy.mute(target, now, command.seconds))
        else:
            self._lift(policy.mutes.lift(target.key))
        user = open_room.room.people.get(target.key)
        if user is not None:
            for participant in user.participants:
                participant.is_muted = command.name == "mute"
            open_room.changed(user)
            name = name_of(self._participant.address)
            open_room.tell_some(f"{name} has {command.name}d you", user.participants)

    def _lift(self, was_there: bool) -> None:
        if not was_there:
            raise Refusal("there is nothing to take back", _ABSENT)

    def _tell_all(self, text: str) -> None:
        self._open_room.tell(f"{name_of(self._participant.address)} {text}")
        self._open_room.watchers.changed()

    def _log(self, command: Command) -> None:
        self._logger.info(
            "%s in %s by %s: %s",
            command.name,
            self._open_room.room.address.uri,
            self._participant.address.uri,
            ascii(command.user or command.text)[:200],
        )
