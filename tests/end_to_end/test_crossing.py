"""Requests that cross what the server sends, and requests that come two at a time."""

import time
from itertools import count

import pytest

from tests.end_to_end.server import RunningServer
from tests.end_to_end.wire_client import WireClient, chat_offer

ROUNDS = 40
MOST_ROUNDS = 400
STEP = 0.0002
"""Seconds by which each round waits longer before it gives up."""

both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@both_transports
def test_a_cancel_may_cross_the_answer(transport: str, shared_server: RunningServer) -> None:
    outcomes: set[int] = set()
    for number in count():
        if number >= ROUNDS and outcomes == {200, 487}:
            break
        assert number < MOST_ROUNDS, f"the answer was never but {outcomes}"
        with WireClient(shared_server, f"caller{number}", transport=transport) as caller:
            via = caller.wire.via()
            caller.wire.send(caller.request("INVITE", body=chat_offer(caller.path), via=via))
            # Not a wait for anything: the later the CANCEL, the likelier the answer was first.
            time.sleep(number * STEP)
            caller.wire.send(caller.request("CANCEL", via=via))
            status = caller.await_answer().status
            outcomes.add(status)
            caller.wire.send(caller.request("ACK", via=via if status == 487 else ""))
            if status == 200:
                # RFC 3261 section 9.2: it is answered, and changes nothing any more.
                assert caller.wire.response("CANCEL").status == 200
                assert caller.bye().status == 200


@both_transports
def test_a_bye_follows_a_reinvite_at_once(transport: str, shared_server: RunningServer) -> None:
    with WireClient(shared_server, "alice", transport=transport) as alice:
        assert alice.invite().status == 200
        reinvite, bye = alice.invitation(), alice.request("BYE")
        alice.wire.send(reinvite)
        alice.wire.send(bye)
        # RFC 3261 section 15.1.2: what is pending is answered too.
        assert alice.wire.final_response("INVITE").status in (200, 487)
        assert alice.wire.final_response("BYE").status == 200
        assert alice.ask("OPTIONS").status == 481
