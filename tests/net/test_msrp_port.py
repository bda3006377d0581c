"""Tests of sylk.net.msrp_port, over real sockets on loopback."""

import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
import trio.testing

from sylk.errors import TransportError
from sylk.msrp.events import Bound, Closed, MessageReceived, SessionEvent
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_limits import SessionLimits
from sylk.msrp.uri import parse_path
from sylk.net.alarm import AlarmClock
from sylk.net.certificate import ensure_certificate
from sylk.net.msrp_link import MsrpLink
from sylk.net.msrp_port import MsrpPort
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.tls import TlsContexts

SETTINGS = MsrpPortSettings(host="127.0.0.1", port=0)
TLS_SETTINGS = replace(SETTINGS, tls_port=0)
PATIENCE = 20.0
"""Seconds after which a test that waits in vain fails."""

DAY = 86400.0
"""The same for tests in which the clock jumps."""

TEXT = b"text/plain"
PEER = b"msrp://127.0.0.1:9/peer;tcp"


class User:
    """Who owns a session: it takes each message and writes down what it is told."""

    def __init__(self, session: MsrpSession) -> None:
        self.session = session
        self.links: list[MsrpLink] = []
        self.bodies: list[bytes] = []
        self.has_room = trio.Event()
        self.has_room.set()
        self._send, self._receive = trio.open_memory_channel[SessionEvent](1000)

    @property
    def link(self) -> MsrpLink:
        return self.links[-1]

    def attached(self, link: MsrpLink) -> None:
        self.links.append(link)

    def receive(self, event: SessionEvent) -> None:
        if isinstance(event, MessageReceived):
            self.bodies.append(event.message.body)
            if event.message.body == b"bug":
                raise RuntimeError("a bug")
            self.session.accept(event.message)
        self._send.send_nowait(event)

    @property
    def is_full(self) -> bool:
        return not self.has_room.is_set()

    async def wait_for_room(self) -> None:
        await self.has_room.wait()

    async def next(self) -> SessionEvent:
        return await self._receive.receive()

    async def next_closed(self) -> str:
        """Wait for the end of the session and return its reason."""
        while not isinstance(event := await self.next(), Closed):
            pass
        return event.reason

    @property
    def is_quiet(self) -> bool:
        return self._receive.statistics().current_buffer_used == 0


class Side:
    """One port that runs, with the sessions that it carries."""

    def __init__(self, port: MsrpPort) -> None:
        self.port = port

    def add(
        self,
        name: str,
        *,
        active: bool = False,
        keepalive: float | None = None,
        secure: bool = False,
    ) -> User:
        host, number = self.port.path_address("127.0.0.1", secure=secure)
        scheme = "msrps" if secure else "msrp"
        path = parse_path(f"{scheme}://{host}:{number}/{name};tcp")
        user = User(
            MsrpSession(path, active=active, limits=SessionLimits(keepalive_interval=keepalive))
        )
        self.port.add(user.session, user)
        return user

    async def peer(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*dict(self.port.listening)["tcp"])


@asynccontextmanager
async def running(
    settings: MsrpPortSettings = SETTINGS,
    *,
    patience: float = PATIENCE,
    tls: TlsContexts | None = None,
) -> AsyncGenerator[Side]:
    clock = AlarmClock()
    port = MsrpPort(settings, clock, tls)
    with trio.fail_after(patience):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            await nursery.start(port.run)
            yield Side(port)
            nursery.cancel_scope.cancel()


