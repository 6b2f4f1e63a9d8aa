"""Mappings: every key of the language, what is left out, what is refused, and that nothing is lost or changed on the
way.
"""

import copy
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hub.core.analysis.examples import check_example
from hub.core.config.mapping import BadMapping, Example, compile_mapping
from hub.core.errors import GiveUp, Reason
from hub.core.json import decode, encode
from hub.core.message import Ref

NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
SOURCE = {
    "orderNo": "OMS202511220001",
    "warehouseCode": "WH001",
    "timeRequirement": "URGENT",
    "giftMessage": "hi",
    "totalAmount": Decimal("198.00"),
    "customerId": 1234567890123456789,
    "items": [
        {"sku": "SKU001", "quantity": 2, "price": Decimal("99.00"), "lot": 9007199254740993},
        {"sku": "SKU002", "quantity": 1, "price": Decimal("0.10")},
    ],
    "consignee": {"name": "张三", "phone": "13800138000", "idCard": "110101190001011234"},
    "remark": None,
}


def mapping(fields, **more):
    return compile_mapping(
        {"from": "oms/outbound.requested@1", "to": "wms/outbound.create@1", "fields": fields, **more}
    )


def apply(fields, source=SOURCE, **more):
    return mapping(fields, **more).apply(source, now=NOW)


def why(fields, source=SOURCE, **more):
    with pytest.raises(GiveUp) as caught:
        apply(fields, source, **more)
    return caught.value.why


def faults(fields, **more):
    with pytest.raises(BadMapping) as caught:
        mapping(fields, **more)
    return caught.value.faults


def test_the_example_of_the_language_works_as_shown():
    fields = {
        "orderNo": "orderNo",
        "warehouseCode": "warehouseCode",
        "priority": {"table": "priority", "of": "timeRequirement", "otherwise": "NORMAL"},
        "items": {"each": "items", "fields": {"sku": "sku", "quantity": "quantity", "batchNo": "batchNo"}},
        "consignee": {"copy": "consignee", "except": ["idCard"]},
        "remark": {"when": "giftMessage", "value": "'Gift: ' & giftMessage"},
        "source": {"const": "CROSSDOCK"},
    }
    made = mapping(fields, tables={"priority": {"URGENT": "HIGH", "EXPRESS": "HIGH", "STANDARD": "NORMAL"}})
    assert made.source == Ref("oms", "outbound.requested", 1)
    assert made.target == Ref("wms", "outbound.create", 1)
    assert made.apply(SOURCE, now=NOW) == {
        "orderNo": "OMS202511220001",
        "warehouseCode": "WH001",
        "priority": "HIGH",
        "items": [{"sku": "SKU001", "quantity": 2}, {"sku": "SKU002", "quantity": 1}],
        "consignee": {"name": "张三", "phone": "13800138000"},
        "remark": "Gift: hi",
        "source": "CROSSDOCK",
    }


def test_ids_of_19_digits_and_amounts_arrive_as_they_were_sent():
    raw = b'{"id":1234567890123456789,"amount":198.00,"exact":12345678901234.567890,"lines":[{"lot":9007199254740993,"price":0.10}]}'
    fields = {
        "id": "id",
        "amount": "amount",
        "exact": "exact",
        "lines": {"each": "lines", "fields": {"lot": "lot", "price": "price"}},
    }
    assert encode(apply(fields, decode(raw))) == raw


def test_a_source_is_never_changed():
    before = copy.deepcopy(SOURCE)
    fields = {
        "c": {"copy": "consignee", "except": ["phone"]},
        "i": {"each": "items", "fields": {"q": "quantity * 2"}},
        "s": "$sort(items.sku)",
        "all": "$",
    }
    apply(fields)
    assert before == SOURCE


def test_a_leaf_that_gives_nothing_is_left_out_and_null_is_kept():
    made = apply(
        {
            "a": "nothing",
            "b": "remark",
            "c": "nothing & ''",
            "d": {"e": "nothing"},
            "f": {"e": "orderNo", "g": "nothing"},
            "h": "nothing + 1",
        }
    )
    assert made == {"b": None, "c": "", "f": {"e": "OMS202511220001"}}


