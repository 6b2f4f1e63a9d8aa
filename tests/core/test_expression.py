"""Expressions: plain paths without loss, the engine behind its limits, and each of its traps by name."""

import gc
import threading
from datetime import UTC, datetime
from decimal import Decimal

import jsonata
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.core.errors import GiveUp, Reason
from hub.core.expressions import expression
from hub.core.expressions.expression import CONDITION_MS, MAPPING_MS, _compiled, compile_expression, plain_path
from hub.core.expressions.prepared import MISSING

NOW = datetime(2026, 6, 1, 9, 30, 0, 250_000, tzinfo=UTC)
TABLES = {"priority": {"URGENT": "HIGH", "1": "ONE", "true": "YES"}}
ORDER = {
    "orderNo": "OMS202511220001",
    "id": 1234567890123456789,
    "totalAmount": Decimal("198.00"),
    "exact": Decimal("12345678901234.567890"),
    "remark": None,
    "consignee": {"name": "张三", "phone": "13800138000"},
    "items": [
        {"sku": "SKU001", "quantity": 2, "price": Decimal("99.00"), "lot": 9007199254740993},
        {"sku": "SKU002", "quantity": 1, "price": Decimal("0.10"), "lot": 9007199254740995},
    ],
    "one": [{"sku": "A"}],
    "订单号": "中文",
}


def evaluate(text, value=ORDER, **more):
    return compile_expression(text, limit_ms=MAPPING_MS).evaluate(value, now=NOW, tables=TABLES, **more)


def holds(text, value=ORDER, **more):
    return compile_expression(text).holds(value, now=NOW, **more)


def fails(text, value=ORDER, **more):
    with pytest.raises(GiveUp) as caught:
        evaluate(text, value, **more)
    return caught.value.why


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("orderNo", ("orderNo",)),
        ("consignee.name", ("consignee", "name")),
        (" items[0].sku ", ("items", 0, "sku")),
        ("items.0.sku", ("items", 0, "sku")),
        ("订单号", ("订单号",)),
        ("$", ()),
        ("$.a", ("a",)),
        ("$$.a", ("a",)),
        ("$source.a", None),
        ("true", None),
        ("a.null", None),
        ("a + 1", None),
        ("a[b]", None),
        ("a[-1]", None),
        ("$sum", None),
        ("'a'", None),
        ("a.*", None),
        ("1", None),
        ("a\n", ("a",)),
        ("", None),
    ],
)
def test_what_is_a_plain_path(text, steps):
    assert plain_path(text) == steps


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("orderNo", "OMS202511220001"),
        ("id", 1234567890123456789),
        ("exact", Decimal("12345678901234.567890")),
        ("items[1].lot", 9007199254740995),
        ("items.1.lot", 9007199254740995),
        ("items.lot", [9007199254740993, 9007199254740995]),
        ("items.price", [Decimal("99.00"), Decimal("0.10")]),
        ("one.sku", "A"),
        ("one", [{"sku": "A"}]),
        ("items[9].sku", MISSING),
        ("orderNo[0]", "OMS202511220001"),
        ("orderNo[1]", MISSING),
        ("nothing", MISSING),
        ("nothing[0]", MISSING),
        ("orderNo.name", MISSING),
        ("remark", None),
        ("remark.name", MISSING),
        ("items.nothing", MISSING),
        ("订单号", "中文"),
        ("$source.id", MISSING),
    ],
)
def test_a_plain_path_copies_every_digit(text, result):
    found = evaluate(text)
    assert found == result
    assert type(found) is type(result)
    if isinstance(result, Decimal):
        assert str(found) == str(result)


def test_a_plain_path_never_reaches_the_engine():
    # Given a value that the engine refuses (an integer beyond 64 bits), a plain path copies it all the same
    assert evaluate("a.b", {"a": {"b": 2**70}}) == 2**70


