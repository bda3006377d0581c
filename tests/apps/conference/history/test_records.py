"""A visit whose beginning somebody waits for."""

import trio
import trio.testing
from sylk_conference.history import Visit


async def test_all_who_wait_for_the_beginning_go_on_and_nobody_waits_later() -> None:
    visit = Visit("lobby@x", "alice@x")
    begun = visit.begun
    assert begun is not None
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(begun.wait)
        await trio.testing.wait_all_tasks_blocked()
        visit.begin()
    assert visit.begun is None
    # What ends the wait twice, a disk that fails and then does its part, is no harm.
    visit.begin()
    assert visit.begun is None
