"""An INVITE as an application holds it, with a peer that is not ours at the other end."""

import pytest
import trio
from trio.testing import MockClock

from sylk.errors import SessionEnded
from sylk.payload.cpim import Address
from sylk.session import Invitation
from sylk.session.chat import ANSWER_GRACE
from tests.peers import (
    DOMAIN,
    HOST,
    Caller,
    Scripted,
    answer_frame,
    assert_nothing_left,
    attribute,
    chat_offer,
    running_server,
)

AUDIO = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\n"
)


async def hold(invitation: Invitation) -> None:
    """Accept, and stay until the caller goes."""
    async with invitation.accept() as chat:
        async for _ in chat:
            pass


@pytest.mark.parametrize(
    ("offer", "chat", "cpim"),
    [
        (None, True, True),
        (b"", True, True),
        (AUDIO, False, False),
        (b"nonsense", False, False),
        (chat_offer("msrp://h:1/x;tcp", accept_types="text/plain"), True, False),
        (chat_offer("msrp://h:1/x;tcp", accept_types="*"), True, True),
        (chat_offer("msrp://h:1/x;tcp", port=0), False, False),
        (chat_offer("http://h"), False, False),
    ],
)
async def test_it_tells_what_is_offered(offer: bytes | None, chat: bool, cpim: bool) -> None:
    found: list[tuple[bool, bool]] = []

    async def look(invitation: Invitation) -> None:
        found.append((invitation.offers_chat, invitation.offers_cpim))
        await invitation.reject(488)

    async with (
        running_server(application=Scripted(look)) as server,
        Caller(server) as caller,
    ):
        assert (await caller.invite(offer)).status == 488
        assert found == [(chat, cpim)]
        await assert_nothing_left(server)


async def test_it_tells_who_calls_whom() -> None:
    async def look(invitation: Invitation) -> None:
        assert invitation.sender == Address(f"sip:alice@{DOMAIN}", "Alice")
        assert invitation.recipient == Address(f"sip:lobby@{DOMAIN}")
        assert str(invitation.request_uri) == f"sip:lobby@{DOMAIN}"
        assert invitation.source == (HOST, caller.sip.port)
        assert invitation.call_id == caller.call_id
        assert invitation.headers.get("Subject") == "hello"
        assert not invitation.is_answered
        await invitation.reject(486, "Too Busy")
        assert invitation.is_answered

    async with (
        running_server(application=Scripted(look)) as server,
        Caller(server, headers=["Subject: hello"], display_name=b'"Alice"') as caller,
    ):
        final = await caller.invite()
        assert final.start_line == "SIP/2.0 486 Too Busy"
        assert "tag=" in final["To"]


async def test_a_refusal_of_the_media_says_why() -> None:
    async def refuse(invitation: Invitation) -> None:
        await invitation.reject(488)

    async with (
        running_server(application=Scripted(refuse)) as server,
        Caller(server) as caller,
    ):
        final = await caller.invite(chat_offer("msrp://h:1/x;tcp", port=0))
        assert final.status == 488
        assert final["Warning"].startswith("304 ")


async def test_a_phone_that_rings_is_heard() -> None:
    async def ring(invitation: Invitation) -> None:
        await invitation.ring()
        await hold(invitation)

    async with (
        running_server(application=Scripted(ring)) as server,
        Caller(server) as caller,
    ):
        await caller.sip.send(caller.request("INVITE", body=chat_offer(caller.path)))
        statuses = [(await caller.sip.receive()) for _ in range(3)]
        assert [one.status for one in statuses] == [100, 180, 200]
        # The ringing opens the dialog that the 200 confirms.
        assert statuses[1]["To"] == statuses[2]["To"]
        assert statuses[1]["Contact"] == statuses[2]["Contact"]


