"""Commands to the room, and the ways in which it may answer."""

import pytest
import trio
from trio.testing import MockClock

from sylk.cli.orders import ANSWER_TIMEOUT, COMMAND_TYPE, OrderRefused, Orders
from sylk.cli.received import Parties
from sylk.errors import SessionEnded
from sylk.session import Chat, Invitation
from tests.cli.typist import dialled
from tests.peers import Scripted, running_server

SUBJECT = {"command": "subject", "text": "Tee für\nalle"}


def room(status: int, *, as_report: bool = False) -> Scripted:
    """Return a room that answers every message in one way; 0 is no way at all."""

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept(focus=True, chatroom=()) as chat:
            async for batch in chat.batches():
                for message in batch:
                    assert message.content_type == COMMAND_TYPE
                    assert message.text == '{"command": "subject", "text": "Tee für\\nalle"}'
                    if status == 200:
                        chat.accept([message], report=not as_report)
                    elif status:
                        chat.refuse(message, status, as_report=as_report)

    return Scripted(answer)


def orders_of(chat: Chat) -> Orders:
    orders = Orders(chat, Parties(chat.local, chat.remote, is_room=True))

    def take_delivery(message_id: bytes) -> None:
        assert orders.delivered(message_id)

    def take_failure(message_id: bytes, status: int, reason: str) -> None:
        assert orders.failed(message_id, status, reason)

    chat.on_delivered = take_delivery
    chat.on_failure = take_failure
    return orders


@pytest.mark.parametrize("as_report", [False, True], ids=["with a report", "without a report"])
async def test_what_is_answered_with_200_is_done(as_report: bool, jumping_clock: MockClock) -> None:
    application = room(200, as_report=as_report)
    async with (
        running_server(application=application) as server,
        dialled(server, "Al") as (chat, _),
    ):
        await orders_of(chat).give(SUBJECT)


@pytest.mark.parametrize("as_report", [False, True], ids=["answer", "report"])
async def test_a_refusal_tells_why(as_report: bool) -> None:
    application = room(403, as_report=as_report)
    async with (
        running_server(application=application) as server,
        dialled(server, "Al") as (chat, _),
    ):
        with pytest.raises(OrderRefused) as caught:
            await orders_of(chat).give(SUBJECT)
        assert str(caught.value) == "403 Forbidden"


async def test_silence_is_a_refusal(jumping_clock: MockClock) -> None:
    async with running_server(application=room(0)) as server, dialled(server, "Al") as (chat, _):
        before = trio.current_time()
        with pytest.raises(OrderRefused) as caught:
            await orders_of(chat).give(SUBJECT)
        assert str(caught.value) == "the room does not answer"
        assert trio.current_time() - before >= ANSWER_TIMEOUT


async def test_other_messages_are_nobodys_order_and_a_chat_that_is_over_takes_none() -> None:
    async with running_server(application=room(200)) as server, dialled(server, "Al") as (chat, _):
        orders = orders_of(chat)
        assert not orders.delivered(b"other")
        assert not orders.failed(b"other", 403, "")
        chat.call.hang_up()
        with pytest.raises(SessionEnded):
            await orders.give(SUBJECT)
