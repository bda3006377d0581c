"""Where paths lead; the whole is in test_relay."""

import pytest

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_routes import find_route
from sylk.msrp.relay_tokens import Token, Tokens

MINE = b"msrps://r.example.com:1/mine;tcp"
YOURS = b"msrps://r.example.com:1/yours;tcp"
FAR = b"msrps://far.example.com:1/far;tcp"
OWN = b"msrps://own.example.com:1/own;tcp"


def link(secure: bool = True) -> MsrpConnection:
    return MsrpConnection(SessionRegistry(), secure=secure)


def frame(*to: bytes, back: bytes = OWN) -> Frame:
    return Frame(b"t", b"SEND", 0, b"", b" ".join(to), back, {}, None, b"$")


def path(tokens: Tokens, uri: bytes, owner: MsrpConnection) -> Token:
    token = Token(uri, uri.decode().split("/")[-1][:-4], owner, "u", 100.0)
    tokens.add(token)
    return token


def test_outwards_it_leads_to_the_next_uri() -> None:
    tokens, owner = Tokens(), link()
    token = path(tokens, MINE, owner)
    route = find_route(tokens, token, owner, frame(MINE, FAR), 0)
    assert route.target is None
    assert str(route.next_uri) == FAR.decode()
    assert route.path_lines == b"To-Path: %b\r\nFrom-Path: %b %b\r\n" % (FAR, MINE, OWN)
    assert not route.holds(0)


def test_inwards_it_leads_to_the_client() -> None:
    tokens, owner, stranger = Tokens(), link(), link()
    token = path(tokens, MINE, owner)
    route = find_route(tokens, token, stranger, frame(MINE, OWN, back=FAR), 0)
    assert route.target is owner
    assert route.holds(99)
    assert not route.holds(100)
    outwards = find_route(tokens, token, owner, frame(MINE, FAR), 0)
    assert outwards.target is stranger
    stranger.close("gone")
    assert not outwards.holds(0)
    tokens.drop(owner)
    assert not route.holds(0)


def test_two_paths_of_ours_are_two_steps() -> None:
    tokens, alice, bob = Tokens(), link(), link()
    token, _ = path(tokens, MINE, alice), path(tokens, YOURS, bob)
    route = find_route(tokens, token, alice, frame(MINE, YOURS, FAR), 0)
    assert route.target is bob
    assert len(route.tokens) == 2
    assert route.path_lines == b"To-Path: %b\r\nFrom-Path: %b %b %b\r\n" % (FAR, YOURS, MINE, OWN)


@pytest.mark.parametrize(
    ("request_", "secure", "status"),
    [
        (frame(MINE), True, 481),
        (frame(MINE, OWN), False, 481),
        (frame(MINE, OWN, back=b""), True, 400),
        (frame(MINE, OWN, back=b" ".join([OWN] * 40)), True, 400),
    ],
)
def test_what_cannot_go_on_is_refused(request_: Frame, secure: bool, status: int) -> None:
    tokens = Tokens()
    token = path(tokens, MINE, link())
    with pytest.raises(RemoteProtocolError) as caught:
        find_route(tokens, token, link(secure), request_, 0)
    assert caught.value.status == status
