"""The server: routing, admission, faults of applications, and its end."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.application import Application, NoSettings
from sylk.errors import SessionEnded, TransportError
from sylk.log import LineFormatter
from sylk.payload.cpim import Address
from sylk.server import STOP_GRACE, Server
from sylk.session import Invitation
from sylk.sip.digest import answer_challenge, parse_challenges
from sylk.users import USERS_FILE, UserFile
from tests.end_to_end.wire_sip import SipMessage
from tests.peers import (
    DOMAIN,
    HOST,
    PATIENCE,
    Callee,
    Caller,
    MsrpListener,
    Scripted,
    answer_frame,
    assert_nothing_left,
    chat_offer,
    living_tasks,
    msrp_port,
    running_server,
    server_config,
)


@pytest.fixture
def jumping_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


async def hold(invitation: Invitation) -> None:
    async with invitation.accept() as chat:
        async for _ in chat:
            pass


async def test_a_port_that_is_taken_is_named() -> None:
    async with running_server() as server:
        port = msrp_port(server.endpoint)
        with pytest.raises(TransportError, match=f"{port}"):
            Server(server_config({"MSRP": {"local_tcp_port": port}}))


# Routing and admission


@pytest.mark.parametrize(
    ("user", "header", "is_room"),
    [
        ("lobby", "", True),
        ("echo", "", False),
        ("lobby", "echo", False),
        ("echo", "conference", True),
    ],
)
async def test_the_application_is_found(user: str, header: str, is_room: bool) -> None:
    headers = [f"X-Sylk-App: {header}"] if header else []
    async with (
        running_server() as server,
        Caller(server, room=f"{user}@{DOMAIN}", headers=headers) as caller,
    ):
        final = await caller.invite()
        assert ("isfocus" in final["Contact"]) is is_room
        assert (b"a=chatroom" in final.body) is is_room


async def test_an_application_that_is_not_there_is_404() -> None:
    settings = {"Server": {"disabled_applications": "echo"}}
    async with running_server(settings) as server:
        for user, header in (("echo", []), ("x", ["X-Sylk-App: nobody"])):
            async with Caller(server, room=f"{user}@{DOMAIN}", headers=header) as caller:
                assert (await caller.invite()).status == 404
                # In a transaction it would be repeated until the ACK.
                assert server.endpoint.core.next_deadline() is None
                await caller.acknowledge()
        await assert_nothing_left(server)


async def test_a_refer_may_ask_for_no_subscription() -> None:
    # RFC 7614: understood, and refused here only because nobody is in the room.
    async with running_server() as server, Caller(server) as caller:
        refer = ("Refer-To: <sip:bob@example.com>", "Require: nosub")
        assert (await caller.ask("REFER", *refer)).status == 403


@pytest.mark.parametrize("content_type", ["image/gif", "application/sdp"])
async def test_an_optional_body_that_is_no_offer_is_ignored(content_type: str) -> None:
    # RFC 3261 20.11; the SDP is for early media (RFC 3959).
    kind = "icon" if content_type == "image/gif" else "early-session"
    disposition = f"Content-Disposition: {kind};handling=optional"
    async with running_server() as server, Caller(server) as caller:
        body = b"not to be read"
        invite = caller.request("INVITE", disposition, body=body, content_type=content_type)
        await caller.sip.send(invite)
        final = await caller.await_answer()
        assert final.status == 200
        # The offer is ours.
        assert b"\r\na=setup:" in final.body


async def test_a_stranger_is_403_and_may_ask_for_options() -> None:
    async with (
        running_server({"SIP": {"trusted_peers": "192.0.2.0/24"}}) as server,
        Caller(server) as caller,
    ):
        assert (await caller.ask("OPTIONS")).status == 200
        assert (await caller.ask("MESSAGE")).status == 403
        assert (await caller.invite()).status == 403
        await caller.acknowledge()
        await assert_nothing_left(server)


# Who sent it


def asking(spool: Path, trusted_peers: str = "any") -> dict[str, dict[str, object]]:
    """Return the settings of a server that knows the password of alice."""
    UserFile(spool / USERS_FILE).set_password("alice", DOMAIN, "secret")
    return {
        "Server": {"spool_dir": spool},
        "SIP": {"authenticate": "yes", "realm": DOMAIN, "trusted_peers": trusted_peers},
    }


LONG = f"Subject: {'long enough for an answer with all challenges ' * 10}"


def digest_for(
    challenge: SipMessage, method: str, user: str = "alice", password: str = "secret"
) -> str:
    """Return the header field that answers a 401."""
    challenges = parse_challenges(challenge.all("WWW-Authenticate"))
    uri = f"sip:lobby@{DOMAIN}"
    value = answer_challenge(challenges, user, password, method, uri, 1, "cnonce")
    return f"Authorization: {value}"


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "REFER", "MESSAGE"])
async def test_what_begins_something_needs_a_digest(method: str, tmp_path: Path) -> None:
    async with running_server(asking(tmp_path)) as server:
        async with Caller(server) as caller:
            first = await caller.ask(method, LONG)
            assert first.status == 401
            challenges = parse_challenges(first.all("WWW-Authenticate"))
            assert [one.algorithm for one in challenges] == ["SHA-256", "MD5"]
            assert {one.realm for one in challenges} == {DOMAIN}
        answer = digest_for(first, method)
        async with Caller(server) as caller:
            second = await caller.ask(method, answer)
            # A REFER that names nobody is malformed, and that is seen now.
            assert second.status not in (401, 403)
        async with Caller(server) as replaying:
            third = await replaying.ask(method, answer)
            assert third.status == 401
            assert all(one.stale for one in parse_challenges(third.all("WWW-Authenticate")))


@pytest.mark.parametrize("algorithm", ["SHA-256", "md5"])
async def test_one_algorithm_alone_can_be_offered(algorithm: str, tmp_path: Path) -> None:
    settings = asking(tmp_path)
    settings["SIP"]["digest_algorithms"] = algorithm
    async with running_server(settings) as server:
        async with Caller(server) as asked:
            first = await asked.ask("INVITE")
            (challenge,) = parse_challenges(first.all("WWW-Authenticate"))
            assert challenge.algorithm == algorithm.upper()
        async with Caller(server, headers=[digest_for(first, "INVITE")]) as caller:
            await caller.join()


async def test_who_cannot_prove_who_he_is_stays_outside(tmp_path: Path) -> None:
    async with running_server(asking(tmp_path)) as server:
        async with Caller(server) as caller:
            challenge = await caller.ask("MESSAGE")
            assert (await caller.ask("OPTIONS")).status == 200
            for user, password in (("alice", "wrong"), ("nobody", "secret")):
                answer = digest_for(challenge, "MESSAGE", user, password)
                refusal = await caller.ask("MESSAGE", answer)
                assert refusal.status == 401
                assert "stale=true" not in refusal["WWW-Authenticate"]
            assert (await caller.ask("MESSAGE", "Authorization: Digest nonsense")).status == 400
        async with Caller(server, "bob") as bob:
            answer = digest_for(await bob.ask("MESSAGE"), "MESSAGE")
            assert (await bob.ask("MESSAGE", answer)).status == 403


async def test_who_has_joined_is_not_asked_again(tmp_path: Path) -> None:
    async with running_server(asking(tmp_path)) as server:
        async with Caller(server) as asked:
            first = await asked.ask("INVITE")
        async with Caller(server, headers=[digest_for(first, "INVITE")]) as alice:
            await alice.join()
            assert (await alice.reinvite()).status == 200
            assert await alice.send(None) == 200
            assert (await alice.bye()).status == 200
        await assert_nothing_left(server)


@pytest.mark.parametrize(
    ("peers", "status"), [(HOST, 200), ("127.0.0.0/8", 200), ("192.0.2.1", 401), ("none", 401)]
)
async def test_only_a_peer_that_is_named_needs_no_digest(
    peers: str, status: int, tmp_path: Path
) -> None:
    async with running_server(asking(tmp_path, peers)) as server, Caller(server) as caller:
        assert (await caller.invite()).status == status


# Too many


async def test_too_many_calls_are_503_until_one_ends() -> None:
    async with (
        running_server({"SIP": {"max_sessions": 1}}) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob") as bob,
    ):
        await alice.join()
        final = await bob.invite()
        assert final.status == 503
        assert "Retry-After" in final
        await bob.acknowledge()
        assert (await alice.bye()).status == 200
        await assert_nothing_left(server)
        async with Caller(server, "bob") as again:
            assert (await again.invite()).status == 200


# Faults of applications


class Log(logging.Handler):
    """What is logged, as the log would show it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self.entries: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entries.append(self.format(record))

    @property
    def errors(self) -> list[str]:
        return [entry for entry in self.entries if " ERROR " in entry.partition("\n")[0]]


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    level, handler = root.level, Log()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


