"""Which user of a dialog a message or a transaction is for."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.call.usage import InviteUsage
from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser
from sylk.session.dialog_users import DialogUsers
from sylk.sip.flow import Flow
from sylk.sip.transaction import ServerTransaction
from tests.call.phones import CAPABILITIES, Line, Phone
from tests.session.desk import ClockedLine
from tests.sip.watchers import TEXT


class Nowhere:
    """What stands for the endpoint: nobody here asks a call to send anything."""

    def settle(self, user: DialogUser, /) -> None:
        raise AssertionError("nothing is to be sent")

    def forget(self, user: DialogUser, /) -> None:
        raise AssertionError("nothing is over")


def call_of(phone: Phone, usage: InviteUsage | None = None, flow: Flow | None = None) -> Call:
    return Call(Nowhere(), usage or phone.call, flow or phone.flow)


def invite_of(call: Call) -> ServerTransaction:
    assert call.usage.server_transaction is not None
    return call.usage.server_transaction


def incoming(line: Line) -> Call:
    """Return bob's call, that alice has just made."""
    line.call()
    return call_of(line.bob)


def test_an_incoming_call_is_found_by_its_invite_until_that_is_answered() -> None:
    line, users = Line(), DialogUsers()
    call = incoming(line)
    invite = invite_of(call)
    assert users.of_invite(invite) is None
    users.add(call)
    assert users.of_invite(invite) is call
    assert not users.follow(call)
    assert users.of_invite(invite) is call
    line.bob.call.accept(CAPABILITIES, line.now)
    # That it was answered is told once, so that one alarm is taken back once.
    assert [users.follow(call) for _ in range(3)] == [True, False, False]
    assert users.of_invite(invite) is None


def test_a_refusal_answers_the_invite_too() -> None:
    line, users = Line(), DialogUsers()
    call = incoming(line)
    users.add(call)
    line.bob.call.reject(486, line.now)
    assert users.follow(call)
    assert users.of_invite(invite_of(call)) is None


def test_a_call_is_found_by_its_dialog_while_that_stands() -> None:
    line, users = Line(), DialogUsers()
    call = incoming(line)
    users.add(call)
    line.bob.call.accept(CAPABILITIES, line.now)
    assert users.of_dialog(line.bob.dialog) is None
    users.follow(call)
    assert users.of_dialog(line.bob.dialog) is call
    line.settle()
    assert users.of_dialog(line.alice.dialog) is None, "the other side of it has another key"
    assert users.remove(call)
    assert users.of_dialog(line.bob.dialog) is None


def test_a_dialog_that_is_over_is_not_listed_again() -> None:
    line, users = Line(), DialogUsers()
    call = incoming(line)
    line.bob.call.accept(CAPABILITIES, line.now)
    line.settle()
    line.alice.call.hang_up(line.now)
    line.settle()
    assert line.bob.endings
    users.add(call)
    users.follow(call)
    assert users.of_dialog(line.bob.dialog) is None


def test_a_call_of_ours_is_found_by_the_requests_that_it_has_sent() -> None:
    line, users = Line(), DialogUsers()
    line.call()
    call = call_of(line.alice)
    users.add(call)
    transaction = call.usage.client_transaction
    assert transaction is not None
    assert users.of_request(transaction) is None
    users.sent(transaction, call)
    assert users.of_request(transaction) is call
    assert not users.follow(call), "no INVITE has come"
    users.answered(transaction)
    users.answered(transaction)
    assert users.of_request(transaction) is None
    users.sent(transaction, call)
    assert users.remove(call)
    assert users.of_request(transaction) is None


def test_a_flow_carries_calls_until_the_last_has_gone() -> None:
    one, other = Line(), Line()
    users = DialogUsers()
    first, second = incoming(one), incoming(other)
    flow = first.flow
    assert second.flow == flow
    assert not users.carried_by(flow)
    users.add(first)
    users.add(second)
    assert not users.carried_by(Flow("tls", flow.local, flow.remote, 1))
    assert users.remove(first)
    assert users.carried_by(flow)
    assert users.remove(second)
    assert not users.carried_by(flow)


def test_what_is_not_listed_cannot_go() -> None:
    line, users = Line(), DialogUsers()
    call = incoming(line)
    assert not users.remove(call)
    users.add(call)
    assert [users.remove(call) for _ in range(2)] == [True, False]
    assert not users.carried_by(call.flow)
    assert users.of_invite(invite_of(call)) is None


def test_the_calls_can_be_gone_through_while_they_go() -> None:
    users = DialogUsers()
    calls = {incoming(Line()) for _ in range(3)}
    for call in calls:
        users.add(call)
    assert len(users) == users.call_count == 3
    assert all(call in users for call in calls)
    seen: set[DialogUser] = set()
    for user in users:
        seen.add(user)
        users.remove(user)
    assert seen == calls
    assert len(users) == users.call_count == 0
    assert not any(call in users for call in calls)


@pytest.mark.parametrize(
    "waiting",
    [
        1,
        2,
    ],
)
async def test_all_who_wait_are_woken_when_the_last_one_goes(
    waiting: int, jumping_clock: MockClock
) -> None:
    users = DialogUsers()
    first, second = incoming(Line()), incoming(Line())
    users.add(first)
    users.add(second)
    ended: list[int] = []

    async def wait(number: int) -> None:
        await users.wait_empty()
        ended.append(number)

    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            for number in range(waiting):
                nursery.start_soon(wait, number)
            await trio.testing.wait_all_tasks_blocked()
            users.remove(first)
            await trio.testing.wait_all_tasks_blocked()
            assert ended == []
            users.remove(second)
    assert sorted(ended) == list(range(waiting))


@pytest.mark.parametrize("calls", [0, 1])
async def test_where_there_is_nobody_nothing_is_waited_for(calls: int) -> None:
    users = DialogUsers()
    for _ in range(calls):
        call = incoming(Line())
        users.add(call)
        users.remove(call)
    with trio.fail_after(1):
        await users.wait_empty()


def test_calls_are_counted_apart_from_other_users() -> None:
    table = DialogUsers()
    call = incoming(Line())
    table.add(call)
    assert (len(table), table.call_count) == (1, 1)
    table.remove(call)
    assert (len(table), table.call_count) == (0, 0)


async def test_a_subscription_is_kept_as_a_call_is() -> None:
    users = DialogUsers()
    line = ClockedLine(MockClock())
    line.subscribe(600)
    subscription = line.desk.subscription()
    users.add(subscription)
    assert users.carried_by(subscription.flow)
    assert (len(users), users.call_count) == (1, 0)
    subscription.accept(b"state", TEXT)
    assert not users.follow(subscription), "it had no INVITE to answer"
    dialog = subscription.dialog
    assert dialog is not None
    assert users.of_dialog(dialog) is subscription
    assert users.remove(subscription)
    users.follow(subscription)
    assert users.of_dialog(dialog) is None, "who is gone is not listed again"
    await users.wait_empty()
