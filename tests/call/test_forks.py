"""Tests of sylk.call.forks; what a call makes of it is in test_caller."""

import pytest

from sylk.call.forks import Forks
from sylk.errors import RemoteProtocolError
from sylk.sip.dialog import DialogState
from sylk.sip.message import Request, Response
from tests.sip.user_agents import make, make_core


def invite() -> Request:
    return make("INVITE", ("Authorization", 'Digest realm="x"'), cseq=3)


def response(status: int, tag: str = "b1", contact: str | None = "<sip:b@192.0.2.9>") -> Response:
    headers = [] if contact is None else [("Contact", contact)]
    return Response.to_request(invite(), status, to_tag=tag, headers=headers)


def test_early_dialogs_up_to_the_limit() -> None:
    forks = Forks(make_core(), limit=2)
    for tag in ("b1", "b2", "b2", "b3"):
        forks.receive_provisional(invite(), response(180, tag))
    assert [dialog.remote_tag for dialog in forks.early] == ["b1", "b2"]
    assert {dialog.state for dialog in forks.early} == {DialogState.EARLY}


def test_a_2xx_belongs_to_its_early_dialog_or_opens_one() -> None:
    forks = Forks(make_core())
    forks.receive_provisional(invite(), response(180, "b1"))
    (early,) = forks.early
    assert forks.dialog_of(invite(), response(200, "b1")) is early
    other = forks.dialog_of(invite(), response(200, "b2"))
    assert other.remote_tag == "b2"
    with pytest.raises(RemoteProtocolError):
        forks.dialog_of(invite(), response(200, "b3", contact=None))


def test_the_ack_of_each_2xx_is_kept_with_the_credentials_of_the_invite() -> None:
    forks = Forks(make_core(), limit=1)
    first = forks.dialog_of(invite(), response(200, "b1"))
    acknowledged = forks.acknowledge(invite(), first)
    assert acknowledged is not None
    ack, is_first = acknowledged
    assert is_first
    assert str(ack.cseq) == "3 ACK"
    assert ack.headers.get("Authorization") == 'Digest realm="x"'
    assert forks.dialog_of(invite(), response(200, "b1")) is first
    assert forks.acknowledge(invite(), first) == (ack, False)
    assert forks.acknowledge(invite(), forks.dialog_of(invite(), response(200, "b2"))) is not None
    assert forks.acknowledge(invite(), forks.dialog_of(invite(), response(200, "b3"))) is None


def test_all_but_one_end() -> None:
    core = make_core()
    forks = Forks(core)
    for tag in ("b1", "b2"):
        forks.receive_provisional(invite(), response(180, tag))
    winner, loser = forks.early
    forks.end_early(but=winner)
    assert forks.early == []
    assert loser.state is DialogState.TERMINATED
    assert winner.state is DialogState.EARLY
