"""INVITEs with Replaces, to a server whose applications are scripted (RFC 3891)."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from sylk.errors import SessionEnded
from sylk.session import Invitation, SubscriptionRequest
from sylk.session.dial import Dialled
from sylk.session.endpoint import Endpoint
from sylk.session.takeover import REPLACED
from sylk.sip.core import IncomingRequest
from sylk.sip.uri import SipURI
from sylk.users import USERS_FILE, UserFile
from tests.peers import (
    DOMAIN,
    PATIENCE,
    Callee,
    Caller,
    Scripted,
    assert_nothing_left,
    chat_offer,
    running_endpoint,
    running_server,
)
from tests.test_server import asking, digest_for

UNKNOWN = "nobody@nowhere;to-tag=1;from-tag=2"
REASON = f'SIP;cause=200;text="{REPLACED}"'


async def hold(invitation: Invitation) -> None:
    """Accept, and stay until the caller goes."""
    async with invitation.accept() as chat:
        async for _ in chat:
            pass


async def gone(caller: Caller) -> None:
    """Leave by a BYE, and wait until the server has forgotten the call."""
    assert (await caller.bye()).status == 200
    await trio.testing.wait_all_tasks_blocked()


async def test_a_call_takes_the_place_of_another() -> None:
    seen: list[tuple[str, str | None]] = []

    async def note(invitation: Invitation) -> None:
        replaced = invitation.replaces
        seen.append((invitation.call.call_id, None if replaced is None else replaced.call_id))
        assert invitation.joins is None
        await hold(invitation)

    async with running_server(application=Scripted(note)) as server, Caller(server) as desk:
        await desk.join()
        headers = ["Require: replaces", f"Replaces: {desk.dialog_id}"]
        async with Caller(server, transport="tcp", headers=headers) as mobile:
            final = await mobile.invite()
            assert final.status == 200
            assert {"replaces", "join"} <= set(final["Supported"].replace(" ", "").split(","))
            # Nothing happens to the first call before the second stands.
            await trio.testing.wait_all_tasks_blocked()
            assert await desk.send(None) == 200
            await mobile.acknowledge()
            await mobile.connect()
            assert (await desk.await_bye())["Reason"] == REASON
            assert seen == [(desk.call_id, None), (mobile.call_id, desk.call_id)]
            assert await mobile.send(None) == 200
            assert (await mobile.bye()).status == 200
        await assert_nothing_left(server)


@pytest.mark.parametrize("stage", ["offer", "cancel", "ack", "media"])
async def test_a_call_that_does_not_come_to_stand_replaces_nothing(stage: str) -> None:
    async with (
        running_server(application=Scripted(hold), establish_timeout=0.05) as server,
        Caller(server) as desk,
    ):
        await desk.join()
        async with Caller(server, headers=[f"Replaces: {desk.dialog_id}"]) as mobile:
            if stage == "offer":
                assert (await mobile.invite(chat_offer(mobile.path, port=0))).status == 488
                await mobile.acknowledge()
            else:
                if stage == "cancel":
                    await mobile.sip.send(mobile.request("INVITE", body=b"nonsense"))
                    await mobile.cancel()
                    assert (await mobile.await_answer()).status >= 400
                    await mobile.acknowledge()
                else:
                    assert (await mobile.invite()).status == 200
                    if stage == "media":
                        await mobile.acknowledge()
                    else:
                        await trio.testing.wait_all_tasks_blocked(0.1)
                        await mobile.acknowledge()
                    assert "cause=500" in (await mobile.await_bye())["Reason"]
        assert await desk.send(None) == 200
        assert (await desk.bye()).status == 200
        await assert_nothing_left(server)


@pytest.mark.parametrize("name", ["Replaces", "Join"])
async def test_what_has_ended_is_declined_and_what_never_was_is_not_there(name: str) -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as first:
        await first.join()
        await gone(first)
        for named, status in ((first.dialog_id, 603), (UNKNOWN, 481)):
            async with Caller(server, headers=[f"{name}: {named}"]) as second:
                assert (await second.invite()).status == status
                await second.acknowledge()
        # Tags the wrong way round name the dialog of nobody.
        call_id, to_tag, from_tag = first.dialog_id.replace("-tag=", ";").split(";")[0::2]
        swapped = f"{call_id};to-tag={from_tag};from-tag={to_tag}"
        async with Caller(server, headers=[f"{name}: {swapped}"]) as third:
            assert (await third.invite()).status == 481
            await third.acknowledge()
        await assert_nothing_left(server)


async def test_a_call_that_is_being_ended_has_ended() -> None:
    hang_up = trio.Event()
    asked: list[Invitation] = []

    async def leave(invitation: Invitation) -> None:
        asked.append(invitation)
        async with invitation.accept():
            await hang_up.wait()

    async with running_server(application=Scripted(leave)) as server, Caller(server) as first:
        await first.join()
        hang_up.set()
        bye = await first.sip.request("BYE")
        async with Caller(server, headers=[f"Replaces: {first.dialog_id}"]) as second:
            assert (await second.invite()).status == 603
            await second.acknowledge()
        assert len(asked) == 1
        await first.sip.send(bye.answer("200 OK"))
        await assert_nothing_left(server)


async def test_a_call_that_ends_while_the_next_one_rings_is_declined() -> None:
    rings, answer = trio.Event(), trio.Event()

    async def ring(invitation: Invitation) -> None:
        if invitation.replaces is not None:
            await invitation.ring()
            rings.set()
            await answer.wait()
        await hold(invitation)

    async with running_server(application=Scripted(ring)) as server, Caller(server) as first:
        await first.join()
        async with Caller(server, headers=[f"Replaces: {first.dialog_id}"]) as second:
            await second.sip.send(
                second.request(
                    "INVITE", f"Replaces: {first.dialog_id}", body=chat_offer(second.path)
                )
            )
            with trio.fail_after(PATIENCE):
                await rings.wait()
            await gone(first)
            answer.set()
            assert (await second.await_answer()).status == 603
            await second.acknowledge()
        await assert_nothing_left(server)


async def test_a_call_that_is_not_answered_is_none_that_can_be_replaced() -> None:
    answer = trio.Event()

    async def ring(invitation: Invitation) -> None:
        await invitation.ring()
        await answer.wait()
        await hold(invitation)

    async with running_server(application=Scripted(ring)) as server, Caller(server) as first:
        await first.sip.send(first.request("INVITE", body=chat_offer(first.path)))
        ringing = await first.sip.receive()
        while ringing.status != 180:
            ringing = await first.sip.receive()
        tags = [ringing[name].partition("tag=")[2] for name in ("To", "From")]
        named = f"{first.call_id};to-tag={tags[0]};from-tag={tags[1]}"
        async with Caller(server, headers=[f"Replaces: {named}"]) as second:
            assert (await second.invite()).status == 481
            await second.acknowledge()
        answer.set()
        assert (await first.await_answer()).status == 200


async def test_early_only_leaves_a_call_alone_that_stands() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as desk:
        await desk.join()
        named = f"{desk.dialog_id};early-only"
        async with Caller(server, headers=[f"Replaces: {named}"]) as mobile:
            assert (await mobile.invite()).status == 486
            await mobile.acknowledge()
        assert await desk.send(None) == 200


async def test_who_learnt_the_dialog_of_somebody_else_does_not_throw_him_out() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as alice:
        await alice.join()
        headers = [
            f"Replaces: {alice.dialog_id}",
            # It is as easily written as From: without a signature it proves nothing.
            f"Referred-By: <sip:{alice.address}>",
        ]
        async with Caller(server, "eve", headers=headers) as eve:
            assert (await eve.invite()).status == 403
            await eve.acknowledge()
        assert await alice.send(None) == 200
        assert (await alice.bye()).status == 200
        await assert_nothing_left(server)


@pytest.mark.parametrize(("user", "status"), [("alice", 200), ("eve", 403)])
async def test_a_password_shows_who_may_take_over(user: str, status: int, tmp_path: Path) -> None:
    settings = asking(tmp_path)
    UserFile(tmp_path / USERS_FILE).set_password("eve", DOMAIN, "secret")

    async def proof(name: str) -> str:
        async with Caller(server, name) as asked:
            challenge = await asked.ask("INVITE")
            assert challenge.status == 401
        return digest_for(challenge, "INVITE", name)

    async with (
        running_server(settings, application=Scripted(hold)) as server,
        Caller(server, headers=[await proof("alice")]) as desk,
    ):
        await desk.join()
        named = f"Replaces: {desk.dialog_id}"
        async with Caller(server, user, headers=[named]) as stranger:
            # Nothing is said about the call before it is clear who asks.
            assert (await stranger.invite()).status == 401
            await stranger.acknowledge()
        async with Caller(server, user, headers=[named, await proof(user)]) as second:
            assert (await second.invite()).status == status
            await second.acknowledge()


@pytest.mark.parametrize(("asserted", "status"), [("alice", 200), ("eve", 403)])
async def test_what_a_trusted_proxy_says_counts_and_not_from(asserted: str, status: int) -> None:
    settings = {"SIP": {"trusted_peers": "127.0.0.1"}}
    identity = f"P-Asserted-Identity: <sip:alice@{DOMAIN}>"
    async with (
        running_server(settings, application=Scripted(hold)) as server,
        Caller(server, "desk", headers=[identity]) as desk,
    ):
        await desk.join()
        headers = [
            f"P-Asserted-Identity: <sip:{asserted}@{DOMAIN}>",
            f"Replaces: {desk.dialog_id}",
        ]
        async with Caller(server, "desk", headers=headers) as second:
            assert (await second.invite()).status == status
            await second.acknowledge()
            if status == 200:
                await second.connect()
                await desk.await_bye()


async def test_an_application_may_let_somebody_else_take_over() -> None:
    async def allow(invitation: Invitation) -> None:
        async with invitation.accept(allow_replaces=True) as chat:
            async for _ in chat:
                pass

    async with running_server(application=Scripted(allow)) as server, Caller(server) as alice:
        await alice.join()
        async with Caller(server, "bob", headers=[f"Replaces: {alice.dialog_id}"]) as bob:
            await bob.join()
            assert (await alice.await_bye())["Reason"] == REASON
            assert (await bob.bye()).status == 200
        await assert_nothing_left(server)


async def test_a_call_of_ours_that_rings_is_cancelled_for_the_one_that_replaces_it() -> None:
    """RFC 3891 section 7.1: the desk rings, and is picked up at another place."""
    over = trio.Event()

    async with trio.open_nursery() as nursery:

        def on_request(incoming: IncomingRequest) -> None:
            invitation = Invitation(endpoint, incoming, endpoint.find_takeover(incoming.request))
            nursery.start_soon(hold, invitation)

        async def call_bob() -> None:
            target, uri = desk.destination, SipURI.parse(f"sip:bob@{DOMAIN}")
            dialled = Dialled(endpoint, replace(target, uri=uri, proxy=target.uri))
            with pytest.raises(SessionEnded, match=REPLACED):
                await dialled.__aenter__()
            over.set()

        endpoint: Endpoint
        async with running_endpoint(on_request) as endpoint, Callee() as desk:
            nursery.start_soon(call_bob)
            invite = await desk.receive("INVITE")
            await desk.reply("180 Ringing")
            sender = invite["From"].partition("tag=")[2]
            named = f"{invite['Call-ID']};to-tag={sender};from-tag={desk.tag};early-only"
            async with Caller(endpoint, "bob", headers=[f"Replaces: {named}"]) as lab:
                await lab.join()
                cancel = await desk.receive("CANCEL")
                assert cancel["Reason"] == REASON
                await desk.reply("200 OK", to=cancel)
                await desk.reply("487 Request Terminated")
                with trio.fail_after(PATIENCE):
                    await over.wait()
                assert (await lab.bye()).status == 200
            await assert_nothing_left(endpoint)


async def test_the_dialog_of_a_subscription_is_none_of_a_call() -> None:
    class Watched(Scripted):
        event_packages = ("presence",)

        async def handle_subscription(self, subscription: SubscriptionRequest) -> None:
            await subscription.accept()

    async with running_server(application=Watched(hold)) as server, Caller(server) as watcher:
        answer = await watcher.ask("SUBSCRIBE", "Event: presence", "Expires: 60")
        assert answer.status == 200
        watcher.answer = answer
        for name in ("Replaces", "Join"):
            async with Caller(server, headers=[f"{name}: {watcher.dialog_id}"]) as caller:
                assert (await caller.invite()).status == 481
                await caller.acknowledge()


@pytest.mark.parametrize(
    "headers",
    [
        ["Replaces: {0}", "Join: {0}"],
        ["Replaces: {0}", "Replaces: {0}"],
        ["Join: {0}", "Join: {0}"],
        ["Replaces: nonsense"],
        ["Join: {0}, {0}"],
    ],
)
async def test_what_makes_no_sense_is_400(headers: list[str]) -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as first:
        await first.join()
        lines = [line.format(first.dialog_id) for line in headers]
        async with Caller(server, headers=lines) as second:
            assert (await second.invite()).status == 400
            await second.acknowledge()
            assert (await second.ask("SUBSCRIBE", lines[0])).status == 400
        assert await first.send(None) == 200


async def test_a_reinvite_takes_over_nothing() -> None:
    async with (
        running_server(application=Scripted(hold)) as server,
        Caller(server) as first,
        Caller(server) as second,
    ):
        await first.join()
        await second.join()
        offer = chat_offer(second.path, version=2)
        final = await second.ask("INVITE", f"Replaces: {first.dialog_id}", body=offer)
        assert final.status == 200
        await second.acknowledge()
        assert await first.send(None) == 200
        assert await second.send(None) == 200
