from dataclasses import replace

from sylk.mdns.answering import MAX_ASKERS, MAX_UNICAST, Answering
from sylk.mdns.message import Message, parse_message, render_query
from sylk.mdns.record import Question, Record, Type, name_of
from sylk.mdns.service import (
    instance_name,
    kind_name,
    records_of_host,
    records_of_service,
)
from tests.mdns.wire import KIND, LOBBY, PHONE, low

KIND_NAME = kind_name(KIND)
NAME = instance_name(LOBBY.instance, KIND)
HOST = name_of("host")
SETS = [records_of_service(LOBBY, NAME, HOST), records_of_host(["192.0.2.1"], HOST)]
POINTER, PLACE = SETS[0].shared[0], SETS[0].unique[0]
OLD_RESOLVER = ("192.0.2.9", 40000)


class Desk:
    """Answers for a room and its host."""

    def __init__(self) -> None:
        self.answering = Answering(low)
        for number, records in enumerate(SETS):
            self.answering.put(number, records)

    def ask(
        self, *questions: Question, known: tuple[Record, ...] = (), now: float = 0.0
    ) -> tuple[list[Message], list[Message]]:
        """Ask, and return the unicast answers and what is told to the group at once."""
        for data in render_query(list(questions), known):
            self.answering.ask(parse_message(data), PHONE, now)
        return self.due(now)

    def due(self, now: float) -> tuple[list[Message], list[Message]]:
        packets, messages = self.answering.due(now)
        assert all(packet.destination is not None for packet in packets)
        return [parse_message(one.data) for one in packets], list(map(parse_message, messages))


def test_what_others_may_have_too_waits_for_a_moment() -> None:
    desk = Desk()
    assert desk.ask(Question(KIND_NAME, Type.PTR)) == ([], [])
    assert desk.answering.deadline == 0.020
    _, (message,) = desk.due(0.020)
    assert message.answers == [POINTER]
    # All that is asked next comes with it.
    kinds = {record.rdtype for record in message.additionals}
    assert kinds == {Type.SRV, Type.TXT, Type.A, Type.NSEC}
    assert desk.answering.deadline is None


def test_what_only_we_can_have_is_answered_at_once() -> None:
    _, (message,) = Desk().ask(Question(NAME, Type.SRV))
    assert message.answers == [PLACE]
    assert Type.A in {record.rdtype for record in message.additionals}


def test_a_question_for_all_types_gets_them() -> None:
    _, (message,) = Desk().ask(Question(NAME, Type.ANY))
    assert {record.rdtype for record in message.answers} == {Type.SRV, Type.TXT}


def test_a_type_that_is_not_there_is_denied() -> None:
    _, (message,) = Desk().ask(Question(HOST, Type.AAAA))
    assert [record.rdtype for record in message.answers] == [Type.NSEC]
    assert Desk().ask(Question(name_of("other"), Type.A)) == ([], [])


