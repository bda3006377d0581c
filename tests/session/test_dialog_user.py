"""What an endpoint may count on: whatever lives in a dialog has the whole of `DialogUser`."""

import inspect

import pytest

from sylk.session.call import Call
from sylk.session.dialog_user import DialogUser, Outlet
from sylk.session.subscription import Referral, Subscription
from tests.session.desk import Desk

MEMBERS = {name for name in vars(DialogUser) if not name.startswith("_")}
# A call still has these in its usage only.
NOT_IN_A_CALL_YET = {"dialog", "request", "next_deadline", "flow"}


def as_user(user: Subscription | Referral) -> DialogUser:
    """Let the type checker compare them."""
    return user


def as_outlet(desk: Desk) -> Outlet:
    return desk


def parameters(owner: object, name: str) -> list[str]:
    return list(inspect.signature(getattr(owner, name)).parameters)


@pytest.mark.parametrize("kind", [Subscription, Referral, Call])
def test_every_user_has_what_the_endpoint_asks_for(kind: type) -> None:
    missing = {name for name in MEMBERS if not hasattr(kind, name)}
    # `flow` is set when one is made.
    assert missing <= (NOT_IN_A_CALL_YET if kind is Call else {"flow"})
    for name in MEMBERS - missing:
        if inspect.isfunction(getattr(DialogUser, name)):
            assert parameters(kind, name) == parameters(DialogUser, name)


@pytest.mark.parametrize("kind", [Subscription, Referral, Call])
def test_users_are_told_apart_by_identity(kind: type) -> None:
    assert kind.__hash__ is object.__hash__
    assert kind.__eq__ is object.__eq__
