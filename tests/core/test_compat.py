"""Two contracts compared: each change with its effect, and a document that proves it; a verdict of safe is never
wrong.
"""

import copy
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.message import Ref
from hub.core.schemas.change_effects import Effect
from hub.core.schemas.compat import Verdict, compare
from hub.core.schemas.contract import compile_contract
from hub.core.schemas.specimen import specimen

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
    (changed(P, "no", "maxLength", value=10), "/no", Effect.NARROWS),  # shown by a text of its pattern
    (changed(P, "note", "minLength", value=5), "/note", Effect.NARROWS),
    (changed(P, "note", "type", value="string"), "/note", Effect.NARROWS),
    (changed(P, "level", "enum", value=["GOLD"]), "/level", Effect.NARROWS),
    (changed(P, "level", "enum", value=["GOLD", "SILVER", "BRONZE"]), "/level", Effect.WIDENS),
    (changed(P, "total", "maximum", value=500), "/total", Effect.NARROWS),
    (changed(P, "total", "maximum", value=5000), "/total", Effect.WIDENS),
    (changed(P, "total", "minimum", remove=True), "/total", Effect.WIDENS),
    (changed(P, "total", "type", value="integer"), "/total", Effect.NARROWS),
    (changed(P, "day", "format", remove=True), "/day", Effect.WIDENS),
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


@pytest.mark.parametrize(
    ("new", "pointer", "effect"),
    CHANGES,
    ids=[f"{case[1]}-{case[2].value}-{number}" for number, case in enumerate(CHANGES)],
)
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


A, B = Effect.NARROWS, Effect.WIDENS
TEXT_, WHOLE_, NUMBER_ = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def event(kind, required=("kind",), **fields):
    return {"type": "object", "required": [*required], "properties": {"kind": {"const": kind}, **fields}}


