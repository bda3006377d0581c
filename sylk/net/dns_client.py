"""Asking DNS servers, with dnspython.

Loading dnspython takes 80 ms, so this module is imported by the first question, not at start.

Questions go out over UDP without EDNS, which some home routers cannot handle, and again over TCP
when the answer was cut off. What does not answer the question, or is no DNS message at all, is
passed over as if it had not come: anybody can send such a packet.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.inet
import dns.message
import dns.name
import dns.nameserver
import dns.rdata
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from sylk.sip.dns_records import (
    AddressRecord,
    Answer,
    Failure,
    NaptrRecord,
    NoSuchName,
    Question,
    Record,
    SrvRecord,
)
from sylk.sip.flow import Address
from sylk.sip.location import MAX_RECORDS

DNS_PORT = 53

MAX_TTL = 86400.0
"""Seconds for which records are kept at most."""
MIN_NEGATIVE_TTL, MAX_NEGATIVE_TTL = 5.0, 30.0
"""Seconds for which it is kept that there is no record: at least and at most (RFC 2308)."""
FAILURE_TTL = 5.0
"""Seconds for which servers that failed are not asked the same again (RFC 9520 section 3.2)."""
PATIENCE = 2
"""What one question may take at least, in time-outs: a packet that is lost is sent once more."""


def nameservers_of(resolv_conf: Path) -> list[Address]:
    """Return the DNS servers that a resolv.conf names, none if it cannot be read."""
    try:
        found = dns.resolver.BaseResolver(resolv_conf).nameservers
    except (dns.exception.DNSException, OSError, ValueError):
        return []
    return [
        (host, DNS_PORT) for host in found if isinstance(host, str) and dns.inet.is_address(host)
    ]


class DnsClient:
    """Asks some DNS servers; the one that answered last is asked first.

    `timeout` is the time, in seconds, that a server has for one answer.
    """

    def __init__(self, nameservers: Iterable[Address], timeout: float) -> None:
        self._backend = dns.asyncbackend.get_backend("trio")
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.timeout = timeout
        self._resolver.nameservers = [
            _Nameserver(host, port, self._prefer) for host, port in nameservers
        ]
        self._resolver.lifetime = timeout * max(PATIENCE, len(self._resolver.nameservers))

    async def ask(self, question: Question) -> tuple[Answer, float]:
        """Return the answer, and the seconds for which it is good."""
        try:
            answer = await self._resolver.resolve(
                dns.name.from_text(question.name),
                question.kind,
                raise_on_no_answer=False,
                search=False,
                backend=self._backend,
            )
        except dns.resolver.NXDOMAIN as error:
            responses = cast("dict[dns.name.Name, dns.message.QueryMessage]", error.responses())
            return NoSuchName(), min(_negative_ttl(each) for each in responses.values())
        except dns.resolver.NoNameservers as error:
            return Failure(_reason(error)), FAILURE_TTL
        except dns.exception.Timeout:
            return Failure("the DNS server does not answer"), FAILURE_TTL
        except dns.exception.DNSException as error:
            return Failure(f"the DNS cannot be asked ({type(error).__name__})"), FAILURE_TTL
        records = _records(answer.rrset or ())
        if not records:
            return (), _negative_ttl(answer.response)
        return records, min(float(answer.chaining_result.minimum_ttl), MAX_TTL)

    def _prefer(self, nameserver: dns.nameserver.Nameserver) -> None:
        known = self._resolver.nameservers
        if known[0] is not nameserver:
            others = [each for each in known if each is not nameserver]
            self._resolver.nameservers = [nameserver, *others]


class _Nameserver(dns.nameserver.Do53Nameserver):
    """A DNS server that tells when it has answered."""

    def __init__(
        self, host: str, port: int, on_answer: Callable[[dns.nameserver.Nameserver], None]
    ) -> None:
        super().__init__(host, port)
        self._on_answer = on_answer

    async def async_query(self, *args: Any, **kwargs: Any) -> dns.message.Message:
        # What dnspython hands over is passed on as it is.
        response = await super().async_query(*args, **kwargs)
        self._on_answer(self)
        return response


def _records(rdatas: Iterable[dns.rdata.Rdata]) -> Sequence[Record]:
    return tuple(islice(filter(None, map(_record, rdatas)), MAX_RECORDS))


def _record(rdata: dns.rdata.Rdata) -> Record | None:
    match rdata:
        case A() | AAAA():
            return AddressRecord(rdata.address)
        case SRV():
            return SrvRecord(rdata.priority, rdata.weight, rdata.port, _text(rdata.target))
        case NAPTR():
            return NaptrRecord(
                rdata.order,
                rdata.preference,
                rdata.flags.decode("ascii", "replace"),
                rdata.service.decode("ascii", "replace"),
                rdata.regexp.decode("ascii", "replace"),
                _text(rdata.replacement),
            )
        case _:
            return None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _negative_ttl(response: dns.message.QueryMessage) -> float:
    ttl = float(response.resolve_chaining().minimum_ttl)
    return min(max(ttl, MIN_NEGATIVE_TTL), MAX_NEGATIVE_TTL)


def _reason(error: dns.resolver.NoNameservers) -> str:
    """Return what the last server of all did wrong."""
    errors = cast("list[tuple[str, bool, int, object, object]]", vars(error)["kwargs"]["errors"])
    if not errors:
        return "no DNS server is known"
    match errors[-1][3]:
        case str() as rcode:
            return f"the DNS server says {rcode}"
        case OSError() | EOFError():
            return "the DNS server cannot be reached"
        case _:
            return "the DNS server sends what is no answer"
