"""Those who play in a real room what a model has foretold: clients and subscribers on sockets."""

import trio

from sylk.payload.conference_changes import Outcome, merge
from sylk.payload.conference_info import ConferenceInfo
from sylk.server import Server
from tests.apps.conference.room_model import DISPLAY_NAMES, Client, Line, Told, Verdict
from tests.apps.conference.subscribers import Subscriber
from tests.end_to_end.wire_client import Heard, unwrap
from tests.end_to_end.wire_msrp import Frame, render_frame
from tests.peers import PATIENCE, Caller, answer_frame, chat_offer


class Player(Caller):
    """One client in the room, who remembers what it has heard until somebody looks."""

    def __init__(self, server: Server, client: Client) -> None:
        name = DISPLAY_NAMES.get(client.person, "").encode()
        super().__init__(server, client.person, transport=client.transport, display_name=name)
        self.client = client
        self.heard: list[Line] = []
        self._version = 1

    async def come(self) -> None:
        """Join with what this client can do."""
        extra = () if self.client.shows_private else ("a=chatroom:nickname",)
        offer = chat_offer(self.path, accept_types="message/cpim", extra=extra)
        if self.client.is_plain:
            offer = offer.replace(b"wrapped-types:*", b"wrapped-types:text/plain")
        assert (await self.invite(offer)).status == 200
        await self.acknowledge()
        await self.connect()
        tcp = ";transport=tcp" if self.sip.transport == "tcp" else ""
        self.client.contact = f"sip:{self.user}@{self.host}:{self.sip.port}{tcp}"

    async def stay(self, direction: str) -> None:
        """Hold the chat, or resume it."""
        self._version += 1
        offer = chat_offer(self.path, extra=[f"a={direction}"], version=self._version)
        assert (await self.reinvite(offer)).status == 200

    async def ask_for_name(self, nickname: str) -> int:
        """Send a NICKNAME and return the status of its answer."""
        lines = [f"Use-Nickname: {nickname}"]
        frame = render_frame("NICKNAME", self.remote_path, self.path, lines)
        await self.msrp.send(frame)
        return (await self.answer_to(frame)).status

    async def utter(
        self, to: str, content: bytes, content_type: str, *, sender: str | None = None
    ) -> Verdict:
        """Send a message to one URI, or to several with commas, and return what comes of it."""
        lines = [f"From: <{sender or self.client.uri}>"]
        lines += [f"To: <{uri}>" for uri in to.split(",")]
        lines += ["DateTime: 2026-11-21T07:35:47Z", "", f"Content-Type: {content_type}", "", ""]
        return await self.verdict("\r\n".join(lines).encode() + content)

    async def verdict(self, body: bytes, content_type: str = "message/cpim") -> Verdict:
        """Send a body and return the answer, and the status of the REPORT that follows."""
        status = await self.send(body, content_type)
        # What the room has to say of it was sent with the answer.
        await self.bind()
        reports = [frame for frame in self._frames if frame.what == "REPORT"]
        self._frames = [frame for frame in self._frames if frame.what != "REPORT"]
        assert len(reports) <= 1
        report = int(reports[0].headers["Status"].split()[1]) if reports else None
        return Verdict(status, report)

    async def hear_lines(self, count: int) -> None:
        """Wait until so many messages have come, since somebody looked."""
        await self._take()
        while len(self.heard) < count:
            await self._hear(await self.msrp.receive())

    async def hear_no_more(self) -> None:
        """Take all that the room has sent by now."""
        await self.bind()
        await self._take()

    async def _take(self) -> None:
        frames, self._frames = self._frames, []
        for frame in frames:
            await self._hear(frame)

    async def _hear(self, frame: Frame) -> None:
        if frame.status:
            # The answer to something that was said without waiting for it.
            assert frame.status == 200
            return
        assert frame.what == "SEND"
        if frame.headers.get("Failure-Report", "yes") == "yes":
            await self.msrp.send(answer_frame(frame))
        if frame.body:
            self.heard.append(_line(unwrap(frame)))


def _line(heard: Heard) -> Line:
    name, _, uri = heard.sender.removesuffix(">").rpartition("<")
    to = heard.recipient.rpartition("<")[2].removesuffix(">")
    kind = heard.content_type.partition(";")[0]
    return Line(name.strip('" '), uri, to, kind, heard.text)


class Watcher(Subscriber):
    """One who watches the room and believes what is told."""

    async def believe(self, state: tuple[Told, ...]) -> None:
        """Wait until all of this is believed."""
        try:
            with trio.fail_after(PATIENCE):
                while self.held is None or _state_of(self.held) != state:
                    await self.take()
        except trio.TooSlowError:
            believed = None if self.held is None else _state_of(self.held)
            raise AssertionError(f"{believed} is believed, and not {state}") from None

    async def take(self) -> None:
        """Take one NOTIFY; a document that is told again must be the one that is believed."""
        document = ConferenceInfo.parse((await self.notify()).body)
        merged = merge(self.held, document)
        if merged.outcome is Outcome.OLD:
            assert self.held is not None
            assert document.version == self.held.version
            assert _state_of(document) == _state_of(self.held)
            return
        assert merged.outcome is Outcome.MERGED
        self.held = merged.info

    async def until_over(self, reason: str) -> None:
        """Wait until nothing is told any more."""
        while "active" in (state := (await self.notify())["Subscription-State"]):
            pass
        assert state == f"terminated;reason={reason}"


def _state_of(info: ConferenceInfo) -> tuple[Told, ...]:
    assert info.conference_state is not None
    assert info.conference_state.user_count == len(info.users)
    return tuple(
        [
            Told(
                user.entity,
                user.display_text,
                user.nickname,
                user.roles,
                tuple(sorted(str(one.status) for one in user.endpoints)),
            )
            for user in info.users
        ]
    )
