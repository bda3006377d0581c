"""Who tries what in the table of permissions, over real sockets, and what came of it."""

import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
import trio.testing

from sylk.server import Server
from tests.apps.conference.visits import conference_of, enter, nickname_frame
from tests.end_to_end.wire_msrp import Frame
from tests.peers import DOMAIN, PATIENCE, Caller, chat_offer, running_server, wrap

COMMAND = "application/vnd.sylk.command+json"
TEXT = "text/plain"
LOBBY, OTHER = f"lobby@{DOMAIN}", f"other@{DOMAIN}"
ALICE = f"alice@{DOMAIN}"
SECRET, END = "x", "end"
SETTINGS = {
    "Conference": {"join_notices": "quiet"},
    LOBBY: {"moderators": f"mod@{DOMAIN}"},
    OTHER: {"moderators": f"boss@{DOMAIN}"},
    f"locked@{DOMAIN}": {"moderators": f"mod@{DOMAIN}"},
    f"members@{DOMAIN}": {"allow": ALICE},
    f"private@{DOMAIN}": {"who_may_subscribe": "participants"},
}


@dataclass(slots=True)
class Scene:
    """The lobby with Alice, Bob and their moderator; and the one who tries something."""

    server: Server
    alice: Caller
    bob: Caller
    mod: Caller
    actor: Caller
    who: str
    others: list[Caller] = field(default_factory=list[Caller])

    def another(self, room: str, *headers: str) -> Caller:
        """Return another client of the actor, whose socket is opened by `async with`."""
        return Caller(self.server, self.actor.user, room=room, headers=headers)

    @property
    def people(self) -> int:
        """How many sessions are in rooms."""
        return conference_of(self.server).participant_count


What = Callable[[Scene], Awaitable[int]]
"""Tries something and returns the status that it gets."""


async def report_of(caller: Caller, frame: bytes) -> int:
    """Send a SEND and return the status of its answer, or of the report behind a 200."""
    await caller.msrp.send(frame)
    answer = await caller.answer_to(frame)
    if answer.status != 200:
        return answer.status
    report = await caller.next_frame("REPORT")
    return int(report.headers["Status"].split()[1])


def _frame(scene: Scene, body: bytes) -> bytes:
    return scene.actor.frame(body, "message/cpim", "Success-Report: yes")


async def send(scene: Scene, sender: str, to: str, text: bytes, kind: str = TEXT) -> int:
    """Send over the session of the actor, or, where he has none, over what he has of one."""
    actor = scene.actor
    if scene.who in ("stranger", "left", "banned"):
        if not actor.remote_path:
            actor.remote_path = _guess(scene.alice.remote_path)
        await actor.open_msrp()
    return await report_of(actor, _frame(scene, wrap(sender, to, text, kind)))


def _guess(path: str) -> str:
    """Return a path of the server with a session-id that is none."""
    return f"{path.rpartition('/')[0]}/{secrets.token_hex(10)};tcp"


def says(to: str, sender: str = "", *, kind: str = TEXT, **command: str) -> What:
    """Return what sends a message, in the name of somebody else if that is given."""
    text = json.dumps(command).encode() if command else SECRET.encode()

    async def what(scene: Scene) -> int:
        return await send(scene, sender or scene.actor.address, to, text, kind)

    return what


def commands(name: str, **fields: str) -> What:
    """Return what gives a command in the lobby."""
    return says(LOBBY, kind=COMMAND, command=name, **fields)


def asks(method: str, room: str, *headers: str, forged: bytes = b"") -> What:
    """Return what sends a request to a room, outside of any call; `forged` is its From."""

    async def what(scene: Scene) -> int:
        async with scene.another(room) as client:
            fields = [_filled(header, scene) for header in headers]
            request = client.request(method, *fields)
            if forged:
                request = request.replace(b"<sip:" + client.address.encode() + b">", forged, 1)
            await client.sip.send(request)
            return (await client.sip.response(method)).status

    return what


def _filled(header: str, scene: Scene) -> str:
    return header.replace("ALICE-DIALOG", scene.alice.dialog_id if "DIALOG" in header else "")


def calls(room: str, *headers: str) -> What:
    """Return what calls a room and stays."""

    async def what(scene: Scene) -> int:
        client = scene.another(room, *(_filled(header, scene) for header in headers))
        await client.sip.open()
        scene.others.append(client)
        final = await client.invite()
        await client.acknowledge()
        if final.status == 200:
            await client.connect()
            await client.hear_notice()
        return final.status

    return what


async def brings_a_list(scene: Scene) -> int:
    """Call the lobby with a list of people who are to be called."""
    entry = f'<entry uri="sip:{ALICE}"/>'
    listed = f'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>{entry}</list>'
    async with scene.another(LOBBY) as client:
        body = (
            "--b\r\nContent-Type: application/sdp\r\n\r\n"
            f"{chat_offer(client.path).decode()}\r\n"
            "--b\r\nContent-Type: application/resource-lists+xml\r\n"
            f"Content-Disposition: recipient-list\r\n\r\n{listed}</resource-lists>\r\n--b--\r\n"
        ).encode()
        kind = "multipart/mixed;boundary=b"
        require = "Require: recipient-list-invite"
        await client.sip.send(client.request("INVITE", require, body=body, content_type=kind))
        final = await client.await_answer()
        await client.acknowledge()
        if final.status == 200:
            await client.bye()
        return final.status