def test_a_path_may_begin_at_a_binding():
    assert evaluate("$source.id", {"a": 1}, bindings={"source": ORDER}) == 1234567890123456789
    assert (
        evaluate("$source.orderNo & '/' & sku", ORDER["items"][0], bindings={"source": ORDER})
        == "OMS202511220001/SKU001"
    )


_SHAPES = st.recursive(
    st.integers(-5, 5) | st.none() | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=1_000, deadline=None)
@example({"c": [{"a": []}]}, ["c", "a"])
@example({"c": [{"a": [1]}]}, ["c", "a"])
@example({"c": [{"b": 1}, {"a": [1]}]}, ["c", "a"])
@example({"c": [{"a": [1]}, {"a": []}]}, ["c", "a"])
@example({"c": [[{"a": [1]}]]}, ["c", "a"])
@given(
    st.dictionaries(st.sampled_from("abc"), _SHAPES, max_size=3),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
)
def test_a_plain_path_finds_what_the_engine_finds(value, names):
    found = evaluate(".".join(names), value)
    engine = _compiled(".".join(names) + " ~> function($v){$v}", MAPPING_MS).evaluate(value)
    assert (None if found is MISSING else found) == engine


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("'Gift: ' & orderNo", "Gift: OMS202511220001"),
        ("totalAmount > 100", True),
        ("$sum(items.quantity)", 3),
        ("$count(items)", 2),
        ("items[quantity > 1].sku", "SKU001"),
        ("items[sku = 'SKU001'].lot", "9007199254740993"),
        ("[items.sku]", ["SKU001", "SKU002"]),
        ("items.sku[]", ["SKU001", "SKU002"]),
        ("orderNo in ['A', 'OMS202511220001']", True),
        ("remark", None),
        ("(remark)", None),
        ("(nothing)", MISSING),
        ("nothing ? 1", MISSING),
        ("{'a': nothing, 'b': remark}", {"b": None}),
        ("null", None),
        ("[]", []),
        ("totalAmount", Decimal("198.00")),
        ("totalAmount * 1", 198),
        ("0.1", Decimal("0.1")),
        ("1e20", Decimal("1E+20")),
    ],
)
def test_what_the_engine_gives(text, result):
    found = evaluate(text)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize("value", [[], [1], [1, 2], [[1]], [{"a": 1}, {"a": 2}]])
def test_the_value_may_be_an_array(value):
    assert evaluate("$", value) is value
    assert evaluate("{'all': $count($)}.all", value) == len(value)
    assert evaluate("$count($)", value) == len(value)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("nothing", False),
        ("remark", False),
        ("''", False),
        ("0", False),
        ("{}", False),
        ("[]", False),
        ("[0, '']", False),
        ("[0, 'a']", True),
        ("items", True),
        ("totalAmount", True),
        ("nothing > 100", False),
        ("orderNo != 'PRESALE'", True),
        ("$exists(waybillNo)", False),
        ("$sum", False),
    ],
)
def test_truth_is_jsonatas(text, result):
    assert holds(text) is result


def test_an_answer_of_a_target_is_judged_over_status_headers_and_body():
    value = {"status": 200, "headers": {"content-type": "application/json"}, "body": {"code": 40901}}
    assert holds("status < 300 and body.code in [0, 200]", value) is False
    assert holds("body.code = 40901", value) is True


# The traps, by name


def test_trap_doubles_whole_numbers_beyond_two_to_the_53_go_in_as_text():
    assert evaluate("$string(id)") == "1234567890123456789"
    assert evaluate("(id)") == "1234567890123456789"
    assert evaluate("$type(big)", {"big": 2**53}) == "number"
    assert evaluate("$string(big)", {"big": 2**70}) == str(2**70)


def test_trap_doubles_fractions_keep_their_digits_or_are_text():
    assert evaluate("(items[0].price)") == 99
    assert evaluate("(exact)") == "12345678901234.567890"
    assert evaluate("$type(exact)") == "string"