async def plain_fault(_invitation: Invitation) -> None:
    await trio.lowlevel.checkpoint()
    raise ValueError("a bug")


async def fault_in_a_nursery(invitation: Invitation) -> None:
    async with trio.open_nursery() as outer, trio.open_nursery() as inner:
        outer.start_soon(trio.sleep_forever)
        inner.start_soon(plain_fault, invitation)


async def two_faults(invitation: Invitation) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plain_fault, invitation)
        nursery.start_soon(plain_fault, invitation)


@pytest.mark.parametrize("fault", [plain_fault, fault_in_a_nursery, two_faults])
async def test_an_application_that_raises_costs_that_one_request_alone(
    fault: Callable[[Invitation], Awaitable[None]], log: Log
) -> None:
    async def script(invitation: Invitation) -> None:
        if invitation.request_uri.user == "bad":
            await fault(invitation)
        await hold(invitation)

    async with (
        running_server(application=Scripted(script)) as server,
        Caller(server, "alice") as alice,
        Caller(server, "bob", room=f"bad@{DOMAIN}") as bob,
    ):
        await alice.join()
        assert (await bob.invite()).status == 500
        await bob.acknowledge()
        (entry,) = log.errors
        assert f"[{bob.call_id}]" in entry
        assert "ValueError: a bug" in entry
        assert "Traceback" in entry
        assert await alice.send(None) == 200
        assert (await alice.bye()).status == 200
        await assert_nothing_left(server)


