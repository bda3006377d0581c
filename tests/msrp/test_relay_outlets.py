"""Where a relay writes: connections that stand, and those that do not yet."""

from collections import deque

import pytest

from sylk.errors import RemoteProtocolError
from sylk.msrp.connection import MsrpConnection
from sylk.msrp.frame import Frame
from sylk.msrp.registry import SessionRegistry
from sylk.msrp.relay_events import ConnectWanted, RelayEvent
from sylk.msrp.relay_limits import RelayLimits
from sylk.msrp.relay_outlets import Outlets
from sylk.msrp.uri import MsrpURI

FAR = MsrpURI.parse("msrps://far.example.com/x;tcp")


class Nobody:
    def receive_frame(self, link: MsrpConnection, frame: Frame, now: float) -> bool:
        return False


def outlets(limits: RelayLimits) -> tuple[Outlets, deque[RelayEvent]]:
    events: deque[RelayEvent] = deque()
    return Outlets(SessionRegistry(), Nobody(), limits, events), events


def test_a_connection_is_wanted_once() -> None:
    out, events = outlets(RelayLimits())
    link = out.towards(FAR)
    assert out.towards(FAR) is link
    assert list(events) == [ConnectWanted(link, "far.example.com", 2855, True)]
    out.write(link, b"early")
    assert out.take_written() == [link]
    assert out.take_written() == []
    out.opened(link)
    assert out.take_written() == [link]
    assert link.data_to_send() == b"early"
    assert out.closed(link)
    assert out.towards(FAR) is not link


def test_what_waits_for_a_connection_is_bounded() -> None:
    out, _ = outlets(RelayLimits(max_waiting=10))
    link = out.towards(FAR)
    out.write(link, b"x" * 10)
    out.check_room(link)
    out.write(link, b"x")
    with pytest.raises(RemoteProtocolError) as caught:
        out.check_room(link)
    assert caught.value.status == 408
    out.opened(link)
    out.check_room(link)


def test_a_slow_connection_takes_nothing_new() -> None:
    out, _ = outlets(RelayLimits(max_backlog=10))
    link = MsrpConnection(SessionRegistry())
    out.check_room(link)
    link.backlog = lambda: 11
    with pytest.raises(RemoteProtocolError):
        out.check_room(link)
    link.backlog = lambda: 10
    out.check_room(link)
