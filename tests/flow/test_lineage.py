"""Where each field of a delivery came from, with its values, and what a person may not see."""

import json
from dataclasses import replace

import pytest

from hub.catalog.scaffold.new_workspace import init
from hub.flow.configuration.plan import apply
from hub.flow.context.revisions import Revisions
from hub.flow.views.lineage import of_message
from tests.support.hubs import HubProcess
from tests.support.making import laid


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    folder = tmp_path / "workspace"
    for side, message in (("shop", "order.placed"), ("warehouse", "order.create")):
        contract = folder / "adapters" / side / "contracts" / f"{message}.v1.json"
        contract.write_text(contract.read_text("utf-8").replace('"sku": {', '"sku": {"x-pii": "id", '), "utf-8")
    return folder


def test_values_come_from_the_pinned_revision_and_personal_ones_are_masked(workspace, store):
    revision = apply(store, workspace).revision
    one = laid(
        raw=json.dumps(
            {"orderNo": "SO-1", "items": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 2}]}
        ).encode()
    )
    store.add([replace(one, message=replace(one.message, revision=revision))])
    told = of_message(store, Revisions(store), one.message.id)
    [delivery] = told["deliveries"]
    fields = {line["field"]: (line["value"], line["from"]) for line in delivery["fields"]}
    assert fields["/orderNo"] == ("SO-1", [{"path": "/orderNo", "value": "SO-1"}])
    assert fields["/items/*/quantity"] == ([1, 2], [{"path": "/items/*/quantity", "value": [1, 2]}])
    assert fields["/items/*/sku"] == (["***", "***"], [{"path": "/items/*/sku", "value": ["***", "***"]}])
    # A list around what is personal shows no more than its fields do
    assert "'A'" not in repr(delivery)
    assert fields["/items"][0] == [{"sku": "***", "quantity": 1}, {"sku": "***", "quantity": 2}]
    # Forwards, and one field alone
    [forward] = of_message(store, Revisions(store), one.message.id, source="/orderNo")["deliveries"]
    assert [line["field"] for line in forward["fields"]] == ["/orderNo"]
    [below] = of_message(store, Revisions(store), one.message.id, field="/items")["deliveries"]
    assert [line["field"] for line in below["fields"]] == ["/items", "/items/*/sku", "/items/*/quantity"]
    assert of_message(store, Revisions(store), "none") is None


def test_the_command_tells_it_of_a_mapping_and_says_what_is_wrong(workspace, tmp_path):
    hub = HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3")
    told = hub.json("lineage", "shop/order.placed@1", "warehouse/order.create@1")
    assert told["/items/*/sku"]["paths"] == ["/items/*/sku"]
    assert "/items/*/sku" in hub.run("lineage", "shop/order.placed@1", "warehouse/order.create@1")[1]
    assert hub.run("lineage", "shop/order.placed@1", "warehouse/order.create@2")[0] == 2
    assert hub.run("lineage", "shop/order.placed@1")[0] == 2
    hub.json("apply")
    code, _, err = hub.run("lineage", "nothing")
    assert (code, "There is no message nothing." in err) == (1, True)
