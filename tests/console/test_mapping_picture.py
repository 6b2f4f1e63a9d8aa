"""The picture of a mapping: nothing stands on another, each line leads from a field to what is made of it, and large
mappings fall into groups.
"""

from itertools import pairwise

import pytest

from hub.console.drawing.mapping_picture import MOST, ROW, WIDTH, fitted, pictures, written
from hub.core.analysis.field_coverage import FieldCoverage, ends
from hub.core.analysis.lineage import Way, leaves

FIELDS = {
    "no": "orderNo",
    "level": {"table": "levels", "of": "customer.level"},
    "fixed": {"const": "CNY"},
    "note": {"when": "gift", "value": "'Gift: ' & remark", "otherwise": {"const": ""}},
    "who": {"copy": "consignee", "except": ["idCard"]},
    "stock": "$stock.quantity",
    "lines": {"each": "items", "fields": {"sku": "sku", "no": "$source.orderNo"}},
}
SOURCE = [
    "/orderNo",
    "/customer",
    "/customer/level",
    "/gift",
    "/remark",
    "/consignee",
    "/consignee/name",
    "/consignee/idCard",
    "/items",
    "/items/*/sku",
    "/items/*/price",
]
TARGET = [
    "/no",
    "/level",
    "/fixed",
    "/note",
    "/who",
    "/who/name",
    "/stock",
    "/lines",
    "/lines/*/sku",
    "/lines/*/no",
    "/never",
]


def told(fields=FIELDS, source=SOURCE, target=TARGET):
    """As flow.interfaces.mappings tells of one."""
    made = leaves({"fields": fields})
    carrying = FieldCoverage(tuple(made))
    return {
        "source": [{"place": place, "kind": "", "required": False, "about": "", "isPersonal": False, "came": 0, "isTaken": carrying.takes(place)} for place in source],
        "target": [{"place": place, "kind": "", "required": False, "about": "", "isPersonal": False, "isMade": True, "filled": 0} for place in target],
        "leaves": [
            {"field": one.field, "way": one.way.value, "written": one.written, "from": list(one.value.paths), "conditions": list(one.conditions), "decidedBy": list(one.decided.paths)}
            for one in made
        ],
        "lookups": ["$stock"],
    }  # fmt: skip


def lines(drawn):
    names = {row.id: row.place for row in (*drawn.source, *drawn.target)}
    return {(names[line.tail], names[line.head], line.way, line.decides) for line in drawn.lines}


def test_each_line_leads_from_a_field_to_what_is_made_of_it():
    [drawn] = pictures(told())
    assert lines(drawn) == {
        ("/orderNo", "/no", "copy", False),
        ("/customer/level", "/level", "lookup", False),
        ("/remark", "/note", "expression", False),
        ("/gift", "/note", "expression", True),  # it only decides
        ("/consignee", "/who", "copy", False),
        ("/$stock", "/stock", "lookup", False),
        ("/items", "/lines", "each", False),
        ("/items/*/sku", "/lines/*/sku", "copy", False),
        ("/orderNo", "/lines/*/no", "copy", False),
    }
    rows = {row.place: row for row in (*drawn.source, *drawn.target)}
    assert rows["/fixed"].way == "constant"
    assert not rows["/never"].leaves
    assert (rows["/items/*/sku"].depth, rows["/items/*/sku"].text) == (1, "sku")
    assert written(rows["/note"].leaves) == "gift ? 'Gift: ' & remark | not(gift) ? \"\""
    # Both ends of a line know each other
    assert all(head in {row.id for row in drawn.target} for row in drawn.source for head in row.ends)
    assert rows["/orderNo"].ends == [rows["/no"].id, rows["/lines/*/no"].id]


@pytest.mark.parametrize("number", [0, 1, 40, 200])
def test_nothing_stands_on_another_or_outside(number):
    source = [f"/group{index % 4}/field{index}" for index in range(number)]
    target = [f"/part{index % 5}" for index in range(5 if number else 0)] + [
        f"/part{index % 5}/made{index}" for index in range(number)
    ]
    parts = {
        f"part{group}": {
            f"made{index}": f"group{index % 4}.field{index}" for index in range(number) if index % 5 == group
        }
        for group in range(5)
    }
    drawn = pictures(told(parts if number else {}, source, target))
    ids = [row.id for one in drawn for row in (*one.source, *one.target)]
    assert len(ids) == len(set(ids))
    assert (len(drawn) > 1) == (number > MOST)
    for one in drawn:
        for side in (one.source, one.target):
            assert all(below.y - above.y == ROW for above, below in pairwise(side))
            assert all(ROW / 2 <= row.y <= one.height - ROW / 2 for row in side)
    assert sum(len(one.lines) for one in drawn) == number
    assert WIDTH <= 960


def test_a_text_is_cut_to_the_room_there_is():
    assert fitted("orderNo", 100, 7) == "orderNo"
    assert fitted("a" * 50, 70, 7) == "a" * 9 + "…"
    assert fitted("收货人地址", 50, 7) == "收货人…"


def test_what_is_taken_and_what_is_filled():
    carrying = FieldCoverage(tuple(leaves({"fields": FIELDS})))
    taken = {place for place in ends(SOURCE) if carrying.takes(place)}
    # A list that is gone through does not carry all that is in it; a copy does, but for what it leaves out
    assert taken == {"/orderNo", "/customer/level", "/gift", "/remark", "/consignee/name", "/items/*/sku"}
    numbers = carrying.numbers(
        TARGET, {"/orderNo": 5, "/consignee": 4, "/consignee/name": 4, "/items": 3, "/items/*/sku": 2}, 6
    )
    assert numbers == {
        "/no": 5,
        "/level": 0,
        "/fixed": 6,
        "/note": 6,
        "/who": 4,
        "/who/name": 4,
        "/stock": 6,
        "/lines": 3,
        "/lines/*/sku": 2,
        "/lines/*/no": 5,
    }
    assert {leaf.way for leaf in carrying.leaves} == set(Way)
