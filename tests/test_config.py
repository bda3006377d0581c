"""Reading `sylk.ini`: the rules of the file, errors with their place, and the sample."""

from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.config import (
    SERVER_SECTIONS,
    RawConfig,
    find_config,
    parse_config,
    read_config,
    render_sample,
    sample,
)
from sylk.errors import ConfigError
from sylk.sections import ServerSettings, SipSettings
from sylk.settings import Seconds, setting

SAMPLE = Path(__file__).parent.parent / "sylk.ini.sample"


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    title: str = setting("", "What the room is called.")
    hosts: tuple[str, ...] = setting((), "Who may do what others may not.", restart=False)
    names: Mapping[str, str] = setting({}, "Names by address.")
    pause: Seconds = setting(5, "How long to wait.", unit="seconds", minimum=1)


def room(text: str) -> RoomSettings:
    return parse_config(text).section(RoomSettings, "Room")


def error_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "sylk.ini").section(RoomSettings, "Room")
    return str(caught.value)


def test_no_file_gives_the_defaults() -> None:
    assert read_config(None).section(ServerSettings, "Server") == ServerSettings()


def test_a_value_replaces_its_default_alone() -> None:
    settings = parse_config("[SIP]\nlocal_udp_port = none\n").section(SipSettings, "SIP")
    assert settings == SipSettings(local_udp_port=None)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("[Room]\ntitle = Lobby", "Lobby"),
        ("[Room]\r\ntitle = Lobby\r\n", "Lobby"),
        ("[Room]\ntitle=Lobby", "Lobby"),
        ("[Room]\ntitle: Lobby", "Lobby"),
        ("[Room]\nTITLE = Lobby", "Lobby"),
        ("[ Room ]  ; the room\n  title = Lobby  # the name", "Lobby"),
        ("# first\n; second\n[Room]\n\ntitle = Lobby", "Lobby"),
        ("[Room]\ntitle = a;b#c", "a;b#c"),
        ("[Room]\ntitle = a = b : c", "a = b : c"),
        ("[Room]\ntitle = The\n  big\n  ; not this\n\tlobby", "The big lobby"),
        ("[Room]\ntitle =\n  Lobby", "Lobby"),
        ("[Room]\ntitle = ; nothing", ""),
        ("[Room]\ntitle = a\x0cb\x85c", "a\x0cb\x85c"),
        ("[Room]\ntitle = Grüße", "Grüße"),
    ],
)
def test_the_rules_of_the_file(text: str, title: str) -> None:
    assert room(text).title == title


def test_a_list_may_take_several_lines() -> None:
    assert room("[Room]\nhosts = alice,\n        bob\npause = 2").hosts == ("alice", "bob")


def test_an_indented_setting_after_a_blank_line_is_a_setting() -> None:
    assert room("[Room]\n  title = a\n\n    pause = 2").pause == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[Room]\n\npause = soon",
            "sylk.ini:3: [Room] pause: must be a number of seconds such as 30 or 0.5, not 'soon'",
        ),
        ("[Room]\npause = 0", "sylk.ini:2: [Room] pause: must be at least 1, not 0"),
        (
            "[Room]\nhost = alice",
            "sylk.ini:2: [Room] host: there is no such setting; did you mean hosts?",
        ),
        ("[Room]\nxyz = 1", "sylk.ini:2: [Room] xyz: there is no such setting"),
        (
            "[Room]\ntitle = a\nTitle = b",
            "sylk.ini:3: [Room]: title was set on line 2 already: keep one of the two",
        ),
        (
            "[Room]\ntitle = a\n[Other]\n[Room]",
            "sylk.ini:4: [Room]: this section began on line 1 already: join the two",
        ),
        ("title = a\n[Room]", "sylk.ini:1: 'title' stands before the first [section]"),
        ("[Room]\ntitle", "sylk.ini:2: [Room]: 'title' is neither [section] nor key = value"),
        ("[Room\n", "sylk.ini:1: '[Room' is neither [section] nor key = value"),
        ("[Room]\n= 5", "sylk.ini:2: [Room]: '= 5' is neither [section] nor key = value"),
    ],
)
def test_an_error_names_its_place_and_what_would_be_right(text: str, message: str) -> None:
    assert error_of(text) == message


def test_the_first_error_of_the_file_is_raised() -> None:
    assert error_of("[Room]\npause = 0\ntitel = a\n").startswith("sylk.ini:2:")


def test_all_errors_come_by_line() -> None:
    config = parse_config("[Sipp]\n[Room]\ntitel = a\npause = 0\nnonsense\n", "sylk.ini")
    errors = config.all_errors({"SIP": SipSettings, "Room": RoomSettings})
    assert [error.line for error in errors] == [1, 3, 4, 5]
    assert str(errors[0]) == "sylk.ini:1: [Sipp]: there is no such section; did you mean SIP?"


