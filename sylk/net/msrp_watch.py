"""Who watches the bytes of MSRP links, and which call a session belongs to, for who watches."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from sylk.net.outbox import Outbox
from sylk.net.refusal_lines import RefusalLines
from sylk.sip.flow import Address


@dataclass(frozen=True, slots=True)
class SessionCall:
    """The call whose chat a session carries."""

    call_id: str
    ours: str
    """The URI of our side: a room, for one."""
    theirs: str


def _refusal_lines() -> RefusalLines:
    return RefusalLines(logging.getLogger("sylk.msrp"))


def _no_calls() -> dict[str, SessionCall]:
    return {}


@dataclass(eq=False, slots=True, weakref_slot=True)
class WatchedLink:
    """One connection, as it is told apart by who watches."""

    transport: str
    local: Address
    remote: Address


MsrpTrace = Callable[[bool, bytes, WatchedLink], None]
"""What is called with each read (True) and write (False) of a link."""


@dataclass(slots=True)
class MsrpWatch:
    """What all links of a port share."""

    trace: MsrpTrace | None = None
    calls: dict[str, SessionCall] = field(default_factory=_no_calls)
    """By session-id."""
    outboxes: set[Outbox] = field(default_factory=set[Outbox])
    """Those of all links."""
    bytes_received: int = 0
    bytes_sent: int = 0
    """Counted when it is given to the outbox."""
    refusals: RefusalLines = field(default_factory=_refusal_lines)
