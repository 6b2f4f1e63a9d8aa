"""Expressions that are made to hold a process up, or to fill it: through the door, as a hub has it, over the largest
messages and over the largest in place.

What the engine does not interrupt by itself must be known from the text. Two messages of each shape: one as large as is
taken, and one as large as the expression is still evaluated over in place, since whoever attacks knows the limit.
"""

import gc
import os
import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from hub.core.config.mapping import compile_mapping
from hub.core.errors import Busy, GiveUp, Reason
from hub.core.expressions import evaluation_door
from hub.core.expressions.cost import cost_of
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.plain_paths import plain_path
from hub.core.expressions.prepared import weigh
from hub.kit.evaluation.evaluator import Evaluators, resident

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
HELD_S = 0.1  # of the calling thread's processor
GROWN = 50 << 20  # bytes of the calling process

TEXTS = [
    "$length($join($map([1..9000], function($i){$$.t})))",
    "$length($join([1..9000].($$.t)))",
    "$length($join([1..9000].($$.t), $$.t))",
    "$length($replace(t, /./, t))",
    "$length($replace(t, /./, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'))",
    "$replace(t, 'a', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')",
    "$length($replace(t, /./, function($m){$$.t}))",
    "$count($split(t, ''))",
    "$split(t, '')",
    "$split(t, /[a-z]/)",
    "t ~> $split('') ~> $map(function($c){$c & $c}) ~> $join('-')",
    "$match(t, /(a|b)*/)",
    "$match(t, /./)",
    "$count($match(t, /(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu)/))",
    "$contains(t, /(a+)+$/)",
    "$contains(t, /(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu)z/)",
    "$length($string($) & $string($))",
    "$length($string([$, $, $, $, $, $, $, $]))",
    "t & t & t & t & t & t & t & t & t & t & t & t & t & t & t & t",
    "($a := t & t; $b := $a & $a; $c := $b & $b; $d := $c & $c; $length($d & $d))",
    "($f := function($x){$x & $x}; $length($f($f($f($f($f(t)))))))",
    "($f := function($x){$contains($x, 'zz')}; a.($f($$.t)))",
    "$map(a, function($x){$contains($$.t, $x)})",
    "$map(a, function($x){$contains(t, $x)})",
    "a.$contains($$.t, $)",
    "a.($uppercase($$.t))",
    "$count(a.($split($$.t, ',')))",
    "$length($encodeUrlComponent(t))",
    "$base64encode($base64encode($base64encode(t)))",
    "$formatNumber(5, '#' & t)",
    "$map(a, function($x){$formatNumber(5, $$.t)})",
    "$formatBase($length(t), 2)",
    "$toMillis(t, t)",
    "$toMillis('2026', '[Y0001]' & t)",
    "$fromMillis(0, t)",
    "$map(a, function($x){$pad($x, 1000)})",
    "$map(a, $length) ~> $map(function($n){$pad('x', $n * 100000)})",
    "$uppercase($lowercase($trim(t)))",
    "$substringAfter(t, $substring(t, 5))",
    "[0..$length(t)].($$.t)",
    "[0..$count(a) * 100000]",
    "[$count(a)..$count(a) * 2].($$.t)",
    "[1..100].([1..90].($$.t))",
    "{'a': t, 'b': {'a': t, 'b': t}, 'c': [t, t, t, t, t, t]}",
    "$mask(t) & $mask(t)",
]
LISTS = [
    "xs@$x.ys@$y[$x.id=$y.id].a",
    "xs@$x.a",
    "xs#$i.ys#$j.($i + $j)",
    "xs#$i[$i > 3].a",
    "$count(xs.%.xs.%.xs)",
    "xs.l.%.a",
    "xs.%.t",
    "**",
    "**.**",
    "$count(**.**.**)",
    "**.a",
    "*.*.*",
    "$spread(xs)",
    "$spread($spread($))",
    "$each($, function($v, $k){$string($v)})",
    "$each(xs[0], function($v, $k, $o){$string($$)})",
    "$sort(xs, function($l, $r){$sum(ys.id) > $l.id})",
    "$sort(xs, function($l, $r){$l.a > $r.a})",
    "xs^($sum($$.ys.id), a)",
    "xs^(>$string($))",
    "$sift($, function($v){$count($$.xs) > 1})",
    "$zip(n, a, n, a)",
    "$map(xs, function($x){$zip($$.n, $$.a)})",
    "$distinct(xs)",
    "$distinct(a)",
    "xs.($distinct($$.a))",
    "xs{a: q}",
    "xs{$string(id): $sum(q)}",
    "xs{a: $$.ys}",
    "xs{a: $count($$.xs[q = 1])}",
    "$reduce(a, function($p, $c){$p & $c})",
    "$reduce(a, function($p, $c){$append($p, $c)})",
    "$reduce(xs, function($p, $c){$merge([$p, $c])}, {})",
    "$reduce(xs, function($p, $c){$append($p, $$.ys)}, [])",
    "$reduce(a, $append)",
    "$reduce(n, function($p, $c){$contains($string($p), 'z') ? $c : $c}, $$)",
    "$map(a, function($v, $i, $all){$count($all[$ = $v])})",
    "$filter(a, function($v, $i, $all){$v in $all})",
    "$map(xs, function($x){$count(ys)})",
    "$map(xs, function($x){$sum(ys.id)})",
    "$map(xs, function($x){$x.l.($string($x))})",
    "$map(a, function($x){$map($$.a, function($y){$x & $y})})",
    "xs.($$.ys).($$.xs)",
    "xs.{'all': $$.ys}.{'more': all}",
    "xs.($all := $$; $string($all))",
    "($all := xs; $all.($all.id))",
    "$merge(xs.{$string(id): $$.a})",
    "$append(xs, $append(xs, $append(xs, $append(xs, xs))))",
    "n in n",
    "n[$ in $$.n]",
    "$join(a, $join(a))",
    "$string(xs, true)",
    "$ ~> |xs|{'z': $$.ys}|",
    "$ ~> |**|{'z': 1}|",
    "xs.{'a': {'b': {'c': {'d': $$}}}}",
    "a.($replace($, /w/, 'x'))",
    "a.($match($, /[a-z]/))",
    "n.($formatNumber($, '#,##0.00'))",
    "n.($dec_add($string($), '1'))",
    "n.$fromMillis($)",
    "$map(n, function($v){$formatInteger($v, 'w')})",
    "$sum($map(n, function($v){$power($v, 2)}))",
    "$lookup(xs, 'a')",
    "$keys(xs) ~> $map(function($k){$lookup($$.xs, $k)})",
    "(function($x){$map($x, function($y){$count($x)})})(xs)",
    "($f := function(){$$.xs}; xs.($f()))",
    "($g := $f := function($x){$x}; $g(xs))",
    "($u := $uppercase ~> $trim; a.$u($))",
    "($p := $contains(?, 'z'); a.($p($$.t)))",
    "$single(xs, function($x){$count($$.ys[id = $x.id]) > 5})",
    "xs[$$.xs[q = 1]].a",
    "xs[l in $$.xs.l]",
    "xs[$$.xs = $$.xs].a",
    "xs.l.(($)).(($)).(($))",
    "$string(" * 12 + "$" + ")" * 12,
    "[" * 12 + "xs" + "]" * 12,
]
CHEAP = [
    "t = 'N' and $count(a) > 5",
    "$exists(xs.id)",
    "xs[id = 3].a",
    "a",
    "$sum(xs.q) > 4",
    "$uppercase(t)",
    "$not($boolean(t))",
    "xs.a",
    "t in ['A', 'B']",
]


