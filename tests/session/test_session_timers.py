"""Session timers, UPDATE and hold as a phone meets them on the wire; it writes SIP as text."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from sylk.call.session_timer import SessionTimerSettings
from sylk.errors import SessionEnded
from sylk.session.call import Call
from sylk.session.challenges import Credentials
from sylk.session.dial import Dialled
from sylk.session.endpoint import Endpoint
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import (
    PATIENCE,
    Answering,
    Callee,
    Caller,
    MsrpListener,
    Settings,
    answer_frame,
    assert_nothing_left,
    chat_offer,
    running_endpoint,
    running_server,
)

QUIET: Settings = {"MSRP": {"keepalive_interval": 86400}}
"""No message but those of SIP: the phone does not answer keep-alives."""

TIMER = "Supported: timer"
ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"


def with_sip(**settings: object) -> Settings:
    return {**QUIET, "SIP": settings}


async def reply(caller: Caller, request: SipMessage, *headers: str, body: bytes = b"") -> None:
    """Answer a request of the server with 200."""
    head = request.answer("200 OK").decode().removesuffix("Content-Length: 0\r\n\r\n")
    lines = [*headers, *(["Content-Type: application/sdp"] if body else [])]
    extra = "".join(f"{line}\r\n" for line in [*lines, f"Content-Length: {len(body)}"])
    await caller.sip.send(f"{head}{extra}\r\n".encode() + body)


# Who asks for what


async def test_the_answer_tells_who_refreshes(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server, headers=[TIMER]) as caller,
    ):
        await caller.join()
        assert caller.answer is not None
        assert caller.answer["Session-Expires"] == "1800;refresher=uac"
        assert caller.answer["Require"] == "timer"
        assert "timer" in caller.answer["Supported"]
        assert "UPDATE" in caller.answer["Allow"]


async def test_a_phone_that_knows_no_timers_hears_nothing_of_them(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        assert caller.answer is not None
        assert "Session-Expires" not in caller.answer
        assert "Require" not in caller.answer


async def test_a_short_interval_is_refused_with_the_least(answering: Answering) -> None:
    async with (
        running_server(with_sip(min_session_expires=300), application=answering.application) as s,
        Caller(s, headers=[TIMER, "Session-Expires: 299"]) as caller,
    ):
        final = await caller.invite()
        assert (final.status, final["Min-SE"]) == (422, "300")
        await caller.acknowledge()
        await assert_nothing_left(s)


@pytest.mark.parametrize("field", ["Session-Expires: soon", "x: 90;refresher=x", "Min-SE: -90"])
async def test_what_cannot_be_read_is_refused(answering: Answering, field: str) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server, headers=[TIMER, field]) as caller,
    ):
        assert (await caller.invite()).status == 400


async def test_who_requires_timers_is_served(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server, headers=["Require: timer", "x: 1200;refresher=uas"]) as caller,
    ):
        await caller.join()
        assert caller.answer is not None
        assert caller.answer["Session-Expires"] == "1200;refresher=uas"


# The server refreshes


@pytest.mark.parametrize("allow", [ALLOW, "Allow: INVITE, ACK, BYE"])
async def test_the_server_refreshes_at_half_the_interval(
    answering: Answering, jumping_clock: MockClock, allow: str
) -> None:
    async with (
        running_server(QUIET, application=answering.application) as server,
        Caller(server, headers=["Session-Expires: 100", allow]) as caller,
    ):
        await caller.join()
        assert caller.answer is not None
        assert caller.answer["Session-Expires"] == "100;refresher=uas"
        began = jumping_clock.current_time()
        for number in range(1, 4):
            await trio.sleep_until(began + number * 50 - 5)
            request = await caller.sip.receive()
            assert 50 * number <= jumping_clock.current_time() - began < 50 * number + 1
            assert request["Session-Expires"] == "100;refresher=uac"
            assert f":{caller.sip.port}" in request.start_line
            if request.method == "UPDATE":
                assert "UPDATE" in allow
                assert request.body == b""
                await reply(caller, request)
            else:
                assert request.method == "INVITE"
                assert request.body == caller.answer.body
                await reply(caller, request, body=chat_offer(caller.path))
                ack = await caller.sip.receive()
                assert (ack.method, ack["CSeq"]) == ("ACK", f"{number} ACK")
        assert await caller.send(None) == 200
        assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_phone_that_answers_no_refresh_is_gone(
    answering: Answering, jumping_clock: MockClock
) -> None:
    async with (
        running_server(QUIET, application=answering.application) as server,
        Caller(server, headers=["Session-Expires: 100", ALLOW]) as caller,
    ):
        await caller.join()
        began = jumping_clock.current_time()
        await trio.sleep_until(began + 80)
        bye = await caller.await_bye()
        assert 82 <= jumping_clock.current_time() - began < 84
        assert re.search("cause=408", bye["Reason"])
        assert await answering.wait_over() == "the peer is silent"


async def test_a_refresh_that_is_refused_ends_nothing_before_its_time(
    answering: Answering, jumping_clock: MockClock
) -> None:
    async with (
        running_server(QUIET, application=answering.application) as server,
        Caller(server, headers=["Session-Expires: 100", ALLOW]) as caller,
    ):
        await caller.join()
        began = jumping_clock.current_time()
        await trio.sleep_until(began + 45)
        update = await caller.sip.request("UPDATE")
        await caller.sip.send(update.answer("500 Not Today"))
        await trio.sleep_until(began + 95)
        assert await caller.send(None) == 200
        await caller.await_bye()
        assert 100 <= jumping_clock.current_time() - began < 101


# The phone refreshes


async def test_a_phone_that_does_not_refresh_is_hung_up_before_the_interval_is_over(
    answering: Answering, jumping_clock: MockClock
) -> None:
    async with (
        running_server(QUIET, application=answering.application) as server,
        Caller(server, headers=[TIMER, "Session-Expires: 90"]) as caller,
    ):
        await caller.join()
        began = jumping_clock.current_time()
        await trio.sleep_until(began + 55)
        bye = await caller.await_bye()
        # A third of the interval before its end.
        assert 59 <= jumping_clock.current_time() - began < 61
        assert "cause=408" in bye["Reason"]
        assert await answering.wait_over() == "the session was not refreshed in time"
        await assert_nothing_left(server)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
async def test_a_phone_that_refreshes_stays(
    answering: Answering, jumping_clock: MockClock, method: str
) -> None:
    async with (
        running_server(QUIET, application=answering.application) as server,
        Caller(server, headers=[TIMER, "Session-Expires: 90"]) as caller,
    ):
        await caller.join()
        for _ in range(5):
            await trio.sleep(45)
            body = chat_offer(caller.path) if method == "INVITE" else b""
            answer = await caller.ask(method, TIMER, "Session-Expires: 90;refresher=uac", body=body)
            assert (answer.status, answer["Session-Expires"]) == (200, "90;refresher=uac")
            if method == "INVITE":
                await caller.acknowledge()
        assert await caller.send(None) == 200
        await trio.sleep(55)
        await caller.await_bye()


async def test_a_refresh_in_the_call_may_be_too_short_as_well(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server, headers=[TIMER]) as caller,
    ):
        await caller.join()
        for method in ("UPDATE", "INVITE"):
            answer = await caller.ask(
                method, TIMER, "Session-Expires: 60", body=chat_offer(caller.path)
            )
            assert (answer.status, answer["Min-SE"]) == (422, "90")
            await caller.sip.send(caller.request("ACK"))
        assert await caller.send(None) == 200


async def test_an_update_brings_sdp_or_nothing(answering: Answering) -> None:
    async with (
        running_server(application=answering.application) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        answer = await caller.ask("UPDATE", body=b"hello", content_type="text/plain")
        assert (answer.status, answer["Accept"]) == (415, "application/sdp")
        answer = await caller.ask("UPDATE", body=chat_offer(caller.path)[:50])
        assert answer.status == 488
        assert "Warning" in answer
        assert await caller.send(None) == 200


# Our own calls


async def test_our_invite_asks_for_a_timer_and_again_with_the_min_se_told() -> None:
    async with running_endpoint() as endpoint, Callee() as callee, trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(SessionEnded) as caught:
                async with Dialled(endpoint, callee.destination):
                    raise AssertionError("nobody answers")
            assert caught.value.status == 422

        nursery.start_soon(call)
        first = await callee.receive("INVITE")
        assert first["Session-Expires"] == "1800"
        assert "Min-SE" not in first
        assert "timer" in first["Supported"]
        await callee.reply("422 Session Interval Too Small\r\nMin-SE: 3600")
        second = await callee.receive("INVITE")
        assert (second["Session-Expires"], second["Min-SE"]) == ("3600", "3600")
        assert second["CSeq"] == "2 INVITE"
        for name in ("Call-ID", "From", "To"):
            assert second[name] == first[name]
        # Whoever asks for more and more is left alone.
        await callee.reply("422 Session Interval Too Small\r\nMin-SE: 7200")
        await assert_nothing_left(endpoint)


@pytest.mark.parametrize("field", ["", "\r\nMin-SE: x", "\r\nMin-SE: 0"])
async def test_a_422_that_tells_nothing_ends_our_call(field: str) -> None:
    async with running_endpoint() as endpoint, Callee() as callee, trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(SessionEnded) as caught:
                async with Dialled(endpoint, callee.destination):
                    raise AssertionError("nobody answers")
            assert caught.value.status == 422

        nursery.start_soon(call)
        await callee.receive("INVITE")
        await callee.reply(f"422 Session Interval Too Small{field}")
        await callee.receive("ACK")
        await assert_nothing_left(endpoint)


async def test_switched_off_our_invite_does_not_mention_it() -> None:
    async with running_endpoint() as endpoint, Callee() as callee, trio.open_nursery() as nursery:
        endpoint.settings.session_timer = SessionTimerSettings(0)

        async def call() -> None:
            with pytest.raises(SessionEnded):
                async with Dialled(endpoint, callee.destination):
                    raise AssertionError("nobody answers")

        nursery.start_soon(call)
        invite = await callee.receive("INVITE")
        assert "Session-Expires" not in invite
        assert "timer" in invite["Supported"]
        await callee.reply("486 Busy Here")


async def test_the_early_dialogs_of_our_call_take_requests() -> None:
    async with running_endpoint() as endpoint, Callee() as callee, trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(SessionEnded):
                async with Dialled(endpoint, callee.destination):
                    raise AssertionError("nobody answers")

        nursery.start_soon(call)
        await callee.receive("INVITE")
        for tag in ("one", "two"):
            await callee.reply("180 Ringing", tag=tag)
        for tag, status in (("two", 200), ("one", 200), ("three", 481)):
            assert (await callee.ask("UPDATE", tag=tag)).status == status
        await callee.reply("486 Busy Here", tag="one")
        await callee.receive("ACK")
        assert (await callee.ask("UPDATE", tag="two", cseq=2)).status == 481
        await assert_nothing_left(endpoint)


@asynccontextmanager
async def our_call(callee: Callee, *headers: str) -> AsyncGenerator[tuple[Endpoint, Call]]:
    """Let an endpoint of ours call somebody who answers with these header fields too."""
    async with (
        running_endpoint() as endpoint,
        MsrpListener() as listener,
        trio.open_nursery() as nursery,
    ):
        endpoint.settings.msrp.keepalive_interval = 86400
        calls: list[Call] = []
        stands = trio.Event()

        async def call() -> None:
            credentials = Credentials("alice", "secret")
            async with Dialled(endpoint, callee.destination, credentials=credentials) as chat:
                calls.append(chat.call)
                stands.set()
                async for _ in chat:
                    pass

        nursery.start_soon(call)
        await callee.receive("INVITE")
        fields = "".join(f"\r\n{header}" for header in headers)
        await callee.reply(f"200 OK{fields}", chat_offer(listener.path, setup="passive"))
        await callee.receive("ACK")
        peer = await listener.accept()
        await peer.send(answer_frame(await peer.receive()))
        with trio.fail_after(PATIENCE):
            await stands.wait()
        yield endpoint, calls[0]
        peer.close()


@pytest.mark.parametrize("allow", [ALLOW, "Allow: INVITE, ACK, BYE"])
async def test_we_refresh_our_own_call_with_the_password_if_need_be(
    jumping_clock: MockClock, allow: str
) -> None:
    async with Callee() as callee:
        fields = ("Session-Expires: 100;refresher=uac", "Require: timer", allow)
        async with our_call(callee, *fields) as (endpoint, call):
            await trio.sleep(45)
            method = "UPDATE" if "UPDATE" in allow else "INVITE"
            first = await callee.receive(method)
            assert first["Session-Expires"] == "100;refresher=uac"
            assert first["CSeq"] == f"2 {method}"
            challenge = 'Digest realm="x", nonce="n", qop="auth"'
            await callee.reply(f"407 Who\r\nProxy-Authenticate: {challenge}", to=first)
            second = await callee.receive(method)
            assert second["CSeq"] == f"3 {method}"
            assert 'username="alice"' in second["Proxy-Authorization"]
            await callee.reply("481 Never Heard", to=second)
            bye = await callee.receive("BYE")
            assert "cause=481" in bye["Reason"]
            await callee.reply(f"407 Who\r\nProxy-Authenticate: {challenge}", to=bye)
            again = await callee.receive("BYE")
            assert 'username="alice"' in again["Proxy-Authorization"]
            await callee.reply("200 OK", to=again)
            await assert_nothing_left(endpoint)
            assert call.is_over


async def test_whom_we_called_is_hung_up_when_it_does_not_refresh(
    jumping_clock: MockClock,
) -> None:
    async with Callee() as callee:
        fields = ("Session-Expires: 90;refresher=uas", "Require: timer")
        async with our_call(callee, *fields) as (endpoint, call):
            began = jumping_clock.current_time()
            await trio.sleep(55)
            bye = await callee.receive("BYE")
            assert 59 <= jumping_clock.current_time() - began < 61
            await callee.reply("200 OK", to=bye)
            await assert_nothing_left(endpoint)
            assert call.status == 408
