"""Points in time in XML bodies: xs:dateTime, which RFC 3339 is the usual part of.

Written in UTC with a `Z`. Read from what others write: any zone, none (taken as UTC), any number
of digits of a second.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from sylk.errors import LocalProtocolError

_DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,30}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))?"
)


def render_date_time(moment: datetime) -> str:
    """Write `moment` in UTC, as `2026-11-21T07:35:47Z`, with microseconds where there are any.

    Raises LocalProtocolError for a time without zone, because what it means is not known.
    """
    if moment.tzinfo is None:
        raise LocalProtocolError("a point in time needs a zone")
    try:
        return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    except OverflowError:
        raise LocalProtocolError("a point in time outside of the years 1 to 9999") from None


def read_date_time(text: str) -> datetime | None:
    """Return the point in time in UTC, None for text that is none. RFC 3339 5.6.

    A leap second is read as the second before it.
    """
    match = _DATE_TIME.fullmatch(text.strip(" \t\r\n"))
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(each) for each in match.group(*range(1, 7)))
    microsecond = int((match[7] or "").ljust(6, "0")[:6])
    zone = UTC
    try:
        if match[8]:
            offset = timedelta(hours=int(match[9]), minutes=int(match[10]))
            zone = timezone(offset if match[8] == "+" else -offset)
        moment = datetime(year, month, day, hour, minute, min(second, 59), microsecond, zone)
        return moment.astimezone(UTC) if second <= 60 else None
    except (ValueError, OverflowError):
        return None
