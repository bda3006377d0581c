"""The settings for those who are called into rooms."""

from sylk_conference.dial_out_settings import DialOutSettings


def test_the_quota_is_as_the_settings_say() -> None:
    settings = DialOutSettings(max_calls_to_one=1, max_calls_by_one=2)
    quota = settings.call_quota
    assert quota.take(b"alice@a", b"bob@a", 0.0) is None
    assert quota.take(b"alice@a", b"bob@a", 0.0) is not None
    assert quota.take(b"alice@a", b"carol@a", 0.0) is None
    assert quota.take(b"alice@a", b"dave@a", 0.0) is not None
    # Each server counts for itself.
    assert settings.call_quota.take(b"alice@a", b"bob@a", 0.0) is None
