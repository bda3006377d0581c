"""The [Conference] section."""

from dataclasses import dataclass

from sylk.settings import setting


@dataclass(frozen=True, kw_only=True)
class ConferenceSettings:
    """What an operator can say about rooms."""

    max_participants: int = setting(
        1000,
        "The most participants in one room. Over it a new one is refused with 486.",
        unit="participants",
        minimum=1,
    )
    max_rooms: int = setting(
        10_000,
        "The most rooms at one time. Over it an INVITE to a new one is refused with 503.",
        unit="rooms",
        minimum=1,
    )