def test_a_mapping_that_makes_nothing_makes_an_empty_object():
    assert apply({"a": "nothing"}) == {}


def test_nested_fields_are_the_shape_of_the_target():
    assert apply({"head": {"ids": {"order": "orderNo"}, "x": {"const": None}}}) == {
        "head": {"ids": {"order": "OMS202511220001"}, "x": None}
    }


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ({"items": [{"sku": "A"}]}, [{"sku": "A"}]),
        ({"items": {"sku": "A"}}, [{"sku": "A"}]),
        ({"items": []}, []),
        ({"items": [{"sku": "A"}, {}, {"sku": "B"}]}, [{"sku": "A"}, {}, {"sku": "B"}]),
    ],
)
def test_each_always_makes_an_array_and_loses_no_element(source, made):
    assert apply({"items": {"each": "items", "fields": {"sku": "sku"}}}, source) == {"items": made}


@pytest.mark.parametrize("source", [{}, {"items": None}])
def test_each_over_nothing_is_left_out(source):
    assert apply({"items": {"each": "items", "fields": {"sku": "sku"}}}, source) == {}


def test_inside_each_the_whole_source_is_a_binding_and_the_path_through_it_is_lossless():
    fields = {
        "items": {
            "each": "items[quantity > 0]",
            "fields": {
                "key": "$source.orderNo & '/' & sku",
                "customer": "$source.customerId",
                "self": "$$.sku",
                "parts": {"each": "$source.items", "value": "sku"},
            },
        },
        "order": "$source.orderNo",
    }
    made = apply(fields)
    assert made["order"] == "OMS202511220001"
    assert made["items"][1] == {
        "key": "OMS202511220001/SKU002",
        "customer": 1234567890123456789,
        "self": "SKU002",
        "parts": ["SKU001", "SKU002"],
    }


def test_each_may_make_plain_values():
    assert apply({"skus": {"each": "items", "value": "sku"}, "plus": {"each": "items.quantity", "value": "$ + 1"}}) == {
        "skus": ["SKU001", "SKU002"],
        "plus": [3, 2],
    }


def test_copy_takes_an_object_or_an_array_of_objects_without_the_named_fields():
    assert apply({"c": {"copy": "consignee"}}) == {"c": SOURCE["consignee"]}
    assert apply({"i": {"copy": "items", "except": ["price", "lot"]}})["i"] == [
        {"sku": "SKU001", "quantity": 2},
        {"sku": "SKU002", "quantity": 1},
    ]
    assert apply({"c": {"copy": "nothing", "except": ["x"]}}) == {}


TABLES = {"t": {"A": "first", "1": "one", "true": "yes", "1.5": "half", "null": "never", "": "empty"}}


@pytest.mark.parametrize(
    ("value", "made"),
    [("A", "first"), (1, "one"), (True, "yes"), (Decimal("1.0"), "one"), (Decimal("1.50"), "half"), ("", "empty")],
)
def test_a_table_is_asked_by_the_text_of_the_value(value, made):
    assert apply({"x": {"table": "t", "of": "v"}, "y": "$table('t', v)"}, {"v": value}, tables=TABLES)["x"] == made


@pytest.mark.parametrize("value", ["B", "a", " A", False, None, 2, ["A"], {"A": 1}])
def test_a_code_without_a_row_is_a_codelist_miss_and_never_passed_on(value):
    reason = why({"head": {"x": {"table": "t", "of": "v"}}}, {"v": value}, tables=TABLES)
    assert reason.reason is Reason.CODELIST_MISS
    assert reason.field == "/head/x"
    assert reason.fix


def test_otherwise_stands_for_every_code_without_a_row():
    for source in ({"v": "B"}, {"v": None}, {}, {"v": [1]}):
        assert apply({"x": {"table": "t", "of": "v", "otherwise": "OTHER"}}, source, tables=TABLES) == {"x": "OTHER"}
    assert apply({"x": {"table": "t", "of": "v", "otherwise": None}}, {"v": "B"}, tables=TABLES) == {"x": None}


