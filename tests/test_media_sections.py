"""The section of MSRP: what is held whole is less than what passes through."""

from sylk.media_sections import MsrpSettings


def test_what_is_put_together_is_bounded_more_tightly_than_what_is_passed_on() -> None:
    settings = MsrpSettings()
    assert settings.stream_above < settings.max_message_size < settings.max_stream_size


def test_the_queue_of_a_slow_recipient_takes_more_than_one_message_that_is_put_together() -> None:
    settings = MsrpSettings()
    assert settings.outbox_limit > settings.stream_above
