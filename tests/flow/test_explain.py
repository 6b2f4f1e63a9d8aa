"""Why a message goes where it goes: every condition with its values, the nearest miss, and nothing that is personal."""

import json
from datetime import UTC, datetime

import pytest

from hub.catalog import load
from hub.catalog.scaffold.new_workspace import init
from hub.core.analysis.explaining import outline
from hub.core.message import Ref
from hub.flow.views.explain import explain_message
from tests.support.hubs import HubProcess

NOW = datetime(2026, 6, 1, tzinfo=UTC)
REF = Ref("shop", "order.placed", 1)
ORDER = {"orderNo": "SO-7", "items": [{"sku": "A", "quantity": 3}]}
ROUTES = """\
version: 1
routes:
  small:
    owner: tests
    from: shop/order.placed
    when: $sum(items.quantity) < 3 and (orderNo = "SO-7" or orderNo = "SO-8")
    to: [warehouse/order.create@1]
  none:
    owner: tests
    from: shop/order.placed
    when: $count(items) > 5 and orderNo = "X"
    to: [warehouse/order.create@1]
"""


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    (tmp_path / "workspace" / "routes.yaml").write_text(ROUTES, "utf-8")
    return tmp_path / "workspace"


def explained(folder, payload=ORDER, **named):
    return explain_message(load(folder), REF, json.dumps(payload).encode(), NOW, **named)


@pytest.mark.parametrize(
    ("text", "parts", "shape"),
    [
        ("a = 1", ["a = 1"], "1"),
        ("a = 1 and b", ["a = 1", "b"], "1 and 2"),
        ("(a = 1 or b) and $not(c and d)", ["a = 1", "b", "$not(c and d)"], "(1 or 2) and 3"),
        ("((a))", ["a"], "1"),
        ("((a or b))", ["a", "b"], "(1 or 2)"),
        ("(a).b and c", ["(a).b", "c"], "1 and 2"),
        ("'x and y' = a", ["'x and y' = a"], "1"),
        ("a = 'X' and b or a = 'X' and c", ["a = 'X'", "b", "c"], "1 and 2 or 1 and 3"),
        ("a = = 1", ["a = = 1"], "1"),
    ],
)
def test_a_condition_falls_into_its_parts_each_said_once(text, parts, shape):
    found = outline(text)
    assert (list(found.parts), found.shape) == (parts, shape)


def test_each_part_is_told_with_what_it_looked_at(workspace):
    found = explained(workspace)
    assert found["disposition"] == "unrouted"
    [small, none] = found["conditions"]
    assert (small["route"], small["holds"]) == ("small", False)
    assert [(part["text"], part["holds"], part["values"]) for part in small["parts"]] == [
        ("$sum(items.quantity) < 3", False, {"items.quantity": 3}),
        ('orderNo = "SO-7"', True, {"orderNo": "SO-7"}),
        ('orderNo = "SO-8"', False, {"orderNo": "SO-7"}),
    ]
    # And the one that failed by the fewest parts is the nearest
    assert found["nearest"] in (small, none)
    assert explained(workspace, {**ORDER, "items": [{"sku": "A", "quantity": 2}]})["disposition"] == "routed"


def test_personal_values_are_masked(workspace):
    contract = workspace / "adapters/shop/contracts/order.placed.v1.json"
    contract.write_text(contract.read_text("utf-8").replace('"orderNo": {', '"orderNo": {"x-pii": "id", '), "utf-8")
    target = workspace / "adapters/warehouse/contracts/order.create.v1.json"
    target.write_text(target.read_text("utf-8").replace('"orderNo": {', '"orderNo": {"x-pii": "id", '), "utf-8")
    assert explained(workspace)["conditions"][0]["parts"][1]["values"] == {"orderNo": "***"}


def test_personal_values_within_lists_are_masked_too(workspace):
    for file in ("adapters/shop/contracts/order.placed.v1.json", "adapters/warehouse/contracts/order.create.v1.json"):
        contract = workspace / file
        contract.write_text(contract.read_text("utf-8").replace('"sku": {', '"sku": {"x-pii": "id", '), "utf-8")
    routes = workspace / "routes.yaml"
    routes.write_text(
        ROUTES.replace('$count(items) > 5 and orderNo = "X"', '\'"Z" in items.sku and $exists(items[sku = "Q"])\''),
        "utf-8",
    )
    found = explained(
        workspace, {**ORDER, "items": [{"sku": "SECRET", "quantity": 1}, {"sku": "SECRET", "quantity": 2}]}
    )
    assert "SECRET" not in json.dumps(found)


def test_one_target_alone(workspace):
    assert explained(workspace, target="books/order.note@1")["conditions"] == []
    assert len(explained(workspace, target="warehouse/order.create@1")["conditions"]) == 2


def test_the_command_explains_what_was_never_sent(workspace, tmp_path):
    hub = HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3")
    sample = tmp_path / "order.json"
    sample.write_text(json.dumps(ORDER), "utf-8")
    code, out, _ = hub.run("explain", "shop/order.placed@1", str(sample))
    assert code == 0
    assert "items.quantity = 3" in out
    assert "The nearest miss: small when, by 1" in out
    # And each constant is said once, however often its condition is named
    assert [out.count(text) for text in ('SO-7"', "SO-8", "> 5", '"X"')] == [1, 1, 1, 1]
    assert "small when: 1 and (2 or 3) does not hold" in out
    assert hub.json("explain", "shop/order.placed@1", str(sample))["nearest"]["route"] == "small"
