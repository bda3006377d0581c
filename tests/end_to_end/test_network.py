"""Calls and chats over a network that is slow, loses, repeats and overtakes."""

import re
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from tests.end_to_end.lossy_wire import Link, Quality
from tests.end_to_end.network import Network, bad_network
from tests.end_to_end.repeating_wire import RepeatingClient
from tests.end_to_end.server import RunningServer, Settings
from tests.end_to_end.wire_client import ROOM, WireClient, wrap

PATIENCE = 32.0
"""Seconds that one message may take on its way over a bad link: RFC 3261's own patience."""

POOR = Quality(loss=0.2, duplicated=0.1, delay=0.05, jitter=0.03)
SLOW = Quality(loss=0.05, delay=0.05, jitter=0.01)


@contextmanager
def served(
    network: Network, folder: Path, settings: Settings | None = None
) -> Generator[RunningServer]:
    """Run a server in the network while inside; at its end nothing may be left in it."""
    server = network.start_server(folder / "server", settings)
    try:
        yield server
        for link in network.links:
            link.udp = link.tcp = Quality()
            link.mend()
        server.stop()
        assert server.wait_for_log("stopping: ").endswith("stopping: 0 sessions end")
    finally:
        server.kill()


def together(*actions: Callable[[], None]) -> None:
    """Do everything at one time; raises what any of them raises."""
    with ThreadPoolExecutor(len(actions)) as pool:
        for future in [pool.submit(action) for action in actions]:
            future.result()


def talk(client: WireClient, others: int, count: int, padding: str = "") -> None:
    """Say `count` numbered texts, and hear as many of each of the others, in order and once."""
    for number in range(count):
        client.say(f"{number}{padding}")
    heard: dict[str, list[str]] = {}
    for _ in range(count * others):
        message = client.hear(PATIENCE)
        heard.setdefault(message.sender, []).append(message.text)
    assert len(heard) == others
    for texts in heard.values():
        assert texts == [f"{number}{padding}" for number in range(count)]


def final_responses(link: Link, method: str) -> list[str]:
    """Return each final response that the link carried, as often as it did."""
    texts = [datagram.decode() for datagram in link.datagrams]
    cseq = re.compile(rf"^CSeq: \d+ {method}\r$", re.MULTILINE)
    return [text for text in texts if re.match("SIP/2.0 [2-6]", text) and cseq.search(text)]


def await_seats(server: RunningServer, room: str, count: int) -> None:
    """Wait until so many have joined a room."""
    server.wait_for_log(f" joined sip:{room} ", PATIENCE, times=count)


def seats(server: RunningServer, room: str, verb: str) -> int:
    """Return how often somebody "joined" or "left" a room."""
    return server.log.count(f" {verb} sip:{room} ")


PAIRS = 4
TEXTS = 10


def test_calls_and_chats_where_a_fifth_is_lost(tmp_path: Path) -> None:
    rooms = [f"room{number}@127.0.0.1" for number in range(PAIRS)]

    def call(server: RunningServer, name: str, link: Link, room: str) -> None:
        with RepeatingClient(server, name, room=room, source=link.host) as client:
            client.join()
            await_seats(server, room, 2)
            talk(client, others=1, count=TEXTS)
            client.leave()

    with bad_network(PAIRS) as network, served(network, tmp_path) as server:
        for link in network.links:
            link.udp, link.tcp = POOR, SLOW
        together(
            *(
                partial(call, server, name, link, room)
                for link, room in zip(network.links, rooms, strict=True)
                for name in ("alice", "bob")
            )
        )
        for link, room in zip(network.links, rooms, strict=True):
            # However often it came, the INVITE of each of the two made one call.
            assert len(set(final_responses(link, "INVITE"))) == 2
            assert len(set(final_responses(link, "BYE"))) == 2
            assert seats(server, room, "joined") == seats(server, room, "left") == 2
        every = [astuple(link.counts) for link in network.links]
        # Else the network was too good for this to show anything.
        assert all(map(sum, zip(*every, strict=True)))


def test_each_message_of_a_call_is_lost_once(tmp_path: Path) -> None:
    with bad_network(1) as network, served(network, tmp_path) as server:
        (link,) = network.links
        with RepeatingClient(server, "alice", source=link.host) as alice:
            link.condemn(b"INVITE ", b"SIP/2.0 200 ", b"ACK ")
            alice.join()
            await_seats(server, ROOM, 1)
            link.condemn(b"BYE ", b"SIP/2.0 200 ")
            alice.leave()
        assert not link.condemned
        assert len(final_responses(link, "INVITE")) >= 2
        assert len(set(final_responses(link, "INVITE"))) == 1
        assert len(final_responses(link, "BYE")) == 1
        assert seats(server, ROOM, "joined") == seats(server, ROOM, "left") == 1


def test_the_bye_of_the_server_is_lost_and_so_is_its_answer(tmp_path: Path) -> None:
    with bad_network(1) as network, served(network, tmp_path) as server:
        (link,) = network.links
        with RepeatingClient(server, "alice", source=link.host) as alice:
            alice.join()
            await_seats(server, ROOM, 1)
            link.condemn(b"BYE ", b"SIP/2.0 200 ")
            assert alice.msrp is not None
            alice.msrp.close()
            alice.await_bye()
            # The answer is lost, so the BYE comes again, and this time is answered for good.
            assert link.wait_for(lambda: len(final_responses(link, "BYE")) == 1, PATIENCE)
            await_order(alice)
        assert not link.condemned