def test_trap_doubles_results_have_fifteen_digits():
    assert evaluate("0.1 + 0.2") == Decimal("0.3")
    assert evaluate("19.99 * 100") == 1999
    assert evaluate("10 / 4") == Decimal("2.5")
    assert evaluate("1 / 3") == Decimal("0.333333333333333")


@pytest.mark.parametrize("text", ["1/0", "0/0", "$power(10, 308) * 100", "[1, 1/0]", "{'a': -1/0}"])
def test_trap_infinity_is_never_a_result(text):
    why = fails(text)
    assert why.reason is Reason.TRANSFORM_ERROR


def test_trap_thread_an_expression_works_in_every_thread():
    expression = compile_expression("$sum(items.quantity) & '/' & orderNo")
    results = []
    threads = [threading.Thread(target=lambda: results.append(expression.evaluate(ORDER, now=NOW))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # When the threads and their caches are gone, then nothing was dropped in the wrong thread: a warning would be an
    # error here
    gc.collect()
    assert results == ["3/OMS202511220001"] * 4


def test_trap_panic_is_a_dead_delivery_and_not_a_dead_worker():
    # Given an engine of another thread in this thread's cache: it panics, with what is no Exception
    text, made, done, foreign = "1 + panic", threading.Event(), threading.Event(), []

    def make():
        foreign.append(_compiled(text, CONDITION_MS))
        made.set()
        done.wait(10)
        foreign.clear()

    thread = threading.Thread(target=make)
    thread.start()
    made.wait(10)
    condition = compile_expression(text)
    engines = expression._local.engines
    own = engines[text, CONDITION_MS]
    engines[text, CONDITION_MS] = foreign[0]
    # When it is used, then the delivery is given up
    with pytest.raises(GiveUp, match="broke the engine"):
        condition.evaluate({"panic": 1}, now=NOW)
    # Then the next one works; the foreign engine is let go by its own thread
    engines[text, CONDITION_MS] = own
    assert condition.evaluate({"panic": 1}, now=NOW) == 2
    done.set()
    thread.join()


def test_trap_determinism_now_is_when_the_message_came():
    assert evaluate("$now()") == "2026-06-01T09:30:00.250Z"
    assert evaluate("$millis()") == 1780306200250
    assert evaluate("[1,2].($now())") == ["2026-06-01T09:30:00.250Z"] * 2
    assert evaluate("($f := $now; $f())") == "2026-06-01T09:30:00.250Z"
    assert evaluate("$map([1], function($i){$millis()})") in (1780306200250, [1780306200250])


@pytest.mark.parametrize(
    "text",
    [
        "$random()",
        "$shuffle([1,2])",
        "($r := $random; $r())",
        "$map([1], $random)",
        "[1,2] ~> $shuffle()",
        "$now('[Y]')",
    ],
)
def test_trap_determinism_chance_is_refused(text):
    assert fails(text).reason is Reason.TRANSFORM_ERROR


@pytest.mark.parametrize("text", ["$eval(field)", "field ~> $eval()", "($e := $eval; $e('1'))"])
def test_b73_data_is_never_run(text):
    why = fails(text, {"field": "1 + 1"})
    assert why.reason is Reason.TRANSFORM_ERROR
    assert "never run" in why.text


@pytest.mark.parametrize("text", ["{{ ''.__class__ }}", "__import__('os')", "{0.__globals__}"])
def test_b73_what_other_languages_run_is_refused_or_finds_nothing(text):
    try:
        assert evaluate(text, {}) is MISSING
    except (ValueError, GiveUp):
        return


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($x){$f($x)}; $f(1))",
        "($f := function($x){1 + $f($x + 1)}; $f(1))",
        "[1..1e9]",
        "[1..10000000]",
        "($f := function($x){$f($x & $x)}; $f('a'))",
        "$map([1..9999], function($i){$map([1..9999], function($j){$i * $j})})",
    ],
)
def test_trap_no_time_limit_unless_given(text):
    assert fails(text).reason is Reason.TRANSFORM_TIMEOUT


