"""The evaluator: what may cost much is computed in a process of its own, gives the same as in place, and ends over its
budget.
"""

import contextlib
import os
import signal
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from hub.core.config.mapping import compile_mapping
from hub.core.errors import Busy, GiveUp, Reason
from hub.core.expressions import evaluation_door
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.prepared import MISSING
from hub.core.message import Ref
from hub.core.schemas.contract import compile_contract
from hub.kit.evaluation.evaluator import Evaluators, resident

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
ITEMS = {
    "items": [{"sku": f"S{number}", "q": number, "price": Decimal("12345678901234567890.10")} for number in range(200)]
}
QUADRATIC = "items[sku in $$.items.sku]"


@pytest.fixture
def pool():
    made = Evaluators(1)
    evaluation_door.hand_in(lambda: made)
    yield made
    evaluation_door.hand_in(None)
    made.close()


def evaluated(text, value):
    return compile_expression(text).evaluate(value, now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        f"$count({QUADRATIC})",
        f"{QUADRATIC}.q",
        f"{QUADRATIC}[q = 3].nothing",
        f"{QUADRATIC}[0].price",
        f"({QUADRATIC}; null)",
        f"({QUADRATIC}; $now())",
        "[1..$$.n].('x')",
    ],
)
def test_what_is_computed_elsewhere_is_the_same(pool, text):
    value = {**ITEMS, "n": 3}
    away = evaluated(text, value)
    assert len(pool._idle) == 1, "it was computed in place"
    evaluation_door.hand_in(None)
    here = evaluated(text, value)
    assert (away is MISSING) == (here is MISSING)
    assert away == here


@pytest.mark.parametrize(
    "text", ["($f := function($n) {$f($n + 1)}; $f(1))", "$count([1..n].($x := $; $$.items[q < $x]))"]
)
def test_what_takes_too_long_ends_by_its_processor_time(pool, text):
    began = time.monotonic()
    with pytest.raises(GiveUp) as caught:
        evaluated(text, {**ITEMS, "n": 50_000})
    assert caught.value.why.reason is Reason.TRANSFORM_TIMEOUT
    assert not isinstance(caught.value, Busy)
    assert time.monotonic() - began < 10
    assert evaluated(f"$count({QUADRATIC})", ITEMS) == 200


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($s, $n) {$n = 0 ? $s : $f($s & $s, $n - 1)}; $length($f($pad('x', size), 40)))",
        "$length($join([1..size].($pad('x', $$.size))))",
    ],
)
def test_what_takes_too_much_memory_ends_and_the_next_is_served(pool, text):
    most = []
    others = set(children())  # of earlier tests of this run; the evaluator starts with its first job
    stopping = threading.Event()

    def look():
        while not stopping.wait(0.002):
            most.append(sum(resident(int(pid)) for pid in set(children()) - others))

    watch = threading.Thread(target=look)
    watch.start()
    with pytest.raises(GiveUp):
        compile_expression(text, limit_ms=5_000).evaluate({"size": 100_000}, now=NOW)
    stopping.set()
    watch.join()
    assert max(most, default=0) < 400 << 20
    assert evaluated(f"$count({QUADRATIC})", ITEMS) == 200


def children():
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += task.read_text("ascii").split()
    return found


def test_a_mapping_that_names_all_of_its_source_for_each_element_goes_as_a_whole(pool):
    document = {
        "from": "a/b@1",
        "to": "c/d@1",
        "fields": {
            "lines": {
                "each": "items",
                "fields": {
                    "sku": "sku & $source.suffix & $extra.x",
                    "price": "price",
                    "table": {"table": "t", "of": "sku"},
                },
            }
        },
    }
    mapping = compile_mapping(
        document, {"t": {f"S{number}": f"T{number}" for number in range(200)}, "other": {"a": "b"}}
    )
    assert b"other" not in mapping.fixed
    value = {**ITEMS, "suffix": "-x"}
    away = mapping.apply(value, now=NOW, lookups={"extra": {"x": "!"}})
    assert len(pool._idle) == 1, "it was made in place"
    assert away == mapping.here(value, now=NOW, lookups={"extra": {"x": "!"}})
    assert away["lines"][3] == {"sku": "S3-x!", "price": Decimal("12345678901234567890.10"), "table": "T3"}


def test_a_mapping_s_fault_names_its_field(pool):
    document = {
        "from": "a/b@1",
        "to": "c/d@1",
        "fields": {"lines": {"each": "items", "fields": {"n": "$source.n + sku"}}},
    }
    with pytest.raises(GiveUp) as caught:
        compile_mapping(document).apply({**ITEMS, "n": 1}, now=NOW)
    assert caught.value.why.field == "/lines/0/n"


def test_what_is_wrong_at_ten_thousand_places_is_told_within_bounds(pool):
    choice = {"anyOf": [*({"const": str(number)} for number in range(20)), {"type": "string"}]}
    contract = compile_contract(Ref("a", "b", 1), {"anyOf": [{"type": "array", "items": choice}, {"type": "object"}]})
    began = time.monotonic()
    assert contract.check([None] * 12_000)
    assert time.monotonic() - began < 5
    assert contract.check(["7"] * 12_000) == []
    assert [fault.pointer for fault in contract.check([None])] == contract_pointers(contract, [None])


def contract_pointers(contract, value):
    return [fault.pointer for fault in contract.faults(value)]


def test_a_process_that_is_killed_is_replaced(pool):
    assert evaluated(f"$count({QUADRATIC})", ITEMS) == 200
    os.kill(int(children()[-1]), signal.SIGKILL)
    with contextlib.suppress(GiveUp):
        evaluated(f"$count({QUADRATIC})", ITEMS)
    assert evaluated(f"$count({QUADRATIC})", ITEMS) == 200


def test_an_event_loop_is_told_and_a_crowded_caller_is_told_otherwise(pool):
    with evaluation_door.at_once(), pytest.raises(evaluation_door.NeedsTime):
        evaluated(f"$count({QUADRATIC})", ITEMS)
    with evaluation_door.deferring(), pytest.raises(Busy):
        evaluated(f"$count({QUADRATIC})", ITEMS)
    with evaluation_door.at_once():
        assert evaluated("$count(items)", ITEMS) == 200
    assert pool._idle == []


def test_one_caller_s_jobs_do_not_keep_another_s_waiting(pool):
    # Given one caller with many jobs that take their whole budget
    def crowd():
        with evaluation_door.on_behalf("crowd"), contextlib.suppress(GiveUp):
            evaluated("($f := function($n) {$f($n + 1)}; $f(1))", {})

    threads = [threading.Thread(target=crowd) for _ in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    # When another one comes, then it is next
    with evaluation_door.on_behalf("other"):
        assert evaluated(f"$count({QUADRATIC})", ITEMS) == 200
    assert sum(thread.is_alive() for thread in threads) > 5
    for thread in threads:
        thread.join(60)


def test_more_jobs_of_one_caller_than_may_wait_are_busy(pool, monkeypatch):
    monkeypatch.setattr("hub.kit.evaluation.evaluator.MOST_WAITING", 0)
    with pytest.raises(Busy):
        evaluated(f"$count({QUADRATIC})", ITEMS)