def test_who_knows_it_is_not_told_again() -> None:
    desk = Desk()
    known = POINTER.with_ttl(POINTER.ttl // 2)
    assert desk.ask(Question(KIND_NAME, Type.PTR), known=(known,)) == ([], [])
    assert desk.answering.deadline is None
    # Half of its time is over.
    known = POINTER.with_ttl(POINTER.ttl // 2 - 1)
    desk.ask(Question(KIND_NAME, Type.PTR), known=(known,))
    assert desk.answering.deadline is not None


def test_the_rest_of_the_known_answers_is_waited_for() -> None:
    desk = Desk()
    question, known = Question(KIND_NAME, Type.PTR), POINTER
    first = Message(questions=[question], is_truncated=True)
    desk.answering.ask(first, PHONE, 0.0)
    assert desk.answering.deadline == 0.4
    desk.answering.ask(Message(answers=[known]), PHONE, 0.1)
    assert desk.due(0.4) == ([], [])
    assert desk.answering.deadline is None


def test_only_so_many_are_waited_for() -> None:
    desk = Desk()
    message = Message(questions=[Question(NAME, Type.SRV)], is_truncated=True)
    for number in range(MAX_ASKERS + 1):
        desk.answering.ask(message, (f"192.0.2.{number}", 5353), 0.0)
    _, (answer,) = desk.due(0.0)
    assert answer.answers == [PLACE]


def test_nothing_is_told_twice_in_a_second() -> None:
    desk = Desk()
    assert desk.ask(Question(NAME, Type.SRV), now=5.0)[1]
    assert desk.ask(Question(NAME, Type.SRV), now=5.5) == ([], [])
    assert desk.answering.deadline == 6.0
    assert desk.due(6.0)[1][0].answers == [PLACE]


def test_who_probes_is_told_sooner() -> None:
    desk = Desk()
    assert desk.ask(Question(NAME, Type.SRV), now=5.0)[1]
    probe = Message(questions=[Question(NAME, Type.ANY)], authorities=[PLACE])
    desk.answering.ask(probe, PHONE, 5.1)
    assert desk.answering.deadline == 5.1
    assert desk.due(5.25)[1][0].answers


def test_what_another_answers_is_not_said_again() -> None:
    desk = Desk()
    desk.ask(Question(KIND_NAME, Type.PTR))
    desk.answering.heard(Message(True, answers=[POINTER.with_ttl(10)]))
    assert desk.answering.deadline is not None
    desk.answering.heard(Message(True, answers=[POINTER]))
    assert desk.answering.deadline is None


def test_he_alone_is_told_if_he_wants_and_the_others_have_it() -> None:
    desk = Desk()
    question = Question(NAME, Type.SRV, wants_unicast=True)
    # Nobody has been told yet.
    unicast, multicast = desk.ask(question)
    assert not unicast
    assert multicast
    unicast, multicast = desk.ask(question, now=5.0)
    assert unicast[0].answers == [PLACE]
    assert not multicast
    # A quarter of its time is over.
    assert not desk.ask(question, now=40.0)[0]


def test_an_old_resolver_is_told_what_it_understands() -> None:
    desk = Desk()
    question = Question(NAME, Type.SRV)
    desk.answering.ask(Message(questions=[question], id=77), OLD_RESOLVER, 0.0)
    (message,), _ = desk.due(0.0)
    assert message.id == 77
    assert message.questions == [question]
    assert [record.ttl for record in message.answers] == [10]
    assert not any(record.is_unique for record in (*message.answers, *message.additionals))


def test_unicast_answers_are_bounded() -> None:
    desk = Desk()
    for _ in range(MAX_UNICAST + 10):
        desk.answering.ask(Message(questions=[Question(NAME, Type.SRV)]), OLD_RESOLVER, 0.0)
    assert len(desk.due(0.0)[0]) == MAX_UNICAST
    desk.answering.ask(Message(questions=[Question(NAME, Type.SRV)]), OLD_RESOLVER, 1.0)
    assert len(desk.due(1.0)[0]) == 1


def test_what_is_answered_for_no_more_is_not_told() -> None:
    desk = Desk()
    desk.ask(Question(KIND_NAME, Type.PTR))
    assert desk.answering.put(0, None) == [*SETS[0].unique, *SETS[0].shared]
    assert desk.due(0.02) == ([], [])
    desk.answering.tell_again(SETS[1].unique[0], 0.02)
    desk.answering.close()
    assert desk.answering.deadline is None


def test_what_has_just_been_told_is_not_waiting_any_more() -> None:
    desk = Desk()
    desk.ask(Question(KIND_NAME, Type.PTR))
    desk.answering.told([POINTER], 0.01)
    assert desk.answering.deadline is None
    desk.ask(Question(KIND_NAME, Type.PTR), now=0.02)
    assert desk.answering.deadline == 1.01


def test_what_another_of_ours_has_too_is_not_gone() -> None:
    desk = Desk()
    hall = records_of_service(replace(LOBBY, instance="hall"), instance_name("hall", KIND), HOST)
    assert desk.answering.put("hall", hall) == []
    gone = desk.answering.put(0, None)
    assert {record.rdtype for record in gone} == {Type.SRV, Type.TXT, Type.PTR}
    assert [record for record in gone if record in hall.shared] == []


def test_what_is_said_now_takes_the_place_of_what_was() -> None:
    desk = Desk()
    other = records_of_service(replace(LOBBY, port=6060), NAME, HOST)
    assert desk.answering.put(0, other) == [PLACE]
    _, (message,) = desk.ask(Question(NAME, Type.SRV))
    assert message.answers == [other.unique[0]]