def test_trap_regex_bombs_are_linear():
    assert holds("$contains(text, /^(a+)+$/)", {"text": "a" * 5_000 + "!"}) is False


@pytest.mark.parametrize("text", ["$pad('a', 100000000)", "$replace(s, 'x', s & s & s & s)"])
def test_trap_memory_is_capped_where_the_time_limit_is_none(text):
    why = fails(text, {"s": "x" * 1_000})
    assert "at most 1000000 characters" in why.text


def test_trap_memory_a_result_is_measured():
    assert "too large" in fails("$join([1..20].($$.s))", {"s": "x" * 600_000}).text


def test_trap_nesting_of_a_result_is_measured():
    assert fails("($f := function($n){$n = 0 ? 1 : [[$f($n - 1)]]}; $f(80))").reason is Reason.TRANSFORM_ERROR


def test_trap_a_compiled_engine_is_dropped_with_its_cache_when_it_is_full(monkeypatch):
    monkeypatch.setattr("hub.core.expressions.expression.MAX_ENGINES", 2)
    assert [evaluate(f"1 + {number}") for number in range(6)] == [1, 2, 3, 4, 5, 6]


def test_trap_errors_do_not_repeat_values():
    for text in (
        "$number(phone)",
        "phone - 1",
        "$dec_add(phone, 1)",
        "$date(phone, 'rfc3339', 'rfc3339')",
        "$toMillis(phone)",
    ):
        why = fails(text, {"phone": "+86 138-0013"})
        assert "138" not in why.text + why.fix
        assert why.reason is Reason.TRANSFORM_ERROR


def test_trap_null_in_a_comparison_cannot_be_decided():
    assert "null" in fails("totalAmount > 100", {"totalAmount": None}).text


@pytest.mark.parametrize("depth", [200, 900, 5_000])
def test_b74_deep_texts_do_not_exhaust_the_stack(depth):
    for text in (
        "(" * depth + "1" + ")" * depth,
        "1" + "+1" * depth,
        "-" * depth + "1",
        "a" + "[a" * depth + "]" * depth,
    ):
        try:
            compile_expression(text)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "consignee.name"),
        ("  ", "consignee.name"),
        ("a +", "ends too early"),
        ("a.0x", "S0"),
        ("x" * 10_001, "at most 10000"),
        ("$summ(items.quantity)", "did you mean \\$sum"),
        ("a) or (b", "S0201|S0202|nothing may"),
    ],
)
def test_a_wrong_expression_is_refused_when_it_is_read(text, reason):
    with pytest.raises(ValueError, match=reason):
        compile_expression(text)


def test_what_looks_like_an_unknown_function_but_is_none():
    assert evaluate("($f := function($g){$g(1)}; $f(function($x){$x + 1}))") == 2
    assert evaluate("'$nofunction(1)'") == "$nofunction(1)"