def test_a_table_asked_for_nothing_gives_nothing():
    assert apply({"x": {"table": "t", "of": "v"}, "y": "$table('t', v)"}, {}, tables=TABLES) == {}


def test_the_function_table_works_within_an_expression_and_names_the_field_it_fails_at():
    assert apply({"x": "'<' & $table('t', v) & '>'"}, {"v": "A"}, tables=TABLES) == {"x": "<first>"}
    reason = why(
        {"l": {"each": "l", "fields": {"x": "$table('t', v)"}}}, {"l": [{"v": "A"}, {"v": "B"}]}, tables=TABLES
    )
    assert (reason.reason, reason.field) == (Reason.CODELIST_MISS, "/l/1/x")


@pytest.mark.parametrize(("gift", "made"), [("hi", {"r": "Gift: hi"}), ("", {}), (None, {})])
def test_when_makes_its_value_or_nothing(gift, made):
    assert apply({"r": {"when": "giftMessage", "value": "'Gift: ' & giftMessage"}}, {"giftMessage": gift}) == made


def test_when_takes_any_leaf_as_its_value():
    assert apply({"r": {"when": "items", "value": {"each": "items", "value": "sku"}}}) == {"r": ["SKU001", "SKU002"]}


def test_a_target_may_have_fields_that_are_called_like_keys_of_the_language():
    assert apply({"a": {"when": "orderNo", "each": "warehouseCode", "of": "orderNo"}}) == {
        "a": {"when": SOURCE["orderNo"], "each": "WH001", "of": SOURCE["orderNo"]}
    }


def test_const_is_any_value():
    assert apply({"a": {"const": ["x", {"y": 1}]}, "b": {"const": False}}) == {"a": ["x", {"y": 1}], "b": False}


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"a": {"b": "orderNo - 1"}}, Reason.TRANSFORM_ERROR, "/a/b"),
        ({"a": "1 / 0"}, Reason.TRANSFORM_ERROR, "/a"),
        ({"a": "($f := function($x){$f($x)}; $f(1))"}, Reason.TRANSFORM_TIMEOUT, "/a"),
        ({"i": {"each": "items", "fields": {"x": "sku - 1"}}}, Reason.TRANSFORM_ERROR, "/i/0/x"),
        ({"r": {"when": "orderNo > 1", "value": "orderNo"}}, Reason.TRANSFORM_ERROR, "/r"),
        ({"a": "$pad('x', 1000001)"}, Reason.TRANSFORM_ERROR, "/a"),
    ],
)
def test_b75_b76_what_cannot_be_made_names_the_targets_field(fields, reason, field):
    found = why(fields)
    assert (found.reason, found.field) == (reason, field)


def test_b75_a_result_is_not_larger_than_a_message():
    found = why({"a": {"each": "l", "value": {"each": "$source.l", "value": "$source.l"}}}, {"l": list(range(100))})
    assert found.reason is Reason.TRANSFORM_ERROR
    assert "100000 values" in found.text


def test_now_is_when_the_message_was_received():
    assert apply({"at": "$now()"}) == {"at": "2026-06-01T09:30:00.000Z"}


