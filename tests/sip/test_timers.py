from sylk.sip.timers import Timers


def test_defaults_are_those_of_table_4_and_rfc_6026() -> None:
    timers = Timers()
    assert (timers.t1, timers.t2, timers.t4) == (0.5, 4.0, 5.0)
    assert timers.timer_a == timers.timer_e == timers.timer_g == 0.5
    assert timers.timer_b == timers.timer_f == timers.timer_h == 32.0
    assert timers.timer_l == timers.timer_m == timers.timer_cancel == 32.0


def test_waits_for_retransmissions_are_zero_over_a_reliable_transport() -> None:
    timers = Timers()
    assert (timers.timer_d(False), timers.timer_d(True)) == (32.0, 0.0)
    assert (timers.timer_i(False), timers.timer_i(True)) == (5.0, 0.0)
    assert (timers.timer_j(False), timers.timer_j(True)) == (32.0, 0.0)
    assert (timers.timer_k(False), timers.timer_k(True)) == (5.0, 0.0)


def test_timer_d_is_at_least_32_seconds_whatever_t1_is() -> None:
    assert Timers(t1=0.1).timer_d(False) == 32.0
    assert Timers(t1=1.0).timer_d(False) == 64.0


def test_100_to_a_non_invite_comes_when_timer_e_has_reached_t2() -> None:
    # 0.5 + 1 + 2 seconds, then the interval is 4.
    assert Timers().timer_trying == 3.5
    assert Timers(t1=4.0, t2=4.0).timer_trying == 0.0