@dataclass(frozen=True, kw_only=True)
class HouseSettings(RoomSettings):
    rooms: int = setting(5, "How many rooms there are.")


def test_what_one_section_sets_is_told_alone() -> None:
    config = parse_config("[Room]\npause = 2\ntitle = a\n")
    assert config.values(RoomSettings, "Room") == {"pause": 2, "title": "a"}
    assert config.values(RoomSettings, "Other") == {}


def test_what_belongs_to_the_general_section_is_not_set_elsewhere() -> None:
    config = parse_config("[a@b]\nrooms = 2\n", "sylk.ini")
    with pytest.raises(ConfigError) as caught:
        config.values(RoomSettings, "a@b", ("House", HouseSettings))
    message = "sylk.ini:2: [a@b] rooms: holds for all addresses: set it in [House]"
    assert str(caught.value) == message


def test_sections_that_nobody_knows_are_refused() -> None:
    config = parse_config("[Room]\n[Rom]\n")
    config.check_unused(["Room", "Rom"])
    with pytest.raises(ConfigError, match="did you mean Room"):
        config.check_unused(["Room"])


def test_a_value_that_cannot_be_used_is_found_again() -> None:
    config = parse_config("[Room]\ntitle = a\n", "sylk.ini")
    assert str(config.error("Room", "title", "is taken")) == "sylk.ini:2: [Room] title: is taken"
    assert config.error("Room", "pause", "is short").line is None
    assert RawConfig().error("Room", "title", "is taken").file is None


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        find_config(str(tmp_path / "absent.ini"))
    with pytest.raises(ConfigError, match="there is no such file"):
        find_config(str(tmp_path))


def test_a_named_file_is_found_and_read(tmp_path: Path) -> None:
    path = tmp_path / "named.ini"
    path.write_bytes(b"\xef\xbb\xbf[Room]\r\ntitle = Gr\xc3\xbc\xc3\x9fe\r\n")
    assert find_config(str(path)) == path
    assert read_config(path).section(RoomSettings, "Room").title == "Grüße"


def test_the_folder_of_the_start_is_searched(tmp_path: Path) -> None:
    (tmp_path / "sylk.ini").touch()
    with chdir(tmp_path):
        assert find_config(None) == Path("sylk.ini")


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.ini"
    path.write_bytes(b"[Room]\ntitle = Gr\xfc\xdfe\n")
    with pytest.raises(ConfigError, match=r"latin\.ini:2: is not text in UTF-8"):
        read_config(path)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_config(tmp_path)


@given(st.text("[]=:;#\n \tabR\r\0é", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    config = parse_config(text)
    errors = config.all_errors({"R": RoomSettings})
    assert all(error.line is not None for error in errors)


def test_the_sample_shows_meaning_unit_and_default() -> None:
    text = render_sample({"Room": RoomSettings})
    assert "\n[Room]\n; What the room is called.\n;title =\n\n" in text
    assert "; How long to wait. (seconds, at least 1)\n;pause = 5\n" in text
    assert "; Who may do what others may not. (reload)\n;hosts =\n" in text


def test_the_sample_shows_what_the_section_of_an_address_may_set() -> None:
    text = render_sample({"Room": RoomSettings, "Other": RoomSettings}, {"Room": RoomSettings})
    (start,) = [at for at in range(len(text)) if text.startswith(";[lobby@example.com]\n", at)]
    comment = " ".join(text[:start].rpartition("\n\n")[2].replace("\n; ", " ").split())
    assert comment.endswith("is as in [Room]. It may set: title, hosts, names, pause.")
    assert start < text.index("[Other]")


def test_the_sample_says_what_is_not_there_yet() -> None:
    @dataclass
    class Later:
        moon: bool = setting(False, "Whether it shines.", not_yet="it is not in this version yet")

    text = " ".join(render_sample({"Later": Later}).replace("\n; ", " ").split())
    assert "It is not in this version yet." in text


def test_the_sample_with_its_defaults_uncommented_changes_nothing() -> None:
    lines = render_sample(SERVER_SECTIONS).split("\n")
    config = parse_config("\n".join(line.removeprefix(";") for line in lines if line[:2] != "; "))
    assert config.all_errors(SERVER_SECTIONS) == []
    for name, section in SERVER_SECTIONS.items():
        assert config.section(section, name) == section()


def test_the_sample_file_is_that_of_the_settings() -> None:
    assert SAMPLE.read_text() == sample(), "run `make sample`"
