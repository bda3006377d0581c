"""The room: who is in it, and what becomes of each message. No I/O, no clock, no tasks.

Every method finishes in one step and returns what is to be delivered, so there is neither a lock
nor a half-done state, and the order in which `post` is called is the order that everybody sees.

What the room changes in a message is the CPIM header block alone: From becomes the participant as
the room knows him, a missing To becomes the room, a missing DateTime is stamped. A message that has
all this right, as most have, is passed on as the very bytes that came.
"""

from dataclasses import dataclass, field

from sylk.payload.cpim import Address, Envelope
from sylk.payload.cpim_envelope import line_uri, render_envelope
from sylk_conference.content import Refusal, check_content
from sylk_conference.people import Arrival, Participant, People, comparable, key_of

_FORBIDDEN = 403
_ABSENT = 404


@dataclass(slots=True)
class Delivery:
    """A message/cpim body and who gets it; None stands for everybody but its sender."""

    body: bytes
    recipients: list[Participant] | None = None


@dataclass(slots=True)
class Room:
    """One room, from the first participant to the last."""

    address: Address
    people: People = field(default_factory=People)
    key: bytes = field(init=False)
    to_line: bytes = field(init=False)
    _usual_to_line: bytes = field(init=False)
    # The last To that named the room: clients write it without our display name, each in one way.

    def __post_init__(self) -> None:
        self.key = key_of(self.address)
        self._usual_to_line = self.to_line = b"To: " + self.address.render().encode()

    # Who is here

    def join(
        self, address: Address, claimed: Address | None = None, arrival: Arrival | None = None
    ) -> Participant:
        """Let somebody in, who may call himself by another address than we know him by."""
        return self.people.join(address, claimed, arrival)

    def leave(self, participant: Participant) -> None:
        """Let somebody out."""
        self.people.leave(participant)

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
        the caller to see.

        Raises Refusal: 403 for a From that is not the sender's, 404 for a private message to
        somebody who is not here, 413 and 415 for content that is not passed on.
        """
        from_line = envelope.from_line
        if from_line is not None and from_line != sender.from_line:
            self._check_from(sender, from_line)
        check_content(body, envelope.header_end, whole=whole)
        recipients = self._recipients(sender, envelope.to_lines)
        if (
            from_line == sender.from_line
            and envelope.date_time is not None
            and len(envelope.to_lines) == 1
            # COMPAT: clients want each header on a line with CRLF, and a blank line after them.
            and body.count(b"\r\n", 0, envelope.header_end) == len(envelope.other_lines) + 4
        ):
            return Delivery(body, recipients)
        to_line = envelope.to_lines[0] if recipients is not None else self.to_line
        head = render_envelope(
            sender.from_line, to_line, envelope.date_time or now, envelope.other_lines
        )
        return Delivery(head + body[envelope.header_end :], recipients)

    def _check_from(self, sender: Participant, from_line: bytes) -> None:
        if comparable(line_uri(from_line)) not in (sender.key, sender.claimed_key):
            raise Refusal("the CPIM From is not the sender's", _FORBIDDEN)

    def _recipients(self, sender: Participant, to_lines: list[bytes]) -> list[Participant] | None:
        if len(to_lines) != 1 or to_lines[0] == self._usual_to_line:
            return None
        key = comparable(line_uri(to_lines[0]))
        if key == self.key:
            self._usual_to_line = to_lines[0]
            return None
        user = self.people.get(key)
        if user is None:
            raise Refusal("the recipient is not here", _ABSENT)
        # The sender's other clients show what he whispered too.
        own = sender.user.participants if user is not sender.user else []
        return [other for other in [*user.participants, *own] if other is not sender]
