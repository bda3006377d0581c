import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sylk.errors import RemoteProtocolError
from sylk.mdns.message import (
    MAX_SIZE,
    parse_message,
    render_probe,
    render_query,
    render_response,
    render_unicast,
)
from sylk.mdns.record import Question, Record, Type, name_of, pointer, text
from tests.mdns.wire import records_of

NAME = name_of("_sipuri", "_udp")
MANY = [pointer(NAME, name_of(f"room {number:03} " + "x" * 40)) for number in range(100)]


def all_answers(messages: list[bytes]) -> list[Record]:
    return [record for one in messages for record in parse_message(one).answers]


def test_a_response_is_read_as_it_was_written() -> None:
    records = records_of()
    (data,) = render_response(records[:1], records[1:])
    message = parse_message(data)
    assert message.is_response
    assert message.answers == records[:1]
    assert message.additionals == records[1:]


def test_what_has_no_room_goes_into_another_message() -> None:
    messages = render_response(MANY)
    assert len(messages) > 1
    assert all(len(one) <= MAX_SIZE for one in messages)
    assert all_answers(messages) == MANY


def test_additional_records_are_left_out_where_there_is_no_room() -> None:
    (data,) = render_response(MANY[:1], MANY)
    assert len(data) <= MAX_SIZE
    assert 0 < len(parse_message(data).additionals) < len(MANY)
    assert render_response([], MANY) == []


def test_a_query_says_that_more_known_answers_come() -> None:
    question = Question(NAME, Type.PTR)
    messages = render_query([question], MANY)
    parsed = [parse_message(one) for one in messages]
    assert [one.is_truncated for one in parsed] == [True] * (len(parsed) - 1) + [False]
    assert [one.questions for one in parsed] == [[question]] + [[]] * (len(parsed) - 1)
    assert all_answers(messages) == MANY


def test_the_first_known_answers_go_with_the_question() -> None:
    (data,) = render_query([Question(NAME, Type.PTR)], MANY[:3])
    assert parse_message(data).answers == MANY[:3]


def test_many_questions_go_in_several_messages() -> None:
    questions = [Question(record.name, Type.TXT) for record in records_of()] * 2
    parsed = [parse_message(one) for one in render_query(questions, MANY[:1])]
    assert [question for one in parsed for question in one.questions] == questions
    assert parsed[-1].answers == MANY[:1]


def test_a_question_may_ask_for_a_unicast_answer() -> None:
    (data,) = render_query([Question(NAME, Type.PTR, True)])
    assert parse_message(data).questions == [Question(NAME, Type.PTR, True)]


def test_only_responses_say_that_there_are_no_others() -> None:
    unique = records_of()[1]
    assert unique.is_unique
    (response,) = render_response([unique])
    (probe,) = render_probe([(Question(unique.name, Type.ANY), [unique])])
    legacy = render_unicast([unique], [], 7, [Question(unique.name, Type.SRV)])
    assert parse_message(response).answers[0].is_unique
    assert not parse_message(probe).authorities[0].is_unique
    assert not parse_message(legacy).answers[0].is_unique
    assert parse_message(legacy).id == 7


def test_many_probes_go_in_several_messages() -> None:
    probes = [(Question(one.name, Type.ANY), [one]) for one in MANY]
    messages = render_probe(probes)
    assert all(len(one) <= MAX_SIZE for one in messages)
    assert [one for data in messages for one in parse_message(data).authorities] == MANY
    assert render_probe([]) == []


def test_an_old_resolver_gets_what_has_room() -> None:
    data = render_unicast(MANY[:2], MANY[2:], 1, [Question(NAME, Type.PTR)])
    assert len(data) <= MAX_SIZE
    assert parse_message(data).answers == MANY[:2]


def test_a_record_that_cannot_be_read_is_left_out() -> None:
    good, bad = records_of()[0], records_of()[3]
    (data,) = render_response([good, bad])
    broken = data[:-6] + b"\0\3" + data[-4:-1]
    assert parse_message(broken).answers == [good]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        bytes(9001),
        b"\0\0\x28" + bytes(9),  # an update
        b"\0\0\x84\3" + bytes(8),  # a failure
        b"\0\0\0\0\0\1" + bytes(6),  # a question that is not there
        bytes(4) + b"\0\1" + bytes(6) + b"\xc0\x0c\0\1\0\1",  # a name that points to itself
        b"\0\0\x84\0\0\0\0\1" + bytes(4) + b"\0\0\1\0\1\0\0\0\1\xff\xff",
    ],
)
def test_a_message_that_makes_no_sense_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(data)


def test_a_time_to_live_is_bounded() -> None:
    record = text(NAME, [("a", "b")])
    (data,) = render_response([record.with_ttl(2**31 - 1)])
    assert parse_message(data).answers[0].ttl == 86_400
    (data,) = render_response([record.with_ttl(2**32 - 1)])
    assert parse_message(data).answers[0].ttl == 0


@given(st.binary(max_size=200))
@example(render_response(records_of())[0])
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        parse_message(data)


@given(st.data())
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    whole = bytearray(render_response(records_of(), MANY[:3])[0])
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        whole[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RemoteProtocolError):
        parse_message(bytes(whole))
