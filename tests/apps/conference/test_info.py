"""The documents that a room makes of itself: valid at every step, and each version the next one."""

from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sylk_conference.content import Refusal
from sylk_conference.info import MAX_DEPARTED, RoomInfo
from sylk_conference.people import Arrival, Participant
from sylk_conference.policy import RoomPolicy
from sylk_conference.room import Room
from sylk_conference.settings import RoomSettings

from sylk.errors import RemoteProtocolError
from sylk.payload.conference_changes import Outcome, merge
from sylk.payload.conference_info import (
    ConferenceInfo,
    DisconnectionMethod,
    EndpointStatus,
    Execution,
    JoiningMethod,
    MediaStatus,
)
from sylk.payload.cpim import Address
from tests.payload.documents import assert_valid

ROOM = Address("sip:lobby@example.com", "Conference Room")
NOW = datetime(2026, 11, 21, 7, 35, 47, tzinfo=UTC)
GONE = Execution(NOW, "the line was cut")


def make() -> tuple[Room, RoomInfo]:
    settings = RoomSettings(subject="Tea <at> five", max_participants=10)
    room = Room(ROOM, RoomPolicy(settings))
    return room, RoomInfo(room)


def read(info: RoomInfo, version: int = 1) -> ConferenceInfo:
    body, _ = info.render(version)
    assert_valid(body, "conference-info.xsd")
    return ConferenceInfo.parse(body)


def test_an_empty_room_says_what_it_is() -> None:
    _, info = make()
    document = read(info)
    assert document.entity == ROOM.uri
    assert document.users == ()
    assert document.description is not None
    assert document.description.subject == "Tea <at> five"
    assert document.description.maximum_user_count == 10
    assert [entry.uri for entry in document.description.conf_uris] == [ROOM.uri]
    assert document.conference_state is not None
    assert (document.conference_state.user_count, document.conference_state.active) == (0, False)


def test_everything_that_is_known_of_somebody_is_told() -> None:
    room, info = make()
    arrival = Arrival(NOW, "dialed-out", "sip:x@192.0.2.1:5062", "sip:bob@example.com")
    alice = room.join(Address("sip:alice@example.com", "Alice"), arrival=arrival)
    room.rename(alice, "Ali")
    info.changed(alice.user)
    (user,) = read(info).users
    assert (user.entity, user.display_text, user.nickname) == (
        "sip:alice@example.com",
        "Ali",
        "Ali",
    )
    assert user.roles == ("participant",)
    (endpoint,) = user.endpoints
    assert endpoint.entity == "sip:x@192.0.2.1:5062"
    assert endpoint.status is EndpointStatus.CONNECTED
    assert endpoint.joining_method is JoiningMethod.DIALED_OUT
    assert endpoint.joining_info is not None
    assert endpoint.joining_info.when == NOW
    assert endpoint.referred is not None
    assert endpoint.referred.by == "sip:bob@example.com"
    (media,) = endpoint.media
    assert (media.type, media.label, media.status) == ("message", "chat", MediaStatus.SENDRECV)


def test_changes_are_told_to_those_who_want_them_alone() -> None:
    room, info = make()
    room.join(Address("sip:alice@example.com"))
    info.render(1, changes=False)
    room.join(Address("sip:bob@example.com"))
    # What was not kept cannot be compared with.
    assert info.render(2)[1] == b""
    room.join(Address("sip:carol@example.com"))
    assert b"sip:carol@" in info.render(3)[1]
    assert info.render(4, changes=False)[1] == b""


def test_hold_and_silence_are_shown() -> None:
    room, info = make()
    alice = room.join(Address("sip:alice@example.com"))
    alice.direction = "inactive"
    info.changed(alice.user)
    (endpoint,) = read(info).users[0].endpoints
    assert endpoint.status is EndpointStatus.ON_HOLD
    assert endpoint.media[0].status is MediaStatus.INACTIVE
    alice.direction, alice.is_muted = "sendrecv", True
    info.changed(alice.user)
    assert read(info, 2).users[0].endpoints[0].status is EndpointStatus.MUTED_VIA_FOCUS


