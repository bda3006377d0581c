"""The header fields of a message: ordered, case-insensitive, compact names expanded.

Values stay text until somebody asks for their meaning; what was parsed is kept beside the
text until a field of that name changes (`parsed`). RFC 3261 section 7.3.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Self, TypeVar, cast

from sylk.errors import LocalProtocolError
from sylk.sip.grammar import FORBIDDEN_IN_LINE, is_token, split_commas

T = TypeVar("T")

_NO_LINES: list[str] = []

# Compact forms: RFC 3261 section 7.3.3 and the extensions registered with IANA.
_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

_NAMES = (
    "CSeq",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Authentication-Info",
    "Authorization",
    "Call-Info",
    "Content-Disposition",
    "Content-Language",
    "Date",
    "Error-Info",
    "Expires",
    "In-Reply-To",
    "Join",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "RSeq",
    "Reason",
    "Record-Route",
    "Refer-Sub",
    "Replaces",
    "Reply-To",
    "Require",
    "Retry-After",
    "Route",
    "Server",
    "SIP-ETag",
    "SIP-If-Match",
    "Subscription-State",
    "Timestamp",
    "Unsupported",
    "User-Agent",
    "Warning",
    "WWW-Authenticate",
)


def _canonical_names() -> dict[str, str]:
    names = {spelling: name for short, name in _COMPACT.items() for spelling in (short, name)}
    names |= {short.upper(): name for short, name in _COMPACT.items()}
    names |= {name: name for name in _NAMES}
    return names | {name.lower(): name for name in names.values()}


# From a spelling to the name of the RFC. Only lookups with another mixture of cases cost more.
_CANONICAL = _canonical_names()


def canonical_name(name: str) -> str | None:
    """Return the RFC's spelling of a header field we know, from any case or compact form."""
    return _CANONICAL.get(name) or _CANONICAL.get(name.lower())


class Headers:
    """The header fields of one message, in order.

    Names that we know come out as the RFCs spell them, others as they came. Values carry
    octets that are no UTF-8 as surrogates. Mutating methods raise LocalProtocolError for a
    name that is no token or a value with a line break in it: nothing can smuggle in a field.
    """

    __slots__ = ("_index", "_items", "_parsed")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: list[tuple[str, str]] = [_checked(name, value) for name, value in items]
        self._index: dict[str, list[str]] | None = None
        self._parsed: dict[str, tuple[object, object]] = {}

    @classmethod
    def from_wire(cls, items: list[tuple[str, str]]) -> Self:
        """Take over fields that the parser has checked; their names are canonical already."""
        headers = cls()
        headers._items = items
        return headers

    def get(self, name: str) -> str | None:
        """Return the value of the first field of this name, None if there is none."""
        lines = self._lines(name)
        return lines[0] if lines else None

    def lines(self, name: str) -> list[str]:
        """Return the value of each field of this name, one for each line."""
        return list(self._lines(name))

    def values(self, name: str) -> list[str]:
        """Return the elements of all fields of this name, split at commas, empty ones left out.

        Raises RemoteProtocolError if a quote or bracket before a comma is never closed.
        """
        return [value for line in self._lines(name) for value in split_commas(line) if value]

    def repeated_names(self) -> list[str]:
        """Return the names that more than one field has."""
        return [name for name, lines in self._indexed().items() if len(lines) > 1]

    def parsed(self, name: str, parse: Callable[[list[str]], T]) -> T:
        """Return `parse(lines)`, computed once until a field of this name changes.

        For each name the value of the parser that ran last is remembered.
        """
        known = self._parsed.get(name)
        if known is not None and known[0] is parse:
            return cast(T, known[1])
        key = _key(name)
        known = self._parsed.get(key)
        if known is not None and known[0] is parse:
            return cast(T, known[1])
        value = parse(self._lines(key))
        self._parsed[key] = (parse, value)
        return value

    def add(self, name: str, value: str) -> None:
        """Append a field."""
        item = _checked(name, value)
        self._items.append(item)
        key = _key(item[0])
        self._parsed.pop(key, None)
        if self._index is not None:
            self._index.setdefault(key, []).append(item[1])

    def add_first(self, name: str, value: str) -> None:
        """Put a field before all others, as Via and Record-Route need it."""
        item = _checked(name, value)
        self._items.insert(0, item)
        self._changed(item[0])

    def set(self, name: str, value: str) -> None:
        """Replace all fields of this name with one, at the place of the first, or append it."""
        item = _checked(name, value)
        key = _key(name)
        for position, (other, _) in enumerate(self._items):
            if _key(other) == key:
                rest = [kept for kept in self._items[position + 1 :] if _key(kept[0]) != key]
                self._items[position:] = [item, *rest]
                break
        else:
            self._items.append(item)
        self._changed(item[0])

    def replace_first(self, name: str, *values: str) -> None:
        """Put `values`, one line each, in the place of the first field of this name.

        Further fields of the name stay. Without values the first one goes away.
        """
        items = [_checked(name, value) for value in values]
        key = _key(name)
        for position, (other, _) in enumerate(self._items):
            if _key(other) == key:
                self._items[position : position + 1] = items
                break
        else:
            self._items[:0] = items
        self._changed(name)

    def remove(self, name: str) -> None:
        """Remove all fields of this name; it is fine if there are none."""
        key = _key(name)
        self._items = [item for item in self._items if _key(item[0]) != key]
        self._changed(name)

    def forget_lookups(self) -> None:
        """Give up what makes look-ups fast, where a message is kept and will seldom be asked."""
        self._index = None
        self._parsed = {}

    def forget(self, names: Collection[str]) -> None:
        """Give up these fields, named as the RFCs spell them, and what makes look-ups fast."""
        self._items = [item for item in self._items if item[0] not in names]
        self.forget_lookups()

    def copy(self) -> "Headers":
        """Return headers that can change on their own."""
        headers = Headers()
        headers._items = self._items.copy()
        headers._parsed = self._parsed.copy()
        return headers

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._lines(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"

    def _lines(self, name: str) -> list[str]:
        index = self._indexed()
        # The keys are the names as most callers write them.
        return index.get(name) or index.get(_key(name), _NO_LINES)

    def _indexed(self) -> dict[str, list[str]]:
        index = self._index
        if index is None:
            index = self._index = {}
            for name, value in self._items:
                index.setdefault(_key(name), []).append(value)
        return index

    def _changed(self, name: str) -> None:
        self._index = None
        self._parsed.pop(_key(name), None)


def _key(name: str) -> str:
    return _CANONICAL.get(name) or canonical_name(name) or name.lower()


def _checked(name: str, value: str) -> tuple[str, str]:
    known = canonical_name(name)
    if known is None and not is_token(name):
        raise LocalProtocolError(f"{name!r} cannot name a header field")
    if FORBIDDEN_IN_LINE.search(value):
        raise LocalProtocolError(f"the value of {name} holds a line break or NUL")
    return known or name, value.strip(" \t")
