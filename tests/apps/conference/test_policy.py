"""Who may do what in a room: each decision for each kind of person under each policy."""

from dataclasses import replace
from typing import Any

import pytest
from sylk_conference.access import read_access_list
from sylk_conference.message_rate import MessageBucket
from sylk_conference.policy import MAX_SUBJECT, Asker, Denial, RoomPolicy
from sylk_conference.sanctions import MAX_SANCTIONS
from sylk_conference.settings import RoomSettings

BOSS, ALICE, BOB, EVE = b"boss@example.com", b"alice@example.com", b"bob@b.example", b"eve@evil"
HERE, ELSEWHERE = "192.0.2.9", "198.51.100.1"
NOW = 1000.0

SETTINGS = RoomSettings(moderators=read_access_list("boss@example.com"))


def policy(**settings: Any) -> RoomPolicy:
    """Return that of a room with a boss; lists are given as they stand in the file."""
    for name in ("allow", "deny", "moderators"):
        if name in settings:
            settings[name] = read_access_list(settings[name])
    return RoomPolicy(replace(SETTINGS, **settings))


def status(denial: Denial | None) -> int | None:
    """Return the status of a denial; each has a reason."""
    if denial is None:
        return None
    assert denial.reason
    return denial.status


def outside(who: bytes, source: str = HERE) -> Asker:
    return Asker(who, source)


def inside(who: bytes, source: str = HERE) -> Asker:
    return Asker(who, source, is_here=True)


# Coming in


@pytest.mark.parametrize(
    ("allow", "deny", "who", "strict", "lenient"),
    [
        # strict is `allow, deny`, lenient is `deny, allow`
        ("all", "none", EVE, True, True),
        ("all", "all", EVE, False, True),
        ("none", "none", EVE, False, True),
        ("none", "all", EVE, False, False),
        ("all", "@evil", EVE, False, True),
        ("all", "@evil", ALICE, True, True),
        ("example.com", "none", ALICE, True, True),
        ("example.com", "none", BOB, False, True),
        ("example.com", "all", ALICE, False, True),
        ("example.com", "all", BOB, False, False),
        ("example.com", "alice@example.com", ALICE, False, True),
        ("192.0.2.0/24", "all", EVE, False, True),
        ("192.0.2.0/24", "none", EVE, True, True),
        ("198.51.100.0/24", "none", EVE, False, True),
        ("198.51.100.0/24", "all", EVE, False, False),
        ("none", "all", BOSS, True, True),
    ],
)
def test_the_lists_and_their_order(
    allow: str, deny: str, who: bytes, strict: bool, lenient: bool
) -> None:
    for order, comes_in in (("allow, deny", strict), ("deny, allow", lenient)):
        room = policy(allow=allow, deny=deny, access_policy=order)
        expected = None if comes_in else 403
        assert status(room.may_enter(outside(who), NOW, 0)) == expected, order
        assert status(room.may_subscribe(outside(who), NOW)) == expected, order


def test_a_full_room_is_full_for_everybody() -> None:
    room = policy(max_participants=2)
    for who in (ALICE, BOSS):
        assert room.may_enter(outside(who), NOW, 1) is None
        assert status(room.may_enter(outside(who), NOW, 2)) == 486
    assert status(room.has_room(2)) == 486
    # Strangers do not learn that it is full.
    assert status(policy(max_participants=2, deny="@evil").may_enter(outside(EVE), NOW, 2)) == 403


def test_into_a_locked_room_comes_who_is_there_already_and_moderators() -> None:
    room = policy()
    room.is_locked = True
    assert status(room.may_enter(outside(ALICE), NOW, 1)) == 403
    assert room.may_enter(inside(ALICE), NOW, 1) is None
    assert room.may_enter(outside(BOSS), NOW, 1) is None
    assert status(room.may_invite(inside(ALICE), BOB, NOW)) == 403
    assert room.may_invite(inside(BOSS), BOB, NOW) is None
    room.is_locked = False
    assert room.may_enter(outside(ALICE), NOW, 1) is None


# Looking on


@pytest.mark.parametrize(
    ("asker", "among_all", "among_participants"),
    [
        (outside(ALICE), None, 403),
        (inside(ALICE), None, None),
        (outside(BOSS), None, None),
        (outside(EVE), 403, 403),
        # Whom the room itself has called.
        (inside(EVE), None, None),
    ],
)
def test_who_sees_who_is_here(
    asker: Asker, among_all: int | None, among_participants: int | None
) -> None:
    for who, expected in (("all", among_all), ("participants", among_participants)):
        room = policy(deny="@evil", who_may_subscribe=who)
        assert status(room.may_subscribe(asker, NOW)) == expected, who


