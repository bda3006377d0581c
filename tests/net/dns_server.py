"""A small DNS server on the loopback, which can also be slow, silent, or lie."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import trio

from sylk.sip.flow import Address

MAX_UDP_BYTES = 512
MAX_ALIASES = 8

Zone = Mapping[tuple[str, str], Sequence[str]]
"""The text of the records by name and type."""


Lie = Callable[[dns.message.QueryMessage, dns.message.Message, bool], Sequence[bytes]]
"""Takes question, answer and whether it goes over UDP; returns what is sent in its place."""


@dataclass
class DnsServer:
    """Answers from `zone` over UDP and TCP, on a port of its own."""

    zone: Zone
    ttl: int = 60
    negative_ttl: int | None = None
    """The minimum of the SOA record that goes with an answer without records; None for no SOA."""
    hold: trio.Event | None = None
    """No answer leaves before this is set."""
    silent: set[str] = field(default_factory=set[str])
    """Types of question that get no answer."""
    rcodes: dict[str, str] = field(default_factory=dict[str, str])
    """Types of question that get nothing but this response code."""
    lie: Lie | None = None
    asked: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """How often each (name, type) was asked."""
    over_tcp: int = 0
    """How many questions came over TCP."""
    address: Address = ("127.0.0.1", 0)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; started when `address` holds the port."""
        listener, udp = await _listen()
        self.address = listener.socket.getsockname()
        with udp:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self._serve_stream, [listener])
                task_status.started()
                while True:
                    data, client = await udp.recvfrom(4096)
                    nursery.start_soon(self._answer_datagram, udp, data, client)

    async def _answer_datagram(
        self, udp: trio.socket.SocketType, data: bytes, client: Address
    ) -> None:
        for answer in await self._answers(data, is_udp=True):
            await udp.sendto(answer, client)

    async def _serve_stream(self, stream: trio.SocketStream) -> None:
        head = await _receive_exactly(stream, 2)
        data = await _receive_exactly(stream, int.from_bytes(head, "big"))
        self.over_tcp += 1
        for answer in await self._answers(data, is_udp=False):
            await stream.send_all(len(answer).to_bytes(2, "big") + answer)

    async def _answers(self, data: bytes, *, is_udp: bool) -> Sequence[bytes]:
        question = dns.message.from_wire(data)
        assert isinstance(question, dns.message.QueryMessage)
        name = question.question[0].name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        self.asked[name, kind] += 1
        if kind in self.silent:
            return ()
        if self.hold is not None:
            await self.hold.wait()
        answer = self._answer(question, name, kind)
        if self.lie is not None:
            return self.lie(question, answer, is_udp)
        wire = answer.to_wire()
        if is_udp and len(wire) > MAX_UDP_BYTES:
            return (truncated(question),)
        return (wire,)

    def _answer(
        self, question: dns.message.QueryMessage, name: str, kind: str
    ) -> dns.message.Message:
        answer = dns.message.make_response(question, recursion_available=True)
        if kind in self.rcodes:
            answer.set_rcode(dns.rcode.from_text(self.rcodes[kind]))
            return answer
        for _ in range(MAX_ALIASES):
            alias = self.zone.get((name, "CNAME"))
            if alias is None:
                break
            answer.answer.append(self._rrset(name, "CNAME", alias))
            name = alias[0].removesuffix(".")
        records = self.zone.get((name, kind))
        if records:
            answer.answer.append(self._rrset(name, kind, records))
            return answer
        if name not in {known for known, _ in self.zone}:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if self.negative_ttl is not None:
            parent = name.partition(".")[2] or name
            soa = f"ns.{parent}. admin.{parent}. 1 60 60 60 {self.negative_ttl}"
            answer.authority.append(self._rrset(parent, "SOA", [soa], ttl=3600))
        return answer

    def _rrset(
        self, name: str, kind: str, records: Sequence[str], *, ttl: int | None = None
    ) -> dns.rrset.RRset:
        ttl = self.ttl if ttl is None else ttl
        return dns.rrset.from_text_list(f"{name}.", ttl, "IN", kind, list(records))


def truncated(question: dns.message.QueryMessage) -> bytes:
    """Return the answer that says only: ask again over TCP."""
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.TC
    return answer.to_wire()


async def _listen() -> tuple[trio.SocketListener, trio.socket.SocketType]:
    """Return a listener and a UDP socket on the same port."""
    while True:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        udp = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        try:
            await udp.bind(listener.socket.getsockname())
        except OSError:  # Somebody else has that port for UDP.
            udp.close()
            await listener.aclose()
        else:
            return listener, udp


async def _receive_exactly(stream: trio.SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await stream.receive_some(size - len(data))
        assert more, "the client closed too early"
        data += more
    return data