PAID, SENT = event("paid", sum=WHOLE_), event("sent", by=TEXT_)
CHOICES = [
    # Branches that a field tells apart, in whatever order, under oneOf or anyOf
    ("the same in another order", {"oneOf": [PAID, SENT]}, {"anyOf": [SENT, PAID]}, Verdict.FULL, []),
    ("a branch more", {"oneOf": [PAID]}, {"oneOf": [PAID, SENT]}, Verdict.BACKWARD, [("", B)]),
    ("a branch less", {"oneOf": [PAID, SENT]}, {"oneOf": [PAID]}, Verdict.FORWARD, [("", A)]),
    ("a field of the second", {"oneOf": [PAID, SENT]}, {"oneOf": [PAID, event("sent", ("kind", "by"), by=TEXT_)]}, Verdict.FORWARD, [("/by", A)]),
    ("a limit of the second", {"oneOf": [PAID, SENT]}, {"oneOf": [PAID, event("sent", by={**TEXT_, "maxLength": 3})]}, Verdict.FORWARD, [("/by", A)]),
    # By type
    ("by type", {"oneOf": [TEXT_, WHOLE_]}, {"oneOf": [{**WHOLE_, "minimum": 3}, TEXT_]}, Verdict.FORWARD, [("", A)]),
    ("by type, one more", {"anyOf": [TEXT_]}, {"oneOf": [TEXT_, WHOLE_]}, Verdict.BACKWARD, [("", B)]),
    # Not told apart: of anyOf each old branch within its new one is enough
    ("wider anyOf", {"anyOf": [{**WHOLE_, "maximum": 3}, {**WHOLE_, "minimum": 9}]}, {"anyOf": [{**WHOLE_, "maximum": 4}, {**WHOLE_, "minimum": 9}]}, Verdict.BACKWARD, [("", B)]),
    ("oneOf that overlaps", {"oneOf": [{**WHOLE_, "maximum": 3}, {**WHOLE_, "minimum": 3}]}, {"oneOf": [{**WHOLE_, "maximum": 4}, {**WHOLE_, "minimum": 3}]}, Verdict.UNDECIDED, [("", Effect.UNDECIDED)]),
    ("a tag that may be missing", {"oneOf": [PAID, event("sent", (), by=TEXT_)]}, {"oneOf": [PAID, event("sent", (), by=WHOLE_)]}, Verdict.UNDECIDED, [("", Effect.UNDECIDED)]),
    ("a choice comes", {"type": ["string", "integer"]}, {"type": ["string", "integer"], "oneOf": [TEXT_, {**WHOLE_, "minimum": 9}]}, Verdict.FORWARD, [("", A)]),
    # allOf and references are laid together, and nothing of them is lost
    ("allOf written flat", {"allOf": [{**WHOLE_, "minimum": 1}, {"minimum": 5}]}, {**WHOLE_, "minimum": 5}, Verdict.FULL, []),
    ("allOf tighter", {"allOf": [{**WHOLE_, "minimum": 1}, {"minimum": 5}]}, {"allOf": [{**WHOLE_, "minimum": 1}, {"minimum": 9}]}, Verdict.FORWARD, [("", A)]),
    ("what one part closes stays closed", {"allOf": [{"properties": {"a": TEXT_}, "additionalProperties": False}, {"properties": {"b": TEXT_}}]}, {"properties": {"a": TEXT_, "b": TEXT_}, "additionalProperties": False}, Verdict.UNDECIDED, None),
    # Ranges
    ("exclusive as inclusive", {**WHOLE_, "minimum": 1, "maximum": 9}, {**WHOLE_, "exclusiveMinimum": 0, "exclusiveMaximum": 10}, Verdict.FULL, []),
    ("exclusive of a number", {**NUMBER_, "minimum": 0}, {**NUMBER_, "exclusiveMinimum": 0}, Verdict.FORWARD, [("", A)]),
    ("wider below, tighter above", {**NUMBER_, "minimum": 0, "maximum": 9}, {**NUMBER_, "minimum": -1, "maximum": 8}, Verdict.NONE, [("", B), ("", A)]),
    ("no limit at all", {**TEXT_, "minLength": 0}, {**TEXT_, "uniqueItems": False, "minItems": 4, "maximum": 3}, Verdict.FULL, []),
    ("steps", {**WHOLE_, "multipleOf": 2}, {**WHOLE_, "multipleOf": 6}, Verdict.FORWARD, [("", A)]),
    ("no two alike", {"type": "array", "items": TEXT_}, {"type": "array", "items": TEXT_, "uniqueItems": True}, Verdict.FORWARD, [("", A)]),
    # Patterns and formats
    ("a pattern comes", TEXT_, {**TEXT_, "pattern": "^[A-Z]+$"}, Verdict.FORWARD, [("", A)]),
    ("a pattern comes for long texts", {**TEXT_, "minLength": 30}, {**TEXT_, "minLength": 30, "pattern": "^[A-Z]+$"}, Verdict.FORWARD, [("", A)]),
    ("a pattern goes", {**TEXT_, "pattern": "^[A-Z]+$"}, TEXT_, Verdict.BACKWARD, [("", B)]),
    ("another pattern", {**TEXT_, "pattern": "^[A-Z]+$"}, {**TEXT_, "pattern": "^[0-9]+$"}, Verdict.NONE, [("", A), ("", B)]),
    ("a wider pattern", {**TEXT_, "pattern": "^[A-Z]+$"}, {**TEXT_, "pattern": "^[A-Z0-9]+$"}, Verdict.BACKWARD, [("", B)]),
    ("a longer pattern", {**TEXT_, "pattern": "^SF[0-9]{10}$"}, {**TEXT_, "pattern": "^SF[0-9]{10,12}$"}, Verdict.BACKWARD, [("", B)]),
    ("the same pattern otherwise", {**TEXT_, "pattern": "^[0-9]+$"}, {**TEXT_, "pattern": "^\\d{1,}$"}, Verdict.FULL, []),
    ("a pattern with choices", {**TEXT_, "pattern": "^(A|B)$"}, {**TEXT_, "pattern": "^(A|B|Q)$"}, Verdict.UNDECIDED, [("", Effect.MAY_NARROW), ("", Effect.MAY_WIDEN)]),
    ("another format", {**TEXT_, "format": "date"}, {**TEXT_, "format": "date-time"}, Verdict.NONE, [("", A), ("", B)]),
    # Fields that come and go where others are taken
    ("described now", {"type": "object"}, {"type": "object", "properties": {"a": TEXT_}}, Verdict.FORWARD, [("/a", A)]),
    ("described as anything", {"type": "object"}, {"type": "object", "properties": {"a": {}, "b": True}}, Verdict.FULL, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "verdict", "effects"), [case[1:] for case in CHOICES], ids=[case[0] for case in CHOICES]
)
@pytest.mark.parametrize("under", ["a field", "elements"])
def test_branches_ranges_and_patterns(old, new, verdict, effects, under):
    def within(node):
        return {
            "type": "object",
            "properties": {"it": node if under == "a field" else {"type": "array", "items": node}},
        }

    one, other = compile_contract(REF, within(old)), compile_contract(REF, within(new))
    found = compare(one, other)
    assert found.verdict is verdict, found
    if effects is not None:
        at = "/it" if under == "a field" else "/it/*"
        assert sorted((change.pointer, change.effect) for change in found.changes) == sorted(
            (at + place, effect) for place, effect in effects
        )
    for change in found.changes:
        if change.effect in (A, B):
            takes, refuses = (one, other) if change.effect is A else (other, one)
            assert takes.check(change.example) == []
            assert refuses.check(change.example) != []