@pytest.fixture
def jumping(autojump_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    """A clock that jumps once the sockets have been quiet for a moment of real time."""
    autojump_clock.autojump_threshold = 0.01
    return autojump_clock


def introduce(active: User, passive: User) -> None:
    """Tell two sessions of each other's path, as SDP does."""
    active.session.remote_path = passive.session.local_path
    passive.session.remote_path = active.session.local_path


async def bound_pair(ours: Side, theirs: Side, name: str = "a") -> tuple[User, User]:
    active, passive = ours.add(f"{name}1", active=True), theirs.add(f"{name}2")
    introduce(active, passive)
    await ours.port.connect(active.session)
    assert isinstance(await active.next(), Bound)
    assert isinstance(await passive.next(), Bound)
    return active, passive


def say(user: User, text: bytes) -> None:
    user.session.send_message(text, TEXT, trio.current_time())
    user.link.flush()


def frame(user: User, transaction: bytes, body: bytes | None = None) -> bytes:
    """Return a SEND of a peer that is nothing but bytes."""
    user.session.remote_path = parse_path(PEER)
    to_path = str(user.session.local_path[0]).encode()
    head = b"MSRP %s SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: %s\r\n" % (
        transaction,
        to_path,
        PEER,
        transaction,
    )
    if body is None:
        return head + b"-------%s$\r\n" % transaction
    size = len(body)
    return head + b"Byte-Range: 1-%d/%d\r\nContent-Type: text/plain\r\n\r\n%s\r\n-------%s$\r\n" % (
        size,
        size,
        body,
        transaction,
    )


# Sessions


async def test_an_active_session_connects_and_both_can_talk() -> None:
    async with running() as ours, running() as theirs:
        active, passive = await bound_pair(ours, theirs)
        say(active, b"hello")
        await passive.next()
        say(passive, b"and back")
        while not active.bodies:
            await active.next()
        assert passive.bodies == [b"hello"]
        assert active.bodies == [b"and back"]
        assert len(active.links) == len(passive.links) == 1


async def test_the_first_send_may_carry_content() -> None:
    async with running() as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"first", b"hello"))
        assert isinstance(await user.next(), Bound)
        await user.next()
        assert user.bodies == [b"hello"]
        assert b"MSRP first 200" in await stream.receive_some()


async def test_two_sessions_share_a_link() -> None:
    async with running() as side, await side.peer() as stream:
        first, second = side.add("first"), side.add("second")
        await stream.send_all(frame(first, b"aaaa") + frame(second, b"bbbb"))
        answers = await stream.receive_some()
        assert b"MSRP aaaa 200" in answers
        assert b"MSRP bbbb 200" in answers
        assert first.link is second.link
        side.port.remove(first.session)
        await stream.send_all(frame(second, b"cccc", b"still here"))
        assert b"MSRP cccc 200" in await stream.receive_some()
        assert second.bodies == [b"still here"]
        side.port.remove(second.session)
        assert await stream.receive_some() == b""


async def test_a_session_that_was_removed_is_not_found_any_more() -> None:
    async with running() as side, await side.peer() as stream:
        gone, other = side.add("gone"), side.add("other")
        await stream.send_all(frame(gone, b"aaaa") + frame(other, b"bbbb"))
        await stream.receive_some()
        side.port.remove(gone.session)
        side.port.remove(gone.session)
        await stream.send_all(frame(gone, b"cccc", b"anybody?"))
        assert b"MSRP cccc 481" in await stream.receive_some()
        assert gone.bodies == []
        assert not [event for event in await drained(gone) if isinstance(event, Closed)]


async def drained(user: User) -> list[SessionEvent]:
    events: list[SessionEvent] = []
    while not user.is_quiet:
        events.append(await user.next())
    return events


async def test_a_user_that_removes_its_neighbour_while_it_binds() -> None:
    async with running() as side, await side.peer() as stream:
        second = side.add("second")

        class Jealous(User):
            def receive(self, event: SessionEvent) -> None:
                super().receive(event)
                side.port.remove(second.session)

        host, number = side.port.path_address("127.0.0.1")
        session = MsrpSession(parse_path(f"msrp://{host}:{number}/first;tcp"), active=False)
        first = Jealous(session)
        side.port.add(session, first)
        await stream.send_all(frame(first, b"aaaa") + frame(second, b"bbbb"))
        assert b"MSRP aaaa 200" in await stream.receive_some()
        assert len(first.links) == 1
        assert second.links == []


