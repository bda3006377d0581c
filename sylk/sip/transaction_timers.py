"""Which timer each action of the tables starts, how long it runs, and what it is when it fires.

A transaction has at most two timers at a time: one that makes it send something again, and one that
ends its state. Nothing is sent again over a reliable transport.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sylk.sip.timers import Timers
from sylk.sip.transaction import Transaction
from sylk.sip.transaction_tables import Action, Input

# Returns the interval in seconds; None when this transaction needs no such timer.
Interval = Callable[[Timers, Transaction], float | None]


@dataclass(slots=True)
class StartTimer:
    """What an action like START_A means; `sends` is true for the timer that sends again."""

    fires: Input
    sends: bool
    interval: Interval


def _sends_first(fires: Input, first: Callable[[Timers], float]) -> StartTimer:
    def interval(timers: Timers, transaction: Transaction) -> float | None:
        return None if transaction.flow.reliable else first(timers)

    return StartTimer(fires, True, interval)


def _sends_again(fires: Input, interval: Interval) -> StartTimer:
    return StartTimer(fires, True, interval)


def _ends(fires: Input, interval: Callable[[Timers], float]) -> StartTimer:
    return StartTimer(fires, False, lambda timers, _: interval(timers))


def _absorbs(fires: Input, interval: Callable[[Timers, bool], float]) -> StartTimer:
    return StartTimer(
        fires, False, lambda timers, transaction: interval(timers, transaction.flow.reliable)
    )


def _doubled(timers: Timers, transaction: Transaction) -> float:
    return 2 * transaction.interval


def _doubled_to_t2(timers: Timers, transaction: Transaction) -> float:
    return min(2 * transaction.interval, timers.t2)


TIMER_ACTIONS: Mapping[Action, StartTimer] = {
    Action.START_A: _sends_first(Input.TIMER_A, lambda timers: timers.timer_a),
    Action.DOUBLE_A: _sends_again(Input.TIMER_A, _doubled),
    Action.START_B: _ends(Input.TIMER_B, lambda timers: timers.timer_b),
    Action.START_D: _absorbs(Input.TIMER_D, Timers.timer_d),
    Action.START_E: _sends_first(Input.TIMER_E, lambda timers: timers.timer_e),
    Action.DOUBLE_E: _sends_again(Input.TIMER_E, _doubled_to_t2),
    Action.RESTART_E: _sends_again(Input.TIMER_E, lambda timers, _: timers.t2),
    Action.START_F: _ends(Input.TIMER_F, lambda timers: timers.timer_f),
    Action.START_G: _sends_first(Input.TIMER_G, lambda timers: timers.timer_g),
    Action.DOUBLE_G: _sends_again(Input.TIMER_G, _doubled_to_t2),
    Action.START_H: _ends(Input.TIMER_H, lambda timers: timers.timer_h),
    Action.START_I: _absorbs(Input.TIMER_I, Timers.timer_i),
    Action.START_J: _absorbs(Input.TIMER_J, Timers.timer_j),
    Action.START_K: _absorbs(Input.TIMER_K, Timers.timer_k),
    Action.START_L: _ends(Input.TIMER_L, lambda timers: timers.timer_l),
    Action.START_M: _ends(Input.TIMER_M, lambda timers: timers.timer_m),
    Action.START_CANCEL: _ends(Input.TIMER_CANCEL, lambda timers: timers.timer_cancel),
    Action.START_TRYING: _sends_again(Input.TIMER_TRYING, lambda timers, _: timers.timer_trying),
    Action.START_UNANSWERED: _ends(Input.TIMER_UNANSWERED, lambda timers: timers.timer_unanswered),
}