def test_two_clients_are_one_person_and_two_endpoints_even_behind_one_contact() -> None:
    room, info = make()
    for _ in range(2):
        room.join(Address("sip:alice@example.com"), arrival=Arrival(contact="sip:a@192.0.2.1"))
    (user,) = read(info).users
    assert [one.entity for one in user.endpoints] == [
        "sip:a@192.0.2.1",
        "sip:a@192.0.2.1;session=2",
    ]


def test_a_client_that_has_gone_is_shown_beside_the_one_that_is_left() -> None:
    room, info = make()
    first, second = (room.join(Address("sip:alice@example.com")) for _ in range(2))
    room.leave(first)
    info.departed(first, DisconnectionMethod.FAILED, GONE)
    (user,) = read(info).users
    here, gone = user.endpoints
    assert here.status is EndpointStatus.CONNECTED
    assert gone.status is EndpointStatus.DISCONNECTED
    assert gone.disconnection_method is DisconnectionMethod.FAILED
    assert gone.disconnection_info == GONE
    for _ in range(2 * MAX_DEPARTED):
        more = room.join(Address("sip:alice@example.com"))
        room.leave(more)
        info.departed(more, DisconnectionMethod.DEPARTED, GONE)
    assert len(read(info, 2).users[0].endpoints) == 1 + MAX_DEPARTED
    # With the last one he is gone, and comes back as somebody new.
    room.leave(second)
    info.departed(second, DisconnectionMethod.DEPARTED, GONE)
    assert read(info, 3).users == ()
    again = room.join(Address("sip:alice@example.com"))
    info.changed(again.user)
    assert len(read(info, 4).users[0].endpoints) == 1


class InfoMachine(RuleBasedStateMachine):
    """Whatever happens in a room: who merges the changes holds what a full document says."""

    people: Bundle[Participant] = Bundle("people")

    def __init__(self) -> None:
        super().__init__()
        self.room, self.info = make()
        self.version = 0
        self.held: ConferenceInfo | None = None

    @rule(target=people, name=st.sampled_from(["alice", "bob", "carol"]))
    def join(self, name: str) -> Participant:
        arrival = Arrival(NOW, contact=f"sip:{name}@192.0.2.1:5060")
        participant = self.room.join(Address(f"sip:{name}@example.com"), arrival=arrival)
        self.info.changed(participant.user)
        return participant

    @rule(participant=consumes(people), how=st.sampled_from(DisconnectionMethod))
    def leave(self, participant: Participant, how: DisconnectionMethod) -> None:
        self.room.leave(participant)
        self.info.departed(participant, how, GONE)

    @rule(participant=people, name=st.sampled_from(["", "Ali", "<b>&"]))
    def rename(self, participant: Participant, name: str) -> None:
        with suppress(Refusal, RemoteProtocolError):
            self.room.rename(participant, name)
        self.info.changed(participant.user)

    @rule(participant=people, direction=st.sampled_from(["sendrecv", "sendonly", "inactive"]))
    def hold(self, participant: Participant, direction: str) -> None:
        participant.direction = direction
        self.info.changed(participant.user)

    @rule(subject=st.sampled_from(["", "x"]), locked=st.booleans())
    def say(self, subject: str, locked: bool) -> None:
        self.room.policy.change_subject(subject)
        self.room.policy.is_locked = locked

    @invariant()
    def the_changes_add_up(self) -> None:
        self.version += 1
        full, change = self.info.render(self.version)
        assert_valid(full, "conference-info.xsd")
        whole = ConferenceInfo.parse(full)
        if self.held is None:
            assert change == b""
            self.held = whole
        else:
            assert_valid(change, "conference-info.xsd")
            merged = merge(self.held, ConferenceInfo.parse(change))
            assert merged.outcome is Outcome.MERGED
            assert merged.info is not None
            self.held = merged.info
        assert set(self.held.users) == set(whole.users)
        assert self.held.description == whole.description
        assert self.held.conference_state == whole.conference_state
        listed = {user.entity: len(user.endpoints) for user in whole.users}
        assert set(listed) == {user.address.uri for user in self.room.people}


TestInfo = InfoMachine.TestCase
TestInfo.settings = settings(max_examples=40, stateful_step_count=25)
