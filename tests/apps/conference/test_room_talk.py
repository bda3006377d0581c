"""Anything at all is said in a room: each hears what he should, in one order."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sylk_conference.content import Refusal
from sylk_conference.people import Participant, comparable
from sylk_conference.room import Delivery, Room

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import CpimMessage
from tests.apps.conference.test_room import NOW, PEOPLE, PLAIN, ROOM, STAMP, compose, post


@dataclass(eq=False)
class Client:
    """One session, as the model knows it, and what it must and did hear."""

    name: str
    participant: Participant
    expected: list[bytes] = field(default_factory=list[bytes])
    heard: list[bytes] = field(default_factory=list[bytes])


_NAMES = st.sampled_from(sorted(PEOPLE))


class RoomMachine(RuleBasedStateMachine):
    """People come, talk, whisper, lie, send nonsense, and go."""

    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(ROOM)
        self.present: list[Client] = []
        self.count = 0

    @rule(target=clients, name=_NAMES)
    def join(self, name: str) -> Client:
        client = Client(name, self.room.join(PEOPLE[name]))
        self.present.append(client)
        return client

    @rule(client=consumes(clients))
    def leave(self, client: Client) -> None:
        self.room.leave(client.participant)
        self.present.remove(client)

    @rule(
        client=clients,
        own=st.sampled_from(["exact", "bare", "odd", "none"]),
        to=st.sampled_from([[], ["room"], ["bare room"], ["room", "room"]]),
        stamped=st.booleans(),
        extra=st.booleans(),
        content_type=st.sampled_from([PLAIN, "text/html", "image/png", None]),
    )
    def say(
        self,
        client: Client,
        own: str,
        to: list[str],
        stamped: bool,
        extra: bool,
        content_type: str | None,
    ) -> None:
        spelt = {"room": ROOM.render(), "bare room": f"<{ROOM.uri};x=y>"}
        content = self.next_content()
        body = compose(
            self.from_of(client, own),
            [spelt[one] for one in to],
            content,
            content_type,
            STAMP if stamped else None,
            ("NS: imdn <urn:ietf:params:imdn>", "imdn.Message-ID: x") if extra else (),
        )
        delivery = post(self.room, client.participant, body)
        self.check_body(client, delivery.body, content, stamped, extra)
        assert delivery.recipients is None
        self.deliver(content, delivery, [one for one in self.present if one is not client], client)

    @rule(client=clients, name=_NAMES, own=st.sampled_from(["exact", "none"]))
    def whisper(self, client: Client, name: str, own: str) -> None:
        content = self.next_content()
        to = PEOPLE[name].render()
        body = compose(self.from_of(client, own), [to], content)
        target = [one for one in self.present if one.name == name]
        if not target:
            with pytest.raises(Refusal) as caught:
                post(self.room, client.participant, body)
            assert caught.value.status == 404
            return
        delivery = post(self.room, client.participant, body)
        self.check_body(client, delivery.body, content, True, False)
        expected = [
            one for one in self.present if one.name in (name, client.name) and one is not client
        ]
        self.deliver(content, delivery, expected, client)

    @rule(client=clients, name=_NAMES)
    def lie(self, client: Client, name: str) -> None:
        if name == client.name:
            return
        body = compose(PEOPLE[name].render(), [], self.next_content())
        with pytest.raises(Refusal) as caught:
            post(self.room, client.participant, body)
        assert caught.value.status == 403

    @rule(client=clients, kind=st.sampled_from(["binary", "no colon", "two From", "empty", "type"]))
    def send_nonsense(self, client: Client, kind: str) -> None:
        own = client.participant.address.render()
        body, status = {
            "binary": (compose(own, [], b"\xff\xfe"), 415),
            "no colon": (b"nonsense\r\n\r\n\r\nhello", 400),
            "two From": (compose(own, [], extra=(f"From: {own}",)), 400),
            "empty": (b"", 400),
            "type": (compose(own, [], b"x", "application"), 400),
        }[kind]
        with pytest.raises(RemoteProtocolError) as caught:
            post(self.room, client.participant, body)
        assert caught.value.status == status

    @invariant()
    def everybody_heard_what_he_should_in_one_order(self) -> None:
        for client in self.present:
            assert client.heard == client.expected

    @invariant()
    def the_room_knows_who_is_there(self) -> None:
        by_name: dict[bytes, list[Participant]] = {}
        for client in self.present:
            by_name.setdefault(client.participant.key, []).append(client.participant)
        assert {user.key: user.participants for user in self.room.people} == by_name
        for address in PEOPLE.values():
            key = comparable(address.uri.encode())
            assert (key in self.room.people) == (key in by_name)

    def next_content(self) -> bytes:
        self.count += 1
        return f"message {self.count}".encode()

    def from_of(self, client: Client, own: str) -> str | None:
        uri = client.participant.address.uri
        return {
            "exact": client.participant.address.render(),
            "bare": f"<{uri}>",
            "odd": f'"Somebody Else" <{uri};transport=tcp>',
            "none": None,
        }[own]

    def check_body(
        self, client: Client, body: bytes, content: bytes, stamped: bool, extra: bool
    ) -> None:
        message = CpimMessage.parse(body)
        # Whatever name the sender gave, the room says how it knows him.
        assert message.from_ == client.participant.address
        assert message.content == content
        assert message.date_time == (STAMP if stamped else NOW.decode())
        found = message.header("Message-ID", "urn:ietf:params:imdn")
        assert found == ("x" if extra else None)

    def deliver(
        self, content: bytes, delivery: Delivery, expected: list[Client], sender: Client
    ) -> None:
        for one in expected:
            one.expected.append(content)
        got = delivery.recipients
        for one in self.present:
            if one is not sender and (got is None or one.participant in got):
                one.heard.append(CpimMessage.parse(delivery.body).content)
        assert got is None or len(got) == len(set(map(id, got)))
        assert got is None or sender.participant not in got


TestRoom = RoomMachine.TestCase
TestRoom.settings = settings(max_examples=40, stateful_step_count=30)
