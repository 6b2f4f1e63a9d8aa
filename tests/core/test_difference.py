"""Two documents, and what is different between them: complete, true, and told as a person would tell it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.documents.difference import Change, Kind, difference
from hub.core.json import canonical

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["", "a", "b", "SO-1", Decimal("1.0"), Decimal("1.5")])
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c/d", "~"]), below, max_size=4)
    ),
    max_leaves=14,
)


def at(document, pointer):
    for name in pointer.split("/")[1:]:
        document = document[int(name) if isinstance(document, list) else name.replace("~1", "/").replace("~0", "~")]
    return document


def same(one, other):
    return canonical(one) == canonical(other)


@given(DOCUMENTS, DOCUMENTS)
def test_each_change_says_the_truth_and_none_is_missing(old, new):
    changes = difference(old, new)
    for change in changes:
        if change.kind is Kind.ADDED:
            assert same(at(new, change.pointer), change.new)
        elif change.kind is Kind.REMOVED:
            assert same(at(old, change.pointer), change.old)
        else:
            assert same(at(new, change.pointer), change.new)
            assert same(at(old, change.pointer if change.origin is None else change.origin), change.old)
    assert (changes == []) == same(old, new)


def leaves(value, pointer=""):
    if isinstance(value, dict | list) and value:
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(member, f"{pointer}/{name}")
    else:
        yield pointer, value


PLAIN = st.recursive(
    SCALARS, lambda below: st.dictionaries(st.sampled_from(["a", "b", "c"]), below, max_size=3), max_leaves=10
)


@given(PLAIN, PLAIN)
def test_every_leaf_that_is_new_is_told(old, new):
    before = {(pointer, canonical(leaf)) for pointer, leaf in leaves(old)}
    told = [change.pointer for change in difference(old, new) if change.kind is not Kind.REMOVED]
    for pointer, leaf in leaves(new):
        known = (pointer, canonical(leaf)) in before or (
            leaf == {} and any(place.startswith(f"{pointer}/") or not pointer for place, _ in before)
        )
        assert known or any(pointer == one or pointer.startswith(f"{one}/") for one in told), (pointer, told)


@given(DOCUMENTS)
def test_the_same_is_the_same(document):
    assert difference(document, document) == []


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 2}, [("changed", "/a", None)]),
        ({"a": 1}, {"a": Decimal("1.0")}, [("changed", "/a", None)]),
        ({"a": True}, {"a": 1}, [("changed", "/a", None)]),
        ({"orderNo": "SO-1"}, {"outboundNo": "SO-1"}, [("moved", "/outboundNo", "/orderNo")]),
        ({"a": "x", "b": "x"}, {"c": "x"}, [("removed", "/a", None), ("removed", "/b", None), ("added", "/c", None)]),
        ({"a": True}, {"b": True}, [("removed", "/a", None), ("added", "/b", None)]),
        (
            {"receiver": {"name": "Li", "phone": "138"}},
            {"consignee": "Li", "phone": "138"},
            [("moved", "/consignee", "/receiver/name"), ("moved", "/phone", "/receiver/phone")],
        ),
        # Two fields may say the same word of a code list, or the same small number, and have nothing to do with each
        # other
        (
            {"orderType": "NORMAL"},
            {"priority": "NORMAL"},
            [("removed", "/orderType", None), ("added", "/priority", None)],
        ),
        ({"lines": 12}, {"days": 12}, [("removed", "/lines", None), ("added", "/days", None)]),
        ({"total": 19_990}, {"amount": 19_990}, [("moved", "/amount", "/total")]),
        ({"orderType": "NORMAL"}, {"head": {"orderType": "NORMAL"}}, [("moved", "/head/orderType", "/orderType")]),
        ({"a": {"x": "one", "y": "two"}}, {"b": {"x": "one", "y": "two"}}, [("moved", "/b", "/a")]),
        # A line is known by what tells lines apart, whatever its place
        (
            {"items": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 2}]},
            {"items": [{"sku": "B", "quantity": 3}]},
            [("removed", "/items/0", None), ("changed", "/items/0/quantity", "/items/1/quantity")],
        ),
        ([1, 2, 3], [3, 1, 2], [("moved", "/0", "/2")]),
        (["a", "b"], ["a", "c", "b"], [("added", "/1", None)]),
        (["a"], ["b"], [("changed", "/0", None)]),
        ("a", {"a": 1}, [("changed", "", None)]),
        ({"a/b": 1, "m~n": 2}, {"a/b": 2}, [("changed", "/a~1b", None), ("removed", "/m~0n", None)]),
    ],
)
def test_it_is_told_as_a_person_would(old, new, changes):
    assert [(change.kind.value, change.pointer, change.origin) for change in difference(old, new)] == changes


def test_a_change_as_json_has_what_belongs_to_its_kind():
    assert Change(Kind.ADDED, "/a", new=1).as_json() == {"kind": "added", "pointer": "/a", "new": 1}
    assert Change(Kind.REMOVED, "/a", old=None).as_json() == {"kind": "removed", "pointer": "/a", "old": None}
    assert Change(Kind.MOVED, "/b", 1, 1, "/a").as_json() == {
        "kind": "moved",
        "pointer": "/b",
        "old": 1,
        "new": 1,
        "from": "/a",
    }


def test_large_lists_are_compared_by_place():
    old = list(range(5_000))
    changes = difference(old, [*old[:4_000], -1, *old[4_001:]])
    assert [(change.kind, change.pointer) for change in changes] == [(Kind.CHANGED, "/4000")]