# Rights


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ("all", {"outsider", "participant", "moderator", "moderator outside"}),
        ("participants", {"participant", "moderator", "moderator outside"}),
        ("moderators", {"moderator", "moderator outside"}),
        ("none", set[str]()),
    ],
)
def test_who_may_invite_and_remove(setting: str, allowed: set[str]) -> None:
    room = policy(invite=setting, remove=setting, deny="@evil")
    askers = {
        "outsider": outside(ALICE),
        "participant": inside(ALICE),
        "moderator": inside(BOSS),
        "moderator outside": outside(BOSS),
        "stranger": outside(EVE),
    }
    for name, asker in askers.items():
        expected = None if name in allowed else 403
        assert status(room.may_invite(asker, BOB, NOW)) == expected, name
        assert status(room.may_remove(asker, inside(BOB), NOW)) == expected, name


def test_nobody_removes_others_where_nothing_is_set() -> None:
    room = RoomPolicy(RoomSettings())
    assert status(room.may_remove(inside(ALICE), inside(BOB), NOW)) == 403
    assert room.may_invite(inside(ALICE), BOB, NOW) is None


def test_everybody_may_put_out_his_own_clients() -> None:
    room = policy(remove="none")
    assert room.may_remove(inside(ALICE), inside(ALICE), NOW) is None
    # Who is not here has none, and may only say that he is somebody.
    assert status(room.may_remove(outside(ALICE), outside(ALICE), NOW)) == 403


def test_moderators_are_put_out_by_moderators_alone() -> None:
    room = policy(remove="all", moderators="boss@example.com, chief@example.com")
    chief = inside(b"chief@example.com")
    assert status(room.may_remove(inside(ALICE), inside(BOSS), NOW)) == 403
    assert room.may_remove(chief, inside(BOSS), NOW) is None


@pytest.mark.parametrize(
    ("asker", "is_moderator"),
    [(inside(BOSS), True), (outside(BOSS), True), (inside(ALICE), False), (outside(EVE), False)],
)
def test_who_may_moderate(asker: Asker, is_moderator: bool) -> None:
    room = policy()
    assert room.is_moderator(asker) is is_moderator
    assert status(room.may_moderate(asker)) == (None if is_moderator else 403)


def test_a_moderator_may_be_known_by_where_he_comes_from() -> None:
    room = policy(moderators="192.0.2.0/24")
    assert room.may_moderate(inside(EVE, HERE)) is None
    assert status(room.may_moderate(inside(BOSS, ELSEWHERE))) == 403


@pytest.mark.parametrize(
    ("setting", "between_others", "with_moderators"),
    [("all", None, None), ("moderators", 403, None), ("none", 403, 403)],
)
def test_who_may_whisper(
    setting: str, between_others: int | None, with_moderators: int | None
) -> None:
    room = policy(whisper=setting)
    assert status(room.may_whisper(inside(ALICE), inside(BOB))) == between_others
    assert status(room.may_whisper(inside(ALICE), inside(BOSS))) == with_moderators
    assert status(room.may_whisper(inside(BOSS), inside(ALICE))) == with_moderators
    assert room.may_whisper(inside(ALICE), inside(ALICE)) is None


@pytest.mark.parametrize(
    ("nicknames", "whisper", "features"),
    [
        (True, "all", ("nickname", "private-messages")),
        (True, "moderators", ("nickname", "private-messages")),
        (False, "all", ("private-messages",)),
        (False, "none", ()),
    ],
)
def test_what_the_room_says_that_it_has(
    nicknames: bool, whisper: str, features: tuple[str, ...]
) -> None:
    room = policy(nicknames=nicknames, whisper=whisper)
    assert room.features == features
    assert status(room.may_have_nickname()) == (None if nicknames else 403)


@pytest.mark.parametrize(
    ("visible_to", "expected"), [("all", None), ("present", None), ("moderators", 403)]
)
def test_who_sees_what_was_said_before(visible_to: str, expected: int | None) -> None:
    room = policy(history_visible_to=visible_to)
    assert status(room.may_see_history(inside(ALICE))) == expected
    assert room.may_see_history(inside(BOSS)) is None


# What moderators decide


def test_who_is_banned_has_nothing_to_do_with_the_room_until_the_ban_is_over() -> None:
    room = policy(invite="all", remove="all")
    assert room.ban(inside(EVE), NOW, 60) is None
    for then, expected in ((NOW, 403), (NOW + 59, 403), (NOW + 60, None)):
        assert status(room.may_enter(outside(EVE), then, 0)) == expected
        assert status(room.may_subscribe(outside(EVE), then)) == expected
        assert status(room.may_invite(outside(EVE), BOB, then)) == expected
        assert status(room.may_remove(outside(EVE), inside(BOB), then)) == expected
        assert status(room.may_invite(inside(ALICE), EVE, then)) == expected
    assert room.may_enter(outside(ALICE), NOW, 0) is None
    room.ban(outside(EVE), NOW)
    assert status(room.may_enter(outside(EVE), NOW + room.settings.ban_time - 1, 0)) == 403
    assert room.bans.lift(EVE)
    assert room.may_enter(outside(EVE), NOW, 0) is None


