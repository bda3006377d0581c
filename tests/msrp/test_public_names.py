"""The public names are there, and nothing that one of them gives or takes is missing."""

from typing import get_args

import sylk.msrp


def test_every_public_name_exists_and_is_sorted() -> None:
    names = sylk.msrp.__all__
    assert names == sorted(names, key=lambda name: (name.islower(), name))
    assert all(hasattr(sylk.msrp, name) for name in names)


def test_every_event_is_public() -> None:
    assert {event.__name__ for event in get_args(sylk.msrp.SessionEvent)} <= set(sylk.msrp.__all__)
