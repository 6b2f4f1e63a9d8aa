"""What an expression may cost, told from its text."""

import pytest

from hub.core.expressions.cost import cost_of
from hub.core.expressions.expression import compile_expression


@pytest.mark.parametrize(
    "text",
    [
        "orderType = 'N' and total > 5",
        "$count(items[q > 3]) > 0",
        "$map(items, function($i) {$i.q * 2})",
        "$sum(items.(price * q))",
        "items[sku = $$.main]",
        "items.(sku & $source.orderNo)",
        "($m := items{sku: q}; lines.($lookup($m, sku)))",
        "[0..$count(items) - 1]",
        "[1..100]",
        "$pad(sku, 20)",
        "$pad(sku, -20)",
        "$join(items.sku, ', ')",
        "items^(q){sku: $sum(q)}",
        "items ~> $map(function($v) {$v.q}) ~> $sum()",
        "($line := street & ' ' & house; $line & ', ' & city)",
        "($short := function($x) {$substring($x, 0, 3)}; items.($short(sku)))",
        "$count($distinct(items.sku)) = $count(items)",
        "$reduce(items.q, function($a, $b) {$a + $b})",
    ],
)
def test_what_goes_through_a_list_once_is_cheap(text):
    compile_expression(text)
    assert (cost_of(text).degree, cost_of(text).is_unbounded, cost_of(text).why) == (1, False, "")


@pytest.mark.parametrize(
    "text",
    [
        "$count(items[sku in $$.items.sku])",
        "items.($s := sku; $$.items[sku = $s])",
        "$map(items, function($i) {$count($filter($$.items, function($x) {$x.sku = $i.sku}))})",
        "$filter(items, function($i) {$count($$.items[sku = $i.sku]) > 1})",
        "($all := items; items.($count($all)))",
        "items.($sum($source.lines.q))",
        "$reduce(items.sku, function($a, $b) {$a & $b})",
        "$join(items.sku, note)",
        "**.**",
        "items[$max($$.items.q) = q]",
    ],
)
def test_what_goes_through_a_list_for_each_of_a_list_is_costly_and_says_what_to_write(text):
    compile_expression(text)
    cost = cost_of(text)
    assert (cost.degree, cost.is_unbounded) == (2, False)
    assert cost.why
    assert cost.instead
    assert not cost.is_heavy(10)
    assert cost.is_heavy(1_000)


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($n) {$f($n + 1)}; $f(1))",
        "($f := function($s, $n) {$n = 0 ? $s : $f($s & $s, $n - 1)}; $f('x', depth))",
        "($y := function($g) {$g($g)}; $y($y))",
        "($a := 'x'; $b := $a & $a & $a & $a; $c := $b & $b & $b & $b; $d := $c & $c & $c & $c; $e := $d & $d & $d & $d; $e)",
        "($a := [1, 2]; $b := [$a, $a, $a, $a, $a]; $c := [$b, $b, $b, $b, $b]; $d := [$c, $c, $c, $c, $c]; $d)",
        "$reduce(items.sku, function($a, $b) {$a & $a & $b})",
        "[1..300].([1..300].($))",
        "[1..count].('x')",
        "$pad(sku, width)",
    ],
)
def test_what_nothing_in_the_message_bounds_is_found(text):
    compile_expression(text)
    assert cost_of(text).is_unbounded
    assert cost_of(text).is_heavy(1)
    assert cost_of(text).instead
