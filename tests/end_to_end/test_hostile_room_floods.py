"""Storms of SUBSCRIBE, REFER, joins and leaves at a room in which two others chat undisturbed."""

import re
from collections.abc import Iterator

import pytest

from sylk.payload.conference_info import ConferenceInfo
from tests.end_to_end.hostile import is_well
from tests.end_to_end.server import HOST, RunningServer, StartServer
from tests.end_to_end.undisturbed import undisturbed_chat
from tests.end_to_end.wire_client import WireClient
from tests.end_to_end.wire_sip import Silence, SipMessage, SipWire
from tests.payload.documents import assert_valid

FLOODER, NEIGHBOUR = "127.0.0.2", "127.0.0.3"
SUBSCRIPTIONS = 100
RINGING = 10
VISITORS = 120
SETTINGS = {
    # The two who chat sit at HOST. How many requests a source may send is tested elsewhere.
    "SIP": {
        "unlimited_peers": HOST,
        "max_request_rate": 100_000,
        "max_subscriptions_per_source": SUBSCRIPTIONS,
    },
    "Conference": {"max_ringing": RINGING, "notify_interval": 0},
}
PEOPLE = [f"sip:alice@{HOST}", f"sip:bob@{HOST}"]


@pytest.fixture
def server(running_server: StartServer) -> Iterator[RunningServer]:
    running = running_server(SETTINGS)
    with undisturbed_chat(running):
        yield running
    assert is_well(running)


class Watching:
    """One who subscribes, and keeps what he was told last; each document must be valid."""

    def __init__(self, server: RunningServer, source: str = NEIGHBOUR) -> None:
        self.client = WireClient(server, "watcher", transport="tcp", source=source)
        self.told = 0
        wire = self.client.wire
        wire.send(self.client.request("SUBSCRIBE", "Event: conference", "Expires: 600"))
        assert wire.final_response("SUBSCRIBE").status == 200

    def until(self, people: list[str]) -> None:
        """Wait until these are in the room, and nobody else."""
        wire = self.client.wire
        while True:
            notify = wire.request("NOTIFY")
            wire.send(notify.answer("200 OK"))
            assert_valid(notify.body, "conference-info.xsd")
            self.told += 1
            if [user.entity for user in ConferenceInfo.parse(notify.body).users] == people:
                return


def subscriptions(client: WireClient, count: int) -> list[bytes]:
    """Return requests for as many subscriptions, each of a dialog of its own."""
    old = f"Call-ID: {client.call_id}".encode()
    return [
        client.request("SUBSCRIBE", "Event: conference", "Expires: 600").replace(
            old, b"Call-ID: %d-%b" % (number, client.call_id.encode())
        )
        for number in range(count)
    ]


def answers_to(client: WireClient, requests: list[bytes], method: str) -> list[SipMessage]:
    """Send requests, some at a time, and return their answers; what else comes is ignored."""
    answers: list[SipMessage] = []
    for start in range(0, len(requests), 50):
        some = requests[start : start + 50]
        client.wire.send(b"".join(some))
        for _ in some:
            answers.append(client.wire.final_response(method))
    return answers


def test_a_thousand_subscriptions_of_one_source_are_a_hundred(server: RunningServer) -> None:
    with WireClient(server, "mallory", transport="tcp", source=FLOODER) as mallory:
        answers = answers_to(mallory, subscriptions(mallory, 1000), "SUBSCRIBE")
        refused = [answer for answer in answers if answer.status != 200]
        assert len(refused) == len(answers) - SUBSCRIPTIONS
        assert {answer.status for answer in refused} == {503}
        assert all(int(answer["Retry-After"]) >= 1 for answer in refused)
        # The neighbour is told, and told again, what the flood lets nobody wait for.
        watching = Watching(server)
        watching.until(PEOPLE)
        with WireClient(server, "carol") as carol:
            carol.join()
            watching.until([*PEOPLE, f"sip:carol@{HOST}"])
            carol.leave()
        watching.until(PEOPLE)
        watching.client.close()


def test_subscribers_who_answer_nothing_keep_nobody_waiting(server: RunningServer) -> None:
    with WireClient(server, "mallory", source=FLOODER) as mallory:
        for request in subscriptions(mallory, SUBSCRIPTIONS):
            mallory.wire.send(request)
            assert mallory.wire.final_response("SUBSCRIBE").status == 200
        watching = Watching(server)
        watching.until(PEOPLE)
        for _ in range(5):
            with WireClient(server, "carol") as carol:
                carol.join()
                watching.until([*PEOPLE, f"sip:carol@{HOST}"])
                carol.leave()
            watching.until(PEOPLE)
        watching.client.close()
        # To who is silent one thing is said until he answers, however much happens.
        bodies = {message.body for message in everything(mallory.wire) if not message.status}
        assert len(bodies) <= 2


def everything(wire: SipWire) -> list[SipMessage]:
    """Return all that has come by now."""
    messages: list[SipMessage] = []
    try:
        while True:
            messages.append(wire.receive(0.05))
    except Silence:
        return messages


def test_hundreds_of_joins_and_leaves_while_all_talk(server: RunningServer) -> None:
    watching = Watching(server)
    watching.until(PEOPLE)
    for number in range(VISITORS):
        with WireClient(server, f"user{number}", transport="tcp") as visitor:
            visitor.join()
            if number % 4 == 0:
                visitor.say("here I am")
            if number % 4 == 3:
                # Gone without a word.
                continue
            visitor.leave()
    with WireClient(server, "last") as last:
        last.join()
        watching.until([*PEOPLE, f"sip:last@{HOST}"])
        # However fast they come and go, a document tells of many.
        assert watching.told < 2 * VISITORS
        last.leave()
    watching.until(PEOPLE)
    watching.client.close()


def test_a_storm_of_refer_makes_few_calls(server: RunningServer) -> None:
    """Nobody who does not answer is called more than once, and not many at a time."""
    with (
        WireClient(server, "mallory", transport="tcp", source=FLOODER) as mallory,
        WireClient(server, "victim") as victim,
    ):
        mallory.join()
        place = f"{HOST}:{victim.wire.port}"
        one = [referring(mallory, f"sip:one@{place}") for _ in range(50)]
        assert {answer.status for answer in answers_to(mallory, one, "REFER")} == {202}
        many = [referring(mallory, f"sip:other{number}@{place}") for number in range(200)]
        statuses = [answer.status for answer in answers_to(mallory, many, "REFER")]
        assert statuses.count(202) == RINGING - 1
        assert statuses.count(503) == 200 - RINGING + 1
        for target, status in (
            (f"sip:lobby@{HOST}", 482),
            (f"sip:conference-factory@{HOST}", 482),
            ("tel:+15551234", 416),
            (f"http://{HOST}/", 416),
        ):
            again = [referring(mallory, target) for _ in range(20)]
            assert {answer.status for answer in answers_to(mallory, again, "REFER")} == {status}
        called: dict[str, str] = {}
        while len(called) < RINGING:
            invite = victim.wire.request("INVITE")
            called[invite["Call-ID"]] = re.split("[:@]", invite.start_line)[1]
        assert len(set(called.values())) == RINGING
        assert not [
            message
            for message in everything(victim.wire)
            if not message.status and message["Call-ID"] not in called
        ]
        mallory.leave()


def referring(client: WireClient, target: str) -> bytes:
    return client.request("REFER", f"Refer-To: <{target}>")
