"""Multicast DNS on every interface that is wanted, as they come and go: an engine for each.

Interfaces are looked at when the kernel tells of a change, but not more often than twice a second,
and what has the same addresses as before is left alone.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import trio

from sylk.errors import TransportError
from sylk.mdns.answering import Packet
from sylk.net.interfaces import Interface, InterfaceWatch, list_interfaces
from sylk.net.mdns_sockets import MdnsSockets
from sylk.sip.flow import Address

logger = logging.getLogger("sylk.net")

SETTLE_TIME: Final = 0.5
"""Seconds for which changes of interfaces gather before they are looked at."""

RETRY_INTERVAL: Final = 10.0
"""Seconds after which an interface that has failed is tried again."""


class MdnsEngine(Protocol):
    """What is run on each interface."""

    def receive_data(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram."""
        ...

    def data_to_send(self) -> list[Packet]:
        """Return the datagrams that are to be sent now."""
        ...

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is to be called, None for never."""
        ...

    def handle_deadline(self, now: float) -> None:
        """Do what is due."""
        ...


Engine = TypeVar("Engine", bound=MdnsEngine)


@dataclass(slots=True, eq=False)
class MdnsLink(Generic[Engine]):
    """An engine and the sockets of its interface."""

    engine: Engine
    sockets: MdnsSockets
    on_progress: Callable[["MdnsLink[Engine]"], None]
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _alarm: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def interface(self) -> Interface:
        """The interface of this link."""
        return self.sockets.interface

    async def run(self) -> None:
        """Carry what comes and goes until cancelled."""
        with self.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.sockets.run, self._receive)
                while True:
                    deadline = self.engine.next_deadline()
                    self._alarm = trio.CancelScope(
                        deadline=float("inf") if deadline is None else deadline
                    )
                    with self._alarm:
                        await trio.sleep_forever()
                    self.engine.handle_deadline(trio.current_time())
                    self.flush()
                    await trio.lowlevel.checkpoint()

    def _receive(self, data: bytes, source: Address) -> None:
        # Section 11: what does not come from this link is not answered.
        if self.interface.reaches(source[0]):
            self.engine.receive_data(data, source, trio.current_time())
            self.flush()

    def flush(self) -> None:
        """Send what the engine has to send, and wait for its next deadline."""
        self.on_progress(self)
        for packet in self.engine.data_to_send():
            self.sockets.send(packet.data, packet.destination)
        deadline = self.engine.next_deadline()
        self._alarm.deadline = float("inf") if deadline is None else deadline


class MdnsNode(Generic[Engine]):
    """The links of this machine.

    `is_wanted` tells of an interface that is up whether to use it, `begin` makes an engine for one.
    `on_looked` is called when links may have come or gone, `on_progress` when the engine of one may
    have something to tell, and `on_gone` while one that goes can still send.
    """

    def __init__(
        self,
        is_wanted: Callable[[Interface], bool],
        begin: Callable[[Interface], Engine],
        *,
        on_looked: Callable[[], None] = lambda: None,
        on_progress: Callable[[MdnsLink[Engine]], None] = lambda link: None,
        on_gone: Callable[[MdnsLink[Engine]], None] = lambda link: None,
    ) -> None:
        self._is_wanted = is_wanted
        self._begin = begin
        self._on_looked = on_looked
        self._on_progress = on_progress
        self._on_gone = on_gone
        self.links: dict[int, MdnsLink[Engine]] = {}
        self._failed: dict[str, str] = {}
        """Why an interface cannot be used, as the log has told."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow the interfaces until cancelled; raises TransportError if that cannot be."""
        watch = InterfaceWatch()
        try:
            async with trio.open_nursery() as nursery:
                self._look(nursery)
                task_status.started()
                while True:
                    patience = RETRY_INTERVAL if self._failed else float("inf")
                    with trio.move_on_after(patience):
                        await watch.wait_changed()
                    await trio.sleep(SETTLE_TIME)
                    self._look(nursery)
        finally:
            watch.close()
            for link in self.links.values():
                link.sockets.close()

    def _look(self, nursery: trio.Nursery) -> None:
        """Take the interfaces as they are now."""
        present = {
            one.index: one for one in list_interfaces() if one.is_up and self._is_wanted(one)
        }
        for index, link in list(self.links.items()):
            if present.get(index) != link.interface:
                del self.links[index]
                self._on_gone(link)
                link.scope.cancel()
                link.sockets.close()
        for index, interface in present.items():
            if index in self.links:
                continue
            try:
                sockets = MdnsSockets(interface)
            except TransportError as error:
                if self._failed.get(interface.name) != str(error):
                    logger.warning("%s", error)
                self._failed[interface.name] = str(error)
                continue
            self._failed.pop(interface.name, None)
            link = self.links[index] = MdnsLink(self._begin(interface), sockets, self._on_progress)
            nursery.start_soon(link.run)
        names = {interface.name for interface in present.values()}
        self._failed = {name: why for name, why in self._failed.items() if name in names}
        self._on_looked()
