"""What a LAN sees of the server: avahi, another implementation, and `sylk-chat` on other machines.

The machines are network namespaces on a bridge. What is seen with avahi is resolved by it too.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import COMMAND as CHAT
from tests.end_to_end.lan import Lan, Machine, Output, lan_of

KIND = "_sipuri._udp"
PERMANENT = {"lobby@localhost": {"permanent": "yes"}, "secret@localhost": {"permanent": "yes"}}
SETTINGS = {**PERMANENT, "secret@localhost": {"permanent": "yes", "hidden": "yes"}}
ONLOOKER = Path(__file__).with_name("zeroconf_onlooker.py")


@pytest.fixture
def lan() -> Iterator[Lan]:
    with lan_of(2) as lan:
        yield lan


def escaped(text: str) -> str:
    """Return a name as avahi-browse writes it, for a regular expression."""
    written = (
        one if one.isalnum() else f"\\{one}" if one == "." else f"\\{ord(one):03}" for one in text
    )
    return re.escape("".join(written))


def room_at(machine: Machine, name: str = "lobby", params: str = ";isfocus") -> str:
    return f"sip:{name}@{machine.host}:5060{params}"


def onlooker(machine: Machine) -> Output:
    output = machine.run_python(str(ONLOOKER), KIND)
    output.wait_for("looking")
    return output


def test_avahi_sees_a_room_come_and_go(lan: Lan, tmp_path: Path) -> None:
    desk, phone = lan.machines
    phone.start_avahi(tmp_path)
    # The server gets along with an avahi on its own machine.
    desk.start_avahi(tmp_path)
    here, there = desk.browse(KIND), phone.browse(KIND)
    tcp = phone.browse("_sipuri._tcp")
    focus = phone.browse("_sipfocus._udp")
    server = desk.start_server(tmp_path / "server", SETTINGS)
    lobby = escaped(room_at(desk))
    for seen in (here, there):
        line = seen.wait_for(f"^=;lan0;IPv4;{lobby};")
        assert ";5060;" in line
        assert '"note=no participants"' in line
        assert f'"contact=<{room_at(desk)}>"' in line
        assert '"name=Conference Room lobby"' in line
        assert '"instance_id=' in line
        seen.wait_for(f"^=;lan0;IPv4;{escaped(room_at(desk, 'echo', ''))};")
    tcp.wait_for(f"^=;lan0;IPv4;{escaped(room_at(desk, params=';transport=tcp;isfocus'))};")
    focus.wait_for(f"^=;lan0;IPv4;{escaped(f'sip:{desk.host}:5060;isfocus')};")
    server.stop()
    for seen in (here, there):
        seen.wait_for(f"^-;lan0;IPv4;{lobby};")
        assert "secret" not in "\n".join(seen.lines)
    count = len(there.lines)
    # A restart is seen at once.
    desk.start_server(tmp_path / "again", SETTINGS)
    there.wait_for(f"^=;lan0;IPv4;{lobby};", after=count)


def test_another_implementation_sees_who_is_in_a_room(lan: Lan, tmp_path: Path) -> None:
    desk, phone = lan.machines
    seen = onlooker(phone)
    desk.start_server(tmp_path / "server", SETTINGS)
    room = room_at(desk)
    seen.wait_for(f"Added {room} | Conference Room lobby | no participants".replace("|", r"\|"))
    chat = phone.start(str(CHAT), "--linger", "60", "lobby", "--name", "Bob")
    chat.wait_for("Welcome! You are the first one here")
    seen.wait_for(f"Updated {room} .* one participant")
    desk.start(str(CHAT), "--linger", "60", "lobby", "--name", "Ann").wait_for("Bob <")
    seen.wait_for(f"Updated {room} .* two participants")


def test_a_room_that_nobody_keeps_open_is_withdrawn(lan: Lan, tmp_path: Path) -> None:
    desk, phone = lan.machines
    seen = onlooker(phone)
    desk.start_server(tmp_path / "server")
    chat = phone.start(str(CHAT), "--linger", "60", f"sip:hall@{desk.host}")
    chat.wait_for("Welcome!")
    seen.wait_for(f"Added {room_at(desk, 'hall')} ")
    chat.end()
    seen.wait_for(f"Removed {room_at(desk, 'hall')} ")


def test_a_name_that_is_taken_gets_a_number(lan: Lan, tmp_path: Path) -> None:
    desk, phone = lan.machines
    phone.start_avahi(tmp_path)
    # The other one says that it is where the server will be.
    other = phone.start("avahi-publish", "-s", room_at(desk), KIND, "7070", "name=Other")
    other.wait_for("Established under name")
    seen = phone.browse(KIND)
    server = desk.start_server(tmp_path / "server", SETTINGS)
    seen.wait_for(f"^=;lan0;IPv4;{escaped(room_at(desk) + ' (2)')};.*Conference Room lobby")
    server.wait_for_log(r"the name sip:lobby@\S+ is taken on lan0, now \S+ \(2\)")


def test_an_interface_that_is_lost_and_found(lan: Lan, tmp_path: Path) -> None:
    desk, phone = lan.machines
    seen = onlooker(phone)
    desk.start_server(tmp_path / "server", SETTINGS)
    seen.wait_for(f"Added {room_at(desk)} ")
    # Another address: the old name goes, and the new one comes.
    desk.ip("address", "del", f"{desk.host}/24", "dev", "lan0")
    desk.ip("address", "add", "198.18.77.99/24", "dev", "lan0")
    seen.wait_for(f"Removed {room_at(desk)} ")
    seen.wait_for("Added sip:lobby@198.18.77.99:5060;isfocus ")
    desk.ip("link", "set", "lan0", "down")
    count = len(seen.lines)
    # A second interface takes over, and the server goes on.
    lan.plug_in(desk, "lan1", "198.18.77.55")
    seen.wait_for("Added sip:lobby@198.18.77.55:5060;isfocus ", after=count)


def test_people_look_around_and_meet_in_one_room(lan: Lan, tmp_path: Path) -> None:
    desk, phone = lan.machines
    desk.start_server(tmp_path / "server", SETTINGS)
    seen = phone.start(str(CHAT), "--browse", "--seconds", "5")
    line = seen.wait_for("^Conference Room lobby\t")
    assert line.split("\t") == [
        "Conference Room lobby",
        f"sip:lobby@{desk.host}",
        "no participants",
    ]
    seen.wait_for("^Echo Test\t")
    nobody = phone.start(str(CHAT), "attic")
    nobody.wait_for("nobody here is called attic")
    assert nobody.process.wait(10) == 1
    # Who comes by loopback, by an address of the LAN and by name are in one room.
    ann = desk.start(str(CHAT), "--linger", "60", "sip:lobby@127.0.0.1", "--name", "Ann")
    ann.wait_for(f"Welcome.* Others join at lobby@{desk.host}")
    bob = phone.start(str(CHAT), "--linger", "60", "lobby", "--name", "Bob")
    bob.wait_for("Here already: Ann <")
    ann.wait_for(r"\* Bob <.* has joined")
