"""Carrying out what the user of a chat room orders: who is here, names, whispers, moderation."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from sylk.cli.chat_view import ChatView, bare_address
from sylk.cli.commands import Order
from sylk.cli.deliveries import Deliveries
from sylk.cli.focus import Focus
from sylk.cli.front_end import FrontEnd
from sylk.cli.harmless import harmless, harmless_name
from sylk.cli.invitations import ask_focus
from sylk.cli.neighbours import bare, find_neighbours
from sylk.cli.orders import OrderRefused, Orders
from sylk.cli.received import Parties
from sylk.cli.roster import NotFound, Person, Roster
from sylk.errors import LocalProtocolError, RemoteProtocolError, SessionEnded, TransportError
from sylk.msrp.frame import COMMENTS
from sylk.payload.cpim import Address, CpimMessage
from sylk.session.chat import Chat
from sylk.session.message import CPIM
from sylk.sip.uri import SipURI

HISTORY_LIMIT = 1000
"""Messages that may be asked for at once."""

_SHOWN_LIMIT = 200
"""People that /who shows."""

_TIME = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_OK = 200
_FIND_TIME = 1.5  # seconds to find a neighbour in
_ORDINARY_ROLE = "participant"


class RoomDesk:
    """Carries out orders in one room, and shows what comes of them."""

    def __init__(
        self,
        chat: Chat,
        parties: Parties,
        roster: Roster,
        front_end: FrontEnd,
        view: ChatView,
        deliveries: Deliveries,
        focus: Focus | None = None,
    ) -> None:
        self.orders = Orders(chat, parties)
        self.failed = 0
        """How many orders came to nothing."""
        self.on_history_asked: Callable[[], None] | None = None
        self.why_untold: Callable[[], str] = str
        """Returns why the room does not tell who is here."""
        self._chat = chat
        self._parties = parties
        self._roster = roster
        self._front_end = front_end
        self._view = view
        self._deliveries = deliveries
        self._focus = focus
        self._whisperer: Person | None = None

    def whispered(self, sender: Address) -> None:
        """Remember who has said something to us alone, for `/reply`."""
        self._whisperer = Person(sender.uri, display_name=sender.display_name)

    async def carry_out(self, order: Order) -> None:
        """Carry out an order; what goes wrong is shown."""
        try:
            if not self._parties.is_room:
                raise NotFound("this is no room")
            await self._do(order.name, order.rest)
        except (NotFound, OrderRefused, LocalProtocolError, TransportError) as error:
            self._complain(f"{order.name}: {error}")
        except SessionEnded as ended:
            status = "" if ended.status is None else f"{ended.status} "
            self._complain(f"{order.name}: {status}{ended.reason}")

    async def _do(self, name: str, rest: str) -> None:
        match name:
            case "/who":
                self._show_people()
            case "/nick":
                await self._take_nickname(rest.strip('"'))
            case "/msg":
                self._whisper(*self._roster.split(rest))
            case "/reply":
                if self._whisperer is None:
                    raise NotFound("nobody has said anything to you alone")
                self._whisper(self._whisperer, rest)
            case "/invite":
                await self._refer(await self._find(rest), "INVITE")
            case "/kick":
                await self._refer(self._one(rest).uri, "BYE")
            case _:
                await self._moderate(name.removeprefix("/"), rest)

    async def _moderate(self, command: str, rest: str) -> None:
        order: dict[str, str | int] = {"command": command}
        match command:
            case "ban" | "mute":
                person, time = self._roster.split(rest)
                order["user"] = person.uri
                if time:
                    order["seconds"] = _seconds(time)
            case "unban" | "unmute":
                order["user"] = self._one(rest).uri
            case "subject":
                order["text"] = rest
            case "history":
                if rest.lower() == "more":
                    order["earlier"] = True
                elif rest:
                    order["count"] = _count(rest)
                if self.on_history_asked is not None:
                    self.on_history_asked()
            case _:
                pass
        await self.orders.give(order)
        self._notice(f"/{command}: done")

    # Each order

    def _show_people(self) -> None:
        people = self._roster.people
        if self._roster.info is None:
            why = self.why_untold()
            head = "The room does not tell who is here" + (f" ({why})." if why else ".")
            head += " Heard so far:" if people else " Nobody was heard so far."
        else:
            head = f"{len(people)} here:" if len(people) != 1 else "Only you are here:"
        lines = [head, *(self._describe(person) for person in people[:_SHOWN_LIMIT])]
        if len(people) > _SHOWN_LIMIT:
            lines.append(f"and {len(people) - _SHOWN_LIMIT} more")
        self._notice("\n".join(lines))

    def _describe(self, person: Person) -> str:
        marks = [role for role in person.roles if role != _ORDINARY_ROLE]
        if person.address == bare_address(self._parties.own.uri):
            marks.insert(0, "you")
        if person.nickname and person.display_name not in ("", person.nickname):
            marks.append(person.display_name)
        if person.is_muted:
            marks.append("muted")
        name, *marks = (harmless_name(each) for each in (person.name, *marks))
        return f"{name} <{harmless(person.address)}>" + (f" ({', '.join(marks)})" if marks else "")

    async def _take_nickname(self, nickname: str) -> None:
        if "nickname" not in self._chat.chatroom:
            raise OrderRefused("this room has no nicknames")
        status = await self._chat.set_nickname(nickname)
        if status != _OK:
            raise OrderRefused(f"{status} {COMMENTS.get(status, b'').decode()}".rstrip())
        local = self._chat.local
        self._parties.own = Address(local.uri, nickname or local.display_name)
        self._roster.renamed(local.uri, nickname)
        self._notice(f"You are {nickname} now." if nickname else "You have no nickname any more.")

    def _whisper(self, person: Person, text: str) -> None:
        if not text:
            raise NotFound("there is nothing to say")
        if "private-messages" not in self._chat.chatroom:
            # A room that does not know them would tell everybody (RFC 7701 section 8).
            raise OrderRefused("this room has no private messages")
        to = Address(person.uri, person.nickname or person.display_name)
        now = datetime.now(UTC).isoformat()
        body = CpimMessage.compose(
            self._parties.own, to, text.encode("utf-8", "replace"), "text/plain; charset=utf-8", now
        )
        message_id = self._chat.post(body.render(), CPIM, success_report=True)
        if message_id is None:
            raise OrderRefused("the other side holds the chat")
        self._deliveries.sent(message_id, text)
        if self._front_end.shows_own:
            self._front_end.show(self._view.said(self._parties.own, text, _now(), to=to))

    async def _refer(self, uri: str, method: str) -> None:
        if self._focus is None:
            raise OrderRefused("the room cannot be asked")
        name = bare_address(uri)
        watching = self._focus.refer(self._parties.own, uri, method)
        done = await ask_focus(watching, lambda text: self._notice(f"{name}: {text}"))
        if method == "BYE":
            done = "is out"
        self._notice(f"{name} {done}")

    # Names and numbers

    def _one(self, text: str) -> Person:
        person, rest = self._roster.split(text)
        if rest:
            raise NotFound(f"nobody here is called {text}")
        return person

    async def _find(self, text: str) -> str:
        """Return the URI of somebody to bring in: a neighbour of this name, or an address."""
        if not set(text) & set("@:"):
            try:
                found = await find_neighbours(text, _FIND_TIME)
            except TransportError:
                found = []
            if len({str(entry.uri) for entry in found}) > 1:
                choice = " or ".join(bare(entry.uri) for entry in found)
                raise NotFound(f"{text} is here more than once: write {choice}")
            if found:
                return str(found[0].uri)
        return self._parse_address(text)

    def _parse_address(self, text: str) -> str:
        """Return the URI of somebody to bring in; without a domain, that of the room."""
        whole = text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}"
        if "@" not in whole:
            whole += f"@{bare_address(self._parties.peer.uri).rpartition('@')[2]}"
        try:
            return str(SipURI.parse(whole))
        except RemoteProtocolError as error:
            raise NotFound(f"{text} is no SIP address ({error})") from error

    def _notice(self, text: str) -> None:
        self._front_end.show(self._view.notice(text, _now()))

    def _complain(self, text: str) -> None:
        self.failed += 1
        self._front_end.complain(self._view.failure(text, _now()))


def _seconds(text: str) -> int:
    match = _TIME.fullmatch(text.lower())
    if match is None:
        raise NotFound(f"{text} is no time: write 30m, 2h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:5]) <= HISTORY_LIMIT):
        raise NotFound(f"write a number from 1 to {HISTORY_LIMIT}")
    return int(text)


def _now() -> datetime:
    return datetime.now().astimezone()
