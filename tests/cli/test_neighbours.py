import pytest

from sylk.cli.neighbours import Entry, bare, entries_of, entry_of, named
from sylk.mdns.browser import Neighbour
from sylk.sip.uri import SipURI


def neighbour(
    contact: str, name: str = "Lobby", instance_id: str = "1", note: str = ""
) -> Neighbour:
    pairs = (("name", name), ("contact", contact), ("instance_id", instance_id), ("note", note))
    return Neighbour(contact, "_sipuri._udp", tuple(pair for pair in pairs if pair[1]))


LOBBY = neighbour("<sip:lobby@192.0.2.1:5060;isfocus>", note="one participant")


def test_a_room_is_called_without_what_only_says_what_it_is() -> None:
    found = entry_of(LOBBY)
    assert found is not None
    _, entry = found
    assert entry.is_room
    assert str(entry.uri) == "sip:lobby@192.0.2.1:5060"
    assert entry.line == "Lobby\tsip:lobby@192.0.2.1\tone participant"


@pytest.mark.parametrize(
    "other",
    [
        neighbour("nonsense"),
        neighbour("<tel:+1>"),
        neighbour("<sip:192.0.2.1;isfocus>"),
        neighbour("<sip:lobby@192.0.2.1>", instance_id=""),
        neighbour(""),
    ],
)
def test_who_says_too_little_of_himself_is_left_out(other: Neighbour) -> None:
    assert entry_of(other) is None


def test_one_with_several_transports_is_one_neighbour_and_udp_goes_first() -> None:
    contacts = (
        "<sip:lobby@192.0.2.1:5061;transport=tls;isfocus>",
        "<sip:lobby@192.0.2.1:5060;isfocus>",
        "<sip:lobby@192.0.2.1:5060;transport=tcp;isfocus>",
    )
    (entry,) = entries_of(neighbour(contact) for contact in contacts)
    assert str(entry.uri) == "sip:lobby@192.0.2.1:5060"


def test_rooms_come_first_and_by_name() -> None:
    people = [
        neighbour("<sip:ann@192.0.2.3>", "ann", "3"),
        neighbour("<sip:hall@192.0.2.1;isfocus>", "hall", "2"),
        neighbour("<sip:attic@192.0.2.1;isfocus>", "Attic", "4"),
    ]
    assert [entry.name for entry in entries_of(people)] == ["Attic", "hall", "ann"]


def test_a_name_is_that_of_the_address_or_else_the_one_that_is_shown() -> None:
    entries = entries_of([LOBBY, neighbour("<sip:bob@192.0.2.3>", "Robert", "2")])
    assert [one.user for one in named(entries, "LOBBY")] == ["lobby"]
    assert [one.user for one in named(entries, "robert ")] == ["bob"]
    assert named(entries, "nobody") == []


def test_what_comes_from_the_network_is_made_harmless() -> None:
    (entry,) = entries_of([neighbour("<sip:x@192.0.2.1>", "a\x1b[2Jb\nc", note="d\x07e\tf")])
    assert not set(entry.line) & set("\x1b\x07\n")
    assert entry.line.count("\t") == 2


def test_a_port_that_matters_is_shown() -> None:
    assert bare(SipURI.parse("sip:a@h:5070")) == "sip:a@h:5070"
    assert bare(SipURI.parse("sip:a@h:5060")) == "sip:a@h"
    assert bare(SipURI.parse("sip:a@h:5061;transport=tls")) == "sip:a@h:5061;transport=tls"


def test_an_entry_is_known_by_what_is_shown() -> None:
    uri = SipURI.parse("sip:a@h")
    assert Entry("a", "a", "", True, uri) == Entry("a", "a", "", True, SipURI.parse("sip:a@other"))
