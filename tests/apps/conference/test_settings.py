"""What can be said about rooms in sylk.ini: defaults for a LAN, slips of the hand, inheritance."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from sylk_conference.access import EVERYBODY, NOBODY, read_access_list
from sylk_conference.dial_out_settings import DialOutSettings
from sylk_conference.settings import ConferenceSettings, RoomSettings

from sylk.application import Application
from sylk.application_config import read_applications
from sylk.config import parse_config
from sylk.errors import ConfigError
from sylk.routing import RoutingTable
from sylk.settings import AddressSettings, settings_of

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "rooms.md").read_text(encoding="utf-8")


class Rooms(Application):
    """An application with the settings of rooms."""

    name = "conference"
    settings_class = ConferenceSettings
    address_settings_class = RoomSettings


def rooms(text: str) -> AddressSettings[RoomSettings]:
    types: dict[str, type[Application]] = {"conference": Rooms}
    routing = RoutingTable("conference", {}, types)
    sections = read_applications(parse_config(text, "sylk.ini"), types, (), routing)["conference"]
    return sections.address_settings(sections.settings)


def test_a_room_on_a_lan_needs_none_of_them() -> None:
    room = rooms("").of("lobby@192.0.2.1")
    assert room == RoomSettings()
    assert (room.allow, room.deny, room.moderators) == (EVERYBODY, NOBODY, NOBODY)
    # Nobody has proven who he is, so nobody may harm others.
    assert room.remove == "moderators"
    assert (room.invite, room.whisper, room.nicknames) == ("participants", "all", True)
    assert room.message_rate * 60 >= 1000


def test_a_room_takes_what_it_does_not_say_from_all_rooms() -> None:
    settings = rooms(
        "[Conference]\nmax_participants = 50\nmoderators = boss@example.com\n"
        "[team@example.com]\naccess_policy = deny,allow\nallow = example.com\ndeny = all\n"
        "max_message_size = 1M\nhistory_age = 7d\ncontent_types = text/plain, IMAGE/*\n"
    )
    team, other = settings.of("team@EXAMPLE.com"), settings.of("lobby@example.com")
    assert team.access_policy == "deny, allow"
    assert team.allow == read_access_list("example.com")
    assert team.deny == EVERYBODY
    assert (team.max_message_size, team.history_age) == (1024**2, 7 * 86_400)
    assert team.content_types == ("text/plain", "image/*")
    assert team.max_participants == other.max_participants == 50
    assert team.moderators == other.moderators == read_access_list("boss@example.com")
    assert other.allow == EVERYBODY


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("access_policy = allow", "must be `allow, deny` or `deny, allow`, not 'allow'"),
        ("allow = alice", "has 'alice': write alice@example.com for a person, @alice for a domain"),
        ("moderator = all", "there is no such setting; did you mean moderators?"),
        ("invite = everybody", "must be one of all, participants, moderators, none"),
        ("whisper = participants", "must be one of all, moderators, none"),
        ("content_types = text", "must be media types such as text/\\* or image/png, not 'text'"),
        ("content_types = text/*/x", "must be media types"),
        ("content_types = ,", "must name at least one media type"),
        ("history_size = 20", "holds for all addresses: set it in \\[Conference\\]"),
        ("history_age = long", "must be a time such as 90s, 30m, 12h or 7d"),
        ("max_rooms = 5", "holds for all addresses: set it in \\[Conference\\]"),
    ],
)
def test_a_slip_of_the_hand_is_told_with_its_place(line: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=rf"sylk\.ini:2: \[lobby@a\] \w+: {hint}"):
        rooms(f"[lobby@a]\n{line}\n")


def test_where_other_servers_count_messages_by_this_name() -> None:
    with pytest.raises(ConfigError, match="history_size: must be at least 1M, not 20"):
        rooms("[Conference]\nhistory_size = 20\n")


def test_all_that_a_room_can_say_is_taken_up_while_the_server_runs() -> None:
    assert [one.name for one in settings_of(RoomSettings) if one.facts.restart] == []
    # What is of all rooms together may wait for a restart.
    waiting = [one.name for one in settings_of(ConferenceSettings) if one.facts.restart]
    assert waiting == [
        *(one.name for one in settings_of(DialOutSettings)),
        "factory",
        "history_size",
    ]


def test_every_default_can_be_written_and_read() -> None:
    for one in settings_of(ConferenceSettings):
        assert one.read(one.default_text) == one.default, one.name
    assert len(fields(ConferenceSettings)) > len(fields(RoomSettings))


# The page for who runs the server


@pytest.mark.parametrize("example", re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_of_the_page_is_taken(example: str) -> None:
    assert rooms(example).own or "[Conference]" in example


def test_the_page_speaks_of_every_setting() -> None:
    for one in settings_of(ConferenceSettings):
        assert f"`{one.name}" in PAGE or f"\n{one.name} =" in PAGE, one.name
