"""Who may have others called, and put out: what referrals ask the policy of a room."""

import pytest
from sylk_conference.permissions import ByPolicy, Referrer
from sylk_conference.policy import Asker, RoomPolicy
from sylk_conference.settings import RoomSettings

from sylk.payload.cpim import Address

ALICE = Address("sip:alice@Example.com")
BOB = b"bob@example.com"


@pytest.mark.parametrize("is_here", [True, False])
def test_who_is_here_may_invite(is_here: bool) -> None:
    permissions = ByPolicy(RoomPolicy(RoomSettings()), 0.0)
    assert permissions.may_invite(Referrer(ALICE, is_here=is_here), BOB) is is_here


def test_who_is_banned_is_not_called() -> None:
    policy = RoomPolicy(RoomSettings())
    policy.ban(Asker(BOB), 0.0, 10.0)
    referrer = Referrer(ALICE, is_here=True)
    assert not ByPolicy(policy, 5.0).may_invite(referrer, BOB)
    assert ByPolicy(policy, 15.0).may_invite(referrer, BOB)


@pytest.mark.parametrize(("target", "may"), [(b"alice@example.com", True), (BOB, False)])
def test_everybody_may_put_out_himself(target: bytes, may: bool) -> None:
    permissions = ByPolicy(RoomPolicy(RoomSettings()), 0.0)
    assert permissions.may_remove(Referrer(ALICE, is_here=True), target) is may
