"""The sections of the applications: each its own, and those of single addresses."""

from dataclasses import dataclass

import pytest

from sylk.application import Application
from sylk.application_config import ApplicationSections, read_applications
from sylk.config import parse_config
from sylk.errors import ConfigError
from sylk.routing import RoutingTable
from sylk.settings import setting


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    title: str = setting("", "What the room is called.", restart=False)
    size: int = setting(10, "How many there may be.", minimum=1, restart=False)


@dataclass(frozen=True, kw_only=True)
class HouseSettings(RoomSettings):
    rooms: int = setting(5, "How many rooms there are.")


class House(Application):
    name = "house"
    settings_class = HouseSettings
    address_settings_class = RoomSettings


class Plain(Application):
    name = "plain"


def read(
    text: str, *, routes: dict[str, str] | None = None, disabled: tuple[str, ...] = ()
) -> ApplicationSections:
    """Return what the text of a file says to the house."""
    raw = parse_config(text, "sylk.ini")
    types: dict[str, type[Application]] = {"house": House, "plain": Plain}
    routing = RoutingTable("house", routes or {"plain": "plain"}, types, disabled)
    return read_applications(raw, types, disabled, routing)["house"]


def error_of(text: str, routes: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, routes=routes)
    return str(caught.value)


def test_without_a_section_everything_has_its_default() -> None:
    house = read("")
    assert house.settings == HouseSettings()
    rooms = house.address_settings(house.settings)
    assert (rooms.default, rooms.own) == (RoomSettings(), {})


def test_what_a_section_of_an_address_leaves_out_is_as_in_that_of_the_application() -> None:
    house = read("[House]\nsize = 7\ntitle = A house\n[Lobby@Example.COM]\ntitle = The lobby\n")
    rooms = house.address_settings(house.settings)
    assert rooms.default == RoomSettings(title="A house", size=7)
    assert rooms.own == {"Lobby@example.com": RoomSettings(title="The lobby", size=7)}
    assert rooms.of("Lobby@example.com").title == "The lobby"
    assert rooms.of("lobby@example.com").title == "A house"


def test_what_is_inherited_may_change_later() -> None:
    house = read("[a@b]\ntitle = A\n")
    rooms = house.address_settings(HouseSettings(size=3, title="other"))
    assert rooms.of("a@b") == RoomSettings(title="A", size=3)


def test_a_section_may_set_nothing_and_still_be_there() -> None:
    rooms = read("[a@b]\n").address_settings(HouseSettings())
    assert rooms.own == {"a@b": RoomSettings()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[a@b]\n\ntitel = A\n",
            "sylk.ini:3: [a@b] titel: there is no such setting; did you mean title?",
        ),
        ("[a@b]\nsize = 0\n", "sylk.ini:2: [a@b] size: must be at least 1, not 0"),
        (
            "[a@b]\nrooms = 1\n",
            "sylk.ini:2: [a@b] rooms: holds for all addresses: set it in [House]",
        ),
        ("[@b]\n", "sylk.ini:1: [@b]: is no address such as lobby@example.com"),
        ("[a@]\n", "sylk.ini:1: [a@]: is no address such as lobby@example.com"),
        (
            "[a@b]\n[c@d]\n[a@B]\n",
            "sylk.ini:3: [a@B]: is the address of [a@b] on line 1 too: join the two",
        ),
        (
            "[plain@b]\n",
            "sylk.ini:1: [plain@b]: belongs to the application 'plain', as application_map and "
            "default_application say, which has no settings for single addresses",
        ),
        ("[Hous]\n", "sylk.ini:1: [Hous]: there is no such section; did you mean House?"),
    ],
)
def test_an_error_names_its_place_and_what_would_be_right(text: str, message: str) -> None:
    assert error_of(text) == message


def test_addresses_belong_to_whom_requests_for_them_go() -> None:
    routes = {"example.com": "plain", "lobby@example.com": "house"}
    house = read("[lobby@example.com]\n[other@example.org]\n", routes=routes)
    assert set(house.addresses) == {"lobby@example.com", "other@example.org"}
    assert "application 'plain'" in error_of("[other@example.com]\n", routes=routes)


def test_sections_of_what_is_disabled_may_stay() -> None:
    text = "[Gone]\nx = 1\n[gone@b]\ny = 2\n[a@b]\n"
    house = read(text, routes={"gone": "gone"}, disabled=("gone",))
    assert set(house.addresses) == {"a@b"}


@dataclass(frozen=True, kw_only=True)
class LateSettings:
    title: str = setting("", "What the room is called.")


@dataclass(frozen=True, kw_only=True)
class FloorSettings:
    floors: int = setting(1, "How many floors there are.", restart=False)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [(FloorSettings, "HouseSettings has no floors"), (LateSettings, "must be declared restart")],
)
def test_an_application_that_declares_it_wrongly_is_told(kind: type, problem: str) -> None:
    class Wrong(Application):
        name = "wrong"
        settings_class = HouseSettings
        address_settings_class = kind

    types: dict[str, type[Application]] = {"wrong": Wrong}
    with pytest.raises(TypeError, match=problem):
        read_applications(parse_config(""), types, (), RoutingTable("wrong", {}, types))
