"""For the tests of applications: a server in this process, and people who call it.

    async def test_it_answers() -> None:
        async with running(WordCounter) as server, server.calling("words", "alice") as alice:
            await alice.say("one two three")
            assert await alice.hear() == "3 words"

The server listens on the loopback address, on ports that the system chooses, and keeps its state in
a folder that is removed at the end. The calls are real: SIP over UDP, MSRP over TCP. The tests
themselves run in trio, by pytest-trio for one.
"""

import re
import socket
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import trio

from sylk.application import Application
from sylk.config import parse_config
from sylk.net.msrp_port import MsrpPortSettings
from sylk.net.sip_transports import SipTransportSettings
from sylk.payload.cpim import Address
from sylk.server import Server
from sylk.server_config import build_config
from sylk.session import Chat, ChatMessage, UserAgent
from sylk.session.endpoint import Endpoint, EndpointSettings
from sylk.sip.core import IncomingRequest
from sylk.sip.message import Response

__all__ = ["HOST", "PATIENCE", "Person", "TestedServer", "running"]

HOST = "127.0.0.1"

PATIENCE = 10.0
"""Seconds for which a test waits for something before it fails with trio.TooSlowError."""

_BUSY_HERE = 486

Settings = Mapping[str, Mapping[str, object]]
"""Section to key to value, as in sylk.ini; `{host}` in a value is host and port of the server."""


class Person:
    """Somebody who is in a call, with a client that knows rooms."""

    def __init__(self, name: str, chat: Chat) -> None:
        self.name = name
        self.chat = chat
        self._messages = aiter(chat)

    async def say(self, text: str) -> None:
        """Send a text."""
        await self.chat.send(text)

    async def hear(self, pattern: str = "") -> str:
        """Return the next text that `pattern` is found in; what comes before it is dropped.

        Raises trio.TooSlowError after PATIENCE, and StopAsyncIteration when the call has ended.
        """
        return (await self.hear_message(pattern)).text

    async def hear_message(self, pattern: str = "") -> ChatMessage:
        """Return the whole message that `hear` would return the text of."""
        with trio.fail_after(PATIENCE):
            while True:
                message = await anext(self._messages)
                if re.search(pattern, message.text):
                    return message


class TestedServer:
    """A server that runs while the test does."""

    __test__ = False  # Its name begins as those of test classes do.

    def __init__(self, server: Server, host: str) -> None:
        self.server = server
        self.host = host
        """Host and port, as they stand in a URI."""

    def uri(self, user: str) -> str:
        """Return the URI by which `user` is called here."""
        return f"sip:{user}@{self.host}"

    @asynccontextmanager
    async def calling(self, user: str, name: str) -> AsyncGenerator[Person]:
        """Have somebody call `user` here, a room or an application, and hang up at the end.

        Raises SessionEnded, with the status, where he is refused.
        """
        settings = EndpointSettings(
            name="Sylk-test",
            sip=SipTransportSettings(host=HOST, udp_port=0, tcp_port=0),
            msrp=MsrpPortSettings(host=HOST, port=0, tls_port=None),
        )

        def refuse(incoming: IncomingRequest) -> None:
            tag = endpoint.core.new_tag()
            response = Response.to_request(incoming.request, _BUSY_HERE, to_tag=tag)
            endpoint.core.respond(incoming.transaction, response, trio.current_time())

        endpoint = Endpoint(settings, refuse)
        async with _plain_errors(), trio.open_nursery() as nursery:
            await nursery.start(endpoint.run)
            call = UserAgent(endpoint).call(
                self.uri(user),
                local=Address(f"sip:{name}@{HOST}", name.capitalize()),
                accept_types=("message/cpim", "text/*"),
                timeout=PATIENCE,
            )
            async with call as chat:
                yield Person(name, chat)
            with trio.move_on_after(PATIENCE):
                await endpoint.wait_calls_over()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def running(
    *applications: type[Application], settings: Settings | None = None
) -> AsyncGenerator[TestedServer]:
    """Run a server with these applications, beside those that are installed.

    Each answers the user of its name, unless application_map in `settings` says otherwise; all else
    is a room, where the conference application is installed.
    """
    port = _free_port()
    host = f"{HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="sylk-") as folder:
        names = [one.name for one in applications]
        sections: dict[str, dict[str, object]] = {
            "Server": {
                "spool_dir": Path(folder),
                "application_map": ", ".join(f"{name}:{name}" for name in names),
            },
            "SIP": {
                "local_ip": HOST,
                "local_udp_port": port,
                "local_tcp_port": port,
                "local_tls_port": "none",
            },
            "MSRP": {"local_ip": HOST, "local_tcp_port": 0, "local_tls_port": "none"},
        }
        for section, values in (settings or {}).items():
            sections.setdefault(section, {}).update(values)
        text = "\n".join(
            line
            for section, values in sections.items()
            for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()))
        )
        raw = parse_config(text.replace("{host}", host))
        server = Server(build_config(raw, {one.name: one for one in applications}))
        async with _plain_errors(), trio.open_nursery() as nursery:
            await nursery.start(server.run)
            yield TestedServer(server, host)
            server.stop.set()


@asynccontextmanager
async def _plain_errors() -> AsyncGenerator[None]:
    """Let the error of a test out as it is, not as the group that nurseries make of it."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise _only(group) from None


def _only(error: BaseException) -> BaseException:
    """Return the one error in a group, and in a group in that; the group if it has more."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    inner = list(group.exceptions)
    return _only(inner[0]) if len(inner) == 1 else group


def _free_port() -> int:
    """Return a port that is free for UDP and TCP both."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind((HOST, 0))
            port: int = udp.getsockname()[1]
            try:
                tcp.bind((HOST, port))
            except OSError:
                continue
            return port
