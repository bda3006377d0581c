"""A room on real sockets, played against a plain model of it by steps that are drawn.

After each step all is quiet: what each client has heard, in which order, what each sender was
answered, and what each subscriber believes must be what the model says. What is said at once has
one order for all.
"""

from typing import get_args

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.apps.conference.room_game import CLIENTS, Step, What, playing

NUMBERS = st.integers(0, CLIENTS - 1)
STEPS = st.builds(
    Step,
    # Without people nothing happens.
    st.sampled_from((*get_args(What), *["join"] * 5)),
    NUMBERS,
    NUMBERS,
    st.integers(0, 12),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(STEPS, min_size=10, max_size=40),
    st.sampled_from(["participants", "moderators"]),
    st.booleans(),
)
def test_a_room_is_what_a_plain_model_of_it_says(
    steps: list[Step], remove: str, partial: bool
) -> None:
    async def play() -> None:
        async with playing(remove, partial=partial) as game:
            for step in steps:
                await game.play(step)
            await game.end()

    # Both sides are here, so that when nothing moves only time can.
    trio.run(play, clock=MockClock(autojump_threshold=0.002))
