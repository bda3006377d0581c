"""Tests of sylk.payload.conference_changes: RFC 4575 4.3 to 4.6, and there and back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from sylk.payload.conference_changes import Outcome, difference, merge
from sylk.payload.conference_info import (
    ConferenceDescription,
    ConferenceInfo,
    ConferenceState,
    Endpoint,
    EndpointStatus,
    Execution,
    HostInfo,
    Media,
    State,
    UriEntry,
    User,
)
from tests.payload.conferences import documents, keyed_documents
from tests.payload.documents import assert_valid

PHONE = Endpoint("sip:alice@phone", status=EndpointStatus.CONNECTED, media=(Media("1", "message"),))
LAPTOP = Endpoint("sip:alice@laptop", "Laptop", joining_info=Execution(reason="x"))
ALICE = User("sip:alice@x", "Alice", "Ali", (), ("participant",), (PHONE, LAPTOP))
BOB = User("sip:bob@x", "Bob")
HELD = ConferenceInfo(
    "sip:room@x",
    5,
    ConferenceDescription("Room"),
    HostInfo("Host"),
    ConferenceState(2),
    (ALICE, BOB),
)


def partial(*users: User, version: int | None = 6, **parts: object) -> ConferenceInfo:
    info = ConferenceInfo(
        "sip:room@x", version, users=users, state=State.PARTIAL, users_state=State.PARTIAL
    )
    return replace(info, **parts)


def merged(received: ConferenceInfo) -> ConferenceInfo:
    merge_ = merge(HELD, received)
    assert merge_.outcome is Outcome.MERGED
    assert merge_.info is not None
    assert merge_.info.version == received.version
    return merge_.info


@pytest.mark.parametrize(
    ("held", "received", "outcome"),
    [
        (None, HELD, Outcome.MERGED),
        (None, replace(HELD, version=None), Outcome.MERGED),
        (None, partial(), Outcome.GAP),
        (None, replace(partial(), state=State.DELETED), Outcome.ENDED),
        (HELD, HELD, Outcome.OLD),
        (HELD, replace(HELD, version=4), Outcome.OLD),
        (HELD, replace(HELD, version=9), Outcome.MERGED),
        (HELD, replace(HELD, version=None), Outcome.MERGED),
        (HELD, partial(version=4), Outcome.OLD),
        (HELD, partial(version=5), Outcome.OLD),
        (HELD, partial(version=6), Outcome.MERGED),
        (HELD, partial(version=7), Outcome.GAP),
        (HELD, partial(version=None), Outcome.GAP),
        (replace(HELD, version=None), partial(version=1), Outcome.GAP),
        (HELD, replace(partial(version=5), state=State.DELETED), Outcome.OLD),
        (HELD, replace(partial(version=6), state=State.DELETED), Outcome.ENDED),
    ],
)
def test_versions(held: ConferenceInfo | None, received: ConferenceInfo, outcome: Outcome) -> None:
    merge_ = merge(held, received)
    assert merge_.outcome is outcome
    kept = {Outcome.OLD: held, Outcome.GAP: held, Outcome.ENDED: None}
    assert outcome is Outcome.MERGED or merge_.info is kept[outcome]


def test_atomic_parts_are_replaced_as_a_whole() -> None:
    info = merged(partial(conference_state=ConferenceState(locked=True)))
    assert info == replace(HELD, version=6, conference_state=ConferenceState(locked=True))
    info = merged(partial(description=ConferenceDescription(subject="x"), host_info=HostInfo()))
    assert info.description == ConferenceDescription(subject="x")
    assert info.host_info == HostInfo()


def test_users_come_change_and_go() -> None:
    carol = User("sip:carol@x", state=State.PARTIAL)
    gone = User("sip:bob@x", state=State.DELETED)
    nobody = User("sip:nobody@x", state=State.DELETED)
    assert merged(partial(carol, gone, nobody)).users == (
        ALICE,
        User("sip:carol@x"),
    )
    assert merged(partial(User("sip:alice@x", "A"))).users == (User("sip:alice@x", "A"), BOB)
    changed = User("sip:alice@x", "A", state=State.PARTIAL)
    assert merged(partial(changed)).users == (replace(ALICE, display_text="A"), BOB)
    entry = UriEntry("sip:a@x")
    changed = User("sip:alice@x", None, "N", (entry,), ("x",), state=State.PARTIAL)
    expected = replace(ALICE, nickname="N", associated_aors=(entry,), roles=("x",))
    assert merged(partial(changed)).users == (expected, BOB)


def test_all_users_at_once() -> None:
    assert merged(replace(partial(BOB), users_state=State.FULL)).users == (BOB,)
    assert merged(replace(partial(), users_state=State.DELETED)).users == ()
    gone = replace(ALICE, state=State.DELETED)
    assert merged(replace(HELD, version=6, users=(gone, BOB))).users == (BOB,)


def test_endpoints_come_change_and_go() -> None:
    def endpoints(*told: Endpoint) -> tuple[Endpoint, ...]:
        user = User("sip:alice@x", endpoints=told, state=State.PARTIAL)
        return merged(partial(user)).users[0].endpoints

    tablet = Endpoint("sip:alice@tablet", state=State.PARTIAL)
    gone = Endpoint("sip:alice@laptop", state=State.DELETED)
    assert endpoints(tablet, gone) == (PHONE, Endpoint("sip:alice@tablet"))
    assert endpoints(Endpoint("sip:alice@phone")) == (Endpoint("sip:alice@phone"), LAPTOP)
    held = Endpoint(
        "sip:alice@phone",
        status=EndpointStatus.ON_HOLD,
        media=(Media("2", "audio"),),
        state=State.PARTIAL,
    )
    assert endpoints(held)[0] == Endpoint(
        "sip:alice@phone",
        status=EndpointStatus.ON_HOLD,
        media=(Media("1", "message"), Media("2", "audio")),
    )


def test_a_user_who_is_told_in_part_is_held_in_full() -> None:
    user = User(
        "sip:carol@x",
        endpoints=(Endpoint("a", state=State.PARTIAL), Endpoint("b", state=State.DELETED)),
        state=State.PARTIAL,
    )
    assert merged(partial(user)).users[-1] == User("sip:carol@x", endpoints=(Endpoint("a"),))


def test_only_what_changed_is_told() -> None:
    new = replace(HELD, version=6, users=(replace(ALICE, display_text="A"), BOB))
    assert difference(HELD, new) == partial(User("sip:alice@x", "A", state=State.PARTIAL))
    new = replace(HELD, version=6, users=(BOB,), conference_state=ConferenceState(1))
    gone = User("sip:alice@x", state=State.DELETED)
    assert difference(HELD, new) == partial(gone, conference_state=ConferenceState(1))
    on_hold = replace(PHONE, status=EndpointStatus.ON_HOLD)
    new = replace(HELD, version=6, users=(replace(ALICE, endpoints=(on_hold,)), BOB))
    endpoints = (Endpoint("sip:alice@laptop", state=State.DELETED), on_hold)
    told = User("sip:alice@x", endpoints=endpoints, state=State.PARTIAL)
    assert difference(HELD, new) == partial(told)
    assert difference(HELD, replace(HELD, version=6)) == partial()


@pytest.mark.parametrize("field", ["display_text", "nickname", "roles"])
def test_what_went_from_a_user_makes_the_user_anew(field: str) -> None:
    lost = User.__dataclass_fields__[field].default
    alice = replace(ALICE, **{field: lost})
    assert difference(HELD, replace(HELD, version=6, users=(alice, BOB))) == partial(alice)


@pytest.mark.parametrize("field", ["description", "host_info", "conference_state"])
def test_what_went_from_the_conference_makes_all_anew(field: str) -> None:
    new = replace(HELD, version=6, **{field: None})
    assert difference(HELD, new) is new


def test_what_has_no_key_is_told_in_full() -> None:
    new = replace(HELD, version=6, users=(BOB, BOB))
    assert difference(HELD, new) is new
    alice = replace(ALICE, endpoints=(PHONE, PHONE))
    assert difference(HELD, replace(HELD, version=6, users=(alice, BOB))) == partial(alice)


def by_entity(info: ConferenceInfo | None) -> ConferenceInfo:
    """Return a document in an order of its own: that of users and endpoints means nothing."""
    assert info is not None
    users = [
        replace(user, endpoints=tuple(sorted(user.endpoints, key=lambda each: each.entity)))
        for user in info.users
    ]
    return replace(info, users=tuple(sorted(users, key=lambda user: user.entity)))


@settings(max_examples=50)  # two documents take long to draw
@given(keyed_documents(), keyed_documents())
def test_a_difference_makes_the_new_of_the_old(old: ConferenceInfo, new: ConferenceInfo) -> None:
    old, new = replace(old, version=5), replace(new, version=6)
    told = difference(old, new)
    assert_valid(told.render(), "conference-info.xsd")
    received = ConferenceInfo.parse(told.render())
    assert received == told
    merge_ = merge(old, received)
    assert merge_.outcome is Outcome.MERGED
    assert by_entity(merge_.info) == by_entity(new)


@settings(max_examples=25)  # two documents take long to draw
@given(documents(), documents())
def test_any_two_documents_can_be_compared(old: ConferenceInfo, new: ConferenceInfo) -> None:
    assert_valid(difference(old, new).render(), "conference-info.xsd")
    assert merge(old, difference(old, new)).outcome in Outcome
