"""The types a setting can have: how each is read from the text of `sylk.ini` and written back.

A settings class says the type of a field in Python's own words (`bool`, `int`, `Path`,
`Literal["a", "b"]`, `tuple[str, ...]`, `X | None`) or with one of the names below, which are
`Annotated` forms that carry a reader and a writer. For every value of every type,
`read(write(value)) == value`; the sample file and the error messages rest on that.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Every address there is: what `any` stands for.
ANY_NETWORK: tuple[Network, ...] = (
    ipaddress.IPv4Network("0.0.0.0/0"),
    ipaddress.IPv6Network("::/0"),
)

# Enough for any count of bytes; more digits than that are a slip of the hand.
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(?:\s*s)?", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([smhd]?)", re.ASCII | re.IGNORECASE)
_BYTES = re.compile(r"([0-9]{1,15})\s*([kMG]?)B?", re.ASCII | re.IGNORECASE)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SPANS = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "": 1}  # seconds
_TRUE = ("yes", "true", "on", "1")
_FALSE = ("no", "false", "off", "0")


@dataclass(frozen=True, slots=True)
class SettingType:
    """Reads and writes one type of value.

    `read` raises ValueError with a sentence that says what would be right. `ordered` tells
    whether a minimum and a maximum mean something; `may_be_empty`, whether no text at all is a
    value, and not a slip of the hand.
    """

    read: Callable[[str], object]
    write: Callable[[Any], str]  # Any: each type writes only what it has read itself.
    ordered: bool = False
    may_be_empty: bool = False


def near_miss(word: str, choices: Iterable[str]) -> str:
    """Return "; did you mean X?" where one of `choices` is close to `word`, else ""."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""


def _read_text(text: str) -> str:
    return text


def _read_bool(text: str) -> bool:
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"must be yes or no, not {text!r}")


def _write_bool(value: bool) -> str:
    return "yes" if value else "no"


def _read_whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def _read_port(text: str) -> int:
    if not _WHOLE.fullmatch(text) or int(text) > 65535:
        raise ValueError(f"must be a port between 0 and 65535, not {text!r}")
    return int(text)


def _read_seconds(text: str) -> float:
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a number of seconds such as 30 or 0.5, not {text!r}")
    return float(match[1])


def _write_seconds(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _read_duration(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a time such as 90s, 30m, 12h or 7d, not {text!r}")
    return float(match[1]) * _SPANS[match[2].lower()]


def _write_duration(value: float) -> str:
    for suffix in ("d", "h", "m"):
        count, rest = divmod(value, _SPANS[suffix])
        if count and not rest:
            return f"{count:.0f}{suffix}"
    return f"{_write_seconds(value)}s"


def _read_bytes(text: str) -> int:
    match = _BYTES.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a number of bytes such as 65536, 64k, 10M or 1G, not {text!r}")
    return int(match[1]) * _FACTORS[match[2].lower()]


def _write_bytes(value: int) -> str:
    for suffix in ("G", "M", "k"):
        factor = _FACTORS[suffix.lower()]
        if value and value % factor == 0:
            return f"{value // factor}{suffix}"
    return str(value)


def _read_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(f"must be an IP address, not {text!r}") from None


def _read_path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("must be a path, which holds no NUL")
    return Path(text)


def _read_list(text: str) -> tuple[str, ...]:
    return tuple(item for item in (part.strip() for part in text.split(",")) if item)


def _write_list(value: tuple[str, ...]) -> str:
    return ", ".join(value)


def _read_map(text: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for item in _read_list(text):
        # The last colon: an IPv6 address in brackets is a key too.
        key, _, value = (part.strip() for part in item.rpartition(":"))
        if not key or not value:
            raise ValueError(f"must be a list of key:name, but has {item!r}")
        if key in pairs:
            raise ValueError(f"names {key!r} twice")
        pairs[key] = value
    return pairs


def _write_map(value: Mapping[str, str]) -> str:
    return ", ".join(f"{key}:{name}" for key, name in value.items())


def _read_networks(text: str) -> tuple[Network, ...]:
    items = _read_list(text)
    words = [item.lower() for item in items]
    if words == ["any"]:
        return ANY_NETWORK
    if words == ["none"]:
        return ()
    if not items:
        raise ValueError("must be any, none, or a list of addresses and networks")
    return tuple(_read_network(item) for item in items)


def _read_network(item: str) -> Network:
    try:
        return ipaddress.ip_network(item)
    except ValueError:
        pass
    try:
        wider = ipaddress.ip_network(item, strict=False)
    except ValueError:
        raise ValueError(
            f"must be any, none, or addresses and networks such as 10.0.0.0/8, but has {item!r}"
        ) from None
    raise ValueError(f"has {item!r}, which is an address inside a network; did you mean {wider}?")


def _write_networks(value: tuple[Network, ...]) -> str:
    if value == ANY_NETWORK:
        return "any"
    return ", ".join(str(network) for network in value) or "none"


Port = Annotated[int, SettingType(_read_port, str, ordered=True)]
Seconds = Annotated[float, SettingType(_read_seconds, _write_seconds, ordered=True)]
Duration = Annotated[float, SettingType(_read_duration, _write_duration, ordered=True)]
Bytes = Annotated[int, SettingType(_read_bytes, _write_bytes, ordered=True)]
IPAddress = Annotated[str, SettingType(_read_address, str)]
Networks = Annotated[tuple[Network, ...], SettingType(_read_networks, _write_networks)]

_PLAIN: Mapping[object, SettingType] = {
    str: SettingType(_read_text, str, may_be_empty=True),
    bool: SettingType(_read_bool, _write_bool),
    int: SettingType(_read_whole, str, ordered=True),
    Path: SettingType(_read_path, str),
    tuple[str, ...]: SettingType(_read_list, _write_list, may_be_empty=True),
    Mapping[str, str]: SettingType(_read_map, _write_map, may_be_empty=True),
}


def type_of(annotation: object) -> SettingType:
    """Return how values of `annotation` are read and written; raises TypeError for no such type."""
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, SettingType):
            return _not_empty(extra)
    if get_origin(annotation) in (Union, UnionType):
        inner = [part for part in get_args(annotation) if part is not NoneType]
        if len(inner) == 1:
            return _or_none(type_of(inner[0]))
    if get_origin(annotation) is Literal:
        return _not_empty(_choice([str(choice) for choice in get_args(annotation)]))
    plain = _PLAIN.get(annotation)
    if plain is None:
        raise TypeError(f"a setting cannot be of type {annotation}")
    return plain if plain.may_be_empty else _not_empty(plain)


def _choice(choices: list[str]) -> SettingType:
    def read(text: str) -> str:
        if text.lower() in choices:
            return text.lower()
        raise ValueError(
            f"must be one of {', '.join(choices)}, not {text!r}{near_miss(text, choices)}"
        )

    return SettingType(read, str)


def _not_empty(inner: SettingType) -> SettingType:
    def read(text: str) -> object:
        if not text:
            raise ValueError("is empty: give a value, or leave the line out for the default")
        return inner.read(text)

    return SettingType(read, inner.write, inner.ordered)


def _or_none(inner: SettingType) -> SettingType:
    def read(text: str) -> object:
        if text.lower() == "none":
            return None
        try:
            return inner.read(text)
        except ValueError as error:
            raise ValueError(f"{error} (or none)") from None

    def write(value: object) -> str:
        return "none" if value is None else inner.write(value)

    return SettingType(read, write, inner.ordered)
