"""One batch to many chats, and what comes back under its ids."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from sylk.session import Broadcast, Chat, Invitation
from tests.end_to_end.wire_msrp import render_frame
from tests.peers import PATIENCE, Caller, Scripted, answer_frame, running_server


def scripted(script: Callable[[Chat], Awaitable[None]]) -> Scripted:
    async def handle(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            await script(chat)
            async for _ in chat:
                pass

    return Scripted(handle)


@pytest.mark.parametrize("success_report", [False, True])
async def test_an_answer_names_its_message(success_report: bool) -> None:
    answers: list[tuple[bytes, int, str]] = []
    sent: list[bytes] = []

    def take(identifier: bytes, status: int, reason: str) -> None:
        answers.append((identifier, status, reason))

    async def send(chat: Chat) -> None:
        chat.watch_fan_outs(take)
        broadcast = Broadcast()
        assert len(broadcast) == 0
        sent.extend(broadcast.add(body, success_report=success_report) for body in (b"one", b"two"))
        assert len(broadcast) == 2
        broadcast.send_to([chat])

    async with running_server(application=scripted(send)) as server, Caller(server) as caller:
        await caller.join()
        first, second = [await caller.next_frame("SEND") for _ in range(2)]
        assert [frame.headers["Message-ID"].encode() for frame in (first, second)] == sent
        assert ("Success-Report" in first.headers) is success_report
        await caller.msrp.send(answer_frame(first, "415 No <thanks>"))
        lines = [f"Message-ID: {sent[1].decode()}", "Byte-Range: 1-3/3", "Status: 000 200 OK"]
        await caller.msrp.send(
            render_frame("REPORT", second.headers["From-Path"], second.headers["To-Path"], lines)
        )
        with trio.fail_after(PATIENCE):
            assert await caller.send(None) == 200
        assert answers == [(sent[0], 415, "No <thanks>"), (sent[1], 200, "OK")]
