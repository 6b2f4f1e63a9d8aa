"""Two live versions that do not fit each other need a way between them; whoever has one, or needs none, hears
nothing.
"""

import pytest

from hub.catalog import check
from tests.support.versioned import V2, versioned

UP = "mappings/shop.order.placed.v1--shop.order.placed.v2.yaml"
CURRENT = "{1: {state: current}, 2: {state: current}}"


def told(folder):
    return [finding for finding in check(folder) if finding.code == "W806"]


def test_an_emitted_version_that_breaks_the_one_before_needs_an_upgrade(tmp_path):
    versioned(tmp_path, "http://127.0.0.1:9001", states=CURRENT)
    assert told(tmp_path) == []
    (tmp_path / UP).unlink()
    # Then it says where, why, and what to do
    [finding] = told(tmp_path)
    assert (finding.file, finding.level) == ("adapters/shop/system.yaml", "warning")
    assert "shop/order.placed@2 refuses what version 1 takes (/" in finding.text
    assert finding.fix == "draft it: hub new mapping shop/order.placed@1 shop/order.placed@2"
    # A way back is no way on
    (tmp_path / "mappings/shop.order.placed.v2--shop.order.placed.v1.yaml").write_text(
        "from: shop/order.placed@2\nto: shop/order.placed@1\nfields:\n  orderNo: orderNumber\n  items: {each: lines, fields: {sku: sku, quantity: quantity}}\n",
        "utf-8",
    )
    assert len(told(tmp_path)) == 1


@pytest.mark.parametrize(
    "states",
    [
        "{1: {state: retired}, 2: {state: current}}",
        "{1: {state: current}, 2: {state: shadow}}",
        "{1: {state: current}, 2: {state: draft}}",
    ],
)
def test_only_versions_that_may_be_posted_count(tmp_path, states):
    versioned(tmp_path, "http://127.0.0.1:9001", states=states)
    (tmp_path / UP).unlink()
    assert told(tmp_path) == []


def test_a_version_that_takes_all_that_was_taken_needs_none(tmp_path):
    versioned(tmp_path, "http://127.0.0.1:9001", states=CURRENT)
    (tmp_path / UP).unlink()
    contracts = tmp_path / "adapters/shop/contracts"
    (contracts / "order.placed.v1.json").write_text(V2, "utf-8")
    (contracts / "order.placed.v2.json").write_text(V2.replace('"maximum": 1000000', '"maximum": 2000000'), "utf-8")
    assert told(tmp_path) == []
    (contracts / "order.placed.v2.json").write_text(V2.replace('"maximum": 1000000', '"maximum": 5'), "utf-8")
    assert len(told(tmp_path)) == 1


def test_of_what_a_system_accepts_a_way_either_way_will_do(tmp_path):
    versioned(tmp_path, "http://127.0.0.1:9001")
    system = tmp_path / "adapters/warehouse/system.yaml"
    system.write_text(
        system.read_text("utf-8").replace("versions: {1: {state: current}}", f"versions: {CURRENT}"), "utf-8"
    )
    contracts = tmp_path / "adapters/warehouse/contracts"
    (contracts / "order.create.v2.json").write_text(V2, "utf-8")
    [finding] = told(tmp_path)
    assert finding.fix == "draft it: hub new mapping warehouse/order.create@1 warehouse/order.create@2"
    back = "from: warehouse/order.create@2\nto: warehouse/order.create@1\nfields:\n  orderNo: orderNumber\n  items: {each: lines, fields: {sku: sku, quantity: quantity}}\n"
    (tmp_path / "mappings/warehouse.order.create.v2--warehouse.order.create.v1.yaml").write_text(back, "utf-8")
    assert told(tmp_path) == []
