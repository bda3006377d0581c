from sylk.sip.timers import Timers
from sylk.sip.transaction import ClientTransaction
from sylk.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
)
from sylk.sip.transaction_timers import TIMER_ACTIONS
from tests.sip.user_agents import TCP, UDP, make


def test_every_timer_that_the_tables_start_is_known() -> None:
    tables = (INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER)
    used = {action for table in tables for actions, _ in table.values() for action in actions}
    named = {
        action for action in Action if action.name.startswith(("START_", "DOUBLE_", "RESTART_"))
    }
    assert set(TIMER_ACTIONS) == named
    assert named <= used


def test_retransmissions_double_and_only_invite_requests_pass_t2() -> None:
    timers = Timers()
    transaction = ClientTransaction(make("INVITE"), UDP, ("key",))
    transaction.interval = 2.5
    assert TIMER_ACTIONS[Action.DOUBLE_A].interval(timers, transaction) == 5.0
    assert TIMER_ACTIONS[Action.DOUBLE_E].interval(timers, transaction) == 4.0
    assert TIMER_ACTIONS[Action.DOUBLE_G].interval(timers, transaction) == 4.0
    assert TIMER_ACTIONS[Action.RESTART_E].interval(timers, transaction) == 4.0


def test_nothing_is_sent_again_over_a_reliable_transport() -> None:
    transaction = ClientTransaction(make("INVITE"), TCP, ("key",))
    for action in (Action.START_A, Action.START_E, Action.START_G):
        assert TIMER_ACTIONS[action].interval(Timers(), transaction) is None
