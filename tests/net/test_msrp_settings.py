"""What the settings of a port make of its sessions."""

from sylk.net.msrp_settings import MsrpPortSettings


def test_sessions_are_bounded_as_the_port_is() -> None:
    settings = MsrpPortSettings(
        max_message_size=2000,
        stream_above=1000,
        outbox_limit=3000,
        keepalive_interval=7.0,
        reconnect_timeout=5.0,
    )
    limits = settings.session_limits(streams=True)
    assert (limits.max_message_size, limits.stream_above) == (2000, 1000)
    assert (limits.max_kept, limits.reconnect_timeout) == (3000, 5.0)
    assert limits.keepalive_interval == 7.0
    assert settings.session_limits(streams=False).stream_above is None
