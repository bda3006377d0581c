"""Tests of sylk.call.session_timer: both roles of RFC 4028, without a network."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sylk.call.session_timer import (
    MOST_REFUSALS,
    SHORTEST,
    Due,
    SessionExpires,
    SessionTimer,
    SessionTimerSettings,
    first_headers,
    read_min_se,
    read_session_expires,
)
from sylk.errors import RemoteProtocolError
from sylk.sip.message import MAX_EXPIRES, Request, Response
from tests.sip.user_agents import make

NOW = 1000.0
TIMER = ("Supported", "timer")
REQUIRED = ("Require", "timer")


def request(*headers: tuple[str, str]) -> Request:
    return make("UPDATE", *headers)


def response(*headers: tuple[str, str], status: int = 200) -> Response:
    return Response.to_request(request(), status, headers=headers)


def expires(text: str) -> tuple[str, str]:
    return "Session-Expires", text


def timer(interval: int = 1800, minimum: int = SHORTEST) -> SessionTimer:
    return SessionTimer(SessionTimerSettings(interval, minimum))


def refresher(interval: int = 200) -> SessionTimer:
    """Return a timer that we have to refresh, with a peer that knows timers too."""
    ours = timer()
    ours.receive_success(response(TIMER, expires(f"{interval};refresher=uac")), NOW)
    return ours


def watcher(interval: int = 200) -> SessionTimer:
    ours = timer()
    ours.receive_success(response(TIMER, expires(f"{interval};refresher=uas")), NOW)
    return ours


# Reading


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("1800", SessionExpires(1800, None)),
        ("1800;refresher=uac", SessionExpires(1800, "uac")),
        (" 90 ; Refresher=UAS ; foo=bar", SessionExpires(90, "uas")),
        ("007", SessionExpires(7, None)),
        ("9" * 400, SessionExpires(MAX_EXPIRES, None)),
        ("4294967296", SessionExpires(MAX_EXPIRES, None)),
    ],
)
def test_session_expires_is_read(text: str, meaning: SessionExpires) -> None:
    assert read_session_expires(request(expires(text))) == meaning


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "+1", "1.5", "1800;refresher", "1800;refresher=me", "1 8", "٣", "1;;"]
)
def test_a_malformed_one_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        timer().check(request(expires(text)))
    assert caught.value.status == 400


@pytest.mark.parametrize("text", ["", "x", "90;=", "-90", "9 0"])
def test_a_malformed_min_se_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        timer().check(request(("Min-SE", text)))
    assert caught.value.status == 400


def test_without_the_fields_there_is_nothing_to_read() -> None:
    assert read_session_expires(request()) is None
    assert read_min_se(request()) == 0
    assert read_min_se(request(("Min-SE", "120;x=y"))) == 120


# As server


def test_too_short_an_interval_is_refused_with_ours() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        timer(minimum=300).check(request(TIMER, expires("299")))
    assert caught.value.status == 422
    assert caught.value.headers == (("Min-SE", "300"),)
    timer(minimum=300).check(request(TIMER, expires("300")))


def test_a_client_that_knows_no_timers_is_not_refused() -> None:
    """A proxy has asked: the client would not know what to do with a 422 (section 9)."""
    ours = timer(minimum=300)
    asked = request(expires("120"))
    ours.check(asked)
    assert ours.answer(asked, NOW) == [expires("120;refresher=uas")]
    assert ours.we_refresh


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        # Table 2 of section 9.
        ([expires("1200")], [expires("1200;refresher=uas")]),
        ([expires("1200;refresher=uac")], [expires("1200;refresher=uas")]),
        ([TIMER, expires("1200;refresher=uac")], [expires("1200;refresher=uac"), REQUIRED]),
        ([TIMER, expires("1200;refresher=uas")], [expires("1200;refresher=uas"), REQUIRED]),
        # Where it is up to us, the client refreshes.
        ([TIMER, expires("1200")], [expires("1200;refresher=uac"), REQUIRED]),
        # Whoever requires timers knows them.
        ([REQUIRED, expires("1200")], [expires("1200;refresher=uac"), REQUIRED]),
        # Nobody has asked: we do, if the client can.
        ([TIMER], [expires("1800;refresher=uac"), REQUIRED]),
        ([TIMER, ("Min-SE", "2400")], [expires("2400;refresher=uac"), REQUIRED]),
        ([], []),
        # Less than the client wants, but no less than the proxies and the RFC allow.
        ([TIMER, expires("4000")], [expires("1800;refresher=uac"), REQUIRED]),
        (
            [TIMER, expires("4000"), ("Min-SE", "3000")],
            [expires("3000;refresher=uac"), REQUIRED],
        ),
        ([expires("5")], [expires("90;refresher=uas")]),
    ],
)
def test_the_answer(headers: list[tuple[str, str]], answer: list[tuple[str, str]]) -> None:
    ours = timer()
    asked = request(*headers)
    ours.check(asked)
    assert ours.answer(asked, NOW) == answer
    assert ours.we_refresh == any("uas" in value for _, value in answer)
    assert (ours.next_deadline() is None) == (not answer)


def test_switched_off_we_ask_for_none_but_give_what_is_asked_for() -> None:
    ours = timer(0)
    assert ours.answer(request(TIMER), NOW) == []
    assert ours.next_deadline() is None
    assert ours.answer(request(TIMER, expires("86400")), NOW) == [
        expires("86400;refresher=uac"),
        REQUIRED,
    ]
    assert first_headers(SessionTimerSettings(0)) == []


def test_the_roles_stay_when_the_request_leaves_them_open() -> None:
    ours = watcher()
    assert ours.answer(request(TIMER), NOW + 1) == [expires("200;refresher=uac"), REQUIRED]
    ours = refresher()
    assert ours.answer(request(TIMER), NOW + 1) == [expires("200;refresher=uas"), REQUIRED]


def test_a_client_that_refreshes_without_saying_what_it_supports_goes_on_doing_so() -> None:
    ours = timer()
    ours.answer(request(TIMER, expires("600;refresher=uac")), NOW)
    again = request(expires("600;refresher=uac"))
    assert ours.answer(again, NOW + 300) == [expires("600;refresher=uac"), REQUIRED]
    assert not ours.we_refresh


def test_a_proxys_timer_goes_on_over_a_request_that_does_not_mention_it() -> None:
    ours = timer()
    ours.answer(request(expires("600")), NOW)
    assert ours.answer(request(), NOW + 10) == [expires("600;refresher=uas")]
    assert ours.next_deadline() == NOW + 310


# As client


def test_what_the_first_invite_says() -> None:
    assert first_headers(SessionTimerSettings()) == [expires("1800")]
    assert first_headers(SessionTimerSettings(), 3600) == [expires("3600"), ("Min-SE", "3600")]
    assert first_headers(SessionTimerSettings(600, 120)) == [expires("600"), ("Min-SE", "120")]


@pytest.mark.parametrize(
    ("headers", "interval", "we_refresh"),
    [
        ([], 0, False),
        ([TIMER], 0, False),
        ([expires("600;refresher=uac")], 600, True),
        ([expires("600;refresher=uas")], 600, False),
        # It has to say who; if not, to refresh does no harm.
        ([expires("600")], 600, True),
        # Nobody makes us refresh faster than the RFC allows.
        ([expires("1;refresher=uac")], SHORTEST, True),
        ([expires("nonsense")], 0, False),
        ([("Supported", '"'), expires("600")], 600, True),
    ],
)
def test_the_answer_to_us(headers: list[tuple[str, str]], interval: int, we_refresh: bool) -> None:
    ours = timer()
    ours.receive_success(response(*headers), NOW)
    assert (ours.interval, ours.we_refresh) == (interval, we_refresh)


def test_a_later_request_says_what_holds() -> None:
    assert timer().headers() == []
    assert refresher().headers() == [expires("200;refresher=uac")]
    assert watcher().headers() == [expires("200;refresher=uas")]
    ours = timer()
    ours.answer(request(TIMER, expires("600;refresher=uas"), ("Min-SE", "120")), NOW)
    assert ours.headers() == [expires("600;refresher=uac"), ("Min-SE", "120")]


def test_a_peer_that_knows_timers_can_switch_ours_off() -> None:
    ours = refresher()
    ours.receive_success(response(), NOW + 10)
    assert ours.next_deadline() is None
    assert ours.headers() == []


def test_a_peer_that_knows_none_is_refreshed_on_and_on() -> None:
    ours = timer()
    ours.answer(request(expires("600")), NOW)
    ours.receive_success(response(), NOW + 300)
    assert ours.next_deadline() == NOW + 600
    assert ours.we_refresh


def test_a_422_raises_the_interval_a_few_times() -> None:
    ours = refresher()
    for number in range(MOST_REFUSALS):
        least = 300 + number
        assert ours.receive_refusal(response(("Min-SE", str(least)), status=422))
        assert ours.headers() == [expires(f"{least};refresher=uac"), ("Min-SE", str(least))]
    assert not ours.receive_refusal(response(("Min-SE", "9000"), status=422))
    ours.receive_success(response(TIMER, expires("302;refresher=uac")), NOW)
    assert ours.receive_refusal(response(("Min-SE", "9000"), status=422))


@pytest.mark.parametrize("headers", [[], [("Min-SE", "x")], [("Min-SE", "200")]])
def test_a_422_that_asks_for_nothing_new_is_a_refusal(headers: list[tuple[str, str]]) -> None:
    assert not refresher().receive_refusal(response(*headers, status=422))


def test_a_422_without_a_timer_is_a_refusal() -> None:
    assert not timer().receive_refusal(response(("Min-SE", "200"), status=422))


# The clock


def test_the_refresher_refreshes_at_half_the_interval_and_gives_up_at_its_end() -> None:
    ours = refresher(200)
    assert ours.next_deadline() == NOW + 100
    assert ours.take_due(NOW + 99.9) is None
    assert ours.take_due(NOW + 100) is Due.REFRESH
    assert ours.refresh_is_due
    assert ours.take_due(NOW + 100) is None
    assert ours.next_deadline() == NOW + 200
    assert ours.take_due(NOW + 199) is None
    assert ours.take_due(NOW + 200) is Due.EXPIRED
    assert ours.next_deadline() is None
    assert ours.take_due(NOW + 900) is None


@pytest.mark.parametrize(("interval", "margin"), [(90, 30), (96, 32), (1800, 32)])
def test_the_other_side_gives_up_a_little_earlier(interval: int, margin: int) -> None:
    ours = watcher(interval)
    assert ours.next_deadline() == NOW + interval - margin
    assert ours.take_due(NOW + interval - margin) is Due.EXPIRED


def test_a_success_starts_anew() -> None:
    ours = refresher(200)
    ours.take_due(NOW + 100)
    ours.receive_success(response(expires("200;refresher=uac")), NOW + 101)
    assert not ours.refresh_is_due
    assert ours.next_deadline() == NOW + 201


def test_a_refresh_that_failed_is_tried_halfway_to_the_end_while_there_is_time() -> None:
    ours = refresher(1000)
    tried: list[float] = []
    while (at := ours.next_deadline()) is not None:
        if ours.take_due(at) is Due.REFRESH:
            tried.append(at - NOW)
            ours.refresh_failed(at)
    assert tried == [500.0, 750.0, 875.0, 937.5]


@pytest.mark.parametrize(("interval", "again"), [(128, NOW + 96), (126, NOW + 126)])
def test_less_time_than_a_transaction_takes_is_too_little(interval: int, again: float) -> None:
    ours = refresher(interval)
    assert ours.take_due(NOW + interval / 2) is Due.REFRESH
    ours.refresh_failed(NOW + interval / 2)
    assert ours.next_deadline() == again


def test_nothing_is_tried_again_that_was_not_due() -> None:
    ours = refresher(1000)
    ours.refresh_failed(NOW + 10)
    assert ours.next_deadline() == NOW + 500
    idle = timer()
    idle.refresh_failed(NOW)
    assert idle.next_deadline() is None


NUMBERS = st.one_of(st.integers(0, 5000), st.sampled_from([2**31, 2**64]))


@st.composite
def fields(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Return what a message may say of its session's time."""
    found: list[tuple[str, str]] = []
    if draw(st.booleans()):
        found.append(draw(st.sampled_from([TIMER, REQUIRED])))
    if draw(st.booleans()):
        found.append(("Min-SE", str(draw(NUMBERS))))
    if draw(st.booleans()):
        who = draw(st.sampled_from(["", ";refresher=uac", ";refresher=uas"]))
        found.append(expires(f"{draw(NUMBERS)}{who}"))
    return found


