"""Calls whose requests come too late, twice, in the wrong order, or not at all.

Whatever a caller leaves undone, the room that he called keeps nothing of him (CVE-2021-31878). Each
test runs beside a chat in which every message must arrive in order, see `undisturbed`.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient, chat_offer
from tests.end_to_end.wire_msrp import MsrpWire
from tests.end_to_end.wire_sip import SipMessage

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run a server that gives a join one second."""
    folder: Path = tmp_path_factory.mktemp("calls") / "server"
    with started(folder, {"MSRP": {"establish_timeout": 1}}) as server:
        yield server


@pytest.fixture
def server(impatient_server: RunningServer) -> Iterator[RunningServer]:
    with undisturbed_chat(impatient_server):
        yield impatient_server


@pytest.fixture
def mallory(server: RunningServer, transport: str) -> Iterator[WireClient]:
    """Give a client of a room that nobody else is in."""
    room = f"room{secrets.token_hex(4)}@{HOST}"
    with WireClient(server, "mallory", transport=transport, room=room) as client:
        yield client


def responses(client: WireClient, *methods: str) -> dict[str, SipMessage]:
    """Return the final response to one request of each method, in whatever order they come."""
    found: dict[str, SipMessage] = {}
    while set(found) != set(methods):
        message = client.wire.receive()
        if message.status >= 200:
            found[message.method] = message
    return found


def check_nothing_is_left(server: RunningServer, room: str) -> None:
    """Join as the only one there is, and see the room close behind us."""
    with WireClient(server, "newcomer", room=room) as newcomer:
        newcomer.join()
        server.wait_for_log(rf"newcomer@{HOST} joined sip:{room} \(1 sessions\)")
        newcomer.say_nothing()
        newcomer.leave()
    opened = len(re.findall(rf"room sip:{room} opened", server.log))
    server.wait_for_log(rf"room sip:{room} closed", times=opened)


# ACK


@both_transports
def test_without_an_ack_nobody_is_in_the_room(server: RunningServer, mallory: WireClient) -> None:
    mallory.wire.send(mallory.invitation())
    assert mallory.await_answer().status == 200
    server.wait_for_log(rf"\[{mallory.call_id}\].*the ACK did not come within 1 s")
    assert f"mallory@{HOST} joined sip:{mallory.room}" not in server.log
    # Better late than never: only now may the callee send its BYE (RFC 3261 section 15).
    mallory.wire.send(mallory.request("ACK"))
    mallory.await_bye()
    check_nothing_is_left(server, mallory.room)


@both_transports
def test_an_ack_for_another_request_is_none(server: RunningServer, mallory: WireClient) -> None:
    mallory.wire.send(mallory.invitation())
    assert mallory.await_answer().status == 200
    ack = mallory.request("ACK")
    for cseq in (0, 2, 4294967295):
        mallory.wire.send(ack.replace(b"CSeq: 1 ACK", f"CSeq: {cseq} ACK".encode()))
    server.wait_for_log(rf"\[{mallory.call_id}\].*the ACK did not come within 1 s")
    mallory.wire.send(ack)
    mallory.await_bye()


@both_transports
def test_a_hundred_acks_are_one(mallory: WireClient) -> None:
    mallory.join()
    for _ in range(100):
        mallory.wire.send(mallory.request("ACK"))
    mallory.say_nothing()
    mallory.leave()


@both_transports
def test_an_ack_of_nothing_is_dropped_without_a_word(mallory: WireClient) -> None:
    """An ACK is never answered, or two servers could go on for ever."""
    for _ in range(20):
        mallory.wire.send(mallory.request("ACK"))
    mallory.wire.send(mallory.request("ACK").replace(b"To: ", b"To : broken<"))
    mallory.wire.send(mallory.request("OPTIONS"))
    assert mallory.wire.receive().method == "OPTIONS"


# CANCEL


@both_transports
@pytest.mark.parametrize("is_acknowledged", [False, True])
def test_a_cancel_after_the_200_changes_nothing(mallory: WireClient, is_acknowledged: bool) -> None:
    """RFC 3261 section 9.2: it is answered, and has no effect on what was answered before."""
    invite = mallory.invitation()
    (via,) = re.findall(r"Via: [^\r]*", invite.decode())
    mallory.wire.send(invite)
    assert mallory.await_answer().status == 200
    if is_acknowledged:
        mallory.wire.send(mallory.request("ACK"))
    for _ in range(3):
        cancel = mallory.request("CANCEL", via=via)
        mallory.wire.send(re.sub(rb";tag=\w+\r\nCall-ID", b"\r\nCall-ID", cancel))
        assert mallory.wire.final_response("CANCEL").status == 200
    mallory.wire.send(mallory.request("ACK"))
    mallory.connect()
    mallory.say_nothing()
    mallory.leave()


