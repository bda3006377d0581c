"""The room: who is in it, and what becomes of each message. No I/O, no clock, no tasks.

Every method finishes in one step and returns what is to be delivered, so there is neither a lock
nor a half-done state, and the order in which `post` is called is the order that everybody sees.

What the room changes in a message is the CPIM header block alone: From becomes the participant as
the room knows him, a missing To becomes the room, a missing DateTime is stamped. A message that has
all this right, as most have, is passed on as the very bytes that came.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sylk.payload.cpim import Address, CpimMessage, Envelope
from sylk.payload.cpim_envelope import line_uri, render_envelope
from sylk_conference.addressing import Addressing
from sylk_conference.alternatives import PLAIN, text_alternative
from sylk_conference.audience import Audience, takes
from sylk_conference.content import ANY_TYPE, Refusal, check_content
from sylk_conference.people import Arrival, Participant, People, User, comparable, key_of

_FORBIDDEN = 403
_UNSUPPORTED = 415


@dataclass(slots=True)
class Delivery:
    """A message/cpim body and who gets it; None stands for everybody but its sender."""

    body: bytes
    recipients: list[Participant] | None = None
    is_private: bool = False
    alternative: "Delivery | None" = None
    """What those get who do not take the type."""


class Room:
    """One room, from the first participant to the last."""

    def __init__(self, address: Address, types: Sequence[str] = ANY_TYPE) -> None:
        """Take the address of the room, and the types that may be said in it."""
        self.address = address
        self.types = types
        self.people = People()
        self.key = key_of(address)
        self.to_line = b"To: " + address.render().encode()
        self._audience = Audience(self.people)
        self._addressing = Addressing(self.key, self.people, self._find_nickname)

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
        participant.accepts = () if "*" in accepts else accepts
        participant.takes_private = takes_private
        self._audience.changed()
        return participant

    def leave(self, participant: Participant) -> None:
        """Let somebody out."""
        self.people.leave(participant)
        self._audience.changed()

    def _find_nickname(self, nickname: str) -> User | None:
        return next((user for user in self.people if user.nickname == nickname), None)

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
        content_type = check_content(body, envelope.header_end, self.types, whole=whole)
        recipients = self._addressing.recipients(sender, envelope.to_lines)
        head = self._new_head(sender, envelope, now, body, is_private=recipients is not None)
        said = body if head is None else head + body[envelope.header_end :]
        delivery = Delivery(said, recipients, recipients is not None)
        if deaf := self._audience.deaf_to(content_type):
            self._leave_out(delivery, sender, deaf, whole=whole)
        return delivery

    def _check_from(self, sender: Participant, from_line: bytes) -> None:
        if comparable(line_uri(from_line)) not in (sender.key, sender.claimed_key):
            raise Refusal("the CPIM From is not the sender's", _FORBIDDEN)

    def _new_head(
        self, sender: Participant, envelope: Envelope, now: bytes, body: bytes, *, is_private: bool
    ) -> bytes | None:
        """Return the CPIM headers to pass on, None when those that came are right."""
        if (
            envelope.from_line == sender.from_line
            and envelope.date_time is not None
            and len(envelope.to_lines) == 1
            # COMPAT: clients want each header on a line with CRLF, and a blank line after them.
            and body.count(b"\r\n", 0, envelope.header_end) == len(envelope.other_lines) + 4
        ):
            return None
        to_line = envelope.to_lines[0] if is_private else self.to_line
        return render_envelope(
            sender.from_line, to_line, envelope.date_time or now, envelope.other_lines
        )

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
        delivery.recipients = [one for one in others if one not in left_out]
        if whole and (text := _in_plain_text(delivery.body)) is not None:
            readers = [one for one in left_out if takes(one, PLAIN)]
            delivery.alternative = Delivery(text, readers, delivery.is_private) if readers else None
        if not delivery.recipients and delivery.alternative is None:
            raise Refusal("nobody here takes this type", _UNSUPPORTED, as_report=True)


def _in_plain_text(body: bytes) -> bytes | None:
    """Return a message/cpim with its content as plain text, None where there is no text in it."""
    message = CpimMessage.parse(body)
    text = text_alternative(message.content_type, message.content)
    return None if text is None else body[: body.index(b"\r\n\r\n") + 4] + text