def text_of(size):
    return {
        "t": ("abc de," * (size * 16 // 7 + 1))[: size * 16],
        "a": ["z"],
        "xs": [{"id": 1, "a": "x", "q": 1}],
        "ys": [{"id": 1}],
        "n": [1],
    }


def one_character_of(size):
    return {"t": "a" * size * 16, "a": ["a"], "n": [5]}


def lists_of(size):
    xs = [{"id": number, "a": f"n{number}", "q": number % 7, "l": [1, 2]} for number in range(size // 40)]
    ys = [{"id": number, "b": number} for number in range(size // 40)]
    return {
        "xs": xs,
        "ys": ys,
        "a": [f"w{number}" for number in range(size // 3)],
        "n": list(range(size // 3)),
        "t": "abc de," * (size // 100),
    }


def halves_of(size):
    """A list of short texts, and one long text: what a product takes most of."""
    names = [str(number) for number in range(size // 2)]
    return {"t": "abcd" * size * 2, "a": names}


def joined_of(size):
    return {"xs": [{"id": 1}] * (size // 4), "ys": [{"id": 1}] * (size // 4)}


def nested_of(size):
    value = {"x": 1}
    for _ in range(60):
        value = {"xs": value, "e": [{"k": 1, "a": "b"}] * max(size // 300, 1)}
    return value


def one_element_of(size):
    return {"xs": {"id": 1, "a": "x", "l": [1] * size}, "ys": {"id": 1}, "a": "w", "n": 1, "t": "x"}


SHAPES = (text_of, one_character_of, lists_of, halves_of, joined_of, nested_of, one_element_of)
LARGEST = 62_500  # a text of a megabyte; lists of 20 000


@pytest.fixture(scope="module")
def pool():
    made = Evaluators(1)
    gc.collect()
    gc.freeze()  # what other tests left is not looked through each time
    evaluation_door.hand_in(lambda: made)
    yield made
    evaluation_door.hand_in(None)
    made.close()
    gc.unfreeze()


@lru_cache(maxsize=64)
def largest_of(make):
    value = make(LARGEST)
    return value, weigh(value, 1 << 40)


def within(make, most):
    """A message of that shape that is a little lighter."""
    size = LARGEST * most // largest_of(make)[1]
    while size and weigh(make(size), most) > most:
        size = size * 9 // 10
    return make(min(size, LARGEST))


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak():
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def held_by(expression, value):
    """Seconds of this thread's processor, bytes that this process grew by, and whether it was evaluated in place."""
    forget_peak()
    before = resident(os.getpid())
    began = time.thread_time()
    try:
        with evaluation_door.at_once():
            expression.evaluate(value, now=NOW)
    except (GiveUp, Busy):
        is_here = True
    except evaluation_door.NeedsTime:
        is_here = False
    else:
        is_here = True
    return time.thread_time() - began, peak() - before, is_here


@pytest.mark.parametrize("text", [*TEXTS, *LISTS, *CHEAP])
def test_nothing_holds_its_caller(pool, text):
    expression = compile_expression(text)
    most = LARGEST if plain_path(text) is not None else cost_of(text).most
    tries = []
    for make in SHAPES:
        tries.append((*held_by(expression, largest_of(make)[0]), make.__name__, "largest"))
        tries.append((*held_by(expression, within(make, most)), make.__name__, "in place"))
    over = [entry for entry in tries if entry[0] > HELD_S or entry[1] > GROWN]
    assert not over, f"in place up to a weight of {most}: {over}"


@pytest.mark.parametrize(
    "text",
    [
        TEXTS[0],
        TEXTS[3],
        LISTS[0],
        "$reduce(xs, function($p, $c){$append($p, $$.ys)}, [])",
        "[0..$count(a) * 100000].($$.t)",
    ],
)
def test_what_is_over_its_budget_ends_with_a_reason_and_is_never_tried_again(pool, text):
    value = largest_of(lists_of)[0] | {"t": "abc de," * 20_000}
    with evaluation_door.at_once(), pytest.raises(evaluation_door.NeedsTime):
        compile_expression(text).evaluate(value, now=NOW)
    reasons = []
    for _ in range(2):
        with pytest.raises(GiveUp) as caught:
            compile_expression(text).evaluate(value, now=NOW)
        assert not isinstance(caught.value, Busy)
        assert caught.value.why.fix
        reasons.append(caught.value.why.reason)
    # Processor time or memory, whichever was spent first.
    assert set(reasons) <= {Reason.TRANSFORM_TIMEOUT, Reason.TRANSFORM_ERROR}


def order_of(lines):
    items = [
        {
            "lineNo": number,
            "sku": f"SKU-{number:08}",
            "name": "Steel bottle, 750 ml, blue",
            "quantity": 3,
            "price": "129.90",
        }
        for number in range(lines)
    ]
    address = {
        "name": "Li Lei",
        "phone": "13800000000",
        "street": "Century Avenue 100",
        "city": "Shanghai",
        "country": "CN",
    }
    return {
        "orderNo": "SO-2026-000001",
        "status": "PAID",
        "consignee": address,
        "shipper": address,
        "items": items,
        "total": "6495.00",
    }


@pytest.mark.parametrize("path", sorted(ROOT.glob("mappings/*.yaml")), ids=lambda path: path.stem)
def test_a_mapping_of_an_order_of_fifty_lines_is_made_in_place(path):
    document = yaml.safe_load(path.read_text("utf-8"))
    tables = {table.stem: yaml.safe_load(table.read_text("utf-8")) for table in ROOT.glob("tables/*.yaml")}
    assert not compile_mapping(document, tables).cost.is_heavy(weigh(order_of(50), 1 << 30) * 2)


def expressions(part):
    """What the routes and adapters write as conditions."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("when", "drop", "key", "order_by") and isinstance(value, str) and not value.startswith("env:"):
                yield value
            yield from expressions(value)
    elif isinstance(part, list):
        for value in part:
            yield from expressions(value)


def test_the_conditions_of_the_reference_landscape_are_evaluated_in_place(pool):
    files = [ROOT / "routes.yaml", *ROOT.glob("adapters/*/system.yaml")]
    texts = [text for file in files for text in expressions(yaml.safe_load(file.read_text("utf-8")))]
    assert texts
    with evaluation_door.at_once():
        for text in texts:
            compile_expression(text).evaluate(order_of(50), now=NOW)
