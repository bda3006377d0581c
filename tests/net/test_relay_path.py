"""A path through a relay: granted, used, lost; the relay is ours, over real sockets."""

import pytest
import trio
import trio.testing

from sylk.errors import TransportError
from sylk.msrp.events import Bound, Closed, SessionEvent
from sylk.msrp.session import MsrpSession
from sylk.msrp.uri import MsrpURI, render_path
from sylk.net.msrp_link import MsrpLink
from sylk.net.msrp_port import MsrpPort
from sylk.net.msrp_settings import MsrpPortSettings
from tests.net.relays import HOST, account, relay_port, running

PATIENCE = 20.0
PLAIN = MsrpPortSettings(host=HOST, port=0)


class User:
    """Who owns a session."""

    def __init__(self) -> None:
        self.is_full = False
        self.events, self._receive = trio.open_memory_channel[SessionEvent](100)

    def attached(self, link: MsrpLink) -> None:
        assert link.sessions

    def receive(self, event: SessionEvent) -> None:
        self.events.send_nowait(event)

    async def wait_for_room(self) -> None:
        await trio.lowlevel.checkpoint()

    async def next(self) -> SessionEvent:
        return await self._receive.receive()


def own_uri(port: MsrpPort) -> MsrpURI:
    host, number = dict(port.listening)["tcp"]
    return MsrpURI(False, None, host, number, port.registry.new_session_id())


@pytest.mark.parametrize("active", [True, False])
async def test_a_session_behind_the_relay_meets_one_that_is_not(active: bool) -> None:
    with trio.fail_after(PATIENCE):
        async with relay_port() as relay, running(PLAIN) as mine, running(PLAIN) as theirs:
            path = await mine.reserve(account(relay), own_uri(mine))
            assert len(path.path) == 2
            ours = MsrpSession(path.path, active=active)
            other = MsrpSession((own_uri(theirs),), active=not active)
            ours.remote_path, other.remote_path = other.local_path, ours.local_path
            user, other_user = User(), User()
            mine.add(ours, user)
            theirs.add(other, other_user)
            if active:
                await mine.connect(ours)
            else:
                await theirs.connect(other)
            assert isinstance(await user.next(), Bound)
            assert isinstance(await other_user.next(), Bound)
            link = path.link
            mine.remove(ours)
            assert link is not None
            assert link.is_kept, "another session may follow"
            mine.give_back(path)
            await trio.testing.wait_all_tasks_blocked()
            assert path.link is None


async def test_a_session_ends_with_its_relay() -> None:
    with trio.fail_after(PATIENCE):
        async with running(PLAIN) as mine, running(PLAIN) as theirs:
            async with relay_port() as relay:
                path = await mine.reserve(account(relay), own_uri(mine))
                ours = MsrpSession(path.path, active=True)
                other = MsrpSession((own_uri(theirs),), active=False)
                ours.remote_path, other.remote_path = other.local_path, ours.local_path
                user = User()
                mine.add(ours, user)
                theirs.add(other, User())
                await mine.connect(ours)
                assert isinstance(await user.next(), Bound)
            while not isinstance(await user.next(), Closed):
                pass
            again = MsrpSession(path.path, active=True)
            again.remote_path = other.local_path
            with pytest.raises(TransportError, match="the relay has closed"):
                await mine.connect(again)
            mine.give_back(path)


async def test_a_refusal_is_told() -> None:
    with trio.fail_after(PATIENCE):
        async with relay_port() as relay, running(PLAIN) as mine:
            with pytest.raises(TransportError, match=r"the relay 127\.0\.0\.1: 401"):
                await mine.reserve(account(relay, password="wrong"), own_uri(mine))


async def test_a_server_that_is_no_relay_is_told() -> None:
    with trio.fail_after(PATIENCE):
        async with running(PLAIN) as server, running(PLAIN) as mine:
            with pytest.raises(TransportError, match="501"):
                await mine.reserve(account(server), own_uri(mine))


async def test_a_relay_that_closes_is_told() -> None:
    with trio.fail_after(PATIENCE):
        async with running(PLAIN) as mine:
            (listener,) = await trio.open_tcp_listeners(0, host=HOST)
            uri = MsrpURI(False, None, HOST, listener.socket.getsockname()[1], "")
            async with listener, trio.open_nursery() as nursery:

                async def hang_up() -> None:
                    stream = await listener.accept()
                    # What is not read would make of the end a reset.
                    await stream.receive_some()
                    await stream.aclose()

                nursery.start_soon(hang_up)
                asked = account(mine)
                asked.uri = uri
                with pytest.raises(TransportError, match="the peer closed the connection"):
                    await mine.reserve(asked, own_uri(mine))


async def test_the_path_is_in_the_order_of_the_sdp() -> None:
    with trio.fail_after(PATIENCE):
        async with relay_port() as relay, running(PLAIN) as mine:
            own = own_uri(mine)
            path = await mine.reserve(account(relay), own)
            assert render_path(path.path).endswith(f";tcp {own}")
            mine.give_back(path)
