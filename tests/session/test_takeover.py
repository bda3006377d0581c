"""Which call an INVITE wants to take over, who may, and how a call is joined (RFC 3911)."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio

from sylk.application import Application, NoSettings
from sylk.errors import RemoteProtocolError
from sylk.routing import RoutingTable
from sylk.server import Server
from sylk.session import Invitation
from sylk.session.call import Call
from sylk.session.dialog_users import DialogUsers
from sylk.session.takeover import EndedCalls, find_takeover, is_same_user
from sylk.sip.address import NameAddr
from tests.call.phones import Line
from tests.peers import (
    DOMAIN,
    Caller,
    Scripted,
    assert_nothing_left,
    running_server,
    server_config,
)
from tests.session.test_dialog_users import Nowhere
from tests.sip.user_agents import make

UNKNOWN = "nobody@nowhere;to-tag=1;from-tag=2"


async def hold(invitation: Invitation) -> None:
    """Accept, and stay until the caller goes."""
    async with invitation.accept() as chat:
        async for _ in chat:
            pass


# What can be told without a server


def test_only_so_many_ended_calls_are_remembered() -> None:
    ended = EndedCalls(limit=3)
    keys = [("call", str(number), "tag") for number in range(5)]
    for key in keys:
        ended.add(key)
    assert [key in ended for key in keys] == [False, False, True, True, True]
    assert len(ended) == 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:alice@example.com", '"Alice" <sip:alice@EXAMPLE.com:5070;user=phone>;tag=1', True),
        ("<sips:alice@example.com>", "<sip:alice@example.com>", True),
        ("<sip:alice@example.com>", "<sip:Alice@example.com>", False),
        ("<sip:alice@example.com>", "<sip:alice@example.org>", False),
        ("<sip:example.com>", "<sip:example.com>", True),
        ("<tel:+15550100>", "<tel:+15550100>;tag=x", True),
        ("<tel:+15550100>", "<tel:+15550101>", False),
        ("<tel:+15550100>", "<sip:+15550100@example.com>", False),
        ("<sip:anonymous@anonymous.invalid>", "<sip:anonymous@anonymous.invalid>", False),
        ("<sip:anonymous@Anonymous.Invalid>", "<sip:anonymous@Anonymous.Invalid>", False),
    ],
)
def test_who_is_the_same_user(one: str, other: str, same: bool) -> None:
    assert is_same_user(NameAddr.parse(one), NameAddr.parse(other)) is same
    assert is_same_user(NameAddr.parse(other), NameAddr.parse(one)) is same


def standing_call(remote: str) -> Call:
    """Return a call whose peer has this address; all of them have one Call-ID and one local tag."""
    line = Line()
    line.establish()
    call = Call(Nowhere(), line.bob.call, line.bob.flow)
    dialog = line.bob.dialog
    dialog.call_id, dialog.remote = "call", NameAddr.parse(remote)
    dialog.local = dialog.local.with_tag("ours")
    return call


@pytest.mark.parametrize(
    ("remotes", "found"),
    [
        (["<sip:alice@example.com>"], 0),
        (["<sip:alice@example.com>;tag=0"], 0),
        # RFC 3891 section 3: more than one is as good as none.
        (["<sip:alice@example.com>", "<sip:alice@example.com>;tag=0"], None),
        (["<sip:alice@example.com>;tag=1"], None),
    ],
)
def test_a_tag_of_zero_names_a_dialog_without_tag(remotes: list[str], found: int | None) -> None:
    users = DialogUsers()
    calls = [standing_call(remote) for remote in remotes]
    for call in calls:
        users.add(call)
        users.follow(call)
    request = make("INVITE", ("Replaces", "call;to-tag=ours;from-tag=0"))
    if found is None:
        with pytest.raises(RemoteProtocolError) as refused:
            find_takeover(request, users, EndedCalls())
        assert refused.value.status == 481
    else:
        takeover = find_takeover(request, users, EndedCalls())
        assert takeover is not None
        assert takeover.replaces is calls[found]


# Join


async def test_who_knows_nothing_of_joining_refuses_it() -> None:
    async with running_server(application=Scripted(hold)) as server, Caller(server) as alice:
        await alice.join()
        async with Caller(server, headers=[f"Join: {alice.dialog_id}"]) as second:
            assert (await second.invite()).status == 488
            await second.acknowledge()
        assert await alice.send(None) == 200


async def test_an_application_brings_together_what_is_joined() -> None:
    joined: list[str] = []

    async def join(invitation: Invitation) -> None:
        if invitation.joins is not None:
            joined.append(invitation.joins.call_id)
        async with invitation.accept(allow_join=True) as chat:
            async for _ in chat:
                pass

    async with running_server(application=Scripted(join)) as server, Caller(server) as alice:
        await alice.join()
        headers = ["Require: join", f"Join: {alice.dialog_id}"]
        async with Caller(server, "bob", headers=headers) as bob:
            await bob.join()
            assert joined == [alice.call_id]
            # Both go on.
            assert await alice.send(None) == 200
            assert await bob.send(None) == 200


@pytest.mark.parametrize(("focus", "status"), [(True, 200), (False, 481)])
async def test_a_join_of_nothing_matters_only_where_there_is_no_conference(
    focus: bool, status: int
) -> None:
    # RFC 3911 section 4.
    async def accept(invitation: Invitation) -> None:
        assert invitation.joins is None
        async with invitation.accept(focus=focus, allow_join=True) as chat:
            async for _ in chat:
                pass

    async with (
        running_server(application=Scripted(accept)) as server,
        Caller(server, headers=[f"Join: {UNKNOWN}"]) as caller,
    ):
        assert (await caller.invite()).status == status


# Where it goes


class Named(Application):
    """Answers as one of two applications."""

    def __init__(self, script: Callable[[Invitation], Awaitable[None]]) -> None:
        super().__init__(NoSettings())
        self._script = script

    async def handle_invitation(self, invitation: Invitation) -> None:
        await self._script(invitation)


class Reception(Named):
    name = "reception"


class Bar(Named):
    name = "bar"


async def test_it_goes_to_the_application_that_has_the_other_call() -> None:
    answered: list[str] = []

    def noting(name: str) -> Callable[[Invitation], Awaitable[None]]:
        async def note(invitation: Invitation) -> None:
            answered.append(name)
            await hold(invitation)

        return note

    config = server_config()
    applications = {"reception": Reception(noting("reception")), "bar": Bar(noting("bar"))}
    routing = RoutingTable("reception", {"bar": "bar"}, list(applications))
    server = Server(replace(config, applications=applications, routing=routing))
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        async with Caller(server, room=f"bar@{DOMAIN}") as desk:
            await desk.join()
            # RFC 3891 section 4: it is addressed to our Contact, or to whatever leads here.
            async with Caller(
                server,
                room="anybody@elsewhere.example",
                headers=[f"Replaces: {desk.dialog_id}", "X-Sylk-App: reception"],
            ) as mobile:
                final = await mobile.invite()
                # The Contact is that of the place where the caller comes to.
                assert final["Contact"].startswith("<sip:bar@")
                await mobile.acknowledge()
                await mobile.connect()
                await desk.await_bye()
                assert (await mobile.bye()).status == 200
        assert answered == ["bar", "bar"]
        await assert_nothing_left(server)
        nursery.cancel_scope.cancel()
