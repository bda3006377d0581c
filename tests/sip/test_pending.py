import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.dialog import Dialog
from sylk.sip.pending import PendingTransactions
from sylk.sip.transaction import ClientTransaction, ServerTransaction
from sylk.sip.transaction_tables import State
from tests.sip.user_agents import CONTACT, UDP, make


def server(method: str, to_tag: str | None = None) -> ServerTransaction:
    return ServerTransaction(make(method, to_tag=to_tag), UDP, (), "mine")


def client(method: str, to_tag: str | None = None) -> ClientTransaction:
    return ClientTransaction(make(method, from_tag="mine", to_tag=to_tag), UDP, ())


def test_a_merged_request_has_the_same_call_id_from_tag_and_cseq() -> None:
    pending = PendingTransactions()
    pending.add_server(server("MESSAGE"))
    assert pending.is_merged(make("MESSAGE", branch="z9hG4bKother"))
    assert not pending.is_merged(make("MESSAGE", cseq=2))
    assert not pending.is_merged(make("MESSAGE", from_tag="bob"))
    assert not pending.is_merged(make("MESSAGE", call_id="other"))


def test_an_unanswered_invite_is_seen_from_both_sides() -> None:
    pending = PendingTransactions()
    theirs, ours = server("INVITE", "mine"), client("INVITE", "alice")
    dialog = Dialog.as_uas(make("INVITE"), "mine", CONTACT)
    pending.add_server(theirs)
    pending.add_client(ours)
    assert pending.has_server_invite(make("INVITE", to_tag="mine", cseq=2))
    assert pending.has_client_invite(dialog)
    theirs.state = ours.state = State.ACCEPTED
    assert not pending.has_server_invite(make("INVITE", to_tag="mine", cseq=2))
    assert not pending.has_client_invite(dialog)


def test_a_notify_is_expected_after_subscribe_and_refer_out_of_a_dialog() -> None:
    for method in ("SUBSCRIBE", "REFER"):
        pending = PendingTransactions()
        pending.add_client(client(method))
        assert pending.expects_notify(make("NOTIFY", to_tag="mine"))
        assert not pending.expects_notify(make("NOTIFY", to_tag="other"))
        assert not pending.expects_notify(make("NOTIFY", to_tag="mine", call_id="other"))
    for transaction in (client("SUBSCRIBE", "b"), client("MESSAGE"), client("INVITE")):
        pending = PendingTransactions()
        pending.add_client(transaction)
        assert not pending.expects_notify(make("NOTIFY", to_tag="mine"))


def test_nothing_is_left_of_what_was_discarded() -> None:
    pending = PendingTransactions()
    transactions = [server("MESSAGE"), server("INVITE"), client("INVITE"), client("SUBSCRIBE")]
    for transaction in transactions:
        if isinstance(transaction, ServerTransaction):
            pending.add_server(transaction)
        else:
            pending.add_client(transaction)
    assert len(pending) == 5
    for transaction in (*transactions, *transactions):
        pending.discard(transaction)
    assert len(pending) == 0


def test_discarding_an_old_transaction_keeps_its_successor() -> None:
    pending = PendingTransactions()
    old, new = server("INVITE", "mine"), server("INVITE", "mine")
    pending.add_server(old)
    pending.add_server(new)
    pending.discard(old)
    assert pending.has_server_invite(make("INVITE", to_tag="mine"))


def test_an_invite_that_crosses_another_is_refused() -> None:
    # RFC 3261 14.2
    dialog = Dialog.as_uas(make("INVITE"), "mine", CONTACT)
    again = make("INVITE", to_tag="mine", cseq=2)
    for transaction, status in (server("INVITE", "mine"), 500), (client("INVITE", "alice"), 491):
        pending = PendingTransactions()
        if isinstance(transaction, ServerTransaction):
            pending.add_server(transaction)
        else:
            pending.add_client(transaction)
        with pytest.raises(RemoteProtocolError) as refused:
            pending.check_invite(again, dialog, lambda: "token")
        assert refused.value.status == status
        transaction.state = State.ACCEPTED
        pending.check_invite(again, dialog, lambda: "token")


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "REFER"])
def test_a_request_of_ours_that_comes_back_is_known(method: str) -> None:
    pending = PendingTransactions()
    ours = client(method)
    pending.add_client(ours)
    assert pending.has_come_back(make(method, from_tag="mine"))
    # It may have been sent again with a password.
    assert pending.has_come_back(make(method, from_tag="mine", cseq=2))
    assert not pending.has_come_back(make(method, from_tag="other"))
    pending.discard(ours)
    assert not pending.has_come_back(make(method, from_tag="mine"))
