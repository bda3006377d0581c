"""A relay with connections that are nothing but bytes, for the tests of its parts and the whole."""

import itertools

from sylk.call.relay_digest import RelayDigest, RelayPassword
from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import SEND, Frame, render_request, render_response
from sylk.msrp.parser import FrameParser, Limits
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay import Relay
from sylk.msrp.relay_events import ConnectWanted, RelayEvent
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_login import LoginFailed, PathStands, RelayLogin
from sylk.msrp.uri import MsrpURI
from sylk.sip.digest import PASSWORD_ALGORITHMS, StoredUser, hash_password
from sylk.sip.source_limits import TokenBuckets

GUESSES = 4
"""Wrong passwords that one source may give in a minute."""
REALM = "example.com"
PASSWORDS = {"alice": "wonderland", "bob": "builder"}
RELAY_URI = MsrpURI.parse("msrps://relay.example.com:2856;tcp")
FAR = b"msrps://far.example.net:9000/far;tcp"


def find_user(username: str, realm: str) -> StoredUser | None:
    password = PASSWORDS.get(username)
    if password is None or realm != REALM:
        return None
    digests = {name: hash_password(username, realm, password, name) for name in PASSWORD_ALGORITHMS}
    return StoredUser(digests)


class End:
    """One connection of a relay, seen from the other side; `frames` is what has come out of it."""

    def __init__(self, link: MsrpConnection) -> None:
        self.link = link
        self.frames: list[Frame] = []
        # A body is seen as soon as it comes.
        self._parser = FrameParser(Limits(max_held=512))

    def read(self) -> list[Frame]:
        """Return what has come since the last time."""
        self._parser.receive_data(self.link.data_to_send())
        while (frame := self._parser.next_event()) is not None:
            self.frames.append(frame)
        frames, self.frames = self.frames, []
        return frames

    def one(self) -> Frame:
        (frame,) = self.read()
        return frame


class World:
    """A relay, the connections to it and those from it."""

    def __init__(
        self, limits: RelayLimits | None = None, *, allows_clear: bool = False, host: str = "relay"
    ) -> None:
        self.now = 0.0
        self.registry = SessionRegistry()
        tokens = itertools.count(1)
        self.digest = RelayDigest(
            REALM,
            find_user,
            random_token=lambda: f"{host}-random-{next(tokens):08d}",
            guesses=TokenBuckets(GUESSES / 60, GUESSES),
        )

        def write_path(session_id: str, *, secure: bool) -> str:
            scheme = "msrps" if secure else "msrp"
            return f"{scheme}://{host}.example.com:2856/{session_id};tcp"

        self.relay = Relay(
            self.registry,
            self.digest,
            write_path,
            lambda: f"{host}-path-{next(tokens):08d}",
            limits,
            allows_clear=allows_clear,
        )

    def end(self, *, secure: bool = True, source: str = "") -> End:
        """Let somebody connect; limits hold for who has a `source`."""
        link = MsrpConnection(self.registry, secure=secure, taker=self.relay)
        link.source = source
        return End(link)

    def send(self, end: End, *data: bytes) -> None:
        end.link.receive_data(b"".join(data), self.now)

    def events(self) -> list[RelayEvent]:
        found: list[RelayEvent] = []
        while (event := self.relay.next_event()) is not None:
            found.append(event)
        return found

    def connected(self, *, opened: bool = True) -> End:
        """Return the one connection that the relay wants, and let it stand."""
        (wanted,) = [event for event in self.events() if isinstance(event, ConnectWanted)]
        if opened:
            self.relay.opened(wanted.link)
        return End(wanted.link)

    def log_in(
        self,
        end: End,
        user: str = "alice",
        *,
        own: str = "msrps://client.example.org:1/own;tcp",
        password: str | None = None,
        expires: int | None = None,
    ) -> tuple[RelayLogin, PathStands | LoginFailed]:
        """Ask for a path; the login plays the client on its own connection."""
        login = RelayLogin(
            RELAY_URI,
            MsrpURI.parse(own),
            RelayPassword(user, password or PASSWORDS[user], lambda: "client-nonce"),
            expires,
        )
        client = MsrpConnection(SessionRegistry(), secure=end.link.secure, taker=login)
        login.start(client, self.now)
        outcome = self.exchange(end, client, login)
        assert outcome is not None
        return login, outcome

    def exchange(
        self, end: End, client: MsrpConnection, login: RelayLogin
    ) -> PathStands | LoginFailed | None:
        """Carry AUTH and its answers until nobody has anything to say."""
        while data := client.data_to_send():
            self.send(end, data)
            client.receive_data(end.link.data_to_send(), self.now)
        return login.next_event()

    def client(self, user: str = "alice", name: str = "own") -> tuple[End, bytes, bytes]:
        """Let a client log in; returns its connection, its path and its own URI."""
        end = self.end()
        own = f"msrps://{name}.example.org:1/{name};tcp"
        _, outcome = self.log_in(end, user, own=own)
        assert isinstance(outcome, PathStands)
        self.events()
        return end, str(outcome.path[-1]).encode(), own.encode()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.relay.handle_deadline(self.now)


def send(
    to: bytes,
    back: bytes,
    body: bytes = b"Hi",
    *,
    tid: bytes = b"t1",
    message_id: bytes = b"m1",
    failure: bytes = b"",
    flag: bytes = b"$",
    byte_range: bytes = b"",
    method: bytes = SEND,
) -> bytes:
    headers = [
        (b"Message-ID", message_id),
        (b"Byte-Range", byte_range or b"1-%d/%d" % (len(body), len(body))),
    ]
    if failure:
        headers.append((b"Failure-Report", failure))
    headers.append((b"Content-Type", b"text/plain"))
    return render_request(tid, method, to, back, headers, body, flag)


def open_chunk(to: bytes, back: bytes, *, total: bytes = b"*", failure: bytes = b"") -> bytes:
    """Return the head of a chunk that is to come in pieces."""
    wish = b"Failure-Report: %b\r\n" % failure if failure else b""
    return (
        b"MSRP big1 SEND\r\nTo-Path: %b\r\nFrom-Path: %b\r\nMessage-ID: big\r\n"
        b"Byte-Range: 1-*/%b\r\n%bContent-Type: a/b\r\n\r\n" % (to, back, total, wish)
    )


CHUNK_END = b"\r\n-------big1$\r\n"


def answer(frame: Frame, status: int = 200) -> bytes:
    return render_response(frame, status)


def refuses(world: World, authorization: str, uri: str, source: str) -> int:
    """Return the status with which credentials are refused, 0 if they are not."""
    try:
        world.digest.check(authorization, uri, world.now, source)
    except RemoteProtocolError as error:
        return error.status
    return 0
