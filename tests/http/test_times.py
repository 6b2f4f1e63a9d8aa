"""Times in messages (input B36): RFC 3339 with offset, or local where the contract names the zone; a day that exists;
nothing is guessed.
"""

import pytest

from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract

CONTRACT = compile_contract(
    Ref("a", "b", 1),
    {
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "local": {"type": "string", "format": "local-date-time", "x-zone": "Asia/Shanghai"},
        },
    },
)
BAD = [
    "2026-02-30T10:00:00Z",
    "2026-13-01T10:00:00Z",
    "0000-00-00T00:00:00Z",
    "2026-01-01T10:00:60Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T10:00:00+25:00",
    "2026-W01-1T10:00:00Z",
    "1780306200000",
    "2026-01-01 10:00:00Z",
    "20260101T101010Z",
    "2026-1-1T10:00:00Z",
    "2026-01-01T10:00:00,5Z",
    "2026-01-01T10:00:00Z\n",
]


@pytest.mark.parametrize("text", [*BAD, "2026-01-01T10:00:00"])
def test_a_time_that_is_none_is_refused_with_the_rule(text):
    [fault] = CONTRACT.check({"at": text})
    assert fault.pointer == "/at"
    assert "RFC 3339" in fault.want


@pytest.mark.parametrize(
    "text", ["2025-11-22T10:00:00+08:00", "2024-02-29T23:59:59Z", "2025-11-22T10:00:00.123456-11:30"]
)
def test_a_time_with_its_offset_is_taken(text):
    assert CONTRACT.check({"at": text}) == []


@pytest.mark.parametrize("text", [*BAD, "2025-11-22T10:00:00Z", "2025-11-22T10:00:00+08:00"])
def test_a_local_time_that_is_none_is_refused_and_the_zone_is_told(text):
    [fault] = CONTRACT.check({"local": text})
    assert "Asia/Shanghai" in fault.want


def test_the_seeds_local_time_is_taken():
    assert CONTRACT.check({"local": "2025-11-22T10:00:00"}) == []
