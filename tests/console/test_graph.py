"""The graph of one route: what all meet stands in one column, each target in a row of its own, nothing on another, and
all text fits its box.
"""

from itertools import combinations

import pytest

from hub.console.drawing.graph import LETTER, PAD, fitted, graph, narrow

LONG = "$exists(shipperAddress) and $exists(consigneeAddress) and $exists(cargoInfo) and weight > 0"


def branch(target, condition=None, mappings=(), **told):
    return {
        "target": target, "condition": condition and {"kind": "when", "text": condition}, "reply": None, "out": 3,
        "mappings": None if mappings is None else [{"source": one, "target": other, "name": "m", "fields": 4} for one, other in mappings],
        "perSecond": 0.0, "success": None, "backlog": 0, "waiting": 0, **told,
    }  # fmt: skip


def told(*branches, steps=()):
    return {
        "messages": 10,
        "undecided": 0,
        "branches": list(branches),
        "steps": [{"kind": "source", "text": "oms/order.created", "out": 10}, *steps],
    }


STEPS = [
    {"kind": "drop", "text": "test = true", "out": 8},
    {"kind": "when", "text": LONG, "out": 5},
    {"kind": "split", "text": "items", "out": 12},
]


@pytest.mark.parametrize("steps", [[], STEPS])
@pytest.mark.parametrize("number", [1, 2, 7])
@pytest.mark.parametrize("condition", [None, LONG])
@pytest.mark.parametrize("draw", [graph, narrow])
def test_nothing_stands_on_another_or_outside_and_all_text_fits(steps, number, condition, draw):
    drawn = draw(
        told(
            *(branch(f"wms/outbound.create@{place}", condition if place % 2 else None) for place in range(number)),
            steps=steps,
        )
    )
    for one, other in combinations(drawn.boxes, 2):
        assert (
            one.right <= other.x
            or other.right <= one.x
            or one.y + one.height <= other.y
            or other.y + other.height <= one.y
        )
    for box in drawn.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= drawn.width
        assert box.y + box.height <= drawn.height
        assert all(len(line) * LETTER <= box.width - PAD for line in box.lines)
    assert len(drawn.wires) == len(drawn.boxes) - 1


def test_each_step_says_how_many_leave_at_it_and_each_target_has_its_row():
    drawn = graph(told(branch("a/b@1", "x = 1", [("s/m@1", "a/b@1")]), branch("c/d@1", mappings=None), steps=STEPS))
    kinds = [box.kind for box in drawn.boxes]
    assert kinds == ["source", "drop", "when", "split", "when", "mapping", "target", "none", "target"]
    assert [box.told["left"] for box in drawn.boxes[:4]] == [0, 2, 3, 0]
    # A row without a condition has its mapping and its target under those of the others
    assert (drawn.boxes[5].x, drawn.boxes[6].x) == (drawn.boxes[7].x, drawn.boxes[8].x)


def test_the_same_route_is_the_same_picture_whatever_flows():
    idle, busy = graph(told(branch("a/b@1"))), graph(told(branch("a/b@1", perSecond=900.0, waiting=4)))
    assert [(box.x, box.y, box.height) for box in idle.boxes] == [(box.x, box.y, box.height) for box in busy.boxes]
    assert idle.wires[-1].width < busy.wires[-1].width


def test_a_text_is_broken_at_blanks_and_cut_where_it_is_too_long():
    assert fitted("short", 300) == ("short",)
    assert fitted("", 300) == ("",)
    one, other = fitted(LONG, 300)
    assert LONG.startswith(one)
    assert other.endswith("…")
    assert [len(line) for line in fitted("x" * 300, 200)] == [24, 24]
