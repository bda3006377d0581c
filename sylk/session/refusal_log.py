"""The lines of the log about SIP requests that were refused: one each, unless they are too many."""

import logging

from sylk.errors import RemoteProtocolError
from sylk.log import LoggingCall
from sylk.net.refusal_lines import LINES_A_MINUTE, RefusalLines
from sylk.sip.events import Refused
from sylk.sip.flow import show_address

logger = logging.getLogger("sylk.session")

_METHOD_LIMIT = 32
_URI_LIMIT = 200
_REASON_LIMIT = 400
"""Characters that are shown of what a peer may make as long as a message."""


class RefusalLog:
    """Writes about refusals, about each source no more than so many lines a minute."""

    def __init__(self, lines_a_minute: int = LINES_A_MINUTE) -> None:
        self._lines = RefusalLines(logger, lines_a_minute)

    def write(self, refused: Refused, now: float) -> None:
        """Write about one refusal, or count it."""
        _write(self._lines.level_for(refused.flow.remote[0], now), refused)


def _write(level: int, refused: Refused) -> None:
    source = show_address(refused.flow.remote)
    status, reason = refused.status, _cut(refused.reason, _REASON_LIMIT)
    request = refused.request
    try:
        known = None if request is None else (request.call_id, request.from_.uri)
    except RemoteProtocolError:
        known = None
    if request is None or known is None:
        logger.log(level, "refused from %s with %d: %s", source, status, reason)
        return
    call_id, sender = known
    with LoggingCall(call_id):
        logger.log(
            level,
            "refused %s from %s (%s) to %s with %d: %s",
            _cut(request.method, _METHOD_LIMIT),
            _cut(str(sender), _URI_LIMIT),
            source,
            _cut(str(request.uri), _URI_LIMIT),
            status,
            reason,
        )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