def test_three_talk_over_slow_links_that_lose_packets(tmp_path: Path) -> None:
    with bad_network(3) as network, served(network, tmp_path) as server:
        with ExitStack() as stack:
            clients = [
                stack.enter_context(WireClient(server, name, source=link.host, transport="tcp"))
                for name, link in zip(("alice", "bob", "carol"), network.links, strict=True)
            ]
            for client, link in zip(clients, network.links, strict=True):
                link.tcp = SLOW
                client.join()
            await_seats(server, ROOM, 3)
            together(
                *(partial(talk, client, 2, TEXTS, padding=" " + "x" * 8000) for client in clients)
            )
            for client in clients:
                client.leave()
        assert all(link.counts.lost > 0 for link in network.links)


KEEP_ALIVE = 5
"""The shortest keepalive_interval."""
ANSWER_TIMEOUT = 30
"""Seconds that an MSRP request may be without an answer (RFC 4975 section 7.1.1)."""
SLACK = 4
"""Seconds more, for a machine that is busy."""


@dataclass(slots=True)
class Three:
    """Three in a room; carol's SIP goes over UDP, that of the others over TCP."""

    alice: WireClient
    bob: WireClient
    carol: WireClient
    carols_link: Link

    @staticmethod
    def leave(*clients: WireClient) -> None:
        """Let these leave."""
        for client in clients:
            client.leave()


@contextmanager
def room_of_three(folder: Path, settings: dict[str, int]) -> Generator[Three]:
    """Let three be in a room of a server with these settings of [MSRP]."""
    with (
        bad_network(3) as network,
        served(network, folder, {"MSRP": settings}) as server,
        ExitStack() as stack,
    ):
        clients: list[WireClient] = []
        for name, link in zip(("alice", "bob", "carol"), network.links, strict=True):
            transport = "udp" if name == "carol" else "tcp"
            client = WireClient(server, name, source=link.host, transport=transport)
            clients.append(stack.enter_context(client).join())
        await_seats(server, ROOM, 3)
        alice, bob, carol = clients
        yield Three(alice, bob, carol, network.links[2])


def hear_of_leaving(listener: WireClient, leaver: WireClient, timeout: float) -> None:
    """Wait until the room says that somebody has left."""
    deadline = monotonic() + timeout
    text = f"{leaver.address} has left the room"
    while listener.hear_all(deadline - monotonic()).text != text:
        pass


def await_order(client: WireClient) -> None:
    """Wait until the server has taken our answer to its BYE: it takes one message after another."""
    assert client.ask("OPTIONS").status == 481


def come_back(link: Link, client: WireClient) -> str:
    """Mend the link, and return why the BYE that was repeated meanwhile says that it is over."""
    link.mend()
    reason = client.await_bye()["Reason"]
    await_order(client)
    return reason


def test_a_silent_peer_that_vanishes_leaves_the_room(tmp_path: Path) -> None:
    limit = KEEP_ALIVE + ANSWER_TIMEOUT + SLACK
    with room_of_three(tmp_path, {"keepalive_interval": KEEP_ALIVE}) as three:
        alice, bob, carol = three.alice, three.bob, three.carol
        three.carols_link.cut()
        together(
            partial(hear_of_leaving, alice, carol, limit),
            partial(hear_of_leaving, bob, carol, limit),
        )
        alice.say("still here?")
        assert bob.hear_text() == "still here?"
        assert "the peer does not answer" in come_back(three.carols_link, carol)
        three.leave(alice, bob)


def test_a_peer_that_vanishes_while_much_is_said_leaves_sooner(tmp_path: Path) -> None:
    with room_of_three(tmp_path, {"outbox_timeout": 3}) as three:
        alice, bob, carol = three.alice, three.bob, three.carol
        three.carols_link.cut()
        for _ in range(20):
            alice.say("x" * 100_000)
            assert len(bob.hear_text()) == 100_000
        hear_of_leaving(alice, carol, 3 + SLACK)
        assert "it took nothing for 3 s" in come_back(three.carols_link, carol)
        three.leave(alice, bob)


def test_a_peer_whose_link_comes_back_has_lost_nothing(tmp_path: Path) -> None:
    of_carol = [f"can anybody hear me? {number}" for number in range(3)]
    of_alice = [f"while carol was away {number}" for number in range(20)]
    with room_of_three(tmp_path, {"keepalive_interval": KEEP_ALIVE}) as three:
        alice, bob, carol = three.alice, three.bob, three.carol
        three.carols_link.cut(10.0)
        assert carol.msrp is not None
        for text in of_carol:
            carol.msrp.send(carol.frame(wrap(carol.address, ROOM, text)))
        for text in of_alice:
            alice.say(text)
            assert bob.hear_text() == text
        assert three.carols_link.is_cut, "the others were kept waiting"
        assert [carol.hear_text(PATIENCE) for _ in of_alice] == of_alice
        for client in (alice, bob):
            assert [client.hear_text(PATIENCE) for _ in of_carol] == of_carol
        three.leave(alice, bob, carol)
