"""What who watches MSRP is shown: the bytes of both directions, and the calls of the sessions."""

from sylk.msrp.events import MessageReceived
from sylk.net.msrp_watch import SessionCall, WatchedLink
from tests.net.test_msrp_port import bound_pair, running, say

CALL = SessionCall("call", "sip:lobby@example.com", "sip:alice@example.com")


async def test_all_that_is_read_and_written_is_shown_in_order() -> None:
    seen: list[tuple[bool, bytes, WatchedLink]] = []

    def take(received: bool, data: bytes, link: WatchedLink) -> None:
        seen.append((received, data, link))

    async with running() as ours, running() as theirs:
        active, passive = await bound_pair(ours, theirs)
        theirs.port.watch.trace = take
        say(active, b"words")
        assert isinstance(await passive.next(), MessageReceived)
        await active.next()
        theirs.port.watch.trace = None
        say(active, b"nobody watches")
        await passive.next()
    (came, frame, link), (came_too, answer, same) = seen
    assert (came, came_too) == (True, False)
    assert b"words" in frame
    assert b" 200 OK\r\n" in answer
    assert link is same
    assert link.transport == "tcp"
    assert link.local == dict(theirs.port.listening)["tcp"]


async def test_the_call_of_a_session_is_known_as_long_as_the_session_is() -> None:
    async with running() as side:
        user = side.add("one")
        assert side.port.watch.calls == {}
        side.port.remove(user.session)
        side.port.add(user.session, user, CALL)
        assert side.port.watch.calls == {"one": CALL}
        side.port.remove(user.session)
        assert side.port.watch.calls == {}
