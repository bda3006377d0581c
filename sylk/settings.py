"""How a setting of `sylk.ini` is declared: its default, its unit, and what its limit does.

A section is a dataclass whose fields are declared with `setting()`. The same declarations read
the file (`sylk.config`), write `sylk.ini.sample` and name what would be right in an error. An
application declares its own section in the same way as the server does (`sylk.sections`):

    @dataclass(frozen=True, kw_only=True)
    class EchoSettings:
        prefix: str = setting("", "What is put before each message that goes back.")
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from sylk.setting_types import (
    ANY_NETWORK,
    Bytes,
    IPAddress,
    Network,
    Networks,
    Port,
    Seconds,
    SettingType,
    type_of,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "ANY_NETWORK",
    "Bytes",
    "IPAddress",
    "Network",
    "Networks",
    "Port",
    "Seconds",
    "Setting",
    "setting",
    "settings_of",
]

T = TypeVar("T")

_KEY = "sylk.setting"


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
    plain word ("seconds"). `restart` is False for what is taken up while the server runs.
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
