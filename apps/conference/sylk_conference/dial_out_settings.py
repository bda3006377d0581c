"""What an operator can say about the calls that rooms make."""

from dataclasses import dataclass

from sylk.settings import setting
from sylk_conference.call_quota import CallQuota


@dataclass(frozen=True, kw_only=True)
class DialOutSettings:
    """The settings of [Conference] for those who are called into rooms."""

    ringing_time: int = setting(
        90,
        "How long it rings at somebody whom a room calls. Over it he is called no more, and who"
        " has asked for it is told 408.",
        unit="seconds",
        minimum=1,
        maximum=180,
    )
    max_ringing: int = setting(
        30,
        "The most people who are being called into one room at one time. Over it a REFER is"
        " refused with 503.",
        unit="calls",
        minimum=0,
    )
    max_recipients: int = setting(
        30,
        "The most people whom one INVITE with a list can have called (RFC 5366). Over it the"
        " INVITE is refused with 403.",
        unit="people",
        minimum=0,
    )
    max_calls_to_one: int = setting(
        5,
        "How often rooms call one person within ten minutes, whoever asks for it. Over it a REFER"
        " is refused with 503.",
        unit="calls",
        minimum=1,
    )
    max_calls_by_one: int = setting(
        100,
        "How many calls one person may ask for within ten minutes. Over it a REFER is refused with"
        " 503.",
        unit="calls",
        minimum=1,
    )

    @property
    def call_quota(self) -> CallQuota:
        """Return a quota by these settings that has counted nothing yet."""
        return CallQuota(self.max_calls_to_one, self.max_calls_by_one)
