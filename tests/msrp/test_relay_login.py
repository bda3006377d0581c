"""The client's way into a relay, against answers of every kind."""

import pytest

from sylk.call.relay_digest import RelayPassword
from sylk.errors import LocalProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame
from sylk.msrp.parser import FrameParser
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_login import (
    ANSWER_TIMEOUT,
    TRANSITIONS,
    LoginAction,
    LoginFailed,
    LoginInput,
    LoginState,
    PathStands,
    RelayLogin,
)
from sylk.msrp.uri import MsrpURI, render_path
from tests.msrp.relay_world import RELAY_URI, World

CHALLENGE = b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
STALE = CHALLENGE + b", stale=true"
PATH = b"msrps://relay.example.com:2856/token;tcp"
OWN = MsrpURI.parse("msrps://me.example.org:1/own;tcp")


class Client:
    """A login, and the relay as bytes."""

    def __init__(self, expires: int | None = None) -> None:
        self.login = RelayLogin(
            RELAY_URI, OWN, RelayPassword("alice", "secret", lambda: "c"), expires
        )
        self.link = MsrpConnection(SessionRegistry(), taker=self.login)
        self._parser = FrameParser()
        self.asked: Frame | None = None
        self.login.start(self.link, 0.0)
        self.read()

    def read(self) -> Frame | None:
        """Return what the client asks, None for nothing."""
        self._parser.receive_data(self.link.data_to_send())
        self.asked = self._parser.next_event() or self.asked
        return self.asked

    def answer(self, status: int, *lines: bytes, now: float = 0.0) -> Frame | None:
        assert self.asked is not None
        tid = self.asked.transaction_id
        text = b"".join(line + b"\r\n" for line in lines)
        self.link.receive_data(
            b"MSRP %b %d X\r\nTo-Path: a\r\nFrom-Path: b\r\n%b-------%b$\r\n"
            % (tid, status, text, tid),
            now,
        )
        self.asked = None
        return self.read()


@pytest.mark.parametrize("state", LoginState)
@pytest.mark.parametrize("login_input", LoginInput)
def test_the_table_leads_to_a_path_or_to_the_end(
    state: LoginState, login_input: LoginInput
) -> None:
    found = TRANSITIONS.get((state, login_input))
    if found is None:
        return
    action, after = found
    assert (action is LoginAction.TAKE) == (after is LoginState.STANDS)
    assert after not in (LoginState.FAILED, LoginState.IDLE)


def test_the_first_request_is_plain() -> None:
    client = Client(expires=600)
    asked = client.asked
    assert asked is not None
    assert (asked.method, asked.to_path) == (b"AUTH", str(RELAY_URI).encode())
    assert asked.from_path == str(OWN).encode()
    assert asked.headers == {b"expires": b"600"}
    with pytest.raises(LocalProtocolError):
        client.login.start(client.link, 0.0)


def test_a_challenge_is_answered_and_a_stale_nonce_once_more() -> None:
    client = Client()
    for line in (CHALLENGE, STALE):
        asked = client.answer(401, line)
        assert asked is not None
        assert b'response="' in asked.headers[b"authorization"]
        assert b"nc=00000001" in asked.headers[b"authorization"]
    assert client.answer(401, STALE) is None
    assert client.login.next_event() == LoginFailed(401, "X")
    assert client.login.state is LoginState.FAILED


def test_a_password_that_is_refused_is_not_tried_again() -> None:
    client = Client()
    client.answer(401, CHALLENGE)
    assert client.answer(401, CHALLENGE) is None
    assert client.login.next_event() == LoginFailed(401, "X")
    assert client.login.next_deadline() is None


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (403, []),
        (501, []),
        (200, []),
        (200, [b"Use-Path: nonsense"]),
        (200, [b"Use-Path: msrps://relay.example.com:1;tcp"]),
        (401, []),
        (401, [b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth-int"']),
        (401, [b'WWW-Authenticate: Basic realm="r"']),
        (423, []),
    ],
)
def test_an_answer_without_use_is_the_end(status: int, lines: list[bytes]) -> None:
    client = Client()
    client.answer(status, *lines)
    assert isinstance(client.login.next_event(), LoginFailed)
    assert client.login.path == ()


def test_a_relay_that_does_not_know_the_password_is_not_believed() -> None:
    client = Client()
    client.answer(401, CHALLENGE)
    client.answer(200, b"Use-Path: " + PATH, b'Authentication-Info: rspauth="00", qop=auth')
    assert isinstance(client.login.next_event(), LoginFailed)


def test_a_relay_of_ours_lets_it_in() -> None:
    world = World()
    login, outcome = world.log_in(world.end(), expires=100)
    assert isinstance(outcome, PathStands)
    assert login.path == outcome.path
    assert login.next_deadline() == 75


def test_more_time_is_asked_for_over_the_path_itself() -> None:
    client = Client()
    client.answer(200, b"Use-Path: " + PATH, b"Expires: 100", now=10.0)
    stands = client.login.next_event()
    assert isinstance(stands, PathStands)
    assert render_path(stands.path) == PATH.decode()
    assert client.login.next_deadline() == 85
    client.login.handle_deadline(84.9)
    assert client.read() is None
    client.login.handle_deadline(85)
    asked = client.read()
    assert asked is not None
    assert asked.to_path == PATH
    client.answer(200, b"Use-Path: " + PATH, b"Expires: 200", now=85.0)
    assert client.login.next_event() == PathStands(stands.path, 200)
    client.login.handle_deadline(235)
    client.read()
    client.answer(200, b"Use-Path: " + PATH.replace(b"token", b"other"), now=235.0)
    assert isinstance(client.login.next_event(), LoginFailed)


def test_silence_is_the_end_after_its_time() -> None:
    client = Client()
    assert client.login.next_deadline() == ANSWER_TIMEOUT
    client.login.handle_deadline(ANSWER_TIMEOUT - 1)
    assert client.login.next_event() is None
    client.login.handle_deadline(ANSWER_TIMEOUT)
    assert client.login.next_event() == LoginFailed(0, "the relay does not answer")
    client.answer(200, b"Use-Path: " + PATH)
    assert client.login.path == ()


def test_what_answers_nothing_is_left_to_others() -> None:
    client = Client()
    client.link.receive_data(
        b"MSRP other 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n-------other$\r\n", 0.0
    )
    assert client.login.next_event() is None
    assert client.link.ignored_frames == 1
