"""The room: who is in it, and what becomes of each message. No I/O, no clock, no tasks.

Every method finishes in one step and returns what is to be delivered, so there is neither a lock
nor a half-done state, and the order in which `post` is called is the order that everybody sees.

What the room changes in a message is the CPIM header block alone: From becomes the participant as
the room knows him, a missing To becomes the room, a missing DateTime is stamped. A message that has
all this right, as most have, is passed on as the very bytes that came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address, CpimMessage, Envelope, split_envelope
from sylk.payload.cpim_envelope import line_uri, render_envelope, wrapped_content_type
from sylk_conference.addressing import Addressing
from sylk_conference.alternatives import PLAIN, text_alternative
from sylk_conference.audience import Audience, takes
from sylk_conference.commands import COMMAND_TYPE
from sylk_conference.content import Refusal, check, check_content
from sylk_conference.display_names import shown_name
from sylk_conference.home import Home
from sylk_conference.nicknames import Nicknames
from sylk_conference.people import Arrival, Participant, People, User, comparable, key_of
from sylk_conference.policy import Asker, RoomPolicy
from sylk_conference.settings import RoomSettings

MODERATOR = ("moderator", "participant")
PARTICIPANT = ("participant",)
"""The roles of people (RFC 4575 section 5.6.3)."""

NOTIFICATION = b"message/imdn+xml"

_FORBIDDEN = 403
_UNSUPPORTED = 415


@dataclass(slots=True)
class Delivery:
    """A message/cpim body and who gets it; None stands for everybody but its sender."""

    body: bytes
    recipients: list[Participant] | None = None
    is_private: bool = False
    content_type: bytes = b""
    """The type of what is wrapped."""
    is_command: bool = False
    """True for what is for the room itself to do."""
    alternative: "Delivery | None" = None
    """What those get who do not take the type."""


class Room:
    """One room, from the first participant to the last."""

    def __init__(
        self, address: Address, policy: RoomPolicy | None = None, home: Home | None = None
    ) -> None:
        """Take the address, who may do what, and by what else the room is known.

        Without a policy everybody may do everything.
        """
        self._home = home or Home()
        self.address = address
        self.policy = policy or RoomPolicy(RoomSettings())
        self.nicknames = Nicknames(address)
        self.people = People()
        self.key = self._home.key_of(address)
        self.receivers: list[Address] = [address]
        """To whom what is said to all is addressed: the room, or nobody (see `Home`)."""
        self.to_line: bytes | None = b"To: " + address.render().encode()
        self._usual_to: bytes | None = None
        """The last To that names the room as it is shown: clients write it each in one way."""
        self._audience = Audience(self.people)
        self._addressing = Addressing(self.is_named, self.people, self._find_nickname)

    @property
    def user(self) -> str:
        """The user part of its address, empty if it has none."""
        return unquote(self.address.uri.partition(":")[2].rpartition("@")[0])

    @property
    def is_at_home(self) -> bool:
        """Tell whether its host is this server."""
        return self._home.is_at_home(self.address)

    def is_named(self, uri: bytes) -> bool:
        """Tell whether a URI is the room's, by whatever host."""
        return self._home.is_room(uri, self.key)

    def called_as(self, address: Address) -> None:
        """Take it that somebody is here who knows the room by an address that may be another."""
        if key_of(address) != key_of(self.address):
            self.receivers, self.to_line = [], None

    # Who is here

    def join(
        self,
        address: Address,
        claimed: Address | None = None,
        arrival: Arrival | None = None,
        *,
        accepts: tuple[str, ...] = (),
        takes_private: bool = True,
    ) -> Participant:
        """Let somebody in, who may call himself by another address than we know him by.

        `accepts` are the types that his client takes wrapped, as patterns; none stands for all.
        """
        participant = self.people.join(address, claimed, arrival)
        user = participant.user
        self.nicknames.join(user.key, address)
        self._rename(user)
        self.give_roles(user)
        participant.accepts = () if "*" in accepts else accepts
        participant.takes_private = takes_private
        self._audience.changed()
        return participant

    def leave(self, participant: Participant) -> list[User]:
        """Let somebody out; nothing happens when he is gone already.

        Returns who of those who are here is called otherwise from now on, see `rename`.
        """
        user = participant.user
        if participant not in user.participants:
            return []
        nickname = user.nickname
        self.nicknames.leave(user.key, participant.address)
        self.people.leave(participant)
        self._audience.changed()
        if user.participants:
            self._rename(user)
            return [user]
        return self._rename_namesakes(nickname)

    def known(self, key: bytes) -> Asker:
        """Return somebody, by user@host, as the policy wants to know him; he need not be here."""
        user = self.people.get(key)
        return Asker(key) if user is None else asker_of(user.participants[0])

    def give_roles(self, user: User) -> None:
        """Let somebody be what the policy says that he is."""
        is_moderator = any(self.policy.is_moderator(asker_of(one)) for one in user.participants)
        user.roles = MODERATOR if is_moderator else PARTICIPANT

    def rename(self, participant: Participant, nickname: str) -> list[User]:
        """Give somebody a nickname on all his clients, or with an empty one take it away.

        Returns who is called otherwise from now on: he, and those whose display name passes for
        the nickname, which is not shown while he has it. Raises Refusal: 403 where there are none,
        424 and 425 as RFC 7701 section 7.1 has it.
        """
        user = participant.user
        check(self.policy.may_have_nickname())
        before = user.nickname
        if nickname:
            self.nicknames.reserve(user.key, nickname)
        else:
            self.nicknames.release(user.key)
        self._rename(user)
        others = self._rename_namesakes(before, user.nickname)
        return [user, *(other for other in others if other is not user)]

    def _rename_namesakes(self, *nicknames: str) -> list[User]:
        keys = {key for nickname in nicknames for key in self.nicknames.namesakes(nickname)}
        users = [user for key in keys if (user := self.people.get(key)) is not None]
        for user in users:
            self._rename(user)
        return users

    def _rename(self, user: User) -> None:
        nicknames = self.nicknames
        name = shown_name(nicknames.name_of(user.key))
        self.people.rename(user, nicknames.nickname_of(user.key), name)

    def _find_nickname(self, nickname: str) -> User | None:
        key = self.nicknames.owner_of(nickname)
        return None if key is None else self.people.get(key)

    # What is said

    def post(
        self,
        sender: Participant,
        body: bytes,
        envelope: Envelope,
        now: bytes,
        *,
        whole: bool = True,
    ) -> Delivery:
        """Decide what becomes of a message; `now` is the DateTime for one that has none.

        Of a message that is not `whole` only the beginning is here; that its text is UTF-8 is for
        the caller to see, and it has no alternative.

        Raises Refusal: 403 for a From that is not the sender's and for several recipients, 404 and
        428 for a private message to somebody who is not here or cannot show it, 413 and 415 for
        content that is not passed on, or that nobody takes.
        """
        from_line = envelope.from_line
        if from_line is not None and from_line != sender.from_line:
            self._check_from(sender, from_line)
        policy = self.policy
        content_type = check_content(
            body, envelope.header_end, policy.settings.content_types, whole=whole
        )
        if content_type.startswith(COMMAND_TYPE):
            return Delivery(body, [], content_type=content_type, is_command=True)
        check(policy.takes_size(len(body)))
        recipients = self._addressing.recipients(sender, envelope.to_lines)
        if recipients is not None and content_type.startswith(NOTIFICATION):
            # What became of a message is told where nobody may whisper, and to its sender alone.
            recipients = [one for one in recipients if one.user is not sender.user]
        elif recipients is not None:
            self._check_whisper(sender, recipients)
        head = self._new_head(sender, envelope, now, body, is_private=recipients is not None)
        said = body if head is None else head + body[envelope.header_end :]
        delivery = Delivery(said, recipients, recipients is not None, content_type)
        if deaf := self._audience.deaf_to(content_type):
            self._leave_out(delivery, sender, deaf, whole=whole)
        return delivery

    def _check_from(self, sender: Participant, from_line: bytes) -> None:
        if comparable(line_uri(from_line)) not in (sender.key, sender.claimed_key):
            raise Refusal("the CPIM From is not the sender's", _FORBIDDEN)

    def _check_whisper(self, sender: Participant, recipients: Sequence[Participant]) -> None:
        asker = asker_of(sender)
        for recipient in recipients:
            check(self.policy.may_whisper(asker, asker_of(recipient)))

    def _new_head(
        self, sender: Participant, envelope: Envelope, now: bytes, body: bytes, *, is_private: bool
    ) -> bytes | None:
        """Return the CPIM headers to pass on, None when those that came are right."""
        if (
            envelope.from_line == sender.from_line
            and envelope.date_time is not None
            and len(envelope.to_lines) == 1
            and (is_private or self._is_right(envelope.to_lines[0]))
            # COMPAT: clients want each header on a line with CRLF, and a blank line after them.
            and body.count(b"\r\n", 0, envelope.header_end) == len(envelope.other_lines) + 4
        ):
            return None
        to_line = envelope.to_lines[0] if is_private else self.to_line
        return render_envelope(
            sender.from_line, to_line, envelope.date_time or now, envelope.other_lines
        )

    def said_again(self, body: bytes) -> bytes:
        """Return what was said to all at some time as it is sent now: the room may be shown with
        another host than then."""
        envelope = split_envelope(body)
        if len(envelope.to_lines) == 1 and self._is_right(envelope.to_lines[0]):
            return body
        return (
            render_envelope(
                envelope.from_line, self.to_line, envelope.date_time, envelope.other_lines
            )
            + body[envelope.header_end :]
        )

    def _is_right(self, to_line: bytes) -> bool:
        """Tell whether the To of what is said to all may stay as it is."""
        if self.to_line is None:
            return False
        if to_line != self._usual_to and comparable(line_uri(to_line)) == key_of(self.address):
            self._usual_to = to_line
        return to_line == self._usual_to

    def _leave_out(
        self, delivery: Delivery, sender: Participant, deaf: list[Participant], *, whole: bool
    ) -> None:
        """Send text to those who do not take the type, or nothing; refuse what nobody gets."""
        everybody = delivery.recipients
        if everybody is None:
            everybody = [one for user in self.people for one in user.participants]
        others = [one for one in everybody if one is not sender]
        left_out = [one for one in deaf if one in others]
        if not left_out:
            return
        delivery.recipients = got = [one for one in others if one not in left_out]
        if whole and (text := _in_plain_text(delivery.body)) is not None:
            readers = [one for one in left_out if takes(one, PLAIN)]
            delivery.alternative = Delivery(text, readers, delivery.is_private) if readers else None
            got = got + readers
        # His own clients are there to show what the others got.
        meant = [one for one in others if one.user is not sender.user] or others
        if not any(one in got for one in meant):
            raise Refusal("nobody here takes this type", _UNSUPPORTED, as_report=True)


def _in_plain_text(body: bytes) -> bytes | None:
    """Return a message/cpim with its content as plain text, None where there is no text in it."""
    message = CpimMessage.parse(body)
    text = text_alternative(message.content_type, message.content)
    return None if text is None else body[: body.index(b"\r\n\r\n") + 4] + text


def version_for(participant: Participant, body: bytes) -> bytes | None:
    """Return a message/cpim as somebody's client takes it: as it is, or its text, or None."""
    if not participant.accepts:
        return body
    try:
        content_type = wrapped_content_type(body, split_envelope(body).header_end)
        if takes(participant, content_type.decode("utf-8", "replace")):
            return body
        return _in_plain_text(body) if takes(participant, PLAIN) else None
    except RemoteProtocolError:
        return None


def asker_of(participant: Participant) -> Asker:
    """Return somebody who is here as the policy wants to know him."""
    return Asker(participant.key, participant.arrival.source, True)
