"""Which user of a dialog a message or a transaction is for."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from sylk.call.usage import InviteUsage
from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser
from sylk.session.dialog_users import MAX_LATE, DialogUsers
from sylk.sip.address import NameAddr
from sylk.sip.flow import Flow
from sylk.sip.message import Request, make_request
from sylk.sip.transaction import ClientTransaction, ServerTransaction
from sylk.sip.uri import SipURI
from tests.call.phones import CAPABILITIES, Line, Phone
from tests.session.desk import ClockedLine
from tests.sip.watchers import TEXT


class Nowhere:
    """What stands for the endpoint: nobody here asks a call to send anything."""

    def settle(self, user: DialogUser, /) -> None:
        raise AssertionError("nothing is to be sent")

    def backlog(self, flow: Flow, /) -> int:
        raise AssertionError("nothing is sent")

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
    assert users.of_key(line.bob.dialog.key) is call
    assert users.of_key(("another", *line.bob.dialog.key[1:])) is None
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


def test_a_call_of_ours_is_found_by_each_early_dialog() -> None:
    line, users = Line(), DialogUsers()
    line.call()
    call = call_of(line.alice)
    users.add(call)
    line.bob.call.ring(line.now)
    line.settle()
    (early,) = call.early_dialogs
    assert users.of_dialog(early) is None
    users.follow(call)
    assert users.of_dialog(early) is call
    assert users.remove(call)
    assert users.of_dialog(early) is None
    assert users.is_empty


def test_a_late_answer_of_another_phone_finds_the_call_that_is_over() -> None:
    users = DialogUsers()
    invites: list[ClientTransaction] = []
    calls: list[Call] = []
    for _ in range(MAX_LATE + 1):
        line = Line()
        line.establish()
        call = call_of(line.alice)
        users.add(call)
        invite = call.usage.client_transaction
        assert invite is not None
        users.sent(invite, call)
        line.alice.call.hang_up(line.now)
        line.settle()
        assert users.remove(call)
        invites.append(invite)
        calls.append(call)
    assert users.is_empty
    assert users.of_request(invites[0]) is None
    assert [users.of_request(one) for one in invites[1:]] == calls[1:]


def test_nothing_is_expected_of_an_invite_that_is_over() -> None:
    line, users = Line(), DialogUsers()
    line.establish()
    call = call_of(line.alice)
    users.add(call)
    invite = call.usage.client_transaction
    assert invite is not None
    users.sent(invite, call)
    line.advance(40.0)
    assert users.remove(call)
    assert users.of_request(invite) is None


def test_invites_inside_a_call_are_forgotten_when_no_answer_can_come_any_more() -> None:
    line, users = Line(), DialogUsers()
    line.establish()
    call = call_of(line.alice)
    users.add(call)
    transactions: list[ClientTransaction] = []
    for _ in range(3):
        request = line.alice.dialog.make_request("OPTIONS")
        transaction = line.alice.core.send_request(
            request, line.alice.flow, line.alice.address, line.now
        )
        users.sent(transaction, call)
        transactions.append(transaction)
        line.advance(40.0)
    assert [users.of_request(one) for one in transactions] == [None, None, call]


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


def test_nothing_is_kept_of_who_is_gone() -> None:
    users, line = DialogUsers(), Line()
    line.call()
    call = call_of(line.alice)
    transaction = line.alice.call.client_transaction
    assert transaction is not None
    bye = ClientTransaction(call.request, call.flow, ("another",))
    users.add(call)
    users.expect_notify(call)
    for sent in (transaction, bye):
        users.sent(sent, call)
        assert users.of_request(sent) is call
    users.answered(bye)
    assert users.of_request(bye) is None
    assert not users.is_empty
    users.sent(bye, call)
    users.remove(call)
    assert users.of_request(bye) is None
    users.sent(bye, call)
    assert users.of_request(bye) is None, "who is gone hears no more of what it sends"
    users.answered(bye)


def notify_for(call: Call, tag: str | None) -> Request:
    to = call.request.from_ if tag is None else call.request.from_.with_tag(tag)
    return make_request(
        "NOTIFY",
        SipURI.parse("sip:alice@192.0.2.1"),
        NameAddr.parse("<sip:bob@192.0.2.2>;tag=b"),
        to,
        call.call_id,
        1,
    )


def test_a_notify_before_the_dialog_finds_who_asked() -> None:
    users, line = DialogUsers(), Line()
    line.call()
    call = call_of(line.alice)
    users.add(call)
    assert users.of_notify(notify_for(call, None)) is None, "it has asked for nothing"
    users.expect_notify(call)
    assert users.of_notify(notify_for(call, None)) is call
    assert users.of_notify(notify_for(call, "other")) is None
    users.remove(call)
    assert users.of_notify(notify_for(call, None)) is None
