"""A plain model of a room: what each client is to hear, and what a subscriber is to believe.

It says in a few plain lines what the room is for (RFC 7701, RFC 4575), and shares no code with it.
Everything is looked up anew each time: it need not be fast.
"""

import unicodedata
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

DOMAIN = "example.com"
ROOM = f"sip:lobby@{DOMAIN}"
ROOM_NAME = "Conference Room"
MODERATOR = "alice"
MISSED = 4
"""How many messages are kept for who is on hold; the server of the tests is told so."""
DEPARTED = 4
"""How many clients of somebody are listed that have gone, while he is here with another."""

DISPLAY_NAMES = {"alice": "Alice", "carol": "Zoe"}
"""What the clients of each call themselves; the others have no name but their address."""

LOOKS = {"\u0396oe": "zoe", "R\u0435x": "rex", "\uff32\uff25\uff38": "rex", "b\u043eb": "bob"}
"""What names with a Greek Zeta, Cyrillic vowels and wide letters pass for."""

RESERVED = "lobby"
TEXT, HTML, IMAGE = "text/plain", "text/html", "image/png"
COMPOSING = "application/im-iscomposing+xml"


class Line(NamedTuple):
    """One message as a client shows it."""

    name: str
    uri: str
    """Of the sender, as is the name."""
    to: str
    content_type: str
    text: str


class Told(NamedTuple):
    """What a subscriber knows of somebody."""

    uri: str
    name: str | None
    nickname: str | None
    roles: tuple[str, ...]
    clients: tuple[str, ...]
    """The status of each; their order means nothing."""


class Verdict(NamedTuple):
    """What a sender is answered, and what he is told in a REPORT behind a 200, if anything."""

    status: int
    report: int | None = None


TAKEN = Verdict(200)


@dataclass(slots=True, eq=False)
class Client:
    """One client of somebody."""

    person: str
    transport: str = "tcp"
    is_plain: bool = False
    """Whether it takes plain text alone."""
    shows_private: bool = True
    """Whether it can show a private message as what it is."""
    contact: str = ""
    is_held: bool = False
    missed: list[Line] = field(default_factory=list[Line])
    due: list[Line] = field(default_factory=list[Line])
    """What it is to have heard by now."""

    def takes(self, content_type: str) -> bool:
        return content_type == TEXT or not self.is_plain

    @property
    def uri(self) -> str:
        return f"sip:{self.person}@{DOMAIN}"


@dataclass(slots=True, eq=False)
class Person:
    """Somebody who is here."""

    name: str
    clients: list[Client] = field(default_factory=list[Client])
    nickname: str = ""
    departed: int = 0

    @property
    def display_name(self) -> str:
        return DISPLAY_NAMES.get(self.name, "")


def look(name: str) -> str:
    """Return the same for all names that are hard to tell apart."""
    return LOOKS.get(name, name).casefold()


def shown(nickname: str) -> str:
    """Return a nickname as all see it: wide letters are drawn as others are."""
    return unicodedata.normalize("NFKC", nickname)


def is_name(nickname: str) -> bool:
    return nickname.isprintable() and len(nickname) <= 64


def introduced(name: str, person: str) -> str:
    """Return somebody as the room speaks of him."""
    return f"{name} <{person}@{DOMAIN}>" if name else f"{person}@{DOMAIN}"