# Our own functions


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$dec_add('0.1', '0.2')", "0.3"),
        ("$dec_add(items.price)", "99.1"),
        ("$dec_add('1.10', 2, '3')", "6.10"),
        ("$dec_mul('19.99', '100')", "1999.00"),
        ("$dec_mul(items[0].price, items[0].quantity)", "198"),
        ("$dec_add(exact, '0.000010')", "12345678901234.567900"),
        ("$dec_round('2.675', 2)", "2.68"),
        ("$dec_round('2.665', 2)", "2.66"),
        ("$dec_round('2.5', 0)", "2"),
        ("$dec_round(totalAmount, 2)", "198.00"),
        ("$dec_round(1e-7, 8)", "0.00000010"),
        ("$dec_round(nothing, 2)", MISSING),
        ("'a' & $dec_round(nothing, 2)", MISSING),
        ("$dec_add(totalAmount, nothing)", MISSING),
        ("$table('priority', 'URGENT')", "HIGH"),
        ("$table('priority', 1)", "ONE"),
        ("$table('priority', true)", "YES"),
        ("$table('priority', nothing)", MISSING),
        ("$mask(consignee.phone)", "138****8000"),
        ("$mask('张三')", "**"),
        ("$mask(nothing)", MISSING),
        ("$uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')", "2ed6657d-e927-568b-95e1-2665a8aea6a2"),
        ("$uuid5('order', orderNo) = $uuid5('order', orderNo)", True),
        (
            "$date('2025-11-22 10:00:00', 'yyyy-MM-dd HH:mm:ss', 'rfc3339', 'Asia/Shanghai')",
            "2025-11-22T10:00:00+08:00",
        ),
        ("$date('2025-11-22T10:00:00', 'yyyy-MM-ddTHH:mm:ss', 'epoch_ms', 'Asia/Shanghai')", 1763776800000),
        ("$date('2025-11-22T10:00:00+08:00', 'rfc3339', 'yyyyMMdd', 'UTC')", "20251122"),
        ("$date('2025-11-22T10:00:00.5Z', 'rfc3339', 'HH:mm:ss.SSSXXX', 'Asia/Shanghai')", "18:00:00.500+08:00"),
        ("$date(1763776800000, 'epoch_ms', 'rfc3339', 'Asia/Shanghai')", "2025-11-22T10:00:00+08:00"),
        ("$date('1763776800', 'epoch_s', 'rfc3339')", "2025-11-22T02:00:00+00:00"),
        ("$date('2025-11-22 10:00 -05:00', 'yyyy-MM-dd HH:mm XXX', 'rfc3339', 'UTC')", "2025-11-22T15:00:00+00:00"),
        ("$pad('7', -3, '0')", "007"),
        ("$pad('ab', 5, 'xy')", "abxyx"),
        ("$pad(nothing, 3)", MISSING),
        ("$replace('a-b-c', '-', '+')", "a+b+c"),
        ("$replace('a-b-c', '-', '+', 1)", "a+b-c"),
        ("$join($split('a1b2', /[0-9]/), '.')", "a.b."),
    ],
)
def test_our_functions(text, result):
    assert evaluate(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$replace('SF1-234', /[0-9]+/, '#')", "SF#-#"),
        ("$replace('SF1-234', /[0-9]+/, '#', 1)", "SF#-234"),
        ("$replace('Zhang San', /(\\w+)\\s(\\w+)/, '$2 $1')", "San Zhang"),
        ("$replace('a-b', /[a-z]/, function($m){$uppercase($m.match)})", "A-B"),
        ("($digits := /[0-9]/; $replace('a1', $digits, ''))", "a"),
        ("'a1' ~> $replace(/[0-9]/, '')", "a"),
        ("$map(['a1', 'b2'], function($v){$replace($v, /[0-9]/, '')})", ["a", "b"]),
    ],
)
def test_replace_takes_regular_expressions_and_functions(text, result):
    assert evaluate(text) == result


