"""Links without wires: engines that hear each other, and a clock that jumps to what is due."""

import math
from dataclasses import dataclass, field

from sylk.mdns.answering import Packet, Source
from sylk.mdns.browser import Browser
from sylk.mdns.message import Message, parse_message
from sylk.mdns.record import Record, address, location, name_of, pointer, text
from sylk.mdns.responder import Responder
from sylk.mdns.service import Host, Service

KIND = "_sipuri._udp"
LOBBY = Service(
    "sip:lobby@192.0.2.1:5060;isfocus",
    KIND,
    5060,
    (("txtvers", "1"), ("name", "Lobby"), ("contact", "<sip:lobby@192.0.2.1:5060;isfocus>")),
)
PHONE: Source = ("192.0.2.9", 5353)


def low(least: float, most: float) -> float:
    """Return the least, so that the tests know when."""
    assert least <= most
    return least


@dataclass
class Link:
    """What all who are on it say reaches all others."""

    now: float = 100.0
    engines: dict[str, Responder | Browser] = field(default_factory=dict[str, Responder | Browser])
    said: list[tuple[float, str, Packet]] = field(default_factory=list[tuple[float, str, Packet]])

    def responder(self, host: str) -> Responder:
        """Put a responder on the link."""
        responder = Responder(Host(f"host-{host.rpartition('.')[2]}", (host,)), low, self.now)
        self.engines[host] = responder
        return responder

    def browser(self, host: str) -> Browser:
        """Put a browser on the link."""
        browser = Browser([KIND], low, self.now)
        self.engines[host] = browser
        return browser

    def carry(self) -> None:
        """Carry what is to be sent, until nothing is."""
        while True:
            packets = [
                (host, packet)
                for host, engine in self.engines.items()
                for packet in engine.data_to_send()
            ]
            if not packets:
                return
            for host, packet in packets:
                self.said.append((self.now, host, packet))
                for other in list(self.engines.values()):
                    # What is said to the group comes back to who has said it.
                    if packet.destination is None:
                        other.receive_data(packet.data, (host, 5353), self.now)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        for _ in range(10_000):
            self.carry()
            deadlines = [engine.next_deadline() for engine in self.engines.values()]
            due = min([one for one in deadlines if one is not None], default=math.inf)
            if due > end:
                break
            self.now = max(self.now, due)
            for engine in self.engines.values():
                deadline = engine.next_deadline()
                if deadline is not None and deadline <= self.now:
                    engine.handle_deadline(self.now)
        else:
            raise AssertionError("the engines never rest")
        self.now = end

    def messages(self, host: str | None = None) -> list[Message]:
        """Return what has been said to the group, by everybody or by one."""
        return [
            parse_message(packet.data)
            for _, who, packet in self.said
            if packet.destination is None and host in (None, who)
        ]


def told(messages: list[Message]) -> list[Record]:
    """Return all answers."""
    return [record for one in messages if one.is_response for record in one.answers]


def records_of(label: str = LOBBY.instance, host: str = "other") -> list[Record]:
    """Return the records of a service that somebody else has."""
    name = name_of(label, "_sipuri", "_udp")
    target = name_of(host)
    return [
        pointer(name_of("_sipuri", "_udp"), name),
        location(name, target, 5070),
        text(name, [("name", "Other")]),
        address(target, "192.0.2.9"),
    ]
