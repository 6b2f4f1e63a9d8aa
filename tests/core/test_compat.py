"""Two contracts compared: each change with its effect, and a document that proves it; a verdict of safe is never wrong."""

import copy
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.compat import Effect, compare
from hub.core.contract import compile_contract
from hub.core.message import Ref
from hub.core.specimen import specimen

REF = Ref("oms", "order.created", 1)
BASE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["no", "items"],
    "properties": {
        "no": {"type": "string", "maxLength": 20, "pattern": "^[A-Z0-9-]+$"},
        "level": {"enum": ["GOLD", "SILVER"]},
        "total": {"type": "number", "minimum": 0, "maximum": 1000},
        "note": {"type": ["string", "null"], "minLength": 2},
        "day": {"type": "string", "format": "date"},
        "address": {"$ref": "#/$defs/address"},
        "items": {"type": "array", "minItems": 1, "maxItems": 50, "items": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}}}},
    },
    "$defs": {"address": {"type": "object", "additionalProperties": False, "required": ["city"], "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}}},
}  # fmt: skip


def changed(*steps, value=None, remove=False):
    made = copy.deepcopy(BASE)
    here = made
    for step in steps[:-1]:
        here = here[step]
    if remove:
        del here[steps[-1]]
    else:
        here[steps[-1]] = value
    return made


def compared(new, old=BASE):
    return compare(compile_contract(REF, old), compile_contract(REF, new))


P = "properties"
CHANGES = [
    (changed("required", value=["no", "items", "level"]), "/level", Effect.NARROWS),
    (changed("required", value=["items"]), "/no", Effect.WIDENS),
    (changed(P, "no", "maxLength", value=10), "/no", Effect.UNDECIDED),  # with its pattern, no small text shows it
    (changed(P, "note", "minLength", value=5), "/note", Effect.NARROWS),
    (changed(P, "note", "type", value="string"), "/note", Effect.NARROWS),
    (changed(P, "level", "enum", value=["GOLD"]), "/level", Effect.NARROWS),
    (changed(P, "level", "enum", value=["GOLD", "SILVER", "BRONZE"]), "/level", Effect.WIDENS),
    (changed(P, "total", "maximum", value=500), "/total", Effect.NARROWS),
    (changed(P, "total", "maximum", value=5000), "/total", Effect.WIDENS),
    (changed(P, "total", "minimum", remove=True), "/total", Effect.WIDENS),
    (changed(P, "total", "type", value="integer"), "/total", Effect.NARROWS),
    (changed(P, "day", "format", remove=True), "/day", Effect.WIDENS),
    (changed(P, "day", "format", value="date-time"), "/day", Effect.UNDECIDED),
    (changed(P, "items", "minItems", value=2), "/items", Effect.NARROWS),
    (changed(P, "items", "maxItems", value=60), "/items", Effect.WIDENS),
    (changed(P, "items", "items", "required", value=["sku", "quantity"]), "/items/*/quantity", Effect.NARROWS),
    (changed(P, "items", "items", P, "quantity", "minimum", value=0), "/items/*/quantity", Effect.WIDENS),
    (changed("$defs", "address", "required", value=["city", "zip"]), "/address/zip", Effect.NARROWS),
    (changed(P, "gift", value={"type": "boolean"}), "/gift", Effect.WIDENS),
    (changed(P, "level", remove=True), "/level", Effect.NARROWS),
    (changed("additionalProperties", value=True), "/somethingElse", Effect.WIDENS),
    (changed(P, "no", "x-pii", value="id"), "/no", Effect.SAME),
    (changed(P, "note", "not", value={"const": "x"}), "/note", Effect.UNDECIDED),
]


@pytest.mark.parametrize(("new", "pointer", "effect"), CHANGES, ids=[f"{case[1]}-{case[2].value}-{number}" for number, case in enumerate(CHANGES)])
def test_each_kind_of_change(new, pointer, effect):
    [change] = compared(new).changes
    assert (change.pointer, change.effect) == (pointer, effect), change
    assert len(change.text) > 10
    # What is told as breaking is shown: taken by one, refused by the other
    if effect in (Effect.NARROWS, Effect.WIDENS):
        old, other = compile_contract(REF, BASE), compile_contract(REF, new)
        takes, refuses = (old, other) if effect is Effect.NARROWS else (other, old)
        assert takes.check(change.example) == []
        assert refuses.check(change.example) != []


def test_nothing_changed_is_safe_for_both():
    found = compared(copy.deepcopy(BASE))
    assert (found.changes, found.safe_for_senders, found.safe_for_receivers) == ((), True, True)


_NODES = st.recursive(
    st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("string")}, optional={"minLength": st.integers(0, 2), "maxLength": st.integers(3, 6), "enum": st.just(["a", "ab"])}
        ),
        st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional={"minimum": st.integers(-3, 0), "maximum": st.integers(0, 4)}),
        st.fixed_dictionaries({"type": st.sampled_from(["boolean", ["string", "null"]])}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 2)),
        st.builds(
            lambda properties, required, closed: {
                "type": "object",
                "properties": properties,
                "required": sorted(set(required) & properties.keys()),
                **({"additionalProperties": False} if closed else {}),
            },
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            st.lists(st.sampled_from("abc"), max_size=2),
            st.booleans(),
        ),
    ),
    max_leaves=6,
)
_DOCUMENTS = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 6), st.sampled_from([Decimal("0.5"), Decimal("-1.5")]), st.sampled_from(["", "a", "ab", "abc", "abcdefg"])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_NODES, _NODES, st.lists(_DOCUMENTS, min_size=10, max_size=20))
def test_a_verdict_of_safe_is_never_wrong(old, new, documents):
    one, other = compile_contract(REF, old), compile_contract(REF, new)
    found = compare(one, other)
    tried = [*documents, specimen(old), specimen(new), *(change.example for change in found.changes)]
    for document in tried:
        before, after = not one.check(document), not other.check(document)
        assert not (found.safe_for_senders and before and not after), document
        assert not (found.safe_for_receivers and after and not before), document


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_NODES)
def test_a_specimen_fits_its_schema(schema):
    assert compile_contract(REF, schema).check(specimen(schema)) == []


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
BEHIND = {
    "additionalProperties": {"additionalProperties": {"$ref": "#/$defs/x"}},
    "patternProperties": {"patternProperties": {"^x": {"$ref": "#/$defs/x"}}},
    "prefixItems": {"properties": {"l": {"type": "array", "prefixItems": [{"$ref": "#/$defs/x"}]}}},
    "not": {"properties": {"l": {"not": {"$ref": "#/$defs/x"}}}},
    "unevaluatedProperties": {"unevaluatedProperties": {"$ref": "#/$defs/x"}},
    "oneOf": {"properties": {"x": {"oneOf": [{"$ref": "#/$defs/x"}]}}},
}


@pytest.mark.parametrize("word", sorted(BEHIND))
def test_what_changed_behind_a_reference_is_never_called_safe(word):
    before, after = ({"type": "object", **BEHIND[word], "$defs": {"x": kind}} for kind in (TEXT, WHOLE))
    assert compared(after, before).safe_for_senders is not True
    assert compared(copy.deepcopy(before), before).safe_for_senders is True


@pytest.mark.parametrize(
    ("before", "after"), [({"enum": [1]}, {"enum": [True]}), ({"const": 0}, {"const": False}), ({"enum": [0, 1]}, {"enum": [False, True]})]
)
def test_a_number_is_not_true_or_false(before, after):
    found = compared({"type": "object", "properties": {"x": after}}, {"type": "object", "properties": {"x": before}})
    assert found.safe_for_senders is False
    assert found.safe_for_receivers is False


def test_a_rule_of_the_same_words_and_another_expression_is_a_change():
    before, after = ({"type": "object", "properties": {"a": WHOLE}, "x-consistent": {"a is right": rule}} for rule in ("a > 0", "a > 100"))
    assert compared(after, before).safe_for_senders is None
