"""What an operator can say about rooms: the [Conference] section, and those of single rooms.

`[Conference]` holds for every room. A section named by the address of a room, such as
`[lobby@example.com]`, may set what `RoomSettings` has, for that room alone; what it leaves out is
as in `[Conference]`. Nothing needs to be set: without any of it everybody may make a room by
calling it, and nobody there has more rights than the others.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from sylk.settings import Bytes, Duration, Seconds, SettingType, setting
from sylk_conference.access import EVERYBODY, NOBODY, AccessOrder, People
from sylk_conference.dial_out_settings import DialOutSettings

_PATTERN = re.compile(r"\*|[A-Za-z0-9!#$&^_.+-]+/(?:\*|[A-Za-z0-9!#$&^_.+-]+)", re.ASCII)


def _read_types(text: str) -> tuple[str, ...]:
    patterns = tuple(item.lower() for item in (part.strip() for part in text.split(",")) if item)
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"must be media types such as text/* or image/png, not {pattern!r}")
    if not patterns:
        raise ValueError("must name at least one media type, such as text/plain")
    return patterns


ContentTypes = Annotated[tuple[str, ...], SettingType(_read_types, ", ".join)]


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    """What an operator can say about one room."""

    # What it is

    subject: str = setting(
        "", "What the room is about, until a moderator says otherwise.", restart=False
    )
    description: str = setting(
        "", "The name of the room that people are shown; empty shows its address.", restart=False
    )
    permanent: bool = setting(
        False,
        "Whether the room is open while nobody is in it, from the start of the server on: it can "
        "be subscribed to then. In [Conference] it holds for rooms with a section of their own.",
        restart=False,
    )
    hidden: bool = setting(
        False, "Whether the room is left out where rooms are announced.", restart=False
    )
    max_participants: int = setting(
        1000,
        "The most participants in the room. Over it a new one is refused with 486.",
        unit="participants",
        minimum=1,
        restart=False,
    )

    # Who may come

    access_policy: AccessOrder = setting(
        "allow, deny",
        "How allow and deny go together. `allow, deny` takes those who are in allow and not in "
        "deny; `deny, allow` takes all but those who are in deny and not in allow. Others are "
        "refused with 403.",
        restart=False,
    )
    allow: People = setting(
        EVERYBODY,
        "Whom access_policy lets in: all, none, or a list of people (alice@example.com), domains "
        "(example.com), and addresses and networks that they come from (10.0.0.0/8). Without "
        "authenticate in [SIP] people are who they say they are.",
        restart=False,
    )
    deny: People = setting(
        NOBODY, "Whom access_policy keeps out, in the same words as allow.", restart=False
    )
    who_may_subscribe: Literal["all", "participants"] = setting(
        "all",
        "Who may see who is in the room without being there: all those who might come in, or only "
        "participants. Others are refused with 403.",
        restart=False,
    )

    # Who may do what

    moderators: People = setting(
        NOBODY,
        "Who may mute and ban others, lock the room, and give it a subject, in the same words as "
        "allow. They come in whatever access_policy says. With none, nobody can.",
        restart=False,
    )
    invite: Literal["all", "participants", "moderators", "none"] = setting(
        "participants",
        "Who may have the room call others (REFER). Whom it calls need not be in allow. Others are "
        "refused with 403.",
        restart=False,
    )
    remove: Literal["all", "participants", "moderators", "none"] = setting(
        "moderators",
        "Who may put others out (REFER with BYE); all are those who might come in. Nobody is asked "
        "who he is unless authenticate is on, so that by default only those may who are named. "
        "Everybody may put out his own clients.",
        restart=False,
    )
    whisper: Literal["all", "moderators", "none"] = setting(
        "all",
        "Who may send a message to one participant alone. With moderators, others may whisper to "
        "moderators. Others are refused with 403.",
        restart=False,
    )
    nicknames: bool = setting(
        True, "Whether people may choose how the others see them called.", restart=False
    )
    ban_time: Duration = setting(
        3600,
        "How long a ban or a mute lasts when the moderator does not say.",
        minimum=1,
        restart=False,
    )

    # What may be said

    content_types: ContentTypes = setting(
        ("*",),
        "What messages may hold: media types, with * for any. Another is refused with 413, and one "
        "that no client here takes with 415.",
        restart=False,
    )
    max_message_size: Bytes | None = setting(
        None,
        "The largest message in the room, all its chunks together. A larger one is refused with "
        "413. none leaves it at max_stream_size of [MSRP].",
        unit="bytes",
        minimum=1024,
        restart=False,
    )
    message_rate: int = setting(
        100,
        "How many messages a second one participant may send for long. What is over it is read "
        "later, and none is lost. 0 sets no limit.",
        unit="messages a second",
        minimum=0,
        restart=False,
    )
    message_burst: int = setting(
        1000,
        "How many messages one participant who was silent may send at once, whatever message_rate "
        "is.",
        unit="messages",
        minimum=1,
        restart=False,
    )
    join_notices: Literal["all", "quiet"] = setting(
        "all",
        "Whether the others are told in the chat who comes and goes; quiet leaves it to the list "
        "of participants.",
        restart=False,
    )

    # What is kept

    history: bool = setting(
        True,
        "Whether messages to the whole room are kept for those who come later. Those who come in "
        "are told so.",
        restart=False,
    )
    history_age: Duration | None = setting(
        86_400.0, "How long a message is kept; none keeps it for ever.", restart=False
    )
    history_count: int = setting(
        10_000,
        "The most messages of one room that are kept. Over it the oldest goes.",
        unit="messages",
        minimum=1,
        restart=False,
    )
    history_replay: int = setting(
        20,
        "How many of the latest messages a newcomer is sent.",
        unit="messages",
        minimum=0,
        maximum=1000,
        restart=False,
    )
    history_since_left: int = setting(
        200,
        "Who was here before is sent what he has missed instead, at most so much of it; 0 treats "
        "him as a newcomer.",
        unit="messages",
        minimum=0,
        maximum=10_000,
        restart=False,
    )
    history_visible_to: Literal["all", "present", "moderators"] = setting(
        "all",
        "Who sees what is kept: all who come in; each what was said since he first came "
        "(present); or moderators alone.",
        restart=False,
    )
    missed_messages: int = setting(
        100,
        "How many messages are kept for a participant who is on hold. Over it the oldest goes.",
        unit="messages",
        minimum=0,
        maximum=10_000,
        restart=False,
    )

    # What those who subscribe are told

    partial_notifications: bool = setting(
        False,
        "Whether those who subscribe are told only what has changed in the list of participants. "
        "Deployed clients take the whole list alone.",
        restart=False,
    )
    notify_interval: Seconds = setting(
        1,
        "How often those who subscribe are told of changes, at most. RFC 4575 recommends 5.",
        unit="seconds",
        minimum=0,
        maximum=60,
        restart=False,
    )


@dataclass(frozen=True, kw_only=True)
class ConferenceSettings(RoomSettings, DialOutSettings):
    """What an operator can say about all rooms."""

    max_rooms: int = setting(
        10_000,
        "The most rooms at one time. Over it an INVITE to a new one is refused with 503.",
        unit="rooms",
        minimum=1,
        restart=False,
    )
    factory: str = setting(
        "conference-factory",
        "The user part of the address that makes a new room for each who calls it (RFC 4579 "
        "section 5.4); empty for none.",
    )
    history_size: Bytes = setting(
        1024**3,
        "How much the messages of all rooms that are kept may take on the disk. Over it the oldest "
        "go.",
        unit="bytes",
        minimum=1024**2,
    )
    success_reports: Literal["accepted", "any", "all"] = setting(
        "accepted",
        "When a sender who asks for it is told that his message was delivered: once the room has"
        " accepted it (accepted), once any other participant has it (any), or once all others have"
        " it (all). Rooms that are open keep theirs.",
        restart=False,
    )
    report_timeout: int = setting(
        30,
        "How long participants may take to tell that they have a message, where that counts. Over"
        " it the sender gets a failure report (408) that names who has not told. Rooms that are"
        " open keep theirs.",
        unit="seconds",
        minimum=1,
        restart=False,
    )
