"""Chats through a proxy that is not ours: Kamailio, from UDP to TLS, with passwords and routes."""

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.chat_client import ScriptedChat, scripted
from tests.end_to_end.kamailio import REALM, Kamailio, password_of, proxying
from tests.end_to_end.passwords import set_password
from tests.end_to_end.server import HOST, RunningServer, started
from tests.end_to_end.tls_setup import tls_port, with_tls

RINGS = '''
"""Rings until the caller has enough."""

import trio

from sylk.application import Application
from sylk.session import Invitation


class Rings(Application):
    """Never answers."""

    name = "rings"

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Ring."""
        await invitation.ring()
        await trio.sleep_forever()
'''

LEFT = "sylk-chat: the session ended: the other side left"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Run one server that has TLS."""
    with behind(tmp_path_factory.mktemp("behind")) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """Run one proxy that asks callers for a password."""
    with proxying(tmp_path_factory.mktemp("kamailio")) as running:
        yield running


@contextmanager
def behind(folder: Path) -> Generator[RunningServer]:
    with started(folder / "server", with_tls(folder / "spool")) as running:
        yield running


def room_behind(server: RunningServer, name: str) -> str:
    return f"sip:{name}@{HOST}:{tls_port(server, 'SIP')};transport=tls"


@contextmanager
def caller(
    user: str,
    proxy: Kamailio,
    target: str,
    folder: Path,
    password: str | None = None,
    domain: str = REALM,
) -> Generator[ScriptedChat]:
    """Run `sylk-chat` of a user whom the proxy knows, calling through it, while inside."""
    file = folder / f"{user}.password"
    file.write_text(password or password_of(user), encoding="utf-8")
    arguments = [
        *("--proxy", proxy.uri, "--transport", "udp"),
        *("--from", f"sip:{user}@{domain}", "--name", user.capitalize()),
        *("--password-file", str(file)),
    ]
    with scripted(target, *arguments) as chat:
        yield chat


def test_two_people_talk_and_one_leaves(
    server: RunningServer, proxy: Kamailio, tmp_path: Path
) -> None:
    room = room_behind(server, "pair")
    with caller("alice", proxy, room, tmp_path) as alice:
        alice.printed.wait_for("Welcome")
        with caller("bob", proxy, room, tmp_path) as bob:
            alice.printed.wait_for("Bob <bob@example.com> has joined")
            alice.say("hello")
            bob.printed.wait_for("Alice: hello\n")
            bob.say("hi")
            alice.printed.wait_for("Bob: hi\n")
            assert bob.leave() == 0
        alice.printed.wait_for("Bob <bob@example.com> has left the room")
        assert alice.leave() == 0
    server.wait_for_log("alice@example.com left .*: BYE")
    proxy.wait_for("routes BYE of a dialog from udp to <sip:pair@.*;transport=tls>")


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_a_wrong_password_is_refused_and_the_right_one_is_not(
    server: RunningServer, tmp_path: Path, algorithm: str
) -> None:
    room = room_behind(server, "locked")
    with proxying(tmp_path / "kamailio", algorithm=algorithm) as proxy:
        with caller("alice", proxy, room, tmp_path) as alice:
            alice.printed.wait_for("Welcome")
            with caller("mallory", proxy, room, tmp_path, "a guess") as mallory:
                assert mallory.wait() == 1
                assert "407" in mallory.errors.text
            assert alice.leave() == 0
        assert "mallory" not in server.log
        assert proxy.log.count("challenges INVITE") == 3


def test_a_server_that_stops_says_goodbye_through_the_proxy(
    proxy: Kamailio, tmp_path: Path
) -> None:
    with behind(tmp_path) as server:
        room = room_behind(server, "ending")
        with (
            caller("alice", proxy, room, tmp_path) as alice,
            caller("bob", proxy, room, tmp_path) as bob,
        ):
            alice.printed.wait_for("Bob <bob@example.com> has joined|Welcome")
            bob.printed.wait_for("Alice <alice@example.com> has joined|Welcome")
            server.wait_for_log(r"joined .*\(2 sessions\)")
            server.stop()
            assert alice.wait() == 3
            assert bob.wait() == 3
            for chat in (alice, bob):
                assert chat.errors.text.startswith(LEFT)
    assert proxy.log.count("routes BYE of a dialog from tls to <sip:alice@") == 1
    assert proxy.log.count("routes BYE of a dialog from tls to <sip:bob@") == 1


def test_a_proxy_that_was_restarted_is_reached_by_a_new_connection(tmp_path: Path) -> None:
    """Its routes are in the dialog, not in its memory; its connections are lost."""
    with behind(tmp_path) as server, proxying(tmp_path / "kamailio") as proxy:
        room = room_behind(server, "lasting")
        with caller("alice", proxy, room, tmp_path) as alice:
            alice.printed.wait_for("Welcome")
            proxy.restart()
            server.stop()
            assert alice.wait() == 3
            assert alice.errors.text.startswith(LEFT)
        assert proxy.log.count("routes BYE of a dialog from tls to <sip:alice@") == 1


@pytest.mark.parametrize("options", [["OPEN"], []], ids=["server alone", "both"])
def test_the_server_asks_for_the_password(tmp_path: Path, options: list[str]) -> None:
    """Where the proxy asks as well, the answers to both travel together (RFC 3261 22.3)."""
    settings = with_tls(tmp_path / "spool")
    settings["SIP"] |= {"authenticate": "yes", "realm": REALM, "trusted_peers": "none"}
    with (
        started(tmp_path / "server", settings) as server,
        proxying(tmp_path / "kamailio", *options) as proxy,
    ):
        set_password(server, f"alice@{REALM}", password_of("alice"))
        room = room_behind(server, "asking")
        with caller("alice", proxy, room, tmp_path) as alice:
            alice.printed.wait_for("Welcome")
            with caller("alice", proxy, room, tmp_path, "a guess") as mallory:
                assert mallory.wait() == 1
                assert f"the server answered {401 if options else 407}" in mallory.errors.text
            assert alice.leave() == 0
        server.wait_for_log("alice@example.com left .*: BYE")


@pytest.mark.parametrize(("trusted", "believed"), [(HOST, REALM), ("any", "elsewhere.example")])
def test_a_trusted_proxy_says_who_the_caller_is(
    tmp_path: Path, trusted: str, believed: str
) -> None:
    """RFC 3325: what the caller calls himself counts only where no proxy vouches for him."""
    settings = with_tls(tmp_path / "spool")
    settings["SIP"]["trusted_peers"] = trusted
    with (
        started(tmp_path / "server", settings) as server,
        proxying(tmp_path / "kamailio", "ASSERT") as proxy,
    ):
        room = room_behind(server, "asserted")
        with caller("alice", proxy, room, tmp_path, domain="elsewhere.example") as alice:
            alice.printed.wait_for("Welcome")
            server.wait_for_log(rf" sip:alice@{believed} joined ")
            assert alice.leave() == 0


def test_of_two_servers_one_keeps_the_call(tmp_path: Path) -> None:
    """A proxy may send an INVITE two ways, and both may accept (RFC 3261 13.2.2.4)."""
    with behind(tmp_path / "one") as one, behind(tmp_path / "other") as other:
        room, branch = (room_behind(server, "forked") for server in (one, other))
        with (
            proxying(tmp_path / "kamailio", "OPEN", f'FORK="{branch}"') as proxy,
            caller("alice", proxy, room, tmp_path) as alice,
        ):
            alice.printed.wait_for("Welcome")
            # The slower one has accepted too, or the proxy was quick enough to cancel it.
            happened = {
                server: server.wait_for_log("alice@example.com (joined|ended: BYE|ended: cancel)")
                for server in (one, other)
            }
            (taken,) = [server for server, line in happened.items() if " joined " in line]
            assert alice.leave() == 0
            taken.wait_for_log("alice@example.com left .*: BYE")


def test_the_phone_that_rings_elsewhere_is_cancelled(tmp_path: Path) -> None:
    applications = tmp_path / "applications"
    applications.mkdir()
    (applications / "rings.py").write_text(RINGS, encoding="utf-8")
    settings = with_tls(tmp_path / "spool")
    settings["Server"] |= {
        "extra_applications_dir": applications,
        "default_application": "rings",
    }
    with (
        behind(tmp_path / "takes") as takes,
        started(tmp_path / "rings", settings) as rings,
        proxying(tmp_path / "kamailio", "OPEN", f'FORK="{room_behind(rings, "forked")}"') as proxy,
        caller("alice", proxy, room_behind(takes, "forked"), tmp_path) as alice,
    ):
        alice.printed.wait_for("Welcome")
        # It may have no time to ring.
        proxy.wait_for("answer 487 to INVITE over tls")
        alice.say("hello")
        assert alice.leave() == 0
        takes.wait_for_log("alice@example.com left .*: BYE")


def test_a_proxy_that_wants_the_digest_in_the_dialog_too_gets_it(
    server: RunningServer, tmp_path: Path
) -> None:
    """RFC 3261 22.3, and for the ACK, which cannot be challenged, 13.2.2.4."""
    room = room_behind(server, "suspicious")
    with proxying(tmp_path / "kamailio", "SUSPECT") as proxy:
        with caller("alice", proxy, room, tmp_path) as alice:
            alice.printed.wait_for("Welcome")
            assert alice.leave() == 0
        server.wait_for_log("alice@example.com left .*suspicious.*: BYE")
        assert "ACK brings a digest" in proxy.log
        assert "challenges BYE" in proxy.log


def test_what_the_proxy_takes_for_wrong_it_would_say(tmp_path: Path) -> None:
    """That no test here finds a complaint means something only if there are complaints."""
    proxy = Kamailio(tmp_path)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.sendto(b"OPTIONS sip:a@b SIP/2.0\r\nVia: nonsense\r\n\r\n", (HOST, proxy.udp))
        proxy.wait_for("parse_via")
        assert proxy.complaints
    finally:
        proxy.stop()
