"""Transaction ids."""

from hypothesis import given
from hypothesis import strategies as st

from sylk.msrp.identifiers import TransactionIds


def test_ids_are_fresh() -> None:
    ids = TransactionIds()
    taken = {ids.take() for _ in range(100)}
    assert len(taken) == 100
    assert {len(transaction_id) for transaction_id in taken} == {16}


@given(st.binary(max_size=50))
def test_an_id_does_not_occur_in_its_body(body: bytes) -> None:
    ids = TransactionIds()
    assert ids.take(body) not in body
