"""Carries IP packets between two TUN devices, badly: what `network` puts between two machines."""

import heapq
import ipaddress
import itertools
import os
import random
import select
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

UDP = 17
_ICMP = 1
_PACKET_SIZE = 65536
_SEED = 20


@dataclass(slots=True)
class Quality:
    """How packets of one protocol fare on a link, each way; times in seconds."""

    loss: float = 0.0
    """The share that is lost, from 0 to 1."""
    duplicated: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    """A packet takes so much more or less than `delay`, and so may overtake another."""


@dataclass(slots=True)
class Counts:
    """What became of the packets of a link."""

    carried: int = 0
    lost: int = 0
    duplicated: int = 0
    overtaken: int = 0


@dataclass(slots=True)
class Link:
    """One peer's way to the server; a test may change it at any time."""

    host: str
    udp: Quality = field(default_factory=Quality)
    tcp: Quality = field(default_factory=Quality)
    mtu: int = 65535
    """Bytes of the largest packet that passes; a sender of larger ones is told by ICMP."""
    cut_until: float = 0.0
    """Until this time nothing passes, and nobody is told."""
    condemned: list[bytes] = field(default_factory=list[bytes])
    """Beginnings of UDP datagrams: the next one that begins so is lost, once for each entry."""
    counts: Counts = field(default_factory=Counts)
    datagrams: list[bytes] = field(default_factory=list[bytes])
    """What UDP carried, as it was delivered, both ways."""
    sizes: list[int] = field(default_factory=list[int])
    """The sizes of the packets that were delivered."""
    latest: dict[int, int] = field(default_factory=dict[int, int])
    """The number of the latest packet that was delivered, by the device it went to."""

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until what was delivered makes `condition` true, and tell whether it did."""
        with self.news:
            return self.news.wait_for(condition, timeout)

    def cut(self, seconds: float = float("inf")) -> None:
        """Let nothing pass for so long."""
        self.cut_until = monotonic() + seconds

    def mend(self) -> None:
        """Let packets pass again."""
        self.cut_until = 0.0

    @property
    def is_cut(self) -> bool:
        """Whether nothing passes."""
        return monotonic() < self.cut_until

    news: threading.Condition = field(default_factory=threading.Condition)

    def condemn(self, *beginnings: bytes) -> None:
        """Lose the next datagram that begins so, for each of `beginnings`."""
        self.condemned.extend(beginnings)


def _protocol(packet: bytes) -> int:
    return packet[9]


def _datagram(packet: bytes) -> bytes:
    """Return what a packet of UDP carries; fragments but the first have no header of UDP."""
    start = (packet[0] & 0x0F) * 4
    offset = int.from_bytes(packet[6:8], "big") & 0x1FFF
    return packet[start if offset else start + 8 :]


def _checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _too_big(packet: bytes, mtu: int) -> bytes:
    """Return the ICMP message that a router sends for a packet over its MTU (RFC 1191)."""
    quoted = packet[:28]
    rest = struct.pack("!HH", 0, mtu) + quoted
    message = b"\x03\x04" + struct.pack("!H", _checksum(b"\x03\x04\0\0" + rest)) + rest
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(message), 0, 0, 64, _ICMP)
    addresses = packet[16:20] + packet[12:16]
    checksum = struct.pack("!H", _checksum(head + b"\0\0" + addresses))
    return head + checksum + addresses + message


@dataclass(order=True, slots=True)
class _Delivery:
    due: float
    number: int
    device: int = field(compare=False)
    packet: bytes = field(compare=False)
    link: Link = field(compare=False)


class Wire:
    """A thread that reads packets from either device, and writes them to the other when due."""

    def __init__(
        self,
        server: ipaddress.IPv4Address,
        inner: int,
        outer: int,
        links: Mapping[ipaddress.IPv4Address, Link],
    ) -> None:
        self._other = {inner: outer, outer: inner}
        self._server = server.packed
        self._links = {host.packed: link for host, link in links.items()}
        self._random = random.Random(_SEED)
        self._numbers = itertools.count()
        self._deliveries: list[_Delivery] = []
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the devices stay open."""
        os.close(self._waker)
        self._thread.join()
        os.close(self._wake)

    def _run(self) -> None:
        while True:
            wait = max(self._deliveries[0].due - monotonic(), 0) if self._deliveries else None
            ready, _, _ = select.select([*self._other, self._wake], [], [], wait)
            if self._wake in ready:
                return
            for device in ready:
                self._read(device)
            while self._deliveries and self._deliveries[0].due <= monotonic():
                self._deliver(heapq.heappop(self._deliveries))

    def _read(self, device: int) -> None:
        while True:
            try:
                packet = os.read(device, _PACKET_SIZE)
            except BlockingIOError:
                return
            # The kernel says something about IPv6 on each new device: nobody is to hear it.
            if packet[0] >> 4 != 4:
                continue
            source, target = packet[12:16], packet[16:20]
            link = self._links.get(target if source == self._server else source)
            if link is None:
                continue
            if len(packet) > link.mtu:
                link.counts.lost += 1
                os.write(device, _too_big(packet, link.mtu))
            else:
                self._take(packet, self._other[device], link)

    def _take(self, packet: bytes, device: int, link: Link) -> None:
        quality = link.udp if _protocol(packet) == UDP else link.tcp
        draw = self._random.random
        if link.is_cut or self._is_condemned(packet, link) or draw() < quality.loss:
            link.counts.lost += 1
            return
        copies = 1
        if draw() < quality.duplicated:
            copies = 2
            link.counts.duplicated += 1
        for _ in range(copies):
            delay = max(quality.delay + quality.jitter * (2 * draw() - 1), 0.0)
            delivery = _Delivery(monotonic() + delay, next(self._numbers), device, packet, link)
            heapq.heappush(self._deliveries, delivery)

    def _is_condemned(self, packet: bytes, link: Link) -> bool:
        if _protocol(packet) != UDP or not link.condemned:
            return False
        datagram = _datagram(packet)
        for beginning in link.condemned:
            if datagram.startswith(beginning):
                link.condemned.remove(beginning)
                return True
        return False

    def _deliver(self, delivery: _Delivery) -> None:
        link, packet = delivery.link, delivery.packet
        # A packet that is on its way when the link is cut does not arrive.
        if link.is_cut:
            link.counts.lost += 1
            return
        os.write(delivery.device, packet)
        link.counts.carried += 1
        link.sizes.append(len(packet))
        if _protocol(packet) == UDP:
            with link.news:
                link.datagrams.append(_datagram(packet))
                link.news.notify_all()
        if delivery.number < link.latest.get(delivery.device, -1):
            link.counts.overtaken += 1
        else:
            link.latest[delivery.device] = delivery.number
