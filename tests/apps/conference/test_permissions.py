"""Who may have others called, and put out, where nothing else is said."""

import pytest
from sylk_conference.permissions import ParticipantsInvite, Referrer

from sylk.payload.cpim import Address

ALICE = Address("sip:alice@Example.com")


@pytest.mark.parametrize("is_here", [True, False])
def test_who_is_here_may_invite(is_here: bool) -> None:
    assert ParticipantsInvite().may_invite(Referrer(ALICE, is_here=is_here)) is is_here


@pytest.mark.parametrize(
    ("target", "may"), [(b"alice@example.com", True), (b"bob@example.com", False)]
)
def test_everybody_may_put_out_himself(target: bytes, may: bool) -> None:
    assert ParticipantsInvite().may_remove(Referrer(ALICE, is_here=True), target) is may
