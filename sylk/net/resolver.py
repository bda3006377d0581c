"""Finding SIP servers at run time: drives a `Location`, and remembers what the DNS answered.

A question is answered by the first of these that knows:

1.  the hosts file, whose names have no records in the DNS for us: who writes a name in there wants
    to be rid of the DNS;
2.  the look-up of the system, for names of one label and for .local: they mean something on this
    network alone, and what is done about them (search domains, multicast) is set up there;
3.  the cache;
4.  somebody who is asking the same right now;
5.  the DNS.

Nobody but the caller waits. The number of questions under way is bounded, since each takes a
socket or a thread, and names come from strangers.
"""

import random
import re
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from sylk.errors import TransportError
from sylk.net.addresses import plain_address
from sylk.net.answer_cache import MAX_ANSWERS, AnswerCache
from sylk.net.hosts_file import HOSTS_FILE, HostsFile, version_of
from sylk.sip.dns_records import (
    AddressRecord,
    Answer,
    Failure,
    Question,
    is_address_of,
)
from sylk.sip.flow import Address
from sylk.sip.location import Location, Target
from sylk.sip.uri import SipURI

if TYPE_CHECKING:
    from sylk.net.dns_client import DnsClient

TIMEOUT = 3.0
"""Seconds that a DNS server has for an answer, before the next one is asked, or it once more."""
LIFETIME = 8.0
"""Seconds for all questions about one URI."""
MAX_QUERIES = 64
"""Questions to the DNS under way at once; the next ones wait for one of them."""
MAX_LOOK_UPS = 8
"""Look-ups of the system under way at once; each takes a thread."""

RESOLV_CONF = Path("/etc/resolv.conf")

_SERVICE_LABELS = re.compile(r"\A_\w+\._(?:udp|tcp)\.")
"""What stands in front of the domain in the name of an SRV record."""
_NO_SUCH_HOST = {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY}
"""What getaddrinfo says for a host without addresses, or without any of the family."""


class _Query:
    """A question under way; `answer` stays None when whoever asked it was cancelled."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Answer | None = None


class Resolver:
    """Finds the servers of SIP URIs.

    `timeout` is for one answer of one DNS server, `lifetime` for a whole call of `resolve`, both
    in seconds. `nameservers` are asked in place of those in `resolv_conf`. `cache_size` is how many
    answers are kept. `look_up` answers for local names, in a thread; `draw` gives numbers from 0
    to 1.
    """

    def __init__(
        self,
        *,
        timeout: float = TIMEOUT,
        lifetime: float = LIFETIME,
        nameservers: Sequence[Address] | None = None,
        cache_size: int = MAX_ANSWERS,
        want_ipv6: bool = True,
        hosts_file: Path = HOSTS_FILE,
        resolv_conf: Path = RESOLV_CONF,
        max_queries: int = MAX_QUERIES,
        look_up: Callable[[Question], Answer] | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._timeout = timeout
        self._lifetime = lifetime
        self._nameservers = nameservers
        self._want_ipv6 = want_ipv6
        self._ask_system = look_up or ask_system
        self._draw = draw
        self._resolv_conf = resolv_conf
        self._hosts = HostsFile(hosts_file)
        self._cache = AnswerCache(cache_size)
        self._client: DnsClient | None = None
        self._client_version: tuple[int, ...] = ()
        self._queries: dict[Question, _Query] = {}
        self._room = trio.CapacityLimiter(max_queries)
        self._threads = trio.CapacityLimiter(MAX_LOOK_UPS)
        self._loading = trio.Lock()

    async def resolve(self, uri: SipURI, supported_transports: Sequence[str]) -> list[Target]:
        """Return the servers of `uri`, at least one, in the order to try (RFC 3263 section 4).

        `supported_transports` are ours, the one to use without any other preference in front.
        Raises TransportError that says what was asked and how that went.
        """
        await trio.lowlevel.checkpoint()
        location = Location(uri, supported_transports, want_ipv6=self._want_ipv6, random=self._draw)
        with trio.move_on_after(self._lifetime):
            while (question := location.next_question()) is not None:
                location.receive_answer(question, await self._answer(question))
        # What was found when the time was over is better than nothing.
        targets = location.targets()
        if targets:
            return targets
        pending = location.next_question()
        if pending is not None:
            raise TransportError(f"the DNS server does not answer, asked for {pending}")
        raise TransportError(location.failure)

    async def _answer(self, question: Question) -> Answer:
        if self._hosts.has_changed():
            async with self._loading:
                if self._hosts.has_changed():
                    await trio.to_thread.run_sync(self._hosts.read)
        host = _SERVICE_LABELS.sub("", question.name)
        known = self._hosts.addresses(host)
        if known:
            return _of_kind(question, known)
        if host.split(".")[-1] == "localhost":
            return _of_kind(question, ("127.0.0.1", "::1"))
        if "." not in host or host.endswith(".local"):
            return await trio.to_thread.run_sync(
                self._ask_system, question, abandon_on_cancel=True, limiter=self._threads
            )
        return await self._share(question)

    async def _share(self, question: Question) -> Answer:
        """Return the answer from the cache, from whoever is asking already, or from the DNS."""
        while True:
            answer = self._cache.get(question, trio.current_time())
            if answer is not None:
                return answer
            query = self._queries.get(question)
            if query is None:
                break
            await query.done.wait()
            if query.answer is not None:
                return query.answer
        query = self._queries[question] = _Query()
        try:
            query.answer = await self._ask_dns(question)
        finally:
            del self._queries[question]
            query.done.set()
        return query.answer

    async def _ask_dns(self, question: Question) -> Answer:
        async with self._room:
            client = await self._current_client()
            answer, ttl = await client.ask(question)
        self._cache.put(question, answer, ttl, trio.current_time())
        return answer

    async def _current_client(self) -> "DnsClient":
        """Return a client of the servers that this machine has now; networks come and go."""
        async with self._loading:
            version = version_of(self._resolv_conf) if self._nameservers is None else ()
            if self._client is None or version != self._client_version:
                load = partial(_load_client, self._nameservers, self._resolv_conf, self._timeout)
                self._client = await trio.to_thread.run_sync(load)
                self._client_version = version
            return self._client


def ask_system(question: Question) -> Answer:
    """Return the addresses that the look-up of the system has for a name; blocks."""
    family = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}.get(question.kind)
    if family is None:
        return ()
    try:
        found = socket.getaddrinfo(question.name, None, family=family, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_HOST:
            return ()
        return Failure(f"the system cannot look it up ({error})")
    return _of_kind(question, [plain_address(info[4])[0] for info in found])


def _of_kind(question: Question, addresses: Sequence[str]) -> Answer:
    return [
        AddressRecord(address)
        for address in dict.fromkeys(addresses)
        if question.kind in ("A", "AAAA") and is_address_of(question.kind, address)
    ]


def _load_client(
    nameservers: Sequence[Address] | None, resolv_conf: Path, timeout: float
) -> "DnsClient":
    """Load dnspython and read which servers this machine has; takes a while, so in a thread."""
    from sylk.net.dns_client import DnsClient, nameservers_of

    return DnsClient(nameservers_of(resolv_conf) if nameservers is None else nameservers, timeout)