def test_who_is_muted_says_nothing_until_the_mute_is_over() -> None:
    room = policy()
    assert room.mute(inside(EVE), NOW, 60) is None
    assert status(room.may_speak(inside(EVE), NOW + 59)) == 403
    assert room.may_speak(inside(EVE), NOW + 60) is None
    assert room.may_speak(inside(ALICE), NOW) is None
    assert room.may_enter(outside(EVE), NOW, 0) is None, "he may listen"


def test_a_moderator_is_neither_banned_nor_muted() -> None:
    room = policy(moderators="none")
    room.ban(outside(BOSS), NOW)
    room.mute(outside(BOSS), NOW)
    room.reconfigure(SETTINGS)
    # Not even one who became a moderator afterwards.
    assert room.may_enter(outside(BOSS), NOW, 0) is None
    assert room.may_speak(inside(BOSS), NOW) is None
    assert status(room.ban(inside(BOSS), NOW)) == 403
    assert status(room.mute(inside(BOSS), NOW)) == 403


def test_there_are_no_more_bans_than_there_may_be() -> None:
    room = policy()
    for number in range(MAX_SANCTIONS):
        assert room.ban(outside(b"%d@evil" % number), NOW) is None
    assert status(room.ban(outside(EVE), NOW)) == 403
    assert room.mute(outside(EVE), NOW) is None


def test_a_moderator_gives_the_room_its_subject() -> None:
    room = policy(subject="tea")
    assert room.subject == "tea"
    room.change_subject("  coffee\r\n and\tcake ")
    assert room.subject == "coffee and cake"
    room.change_subject("x" * 10_000)
    assert room.subject == "x" * MAX_SUBJECT
    room.change_subject("")
    assert room.subject == ""
    room.change_subject(None)
    assert room.subject == "tea"


def test_new_settings_leave_what_moderators_have_decided() -> None:
    room = policy(subject="tea")
    room.ban(outside(EVE), NOW)
    room.mute(outside(BOB), NOW)
    room.is_locked = True
    room.change_subject("coffee")
    room.reconfigure(replace(SETTINGS, deny=read_access_list("alice@example.com"), subject="milk"))
    assert room.settings.subject == "milk"
    assert room.subject == "coffee"
    assert status(room.may_enter(inside(ALICE), NOW, 0)) == 403
    room.is_locked = False
    assert status(room.may_enter(outside(EVE), NOW, 0)) == 403
    assert status(room.may_speak(inside(BOB), NOW)) == 403


# What may be said


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/plain; charset=utf-8", None),
        ("Text/HTML", None),
        ("image/png", None),
        ("application/im-iscomposing+xml", None),
        ("message/imdn+xml", None),
        ("application/pdf", None),
        ("nonsense", None),
    ],
)
def test_which_types_are_taken(content_type: str, expected: int | None) -> None:
    assert status(policy().takes_type(content_type)) == expected
    assert policy(content_types=("*",)).takes_type(content_type) is None
    assert status(policy(content_types=("audio/*",)).takes_type(content_type)) == 413


def test_how_large_a_message_may_be() -> None:
    room = policy(max_message_size=1024)
    assert room.takes_size(1024) is None
    assert status(room.takes_size(1025)) == 413
    assert policy().takes_size(10**12) is None


def test_how_fast_one_may_talk_changes_with_the_settings() -> None:
    room, bucket = policy(message_rate=2, message_burst=4), MessageBucket()
    assert room.pace(bucket, 4, NOW) == 0
    assert room.pace(bucket, 2, NOW) == pytest.approx(1.0)
    room.reconfigure(replace(SETTINGS, message_rate=0))
    assert room.pace(bucket, 10_000, NOW) == 0


# What a REFER asks for


@pytest.mark.parametrize("is_here", [True, False])
def test_by_default_who_is_here_may_invite(is_here: bool) -> None:
    asker = Asker(b"alice@example.com", is_here=is_here)
    denial = RoomPolicy(RoomSettings()).may_invite(asker, b"bob@example.com", 0.0)
    assert (denial is None) is is_here


def test_who_is_banned_is_not_called_while_that_lasts() -> None:
    room = RoomPolicy(RoomSettings())
    room.ban(Asker(b"bob@example.com"), 0.0, 10.0)
    asker = Asker(b"alice@example.com", is_here=True)
    assert room.may_invite(asker, b"bob@example.com", 5.0) is not None
    assert room.may_invite(asker, b"bob@example.com", 15.0) is None


@pytest.mark.parametrize(
    ("target", "may"), [(b"alice@example.com", True), (b"bob@example.com", False)]
)
def test_everybody_may_put_out_himself(target: bytes, may: bool) -> None:
    asker = Asker(b"alice@example.com", is_here=True)
    denial = RoomPolicy(RoomSettings()).may_remove(asker, Asker(target), 0.0)
    assert (denial is None) is may
