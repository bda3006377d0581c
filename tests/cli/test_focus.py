"""What is asked of a focus, and with which password; test_room_desk has it understood."""

import pytest
import trio

from sylk.cli.focus import Focus
from sylk.payload.cpim import Address
from sylk.session import Credentials, UserAgent
from sylk.session.user_agent import Watching
from tests.peers import DOMAIN, HOST, PATIENCE, running_endpoint
from tests.session.notifiers import Notifier
from tests.session.wire_servers import WireServer, response_to

ALICE = Address(f"sip:alice@{DOMAIN}", "Alice")
CHALLENGE = 'WWW-Authenticate: Digest realm="example.com", nonce="n"'


@pytest.mark.parametrize("method", ["SUBSCRIBE", "REFER"])
async def test_a_password_is_given_where_it_is_asked_for(method: str) -> None:
    async with WireServer() as server, running_endpoint() as endpoint:
        room = f"sip:room@{HOST}:{server.port}"
        focus = Focus(UserAgent(endpoint), room, Credentials("alice", "secret"))
        is_refer = method == "REFER"
        watching = focus.refer(ALICE, "sip:bob@a.test") if is_refer else focus.subscribe(ALICE)
        stands = trio.Event()

        async def ask(watching: Watching) -> None:
            async with watching:
                stands.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, watching)
            first = await server.request(method)
            assert first.start_line == f"{method} {room} SIP/2.0"
            await server.send(response_to(first, "401 Unauthorized", CHALLENGE, tag="n"), first)
            notifier = Notifier(server, await server.request(method))
            assert 'username="alice"' in notifier.subscribe["Authorization"]
            await notifier.accept()
            with trio.fail_after(PATIENCE):
                await stands.wait()
            await notifier.notify("terminated;reason=noresource")