@both_transports
@pytest.mark.parametrize("what", ["branch", "call"])
def test_a_cancel_of_nothing_gets_481(mallory: WireClient, what: str) -> None:
    invite = mallory.invitation()
    (via,) = re.findall(r"Via: [^\r]*", invite.decode())
    mallory.wire.send(invite)
    assert mallory.await_answer().status == 200
    mallory.wire.send(mallory.request("ACK"))
    if what == "branch":
        mallory.wire.send(mallory.request("CANCEL"))
        assert mallory.wire.final_response("CANCEL").status == 481
    mallory.connect()
    assert mallory.bye().status == 200
    mallory.wire.send(mallory.request("CANCEL", via=via.replace("z9hG4bK", "z9hG4bKother")))
    assert mallory.wire.final_response("CANCEL").status == 481


# BYE and re-INVITE


@both_transports
def test_a_bye_that_crosses_a_reinvite_ends_both(
    server: RunningServer, mallory: WireClient
) -> None:
    mallory.join()
    again = mallory.request("INVITE", body=chat_offer(mallory.path))
    mallory.wire.send(again + mallory.request("BYE") if mallory.wire.transport == "tcp" else again)
    if mallory.wire.transport == "udp":
        mallory.wire.send(mallory.request("BYE"))
    answers = responses(mallory, "INVITE", "BYE")
    assert answers["BYE"].status == 200
    assert answers["INVITE"].status in (200, 481, 487, 491, 500)
    check_nothing_is_left(server, mallory.room)


@both_transports
def test_a_bye_with_an_older_number_than_the_reinvite_is_out_of_order(
    mallory: WireClient,
) -> None:
    """RFC 3261 section 12.2.2: a lower CSeq gets 500, and the call stands."""
    mallory.join()
    bye = mallory.request("BYE")
    mallory.wire.send(mallory.request("INVITE", body=chat_offer(mallory.path)))
    assert mallory.wire.final_response("INVITE").status == 200
    mallory.wire.send(mallory.request("ACK"))
    mallory.wire.send(bye)
    assert mallory.wire.final_response("BYE").status == 500
    mallory.say_nothing()
    mallory.leave()


@both_transports
@pytest.mark.parametrize("method", ["INVITE", "BYE", "UPDATE", "INFO", "MESSAGE", "OPTIONS"])
def test_after_the_bye_the_dialog_is_gone(
    server: RunningServer, mallory: WireClient, method: str
) -> None:
    mallory.join()
    assert mallory.bye().status == 200
    body = chat_offer(mallory.path) if method == "INVITE" else b""
    answer = mallory.ask(method, body=body)
    assert answer.status in (481, 405)
    if method in ("INVITE", "BYE"):
        assert answer.status == 481
    mallory.wire.send(mallory.request("ACK"))
    check_nothing_is_left(server, mallory.room)


@both_transports
def test_a_reinvite_that_crosses_the_bye_of_the_server_gets_481(mallory: WireClient) -> None:
    mallory.join()
    assert mallory.msrp is not None
    mallory.msrp.close()
    bye = mallory.wire.request("BYE")
    answer = mallory.ask("INVITE", body=chat_offer(mallory.path))
    assert answer.status == 481
    mallory.wire.send(mallory.request("ACK"))
    mallory.wire.send(bye.answer("200 OK"))
    assert mallory.ask("INVITE", body=chat_offer(mallory.path)).status == 481


@both_transports
def test_two_byes_that_cross_are_both_answered(mallory: WireClient) -> None:
    mallory.join()
    assert mallory.msrp is not None
    mallory.msrp.close()
    bye = mallory.wire.request("BYE")
    assert mallory.bye().status == 200
    mallory.wire.send(bye.answer("200 OK"))
    assert mallory.bye().status == 481


@both_transports
def test_a_second_invite_before_the_ack_is_told_to_wait(mallory: WireClient) -> None:
    """RFC 3261 section 14.2: 500 with Retry-After; the first call is not hurt."""
    mallory.wire.send(mallory.invitation())
    assert mallory.await_answer().status == 200
    ack = mallory.request("ACK")
    answer = mallory.ask("INVITE", body=chat_offer(mallory.path))
    assert answer.status == 500
    assert int(answer["Retry-After"]) <= 10
    mallory.wire.send(mallory.request("ACK"))
    mallory.wire.send(ack)
    mallory.connect()
    mallory.say_nothing()
    mallory.leave()


