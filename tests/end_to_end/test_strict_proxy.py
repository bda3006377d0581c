"""Chats through a strict router, as proxies of RFC 2543 are: alone, and in front of a loose one."""

from pathlib import Path

from tests.end_to_end.chat_client import ScriptedChat, room_of, scripted
from tests.end_to_end.kamailio import proxying
from tests.end_to_end.server import HOST, RunningServer, StartServer, started
from tests.end_to_end.strict_proxy import StrictProxy, strictly_routing
from tests.end_to_end.tls_setup import tls_port, with_tls

LEFT = "sylk-chat: the session ended: the other side left"


def leave_and_be_left(server: RunningServer, proxy: StrictProxy, room: str) -> None:
    """Let one of two people leave, and the server end the call of the other one."""
    arguments = ("--proxy", proxy.uri, "--transport", "udp")

    def joined(chat: ScriptedChat) -> None:
        chat.printed.wait_for("Welcome")

    with scripted(room, *arguments, "--from", "sip:alice@example.com") as alice:
        joined(alice)
        with scripted(room, *arguments, "--from", "sip:bob@example.com") as bob:
            joined(bob)
            bob.say("hi")
            alice.printed.wait_for("bob: hi\n")
            assert bob.leave() == 0
        server.wait_for_log("bob@example.com left .*: BYE")
        server.stop()
        assert alice.wait() == 3
        assert alice.errors.text.startswith(LEFT)
    assert proxy.routed == ["ACK", "ACK", "BYE", "BYE"]


def test_a_strict_router_alone(running_server: StartServer) -> None:
    server = running_server()
    with strictly_routing((HOST, server.sip_udp)) as proxy:
        leave_and_be_left(server, proxy, room_of(server))


def test_a_strict_router_in_front_of_a_loose_one(tmp_path: Path) -> None:
    with (
        started(tmp_path / "server", with_tls(tmp_path / "spool")) as server,
        proxying(tmp_path / "kamailio", "OPEN") as loose,
        strictly_routing((HOST, loose.udp)) as strict,
    ):
        room = f"sip:lobby@{HOST}:{tls_port(server, 'SIP')};transport=tls"
        leave_and_be_left(server, strict, room)
        loose.wait_for("routes BYE of a dialog from tls")