@pytest.mark.parametrize(
    ("new", "verdict", "may_be"),
    [
        (copy.deepcopy(BASE), "full", ["full"]),
        (changed(P, "gift", value={"type": "boolean"}), "backward", ["backward"]),
        (changed("required", value=["no", "items", "level"]), "forward", ["forward"]),
        (changed(P, "level", "enum", value=["GOLD", "TIN"]), "none", ["none"]),
        (changed(P, "note", "not", value={"const": "x"}), "undecided", ["full", "backward", "forward", "none"]),
        (changed(P, "no", "pattern", value="^[A-Z0-9_-]+$"), "backward", ["backward"]),
        (changed(P, "no", "pattern", value="^([A-Z0-9-])+$"), "undecided", ["full", "backward", "forward", "none"]),
        (changed("x-consistent", value={"no total below zero": "$not(total < 0)"}), "undecided", ["full", "forward"]),
    ],
)
def test_the_verdict_is_one_word_or_says_what_it_may_be(new, verdict, may_be):
    found = compared(new).as_json()
    assert (found["compatibility"], found["mayBe"]) == (verdict, may_be)


def test_a_document_that_shows_a_change_keeps_the_rules_between_fields():
    # Given a rule by which a small order has no other level, so that the smallest document would contradict itself
    rule = {"x-consistent": {"gold has a total": "$not(level = 'GOLD') or $exists(total)"}}
    old, new = {**BASE, **rule}, {**changed(P, "level", "enum", value=["SILVER"]), **rule}
    [change] = compared(new, old).changes
    assert (change.pointer, change.effect, change.example) == ("/level", Effect.MAY_NARROW, None)
    assert compared(new, old).safe_for_senders is None
    # And one that keeps them proves it
    [change] = compared({**changed(P, "level", "enum", value=["GOLD"]), **rule}, old).changes
    assert (change.effect, change.example["level"]) == (Effect.NARROWS, "SILVER")


def test_a_rule_that_goes_takes_nothing_from_senders():
    rule = {"x-consistent": {"a rule": "$count(items) > 0"}}
    found = compared(BASE, {**BASE, **rule})
    assert (found.safe_for_senders, found.safe_for_receivers) == (True, None)


def test_what_stands_beside_a_reference_hides_nothing_of_it():
    before, after = (
        {
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/x", "minimum": 1}},
            "$defs": {"x": {**WHOLE_, "minimum": low}},
        }
        for low in (5, 9)
    )
    assert compared(after, before).safe_for_senders is False


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"unevaluatedItems": False}, {"items": TEXT_, "unevaluatedItems": False}),
        ({"unevaluatedProperties": False}, {"additionalProperties": True, "unevaluatedProperties": False}),
        (
            {"allOf": [{"unevaluatedProperties": False, "allOf": [{"properties": {"a": TEXT_}}]}]},
            {"allOf": [{"unevaluatedProperties": False}, {"properties": {"a": TEXT_}}]},
        ),
        ({"$ref": "#/$defs/x", "unevaluatedProperties": False, "$defs": {"x": {"properties": {"a": {}}}}},) * 2,
    ],
)
def test_what_others_leave_over_is_never_called_safe_where_they_changed(old, new):
    if old is new:
        new = {**old, "$defs": {"x": {"properties": {"b": {}}}}}
    for one, other in ((old, new), (new, old)):
        found = compared(one, other)
        assert found.safe_for_senders is not True
        assert found.safe_for_receivers is not True
    # What is below a field that both have stays decided
    before, after = (
        {"properties": {"a": kind}, "unevaluatedProperties": False} for kind in ({**TEXT_, "maxLength": 9}, TEXT_)
    )
    assert compared(after, before).verdict is Verdict.BACKWARD


