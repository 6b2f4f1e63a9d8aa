"""Windows of a capacity, over changes of the clock too."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.documents.times import instant
from hub.core.model.capacity_windows import Quota, quota

ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kolkata")


@given(
    st.integers(1_577_836_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.sampled_from(("second", "minute", "hour", "day", "week")),
    st.sampled_from(ZONES),
)
def test_every_instant_lies_in_exactly_one_window(at, unit, zone):
    rule = Quota(1, unit, zone)
    start = rule.window(at)
    after = rule.next(start)
    assert start <= at < after
    assert rule.window(after) == after
    assert rule.window(start) == start


def test_a_day_is_the_zones_day():
    assert quota("5000/day", "Asia/Shanghai").window(instant("2025-11-22T00:30:00+08:00")) == instant(
        "2025-11-21T16:00:00Z"
    )
    assert quota("20/week", "Asia/Shanghai").window(instant("2025-11-22T12:00:00+08:00")) == instant(
        "2025-11-17T00:00:00+08:00"
    )
    # The day on which Berlin's clocks go forward has 23 hours
    rule = quota("1/d", "Europe/Berlin")
    start = instant("2026-03-29T00:00:00+01:00")
    assert (rule.next(start) - start).total_seconds() == 23 * 3600


@pytest.mark.parametrize("text", ["", "5000", "0/day", "-1/s", "5000 / day", "1/fortnight", "1e3/s", "１/day"])
def test_what_is_no_capacity_says_so(text):
    with pytest.raises(ValueError, match="5000/day"):
        quota(text)


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [
        ("2025-11-22T10:00:00+08:00", "", "2025-11-22T02:00:00+00:00"),
        ("2025-11-22T10:00:00Z", "Asia/Shanghai", "2025-11-22T10:00:00+00:00"),
        ("2025-11-22T10:00:00", "Asia/Shanghai", "2025-11-22T02:00:00+00:00"),
        ("2025-11-22t10:00:00.123456789z", "", "2025-11-22T10:00:00.123456+00:00"),
        ("2025-11-22T10:00:00.5", "UTC", "2025-11-22T10:00:00.500000+00:00"),
    ],
)
def test_an_instant_is_read_exactly(text, zone, wanted):
    assert instant(text, zone).isoformat() == wanted


@pytest.mark.parametrize("text", ["tomorrow", "2025-02-30T10:00:00Z", "2025-11-22", "2025-11-22T10:00:00"])
def test_what_is_no_instant_says_what_to_send(text):
    with pytest.raises(ValueError, match=r"offset|RFC 3339"):
        instant(text)
