"""SUBSCRIBE, REFER and MESSAGE outside a dialog, as an application holds them."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from sylk.application import Application, NoSettings
from sylk.payload.cpim import Address
from sylk.session import PageMessage, ReferralRequest, Subscription, SubscriptionRequest
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import DOMAIN, HOST, PATIENCE, Caller, assert_nothing_left, running_server

Requests = SubscriptionRequest | ReferralRequest | PageMessage


class Office(Application):
    """Takes every request that is no call in the way that a test says."""

    name = "office"
    event_packages = ("conference", "presence")

    def __init__(self, handle: Callable[[Requests], Awaitable[None]]) -> None:
        super().__init__(NoSettings())
        self._handle = handle

    async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
        await self._handle(subscription)

    async def handle_referral(self, referral: ReferralRequest) -> None:
        await self._handle(referral)

    async def handle_message(self, message: PageMessage) -> None:
        await self._handle(message)


async def test_a_message_is_read_and_accepted() -> None:
    async def read(request: Requests) -> None:
        assert isinstance(request, PageMessage)
        assert request.content == b"hello"
        assert request.content_type == "text/plain"
        assert request.sender == Address(f"sip:alice@{DOMAIN}", "Alice")
        assert request.recipient == Address(f"sip:lobby@{DOMAIN}")
        assert request.request_uri.user == "lobby"
        assert request.source == (HOST, caller.sip.port)
        assert request.call_id == caller.call_id
        assert request.headers.get("Subject") == "x"
        assert not request.is_answered
        await request.accept()
        assert request.is_answered

    async with (
        running_server(application=Office(read)) as server,
        Caller(server, display_name=b"Alice") as caller,
    ):
        answer = await caller.ask("MESSAGE", "Subject: x", body=b"hello", content_type="text/plain")
        assert answer.status == 200
        assert "tag=" in answer["To"]
        await assert_nothing_left(server)


async def test_a_subscription_names_its_event() -> None:
    async def look(request: Requests) -> None:
        assert isinstance(request, SubscriptionRequest)
        await request.reject(489, f"No {request.event}")

    async with running_server(application=Office(look)) as server, Caller(server) as caller:
        answer = await caller.ask("SUBSCRIBE", "Event: presence;id=1", "Expires: 60")
        assert answer.start_line == "SIP/2.0 489 No presence"


async def test_a_referral_names_its_target() -> None:
    async def look(request: Requests) -> None:
        assert isinstance(request, ReferralRequest)
        await request.reject(403 if request.refer_to == "<sip:bob@example.com>;method=BYE" else 400)

    async with running_server(application=Office(look)) as server, Caller(server) as caller:
        headers = ["Refer-To: <sip:bob@example.com>;method=BYE"]
        assert (await caller.ask("REFER", *headers)).status == 403
        assert (await caller.ask("REFER")).status == 400


async def test_only_the_first_answer_counts() -> None:
    async def dither(request: Requests) -> None:
        request.reject_nowait(404)
        await request.reject(500)

    async with running_server(application=Office(dither)) as server, Caller(server) as caller:
        assert (await caller.ask("MESSAGE")).status == 404
        # The next thing that comes is the answer to the next request.
        assert (await caller.ask("REFER")).method == "REFER"


async def test_a_request_that_came_twice_is_answered_twice_but_handled_once() -> None:
    handled: list[Requests] = []

    async def count(request: Requests) -> None:
        handled.append(request)
        await request.reject(404)

    async with running_server(application=Office(count)) as server, Caller(server) as caller:
        message = caller.request("MESSAGE")
        for _ in range(2):
            await caller.sip.send(message)
            assert (await caller.sip.response("MESSAGE")).status == 404
        assert len(handled) == 1


@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "REFER"])
async def test_what_the_application_leaves_unanswered_is_answered(method: str) -> None:
    async def ignore(_request: Requests) -> None:
        await trio.lowlevel.checkpoint()

    async with running_server(application=Office(ignore)) as server, Caller(server) as caller:
        assert (await caller.ask(method, "Event: presence")).status == 480


async def next_notify(caller: Caller) -> SipMessage:
    notify = await caller.sip.request("NOTIFY")
    await caller.sip.send(notify.answer("200 OK"))
    return notify


async def test_a_subscription_is_told_the_state_until_it_ends() -> None:
    held: list[Subscription] = []

    async def watch(request: Requests) -> None:
        assert isinstance(request, SubscriptionRequest)
        held.append(await request.accept(b"one", "text/plain"))

    async with running_server(application=Office(watch)) as server, Caller(server) as caller:
        answer = await caller.ask("SUBSCRIBE", "Event: conference", "Expires: 600")
        assert (answer.status, answer["Expires"]) == (200, "600")
        first = await next_notify(caller)
        assert (first.body, first["Event"]) == (b"one", "conference")
        assert first["Subscription-State"].startswith("active")
        (subscription,) = held
        assert (server.endpoint.call_count, server.endpoint.subscription_count) == (0, 1)
        subscription.notify(b"two", "text/plain")
        assert (await next_notify(caller)).body == b"two"
        subscription.end("noresource")
        last = await next_notify(caller)
        assert last["Subscription-State"] == "terminated;reason=noresource"
        with trio.fail_after(PATIENCE):
            await subscription.wait_ended()
            await server.endpoint.wait_calls_over()
        await assert_nothing_left(server)


async def test_a_subscription_is_ended_when_the_server_stops() -> None:
    async def watch(request: Requests) -> None:
        assert isinstance(request, SubscriptionRequest)
        await request.accept(b"one", "text/plain")

    async with running_server(application=Office(watch)) as server, Caller(server) as caller:
        assert (await caller.ask("SUBSCRIBE", "Event: conference")).status == 200
        await next_notify(caller)
        server.stop.set()
        last = await next_notify(caller)
        assert last["Subscription-State"].startswith("terminated;reason=probation")


@pytest.mark.parametrize(
    ("method", "header", "status"),
    [
        ("SUBSCRIBE", "Subject: no event", 489),
        ("SUBSCRIBE", "Event: conference\r\nExpires: 1", 423),
        ("REFER", "Subject: no target", 400),
    ],
)
async def test_what_cannot_be_accepted_is_refused(method: str, header: str, status: int) -> None:
    async def accept(request: Requests) -> None:
        assert isinstance(request, SubscriptionRequest | ReferralRequest)
        await request.accept()

    async with running_server(application=Office(accept)) as server, Caller(server) as caller:
        assert (await caller.ask(method, *header.split("\r\n"))).status == status
        with trio.fail_after(PATIENCE):
            await server.endpoint.wait_calls_over()
        await assert_nothing_left(server)


async def test_a_referral_tells_its_progress() -> None:
    async def follow(request: Requests) -> None:
        assert isinstance(request, ReferralRequest)
        referral = await request.accept()
        assert str(referral.target) == "sip:bob@example.com"
        referral.progress(180, "Ringing")
        referral.finish(486, "Busy Here")

    async with running_server(application=Office(follow)) as server, Caller(server) as caller:
        assert (await caller.ask("REFER", "Refer-To: <sip:bob@example.com>")).status == 202
        first = notify = await next_notify(caller)
        while b"486" not in notify.body:
            notify = await next_notify(caller)
        assert first.body.startswith(b"SIP/2.0 100")
        assert notify["Subscription-State"].startswith("terminated")
        with trio.fail_after(PATIENCE):
            await server.endpoint.wait_calls_over()
        await assert_nothing_left(server)
