"""Participants of the real server whose connections break, and who come back."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from tests.end_to_end.chat_client import scripted
from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_msrp import MsrpWire, render_frame
from tests.session.middlebox import BorderController, border_controller

RECONNECT = 3
SETTINGS = {"MSRP": {"reconnect_timeout": RECONNECT}}


def descriptors_of(server: RunningServer) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def come_back(client: WireClient) -> None:
    """Break the connection and name the session on another one, once the server has seen it."""
    assert client.msrp is not None
    client.msrp.close()
    while True:
        try:
            client.connect()
        except AssertionError:
            # 506: it has not seen it yet.
            assert client.msrp is not None
            client.msrp.close()
        else:
            return


def test_who_comes_back_is_where_he_was(tmp_path: Path) -> None:
    with (
        started(tmp_path / "server", SETTINGS) as server,
        WireClient(server, "alice") as alice,
        WireClient(server, "bob") as bob,
    ):
        alice.join()
        bob.join()
        alice.say("before")
        assert bob.hear_text() == "before"
        assert bob.msrp is not None
        bob.msrp.close()
        server.wait_for_log("bob@.* has lost its connection")
        alice.say("meanwhile")
        bob.connect()
        texts = [bob.hear_text()]
        while texts[-1] != "meanwhile":
            texts.append(bob.hear_text())
        # Nobody knew whether the first one had come; it has its Message-ID.
        assert texts in (["meanwhile"], ["before", "meanwhile"])
        bob.say("here I am")
        assert alice.hear_text() == "here I am"
        assert not re.search(r"bob@\S+ left ", server.log)
        bob.leave()
        alice.leave()


def test_who_comes_back_a_hundred_times_costs_nothing(tmp_path: Path) -> None:
    with (
        started(tmp_path / "server", SETTINGS) as server,
        WireClient(server, "alice") as alice,
    ):
        alice.join()
        before = descriptors_of(server)
        for _ in range(100):
            come_back(alice)
        alice.say_nothing()
        assert descriptors_of(server) <= before + 2
        alice.leave()
        assert not server.tracebacks


@pytest.mark.parametrize("knows", ["nothing", "our id", "his id"])
def test_nobody_else_takes_the_place_of_one_who_is_away(tmp_path: Path, knows: str) -> None:
    with (
        started(tmp_path / "server", SETTINGS) as server,
        WireClient(server, "alice") as alice,
    ):
        alice.join()
        assert alice.msrp is not None
        alice.msrp.close()
        server.wait_for_log("alice@.* has lost its connection")
        guess = alice.remote_path.rpartition("/")[0] + "/0123456789abcdef0123;tcp"
        stranger = "msrp://127.0.0.2:2855/mallory;tcp"
        to_path = alice.remote_path if knows == "our id" else guess
        from_path = alice.path if knows == "his id" else stranger
        mallory = MsrpWire(HOST, server.msrp_tcp, "127.0.0.2")
        for _ in range(3):
            mallory.send(render_frame("SEND", to_path, from_path, ["Message-ID: x"]))
            assert mallory.receive().status == 481
        mallory.close()
        alice.connect()
        alice.leave()


def test_who_stays_away_leaves(tmp_path: Path) -> None:
    with (
        started(tmp_path / "server", SETTINGS) as server,
        WireClient(server, "alice") as alice,
        WireClient(server, "bob") as bob,
    ):
        alice.join()
        bob.join()
        assert bob.msrp is not None
        bob.msrp.close()
        assert "500" in bob.await_bye(RECONNECT + 5)["Reason"]
        while "bob" not in (text := alice.hear_all().text) or "left" not in text:
            pass
        alice.leave()


async def in_thread(work: Callable[[], object]) -> None:
    await trio.to_thread.run_sync(work)


async def test_sylk_chat_comes_back_by_itself(tmp_path: Path) -> None:
    with started(tmp_path / "server", {"MSRP": {"reconnect_timeout": 20}}) as server:
        async with border_controller((HOST, server.sip_udp)) as box:
            await in_thread(lambda: converse_over(server, box))
        assert "has left" not in server.log
        assert not server.tracebacks


def converse_over(server: RunningServer, box: BorderController) -> None:
    room = f"sip:lobby@{HOST}"
    direct, broken = (f"sip:{HOST}:{port};transport=udp" for port in (server.sip_udp, box.port))
    with (
        scripted("--from", f"sip:alice@{HOST}", "--proxy", direct, room) as alice,
        scripted("--from", f"sip:bob@{HOST}", "--proxy", broken, room) as bob,
    ):
        for person in (alice, bob):
            person.printed.wait_for("Welcome")
        for number in range(3):
            trio.from_thread.run_sync(cut, box)
            alice.say(f"to bob {number}")
            bob.say(f"to alice {number}")
            bob.printed.wait_for(f"alice: to bob {number}\n")
            alice.printed.wait_for(f"bob: to alice {number}\n")
        for number in range(3):
            assert bob.printed.text.count(f"alice: to bob {number}\n") == 1
            assert alice.printed.text.count(f"bob: to alice {number}\n") == 1
        assert sum(anchor.connections for anchor in box.anchors) > 1
        assert "left" not in alice.printed.text
        assert bob.leave() == 0, bob.errors.text
        assert alice.leave() == 0, alice.errors.text


def cut(box: BorderController) -> None:
    for anchor in box.anchors:
        anchor.cut()