async def test_a_bug_of_one_user_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"aaaa", b"bug") + frame(user, b"bbbb", b"fine"))
        while b"fine" not in user.bodies:
            await user.next()
        assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_a_link_is_not_read_while_its_user_has_no_room() -> None:
    async with running() as side, await side.peer() as stream:
        user = side.add("us")
        user.has_room = trio.Event()
        await stream.send_all(frame(user, b"aaaa", b"one"))
        await stream.receive_some()
        await stream.send_all(frame(user, b"bbbb", b"two"))
        await trio.testing.wait_all_tasks_blocked()
        assert user.bodies == [b"one"]
        user.has_room.set()
        await stream.receive_some()
        assert user.bodies == [b"one", b"two"]


# The end of links


async def test_the_end_of_the_connection_ends_its_sessions() -> None:
    async with running() as side:
        first, second = side.add("first"), side.add("second")
        async with await side.peer() as stream:
            await stream.send_all(frame(first, b"aaaa") + frame(second, b"bbbb"))
            await stream.receive_some()
        for user in (first, second):
            assert await user.next_closed() == "the peer closed the connection"
            side.port.remove(user.session)


async def test_a_reset_ends_its_sessions(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running() as side:
        user = side.add("us")
        async with await side.peer() as stream:
            await stream.send_all(frame(user, b"aaaa"))
            await stream.receive_some()
            linger = b"\1\0\0\0\0\0\0\0"
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert "ECONNRESET" in await user.next_closed()
    assert all(record.levelno <= logging.INFO for record in caplog.records)


def fill(user: User) -> bytes:
    """Send until something has to wait, and return all that was said."""
    said = b""
    while not user.link.outbox.pending:
        text = b"%d" % (len(said) % 10) * 1_000_000
        say(user, text)
        said += text
    return said


async def test_what_waits_is_written_before_the_link_closes() -> None:
    async with running() as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"aaaa"))
        await user.next()
        said = fill(user)
        say(user, b"the last word")
        side.port.remove(user.session)
        got = b""
        async for data in stream:
            got += data
        assert len(got) > len(said)
        assert b"\r\nthe last word\r\n" in got


async def test_a_peer_that_does_not_read_the_rest_is_not_waited_for(
    jumping: trio.testing.MockClock,
) -> None:
    async with running(patience=DAY) as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"aaaa"))
        await user.next()
        fill(user)
        begun = trio.current_time()
        link = user.link
        side.port.remove(user.session)
        with pytest.raises(TransportError):
            await write_until_closed(link)
        assert trio.current_time() - begun == pytest.approx(2.0, abs=0.5)


async def write_until_closed(link: MsrpLink) -> None:
    while True:
        await trio.sleep(0.25)
        link.stream.try_send(b"")


async def test_a_peer_that_reads_nothing_is_given_up() -> None:
    async with running(replace(SETTINGS, outbox_limit=10_000)) as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"aaaa"))
        await user.next()
        for _ in range(100):
            say(user, bytes(100_000))
            if user.link.outbox.pending:
                break
        say(user, bytes(10_000))
        assert (await user.next_closed()).startswith("too slow")


