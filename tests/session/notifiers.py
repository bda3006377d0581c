"""A notifier that is not ours, and who subscribes to it with a `UserAgent` of ours."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from sylk.errors import SessionEnded
from sylk.payload.cpim import Address
from sylk.session import Credentials, Notification, UserAgent, Watch
from sylk.session.endpoint import Endpoint
from sylk.session.user_agent import Watching
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import DOMAIN, HOST, PATIENCE, assert_nothing_left, running_endpoint
from tests.session.wire_servers import WireServer, response_to

ROOM = Address(f"sip:lobby@{DOMAIN}")
TEXT = "Content-Type: text/plain"


class Notifier:
    """Says what a test tells it to by the way that a SUBSCRIBE came."""

    def __init__(
        self, server: WireServer, subscribe: SipMessage, tag: str = "n", call_id: str = ""
    ) -> None:
        self.server = server
        self.subscribe = subscribe
        self.tag = tag
        self.to = subscribe["From"]
        self._call_id = call_id or subscribe["Call-ID"]
        self._cseq = 0

    @property
    def contact(self) -> str:
        return f"Contact: <sip:state@{HOST}:{self.server.port}>"

    async def accept(self, *headers: str, request: SipMessage | None = None) -> None:
        fields = headers or ("Expires: 600",)
        request = request or self.subscribe
        answer = response_to(request, "200 OK", self.contact, *fields, tag=self.tag)
        await self.server.send(answer, request)

    async def notify(self, state: str, body: bytes = b"", *headers: str) -> None:
        """Send a NOTIFY; its answer is not waited for."""
        self._cseq += 1
        (event,) = self.subscribe.all("Event") or ["refer"]
        lines = [
            f"NOTIFY {self.subscribe['Contact'].strip('<>')} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{self.server.port};branch=z9hG4bK{secrets.token_hex(8)}",
            "Max-Forwards: 70",
            f"From: {self.subscribe['To']};tag={self.tag}",
            f"To: {self.to}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {self._cseq} NOTIFY",
            f"Event: {event}",
            f"Subscription-State: {state}",
            self.contact,
            *((TEXT,) if body and not any("Content-Type" in line for line in headers) else ()),
            *headers,
            f"Content-Length: {len(body)}",
            "",
            "",
        ]
        await self.server.send("\r\n".join(lines).encode() + body, self.subscribe)


class Watcher:
    """A subscription in the background, with all that it is told."""

    def __init__(self, nursery: trio.Nursery, watching: Watching) -> None:
        self._watching = watching
        self.told: list[Notification] = []
        self.watch: Watch | None = None
        self.end: SessionEnded | None = None
        self.leave = trio.Event()
        self._over = trio.Event()
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        try:
            async with self._watching as self.watch, trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, self.watch, nursery.cancel_scope)
                await self.leave.wait()
                nursery.cancel_scope.cancel()
        except SessionEnded as ended:
            self.end = ended
        self._over.set()

    async def _listen(self, watch: Watch, scope: trio.CancelScope) -> None:
        async for notification in watch:
            self.told.append(notification)
        scope.cancel()

    @property
    def contents(self) -> list[tuple[str, bytes]]:
        return [(one.state, one.content) for one in self.told]

    async def over(self) -> None:
        with trio.fail_after(200 if is_jumping() else PATIENCE):
            await self._over.wait()


def is_jumping() -> bool:
    return isinstance(trio.lowlevel.current_clock(), MockClock)


def subscribe(
    endpoint: Endpoint,
    to: str,
    credentials: Credentials | None = None,
    max_forks: int = 0,
    expires: int = 600,
) -> Watching:
    return UserAgent(endpoint).subscribe(
        to,
        local=ROOM,
        event="conference",
        accept=("text/plain", "text/html"),
        expires=expires,
        max_forks=max_forks,
        credentials=credentials,
    )


@asynccontextmanager
async def subscribing(
    max_forks: int = 0,
) -> AsyncGenerator[tuple[Endpoint, WireServer, Watcher, Notifier]]:
    """Subscribe, and return all who take part; nothing is answered yet."""
    async with (
        running_endpoint() as endpoint,
        WireServer() as server,
        trio.open_nursery() as nursery,
    ):
        to = f"sip:state@{HOST}:{server.port}"
        watcher = Watcher(nursery, subscribe(endpoint, to, max_forks=max_forks))
        notifier = Notifier(server, await server.request("SUBSCRIBE"))
        yield endpoint, server, watcher, notifier
        nursery.cancel_scope.cancel()


async def statuses(server: WireServer, count: int) -> list[int]:
    """Return the status of each of our answers to `count` NOTIFYs."""
    return [(await server.response("NOTIFY")).status for _ in range(count)]


async def finish(server: WireServer, notifier: Notifier, endpoint: Endpoint) -> SipMessage:
    """Take the goodbye of a subscriber, and say the last word."""
    goodbye = await server.request("SUBSCRIBE")
    assert goodbye["Expires"] == "0"
    await notifier.accept("Expires: 0", request=goodbye)
    await notifier.notify("terminated;reason=timeout")
    await assert_nothing_left(endpoint)
    return goodbye