@both_transports
def test_a_storm_of_reinvites_ends_in_one_call(mallory: WireClient) -> None:
    mallory.join()
    for _ in range(50):
        mallory.wire.send(mallory.request("INVITE", body=chat_offer(mallory.path)))
        assert mallory.wire.final_response("INVITE").status == 200
        mallory.wire.send(mallory.request("ACK"))
    mallory.say_nothing()
    mallory.leave()


# Joins that fail half-way


def nothing_further(client: WireClient) -> None:
    """Acknowledge the call, and never connect."""
    client.invite()


def another_session(client: WireClient) -> None:
    """Name a session that is not ours."""
    client.invite()
    client.msrp = MsrpWire(HOST, int(client.remote_path.rpartition(":")[2].partition("/")[0]))
    frame = client.frame(None)
    path = client.remote_path.rpartition("/")[0]
    client.msrp.send(frame.replace(client.remote_path.encode(), f"{path}/nobody;tcp".encode()))
    assert client.msrp.receive().status == 481


def half_a_frame(client: WireClient) -> None:
    client.invite()
    client.msrp = MsrpWire(HOST, int(client.remote_path.rpartition(":")[2].partition("/")[0]))
    client.msrp.send(client.frame(None)[:-3])


def gone_at_once(client: WireClient) -> None:
    """Connect, name the session and close, before the answer can come."""
    client.invite()
    client.msrp = MsrpWire(HOST, int(client.remote_path.rpartition(":")[2].partition("/")[0]))
    client.msrp.send(client.frame(None))
    client.msrp.close()


def bad_answer(client: WireClient) -> None:
    """Answer the offer in the 200 with something that is no SDP."""
    client.wire.send(client.request("INVITE"))
    assert client.await_answer().status == 200
    client.wire.send(client.request("ACK", body=b"v=nonsense"))


def no_answer(client: WireClient) -> None:
    client.wire.send(client.request("INVITE"))
    assert client.await_answer().status == 200
    client.wire.send(client.request("ACK"))


def other_media(client: WireClient) -> None:
    """Answer the offer with its media refused."""
    client.wire.send(client.request("INVITE"))
    assert client.await_answer().status == 200
    offer = chat_offer(client.path).replace(b"m=message 2855", b"m=message 0")
    client.wire.send(client.request("ACK", body=offer))


FAILURES: list[Callable[[WireClient], None]] = [
    *(nothing_further, another_session, half_a_frame, gone_at_once),
    *(bad_answer, no_answer, other_media),
]


@both_transports
def test_joins_that_fail_half_way_leave_nothing(server: RunningServer, transport: str) -> None:
    """All of them at once, and in one room with somebody who is well."""
    room = f"room{secrets.token_hex(4)}@{HOST}"
    with ExitStack() as stack:
        witness = stack.enter_context(WireClient(server, "witness", room=room))
        witness.join()
        failing: list[WireClient] = []
        for fail in FAILURES:
            user = fail.__name__.replace("_", "-")
            client = stack.enter_context(WireClient(server, user, transport=transport, room=room))
            fail(client)
            failing.append(client)
        for client in failing:
            client.await_bye()
        witness.say("well")
        witness.leave()
    check_nothing_is_left(server, room)


@both_transports
def test_a_caller_who_vanishes_leaves_nothing(server: RunningServer, mallory: WireClient) -> None:
    """Its sockets are closed before the answer can be read; there is nobody to take a BYE."""
    mallory.wire.send(mallory.invitation())
    mallory.wire.close()
    server.wait_for_log(rf"\[{mallory.call_id}\] session of .* ended: ")
    check_nothing_is_left(server, mallory.room)


@both_transports
def test_an_invite_without_a_contact_leaves_nothing(
    server: RunningServer, mallory: WireClient
) -> None:
    """There would be nowhere to send the BYE (RFC 3261 section 8.1.1.8)."""
    mallory.wire.send(re.sub(rb"Contact: [^\r]*\r\n", b"", mallory.invitation()))
    answer = mallory.await_answer()
    assert answer.status == 400
    mallory.wire.send(mallory.request("ACK"))
    check_nothing_is_left(server, mallory.room)
