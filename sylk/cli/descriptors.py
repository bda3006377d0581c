"""How many files and connections the server may have open: as many as the system lets it.

Shells and containers start a process with 1,024, which some other programs count on. A person in a
room needs one, and often two; the hard limit is what the operator meant.
"""

import logging
import resource

logger = logging.getLogger("sylk")

FEW = 4096
"""Below so many, the log says what to do."""


def raise_limit() -> int:
    """Let this process open as many descriptors as it may, and return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:
            # Some systems have a limit above which they take no number.
            logger.debug("the limit of open files stays %d: %s", soft, error)
    if soft != resource.RLIM_INFINITY and soft < FEW:
        logger.warning(
            "only %d files and connections may be open at a time; raise the hard limit"
            " (LimitNOFILE= of systemd, ulimit -Hn) if more people are to come",
            soft,
        )
    return soft
