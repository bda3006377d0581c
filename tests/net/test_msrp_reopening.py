"""Connections that break and are opened again, over real sockets with a proxy that cuts them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
import trio.testing

from sylk.msrp.events import (
    Bound,
    Closed,
    Detached,
    MessageAccepted,
    MessageFailed,
    MessageReceived,
    Rebound,
    SessionEvent,
)
from sylk.msrp.session import MsrpSession
from sylk.msrp.session_table import SessionState
from sylk.msrp.uri import parse_path
from sylk.net.alarm import AlarmClock
from sylk.net.certificate import ensure_certificate
from sylk.net.connection_limits import ConnectionLimits
from sylk.net.msrp_link import MsrpLink
from sylk.net.msrp_port import MsrpPort
from sylk.net.msrp_reopening import LONGEST_PAUSE
from sylk.net.msrp_settings import MsrpPortSettings
from sylk.net.tls import TlsContexts
from tests.net.cutting_proxy import CuttingProxy, cutting_proxy

RECONNECT = 20.0
SETTINGS = MsrpPortSettings(
    host="127.0.0.1", port=0, reconnect_timeout=RECONNECT, keepalive_interval=600.0
)
PATIENCE = 20.0
DAY = 86400.0
TEXT = b"text/plain"


class User:
    """Who owns a session: it takes each message and writes down what it is told."""

    def __init__(self, session: MsrpSession) -> None:
        self.session = session
        self.link: MsrpLink | None = None
        self.links = 0
        self.is_full = False
        self.bodies: list[bytes] = []
        self.accepted: list[bytes] = []
        self.failed: list[bytes] = []
        self.rebound = 0
        self.closed = ""
        self._change = trio.Event()

    def attached(self, link: MsrpLink) -> None:
        self.link = link
        self.links += 1

    def receive(self, event: SessionEvent) -> None:
        match event:
            case MessageReceived(message):
                self.bodies.append(message.body)
                self.session.accept(message)
            case MessageAccepted(message_id):
                self.accepted.append(message_id)
            case Detached():
                self.link = None
            case Rebound():
                self.rebound += 1
            case Closed(reason):
                self.link = None
                self.closed = reason
            case MessageFailed(message_id):
                self.failed.append(message_id)
            case _:
                assert isinstance(event, Bound)
        self._change.set()

    async def wait_for_room(self) -> None:
        await trio.sleep_forever()

    async def change(self) -> None:
        """Wait for the next event."""
        self._change = trio.Event()
        await self._change.wait()

    async def until(self, *, rebound: int = 0, accepted: int = 0) -> None:
        """Wait until it was bound so often again, and so much was accepted, or it is closed."""
        while (self.rebound < rebound or len(self.accepted) < accepted) and not self.closed:
            await self.change()

    def say(self, text: bytes) -> bytes:
        message_id = self.session.send_message(text, TEXT, trio.current_time())
        if self.link is not None:
            self.link.flush()
        return message_id


@dataclass
class Talk:
    """Two ports with one session between them, over a proxy."""

    ours: MsrpPort
    theirs: MsrpPort
    proxy: CuttingProxy
    active: User
    passive: User

    async def say_all(self, speaker: User, hearer: User, count: int) -> None:
        """Say so much, one after the other, and wait until all of it is known to have come."""
        ids: list[bytes] = []
        for number in range(count):
            ids.append(speaker.say(b"%d" % number))
            await trio.lowlevel.checkpoint()
        await speaker.until(accepted=count)
        assert speaker.accepted == ids
        assert hearer.bodies == [b"%d" % number for number in range(count)]


def make_user(port: MsrpPort, name: str, *, active: bool, secure: bool = False) -> User:
    host, number = port.path_address("127.0.0.1", secure=secure)
    scheme = "msrps" if secure else "msrp"
    path = parse_path(f"{scheme}://{host}:{number}/{name};tcp")
    limits = port.settings.session_limits(streams=False)
    user = User(MsrpSession(path, active=active, limits=limits))
    port.add(user.session, user)
    return user


@asynccontextmanager
async def talking(
    tls: TlsContexts | None = None,
    *,
    patience: float = PATIENCE,
    theirs: MsrpPortSettings = SETTINGS,
) -> AsyncGenerator[Talk]:
    """Let two sessions be bound to each other; with `tls` over TLS with a fingerprint."""
    secure = tls is not None
    clock = AlarmClock()
    ports = [
        MsrpPort(replace(one, tls_port=0 if secure else None), clock, tls)
        for one in (SETTINGS, theirs)
    ]
    with trio.fail_after(patience):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.run)
            for port in ports:
                await nursery.start(port.run)
            target = dict(ports[1].listening)["tls" if secure else "tcp"]
            async with cutting_proxy(target) as proxy:
                active = make_user(ports[0], "a", active=True, secure=secure)
                passive = make_user(ports[1], "b", active=False, secure=secure)
                active.session.remote_path = passive.session.local_path
                passive.session.remote_path = active.session.local_path
                fingerprints = () if tls is None else (tls.fingerprint(),)
                await ports[0].connect(active.session, fingerprints, proxy.address)
                while active.link is None or passive.link is None:
                    await trio.lowlevel.checkpoint()
                yield Talk(ports[0], ports[1], proxy, active, passive)
                for user, port in zip((active, passive), ports, strict=True):
                    port.remove(user.session)
            nursery.cancel_scope.cancel()


@pytest.fixture
def jumping(autojump_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    """A clock that jumps once the sockets have been quiet for a moment of real time."""
    autojump_clock.autojump_threshold = 0.02
    return autojump_clock


@pytest.fixture
def tls(tmp_path: Path) -> TlsContexts:
    files = ensure_certificate(tmp_path / "tls", ["server.test"], ["127.0.0.1"], datetime.now(UTC))
    return TlsContexts(files.certificate, files.private_key)


@pytest.mark.parametrize("is_secure", [False, True])
@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("speaks", ["active", "passive"])
@pytest.mark.parametrize("cut", ["messages", "answers"])
async def test_what_is_said_comes_once_wherever_the_connection_breaks(
    tls: TlsContexts, is_secure: bool, resets: bool, speaks: str, cut: str
) -> None:
    async with talking(tls if is_secure else None) as talk:
        talk.proxy.resets = resets
        speaker, hearer = talk.active, talk.passive
        if speaks == "passive":
            speaker, hearer = hearer, speaker
        # What is cut off: messages on their way, or the answers to messages that have come.
        if (speaks == "active") == (cut == "messages"):
            talk.proxy.upward = 1000
        else:
            talk.proxy.downward = 1000
        await talk.say_all(speaker, hearer, 30)
        assert talk.active.rebound == talk.passive.rebound == 1
        assert talk.active.links == talk.passive.links == 2


async def test_it_may_break_again_and_again(jumping: trio.testing.MockClock) -> None:
    async with talking(patience=DAY) as talk:
        for number in range(20):
            talk.active.say(b"to %d" % number)
            talk.passive.say(b"back %d" % number)
            talk.proxy.cut()
            for user in (talk.active, talk.passive):
                await user.until(rebound=number + 1)
        for user in (talk.active, talk.passive):
            await user.until(accepted=20)
        assert talk.passive.bodies == [b"to %d" % number for number in range(20)]
        assert talk.active.bodies == [b"back %d" % number for number in range(20)]


async def test_a_side_that_has_not_noticed_is_asked_and_makes_room(
    jumping: trio.testing.MockClock,
) -> None:
    async with talking(patience=DAY) as talk:
        talk.proxy.keeps_upstream = True
        begun = trio.current_time()
        talk.proxy.cut()
        talk.passive.say(b"into the void")
        await talk.active.until(rebound=1)
        assert 5.0 <= trio.current_time() - begun <= 5.0 + LONGEST_PAUSE + 1
        while not talk.active.bodies:
            await talk.active.change()
        assert talk.active.bodies == [b"into the void"]


async def test_the_time_to_come_back_is_bounded_on_both_sides(
    jumping: trio.testing.MockClock,
) -> None:
    async with talking(patience=DAY) as talk:
        talk.proxy.is_refusing = True
        begun = trio.current_time()
        talk.proxy.cut()
        for user in (talk.active, talk.passive):
            while not user.closed:
                await user.change()
            assert user.closed.endswith("and there was no other connection in time")
        assert trio.current_time() - begun == pytest.approx(RECONNECT, abs=0.5)
        assert len(talk.theirs.registry) == 0
        # About as many attempts as pauses fit in, and none after that.
        count = talk.proxy.count
        assert 4 <= count <= 16
        await trio.sleep(100)
        assert talk.proxy.count == count


async def test_a_network_that_comes_back_in_time_is_enough(
    jumping: trio.testing.MockClock,
) -> None:
    async with talking(patience=DAY) as talk:
        talk.proxy.is_refusing = True
        talk.proxy.cut()
        await trio.sleep(RECONNECT - LONGEST_PAUSE - 1)
        talk.proxy.is_refusing = False
        await talk.say_all(talk.active, talk.passive, 3)


async def test_a_peer_that_breaks_off_each_time_is_not_run_after(
    jumping: trio.testing.MockClock,
) -> None:
    async with talking(patience=DAY) as talk:
        begun = trio.current_time()
        while trio.current_time() - begun < 60:
            talk.proxy.cut()
            await talk.active.until(rebound=talk.active.rebound + 1)
        assert not talk.active.closed
        # The pauses are of LONGEST_PAUSE soon, or half of it by chance.
        assert talk.proxy.count <= 2 * 60 / LONGEST_PAUSE + 10


async def test_who_has_too_many_connections_open_cannot_come_back(
    jumping: trio.testing.MockClock,
) -> None:
    limits = ConnectionLimits(100, max_per_source=1)
    async with talking(patience=DAY, theirs=replace(SETTINGS, connections=limits)) as talk:
        talk.proxy.cut()
        await talk.active.until(rebound=1)
        assert talk.passive.rebound == 1
        talk.proxy.keeps_upstream = True
        # The old connection counts until it is known to be dead.
        begun = trio.current_time()
        talk.proxy.cut()
        await talk.active.until(rebound=2)
        assert talk.active.closed
        assert trio.current_time() - begun == pytest.approx(RECONNECT, abs=0.5)


async def test_who_reads_nothing_is_let_go_and_not_waited_for() -> None:
    async with talking(theirs=replace(SETTINGS, outbox_limit=10_000)) as talk:
        link = talk.passive.link
        assert link is not None
        talk.active.is_full = True
        for _ in range(1000):
            if talk.passive.session.state is SessionState.CLOSED:
                break
            talk.passive.say(bytes(100_000))
            await trio.lowlevel.checkpoint()
        while not talk.passive.closed:
            await talk.passive.change()
        assert talk.passive.closed.startswith("too slow")
        assert talk.passive.failed
