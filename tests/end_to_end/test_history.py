"""What was acknowledged is kept: the real command is killed in the middle of talk, many times."""

import signal
from contextlib import ExitStack
from pathlib import Path

from tests.end_to_end.server import RunningServer, StartServer, started, write_settings
from tests.end_to_end.wire_client import ROOM, WireClient, wrap

BURST = 30


class Talker(WireClient):
    """Says many things at once, and knows which of them were acknowledged."""

    def __init__(self, server: RunningServer, user: str) -> None:
        super().__init__(server, user)
        self.acknowledged: list[str] = []
        self._said: dict[str, str] = {}

    def burst(self, texts: list[str]) -> None:
        assert self.msrp is not None
        frames = [self.frame(wrap(self.address, self.room, text)) for text in texts]
        for frame, text in zip(frames, texts, strict=True):
            self._said[frame.split()[1].decode()] = text
        self.msrp.send(b"".join(frames))

    def read(self, count: int | None = None) -> None:
        """Read answers, so many of them, or all until the connection is closed."""
        left = count
        try:
            while left is None or left > 0:
                frame = self._receive()
                if frame.status == 200 and frame.transaction_id in self._said:
                    self.acknowledged.append(self._said[frame.transaction_id])
                    left = None if left is None else left - 1
        except (EOFError, OSError):
            assert count is None


def talk_and_kill(server: RunningServer, life: int, answers: int) -> list[str]:
    """Return what two had been told is taken when the server was killed."""
    with Talker(server, "alice") as alice, Talker(server, "bob") as bob:
        talkers = (alice.join(), bob.join())
        number = 0
        while len(alice.acknowledged) < answers:
            for talker in talkers:
                lines = range(number, number + BURST)
                talker.burst([f"{life} {talker.user} {line}" for line in lines])
            number += BURST
            alice.read(min(BURST, answers - len(alice.acknowledged)))
        server.kill()
        for talker in talkers:
            talker.read()
        return alice.acknowledged + bob.acknowledged


def shown_to(server: RunningServer, newcomer: str) -> list[str]:
    """Return what somebody is shown who was never there before."""
    with WireClient(server, newcomer) as client, WireClient(server, "host") as host:
        client.join()
        host.join()
        host.say(f"{newcomer} has seen all")
        shown: list[str] = []
        while not shown or shown[-1] != f"{newcomer} has seen all":
            shown.append(client.hear_text())
        return shown[:-1]


def test_what_was_acknowledged_is_shown_after_each_kill(tmp_path: Path) -> None:
    settings = {
        "Server": {"spool_dir": tmp_path / "spool"},
        "Conference": {"history_replay": 1000},
    }
    acknowledged: list[str] = []
    for life, answers in enumerate((1, 60, 100)):
        with ExitStack() as stack:
            server = RunningServer(tmp_path / f"server{life}", settings)
            stack.callback(server.kill)
            if life:
                shown = shown_to(server, f"newcomer{life}")
                said = [text for text in shown if not text.endswith("seen all")]
                assert len(said) == len(set(said))
                assert set(acknowledged) <= set(said)
                # The order of each is that in which he spoke.
                for user in ("alice", "bob"):
                    own = [tuple(map(int, text.split()[::2])) for text in said if user in text]
                    assert own == sorted(own)
            acknowledged += talk_and_kill(server, life, answers)
    assert len(acknowledged) >= 161
    with started(tmp_path / "last", settings) as server:
        assert set(acknowledged) <= set(shown_to(server, "last"))


def test_a_reload_begins_to_keep_and_stops_keeping(
    running_server: StartServer, tmp_path: Path
) -> None:
    base = {"Server": {"spool_dir": tmp_path / "spool"}}
    server = running_server({**base, "Conference": {"history": "no"}})
    with WireClient(server, "alice") as alice:
        alice.join()
        alice.say("not kept")
        write_settings(server.folder, {**base, "Conference": {"history": "yes"}})
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(r"taken up: \[Conference\] history$")
        alice.say("kept")
        assert shown_to(server, "bob") == ["kept"]
        write_settings(server.folder, {**base, ROOM: {"history": "no"}})
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(r"taken up: .*\[lobby@", times=1)
        alice.say("not kept any more")
        assert shown_to(server, "carol") == []
        alice.leave()