def test_schemas_within_themselves_end():
    def tree(most):
        node = {
            "oneOf": [
                event("leaf", size={**WHOLE_, "maximum": most}),
                event("both", left={"$ref": "#/$defs/t"}, right={"$ref": "#/$defs/t"}),
            ]
        }
        return {"type": "object", "properties": {"t": {"$ref": "#/$defs/t"}}, "$defs": {"t": node}}

    found = compared(tree(3), tree(9))
    assert (found.safe_for_senders, found.safe_for_receivers) == (False, True)
    assert found.changes[0].pointer == "/t/size"


_PLAIN = st.one_of(
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": st.integers(-2, 2), "exclusiveMaximum": st.integers(1, 4), "multipleOf": st.integers(1, 3)}),
    st.fixed_dictionaries({"type": st.just("number")}, optional={"exclusiveMinimum": st.integers(-2, 0), "maximum": st.integers(0, 3)}),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"pattern": st.sampled_from(["^a", "b$"]), "maxLength": st.integers(0, 3)}),
    st.builds(
        lambda kind, field, required: {"type": "object", "properties": {"a": {"const": kind}, "b": field}, "required": sorted(required)},
        st.sampled_from("xy"),
        st.sampled_from([TEXT_, WHOLE_, {}]),
        st.sets(st.sampled_from("ab")),
    ),
)  # fmt: skip
_COMPOSED = st.recursive(
    st.one_of(_PLAIN, st.builds(lambda node: {"$ref": "#/$defs/x", **node}, _PLAIN)),
    lambda inner: st.one_of(
        st.builds(
            lambda word, branches: {word: branches},
            st.sampled_from(["oneOf", "anyOf", "allOf"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda node, branches: {**node, "anyOf": branches}, inner, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda item: {"type": "array", "items": item}, inner),
        st.builds(
            lambda one, other, closed: {
                "allOf": [
                    {"properties": {"a": one}, **({"additionalProperties": False} if closed else {})},
                    {"properties": {"b": other}},
                ]
            },
            inner,
            inner,
            st.booleans(),
        ),
    ),
    max_leaves=4,
)
_SMALL = st.recursive(
    st.one_of(st.none(), st.integers(-3, 5), st.sampled_from([Decimal("0.5"), "", "a", "ab", "b", "x", "y"])),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=4,
)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(_COMPOSED, _COMPOSED, _PLAIN, _PLAIN, st.lists(_SMALL, min_size=10, max_size=20), st.booleans())
def test_a_verdict_of_safe_is_never_wrong_of_composed_schemas_either(old, new, x, y, documents, is_alike):
    # Half of them differ in what they refer to alone
    one, other = (
        compile_contract(REF, {"properties": {"p": node}, "$defs": {"x": ref}})
        for node, ref in ((old, x), (old if is_alike else new, y))
    )
    found = compare(one, other)
    for document in [
        *({"p": one_} for one_ in documents),
        specimen(one.schema),
        specimen(other.schema),
        *(change.example for change in found.changes),
    ]:
        before, after = not one.check(document), not other.check(document)
        assert not (found.safe_for_senders and before and not after), document
        assert not (found.safe_for_receivers and after and not before), document


_NODES = st.recursive(
    st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("string")},
            optional={"minLength": st.integers(0, 2), "maxLength": st.integers(3, 6), "enum": st.just(["a", "ab"])},
        ),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["integer", "number"])},
            optional={"minimum": st.integers(-3, 0), "maximum": st.integers(0, 4)},
        ),
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
        st.none(),
        st.booleans(),
        st.integers(-5, 6),
        st.sampled_from([Decimal("0.5"), Decimal("-1.5")]),
        st.sampled_from(["", "a", "ab", "abc", "abcdefg"]),
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
    ("before", "after"),
    [({"enum": [1]}, {"enum": [True]}), ({"const": 0}, {"const": False}), ({"enum": [0, 1]}, {"enum": [False, True]})],
)
def test_a_number_is_not_true_or_false(before, after):
    found = compared({"type": "object", "properties": {"x": after}}, {"type": "object", "properties": {"x": before}})
    assert found.safe_for_senders is False
    assert found.safe_for_receivers is False


def test_a_rule_of_the_same_words_and_another_expression_is_a_change():
    before, after = (
        {"type": "object", "properties": {"a": WHOLE}, "x-consistent": {"a is right": rule}}
        for rule in ("a > 0", "a > 100")
    )
    assert compared(after, before).safe_for_senders is None
