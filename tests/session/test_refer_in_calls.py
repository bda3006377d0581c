"""REFER inside a call: it reaches the application of the call, and is told of in its dialog."""

from collections.abc import Awaitable, Callable

import trio

from sylk.application import Application, NoSettings
from sylk.payload.cpim import Address
from sylk.session import Invitation, ReferralRequest
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import DOMAIN, PATIENCE, Caller, assert_nothing_left, running_server

BOB = "Refer-To: <sip:bob@example.com>"


class Switchboard(Application):
    """Holds calls, and does with a REFER what a test says."""

    name = "switchboard"

    def __init__(self, handle: Callable[[ReferralRequest], Awaitable[None]]) -> None:
        super().__init__(NoSettings())
        self._handle = handle

    async def handle_invitation(self, invitation: Invitation) -> None:
        async with invitation.accept(focus=True) as chat:
            async for _ in chat:
                pass

    async def handle_referral(self, referral: ReferralRequest) -> None:
        await self._handle(referral)


async def next_notify(caller: Caller, answer: str = "200 OK") -> SipMessage:
    notify = await caller.sip.request("NOTIFY")
    await caller.sip.send(notify.answer(answer))
    return notify


async def decline(request: ReferralRequest) -> None:
    referral = await request.accept()
    referral.progress(180)
    referral.finish(603, "Not today")


async def test_it_is_answered_and_told_of_in_the_dialog_of_the_call() -> None:
    asked: list[ReferralRequest] = []

    async def handle(request: ReferralRequest) -> None:
        asked.append(request)
        assert request.read().method == "INVITE"
        await decline(request)

    async with running_server(application=Switchboard(handle)) as server, Caller(server) as caller:
        await caller.join()
        answer = await caller.ask("REFER", BOB)
        assert answer.status == 202
        assert answer["Contact"].endswith(";isfocus")
        first = await next_notify(caller)
        assert first["Call-ID"] == caller.call_id
        assert first["Event"] == "refer;id=2"
        assert first.body == b"SIP/2.0 100 Trying\r\n"
        while (last := await next_notify(caller))["Subscription-State"].startswith("active"):
            assert last.body == b"SIP/2.0 180 Ringing\r\n"
        assert last.body == b"SIP/2.0 603 Not today\r\n"
        (request,) = asked
        assert request.call is not None
        assert request.call.call_id == caller.call_id
        assert request.sender == Address(f"sip:alice@{DOMAIN}")
        # Once it is over the call still stands, and all that is sent in the dialog is in order.
        assert await caller.send(b"hello", "text/plain") == 415
        server.stop.set()
        bye = await caller.await_bye()
        assert int(bye["CSeq"].split()[0]) > int(last["CSeq"].split()[0])
        await assert_nothing_left(server)


async def test_a_call_outlives_a_referral_that_is_not_wanted_any_more() -> None:
    running = trio.Event()

    async def handle(request: ReferralRequest) -> None:
        referral = await request.accept()
        await referral.wait_ended()
        running.set()

    async with running_server(application=Switchboard(handle)) as server, Caller(server) as caller:
        await caller.join()
        assert (await caller.ask("REFER", BOB)).status == 202
        await next_notify(caller, "481 Subscription Does Not Exist")
        with trio.fail_after(PATIENCE):
            await running.wait()
        assert (await caller.reinvite()).status == 200
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_referral_outlives_its_call() -> None:
    go_on = trio.Event()

    async def handle(request: ReferralRequest) -> None:
        referral = await request.accept()
        await go_on.wait()
        referral.finish(200)

    async with running_server(application=Switchboard(handle)) as server, Caller(server) as caller:
        await caller.join()
        assert (await caller.ask("REFER", BOB)).status == 202
        await next_notify(caller)
        assert (await caller.bye()).status == 200
        assert (await caller.ask("REFER", BOB)).status == 481
        go_on.set()
        assert (await next_notify(caller)).body == b"SIP/2.0 200 OK\r\n"
        await assert_nothing_left(server)


async def test_what_cannot_be_read_is_refused_and_the_call_goes_on() -> None:
    async with running_server(application=Switchboard(decline)) as server, Caller(server) as caller:
        await caller.join()
        assert (await caller.ask("REFER")).status == 400
        assert (await caller.ask("REFER", "Refer-To: <>")).status == 400
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_an_application_that_knows_no_referrals_refuses_them() -> None:
    async with running_server() as server, Caller(server, room=f"echo@{DOMAIN}") as caller:
        await caller.join()
        answer = await caller.ask("REFER", BOB)
        assert answer.status == 405
        assert "REFER" not in answer["Allow"]
        assert (await caller.bye()).status == 200