@pytest.mark.parametrize(
    ("document", "path", "text"),
    [
        ({"fields": {"a": "b +"}}, ("fields", "a"), "ends too early"),
        ({"fields": {"a": {"b": {"c": "$nofun(1)"}}}}, ("fields", "a", "b", "c"), "no function"),
        ({"fields": {"a": 5}}, ("fields", "a"), "no expression"),
        ({"fields": {"a": ["b"]}}, ("fields", "a"), "no expression"),
        ({"fields": {"a": None}}, ("fields", "a"), "no expression"),
        (
            {"fields": {"a": {"table": "prio", "of": "b"}}, "tables": {"priority": {}}},
            ("fields", "a", "table"),
            "no table",
        ),
        ({"fields": {"a": "$table('prio', b)"}, "tables": {"priority": {}}}, ("fields", "a"), "no table"),
        ({"fields": {"a": {"each": "b", "fields": {"c": "("}}}}, ("fields", "a", "fields", "c"), "ends too early"),
        ({"fields": {"a": {"copy": "b", "except": "c"}}}, ("fields", "a", "except"), "list of names"),
        ({"fields": {"a": {"when": True, "value": "b"}}}, ("fields", "a", "when"), "no expression"),
        ({"fields": "a"}, ("fields",), "by name"),
        ({}, (), "fields is missing"),
        ({"fields": {}, "feilds": {}}, ("feilds",), "unknown key"),
        ({"fields": {}, "from": "oms"}, ("from",), "system/message@version"),
        ({"fields": {}, "tables": {"t": ["a"]}}, ("tables", "t"), "no list"),
        ({"fields": {}, "examples": [{"given": {}}]}, ("examples", 0), "expect or exactly"),
        ({"fields": {}, "examples": {}}, ("examples",), "a list"),
    ],
)
def test_a_wrong_mapping_is_refused_at_its_place(document, path, text):
    with pytest.raises(BadMapping) as caught:
        compile_mapping({"from": "a/b@1", "to": "c/d@1", **document})
    found = [fault for fault in caught.value.faults if fault.path == path or fault.path[: len(path)] == path]
    assert any(text in fault.text for fault in found), caught.value.faults


def test_all_faults_are_listed_at_once():
    found = faults({"a": "(", "b": {"c": ")"}, "d": {"table": "nosuch", "of": "e"}})
    assert {fault.path for fault in found} == {("fields", "a"), ("fields", "b", "c"), ("fields", "d", "table")}


def test_leaves_are_listed_for_the_static_check():
    made = mapping({"a": "orderNo", "b": {"c": "x + 1"}, "d": {"each": "items", "fields": {"e": "sku"}}})
    assert list(made.leaves()) == [("/a", "orderNo"), ("/b/c", "x + 1"), ("/d", "items"), ("/d/*/e", "sku")]


@pytest.mark.parametrize(
    ("example", "made", "differences"),
    [
        (Example({}, expect={"a": 1}), {"a": 1, "b": 2}, []),
        (Example({}, exactly={"a": 1}), {"a": 1, "b": 2}, ["/b: made 2, but the example does not have it"]),
        (Example({}, expect={"a": {"b": [{"c": 1}]}}), {"a": {"b": [{"c": 1, "d": 2}]}}, []),
        (Example({}, expect={"a": {"b": [1, 2]}}), {"a": {"b": [1]}}, ["/a/b: wanted 2 elements, made 1"]),
        (Example({}, expect={"a": "x"}), {}, ["/a: wanted 'x', but the mapping made nothing"]),
        (Example({}, expect={"a": 1}), {"a": True}, ["/a: wanted 1, made True"]),
        (Example({}, expect={"a": 0.1}), {"a": Decimal("0.1")}, []),
        (Example({}, expect={"a": Decimal("198.0")}), {"a": 198}, []),
        (Example({}, expect={"a": None}), {"a": None}, []),
        (Example({}, expect={"a": [1]}), {"a": "1"}, ["/a: wanted [1], made '1'"]),
        (Example({}, exactly={}), {}, []),
    ],
)
def test_an_example_is_a_subset_or_the_whole_and_says_what_differs(example, made, differences):
    assert check_example(example, made) == differences


def test_examples_are_read_with_the_mapping():
    made = mapping(
        {"a": "orderNo"},
        examples=[
            {"given": {"orderNo": "A"}, "expect": {"a": "A"}},
            {"given": "adapters/x.json", "exactly": {"a": "B"}},
        ],
    )
    assert made.examples == (
        Example({"orderNo": "A"}, expect={"a": "A"}),
        Example("adapters/x.json", exactly={"a": "B"}),
    )
