"""How much the log says about what was refused: so many lines a minute about each source.

Whoever sends noise must not fill the disk with it, nor hide in it what an operator looks for. What
comes beyond that is counted: the next line about anybody is preceded by one that tells how many
were left out. With the log at `debug` each has its line all the same.
"""

import logging

from sylk.sip.source_limits import TokenBuckets, source_of

LINES_A_MINUTE = 100

_MINUTE = 60.0


class RefusalLines:
    """Decides how loudly refusals are told to one logger."""

    def __init__(self, logger: logging.Logger, lines_a_minute: int = LINES_A_MINUTE) -> None:
        self._logger = logger
        self._lines = TokenBuckets(lines_a_minute / _MINUTE, lines_a_minute)
        self._omitted = 0

    def level_for(self, address: str, now: float) -> int:
        """Return the level for a line about a peer; tells first how many were left out before."""
        if not self._lines.take(source_of(address), now):
            if not self._logger.isEnabledFor(logging.DEBUG):
                self._omitted += 1
            return logging.DEBUG
        if self._omitted:
            omitted, self._omitted = self._omitted, 0
            self._logger.info("%d refusals more are not shown: there were too many", omitted)
        return logging.INFO
