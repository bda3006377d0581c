"""A real room and a plain model of it, in which the same steps are played."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Literal, NamedTuple
from urllib.parse import quote

import trio

from sylk.server import Server
from tests.apps.conference.invited import outcome, refer
from tests.apps.conference.room_model import (
    COMPOSING,
    DISPLAY_NAMES,
    HTML,
    IMAGE,
    MISSED,
    MODERATOR,
    ROOM,
    TEXT,
    Client,
    RoomModel,
    Verdict,
)
from tests.apps.conference.room_players import Player, Watcher
from tests.apps.conference.visits import assert_all_is_gone
from tests.peers import DOMAIN, Caller, running_server

CLIENTS = 7
NICKNAMES = (
    *("", "Zoe", "ZOE", "\u0396oe", "Rex", "R\u0435x", "\uff32\uff25\uff38"),
    *("bob", "b\u043eb", "alice", "Lobby", "a\u202eb", "x" * 65),
)
TYPES = (TEXT, HTML, IMAGE, COMPOSING)
WATCHERS = 3
"""The first of them watches whenever the room is open."""
BURST = 3
"""How many lines each says when several talk at once."""

What = Literal[
    "join",
    "leave",
    "crash",
    "put out",
    "hold",
    "resume",
    "name",
    "say",
    "whisper",
    "break a rule",
    "talk at once",
    "subscribe",
    "unsubscribe",
    "refresh",
]


class Step(NamedTuple):
    """What a client does; what makes no sense for it just now is left out."""

    what: What
    who: int
    """Which client, or which watcher."""
    whom: int = 0
    """Which client it is about."""
    how: int = 0
    """A number to choose by."""


def _clients() -> list[Client]:
    clients = [
        Client("alice", "udp"),
        Client("alice", shows_private=False),
        Client("bob"),
        Client("bob", "udp"),
        Client("carol", is_plain=True),
        Client("zoe", shows_private=False),
        Client("dave"),
    ]
    assert len(clients) == CLIENTS
    return clients


class Game:
    """One server with one room, and the model of it."""

    def __init__(self, server: Server, remove: str) -> None:
        self.model = RoomModel(remove)
        self._server = server
        self._clients = _clients()
        self._players: dict[Client, Player] = {}
        self._watchers: dict[int, Watcher] = {}
        self._lines = 0

    async def play(self, step: Step) -> None:
        """Play one step, and compare all that comes of it."""
        client = self._clients[step.who % CLIENTS]
        player = self._players.get(client)
        match step.what:
            case "join" if player is None:
                await self._join(client)
            case "leave" if player is not None:
                await self._leave(player)
            case "crash" if player is not None:
                await self._crash(player)
            case "put out":
                await self._put_out(client, self._clients[step.whom % CLIENTS])
            case "subscribe" | "unsubscribe" | "refresh":
                await self._subscription(step.what, step.who % WATCHERS)
            case "talk at once":
                await self._talk_at_once(step.who)
            case _ if player is not None:
                await self._in_the_room(player, step)
            case _:
                return
        await self._compare()

    async def end(self) -> None:
        """Let all leave: nothing may be left behind."""
        for player in list(self._players.values()):
            await self._leave(player)
        await self._compare()
        await assert_all_is_gone(self._server)

    # Comparing

    async def _compare(self) -> None:
        """See that all is as the model says, once it is quiet."""
        await self._watch()
        state = self.model.state()
        for watcher in self._watchers.values():
            await watcher.believe(state)
        for client, player in self._players.items():
            # That it heard less is seen below.
            with suppress(trio.TooSlowError):
                await player.hear_lines(len(client.due))
            await player.hear_no_more()
            assert player.heard == client.due, client
            player.heard, client.due = [], []

    async def _watch(self) -> None:
        """See that those who watch are told when the room closes, and the first when it opens."""
        if not self.model.people:
            for watcher in self._watchers.values():
                await watcher.until_over("noresource")
                watcher.close()
            self._watchers = {}
        elif 0 not in self._watchers:
            await self._subscription("subscribe", 0)

    # Coming and going

    async def _join(self, client: Client) -> None:
        player = Player(self._server, client)
        await player.sip.open()
        await player.come()
        self._players[client] = player
        self.model.join(client)

    async def _leave(self, player: Player) -> None:
        assert (await player.bye()).status == 200
        self._forget(player)
        self.model.leave(player.client)

    async def _crash(self, player: Player) -> None:
        player.msrp.reset()
        if player.client.transport == "tcp":
            player.sip.reset()
        else:
            await player.await_bye()
        self._forget(player)
        self.model.leave(player.client)

    def _forget(self, player: Player) -> None:
        del self._players[player.client]
        player.close()

    async def _put_out(self, referrer: Client, target: Client) -> None:
        status, line, gone = self.model.remove(referrer.person, target.person)
        name = DISPLAY_NAMES.get(referrer.person, "").encode()
        async with Caller(
            self._server, referrer.person, transport="tcp", display_name=name
        ) as caller:
            assert await refer(caller, f"<{target.uri}>;method=BYE") == status
            if line is not None:
                assert await outcome(caller) == ["100 Trying", line]
        for client in gone:
            player = self._players[client]
            await player.hear_lines(len(client.due))
            assert player.heard == client.due, client
            bye = await player.await_bye()
            assert "Removed by" in bye["Reason"]
            self._forget(player)

    async def _subscription(self, what: str, number: int) -> None:
        watcher = self._watchers.get(number)
        if watcher is not None and what == "refresh":
            assert (await watcher.subscribe()).status == 200
            await watcher.take()
        elif watcher is not None and what == "unsubscribe" and number:
            assert (await watcher.subscribe(expires=0)).status == 200
            await watcher.until_over("timeout")
            self._watchers.pop(number).close()
        elif watcher is None and what == "subscribe":
            watcher = Watcher(self._server)
            await watcher.sip.open()
            status = (await watcher.subscribe()).status
            assert status == (200 if self.model.people else 480)
            if self.model.people:
                self._watchers[number] = watcher
            else:
                watcher.close()

    # What is done in the room

    async def _in_the_room(self, player: Player, step: Step) -> None:
        client, model = player.client, self.model
        match step.what:
            case "hold":
                await player.stay(("inactive", "sendonly")[step.how % 2])
                model.hold(client)
            case "resume":
                await player.stay("sendrecv")
                model.resume(client)
            case "name":
                nickname = NICKNAMES[step.how % len(NICKNAMES)]
                assert await player.ask_for_name(nickname) == model.rename(client, nickname)
            case "say":
                content_type = TYPES[step.how % len(TYPES)]
                text = self._text(content_type)
                verdict = await player.utter(ROOM, text.encode(), content_type)
                assert verdict == model.say(client, text, content_type)
            case "whisper":
                await self._whisper(player, self._clients[step.whom % CLIENTS], step.how)
            case "break a rule":
                await self._break_a_rule(player, step.how)
            case _:
                pass

    def _text(self, content_type: str = TEXT) -> str:
        self._lines += 1
        return f"<p>{self._lines}</p>" if content_type == HTML else str(self._lines)

    async def _whisper(self, player: Player, target: Client, how: int) -> None:
        nickname = NICKNAMES[how % len(NICKNAMES)]
        to = (
            target.uri,
            target.contact or target.uri,
            f"{ROOM};nickname={quote(nickname)}",
        )[how % 3]
        content_type = TYPES[how % len(TYPES)]
        text = self._text(content_type)
        verdict = await player.utter(to, text.encode(), content_type)
        assert verdict == self.model.whisper(player.client, to, text, content_type)

    async def _break_a_rule(self, player: Player, how: int) -> None:
        match how % 6:
            case 0:
                several = f"sip:bob@{DOMAIN},sip:carol@{DOMAIN}"
                assert await player.utter(several, b"to two", TEXT) == Verdict(403)
            case 1:
                someone = f"sip:{'bob' if player.user != 'bob' else 'carol'}@{DOMAIN}"
                forged = await player.utter(ROOM, b"forged", TEXT, sender=someone)
                assert forged == Verdict(403)
            case 2:
                assert await player.utter(ROOM, b"\xff\xfe", TEXT) == Verdict(200, 415)
            case 3:
                klingon = "text/plain; charset=klingon"
                assert await player.utter(ROOM, b"nuqneH", klingon) == Verdict(200, 415)
            case 4:
                assert await player.verdict(b"nonsense") == Verdict(200, 400)
            case _:
                assert await player.utter(f"sip:nobody@{DOMAIN}", b"lost", TEXT) == Verdict(404)

    async def _talk_at_once(self, who: int) -> None:
        """Let several talk at once; somebody who only listens tells in which order that was."""
        listening = [one for one in self._players.values() if not one.client.is_held]
        if len(listening) < 2:
            return
        listener = listening[who % len(listening)]
        talkers = [one for one in self._players.values() if one is not listener]
        said: dict[str, Client] = {}
        async with trio.open_nursery() as nursery:
            for player in talkers:
                texts = [self._text() for _ in range(BURST)]
                said |= dict.fromkeys(texts, player.client)
                frames = b"".join(player.line(text) for text in texts)
                nursery.start_soon(player.msrp.send, frames)
        await listener.hear_lines(len(said))
        order = [line.text for line in listener.heard]
        for client in set(said.values()):
            own = [text for text in said if said[text] is client]
            assert [text for text in order if text in own] == own
        for text in order:
            assert self.model.say(said[text], text) == Verdict(200)


@asynccontextmanager
async def playing(remove: str, *, partial: bool) -> AsyncGenerator[Game]:
    """Run a room to play in; `remove` and `partial` are settings of it."""
    conference = {
        "remove": remove,
        "moderators": f"{MODERATOR}@{DOMAIN}",
        "missed_messages": MISSED,
        "notify_interval": 0,
        "partial_notifications": "yes" if partial else "no",
        "history": "no",
    }
    async with running_server({"Conference": conference}) as server:
        yield Game(server, remove)
