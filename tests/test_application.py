"""The base of every application: refuses everything, properly."""

from pathlib import Path
from typing import Self

import pytest
import trio

from sylk.application import INTERFACE_VERSION, Application, NoSettings
from sylk.payload.cpim import Address
from sylk.session import Invitation, PageMessage, SubscriptionRequest
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Callee,
    Caller,
    assert_nothing_left,
    running_server,
)


class Silent(Application):
    """An application that takes nothing."""

    name = "silent"


@pytest.mark.parametrize(
    ("method", "status"), [("SUBSCRIBE", 489), ("REFER", 405), ("MESSAGE", 405)]
)
async def test_what_an_application_does_not_handle_is_refused(method: str, status: int) -> None:
    async with (
        running_server(application=Silent(NoSettings())) as server,
        Caller(server) as caller,
    ):
        refusal = await caller.ask(method, "Event: x")
        assert refusal.status == status
        if status == 405:
            # RFC 3261 21.4.6
            allowed = refusal["Allow"].split(", ")
            assert "INVITE" in allowed
            assert method not in allowed
        await assert_nothing_left(server)


class Watched(Silent):
    """An application that tells two kinds of state, and takes nothing all the same."""

    name = "watched"
    event_packages = ("presence", "conference")


async def test_a_subscription_to_what_is_not_told_does_not_reach_the_application() -> None:
    asked: list[str | None] = []

    class Asked(Watched):
        async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
            asked.append(subscription.event)
            await subscription.accept()

    async with (
        running_server(application=Asked(NoSettings())) as server,
        Caller(server) as caller,
        Caller(server) as watcher,
    ):
        for headers in (["Event: dialog"], ["Event: presence.winfo"], ["Event: ;"], []):
            answer = await caller.ask("SUBSCRIBE", *headers)
            assert answer.status == 489
            assert answer["Allow-Events"] == "presence, conference"
        assert asked == []
        answer = await watcher.ask("SUBSCRIBE", "Event: Presence", "Expires: 60")
        assert (answer.status, asked) == (200, ["presence"])
        assert answer["Allow-Events"] == "presence, conference"


async def test_what_can_be_subscribed_to_is_told_to_those_who_ask_and_those_who_call() -> None:
    class Talking(Watched):
        async def handle_invitation(self, invitation: Invitation) -> None:
            async with invitation.accept() as chat:
                async for _ in chat:
                    pass

    async with (
        running_server(application=Talking(NoSettings())) as server,
        Caller(server) as caller,
    ):
        # All that any application tells, in no order that matters.
        assert (await caller.ask("OPTIONS"))["Allow-Events"] == "conference, presence"
        assert (await caller.invite())["Allow-Events"] == "presence, conference"
        await caller.acknowledge()
        # In the dialog of a call there are no subscriptions.
        refusal = await caller.ask("SUBSCRIBE", "Event: presence")
        assert (refusal.status, refusal["Allow-Events"]) == (489, "conference, presence")


async def test_where_nothing_can_be_subscribed_to_nothing_is_told_of_it() -> None:
    async with (
        running_server(application=Silent(NoSettings())) as server,
        Caller(server) as caller,
    ):
        for method in ("OPTIONS", "SUBSCRIBE"):
            answer = await caller.ask(method, "Event: presence")
            assert "Allow-Events" not in answer


async def test_calls_are_refused_too() -> None:
    async with (
        running_server(application=Silent(NoSettings())) as server,
        Caller(server) as caller,
    ):
        assert (await caller.invite()).status == 488
        await caller.acknowledge()
        await assert_nothing_left(server)


async def test_it_holds_its_settings_and_a_logger_of_its_name() -> None:
    settings = NoSettings()
    application = Silent(settings)
    assert application.settings is settings
    assert application.logger.application == "silent"
    async with application as started:
        assert started is application


async def test_an_application_can_send_as_soon_as_it_starts() -> None:
    """It has its user agent before it starts, and what it began is over when the server stops."""
    told = trio.Event()

    class Sending(Silent):
        async def __aenter__(self) -> Self:
            assert self.user_agent is not None
            status = await self.user_agent.send_message(
                f"sip:bob@{HOST}:{callee.port}",
                local=Address(f"sip:room@{DOMAIN}"),
                content=b"I am up",
            )
            assert status == 200
            told.set()
            return self

    assert Sending(NoSettings()).user_agent is None, "there is no server"
    async with Callee() as callee, trio.open_nursery() as nursery:

        async def serve() -> None:
            async with running_server(application=Sending(NoSettings())) as server:
                await assert_nothing_left(server)

        nursery.start_soon(serve)
        message = await callee.receive("MESSAGE")
        assert message.body == b"I am up"
        await callee.reply("200 OK", to=message)
        with trio.fail_after(PATIENCE):
            await told.wait()


async def test_what_cannot_be_reached_is_no_fault_of_the_application(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    class Forwarding(Silent):
        async def handle_message(self, message: PageMessage) -> None:
            assert self.user_agent is not None
            await self.user_agent.send_message(
                "sip:bob@no-such-host.invalid", local=message.recipient, content=message.content
            )

    async with (
        running_server(application=Forwarding(NoSettings())) as server,
        Caller(server) as caller,
    ):
        assert (await caller.ask("MESSAGE")).status == 480
        await assert_nothing_left(server)
    assert "no-such-host.invalid" in caplog.text
    assert "Traceback" not in caplog.text


def test_the_page_for_authors_promises_this_version_of_the_interface() -> None:
    page = Path(__file__).resolve().parent.parent / "docs" / "applications.md"
    told = f"`sylk.application.INTERFACE_VERSION` is {INTERFACE_VERSION}."
    assert told in page.read_text(encoding="utf-8")
