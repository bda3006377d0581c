"""What the tests of rooms on real sockets share: to come in, to say, to hear, to be gone."""

from sylk_conference import Conference

from sylk.server import Server
from tests.end_to_end.wire_msrp import render_frame
from tests.peers import (
    Caller,
    assert_nothing_left,
)


def conference_of(server: Server) -> Conference:
    conference = server.config.applications["conference"]
    assert isinstance(conference, Conference)
    return conference


def rooms_of(server: Server) -> int:
    return conference_of(server).room_count


async def assert_all_is_gone(server: Server) -> None:
    await assert_nothing_left(server)
    assert rooms_of(server) == 0


async def enter(caller: Caller, receive_buffer: int | None = None) -> str:
    """Join, and return the welcome: from now on the caller is in the room for certain."""
    await caller.join(receive_buffer)
    return await caller.hear_notice()


def said(sender: Caller, text: str) -> tuple[str, str]:
    return f"<sip:{sender.address}>", text


async def hears(caller: Caller) -> tuple[str, str]:
    heard = await caller.hear()
    return heard.sender, heard.text


def nickname_frame(caller: Caller, value: str) -> bytes:
    """Return a NICKNAME with this value of Use-Nickname, as it stands on the wire."""
    headers = [f"Use-Nickname: {value}"]
    return render_frame("NICKNAME", caller.remote_path, caller.path, headers)


async def call_oneself(caller: Caller, value: str) -> int:
    """Ask for a nickname and return the status of the answer."""
    frame = nickname_frame(caller, value)
    await caller.msrp.send(frame)
    return (await caller.answer_to(frame)).status
