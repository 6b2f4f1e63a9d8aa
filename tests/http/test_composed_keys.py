"""Keys of several parts, at the door: a part that is missing is told with its place, and makes no shorter key."""

import json

import pytest

from tests.support.hubs import small_workspace
from tests.support.servers import served, small_hub

COMPOSED = "orderNo & '/' & items[1].sku"


def order(*skus):
    return json.dumps({"orderNo": "SO-1", "items": [{"sku": sku, "quantity": 1} for sku in skus]}).encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("order_by: orderNo", f'order_by: "{COMPOSED}"'),
        ("dedupe_by: [orderNo]", f'dedupe_by: ["{COMPOSED}"]'),
        ("{orderNo: orderNo}", f'{{orderNo: "{COMPOSED}"}}'),
        ("order_by: orderNo", "order_by: \"$join([orderNo, items[1].sku], '/')\""),
    ],
)
def test_a_missing_part_is_refused_with_its_place(tmp_path, before, after):
    workspace = small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")
    system = workspace / "adapters" / "shop" / "system.yaml"
    text = system.read_text("utf-8")
    assert before in text
    system.write_text(text.replace(before, after), "utf-8")
    with small_hub(workspace, f"sqlite:///{tmp_path}/hub.sqlite3") as made, served(made, "granian") as hub:
        caller = hub.caller("shop")
        assert caller.post("/api/v1/shop/order.placed", order("A", "B"), "m1").status_code == 202
        answer = caller.post("/api/v1/shop/order.placed", order("A"), "m2")
        assert answer.status_code == 422
        assert "The part items[1].sku" in answer.json()["message"]
        assert answer.json()["details"][0]["pointer"] == "/items/1/sku"
        assert made.store.conservation().messages == 1
