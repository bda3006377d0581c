from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.mdns.message import parse_message, render_probe, render_query, render_response
from sylk.mdns.record import Question, Type, location, name_of, text
from sylk.mdns.registration import Registration, State
from sylk.mdns.responder import Renamed, Responder
from sylk.mdns.service import Host, instance_name, kind_name, records_of_host
from tests.mdns.wire import KIND, LOBBY, PHONE, Link, low, records_of, told

OURS = "192.0.2.1"
THEIRS = "192.0.2.2"


def test_probes_then_tells_with_all_that_belongs_to_it() -> None:
    link = Link()
    link.responder(OURS).publish(LOBBY, link.now)
    link.run(5)
    messages = link.messages(OURS)
    # The host and the service go together.
    assert [len(one.questions) for one in messages] == [2, 2, 2, 0, 0]
    assert {record.rdtype for record in messages[0].authorities} == {Type.SRV, Type.TXT, Type.A}
    answers = {record.rdtype for record in messages[3].answers}
    assert answers == {Type.SRV, Type.TXT, Type.A, Type.PTR, Type.NSEC}
    assert [one.is_response for one in messages] == [False] * 3 + [True] * 2


def test_a_name_that_is_taken_gets_a_number() -> None:
    link = Link()
    link.responder(OURS).publish(LOBBY, link.now)
    link.run(5)
    late = link.responder(THEIRS)
    registration = late.publish(LOBBY, link.now)
    link.run(5)
    assert registration.name == instance_name(f"{LOBBY.instance} (2)", KIND)
    assert registration.state is State.ESTABLISHED
    assert late.next_event() == Renamed(LOBBY.instance, f"{LOBBY.instance} (2)")
    assert late.next_event() is None
    # What the first has is not touched.
    assert told(link.messages(OURS))[-1].ttl


def test_of_two_who_probe_at_once_one_renames() -> None:
    link = Link()
    both = [
        link.responder(host).publish(replace(LOBBY, pairs=(("name", host),)), link.now)
        for host in (OURS, THEIRS)
    ]
    link.run(10)
    names = {registration.name for registration in both}
    assert names == {
        instance_name(LOBBY.instance, KIND),
        instance_name(f"{LOBBY.instance} (2)", KIND),
    }
    # Section 8.2: the greater data has the name.
    assert both[1].name == instance_name(LOBBY.instance, KIND)


def test_who_comes_from_another_link_with_our_name_makes_one_of_us_rename() -> None:
    left, right = Link(), Link()
    first, second = left.responder(OURS), right.responder(THEIRS)
    ours = first.publish(LOBBY, left.now)
    theirs = second.publish(replace(LOBBY, port=6060), right.now)
    for link in (left, right):
        link.run(5)
    assert ours.name == theirs.name
    # The links are joined, and somebody asks.
    left.engines[THEIRS] = second
    for data in render_query([Question(ours.name, Type.SRV)]):
        for responder in (first, second):
            responder.receive_data(data, PHONE, left.now)
    left.run(10)
    assert ours.name != theirs.name
    assert {ours.state, theirs.state} == {State.ESTABLISHED}


def test_the_same_data_is_no_conflict() -> None:
    link = Link()
    responder = link.responder(OURS)
    registration = responder.publish(LOBBY, link.now)
    link.run(5)
    (data,) = [packet.data for _, _, packet in link.said if parse_message(packet.data).is_response][
        -1:
    ]
    responder.receive_data(data + b"\0", PHONE, link.now)
    assert registration.state is State.ESTABLISHED


def test_what_the_link_brings_back_is_our_own() -> None:
    link = Link()
    responder = link.responder(OURS)
    registration = responder.publish(LOBBY, link.now)
    link.run(5)
    responder.update(registration, replace(LOBBY, pairs=(("name", "Hall"),)), link.now)
    earlier = [packet.data for _, _, packet in link.said]
    for data in earlier:
        responder.receive_data(data, (OURS, 5353), link.now)
    assert registration.is_ours


def test_a_change_is_told_within_six_seconds_and_without_a_probe() -> None:
    link = Link()
    responder = link.responder(OURS)
    registration = responder.publish(LOBBY, link.now)
    link.run(20)
    link.said.clear()
    for count in range(10):
        pairs = (("name", "Lobby"), ("note", f"{count} participants"))
        responder.update(registration, replace(LOBBY, pairs=pairs), link.now)
        link.run(0.1)
    link.run(20)
    texts = [one for one in told(link.messages()) if one.rdtype == Type.TXT]
    assert len({one.data for one in texts}) == 2
    assert b"9 participants" in texts[-1].data.to_digestable()
    assert not any(one.questions for one in link.messages())


def test_a_goodbye_is_said_once_and_not_for_what_others_of_ours_have() -> None:
    link = Link()
    responder = link.responder(OURS)
    lobby = responder.publish(LOBBY, link.now)
    responder.publish(replace(LOBBY, instance="hall"), link.now)
    link.run(5)
    link.said.clear()
    responder.withdraw(lobby, link.now)
    responder.withdraw(lobby, link.now)
    link.run(5)
    goodbyes = told(link.messages())
    assert all(one.ttl == 0 for one in goodbyes)
    assert {one.rdtype for one in goodbyes} == {Type.SRV, Type.TXT, Type.PTR}
    assert [one.name for one in goodbyes if one.rdtype == Type.PTR] == [kind_name(KIND)]