def test_what_a_picture_leaves_out_is_taken_from_the_message_not_from_today():
    for picture, value, day in [
        ("[H]:[m]", "13:45", f"{NOW:%Y-%m-%d}T13:45"),
        ("[D]/[M]", "3/7", f"{NOW:%Y}-07-03T00:00"),
        ("[D]", "3", f"{NOW:%Y-%m}-03T00:00"),
        ("[Y]/[M]", "2020/2", "2020-02-01T00:00"),
    ]:
        assert evaluate(f"$fromMillis($toMillis('{value}', '{picture}'))").startswith(day)
        assert evaluate(f"($picture := '{picture}'; $fromMillis($toMillis('{value}', $picture)))").startswith(day)
    # Without a picture, and with the text from the context, it stays the engine's
    assert evaluate("times.$toMillis()", {"times": ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"]}) == [
        1577836800000,
        1577923200000,
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$dec_add('1.234,56', 1)", "no decimal"),
        ("$dec_add('１', 1)", "no decimal"),
        ("$dec_add(true, 1)", "no decimal"),
        ("$dec_round('1', -1)", "0 to 400"),
        ("$dec_round('1', 1e9)", "0 to 400"),
        ("$table('nosuch', 1)", "no table"),
        ("$date('2025-02-30', 'yyyy-MM-dd', 'rfc3339')", "no such day"),
        ("$date('2025-1-1', 'yyyy-MM-dd', 'rfc3339')", "not written as"),
        ("$date('2025-11-22T10:00:00', 'rfc3339', 'yyyy')", "RFC 3339"),
        ("$date('2025-11-22', 'yyyy-MM-dd', 'rfc3339', 'Mars/Base')", "no time zone"),
        ("$date('2025-03-30 02:30', 'yyyy-MM-dd HH:mm', 'rfc3339', 'Europe/Berlin')", "put forward"),
        ("$date('2025-11-22', 'yyyy-MM-dd', 'rfc3339', '../../etc/passwd')", "no time zone"),
        ("$date(1e300, 'epoch_s', 'rfc3339')", "cannot use"),
        ("$replace('a', $split, 'b')", "a text, a pattern"),
        ("$replace('a', '', 'b')", "not empty"),
        ("$replace('a', 'a', 'b', null)", "limit"),
        ("$replace('a', 'a', 'b', -1)", "limit"),
        ("$toMillis('3', '[F1]')", "needs a year"),
        ("'a' & $encodeUrl()", "$encodeUrl(field)"),
    ],
)
def test_our_functions_say_what_is_wrong(text, said):
    assert said in fails(text).text


def test_a_code_that_no_table_has_is_a_codelist_miss():
    why = fails("$table('priority', orderNo)")
    assert why.reason is Reason.CODELIST_MISS
    assert "priority" in why.text


ORACLE = [
    "orderNo",
    "consignee.name",
    "items.sku",
    "items[0].sku",
    "items[-1].sku",
    "items[quantity > 1].sku",
    "$sum(items.quantity)",
    "$count(items)",
    "$max(items.quantity)",
    "$average(items.quantity)",
    "items.(quantity * 2)",
    "items.{'s': sku}",
    "items{sku: quantity}",
    "$join(items.sku, ',')",
    "$map(items, function($i){$i.sku})",
    "$filter(items, function($i){$i.quantity = 1})",
    "$reduce(items.quantity, function($a, $b){$a + $b})",
    "$sort(items.sku, function($a, $b){$a < $b})",
    "items^(>quantity).sku",
    "$uppercase(consignee.name & 'x')",
    "$substring(orderNo, 3, 4)",
    "$substringBefore(orderNo, '2')",
    "$contains(orderNo, 'OMS')",
    "$split('a,b,c', ',')",
    "$keys(consignee)",
    "$lookup(consignee, 'phone')",
    "$merge([consignee, {'x': 1}])",
    "$string(items[0])",
    "$number('12.5') + 1",
    "orderNo in ['a', 'b'] or items[0].quantity = 2",
    "$exists(nothing) ? 1 : 2",
    "($x := items[0]; $x.sku & $x.quantity)",
    "$round(2.5) & $floor(1.9) & $ceil(1.1) & $abs(-3)",
    "$distinct([1, 2, 2, 3])",
    "$reverse(items.sku)",
    "**.sku",
    "consignee.*",
]


@pytest.mark.parametrize("text", ORACLE)
def test_the_engine_agrees_with_a_second_one(text):
    value = {
        "orderNo": "OMS2025",
        "consignee": {"name": "zhang", "phone": "138"},
        "items": [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}],
    }
    oracle = jsonata.Jsonata(text).evaluate(value)
    found = evaluate(text, value)
    assert (None if found is MISSING else found) == oracle
