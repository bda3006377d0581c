"""The nicknames of one room: who has which, and who may have it (RFC 7701 section 7, RFC 8266).

A nickname belongs to a user, known by the key of his address, over all his clients: set from one of
them it is his in the room, changed from another it has changed. It is his until he gives it up, or
the last of his clients has left. Nobody gets one that belongs to another user, or that is the name
under which somebody else is here, or the room's own; names that merely look alike are the same.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote

from precis_i18n import get_profile

from sylk.errors import RemoteProtocolError
from sylk.payload.cpim import Address
from sylk_conference.look_alikes import looks_of

MAX_LENGTH = 64
"""Characters of a nickname; the RFC allows 1023 octets, which no list of people can show."""

MALFORMED = 424
TAKEN = 425

_READ_LENGTH = 1024
"""Characters of a name that are compared, at most; a display name has no bound of its own."""
_MAX_MARKS = 4
"""Combining characters on one letter: more run over the lines above and below."""
_MARK = "Mn", "Me", "Mc"
_BLANK = "\u2800"
"""The Braille pattern without dots: a symbol that shows nothing."""

# Both are of RFC 8266: section 2.3, as a name is shown, and section 2.4, as names are compared.
_SHOWN = get_profile("NicknameCasePreserved")
_COMPARED = get_profile("NicknameCaseMapped")


class _Names:
    """Who is here under a name, by each form of the name; with two clients he is so twice."""

    def __init__(self) -> None:
        # Nearly always there is one, and a tuple of one is small.
        self._bearers: dict[str, tuple[bytes, ...]] = {}

    def add(self, key: bytes, name: str) -> None:
        for form in _forms(name):
            self._bearers[form] = (*self._bearers.get(form, ()), key)

    def remove(self, key: bytes, name: str) -> None:
        for form in _forms(name):
            bearers = list(self._bearers.pop(form))
            bearers.remove(key)
            if bearers:
                self._bearers[form] = tuple(bearers)

    def has(self, key: bytes, form: str) -> bool:
        return key in self._bearers.get(form, ())

    def others_have(self, key: bytes, form: str) -> bool:
        return any(other != key for other in self._bearers.get(form, ()))

    def bearers(self, forms: Iterable[str]) -> set[bytes]:
        return {key for form in forms for key in self._bearers.get(form, ())}


@dataclass(slots=True)
class _User:
    """Somebody who is here: the display name of each of his clients, and his nickname."""

    display_names: list[str] = field(default_factory=list[str])
    nickname: str = ""


class Nicknames:
    """Who is called what in one room; a user is known by a key, such as his user@host."""

    def __init__(
        self, room: Address, *, reserved: Iterable[str] = (), max_length: int = MAX_LENGTH
    ) -> None:
        """`reserved` names can be nobody's; `max_length` is in characters."""
        self._max_length = max_length
        self._users: dict[bytes, _User] = {}
        self._owners: dict[str, bytes] = {}
        """Whose nickname it is, by each of its forms."""
        self._user_parts = _Names()
        self._display_names = _Names()
        kept = [*reserved, _user_part(room), room.display_name]
        self._reserved = set[str]().union(*map(_forms, kept))

    # Coming and going

    def join(self, key: bytes, address: Address) -> None:
        """Let a client of somebody in: his user part and his display name are not for others."""
        self._users.setdefault(key, _User()).display_names.append(address.display_name)
        self._user_parts.add(key, _user_part(address))
        self._display_names.add(key, address.display_name)

    def leave(self, key: bytes, address: Address) -> None:
        """Let a client out that came with `address`; with the last one the nickname is free."""
        user = self._users[key]
        user.display_names.remove(address.display_name)
        self._user_parts.remove(key, _user_part(address))
        self._display_names.remove(key, address.display_name)
        if not user.display_names:
            self.release(key)
            del self._users[key]

    # Nicknames

    def reserve(self, key: bytes, nickname: str) -> str:
        """Give somebody who is here a nickname, and return it as it is shown to all.

        Raises RemoteProtocolError, with what he has left as it is: 424 for a name that is none, 425
        for one that is not free (RFC 7701 section 7.1).
        """
        shown = self._prepare(nickname)
        forms = _forms(shown)
        if not forms.isdisjoint(self._reserved):
            raise RemoteProtocolError("this name is reserved", TAKEN)
        if any(self._owners.get(form, key) != key for form in forms):
            raise RemoteProtocolError("somebody else has this nickname, or one like it", TAKEN)
        if any(self._is_name_of_another(key, form) for form in forms):
            raise RemoteProtocolError("somebody else is here under this name", TAKEN)
        self.release(key)
        self._users[key].nickname = shown
        for form in forms:
            self._owners[form] = key
        return shown

    def _is_name_of_another(self, key: bytes, form: str) -> bool:
        if self._user_parts.others_have(key, form):
            return True
        # Anybody can bring any display name along: it keeps no user from his own name.
        return self._display_names.others_have(key, form) and not self._user_parts.has(key, form)

    def release(self, key: bytes) -> None:
        """Take it that somebody gives up his nickname; nothing happens if he has none."""
        user = self._users[key]
        for form in _forms(user.nickname):
            del self._owners[form]
        user.nickname = ""

    def nickname_of(self, key: bytes) -> str:
        """Return the nickname of somebody, empty when he has none."""
        user = self._users.get(key)
        return "" if user is None else user.nickname

    def name_of(self, key: bytes) -> str:
        """Return what to call somebody who is here: his nickname, else his display name.

        Empty when he has neither, or when his display name passes for the nickname of another: he
        is then known by his address alone.
        """
        user = self._users[key]
        name = user.nickname or next(filter(None, user.display_names), "")
        is_disguise = any(self._owners.get(form, key) != key for form in _forms(name))
        return "" if is_disguise else name

    def namesakes(self, nickname: str) -> set[bytes]:
        """Return whose display name passes for a nickname, so that `name_of` depends on it."""
        return self._display_names.bearers(_forms(nickname))

    def owner_of(self, nickname: str) -> bytes | None:
        """Return who has a nickname, written in any letter case and width; None if nobody."""
        compared = _compared(nickname)
        owner = self._owners.get(compared)
        # What only looks like it is not enough to be somebody.
        return owner if owner is None or _compared(self.nickname_of(owner)) == compared else None

    def _prepare(self, nickname: str) -> str:
        # What it is mapped to may be shorter, but a flood is not worth the mapping.
        if len(nickname) > 4 * self._max_length:
            raise self._too_long()
        try:
            shown = _SHOWN.enforce(nickname)
            _COMPARED.enforce(shown)
        except ValueError as error:
            raise RemoteProtocolError("a nickname with characters of no name", MALFORMED) from error
        if len(shown) > self._max_length:
            raise self._too_long()
        if not _is_seen(shown):
            raise RemoteProtocolError("a nickname that cannot be seen", MALFORMED)
        # COMPAT: deployed clients take what follows the first one for the address.
        if "<" in shown or ">" in shown:
            raise RemoteProtocolError("a nickname with angle brackets", MALFORMED)
        return shown

    def _too_long(self) -> RemoteProtocolError:
        return RemoteProtocolError(f"a nickname of over {self._max_length} characters", MALFORMED)


