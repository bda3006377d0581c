"""AUTH: who gets a path, for how long, and who loses the connection."""

import pytest

from sylk.call.relay_digest import RelayPassword
from sylk.msrp.relay_events import AuthRefused, CloseWanted, PathGranted
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_login import LoginFailed, PathStands
from sylk.msrp.uri import MsrpURI
from tests.msrp.relay_world import GUESSES, End, World

OWN = b"msrps://alice.example.org:1/own;tcp"
TO = b"msrps://relay.example.com:2856;tcp"


def auth(*lines: bytes, to: bytes = TO, tid: bytes = b"a1") -> bytes:
    headers = b"".join(line + b"\r\n" for line in lines)
    return b"MSRP %b AUTH\r\nTo-Path: %b\r\nFrom-Path: %b\r\n%b-------%b$\r\n" % (
        tid,
        to,
        OWN,
        headers,
        tid,
    )


def test_a_request_without_credentials_is_challenged() -> None:
    world = World()
    end = world.end()
    world.send(end, auth())
    data = end.link.data_to_send()
    lines = data.split(b"\r\n")
    assert lines[0] == b"MSRP a1 401 Unauthorized"
    assert lines[1:3] == [b"To-Path: " + OWN, b"From-Path: " + TO]
    challenges = [line for line in lines if line.startswith(b"WWW-Authenticate: Digest ")]
    # The last one is what deployed clients answer: MD5, with opaque.
    assert [b"SHA-256" in line for line in challenges] == [True, False]
    for line in challenges:
        assert b'realm="example.com"' in line
        assert b'qop="auth"' in line
        assert b"opaque=" in line
    assert world.events() == []


def test_a_path_is_random_names_its_port_and_tells_its_time() -> None:
    world = World()
    end = world.end()
    login, outcome = world.log_in(end)
    assert isinstance(outcome, PathStands)
    assert (outcome.path, outcome.expires) == (login.path, 43_200)
    assert world.events() == [PathGranted(end.link, "alice", 43_200)]
    assert str(outcome.path[0]).startswith("msrps://relay.example.com:2856/relay-path-")
    _, second = world.log_in(end)
    assert isinstance(second, PathStands)
    assert second.path != outcome.path


@pytest.mark.parametrize(("asked", "given"), [(60, 60), (3600, 3600), (86_400, 86_400)])
def test_the_time_asked_for_is_given(asked: int, given: int) -> None:
    world = World()
    _, outcome = world.log_in(world.end(), expires=asked)
    assert isinstance(outcome, PathStands)
    assert outcome.expires == given


@pytest.mark.parametrize(("asked", "given"), [(1, 60), (0, 60), (100_000, 86_400)])
def test_a_time_out_of_bounds_is_refused_with_the_bound(asked: int, given: int) -> None:
    world = World()
    end = world.end()
    # The client asks once more, with the bound that it was told.
    _, outcome = world.log_in(end, expires=asked)
    assert isinstance(outcome, PathStands)
    assert outcome.expires == given
    refused, granted = world.events()
    assert isinstance(refused, AuthRefused)
    assert refused.status == 423
    assert isinstance(granted, PathGranted)


def test_a_path_is_renewed_over_its_own_connection_alone() -> None:
    world = World()
    end = world.end()
    _, outcome = world.log_in(end, expires=60)
    assert isinstance(outcome, PathStands)
    path = outcome.path[0]
    world.now = 50
    assert renew(world, end, path) == 200
    world.pass_time(59)
    assert world.relay.client_count == 1
    thief = world.end()
    assert renew(world, thief, path) == 481
    assert renew(world, end, path, "bob") == 481
    world.pass_time(1)
    assert world.relay.client_count == 0
    assert renew(world, end, path) == 481


def renew(world: World, end: End, path: MsrpURI, user: str = "alice") -> int:
    """Return the status of an AUTH for a path that is already there."""
    to = str(path).encode()
    world.send(end, auth(to=to))
    challenges = end.one().headers[b"www-authenticate"].decode()
    password = {"alice": "wonderland", "bob": "builder"}[user]
    value = RelayPassword(user, password, lambda: "c").answer(challenges, to.decode())
    world.send(end, auth(b"Expires: 60", b"Authorization: " + value.encode(), to=to))
    return end.one().status


