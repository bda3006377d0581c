"""What is kept of a visit: when its beginning is known."""

import trio
import trio.testing
from sylk_conference.history import Visit


async def test_who_waits_for_the_beginning_of_a_visit_is_let_go_once() -> None:
    visit = Visit("lobby@example.com", "alice@example.com")
    assert visit.begun is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(visit.begun.wait)
        await trio.testing.wait_all_tasks_blocked()
        visit.begin()
    assert visit.begun is None
    visit.begin()