def test_who_has_not_told_it_says_no_goodbye() -> None:
    link = Link()
    responder = link.responder(OURS)
    responder.withdraw(responder.publish(LOBBY, link.now), link.now)
    link.run(5)
    assert LOBBY.instance not in str([one.name for one in told(link.messages())])


def test_the_end_is_told_of_everything() -> None:
    link = Link()
    responder = link.responder(OURS)
    responder.publish(LOBBY, link.now)
    link.run(5)
    link.said.clear()
    responder.close(link.now)
    link.run(5)
    goodbyes = told(link.messages())
    assert {one.rdtype for one in goodbyes} == {Type.SRV, Type.TXT, Type.PTR, Type.A}
    assert all(one.ttl == 0 for one in goodbyes)
    assert responder.next_deadline() is None


def test_a_service_of_ours_with_a_name_of_ours_gets_a_number() -> None:
    link = Link()
    responder = link.responder(OURS)
    both = [responder.publish(LOBBY, link.now) for _ in range(2)]
    assert both[0].name != both[1].name


def test_another_address_is_told() -> None:
    link = Link()
    responder = link.responder(OURS)
    link.run(20)
    link.said.clear()
    responder.set_addresses(["192.0.2.77"], link.now)
    responder.set_addresses(["192.0.2.77"], link.now)
    link.run(10)
    assert "192.0.2.77" in str(told(link.messages())[0].data)


def test_a_host_whose_name_is_taken_takes_its_services_along() -> None:
    link = Link()
    responder = Responder(Host("host", (OURS,)), low, link.now)
    link.engines[OURS] = responder
    responder.publish(LOBBY, link.now)
    link.run(0.3)
    taken = records_of_host([THEIRS], name_of("host")).unique
    responder.receive_data(render_response(taken)[0], PHONE, link.now)
    link.run(20)
    places = [one for one in told(link.messages()) if one.rdtype == Type.SRV]
    assert "host-2.local" in str(places[-1].data)


def test_who_says_goodbye_for_us_is_put_right() -> None:
    link = Link()
    responder = link.responder(OURS)
    registration = responder.publish(LOBBY, link.now)
    link.run(10)
    link.said.clear()
    gone = text(registration.name, LOBBY.pairs).with_ttl(0)
    responder.receive_data(render_response([gone])[0], PHONE, link.now)
    link.run(1)
    assert told(link.messages())[0].ttl > 0


def test_what_does_not_make_sense_is_ignored() -> None:
    link = Link()
    responder = link.responder(OURS)
    registration = responder.publish(LOBBY, link.now)
    link.run(5)
    other = render_response([location(registration.name, name_of("x"), 1)])[0]
    # No response comes from another port.
    responder.receive_data(other, (PHONE[0], 40000), link.now)
    responder.receive_data(b"\0" * 5, PHONE, link.now)
    assert registration.is_ours


def test_smaller_data_in_another_probe_lets_us_go_on() -> None:
    link = Link()
    responder = link.responder(OURS)
    registration = responder.publish(LOBBY, link.now)
    link.run(0.1)
    small = text(registration.name, [])
    question = Question(registration.name, Type.ANY)
    responder.receive_data(render_probe([(question, [small])])[0], PHONE, link.now)
    assert registration.state is State.WAITING or registration.is_probed
    deadline = registration.deadline
    assert deadline is not None
    assert deadline < link.now + 1


Step = tuple[str, int, float]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["publish", "update", "withdraw", "claim", "ask", "noise"]),
            st.integers(0, 5),
            st.floats(0, 4),
        ),
        max_size=25,
    )
)
def test_in_any_order_names_are_told_apart_and_it_comes_to_rest(steps: list[Step]) -> None:
    link = Link()
    responder = link.responder(OURS)
    published: dict[int, Registration] = {}
    for what, number, pause in steps:
        service = replace(LOBBY, instance=f"room{number % 3}")
        if what == "publish":
            published.setdefault(number, responder.publish(service, link.now))
        elif what == "update" and number in published:
            responder.update(published[number], replace(service, port=pause > 2), link.now)
        elif what == "withdraw" and number in published:
            responder.withdraw(published.pop(number), link.now)
        elif what == "claim":
            data = render_response(records_of(f"room{number % 3}"))[0]
            responder.receive_data(data, PHONE, link.now)
        elif what == "ask":
            data = render_query([Question(kind_name(KIND), Type.PTR)])[0]
            responder.receive_data(data, PHONE, link.now)
        else:
            responder.receive_data(bytes([number] * 40), PHONE, link.now)
        link.run(pause)
    link.run(60)
    assert responder.next_deadline() is None
    assert len({one.name for one in published.values()}) == len(published)
    assert all(one.state is State.ESTABLISHED for one in published.values())
