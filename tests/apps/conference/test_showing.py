"""Earlier messages, to one who reads them in his own time."""

import trio
from sylk_conference.showing import SLICE, show

from sylk.session import Invitation
from tests.peers import PATIENCE, Caller, Scripted, running_server, wrap


async def test_much_is_shown_in_order_and_nobody_is_let_go_for_it() -> None:
    text = b"x" * 10_000
    count = 10 * SLICE // len(text)
    done = trio.Event()

    async def tell(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            bodies = [wrap("a@b", "c@d", b"%d " % n + text) for n in range(count)]
            assert not await show(chat, bodies)
            done.set()
            async for _ in chat:
                pass

    async with (
        # Far less may wait than is shown.
        running_server(application=Scripted(tell), outbox_limit=3 * SLICE) as server,
        Caller(server) as alice,
    ):
        await alice.join(receive_buffer=4096)
        for number in range(count):
            heard = await alice.hear_all()
            assert heard.text.startswith(f"{number} ")
        with trio.fail_after(PATIENCE):
            await done.wait()
