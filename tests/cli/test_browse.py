from sylk.cli.browse import NeighbourList
from sylk.cli.neighbours import Entry
from sylk.sip.uri import SipURI


def entry(name: str, note: str = "") -> Entry:
    return Entry(name, name, note, True, SipURI.parse(f"sip:{name}@192.0.2.1"))


def shown(neighbours: NeighbourList) -> str:
    return "".join(fragment[1] for fragment in neighbours.render())


def test_an_empty_list_says_that_it_looks() -> None:
    neighbours = NeighbourList()
    neighbours.move(1)
    assert neighbours.chosen is None
    assert "Looking" in shown(neighbours)


def test_the_first_is_chosen_until_another_is() -> None:
    neighbours = NeighbourList()
    neighbours.take([entry("attic"), entry("hall")])
    assert neighbours.chosen == entry("attic")
    neighbours.move(1)
    assert neighbours.chosen == entry("hall")
    neighbours.move(5)
    assert neighbours.chosen == entry("hall")
    neighbours.move(-9)
    assert neighbours.chosen == entry("attic")


def test_who_is_chosen_stays_so_while_others_come_and_its_note_changes() -> None:
    neighbours = NeighbourList()
    neighbours.take([entry("attic"), entry("hall")])
    neighbours.move(1)
    neighbours.take([entry("attic"), entry("cellar"), entry("hall", "one participant")])
    assert neighbours.chosen == entry("hall", "one participant")
    assert neighbours.index == 2
    assert "one participant" in shown(neighbours)


def test_when_the_chosen_goes_its_place_is_kept() -> None:
    neighbours = NeighbourList()
    neighbours.take([entry("attic"), entry("cellar"), entry("hall")])
    neighbours.move(2)
    neighbours.take([entry("attic"), entry("cellar")])
    assert neighbours.chosen == entry("cellar")
    neighbours.take([])
    assert neighbours.chosen is None


def test_a_long_list_shows_what_is_around_the_chosen() -> None:
    neighbours = NeighbourList()
    neighbours.take([entry(f"room{number:03}") for number in range(100)])
    assert "room000" in shown(neighbours)
    assert "room050" not in shown(neighbours)
    neighbours.move(50)
    assert "room050" in shown(neighbours)
    assert "room000" not in shown(neighbours)
    neighbours.move(100)
    assert "room099" in shown(neighbours)
