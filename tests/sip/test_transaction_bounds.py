import pytest

from sylk.errors import RemoteProtocolError
from sylk.sip.transaction_bounds import COMMON_OCTETS, TransactionBounds, kept_octets
from tests.sip.user_agents import make


def test_both_bounds_can_be_reached() -> None:
    bounds = TransactionBounds(2, 100_000)
    bounds.check(1, 50_000, 50_000)
    for count, kept, octets in (2, 0, 1), (1, 50_000, 50_001):
        with pytest.raises(RemoteProtocolError) as refused:
            bounds.check(count, kept, octets)
        assert refused.value.status == 503
        assert dict(refused.value.headers)["Retry-After"].isdigit()


def test_large_requests_shut_out_no_common_ones() -> None:
    TransactionBounds(2, 100_000).check(1, 100_000, COMMON_OCTETS)
    assert kept_octets(make("INVITE", body=b"x" * 3000, content_type="a/b")) < COMMON_OCTETS


def test_body_fields_and_uri_count() -> None:
    least = kept_octets(make("INVITE"))
    assert least < 2000
    assert kept_octets(make("INVITE", body=b"x" * 5000, content_type="a/b")) > least + 5000
    assert kept_octets(make("INVITE", ("Subject", "x" * 5000))) > least + 5000
    assert kept_octets(make("INVITE", ("x" * 5000, "Subject"))) > least + 5000
    assert kept_octets(make("INVITE", uri=f"sip:{'x' * 5000}@192.0.2.1")) > least + 4900


def test_text_counts_as_it_is_kept() -> None:
    # One character beyond the basic plane makes Python take four octets for each.
    plain = kept_octets(make("INVITE", ("Subject", "x" * 5000)))
    assert kept_octets(make("INVITE", ("Subject", "x" * 5000 + "\U0001f600"))) > plain + 14_000