async def test_a_connection_that_names_no_session_is_closed_in_time(
    jumping: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sylk.msrp")
    begun = trio.current_time()
    async with running(patience=DAY) as side, await side.peer() as stream:
        assert await stream.receive_some() == b""
        assert trio.current_time() - begun == pytest.approx(15.0)
    (record,) = caplog.records
    assert record.getMessage().endswith("closed: it named no session")


async def test_a_guess_gets_481_and_no_more_time(jumping: trio.testing.MockClock) -> None:
    begun = trio.current_time()
    async with running(patience=DAY) as side, await side.peer() as stream:
        user = side.add("secret")
        guess = frame(user, b"aaaa").replace(b"/secret;", b"/guess;")
        for _ in range(3):
            await stream.send_all(guess)
            assert b"MSRP aaaa 481" in await stream.receive_some()
            await trio.sleep(4.0)
        assert await stream.receive_some() == b""
        assert trio.current_time() - begun == pytest.approx(15.0)
        assert user.is_quiet


async def test_a_bound_link_may_be_silent(jumping: trio.testing.MockClock) -> None:
    async with running(patience=DAY) as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"aaaa"))
        await stream.receive_some()
        await trio.sleep(10_000)
        await stream.send_all(frame(user, b"bbbb", b"awake"))
        assert b"MSRP bbbb 200" in await stream.receive_some()


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 100_000]
)
async def test_garbage_closes_the_link(garbage: bytes) -> None:
    async with running() as side, await side.peer() as stream:
        await stream.send_all(garbage)
        # It may end with a reset, as what was not read is thrown away.
        with suppress(trio.BrokenResourceError):
            assert await stream.receive_some() == b""


async def test_what_comes_before_garbage_is_answered() -> None:
    async with running() as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"aaaa", b"hello") + b"\0garbage\r\n")
        answer = await stream.receive_some()
        assert b"MSRP aaaa 200" in answer
        assert user.bodies == [b"hello"]
        await user.next_closed()


# Connecting


async def test_what_cannot_be_connected_says_so() -> None:
    async with running() as side:
        user = side.add("us", active=True)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            user.session.remote_path = parse_path(f"msrp://127.0.0.1:{port}/x;tcp")
            with pytest.raises(TransportError, match="Connection refused"):
                await side.port.connect(user.session)
        user.session.remote_path = parse_path("msrps://127.0.0.1:9/x;tcp")
        with pytest.raises(TransportError, match="TLS"):
            await side.port.connect(user.session)
        user.session.remote_path = parse_path("msrp://no-such-host.invalid:9/x;tcp")
        with pytest.raises(TransportError, match="no-such-host"):
            await side.port.connect(user.session)


async def test_each_address_of_a_name_is_tried() -> None:
    """The port is bound on one of the two loopback addresses that a name may have."""
    wildcard = replace(SETTINGS, host="0.0.0.0")
    async with running(wildcard) as ours, running() as theirs:
        active, passive = ours.add("a1", active=True), theirs.add("a2")
        introduce(active, passive)
        port = dict(theirs.port.listening)["tcp"][1]
        active.session.remote_path = parse_path(f"msrp://localhost:{port}/a2;tcp")
        await ours.port.connect(active.session)
        await passive.next()


async def test_a_session_that_was_given_up_while_it_connected() -> None:
    async with running() as ours, running() as theirs:
        active, passive = ours.add("a1", active=True), theirs.add("a2")
        introduce(active, passive)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.port.connect, active.session)
            ours.port.remove(active.session)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert active.links == []
        assert passive.is_quiet


async def test_a_user_that_fails_at_once_stops_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(User):
        def attached(self, link: MsrpLink) -> None:
            raise RuntimeError("a bug")

    async with running() as ours, running() as theirs:
        passive = theirs.add("a2")
        path = parse_path("msrp://127.0.0.1:1/a1;tcp")
        failing = Failing(MsrpSession(path, active=True))
        ours.port.add(failing.session, failing)
        introduce(failing, passive)
        await ours.port.connect(failing.session)
        await failing.next_closed()
        await trio.testing.wait_all_tasks_blocked()
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        await bound_pair(ours, theirs, "b")


async def test_without_a_port_sessions_connect_all_the_same() -> None:
    async with running(replace(SETTINGS, port=None)) as ours, running() as theirs:
        assert ours.port.listening == []
        assert ours.port.path_address("192.0.2.1") == ("192.0.2.1", 9)
        await bound_pair(ours, theirs)


