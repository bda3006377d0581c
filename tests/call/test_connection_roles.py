"""Tests of sylk.call.connection_roles: who connects, for every offer and every answer."""

from itertools import product

import pytest

from sylk.call.anchoring import Way
from sylk.call.connection_roles import (
    ANSWERS,
    ROLES,
    answer_setup,
    first_setup,
    later_setup,
    read_setup,
    role_after,
)
from sylk.call.offer_answer import Negotiation
from sylk.errors import RemoteProtocolError
from sylk.msrp.uri import parse_path
from sylk.payload.sdp import SessionDescription

SAID = ["active", "passive", "actpass", "holdconn", None]
BOTH_CONNECT = "nobody listens"


def negotiation(name: str = "ours", *, listens: bool = True) -> Negotiation:
    port = 2855 if listens else 9
    path = parse_path(f"msrp://192.0.2.1:{port}/{name};tcp")
    return Negotiation(path, "192.0.2.1", "Sylk", 1, listens=listens)


def described(setup: str | None) -> bytes:
    """Return a description as another make of client writes it."""
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.9",
        "s=-",
        "c=IN IP4 192.0.2.9",
        "t=0 0",
        "m=message 7394 TCP/MSRP *",
        "a=accept-types:message/cpim",
        "a=path:msrp://192.0.2.9:7394/theirs;tcp",
        *([] if setup is None else [f"a=setup:{setup}"]),
        # RFC 6135 section 4.4: to be left unread.
        "a=connection:existing",
    ]
    return "\r\n".join([*lines, ""]).encode()


def setup_in(data: bytes) -> str | None:
    (line,) = SessionDescription.parse(data).media
    assert line.attribute("connection") is None
    return line.attribute("setup")


# The tables


def test_the_tables_know_every_case() -> None:
    read = ["active", "passive", "actpass", None]
    assert set(ANSWERS) == set(product(read, (True, False)))
    assert set(ROLES) == set(product(("actpass", "active"), read))


def test_no_offer_says_passive() -> None:
    said = {first_setup(listens=listens) for listens in (True, False)}
    assert said | {later_setup(active=active) for active in (True, False)} == {"active", "actpass"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (None, None),
        ("holdconn", None),
        (" HoldConn ", None),
        ("active", "active"),
        (" Passive", "passive"),
        ("ACTPASS", "actpass"),
    ],
)
def test_what_is_read(text: str | None, read: str | None) -> None:
    assert read_setup(text) == read


@pytest.mark.parametrize("text", ["", "both", "active passive", "existing"])
def test_what_no_rfc_knows_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_setup(text)
    assert caught.value.status == 488


def test_where_nobody_would_listen_it_is_said() -> None:
    with pytest.raises(RemoteProtocolError, match=BOTH_CONNECT) as caught:
        role_after("active", "active")
    assert caught.value.status == 488
    with pytest.raises(RemoteProtocolError, match="nobody listens here") as caught:
        answer_setup("active", listens=False)
    assert caught.value.status == 488


# Offers of every kind, to one of us who listens and to one who does not


@pytest.mark.parametrize(
    ("offered", "listens", "answered"),
    [
        ("active", True, "passive"),
        ("actpass", True, "passive"),
        ("passive", True, "active"),
        ("holdconn", True, "passive"),
        (None, True, "passive"),
        ("active", False, None),
        ("actpass", False, "active"),
        ("passive", False, "active"),
        ("holdconn", False, None),
        (None, False, None),
    ],
)
def test_an_offer_is_answered(offered: str | None, listens: bool, answered: str | None) -> None:
    ours = negotiation(listens=listens)
    if answered is None:
        with pytest.raises(RemoteProtocolError, match="nobody listens here") as caught:
            ours.receive_offer(described(offered))
        assert caught.value.status == 488
        assert caught.value.headers
        return
    assert setup_in(ours.receive_offer(described(offered))) == answered
    assert ours.active is (answered == "active")
    assert ours.way is (Way.PATH if ours.active else Way.WAIT)


@pytest.mark.parametrize(
    ("listens", "answered", "active"),
    [
        (True, "active", False),
        (True, "passive", True),
        (True, "actpass", True),
        (True, "holdconn", True),
        (True, None, True),
        (False, "active", None),
        (False, "passive", True),
        (False, "actpass", True),
        (False, "holdconn", True),
        (False, None, True),
    ],
)
def test_an_answer_is_taken(listens: bool, answered: str | None, active: bool | None) -> None:
    ours = negotiation(listens=listens)
    assert setup_in(ours.make_offer()) == ("actpass" if listens else "active")
    if active is None:
        with pytest.raises(RemoteProtocolError, match=BOTH_CONNECT):
            ours.receive_answer(described(answered))
        return
    ours.receive_answer(described(answered))
    assert ours.active is active


# Two of us


@pytest.mark.parametrize(
    ("caller_listens", "callee_listens", "caller_active"),
    [(True, True, True), (True, False, False), (False, True, True), (False, False, None)],
)
def test_two_of_us_agree(
    caller_listens: bool, callee_listens: bool, caller_active: bool | None
) -> None:
    caller = negotiation("caller", listens=caller_listens)
    callee = negotiation("callee", listens=callee_listens)
    offer = caller.make_offer()
    if caller_active is None:
        with pytest.raises(RemoteProtocolError):
            callee.receive_offer(offer)
        return
    caller.receive_answer(callee.receive_offer(offer))
    assert (caller.active, callee.active) == (caller_active, not caller_active)


# While the call stands


@pytest.mark.parametrize("later", SAID)
@pytest.mark.parametrize("first", ["active", "passive"])
@pytest.mark.parametrize("we_offer", [True, False])
@pytest.mark.parametrize("again", ["they offer", "we offer"])
def test_the_roles_stay(first: str, later: str | None, we_offer: bool, again: str) -> None:
    ours = negotiation()
    if we_offer:
        ours.make_offer()
        ours.receive_answer(described(first))
    else:
        ours.receive_offer(described(first))
    ours.pin()
    active, hop = ours.active, ours.next_hop
    assert active is (first == "passive")
    if again == "we offer":
        assert setup_in(ours.make_offer()) == ("active" if active else "actpass")
        ours.receive_answer(described(later))
    else:
        assert setup_in(ours.receive_offer(described(later))) == ("active" if active else "passive")
    assert (ours.active, ours.next_hop) == (active, hop)
