"""Tests of sylk.call.anchoring: where a connection goes that a middlebox may anchor (RFC 6714)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.call.anchoring import (
    AS_ANSWERER,
    AS_OFFERER,
    Anchor,
    Way,
    matches,
    read_anchor,
    unresolved_names,
)
from sylk.call.offer_answer import Negotiation
from sylk.errors import RemoteProtocolError
from sylk.msrp.uri import parse_path
from sylk.payload.sdp import SessionDescription

PATH = "msrp://192.0.2.9:7394/theirs;tcp"
RELAYED = "msrp://198.51.100.7:2855/hop;tcp msrp://192.0.2.9:7394/theirs;tcp"
SAME, OTHER = ("192.0.2.9", 7394), ("203.0.113.5", 40000)
CASES = list(product((True, False), repeat=4))


def negotiation(path: str = "msrp://192.0.2.1:2855/ours;tcp", *, cema: bool = True) -> Negotiation:
    return Negotiation(parse_path(path), "192.0.2.1", "Sylk", 1, cema=cema)


def described(
    setup: str, anchor: Anchor = SAME, *, cema: bool = False, path: str = PATH
) -> SessionDescription:
    host, port = anchor
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.9",
        "s=-",
        f"c=IN {'IP6' if ':' in host else 'IP4'} {host}",
        "t=0 0",
        f"m=message {port} TCP/MSRP *",
        "a=accept-types:message/cpim",
        f"a=path:{path}",
        f"a=setup:{setup}",
        *(["a=msrp-cema"] if cema else []),
    ]
    return SessionDescription.parse("\r\n".join([*lines, ""]).encode())


def says_cema(data: bytes) -> bool:
    (line,) = SessionDescription.parse(data).media
    return line.attribute("msrp-cema") is not None


# The tables, against the words of the RFC


@pytest.mark.parametrize("case", CASES)
def test_as_answerer(case: tuple[bool, bool, bool, bool]) -> None:
    cema, matching, active, relays = case
    way, says = AS_ANSWERER[case]
    assert (way is Way.WAIT) is (not active)
    if not cema and not matching:
        # Section 4.3, first paragraph; who connects to us is taken all the same.
        assert way is (Way.REFUSE if active else Way.WAIT)
        assert not says
    elif cema and active:
        assert (way, says) == (Way.ANCHOR, True)
    else:
        # "The offerer uses a relay ... and will become active".
        assert says is not relays


@pytest.mark.parametrize("case", CASES)
def test_as_offerer(case: tuple[bool, bool, bool, bool]) -> None:
    cema, matching, active, relays = case
    way = AS_OFFERER[case]
    # Section 4.2: the criteria 1 and 3; the second is for those who use a relay.
    if not cema and not matching and (not active or relays):
        assert way is Way.NEW_OFFER
    elif not active:
        assert way is Way.WAIT
    elif not cema and matching:
        # The two are one address, or the one of the relays is meant.
        assert way is Way.PATH
    else:
        assert way is Way.ANCHOR


# Reading and comparing addresses


@pytest.mark.parametrize(
    ("anchor", "read"),
    [
        (SAME, SAME),
        (("SBC.Example.COM", 5000), ("sbc.example.com", 5000)),
        (("192.0.2.9/127", 5000), ("192.0.2.9", 5000)),
        (("2001:DB8::1", 5000), ("2001:db8::1", 5000)),
        # These tell no address.
        (("0.0.0.0", 7394), None),
        (("::", 7394), None),
        (("192.0.2.9", 9), None),
    ],
)
def test_the_anchor_is_read(anchor: Anchor, read: Anchor | None) -> None:
    description = described("active", anchor)
    assert read_anchor(description, description.media[0]) == read


def test_the_line_counts_before_the_session() -> None:
    text = described("active").render().replace(b"TCP/MSRP *", b"TCP/MSRP *\r\nc=IN IP4 10.0.0.1")
    description = SessionDescription.parse(text)
    assert read_anchor(description, description.media[0]) == ("10.0.0.1", 7394)


def test_without_any_address_there_is_no_anchor() -> None:
    text = described("active").render().replace(b"c=IN IP4 192.0.2.9\r\n", b"")
    description = SessionDescription.parse(text)
    assert read_anchor(description, description.media[0]) is None


@pytest.mark.parametrize(
    ("anchor", "path", "matching"),
    [
        (None, PATH, True),
        (SAME, PATH, True),
        (("192.0.2.9", 7395), PATH, False),
        (("192.0.2.8", 7394), PATH, False),
        (("192.0.2.9", 2855), "msrp://192.0.2.9/theirs;tcp", True),
        (("2001:db8::1", 1), "msrp://[2001:DB8:0:0::1]:1/theirs;tcp", True),
        (("2001:db8::1", 1), "msrp://[2001:DB8:0:0::2]:1/theirs;tcp", False),
        (("a.example", 1), "msrp://A.Example:1/theirs;tcp", True),
        (("a.example", 2), "msrp://A.Example:1/theirs;tcp", False),
        # Any of the path.
        (SAME, RELAYED, True),
        (("198.51.100.7", 2855), RELAYED, True),
        (("198.51.100.7", 7394), RELAYED, False),
    ],
)
def test_addresses_are_compared(anchor: Anchor | None, path: str, matching: bool) -> None:
    assert matches(anchor, parse_path(path)) is matching
    assert matches(anchor, parse_path(path), {}) is matching


@pytest.mark.parametrize(
    ("addresses", "matching"),
    [
        ({"a.example": ["192.0.2.9"]}, True),
        ({"a.example": ["192.0.2.8", "192.0.2.9"]}, True),
        ({"a.example": ["192.0.2.8"]}, False),
        # What DNS does not tell decides nothing.
        ({}, True),
        ({"a.example": []}, True),
    ],
)
def test_names_stand_for_all_their_addresses(
    addresses: dict[str, list[str]], matching: bool
) -> None:
    path = parse_path("msrp://a.example:7394/theirs;tcp")
    assert matches(SAME, path, addresses) is matching
    assert unresolved_names(SAME, path) == ["a.example"]


def test_what_needs_no_look_up() -> None:
    assert unresolved_names(SAME, parse_path(PATH)) == []
    assert unresolved_names(OTHER, parse_path(PATH)) == []
    assert unresolved_names(None, parse_path("msrp://a.example:1/x;tcp")) == []
    same = parse_path("msrp://A.example:1/x;tcp")
    assert unresolved_names(("a.example", 2), same) == []


# Within offer and answer


@pytest.mark.parametrize("cema", [True, False])
@pytest.mark.parametrize("anchor", [SAME, OTHER])
@pytest.mark.parametrize("setup", ["active", "actpass", "passive"])
@pytest.mark.parametrize("path", [PATH, RELAYED])
def test_an_offer_is_answered(cema: bool, anchor: Anchor, setup: str, path: str) -> None:
    ours = negotiation()
    offer = described(setup, anchor, cema=cema, path=path).render()
    key = (cema, anchor == SAME, setup == "passive", path == RELAYED)
    way, says = AS_ANSWERER[key]
    if way is Way.REFUSE:
        with pytest.raises(RemoteProtocolError, match="not the address of the path") as caught:
            ours.receive_offer(offer)
        assert caught.value.status == 488
        assert caught.value.headers[0][1].startswith("399 ")
        assert ours.chat is None
        return
    assert says_cema(ours.receive_offer(offer)) is says
    assert ours.way is way
    first = ours.chat.path[0] if ours.chat is not None else None
    assert first is not None
    if way is Way.ANCHOR:
        assert ours.next_hop == anchor
    else:
        assert ours.next_hop == (first.host, first.port)
    # What was said is said again.
    assert says_cema(ours.make_offer()) is says


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_taken(case: tuple[bool, bool, bool, bool]) -> None:
    cema, matching, active, relays = case
    ours = negotiation()
    assert says_cema(ours.make_offer())
    setup, path = "passive" if active else "active", RELAYED if relays else PATH
    anchor = SAME if matching else OTHER
    ours.receive_answer(described(setup, anchor, cema=cema, path=path).render())
    assert ours.way is AS_OFFERER[case]
    if ours.way is Way.ANCHOR:
        assert ours.next_hop == anchor


def test_after_falling_back_the_path_alone_counts() -> None:
    ours = negotiation()
    ours.make_offer()
    ours.receive_answer(described("passive", OTHER, path=RELAYED).render())
    assert ours.way is Way.NEW_OFFER
    ours.fall_back()
    assert not says_cema(ours.make_offer())
    # The middlebox has taken the session upon itself.
    path = "msrp://203.0.113.5:40002/box;tcp"
    ours.receive_answer(described("passive", ("203.0.113.5", 40002), path=path).render())
    assert ours.way is Way.PATH
    assert ours.next_hop == ("203.0.113.5", 40002)
    assert not says_cema(ours.make_offer())


def test_later_exchanges_move_no_anchor() -> None:
    ours = negotiation()
    ours.receive_offer(described("passive", OTHER, cema=True).render())
    ours.pin()
    ours.receive_offer(described("passive", ("203.0.113.6", 1), cema=True).render())
    assert ours.next_hop == OTHER


@pytest.mark.parametrize(
    ("addresses", "way"),
    [
        ({"a.example": ["203.0.113.5"]}, Way.WAIT),
        ({"a.example": ["192.0.2.9"]}, Way.NEW_OFFER),
        ({}, Way.WAIT),
    ],
)
def test_names_in_an_answer_are_looked_up(addresses: dict[str, list[str]], way: Way) -> None:
    ours = negotiation()
    ours.make_offer()
    path = "msrp://a.example:40000/theirs;tcp"
    ours.receive_answer(described("active", OTHER, path=path).render())
    assert ours.unresolved_names == ["a.example"]
    ours.resolve(addresses)
    assert ours.way is way


def test_nothing_is_looked_up_for_an_offer_or_for_one_who_knows_cema() -> None:
    path = "msrp://a.example:40000/theirs;tcp"
    ours = negotiation()
    assert ours.unresolved_names == []
    ours.receive_offer(described("active", OTHER, path=path).render())
    assert ours.unresolved_names == []
    ours.resolve({"a.example": ["192.0.2.9"]})
    assert ours.way is Way.WAIT
    ours = negotiation()
    ours.make_offer()
    ours.receive_answer(described("active", OTHER, cema=True, path=path).render())
    assert ours.unresolved_names == []


@pytest.mark.parametrize(
    ("path", "knows"),
    [
        ("msrp://192.0.2.1:2855/ours;tcp", False),
        # Behind a relay of our own.
        ("msrp://192.0.2.7:2855/r;tcp msrp://192.0.2.1:2855/ours;tcp", True),
    ],
)
@pytest.mark.parametrize("setup", ["active", "passive"])
@pytest.mark.parametrize("cema", [True, False])
@pytest.mark.parametrize("we_offer", [True, False])
def test_without_cema_the_path_alone_counts(
    path: str, knows: bool, setup: str, cema: bool, we_offer: bool
) -> None:
    ours = negotiation(path, cema=knows)
    theirs = described(setup, OTHER, cema=cema).render()
    if we_offer:
        assert not says_cema(ours.make_offer())
        ours.receive_answer(theirs)
    else:
        assert not says_cema(ours.receive_offer(theirs))
    assert ours.next_hop == SAME
    assert ours.way is (Way.PATH if setup == "passive" else Way.WAIT)


@given(
    st.tuples(st.sampled_from(["192.0.2.9", "203.0.113.5", "a.example"]), st.integers(10, 65535)),
    st.booleans(),
    st.sampled_from(["active", "passive", "actpass"]),
)
def test_whatever_a_middlebox_writes_one_side_connects(
    anchor: Anchor, cema: bool, setup: str
) -> None:
    ours = negotiation()
    offer = described(setup, anchor, cema=cema).render()
    same = anchor[1] == 7394 and anchor[0] != "203.0.113.5"
    if setup == "passive" and not cema and not same:
        with pytest.raises(RemoteProtocolError):
            ours.receive_offer(offer)
        return
    ours.receive_offer(offer)
    assert ours.active is (setup == "passive")
    assert (ours.way is Way.WAIT) is (not ours.active)
    assert ours.next_hop == (anchor if cema and ours.active else SAME)
