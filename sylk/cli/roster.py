"""Who is in the room, as the room tells it or as we have heard, and who is meant by a name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain, product

from sylk.cli.chat_view import bare_address
from sylk.errors import RemoteProtocolError
from sylk.payload.conference_changes import Outcome, merge
from sylk.payload.conference_info import ConferenceInfo
from sylk.payload.conference_users import EndpointStatus
from sylk.payload.cpim import Address
from sylk.sip.uri import SipURI

HEARD_LIMIT = 1000
"""People who are remembered: who has gone, and who was heard where the room does not tell."""


class NotFound(Exception):
    """Nobody, or not one alone, is meant by a name; the text tells the user."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the room."""

    uri: str
    nickname: str = ""
    display_name: str = ""
    roles: tuple[str, ...] = ()
    is_muted: bool = False

    @property
    def address(self) -> str:
        """user@host."""
        return bare_address(self.uri)

    @property
    def user(self) -> str:
        """The user part of the address."""
        return self.address.rpartition("@")[0] or self.address

    @property
    def name(self) -> str:
        """By what name others know him."""
        return self.nickname or self.display_name or self.user


class Roster:
    """The people of one room."""

    def __init__(self) -> None:
        self.info: ConferenceInfo | None = None
        """What the room has told of itself; None where it tells nothing."""
        self._held: ConferenceInfo | None = None
        """What later documents of the same subscription change."""
        self._heard: dict[str, Person] = {}
        self._people: list[Person] = []

    def take(self, body: bytes) -> Outcome:
        """Take a conference-info document; raises RemoteProtocolError when it is none."""
        merged = merge(self._held, ConferenceInfo.parse(body))
        self._held = merged.info
        if merged.outcome in (Outcome.MERGED, Outcome.ENDED):
            self.info = merged.info
            here = [] if self.info is None else _people_of(self.info)
            addresses = {person.address for person in here}
            for person in self._people:
                if person.address not in addresses:
                    self._remember(person)
            self._people = here
        return merged.outcome

    def begin(self) -> None:
        """Take it that a new subscription begins, which counts its versions anew."""
        self._held = None

    def forget(self) -> None:
        """Take it that the room tells nothing any more."""
        self.info = None

    def renamed(self, uri: str, nickname: str) -> None:
        """Take it that somebody has another nickname, before the room has told all of it."""
        address = bare_address(uri)
        self._people = [
            replace(each, nickname=nickname) if each.address == address else each
            for each in self._people
        ]

    def heard(self, speaker: Address) -> None:
        """Remember somebody who has said something."""
        self._remember(Person(speaker.uri, display_name=speaker.display_name))

    def _remember(self, person: Person) -> None:
        self._heard.pop(person.address, None)
        self._heard[person.address] = person
        if len(self._heard) > HEARD_LIMIT:
            del self._heard[next(iter(self._heard))]

    @property
    def people(self) -> list[Person]:
        """All who are here, or else all whom we have heard."""
        return list(self._heard.values()) if self.info is None else self._people

    @property
    def subject(self) -> str:
        """What the room is about, empty where it does not say."""
        description = None if self.info is None else self.info.description
        return "" if description is None else description.subject or ""

    def called(self, speaker: Address) -> Address:
        """Return a speaker by the name that he has in the room."""
        if speaker.display_name or self.info is None:
            return speaker
        address = bare_address(speaker.uri)
        found = [each for each in self._people if each.address == address]
        name = found[0].nickname or found[0].display_name if found else ""
        return Address(speaker.uri, name)

    def names(self) -> list[str]:
        """Return by what names people can be called, those that can be typed."""
        names = {person.name for person in self.people if person.name.isprintable()}
        return sorted(names, key=str.casefold)

    def find(self, name: str) -> Person:
        """Return who is meant: by nickname, else display name, else user part, or by address.

        It may be somebody who has gone, when nobody here is called so, and an address may be of
        anybody. Raises NotFound.
        """
        if "@" in name and (by_address := self._by_address(name)) is not None:
            return by_address
        folded = name.casefold()
        kinds: tuple[Callable[[Person], str], ...] = (
            lambda person: person.nickname,
            lambda person: person.display_name,
            lambda person: person.user,
        )
        for people, kind in product((self.people, self._heard.values()), kinds):
            found = [each for each in people if kind(each).casefold() == folded]
            if len(found) == 1:
                return found[0]
            if found:
                addresses = ", ".join(person.address for person in found[:5])
                raise NotFound(f"{name} are several: {addresses}. Give the address.")
        raise NotFound(f"nobody here is called {name}")

    def split(self, text: str) -> tuple[Person, str]:
        """Return who is meant by the name that `text` begins with, and what follows it.

        A name of several words is known by its beginning, or put into quotes. Raises NotFound.
        """
        if text.startswith('"') and '"' in text[1:]:
            name, _, rest = text[1:].partition('"')
            return self.find(name), rest.strip()
        known = chain(self.people, self._heard.values())
        name = _longest(text, (each for person in known for each in _names_of(person)))
        if not name:
            name = text.partition(" ")[0]
        return self.find(name), text[len(name) :].strip()

    def _by_address(self, text: str) -> Person | None:
        bare = bare_address(text)
        for person in self.people:
            if person.address.casefold() == bare.casefold():
                return person
        has_scheme = text.lower().startswith(("sip:", "sips:"))
        try:
            return Person(str(SipURI.parse(text if has_scheme else f"sip:{text}")))
        except RemoteProtocolError:
            # A name may hold an "@" as well.
            return None


def _names_of(person: Person) -> tuple[str, ...]:
    return person.nickname, person.display_name, person.user, person.address, person.uri


def _longest(text: str, names: Iterable[str]) -> str:
    """Return the longest of `names` that `text` begins with, as it is written there."""
    longest = 0
    for name in names:
        length = len(name)
        beginning, behind = text[:length], text[length : length + 1]
        if length > longest and not behind.strip() and beginning.casefold() == name.casefold():
            longest = length
    return text[:longest]


def _people_of(info: ConferenceInfo) -> list[Person]:
    people: list[Person] = []
    for user in info.users:
        statuses = [endpoint.status for endpoint in user.endpoints]
        if statuses and all(status is EndpointStatus.DISCONNECTED for status in statuses):
            continue
        people.append(
            Person(
                user.entity,
                user.nickname or "",
                user.display_text or "",
                user.roles,
                EndpointStatus.MUTED_VIA_FOCUS in statuses,
            )
        )
    return people
