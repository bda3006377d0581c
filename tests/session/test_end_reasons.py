"""Why calls end, as BYE and CANCEL tell it in either direction (RFC 3326)."""

import pytest
import trio
from trio.testing import MockClock

from sylk.errors import SessionEnded
from sylk.session import Invitation
from sylk.session.dial import Dialled
from tests.peers import (
    PATIENCE,
    Answering,
    Callee,
    Caller,
    MsrpListener,
    Scripted,
    assert_nothing_left,
    chat_offer,
    running_endpoint,
    running_server,
)


@pytest.mark.parametrize(
    ("headers", "reason", "status"),
    [
        ([], "BYE", None),
        (['Reason: Q.850;cause=16;text="Terminated"'], "BYE: Terminated", None),
        (["Reason: Q.850;cause=16, SIP;cause=480"], "BYE: Q.850 16, SIP 480", 480),
        (["Reason: SIP;cause=486", "Reason: Preemption"], "BYE: SIP 486, Preemption", 486),
        # A reason is for people; a bad one does not keep anybody in a call.
        (['Reason: "'], "BYE", None),
        (["Reason: SIP;cause=NaN"], "BYE", None),
        (["Reason: " + "x" * 5000], "BYE", None),
    ],
)
async def test_what_a_bye_tells(headers: list[str], reason: str, status: int | None) -> None:
    ends: list[SessionEnded] = []

    async def listen(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            async for _ in chat:
                pass
            ends.append(chat.call.ended_error())

    async with running_server(application=Scripted(listen)) as server, Caller(server) as caller:
        await caller.join()
        assert (await caller.ask("BYE", *headers)).status == 200
        await assert_nothing_left(server)
        assert [(end.reason, end.status) for end in ends] == [(reason, status)]


async def test_the_words_of_a_peer_drive_no_terminal(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        reason = 'SIP;cause=486;text="a\x1b[2J\u202eb\x07"'
        assert (await caller.ask("BYE", f"Reason: {reason}")).status == 200
        assert await answering.wait_over() == "BYE: a\ufffd[2J\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("headers", "reason", "status"),
    [
        ([], "cancelled by the caller", 487),
        (
            ['Reason: SIP;cause=200;text="Call completed elsewhere"'],
            "cancelled by the caller: Call completed elsewhere",
            200,
        ),
    ],
)
async def test_what_a_cancel_tells(headers: list[str], reason: str, status: int) -> None:
    ends: list[SessionEnded] = []
    rings, over = trio.Event(), trio.Event()

    async def ring(invitation: Invitation) -> None:
        await invitation.ring()
        invitation.call.on_end = over.set
        rings.set()
        await over.wait()
        ends.append(invitation.call.ended_error())

    async with running_server(application=Scripted(ring)) as server, Caller(server) as caller:
        await caller.sip.send(caller.request("INVITE", body=chat_offer(caller.path)))
        with trio.fail_after(PATIENCE):
            await rings.wait()
        await caller.sip.send(caller.request("CANCEL", *headers))
        assert (await caller.await_answer()).status == 487
        await caller.acknowledge()
        await assert_nothing_left(server)
        assert [(end.reason, end.status) for end in ends] == [(reason, status)]


async def test_a_cancel_of_ours_tells_why(jumping_clock: MockClock) -> None:
    assert jumping_clock.current_time() == 0
    async with running_endpoint() as endpoint, Callee() as bob, trio.open_nursery() as nursery:

        async def give_up() -> None:
            dialled = Dialled(endpoint, bob.destination, invite_timeout=5)
            with pytest.raises(SessionEnded, match="no answer within 5 s"):
                await dialled.__aenter__()

        nursery.start_soon(give_up)
        await bob.receive("INVITE")
        await bob.reply("180 Ringing")
        cancel = await bob.receive("CANCEL")
        assert cancel["Reason"] == 'SIP;cause=408;text="no answer within 5 s"'
        await bob.reply("200 OK", to=cancel)
        await bob.reply("487 Request Terminated")


async def test_the_second_of_two_phones_that_answer_hears_who_was_first() -> None:
    async with (
        running_endpoint() as endpoint,
        MsrpListener() as listener,
        Callee() as bob,
        trio.open_nursery() as nursery,
    ):

        async def call() -> None:
            with pytest.raises(SessionEnded):
                await Dialled(endpoint, bob.destination).__aenter__()

        nursery.start_soon(call)
        await bob.receive("INVITE")
        answer = chat_offer(listener.path, setup="passive")
        for tag in ("desk", "mobile"):
            await bob.reply("200 OK", answer, tag=tag)
        bye = await bob.receive("BYE")
        assert bye["To"].endswith("tag=mobile")
        assert bye["Reason"] == 'SIP;cause=200;text="Call completed elsewhere"'
        await bob.reply("200 OK", to=bye)
        # The one that was first is a call like any other, until its media are refused.
        (await listener.accept()).close()
        bye = await bob.receive("BYE")
        assert bye["To"].endswith("tag=desk")
        assert bye["Reason"].startswith("SIP;cause=500;")
        await bob.reply("200 OK", to=bye)
