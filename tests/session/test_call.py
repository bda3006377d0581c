"""One call at run time: who is told what, and what is refused to whom."""

import pytest
import trio

from sylk.errors import LocalProtocolError, SessionEnded
from sylk.session import Invitation
from sylk.session.call import Call
from sylk.session.dial import Dialled
from tests.peers import (
    PATIENCE,
    Callee,
    Caller,
    MsrpListener,
    Scripted,
    assert_nothing_left,
    attribute,
    chat_offer,
    running_endpoint,
    running_server,
)


async def hold(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        async for _ in chat:
            pass


async def test_what_has_been_accepted_cannot_be_rejected() -> None:
    done = trio.Event()

    async def waver(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            with pytest.raises(LocalProtocolError):
                await invitation.reject(486)
            done.set()
            async for _ in chat:
                pass
        # Once it is over there is nobody to tell.
        await invitation.reject(486)

    async with running_server(application=Scripted(waver)) as server, Caller(server) as caller:
        await caller.join()
        with trio.fail_after(PATIENCE):
            await done.wait()
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_of_the_invite_only_the_header_fields_are_kept() -> None:
    bodies: list[bytes] = []

    async def look(invitation: Invitation) -> None:
        bodies.append(invitation.call.request.body)
        async with invitation.accept() as chat:
            bodies.append(chat.call.request.body)
            assert chat.call.request.headers.get("Content-Type") == "application/sdp"
            async for _ in chat:
                pass

    async with running_server(application=Scripted(look)) as server, Caller(server) as caller:
        await caller.join()
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)
        offer, kept = bodies
        assert b"a=path:" in offer
        assert kept == b""


async def test_the_end_is_told_once_with_its_reason() -> None:
    calls: list[Call] = []
    ends: list[str] = []

    async def watch(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            calls.append(chat.call)
            wake = chat.call.on_end

            def told() -> None:
                ends.append(chat.call.reason)
                assert wake is not None
                wake()

            chat.call.on_end = told
            async for _ in chat:
                pass

    async with running_server(application=Scripted(watch)) as server, Caller(server) as caller:
        await caller.join()
        answer = await caller.ask("BYE", 'Reason: SIP;cause=200;text="enough"')
        assert answer.status == 200
        await assert_nothing_left(server)
        assert ends == ["BYE: enough"]
        (call,) = calls
        assert call.is_over
        assert call.call_id == caller.call_id
        error = call.ended_error()
        assert isinstance(error, SessionEnded)
        assert (error.reason, error.status) == (ends[0], 200)
        # To hang up what is over changes nothing.
        call.hang_up("again", 500)
        assert call.reason == ends[0]


async def test_a_caller_that_is_gone_before_the_answer() -> None:
    """The INVITE came over a connection that is reset while the application still thinks."""
    arrived, gone, over = trio.Event(), trio.Event(), trio.Event()

    async def think(invitation: Invitation) -> None:
        arrived.set()
        await gone.wait()
        with pytest.raises(SessionEnded):
            await hold(invitation)
        over.set()

    async with running_server(application=Scripted(think), establish_timeout=0.05) as server:
        async with Caller(server, transport="tcp") as caller:
            await caller.sip.send(caller.request("INVITE", body=chat_offer(caller.path)))
            with trio.fail_after(PATIENCE):
                await arrived.wait()
        with trio.fail_after(PATIENCE):
            while server.endpoint.transports.connection_count:
                await trio.testing.wait_all_tasks_blocked()
        gone.set()
        with trio.fail_after(PATIENCE):
            await over.wait()


async def test_ringing_is_told_to_the_caller() -> None:
    rung: list[int] = []
    async with running_endpoint() as endpoint, Callee() as callee, trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(SessionEnded) as caught:
                async with Dialled(endpoint, callee.destination, on_ringing=rung.append):
                    raise AssertionError("nobody answers")
            assert caught.value.status == 486

        nursery.start_soon(call)
        await callee.receive("INVITE")
        for status in ("100 Trying", "180 Ringing", "183 Session Progress", "486 Busy Here"):
            await callee.reply(status)
        await callee.receive("ACK")
        await assert_nothing_left(endpoint)
        assert rung == [180, 183]


async def test_requests_in_the_dialog_are_answered() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.join()
        expected = {
            "OPTIONS": 200,
            "MESSAGE": 200,
            "REFER": 405,
            "SUBSCRIBE": 489,
            "INFO": 405,
            "UPDATE": 200,
            "PRACK": 405,
            "FOO": 501,
        }
        for method, status in expected.items():
            answer = await caller.ask(method)
            assert (method, answer.status) == (method, status)
            if status in (405, 501):
                assert "INVITE" in answer["Allow"]
        # None of this has harmed the call.
        assert await caller.send(None) == 200
        assert (await caller.bye()).status == 200
        assert (await caller.bye()).status == 481


async def test_a_reinvite_keeps_the_media() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.join()
        assert caller.answer is not None
        for version in (1, 2):
            final = await caller.reinvite(chat_offer(caller.path, version=version))
            assert final.status == 200
            # Not even our version counts up: nothing has changed.
            assert final.body == caller.answer.body
        assert await caller.send(None) == 200


async def test_a_reinvite_without_offer_gets_one_with_the_same_media() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.join()
        assert caller.answer is not None
        final = await caller.reinvite(b"")
        assert final.status == 200
        assert attribute(final.body, "setup") == ["actpass"]
        assert attribute(final.body, "path") == attribute(caller.answer.body, "path")
        await caller.acknowledge(chat_offer(caller.path))
        assert await caller.send(None) == 200


async def test_a_reinvite_that_takes_the_chat_away_ends_the_call() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.join()
        final = await caller.reinvite(chat_offer(caller.path, port=0, version=2))
        assert final.status == 200
        assert b"m=message 0 " in final.body
        await caller.await_bye()
        await assert_nothing_left(server)


async def test_a_reinvite_that_makes_no_sense_is_refused_and_changes_nothing() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.join()
        no_media = chat_offer(caller.path).partition(b"m=")[0]
        assert (await caller.reinvite(no_media)).status == 488
        assert (await caller.reinvite(b"nonsense")).status in (400, 488)
        assert await caller.send(None) == 200


async def test_a_reinvite_before_the_ack_comes_too_early() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.invite()
        final = await caller.reinvite()
        assert final.status == 500
        assert "Retry-After" in final


async def test_a_bye_before_the_ack_ends_the_call() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.invite()
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_cancel_after_the_200_changes_nothing() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as caller:
        await caller.invite()
        await caller.cancel()
        assert (await caller.sip.response("CANCEL")).status in (200, 481)
        await caller.acknowledge()
        await caller.connect()
        assert await caller.send(None) == 200


async def test_a_phone_that_answers_when_the_call_is_over_is_hung_up() -> None:
    """Two phones have taken the call, and the faster one has hung up already."""
    async with (
        running_endpoint() as endpoint,
        Callee() as callee,
        MsrpListener() as listener,
        trio.open_nursery() as nursery,
    ):

        async def call() -> None:
            with pytest.raises(SessionEnded):
                async with Dialled(endpoint, callee.destination):
                    raise AssertionError("it never stands")

        nursery.start_soon(call)
        await callee.receive("INVITE")
        answer = chat_offer(listener.path, setup="passive")
        await callee.reply("200 OK", answer, tag="first")
        assert "tag=first" in (await callee.receive("ACK"))["To"]
        assert (await callee.ask("BYE", tag="first")).status == 200
        with trio.fail_after(PATIENCE):
            await endpoint.wait_calls_over()
        for _ in range(2):
            await callee.reply("200 OK", answer, tag="second")
            assert "tag=second" in (await callee.receive("ACK"))["To"]
        await callee.reply("200 OK", answer, tag="third")
        bye = await callee.receive("BYE")
        while "tag=third" not in bye["To"]:
            assert "tag=second" in bye["To"]
            await callee.reply("200 OK", to=bye)
            bye = await callee.receive("BYE")
        await callee.reply("200 OK", to=bye)
        await assert_nothing_left(endpoint)
