"""How a setting of `sylk.ini` is declared: its default, its unit, and what its limit does.

A section is a dataclass whose fields are declared with `setting()`. The same declarations read
the file (`sylk.config`), write `sylk.ini.sample` and name what would be right in an error. An
application declares its own section in the same way as the server does (`sylk.sections`):

    @dataclass(frozen=True, kw_only=True)
    class EchoSettings:
        prefix: str = setting("", "What is put before each message that goes back.")

A setting that is taken up while the server runs says `restart=False`; `take_up` makes of the
settings in force and those of a file that was read again what is in force from then on.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints
from urllib.parse import quote, unquote

from sylk.setting_types import (
    ANY_NETWORK,
    Bytes,
    Duration,
    IPAddress,
    Network,
    Networks,
    Port,
    Seconds,
    SettingType,
    near_miss,
    type_of,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "ANY_NETWORK",
    "AddressSettings",
    "Bytes",
    "Duration",
    "IPAddress",
    "Network",
    "Networks",
    "Port",
    "Seconds",
    "Setting",
    "SettingType",
    "Update",
    "address_key",
    "address_uri",
    "near_miss",
    "setting",
    "settings_of",
    "take_up",
]

T = TypeVar("T")
Section = TypeVar("Section", bound="DataclassInstance")

_KEY = "sylk.setting"
_USER_SAFE = "!*'()&=+$,;?/"
"""What a user may hold without an escape, beside letters, digits and "_.-~" (RFC 3261 25.1)."""
_SCHEME = re.compile(r"\Asips?:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Facts:
    meaning: str
    unit: str
    minimum: float | None
    maximum: float | None
    restart: bool
    not_yet: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a section: its name, type, default, and the facts given to `setting()`."""

    name: str
    type: SettingType
    default: object
    facts: _Facts

    @property
    def default_text(self) -> str:
        """The default as it would stand in the file."""
        return self.type.write(self.default)

    def read(self, text: str) -> object:
        """Return the value that `text` stands for; raises ValueError saying what would be right."""
        value = self.type.read(text)
        if self.facts.not_yet and value != self.default:
            raise ValueError(f"{self.facts.not_yet}: leave it at {self.default_text}")
        if isinstance(value, (int, float)) and not self._in_bounds(value):
            raise ValueError(f"must be {self.bounds}, not {text}")
        return value

    @property
    def bounds(self) -> str:
        """What the value must lie between, in words; "" where there are no bounds."""
        low, high = self.facts.minimum, self.facts.maximum
        words: list[str] = []
        if low is not None:
            words.append(f"at least {self.type.write(low)}")
        if high is not None:
            words.append(f"at most {self.type.write(high)}")
        return " and ".join(words)

    def _in_bounds(self, value: float) -> bool:
        low, high = self.facts.minimum, self.facts.maximum
        return (low is None or value >= low) and (high is None or value <= high)


def setting(
    default: T,
    meaning: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    restart: bool = True,
    not_yet: str = "",
) -> T:
    """Declare a field of a settings class.

    `meaning` is one or two sentences for the operator and says what happens at a limit; `unit` is a
    plain word ("seconds"). `restart` is False for what a reload takes up while the server runs.
    `not_yet` is a sentence for what this version cannot do: then only the default is taken.
    """
    facts = _Facts(meaning, unit, minimum, maximum, restart, not_yet)
    metadata: Mapping[str, object] = {_KEY: facts}

    # A factory, because a dataclass refuses a mapping as a plain default.
    def make_default() -> T:
        return default

    return field(default_factory=make_default, metadata=metadata)


def settings_of(section: "type[DataclassInstance]") -> Iterator[Setting]:
    """Yield the settings that a section's class declares, in order.

    Raises TypeError for a field whose type cannot be read, or whose default is out of bounds.
    """
    hints = get_type_hints(section, include_extras=True)
    for declared in fields(section):
        facts = declared.metadata.get(_KEY)
        if not isinstance(facts, _Facts) or declared.default_factory is MISSING:
            raise TypeError(f"{section.__name__}.{declared.name} is not declared with setting()")
        make_default: Callable[[], Any] = declared.default_factory
        one = Setting(declared.name, type_of(hints[declared.name]), make_default(), facts)
        if one.bounds and not one.type.ordered:
            raise TypeError(f"{section.__name__}.{declared.name} cannot have bounds")
        yield one


@dataclass(frozen=True, slots=True)
class Update(Generic[T]):
    """What a file that was read again makes of one section."""

    settings: T
    """What is in force from now on: of what needs a restart, the old values."""
    changed: list[str]
    """The settings that are in force with a new value."""
    waiting: list[str]
    """Those whose new value needs a restart."""


def take_up(running: Section, given: Section) -> Update[Section]:
    """Return what becomes of the settings `running`, which are in force, once `given` are read."""
    different = [
        one
        for one in settings_of(type(given))
        if getattr(running, one.name) != getattr(given, one.name)
    ]
    waiting = [one.name for one in different if one.facts.restart]
    kept = {name: getattr(running, name) for name in waiting}
    changed = [one.name for one in different if not one.facts.restart]
    return Update(replace(given, **kept), changed, waiting)


def address_key(address: str) -> str:
    """Return `user@host`, or that of a SIP URI without parameters, as it is looked up.

    That is without escapes, the host in lower case, an IPv6 address without brackets. Raises
    ValueError for what is no such address. Users are compared exactly (RFC 3261 section 19.1.4).
    """
    user, _, host = _SCHEME.sub("", address).rpartition("@")
    user = unquote(user, errors="surrogateescape")
    host = host.lower().removeprefix("[").removesuffix("]")
    if not user or not host or set(address) & set(" \t<>"):
        raise ValueError("is no address such as lobby@example.com")
    return f"{user}@{host}"


def address_uri(key: str) -> str:
    """Return the SIP URI of an address that is written as `address_key` does."""
    user, _, host = key.rpartition("@")
    escaped = quote(user, safe=_USER_SAFE, errors="surrogateescape")
    return f"sip:{escaped}@[{host}]" if ":" in host else f"sip:{escaped}@{host}"


class AddressSettings(Generic[T]):
    """The settings of each address: those of a section of its own, else the application's."""

    def __init__(self, default: T, own: Mapping[str, T] | None = None) -> None:
        """Take the settings of all others, and those of each address that has a section."""
        self.default = default
        self.own: Mapping[str, T] = own or {}
        """By address, written as `address_key` does; whole settings, what is inherited included."""

    def of(self, address: str) -> T:
        """Return the settings of `user@host`, or of a SIP URI without parameters."""
        try:
            return self.own.get(address_key(address), self.default)
        except ValueError:
            return self.default
