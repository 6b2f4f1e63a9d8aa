"""The check warns of expressions that may cost much, at their line, and refuses contracts that do."""

import json

import pytest

from hub.catalog import check
from hub.catalog.scaffold.new_workspace import init


@pytest.fixture
def folder(tmp_path):
    init(tmp_path / "workspace")
    return tmp_path / "workspace"


def edited(folder, name, old, new):
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def costly(folder):
    return [(finding.file, finding.level, bool(finding.fix)) for finding in check(folder) if finding.code == "W812"]


def test_the_scaffold_costs_little(folder):
    assert costly(folder) == []


@pytest.mark.parametrize(
    "text",
    [
        "$count(items[sku in $$.items.sku]) > 3",
        "($f := function($n) {$f($n + 1)}; $f(1))",
        "$count($filter(items, function($i) {$count($$.items[sku = $i.sku]) > 1})) > 0",
        "$count([1..$number(orderNo)]) > 0",
    ],
)
def test_a_condition_is_found_at_its_line(folder, text):
    edited(
        folder,
        "routes.yaml",
        "    from: shop/order.placed\n",
        f"    from: shop/order.placed\n    when: {json.dumps(text)}\n",
    )
    [finding] = [finding for finding in check(folder) if finding.code == "W812"]
    assert finding.file == "routes.yaml"
    assert text[:12] in (folder / "routes.yaml").read_text("utf-8").splitlines()[finding.line - 1].replace('\\"', '"')
    assert (finding.level, bool(finding.fix)) == ("warning", True)


@pytest.mark.parametrize(
    "leaf",
    [
        "orderNo: $pad(orderNo, $length(orderNo) * 1000)",
        "orderNo: {when: '$count(items[sku in $$.items.sku]) > 3', value: orderNo}",
    ],
)
def test_a_leaf_of_a_mapping_is_found(folder, leaf):
    edited(
        folder, "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml", "  orderNo: orderNo\n", f"  {leaf}\n"
    )
    assert costly(folder) == [("mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml", "warning", True)]


def test_a_contract_that_multiplies_is_refused_at_once(folder):
    path = folder / "adapters" / "shop" / "contracts" / "order.placed.v1.json"
    schema = json.loads(path.read_text("utf-8"))
    schema["$defs"] = {f"l{level}": {"allOf": [{"$ref": f"#/$defs/l{level + 1}"}] * 9} for level in range(12)} | {
        "l12": {"type": "string"}
    }
    schema["properties"]["note"] = {"$ref": "#/$defs/l0"}
    path.write_text(json.dumps(schema, indent=2), "utf-8")
    found = [finding for finding in check(folder) if finding.code == "E401"]
    assert [(finding.file, "more than a billion parts" in finding.text) for finding in found] == [
        ("adapters/shop/contracts/order.placed.v1.json", True)
    ]
