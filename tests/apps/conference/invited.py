"""Those whom a room calls, and those who ask it to: peers that write SIP and MSRP as text."""

import secrets

from sylk.server import Server
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import DOMAIN, HOST, Caller, attribute, chat_offer


class Invited(Caller):
    """One whom the server calls over UDP."""

    def __init__(self, server: Server, user: str = "bob", room: str = f"lobby@{DOMAIN}") -> None:
        super().__init__(server, user, room=room)
        self.tag = secrets.token_hex(4)
        self.called: SipMessage | None = None
        """The latest INVITE that came."""

    @property
    def uri(self) -> str:
        """Where he is called."""
        return f"sip:{self.user}@{HOST}:{self.sip.port}"

    async def await_invite(self) -> SipMessage:
        """Return the INVITE that comes."""
        self.called = invite = await self.sip.request("INVITE")
        self.address = f"{self.user}@{HOST}"
        (self.remote_path,) = attribute(_sdp_of(invite), "path")
        return invite

    async def reply(
        self,
        status: str,
        body: bytes = b"",
        *headers: str,
        request: SipMessage | None = None,
    ) -> None:
        """Answer a request, by default the INVITE."""
        request = request or self.called
        assert request is not None
        lines = [f"SIP/2.0 {status}", *(f"Via: {via}" for via in request.all("Via"))]
        lines += [f"{name}: {request[name]}" for name in ("From", "Call-ID", "CSeq")]
        to = request["To"]
        lines.append(f"To: {to if 'tag=' in to else f'{to};tag={self.tag}'}")
        lines += [f"Contact: <{self.uri}>", *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        await self.sip.send(text.encode() + body)

    async def pick_up(self) -> None:
        """Accept the call that rings, connect, and stand."""
        await self.reply("200 OK", chat_offer(self.path))
        await self.sip.request("ACK")
        await self.connect()

    async def come(self) -> str:
        """Wait for the call, accept it, and return the welcome."""
        await self.await_invite()
        await self.pick_up()
        return await self.hear_notice()


def _sdp_of(message: SipMessage) -> bytes:
    return message.body


async def told(caller: Caller) -> tuple[str, str]:
    """Return the next status line that a referrer is told, and whether it is the last."""
    notify = await caller.sip.request("NOTIFY")
    await caller.sip.send(notify.answer("200 OK"))
    assert notify["Event"].startswith("refer")
    assert notify["Content-Type"].startswith("message/sipfrag")
    line = notify.body.decode().removesuffix("\r\n").removeprefix("SIP/2.0 ")
    return line, notify["Subscription-State"].partition(";")[0]


async def refer(caller: Caller, target: str, *headers: str) -> int:
    """Send a REFER and return the status of its answer."""
    return (await caller.ask("REFER", f"Refer-To: {target}", *headers)).status


async def outcome(caller: Caller) -> list[str]:
    """Return the status lines that a referrer is told until the last one."""
    lines: list[str] = []
    while True:
        line, state = await told(caller)
        lines.append(line)
        if state == "terminated":
            return lines
