"""Tests of sylk.payload.date_time: points in time as others write them, and as we do."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sylk.errors import LocalProtocolError
from sylk.payload.date_time import read_date_time, render_date_time
from tests.payload.documents import MOMENTS


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T07:35:47Z", datetime(2026, 11, 21, 7, 35, 47, tzinfo=UTC)),
        ("2026-11-21t07:35:47z", datetime(2026, 11, 21, 7, 35, 47, tzinfo=UTC)),
        (" 2026-11-21T07:35:47\n", datetime(2026, 11, 21, 7, 35, 47, tzinfo=UTC)),
        ("2006-04-04T12:16:49-05:00", datetime(2006, 4, 4, 17, 16, 49, tzinfo=UTC)),
        ("2026-01-01T00:30:00+01:00", datetime(2025, 12, 31, 23, 30, tzinfo=UTC)),
        ("2026-11-21T07:35:47.5Z", datetime(2026, 11, 21, 7, 35, 47, 500000, tzinfo=UTC)),
        ("2026-11-21T07:35:47.1234567+00:00", datetime(2026, 11, 21, 7, 35, 47, 123456, UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_forms_that_are_read(text: str, moment: datetime) -> None:
    assert read_date_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "20261121T073547Z",
        "2026-11-21 07:35:47Z",
        "2026-13-21T07:35:47Z",
        "2026-02-30T07:35:47Z",
        "2026-11-21T24:00:01Z",
        "2026-11-21T07:35:61Z",
        "2026-11-21T07:35:47+99:99",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0000-01-01T00:00:00Z",
        "-2026-11-21T07:35:47Z",
        "12026-11-21T07:35:47Z",
        "٢٠٢٦-11-21T07:35:47Z",
    ],
)
def test_what_is_no_point_in_time(text: str) -> None:
    assert read_date_time(text) is None


def test_what_we_write() -> None:
    east = timezone(timedelta(hours=2))
    assert render_date_time(datetime(2026, 11, 21, 9, 35, tzinfo=east)) == "2026-11-21T07:35:00Z"
    with pytest.raises(LocalProtocolError):
        render_date_time(datetime(2026, 11, 21))  # a time without zone is the point of the test
    with pytest.raises(LocalProtocolError):
        render_date_time(datetime(1, 1, 1, tzinfo=east))


@given(MOMENTS)
def test_there_and_back(moment: datetime) -> None:
    assert read_date_time(render_date_time(moment)) == moment


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[Z+.]"))
def test_any_text_is_read_or_is_none(text: str) -> None:
    moment = read_date_time(text)
    assert moment is None or moment.tzinfo is UTC