@settings(deadline=None)
@given(
    wishes=st.builds(SessionTimerSettings, st.sampled_from([0, 90, 1800]), st.integers(90, 600)),
    exchanges=st.lists(st.tuples(st.booleans(), fields(), st.floats(0, 4000)), max_size=8),
)
def test_whatever_is_said_the_clock_stays_within_bounds(
    wishes: SessionTimerSettings, exchanges: list[tuple[bool, list[tuple[str, str]], float]]
) -> None:
    ours = SessionTimer(wishes)
    now = NOW
    for is_server, headers, wait in exchanges:
        if is_server:
            asked = request(*headers)
            try:
                ours.check(asked)
            except RemoteProtocolError:
                continue
            said = dict(ours.answer(asked, now))
            # We never ask a client for more than it offered, but for the least the RFC allows.
            offered = read_session_expires(asked)
            if offered is not None:
                told = int(said["Session-Expires"].partition(";")[0])
                assert told <= max(offered.interval, SHORTEST)
                assert told >= SHORTEST
        else:
            ours.receive_success(response(*headers), now)
        deadline = ours.next_deadline()
        assert (deadline is None) == (not ours.interval)
        if deadline is not None:
            assert now + SHORTEST / 2 <= deadline <= now + ours.interval
            assert SHORTEST <= ours.interval <= MAX_EXPIRES
        now += wait
        ours.take_due(now)
