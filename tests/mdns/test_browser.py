from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sylk.mdns.browser import Appeared, Browser, Vanished
from sylk.mdns.message import render_query, render_response
from sylk.mdns.record import Question, Type
from tests.mdns.wire import KIND, LOBBY, PHONE, Link, low, records_of


def names(browser: Browser) -> list[str]:
    return [one.get("name") for one in browser.neighbours]


def events(browser: Browser) -> list[Appeared | Vanished]:
    found: list[Appeared | Vanished] = []
    while (event := browser.next_event()) is not None:
        found.append(event)
    return found


def test_sees_who_is_there_already() -> None:
    link = Link()
    link.responder("192.0.2.1").publish(LOBBY, link.now)
    link.run(60)
    browser = link.browser("192.0.2.2")
    link.run(1)
    assert names(browser) == ["Lobby"]
    (event,) = events(browser)
    assert isinstance(event, Appeared)
    assert event.neighbour.instance == LOBBY.instance
    assert event.neighbour.port == 5060
    assert event.neighbour.kind == KIND


def test_sees_who_comes_changes_and_goes() -> None:
    link = Link()
    browser, responder = link.browser("192.0.2.2"), link.responder("192.0.2.1")
    registration = responder.publish(LOBBY, link.now)
    link.run(3)
    assert len(events(browser)) == 1
    other = replace(LOBBY, pairs=(("name", "Lobby"), ("note", "one participant")))
    responder.update(registration, other, link.now)
    link.run(10)
    (event,) = events(browser)
    assert isinstance(event, Appeared)
    assert event.neighbour.get("note") == "one participant"
    responder.withdraw(registration, link.now)
    link.run(2)
    (event,) = events(browser)
    assert isinstance(event, Vanished)
    assert browser.neighbours == []


def test_asks_more_and_more_seldom_and_tells_what_it_knows() -> None:
    link = Link()
    link.browser("192.0.2.2")
    link.responder("192.0.2.1").publish(LOBBY, link.now)
    start = link.now
    link.run(4000)
    times = [when - start for when, host, _ in link.said if host == "192.0.2.2"]
    assert [round(one, 2) for one in times[:4]] == [0.02, 1.02, 4.02, 13.02]
    # What is known comes with the question, and so is not answered again and again.
    answers = [one for one in link.messages("192.0.2.1") if one.is_response]
    assert len(answers) < 200


def test_asks_for_what_does_not_come_by_itself() -> None:
    browser = Browser([KIND], low, 0.0)
    pointer, *rest = records_of()
    browser.receive_data(render_response([pointer])[0], PHONE, 0.0)
    assert browser.neighbours == []
    browser.handle_deadline(0.02)
    asked = browser.data_to_send()
    assert len(asked) == 1
    browser.receive_data(render_response(rest)[0], PHONE, 0.1)
    assert names(browser) == ["Other"]


def test_gives_up_on_who_says_nothing_of_himself() -> None:
    browser = Browser([KIND], low, 0.0)
    browser.receive_data(render_response(records_of()[:1])[0], PHONE, 0.0)
    asked = 0
    for _ in range(200):
        deadline = browser.next_deadline()
        assert deadline is not None
        if deadline > 1000:
            break
        browser.handle_deadline(deadline)
        asked += len(browser.data_to_send())
    assert asked < 15


def test_forgets_who_is_silent() -> None:
    browser = Browser([KIND], low, 0.0)
    browser.receive_data(render_response(records_of())[0], PHONE, 0.0)
    assert len(browser.neighbours) == 1
    while browser.neighbours:
        deadline = browser.next_deadline()
        assert deadline is not None
        assert deadline <= 120
        browser.handle_deadline(deadline)
    assert len(events(browser)) == 2


def test_what_is_no_answer_of_a_neighbour_is_ignored() -> None:
    browser = Browser([KIND], low, 0.0)
    data = render_response(records_of())[0]
    browser.receive_data(data, (PHONE[0], 40000), 0.0)
    browser.receive_data(b"nonsense", PHONE, 0.0)
    browser.receive_data(
        render_query([Question(records_of()[0].name, Type.PTR)], records_of())[0], PHONE, 0.0
    )
    browser.receive_data(render_response(records_of()[3:])[0], PHONE, 0.0)
    assert browser.neighbours == []
    assert all(record.rdtype != Type.PTR for record in records_of()[3:])


@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 300)), max_size=8))
def test_nothing_raises(pieces: list[tuple[bytes, int]]) -> None:
    browser = Browser([KIND], low, 0.0)
    whole = render_response(records_of())[0]
    for piece, place in pieces:
        browser.receive_data(whole[:place] + piece + whole[place + len(piece) :], PHONE, 0.0)
        browser.handle_deadline(1.0)
        browser.data_to_send()
