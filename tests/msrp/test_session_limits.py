"""The bounds of a session, as they stand when nobody sets them."""

from sylk.msrp.session_limits import DEFAULT_LIMITS


def test_nothing_is_handed_on_as_it_comes_unless_it_is_asked_for() -> None:
    assert DEFAULT_LIMITS.stream_above is None


def test_a_message_in_pieces_may_be_larger_than_one_that_is_put_together() -> None:
    assert DEFAULT_LIMITS.max_stream_size > DEFAULT_LIMITS.max_message_size