def _user_part(address: Address) -> str:
    user, at, _ = address.uri.partition(":")[2].partition("@")
    return unquote(user) if at else ""


def _compared(name: str) -> str:
    """Return the form by which names are compared; never raises, whatever a display name holds."""
    if _is_plain(name):
        # What the profile makes of it, in a hundredth of the time.
        return " ".join(name.split()).lower()
    try:
        return _COMPARED.enforce(name)
    except ValueError:
        return " ".join(unicodedata.normalize("NFKC", name).lower().split())


@lru_cache(maxsize=1024)
def _forms(name: str) -> frozenset[str]:
    """Return the forms of which two names that are the same, or look alike, have one in common."""
    name = name[:_READ_LENGTH]
    visible = name
    if not _is_plain(name):
        visible = "".join(each for each in name if unicodedata.category(each)[0] != "C")
    shown = " ".join(unicodedata.normalize("NFKC", visible).split())
    return frozenset(form for form in (_compared(name), *looks_of(shown)) if form)


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable()


def _is_seen(name: str) -> bool:
    """Tell whether each letter of a name can be seen, and no more than its line is drawn over."""
    marks = 0
    letters = 0
    for each in name:
        if unicodedata.category(each) in _MARK:
            marks += 1
            if marks > _MAX_MARKS or not letters:
                return False
        else:
            marks = 0
            letters += each != " "
    return letters > 0 and _BLANK not in name
