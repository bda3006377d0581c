"""The list of sessions."""

import pytest

from sylk.errors import LocalProtocolError
from sylk.msrp.registry import SessionRegistry
from tests.msrp.pair import make_session


def test_a_session_is_listed_until_it_closes() -> None:
    registry = SessionRegistry()
    session = make_session()
    registry.add(session)
    assert registry.get("us") is session
    assert list(registry) == [session]
    session.close("done")
    assert registry.get("us") is None
    assert len(registry) == 0
    registry.remove(session)


def test_an_id_is_listed_once() -> None:
    registry = SessionRegistry()
    registry.add(make_session())
    with pytest.raises(LocalProtocolError):
        registry.add(make_session())
    other = make_session()
    registry.remove(other)
    assert registry.get("us") is not None


def test_the_list_is_bounded() -> None:
    registry = SessionRegistry(max_sessions=1)
    registry.add(make_session())
    with pytest.raises(LocalProtocolError):
        registry.add(make_session(session_id="other"))


def test_session_ids_cannot_be_guessed() -> None:
    registry = SessionRegistry()
    ids = {registry.new_session_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(session_id) for session_id in ids} == {20}