def test_no_path_is_given_in_clear_unless_that_is_allowed() -> None:
    world = World()
    end = world.end(secure=False)
    world.send(end, auth())
    assert end.one().status == 403
    world = World(allows_clear=True)
    end = world.end(secure=False)
    _, outcome = world.log_in(end)
    assert isinstance(outcome, PathStands)
    assert not outcome.path[0].secure


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_wrong_passwords_end_the_connection(user: str) -> None:
    world = World(RelayLimits(max_failures=3))
    end = world.end()
    for _ in range(3):
        assert world.relay.next_event() is None
        _, outcome = world.log_in(end, user, password="wrong")
        assert isinstance(outcome, LoginFailed)
        assert outcome.status == 401
        refused = world.relay.next_event()
        assert isinstance(refused, AuthRefused)
        assert user in refused.reason
    assert world.relay.next_event() == CloseWanted(end.link, "AUTH failed too often")
    assert not world.relay.uses(end.link)


def test_another_connection_gives_no_more_guesses_than_the_address_has() -> None:
    world = World(RelayLimits(max_failures=2))
    statuses: list[int] = []
    for _ in range(GUESSES):
        end = world.end(source="192.0.2.1")
        for _ in range(2):
            _, outcome = world.log_in(end, password="wrong")
            assert isinstance(outcome, LoginFailed)
            statuses.append(outcome.status)
    assert statuses == [401] * GUESSES + [403] * GUESSES
    _, outcome = world.log_in(world.end(source="192.0.2.1"))
    assert isinstance(outcome, LoginFailed)
    assert outcome.status == 403
    _, outcome = world.log_in(world.end(source="192.0.2.2"))
    assert isinstance(outcome, PathStands)
    world.pass_time(60.0)
    _, outcome = world.log_in(world.end(source="192.0.2.1"))
    assert isinstance(outcome, PathStands)


def test_a_success_forgives_what_went_wrong_before() -> None:
    world = World(RelayLimits(max_failures=2))
    end = world.end()
    for _ in range(3):
        world.log_in(end, password="wrong")
        world.log_in(end)
    assert not [event for event in world.events() if isinstance(event, CloseWanted)]


def test_asking_over_and_over_ends_the_connection() -> None:
    world = World(RelayLimits(max_challenges=5))
    end = world.end()
    for _ in range(5):
        assert world.events() == []
        world.send(end, auth())
    (event,) = world.events()
    assert isinstance(event, CloseWanted)
    assert len(end.read()) == 5


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Authorization: Basic YWxpY2U6d29uZGVybGFuZA==", 401),
        (b'Authorization: Digest username="alice"', 400),
        (b"Authorization: nonsense", 401),
        (b'Authorization: Digest "', 400),
        (b"Authorization: " + b"Digest a=b, " * 30, 400),
    ],
)
def test_credentials_that_say_nothing_are_refused(line: bytes, status: int) -> None:
    world = World()
    end = world.end()
    world.send(end, auth(line))
    assert end.one().status == status


def test_a_user_has_only_so_many_paths() -> None:
    world = World(RelayLimits(max_paths=2))
    ends = [world.end() for _ in range(3)]
    outcomes = [world.log_in(end)[1] for end in ends]
    assert [isinstance(outcome, PathStands) for outcome in outcomes] == [True, True, False]
    assert isinstance(outcomes[2], LoginFailed)
    assert outcomes[2].status == 403
    assert isinstance(world.log_in(ends[2], "bob")[1], PathStands)
    world.relay.closed(ends[0].link, 0)
    assert isinstance(world.log_in(ends[1])[1], PathStands)


def test_there_are_only_so_many_clients() -> None:
    world = World(RelayLimits(max_clients=1))
    first, second = world.end(), world.end()
    assert isinstance(world.log_in(first)[1], PathStands)
    assert isinstance(world.log_in(second, "bob")[1], LoginFailed)
    assert isinstance(world.log_in(first)[1], PathStands)


@pytest.mark.parametrize("value", [b"x", b"-1", b"1.5", b""])
def test_a_time_that_is_none_is_refused(value: bytes) -> None:
    world = World()
    end = world.end()
    world.send(end, auth())
    challenges = end.one().headers[b"www-authenticate"].decode()
    answer = RelayPassword("alice", "wonderland", lambda: "c").answer(challenges, TO.decode())
    world.send(end, auth(b"Expires: " + value, b"Authorization: " + answer.encode()))
    assert end.one().status == 400
