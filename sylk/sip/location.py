"""Finding the servers of a SIP URI: which questions the DNS gets, and what to try in which order.

RFC 3263 section 4 as a sequence of steps. Whoever drives it asks the DNS for `next_question()`,
hands the answer in, and takes `targets()` when there is no question left.

1.  The transports in question are those of ours that fit the URI. A sips URI, and a sip URI with
    transport=tls, leaves TLS alone: whatever the DNS says, nothing goes out in the clear.
2.  A numeric host is the target itself.
3.  With a port in the URI the host has only addresses: A and AAAA.
4.  With a transport in the URI the host has SRV records for it.
5.  Otherwise NAPTR records say which transports the domain prefers, and where their SRV records
    are; without usable ones, each transport in question has its SRV records at the usual name.
6.  Services are asked for one after the other, and the first that leads to an address is taken:
    the transport is chosen once, then its servers are tried by priority and weight (RFC 2782).
7.  Only a domain without any SRV record is taken for a host itself, on the default port. A domain
    whose records say "." or lead nowhere has no such way out.

Both address families of a host stand together, before the next host (RFC 7984 section 4.1), and
take turns, IPv4 first. RFC 6724 would put most IPv6 addresses in front; but a UDP request to an
address that is not reached costs half a minute, and today that is far more often the IPv6 one.

A question that fails counts as one without records: some servers on the way cannot handle NAPTR
or SRV, and where the DNS is dead the addresses will be missing too.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from sylk.errors import LocalProtocolError
from sylk.sip.dns_records import (
    SERVICES,
    AddressRecord,
    Answer,
    Failure,
    Kind,
    NoSuchName,
    Question,
    Record,
    host_name,
    is_address,
    is_address_of,
    offered_services,
    srv_order,
)
from sylk.sip.flow import Address
from sylk.sip.uri import SipURI

MAX_RECORDS = 32
"""Records of one answer that are looked at, and targets in all."""
MAX_QUESTIONS = 20
"""Questions for one URI."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request can go: a numeric address and the transport to it.

    `server_name` is the name that a certificate must hold: the host of the URI, not of the
    server that the DNS named, which nothing vouches for (RFC 5922 section 4).
    """

    transport: str
    address: Address
    server_name: str


_Steps = Generator[Question, Answer, None]


class Location:
    """The search for the servers of one URI.

    `supported_transports` ("udp", "tcp", "tls") are ours, with the one in front that is used when
    neither the URI nor the DNS has a preference: "udp" unless the request is too large for it.
    `random` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        uri: SipURI,
        supported_transports: Sequence[str],
        *,
        want_ipv6: bool,
        random: Callable[[], float],
        max_records: int = MAX_RECORDS,
        max_questions: int = MAX_QUESTIONS,
    ) -> None:
        self._uri = uri
        self._transports = _fitting(uri, supported_transports)
        self._kinds: tuple[Kind, ...] = ("A", "AAAA") if want_ipv6 else ("A",)
        self._random = random
        self._max_records = max_records
        self._max_questions = max_questions
        self._answers: dict[Question, Answer] = {}
        self._targets: dict[Target, None] = {}
        self._refusal = ""
        self._steps = self._locate()
        self._question = next(self._steps, None)

    def next_question(self) -> Question | None:
        """Return what to ask the DNS, None when the search is over."""
        return self._question

    def receive_answer(self, question: Question, answer: Answer) -> None:
        """Take the answer to `next_question()`; another raises LocalProtocolError."""
        if question != self._question:
            raise LocalProtocolError(f"{question} was not asked for")
        if not isinstance(answer, NoSuchName | Failure):
            answer = tuple(answer[: self._max_records])
        self._answers[question] = answer
        try:
            self._question = self._steps.send(answer)
        except StopIteration:
            self._question = None

    def targets(self) -> list[Target]:
        """Return what was found so far, in the order to try."""
        return list(self._targets)

    @property
    def failure(self) -> str:
        """Why there are no targets, in one sentence; empty if there are some."""
        if self._targets:
            return ""
        if self._refusal:
            return self._refusal
        for question, answer in reversed(self._answers.items()):
            if isinstance(answer, Failure):
                return f"{answer.reason}, asked for {question}"
        missing = _listing(self._without_records())
        return f"no DNS record for {missing or f'{self._uri.host} that leads to a server'}"

    def _without_records(self) -> list[Question]:
        return [
            question
            for question, answer in self._answers.items()
            if isinstance(answer, NoSuchName) or not answer
        ]

    # The steps

    def _locate(self) -> _Steps:
        uri = self._uri
        target = uri.params.get("maddr") or uri.host
        host = target.removeprefix("[").removesuffix("]")
        if not self._transports:
            self._refusal = f"no transport of ours fits {uri}"
            return
        transport = self._transports[0]
        if is_address(host):
            self._add(transport, [host], uri.port or SERVICES[transport].port)
            return
        name = host_name(host)
        if name is None:
            self._refusal = f"{host[:80]!a} is no host name"
        elif uri.port is not None:
            yield from self._find_host(transport, name, uri.port)
        else:
            yield from self._find_services(name)

    def _find_services(self, domain: str) -> _Steps:
        services: list[tuple[str, str]] = []
        if self._uri.transport is None:
            records = yield from self._ask(domain, "NAPTR")
            services = offered_services(records, self._transports)
        if not services:
            services = [(each, f"{SERVICES[each].srv}.{domain}") for each in self._transports]
        found = False
        for transport, name in services:
            servers = srv_order((yield from self._ask(name, "SRV")), self._random)
            found = found or bool(servers)
            for server in servers:
                # A target of "." is no name: there is no such service (RFC 2782).
                if server.target in ("", "."):
                    self._refusal = f"{domain} has no SIP service over {transport}"
                elif server.port:
                    yield from self._find_host(transport, server.target, server.port)
            if self._targets:
                return
        if not found:
            transport = services[0][0]
            yield from self._find_host(transport, domain, SERVICES[transport].port)

    def _find_host(self, transport: str, host: str, port: int) -> _Steps:
        # COMPAT: some zones have the address itself as the target of an SRV record.
        if is_address(host.removesuffix(".")):
            self._add(transport, [host.removesuffix(".")], port)
            return
        name = host_name(host)
        if name is None:
            return
        earlier = dict(self._targets)
        families: list[list[str]] = []
        for kind in self._kinds:
            records = yield from self._ask(name, kind)
            addresses = [each.address for each in records if isinstance(each, AddressRecord)]
            families.append([each for each in addresses if is_address_of(kind, each)])
            # What is known can be used, should the next answer never come.
            self._targets = dict(earlier)
            self._add(transport, _in_turns(families), port)
            if isinstance(self._answers.get(Question(name, kind)), NoSuchName):
                break

    def _ask(self, name: str, kind: Kind) -> Generator[Question, Answer, Sequence[Record]]:
        """Ask once, and only as long as there is room for a question."""
        question = Question(name, kind)
        answer = self._answers.get(question)
        if answer is None:
            if len(self._answers) >= self._max_questions:
                return ()
            answer = yield question
        return () if isinstance(answer, NoSuchName | Failure) else answer

    def _add(self, transport: str, addresses: Iterable[str], port: int) -> None:
        server_name = self._uri.host.lower().removesuffix(".")
        for address in addresses:
            if len(self._targets) < self._max_records:
                self._targets[Target(transport, (address, port), server_name)] = None


def _fitting(uri: SipURI, supported_transports: Sequence[str]) -> list[str]:
    """Return the transports of ours that a request to `uri` may take."""
    wanted = uri.transport
    if uri.is_secure and wanted == "tcp":
        # TLS runs over TCP: that is what this transport means in a sips URI (RFC 3261 26.2.2).
        wanted = "tls"
    return [
        transport
        for transport in dict.fromkeys(supported_transports)
        if (service := SERVICES.get(transport)) is not None
        and (service.secure or not uri.is_secure)
        and wanted in (None, transport)
    ]


def _in_turns(families: Sequence[Sequence[str]]) -> list[str]:
    """Return the addresses of all families, taking one of each in turn."""
    return [address for address in chain(*zip_longest(*families)) if address is not None]


def _listing(questions: Iterable[Question]) -> str:
    kinds: dict[str, list[str]] = {}
    for question in questions:
        kinds.setdefault(question.name, []).append(question.kind)
    return ", ".join(f"{name} ({', '.join(each)})" for name, each in kinds.items())
