"""Paths given out: whose they are, how long, and who answers to which URI."""

import pytest

from sylk.msrp.connection import MsrpConnection
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_tokens import MAX_PEERS, Token, Tokens, session_id_of


def link() -> MsrpConnection:
    return MsrpConnection(SessionRegistry())


def token(name: str, owner: MsrpConnection, expires: float = 10.0, user: str = "alice") -> Token:
    return Token(f"msrps://r:1/{name};tcp".encode(), name, owner, user, expires)


def test_a_path_is_found_until_it_expires() -> None:
    tokens, owner = Tokens(), link()
    tokens.add(token("a", owner))
    found = tokens.find(b"msrps://elsewhere:9/a;tcp", 9.9)
    assert found is not None
    assert tokens.find(b"msrps://r:1/A;tcp", 0) is None
    assert tokens.find(b"nonsense", 0) is None
    assert tokens.find(b"msrps://r:1/a;tcp", 10) is None
    assert tokens.next_expiry() == 10
    assert list(tokens.expired(9.9)) == []
    assert list(tokens.expired(10)) == [found]
    assert not found.is_live
    assert (len(tokens), tokens.clients, tokens.count_of("alice")) == (0, 0, 0)


def test_a_renewed_path_outlives_its_first_time() -> None:
    tokens = Tokens()
    one = token("a", link())
    tokens.add(one)
    tokens.renew(one, 20)
    assert list(tokens.expired(15)) == []
    assert tokens.find(one.uri, 15) is one
    assert list(tokens.expired(20)) == [one]


def test_renewals_do_not_pile_up() -> None:
    tokens = Tokens()
    one = token("a", link())
    tokens.add(one)
    for second in range(1000):
        tokens.renew(one, 100 + second)
    due = 0
    while tokens.next_expiry() is not None:
        due += 1
        list(tokens.expired(tokens.next_expiry() or 0))
    assert due < 100


def test_paths_go_with_their_connection() -> None:
    tokens, mine, other = Tokens(), link(), link()
    for name, owner, user in [("a", mine, "alice"), ("b", mine, "alice"), ("c", other, "alice")]:
        tokens.add(token(name, owner, user=user))
    assert (len(tokens), tokens.clients, tokens.count_of("alice")) == (3, 2, 3)
    assert [one.session_id for one in tokens.drop(mine)] == ["a", "b"]
    assert tokens.drop(mine) == []
    assert not tokens.has(mine)
    assert tokens.has(other)
    assert (len(tokens), tokens.clients, tokens.count_of("alice")) == (1, 1, 1)


def test_the_first_who_lives_is_the_way_to_a_uri() -> None:
    one, first, second = token("a", link()), link(), link()
    one.learn(b"msrps://far:1/x;tcp", first)
    one.learn(b"msrps://far:1/x;tcp", second)
    assert one.way_to(b"msrps://far:2855/x;tcp") is first
    assert one.way_to(b"msrps://far:1/y;tcp") is None
    first.close("gone")
    assert one.way_to(b"msrps://far:1/x;tcp") is None
    one.learn(b"msrps://far:1/x;tcp", second)
    assert one.way_to(b"msrps://far:1/x;tcp") is second


def test_only_so_many_ways_are_remembered() -> None:
    one = token("a", link())
    for number in range(MAX_PEERS + 5):
        one.learn(b"msrps://far:1/x%d;tcp" % number, link())
    assert len(one.peers) == MAX_PEERS
    one.learn(b"no uri", link())
    assert one.way_to(b"no uri") is None


@pytest.mark.parametrize(
    ("uri", "session_id"),
    [(b"msrp://a:1/b;tcp", "b"), (b"msrp://a:1;tcp", ""), (b"", ""), (b"\xff", "")],
)
def test_the_session_id_of_anything(uri: bytes, session_id: str) -> None:
    assert session_id_of(uri) == session_id