class RoomModel:
    """One room and who is in it."""

    def __init__(self, remove: str) -> None:
        """`remove` is who may put others out: participants or moderators."""
        self._remove = remove
        self.people: dict[str, Person] = {}

    @property
    def clients(self) -> list[Client]:
        return [client for person in self.people.values() for client in person.clients]

    def state(self) -> tuple[Told, ...]:
        """Return what everybody who subscribes believes."""
        return tuple([self._told(person) for person in self.people.values()])

    def _told(self, person: Person) -> Told:
        here = ["on-hold" if client.is_held else "connected" for client in person.clients]
        return Told(
            f"sip:{person.name}@{DOMAIN}",
            self._name_of(person) or None,
            person.nickname or None,
            ("moderator", "participant") if person.name == MODERATOR else ("participant",),
            tuple(sorted([*here, *["disconnected"] * min(person.departed, DEPARTED)])),
        )

    def _name_of(self, person: Person) -> str:
        """Return how somebody is shown: nobody passes for who has the nickname."""
        if person.nickname:
            return person.nickname
        taken = [look(other.nickname) for other in self.people.values()]
        return "" if look(person.display_name) in taken else person.display_name

    def _notice(self, text: str) -> Line:
        return Line(ROOM_NAME, ROOM, ROOM, TEXT, text)

    def _tell(self, text: str, about: Client | None = None) -> None:
        for client in self.clients:
            if client is not about and not client.is_held:
                client.due.append(self._notice(text))

    # Coming and going

    def join(self, client: Client) -> None:
        others = [
            introduced(self._name_of(person), person.name)
            for person in self.people.values()
            if person.name != client.person
        ]
        here = f"Here already: {', '.join(others)}." if others else "You are the first one here."
        welcome = f"Welcome! {here} Others join at {ROOM.removeprefix('sip:')}"
        client.is_held, client.due, client.missed = False, [self._notice(welcome)], []
        person = self.people.setdefault(client.person, Person(client.person))
        person.clients.append(client)
        if len(person.clients) == 1:
            name = introduced(person.display_name, person.name)
            self._tell(f"{name} has joined the room", client)

    def leave(self, client: Client) -> None:
        person = self.people[client.person]
        person.clients.remove(client)
        person.departed += 1
        if not person.clients:
            del self.people[person.name]
            self._tell(f"{introduced(person.display_name, person.name)} has left the room")

    def remove(self, referrer: str, target: str) -> tuple[int, str | None, list[Client]]:
        """Put somebody out: the answer to the REFER, how it ended, and the clients that go."""
        is_own = referrer == target and referrer in self.people
        may = referrer == MODERATOR or (self._remove == "participants" and referrer in self.people)
        if not is_own and (not may or (target == MODERATOR and referrer != MODERATOR)):
            return 403, None, []
        person = self.people.get(target)
        if person is None:
            return 202, "404 Not In The Room", []
        by = introduced(DISPLAY_NAMES.get(referrer, ""), referrer)
        gone = list(person.clients)
        for client in gone:
            if not client.is_held:
                client.due.append(self._notice(f"Removed by {by}"))
        for client in gone:
            self.leave(client)
        return 202, "200 OK", gone

    # Names

    def rename(self, client: Client, nickname: str) -> int:
        person = self.people[client.person]
        if not nickname:
            person.nickname = ""
            return 200
        if not is_name(nickname):
            return 424
        wanted = look(nickname)
        others = [other for other in self.people.values() if other is not person]
        if wanted == RESERVED or any(
            wanted == look(other.nickname) or wanted == other.name for other in others
        ):
            return 425
        # Anybody may call himself like somebody else, who has a right to his own name.
        if wanted != person.name and any(wanted == look(other.display_name) for other in others):
            return 425
        person.nickname = shown(nickname)
        return 200

    # What is said

    def say(self, sender: Client, text: str, content_type: str = TEXT) -> Verdict:
        """Let somebody say something to all."""
        others = [client for client in self.clients if client is not sender]
        return self._send(sender, others, ROOM, text, content_type)

    def whisper(self, sender: Client, to: str, text: str, content_type: str = TEXT) -> Verdict:
        """Let somebody say something to one person, or one client: `to` is a URI of him."""
        found = self._find(to)
        if not found:
            return Verdict(404)
        others = [one for one in found if one is not sender and one.shows_private]
        if not others and found != [sender]:
            return Verdict(428)
        # His other clients show what he has said.
        own = [
            one
            for one in self.people[sender.person].clients
            if one is not sender and one not in others and one.shows_private
        ]
        return self._send(sender, others + own, to, text, content_type)

    def _find(self, to: str) -> list[Client]:
        if ";nickname=" in to:
            name = shown(unquote(to.partition(";nickname=")[2])).casefold()
            for person in self.people.values():
                if person.nickname.casefold() == name:
                    return person.clients
            return []
        return [client for client in self.clients if to in (client.uri, client.contact)]

    def _send(
        self, sender: Client, recipients: list[Client], to: str, text: str, content_type: str
    ) -> Verdict:
        def lines_for(client: Client) -> list[Line]:
            name = self._name_of(self.people[sender.person])
            if client.takes(content_type):
                return [Line(name, sender.uri, to, content_type, text)]
            if content_type == HTML:
                text_alone = text.removeprefix("<p>").removesuffix("</p>")
                return [Line(name, sender.uri, to, TEXT, text_alone)]
            return []

        others = [client for client in recipients if client.person != sender.person] or recipients
        if others and not any(lines_for(client) for client in others):
            return Verdict(200, 415)
        for client in recipients:
            if not client.is_held:
                client.due += lines_for(client)
            elif content_type != COMPOSING:
                # That somebody was typing means nothing later.
                client.missed += lines_for(client)
        return TAKEN

    # Hold

    def hold(self, client: Client) -> None:
        client.is_held = True

    def resume(self, client: Client) -> None:
        if not client.is_held:
            return
        client.is_held = False
        lost = len(client.missed) - MISSED
        if lost > 0:
            were = "message was" if lost == 1 else "messages were"
            client.due.append(self._notice(f"{lost} earlier {were} said while you were away"))
        client.due += client.missed[-MISSED:]
        client.missed = []