def in_the_call_of_alice(method: str, *, tag: bool) -> What:
    """Return what sends a request into her call, knowing its Call-ID and one of its tags."""

    async def what(scene: Scene) -> int:
        answer = scene.alice.answer
        assert answer is not None
        to, sender = answer["To"], answer["From"]
        async with scene.another(LOBBY) as client:
            body = chat_offer(client.path) if method == "INVITE" else b""
            request = client.request(method, body=body).decode()
            lines = [
                line
                for line in request.split("\r\n")
                if not line.startswith(("From:", "To:", "Call-ID:"))
            ]
            guess = f";tag={secrets.token_hex(4)}"
            lines[1:1] = [
                f"From: {sender if tag else sender.partition(';')[0] + guess}",
                f"To: {to.partition(';')[0] + guess if tag else to}",
                f"Call-ID: {scene.alice.call_id}",
            ]
            await client.sip.send("\r\n".join(lines).encode())
            return (await client.sip.response(method)).status

    return what


def takes_the_session_of_alice(*, own_path: bool) -> What:
    """Return what names her session on a connection of one's own, as oneself or as her."""

    async def what(scene: Scene) -> int:
        alice = scene.alice
        async with scene.another(LOBBY) as client:
            client.remote_path = alice.remote_path
            if not own_path:
                client.path = alice.path
            await client.open_msrp()
            frame = client.frame(wrap(ALICE, LOBBY, SECRET.encode()))
            await client.msrp.send(frame)
            return (await client.answer_to(frame)).status

    return what


async def calls_himself_bob(scene: Scene) -> int:
    """Ask for the nickname that Bob has."""
    for caller in (scene.bob, scene.actor):
        frame = nickname_frame(caller, '"Bobby"')
        await caller.msrp.send(frame)
        answer = await caller.answer_to(frame)
    return answer.status


async def reports_for_another(scene: Scene) -> int:
    """Report on a message that Alice has sent, as if it had failed: nobody answers a REPORT."""
    actor = scene.actor
    if scene.who == "stranger":
        actor.remote_path = _guess(scene.alice.remote_path)
        await actor.open_msrp()
    frame = scene.alice.line("from alice")
    await scene.alice.msrp.send(frame)
    identifier = frame.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
    report = actor.frame(None).replace(b" SEND\r\n", b" REPORT\r\n")
    own = report.partition(b"Message-ID: ")[2].partition(b"\r\n")[0]
    report = report.replace(own, identifier.encode() + b"\r\nStatus: 000 403 Forbidden")
    await actor.msrp.send(report)
    await scene.alice.answer_to(frame)
    return 0


# What came of it


async def heard_by(caller: Caller) -> list[tuple[str, str]] | None:
    """Return the sender and text of all up to END; None when the caller was put out before."""
    heard: list[tuple[str, str]] = []
    with trio.fail_after(PATIENCE):
        while True:
            try:
                message = await caller.hear()
            except EOFError:
                return None
            if message.text == END:
                return heard
            heard.append((message.sender, message.text))


async def effects(scene: Scene, before: int) -> list[str]:
    """Return who heard it, who is out, and how many more or fewer are in rooms."""
    await scene.mod.say(END)
    found: list[str] = []
    for caller in (scene.alice, scene.bob):
        heard = await heard_by(caller)
        if heard is None:
            found.append(f"-{caller.user}")
            continue
        for sender, text in heard:
            if text == SECRET:
                assert sender == f"<sip:{scene.actor.address}>", "in the name of somebody else"
                found.append(caller.user)
    more = scene.people - before
    return [*found, *([f"{more:+d}"] if more > 0 else [])]


async def outcome(scene: Scene, what: What) -> str:
    """Return the status and the effects of trying something."""
    before = scene.people
    status = await what(scene)
    found = await effects(scene, before)
    for frame in _failures(scene.alice):
        raise AssertionError(f"Alice was told {frame.headers['Status']}")
    return " ".join([str(status), *found])


def _failures(caller: Caller) -> list[Frame]:
    return [frame for frame in caller.waiting_frames if frame.what == "REPORT"]


# The actors


async def order(moderator: Caller, name: str, **fields: str) -> None:
    """Give a command, which must be obeyed."""
    content = json.dumps({"command": name, **fields}).encode()
    body = wrap(moderator.address, moderator.room, content, COMMAND)
    assert await moderator.send(body, "message/cpim", "Success-Report: yes") == 200
    report = await moderator.next_frame("REPORT")
    assert report.headers["Status"] == "000 200 OK"


_ROOMS = {"elsewhere": OTHER, "boss": OTHER}


async def _prepare(scene: Scene) -> None:
    """Bring the actor to where his name in the table says that he is."""
    actor, who, mod = scene.actor, scene.who, scene.mod
    if who in ("stranger", "mod"):
        return
    await enter(actor)
    if who == "left":
        await actor.bye()
    elif who == "banned":
        await order(mod, "ban", user=f"sip:{actor.address}")
        await actor.await_bye()
    elif who == "muted":
        await order(mod, "mute", user=f"sip:{actor.address}")
    # Who says BYE is answered before his seat is free.
    await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def scene_of(who: str) -> AsyncGenerator[Scene]:
    """Set the scene for somebody of the table."""
    async with (
        running_server(SETTINGS) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
        Caller(server, "mod") as mod,
        Caller(server, who, room=_ROOMS.get(who, LOBBY)) as other,
        Caller(server, "mod", room=f"locked@{DOMAIN}") as warden,
    ):
        for caller in (alice, bob, mod, warden):
            await enter(caller)
        await order(warden, "lock")
        scene = Scene(server, alice, bob, mod, mod if who == "mod" else other, who)
        await _prepare(scene)
        try:
            yield scene
        finally:
            for client in scene.others:
                client.close()