class Forgetful(Application):
    """A handler that raises before there is anything to wait for."""

    name = "forgetful"

    def handle_invitation(self, invitation: Invitation) -> NoReturn:
        raise ValueError("a bug")


async def test_a_handler_that_is_not_asynchronous_is_a_fault_like_any_other() -> None:
    async with (
        running_server(application=Forgetful(NoSettings())) as server,
        Caller(server) as caller,
    ):
        assert (await caller.invite()).status == 500
        await caller.acknowledge()
        await assert_nothing_left(server)


async def test_a_session_that_ends_is_no_fault(log: Log) -> None:
    async def script(_invitation: Invitation) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            await trio.sleep_forever()

    async def end() -> None:
        await trio.lowlevel.checkpoint()
        raise SessionEnded("enough", 486)

    async with (
        running_server(application=Scripted(script)) as server,
        Caller(server) as caller,
    ):
        assert (await caller.invite()).status == 480
        assert log.errors == []
        assert any("ended: enough" in entry for entry in log.entries)


# Start and end


async def run_until_end(server: Server, ended: trio.Event) -> None:
    await server.run()
    ended.set()


class Timed(Application):
    """Tells when it was started and stopped, and waits where it is told to."""

    name = "timed"

    def __init__(self) -> None:
        super().__init__(NoSettings())
        self.may_start = trio.Event()
        self.entered = trio.Event()
        self.history: list[str] = []

    async def __aenter__(self) -> Self:
        self.entered.set()
        await self.may_start.wait()
        self.history.append("started")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.history.append("stopped")

    async def handle_invitation(self, invitation: Invitation) -> None:
        self.history.append("handled")
        try:
            await hold(invitation)
        finally:
            self.history.append("left")


async def test_the_first_packet_while_starting_and_the_last_while_stopping() -> None:
    application = Timed()
    config = server_config()
    config.applications = {"timed": application}
    config.routing = type(config.routing)("timed", {}, ["timed"])
    server = Server(config)
    async with trio.open_nursery() as nursery, Caller(server, "alice") as early:
        ended = trio.Event()
        nursery.start_soon(run_until_end, server, ended)
        with trio.fail_after(PATIENCE):
            await application.entered.wait()
        assert (await early.invite()).status == 503
        await early.acknowledge()
        application.may_start.set()
        await trio.testing.wait_all_tasks_blocked()
        async with Caller(server, "bob") as bob, Caller(server, "carol") as late:
            await bob.join()
            server.stop.set()
            bye = await bob.sip.request("BYE")
            # The server waits for the answer to its BYE; who comes now comes too late.
            assert (await late.invite()).status == 503
            assert "stopped" not in application.history
            await bob.sip.send(bye.answer("200 OK"))
            with trio.fail_after(PATIENCE):
                assert await bob.msrp.rest() == []
        with trio.fail_after(PATIENCE):
            await ended.wait()
    assert application.history == ["started", "handled", "left", "stopped"]
    assert server.endpoint.call_count == 0


class Busy(Application):
    """Has tasks of its own for as long as it runs: calls somebody, and holds the call."""

    name = "busy"

    def __init__(self, target: str) -> None:
        super().__init__(NoSettings())
        self._target = target
        self._stack = AsyncExitStack()
        self.reason = ""

    async def __aenter__(self) -> Self:
        nursery = await self._stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(self._call)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _call(self) -> None:
        assert self.user_agent is not None
        local = Address(f"sip:busy@{DOMAIN}")
        async with self.user_agent.call(self._target, local=local) as chat:
            async for _ in chat:
                pass
            self.reason = chat.call.reason


