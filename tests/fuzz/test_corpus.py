"""Every input that fuzzing has found or began with, through every target."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import MAX_SIZE, TARGETS, check

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_bears_every_input(name: str) -> None:
    assert INPUTS
    for path in INPUTS:
        check(name, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_every_target_bears_any_bytes_and_what_looks_right(name: str, data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(TARGETS[name].words))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(word))] * 2)))
    check(name, (word[:start] + data.draw(st.binary(max_size=40)) + word[end:])[:MAX_SIZE])
