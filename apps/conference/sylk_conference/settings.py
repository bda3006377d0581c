"""The [Conference] section."""

from dataclasses import dataclass
from typing import Literal

from sylk.settings import setting
from sylk_conference.dial_out_settings import DialOutSettings


@dataclass(frozen=True, kw_only=True)
class ConferenceSettings(DialOutSettings):
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
    factory: str = setting(
        "conference-factory",
        "The user part of the address that makes a new room for each who calls it (RFC 4579"
        " section 5.4); empty for none.",
    )
    success_reports: Literal["accepted", "any", "all"] = setting(
        "accepted",
        "When a sender who asks for it is told that his message was delivered: once the room has"
        " accepted it (accepted), once any other participant has it (any), or once all others have"
        " it (all).",
    )
    report_timeout: int = setting(
        30,
        "How long participants may take to tell that they have a message, where that counts. Over"
        " it the sender gets a failure report (408) that names who has not told.",
        unit="seconds",
        minimum=1,
    )
