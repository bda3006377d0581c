"""Who comes in while others talk hears what was said before and is said now, without a seam."""

from pathlib import Path

import trio

from tests.peers import PATIENCE, Caller, running_server

LINES = 50
"""How many of them one listens to who has come in."""
VISITS = 12


async def lines(caller: Caller) -> list[int]:
    """Return the numbers of the next lines."""
    numbers: list[int] = []
    while len(numbers) < LINES:
        numbers.append(int((await caller.hear()).text))
    return numbers


async def test_history_and_talk_are_one_row_of_lines(tmp_path: Path) -> None:
    settings = {
        "Conference": {"history": "yes", "message_rate": 0},
        "Server": {"spool_dir": tmp_path / "spool"},
    }
    async with (
        running_server(settings) as server,
        Caller(server, "alice", transport="tcp") as alice,
    ):
        await alice.join()

        async def talk() -> None:
            number = 0
            while True:
                await alice.say(str(number))
                number += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            for number in range(VISITS):
                # Some have never been here, the others come back to what they have missed.
                async with Caller(server, f"bob{number % 8}", transport="tcp") as bob:
                    with trio.fail_after(PATIENCE):
                        await bob.join()
                        heard = await lines(bob)
                        assert heard == list(range(heard[0], heard[0] + LINES))
                        assert (await bob.bye()).status == 200
            nursery.cancel_scope.cancel()