async def test_where_a_peer_finds_us() -> None:
    async with running() as side:
        assert side.port.path_address("192.0.2.1") == (
            "192.0.2.1",
            dict(side.port.listening)["tcp"][1],
        )
    async with running(replace(SETTINGS, advertised_host="203.0.113.1")) as side:
        assert side.port.path_address("192.0.2.1")[0] == "203.0.113.1"


# TLS


def make_contexts(folder: Path, name: str, *, trusts: Path | None = None) -> TlsContexts:
    """Make the certificate of `name`; `trusts` is a file of authorities."""
    files = ensure_certificate(folder / name, [name], ["127.0.0.1"], datetime.now(UTC))
    return TlsContexts(files.certificate, files.private_key, ca_file=trusts)


@pytest.fixture
def tls(tmp_path: Path) -> TlsContexts:
    return make_contexts(tmp_path, "server.test")


def secure_pair(ours: Side, theirs: Side) -> tuple[User, User]:
    active, passive = ours.add("a1", active=True, secure=True), theirs.add("a2", secure=True)
    introduce(active, passive)
    return active, passive


async def test_two_sessions_talk_over_tls(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as ours, running(TLS_SETTINGS, tls=tls) as theirs:
        active, passive = secure_pair(ours, theirs)
        await ours.port.connect(active.session, [tls.fingerprint()])
        assert isinstance(await active.next(), Bound)
        assert isinstance(await passive.next(), Bound)
        text = b"0123456789" * 80_000
        say(active, text)
        while not passive.bodies:
            await passive.next()
        assert passive.bodies == [text]
        assert passive.link.stream.local == dict(theirs.port.listening)["tls"]


async def test_clear_and_tls_have_each_a_port(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as side:
        ports = dict(side.port.listening)
        assert set(ports) == {"tcp", "tls"}
        assert side.port.speaks_tls
        assert side.port.fingerprints == (tls.fingerprint(),)
        assert side.port.path_address("192.0.2.1") == ("192.0.2.1", ports["tcp"][1])
        assert side.port.path_address("192.0.2.1", secure=True) == ("192.0.2.1", ports["tls"][1])


async def test_without_certificate_there_is_no_tls(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS) as side:
        assert set(dict(side.port.listening)) == {"tcp"}
        assert not side.port.speaks_tls
        assert side.port.fingerprints == ()
    async with running(SETTINGS, tls=tls) as side:
        assert not side.port.speaks_tls


async def test_a_port_for_tls_that_is_in_use_closes_the_other(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as side:
        busy = dict(side.port.listening)["tls"][1]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with pytest.raises(TransportError, match=f"{busy}"):
            MsrpPort(replace(TLS_SETTINGS, port=free, tls_port=busy), AlarmClock(), tls)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", free))


async def test_another_certificate_than_announced_is_not_believed(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as ours, running(TLS_SETTINGS, tls=tls) as theirs:
        active, passive = secure_pair(ours, theirs)
        with pytest.raises(TransportError, match="not the one that its SDP names"):
            await ours.port.connect(active.session, ["SHA-256 " + ":".join(["00"] * 32)])
        assert active.links == []
        assert passive.is_quiet


@pytest.mark.parametrize("signed_by", ["server.test", "other.test"])
async def test_without_announcement_the_authorities_decide(
    tls: TlsContexts, tmp_path: Path, signed_by: str
) -> None:
    make_contexts(tmp_path, "other.test")
    authority = tmp_path / signed_by / "self-signed.crt"
    verifying = replace(TLS_SETTINGS, verify_peers=True)
    asking = make_contexts(tmp_path, "client.test", trusts=authority)
    async with running(verifying, tls=asking) as ours, running(TLS_SETTINGS, tls=tls) as theirs:
        active, passive = secure_pair(ours, theirs)
        if signed_by == "server.test":
            await ours.port.connect(active.session)
            assert isinstance(await passive.next(), Bound)
        else:
            with pytest.raises(TransportError, match="not among the trusted ones"):
                await ours.port.connect(active.session)
            # What the session description announces is enough by itself.
            await ours.port.connect(active.session, [tls.fingerprint()])
            assert isinstance(await passive.next(), Bound)


async def test_a_name_that_the_certificate_does_not_have(tls: TlsContexts, tmp_path: Path) -> None:
    authority = tmp_path / "server.test" / "self-signed.crt"
    asking = make_contexts(tmp_path, "client.test", trusts=authority)
    verifying = replace(TLS_SETTINGS, verify_peers=True)
    async with running(verifying, tls=asking) as ours, running(TLS_SETTINGS, tls=tls) as theirs:
        active, _ = secure_pair(ours, theirs)
        number = dict(theirs.port.listening)["tls"][1]
        active.session.remote_path = parse_path(f"msrps://localhost:{number}/a2;tcp")
        with pytest.raises(TransportError, match="localhost"):
            await ours.port.connect(active.session)


async def test_clear_on_the_port_for_tls(
    tls: TlsContexts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(TLS_SETTINGS, tls=tls) as side:
        async with await trio.open_tcp_stream(*dict(side.port.listening)["tls"]) as stream:
            await stream.send_all(b"MSRP abcd SEND\r\n")
            with suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
        (record,) = caplog.records
        assert "does not speak TLS, it began with b'MSRP abcd" in record.getMessage()


async def test_tls_on_the_port_in_clear(tls: TlsContexts) -> None:
    async with running(TLS_SETTINGS, tls=tls) as ours, running(TLS_SETTINGS, tls=tls) as theirs:
        active, _ = secure_pair(ours, theirs)
        number = dict(theirs.port.listening)["tcp"][1]
        active.session.remote_path = parse_path(f"msrps://127.0.0.1:{number}/a2;tcp")
        with pytest.raises(TransportError, match=r"closed the connection|ECONNRESET"):
            await ours.port.connect(active.session)


async def test_a_handshake_that_stops_is_not_waited_for(
    tls: TlsContexts, jumping: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    begun = trio.current_time()
    async with running(TLS_SETTINGS, tls=tls, patience=DAY) as side:
        stream = await trio.open_tcp_stream(*dict(side.port.listening)["tls"])
        await stream.send_all(b"\x16\x03\x01")
        assert await stream.receive_some() == b""
        await stream.aclose()
    assert trio.current_time() - begun == pytest.approx(15.0)
    (record,) = caplog.records
    assert record.getMessage().endswith("no handshake within 15 s")


# Time


async def test_a_peer_that_does_not_answer_a_keep_alive_is_given_up(
    jumping: trio.testing.MockClock,
) -> None:
    async with running(patience=DAY) as side, await side.peer() as stream:
        user = side.add("us", keepalive=60.0)
        await stream.send_all(frame(user, b"aaaa"))
        await stream.receive_some()
        assert b" SEND\r\n" in await stream.receive_some()
        assert await user.next_closed() == "the peer does not answer"
        side.port.remove(user.session)
        assert await stream.receive_some() == b""


async def test_a_session_can_be_settled_before_it_has_a_link() -> None:
    async with running() as side:
        user = side.add("us")
        user.session.await_connection(trio.current_time())
        side.port.settle(user.session)
        assert user.is_quiet
        side.port.remove(user.session)
        side.port.settle(user.session)


async def test_a_write_comes_after_what_the_session_has_queued() -> None:
    async with running() as side, await side.peer() as stream:
        user = side.add("us")
        await stream.send_all(frame(user, b"aaaa"))
        await stream.receive_some()
        user.session.send_message(b"first", TEXT, trio.current_time())
        user.link.write(b"second")
        user.link.write(b"third")
        got = b""
        while b"third" not in got:
            got += await stream.receive_some()
        assert got.index(b"first") < got.index(b"second") < got.index(b"third")