async def test_a_focus_says_so_and_no_other_does() -> None:
    async def accept(invitation: Invitation) -> None:
        focus = invitation.request_uri.user == "focus"
        chatroom = ("nickname", "private-messages") if focus else None
        async with invitation.accept(focus=focus, chatroom=chatroom) as chat:
            async for _ in chat:
                pass

    async with running_server(application=Scripted(accept)) as server:
        for user in ("focus", "phone"):
            async with Caller(server, room=f"{user}@{DOMAIN}") as caller:
                final = await caller.invite()
                await caller.acknowledge()
                rooms = attribute(final.body, "chatroom")
                assert rooms == (["nickname private-messages"] if user == "focus" else [])
                assert final["Contact"].endswith(";isfocus") is (user == "focus")
                assert final["Contact"].startswith(f"<sip:{user}@{HOST}:")
                await caller.connect()
                assert (await caller.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_caller_who_cancels_gets_487_and_the_application_is_told() -> None:
    arrived, cancelled = trio.Event(), trio.Event()
    ends: list[SessionEnded] = []

    async def dawdle(invitation: Invitation) -> None:
        arrived.set()
        await cancelled.wait()
        assert invitation.is_answered
        # A refusal comes too late and is harmless; all else tells that nobody is there.
        await invitation.reject(486)
        with pytest.raises(SessionEnded) as caught:
            await invitation.ring()
        ends.append(caught.value)
        await hold(invitation)

    async with (
        running_server(application=Scripted(dawdle)) as server,
        Caller(server) as caller,
    ):
        await caller.sip.send(caller.request("INVITE", body=chat_offer(caller.path)))
        await arrived.wait()
        await caller.cancel()
        assert (await caller.sip.response("CANCEL")).status == 200
        assert (await caller.await_answer()).status == 487
        await caller.acknowledge()
        cancelled.set()
        await assert_nothing_left(server)
        assert [end.status for end in ends] == [487]


async def test_an_invite_without_contact_cannot_be_accepted() -> None:
    async with (
        running_server(application=Scripted(hold)) as server,
        Caller(server) as caller,
    ):
        invite = caller.request("INVITE", body=chat_offer(caller.path))
        head, contact, rest = invite.partition(b"Contact: ")
        await caller.sip.send(head + rest.partition(b"\r\n")[2])
        assert contact
        assert (await caller.await_answer()).status == 400
        await assert_nothing_left(server)


async def test_an_offer_that_cannot_be_taken_is_refused_by_accepting_it() -> None:
    async with (
        running_server(application=Scripted(hold)) as server,
        Caller(server) as caller,
    ):
        assert (await caller.invite(AUDIO)).status == 488
        await assert_nothing_left(server)


async def test_every_line_of_the_offer_is_answered() -> None:
    async with (
        running_server(application=Scripted(hold)) as server,
        Caller(server) as caller,
    ):
        offer = AUDIO + chat_offer(caller.path).partition(b"t=0 0\r\n")[2]
        final = await caller.invite(offer + b"m=message 9 TCP/MSRP *\r\n")
        lines = [line for line in final.body.decode().split("\r\n") if line.startswith("m=")]
        assert lines[0] == "m=audio 0 RTP/AVP 0"
        assert lines[1].startswith("m=message ")
        assert not lines[1].startswith("m=message 0 ")
        assert lines[2] == "m=message 0 TCP/MSRP *"


async def test_what_the_application_leaves_ends_with_a_bye() -> None:
    async def greet(invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            await chat.send("bye")

    async with (
        running_server(application=Scripted(greet)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        assert (await caller.hear_all()).text == "bye"
        assert "Reason" not in await caller.await_bye()
        await assert_nothing_left(server)


async def test_an_application_that_fails_in_a_chat_says_so_in_the_bye() -> None:
    async def fail(invitation: Invitation) -> None:
        async with invitation.accept():
            raise ValueError("a bug")

    async with (
        running_server(application=Scripted(fail)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        assert (await caller.await_bye())["Reason"].startswith("SIP;cause=500;")
        await assert_nothing_left(server)


async def test_a_type_that_was_not_agreed_on_is_refused() -> None:
    async with (
        running_server(application=Scripted(hold)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        assert await caller.send(b"hello", "text/plain") == 415
        assert await caller.send(b"hello", "message/cpim") == 200


# The last message


async def greet(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        await chat.send("Hello, and goodbye!")


async def test_the_bye_waits_until_the_last_message_has_been_answered() -> None:
    async with (
        running_server(application=Scripted(greet)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        frame = await caller.next_frame("SEND")
        # A BYE that had been sent would come before the answer to this.
        await caller.sip.send(caller.request("OPTIONS"))
        assert (await caller.sip.receive()).status == 200
        await caller.msrp.send(answer_frame(frame))
        await caller.await_bye()
        await assert_nothing_left(server)


async def test_a_peer_that_does_not_answer_delays_the_bye_but_for_a_moment(
    jumping_clock: MockClock,
) -> None:
    async with (
        running_server(application=Scripted(greet)) as server,
        Caller(server) as caller,
    ):
        await caller.join()
        began = jumping_clock.current_time()
        await caller.await_bye()
        assert jumping_clock.current_time() - began <= ANSWER_GRACE + 1