async def test_an_application_may_have_tasks_and_calls_of_its_own() -> None:
    async with MsrpListener() as media, Callee() as callee:
        application = Busy(f"sip:bob@{HOST}:{callee.port}")
        async with running_server(application=application) as server:
            await callee.receive("INVITE")
            await callee.reply("200 OK", chat_offer(media.path, setup="passive"))
            msrp = await media.accept()
            await msrp.send(answer_frame(await msrp.receive()))
            server.stop.set()
            bye = await callee.receive("BYE")
            assert bye["Reason"] == 'SIP;cause=503;text="The server stops"'
            await callee.reply("200 OK", to=bye)
            await assert_nothing_left(server)
            msrp.close()
        assert application.reason == "The server stops"


async def test_a_stop_in_the_middle_of_everything(jumping_clock: MockClock) -> None:
    """Callers at every stage; none of them answers; the server ends in time all the same."""
    thinking = trio.Event()

    async def script(invitation: Invitation) -> None:
        if invitation.request_uri.user == "think":
            thinking.set()
            await trio.sleep_forever()
        await hold(invitation)

    before = living_tasks()
    config = server_config()
    config.applications = {"scripted": Scripted(script)}
    config.routing = type(config.routing)("scripted", {}, ["scripted"])
    server = Server(config)
    async with trio.open_nursery() as nursery:
        ended = trio.Event()
        nursery.start_soon(run_until_end, server, ended)
        await trio.testing.wait_all_tasks_blocked()
        async with (
            Caller(server, "a", room=f"think@{DOMAIN}") as unanswered,
            Caller(server, "b") as unacknowledged,
            Caller(server, "c") as unconnected,
            Caller(server, "d", transport="tcp") as half_bound,
            Caller(server, "e") as talking,
        ):
            await unanswered.sip.send(
                unanswered.request("INVITE", body=chat_offer(unanswered.path))
            )
            await thinking.wait()
            await unacknowledged.invite()
            for caller in (unconnected, half_bound):
                await caller.invite()
                await caller.acknowledge()
            await half_bound.open_msrp()
            await half_bound.msrp.send(half_bound.frame(None)[:40])
            await talking.join()
            await talking.msrp.send(talking.line("x" * 1000)[:500])
            stopped_at = jumping_clock.current_time()
            server.stop.set()
            assert (await unanswered.await_answer()).status == 480
            for caller in (unconnected, half_bound, talking):
                assert (await caller.sip.request("BYE"))["User-Agent"].startswith("Sylk/")
            assert await talking.msrp.rest() == []
            with trio.fail_after(PATIENCE):
                await ended.wait()
            # Nobody answers the BYEs, and before its ACK one cannot even be sent.
            assert jumping_clock.current_time() - stopped_at <= STOP_GRACE + 0.5
    assert living_tasks() == before
    assert len(server.endpoint.msrp.registry) == 0
    assert server.endpoint.transports.connection_count == 0


async def test_a_stop_when_nobody_is_there() -> None:
    server = Server(server_config())
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        assert {transport for transport, _ in server.endpoint.transports.listening} == {
            "udp",
            "tcp",
        }
        server.stop.set()
    assert server.endpoint.call_count == 0


async def test_the_log_says_where_the_server_listens_and_whom_it_refuses(log: Log) -> None:
    settings = {"SIP": {"local_tcp_port": "none", "trusted_peers": "none"}}
    async with running_server(settings) as server, Caller(server) as caller:
        ((_, (_, port)),) = server.endpoint.transports.listening
        assert (await caller.invite()).status == 403
    said = "\n".join(log.entries)
    assert f"listening for SIP on udp {HOST} port {port}" in said
    assert "listening for MSRP on tcp" in said
    assert "applications: conference, echo" in said
    refusal = f"refused INVITE from sip:alice@{DOMAIN} ({HOST}:{caller.sip.port})"
    assert f"[{caller.call_id}] {refusal}" in said


class NeverReady(Application):
    """An application that waits for something which never comes."""

    name = "never_ready"

    async def __aenter__(self) -> Self:
        await trio.sleep_forever()
        return self


async def test_an_application_that_does_not_start_holds_up_no_other(
    jumping_clock: MockClock, log: Log
) -> None:
    config = server_config()
    config.applications = {"never_ready": NeverReady(NoSettings()), **config.applications}
    config.routing = type(config.routing)(
        "conference", {"stuck": "never_ready"}, list(config.applications)
    )
    server = Server(config)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        async with Caller(server, room=f"stuck@{DOMAIN}") as caller:
            assert (await caller.invite()).status == 503
        async with Caller(server) as caller:
            await caller.join()
        server.stop.set()
    assert any("never_ready did not start within 30 s" in entry for entry in log.entries)
