"""Drafting a mapping from two contracts, and trying one on a message."""

import json

import pytest

from hub.catalog import check
from hub.catalog.scaffold.new_workspace import init
from tests.support.hubs import HubProcess
from tests.support.versioned import versioned

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture
def hub(workspace, tmp_path):
    return HubProcess(workspace, f"sqlite:///{tmp_path}/hub.sqlite3")


def contract(folder, system, message, schema):
    (folder / "adapters" / system / "contracts" / f"{message}.v1.json").write_text(json.dumps(schema), "utf-8")


def test_a_pair_that_matches_wholly_passes_the_check_as_drafted(workspace, hub):
    (workspace / MAPPING).unlink()
    assert hub.json("new", "mapping", "shop/order.placed@1", "warehouse/order.create@1")["open"] == []
    assert check(workspace) == []
    # Nothing is overwritten
    assert hub.run("new", "mapping", "shop/order.placed@1", "warehouse/order.create@1")[0] == 2


def test_names_meanings_types_and_lists_are_matched_and_the_rest_is_marked(workspace, hub):
    text, number = {"type": "string"}, {"type": "integer"}
    line = {"type": "object", "required": ["skuCode", "qty"], "properties": {"skuCode": text, "qty": number}}
    target = {"type": "object", "required": ["sku", "quantity"], "properties": {"sku": text, "quantity": text}}
    state = {"enum": ["NEW", "PAID", "DONE"]}
    contract(
        workspace,
        "shop",
        "order.placed",
        {"type": "object", "required": ["orderNo", "receiver", "lines", "state"], "properties": {"orderNo": text, "state": state, "lines": {"type": "array", "items": line}, "receiver": {"type": "object", "required": ["mobile"], "properties": {"mobile": text}}}},
    )  # fmt: skip
    contract(
        workspace,
        "warehouse",
        "order.create",
        {"type": "object", "additionalProperties": False, "required": ["order_no", "consignee", "items", "state", "weight"], "properties": {"order_no": text, "weight": number, "state": {"enum": ["NEW", "PAID"]}, "items": {"type": "array", "items": target}, "consignee": {"type": "object", "required": ["phone"], "properties": {"phone": text}}}},
    )  # fmt: skip
    (workspace / MAPPING).unlink()
    assert hub.json("new", "mapping", "shop/order.placed@1", "warehouse/order.create@1")["open"] == [
        {"field": "/state", "why": "the table state has no row for DONE; taken are NEW, PAID"},
        {"field": "/weight", "why": "required; nothing in the source matches"},
    ]
    drafted = (workspace / MAPPING).read_text("utf-8")
    for wanted in (
        "order_no: orderNo",
        "phone: receiver.mobile",
        "each: lines",
        "sku: skuCode",
        "quantity: $string(qty)",
        "# weight: ?   integer, required",
        "add rows for DONE",
    ):
        assert wanted in drafted
    # And what is left is what the check says
    assert {finding.code for finding in check(workspace) if finding.file == MAPPING and finding.level == "error"} == {
        "E511",
        "E525",
    }


def test_trying_shows_the_result_and_where_it_came_from(workspace, hub, tmp_path):
    sample = workspace / "adapters/shop/samples/order.placed.v1/one-line.json"
    told = hub.json("map", "try", MAPPING, str(sample))
    assert told["result"] == {"orderNo": "SO-1", "items": [{"sku": "SKU-1", "quantity": 2}]}
    assert (told["fault"], told["sourceFaults"], told["targetFaults"]) == (None, [], [])
    assert told["lineage"]["/items/*/sku"]["paths"] == ["/items/*/sku"]
    # What does not fit is told with its place, for either side
    bad = tmp_path / "bad.json"
    bad.write_text('{"orderNo": "SO-1", "items": [{"sku": "S", "quantity": 0}]}', "utf-8")
    code, out, _ = hub.run("map", "try", MAPPING, str(bad), "--json")
    told = json.loads(out)
    assert (code, told["sourceFaults"][0]["pointer"], told["targetFaults"][0]["pointer"]) == (
        1,
        "/items/0/quantity",
        "/items/0/quantity",
    )


def test_two_versions_name_the_mapping_between_them(workspace, hub):
    sample = str(workspace / "adapters/shop/samples/order.placed.v1/one-line.json")
    by_file = hub.json("map", "try", MAPPING, sample)
    assert hub.json("map", "try", "shop/order.placed@1", "warehouse/order.create@1", sample) == by_file
    assert by_file["steps"] == [{"from": "shop/order.placed@1", "to": "warehouse/order.create@1", "faults": []}]


def test_an_old_version_goes_the_way_that_its_messages_go(tmp_path):
    folder = versioned(tmp_path / "workspace", "http://127.0.0.1:9001")
    hub = HubProcess(folder, f"sqlite:///{tmp_path}/hub.sqlite3")
    words = [
        "map",
        "try",
        "shop/order.placed@1",
        "warehouse/order.create@1",
        str(folder / "adapters/shop/samples/order.placed.v1/one-line.json"),
    ]
    told = hub.json(*words)
    assert told["result"] == {"orderNo": "SO-1", "items": [{"sku": "SKU-1", "quantity": 2}]}
    assert [(step["from"], step["to"]) for step in told["steps"]] == [
        ("shop/order.placed@1", "shop/order.placed@2"),
        ("shop/order.placed@2", "warehouse/order.create@1"),
    ]
    assert "shop/order.placed@1 → shop/order.placed@2 → warehouse/order.create@1" in hub.run(*words)[1]
    # What does not fit a version on the way stops there, as it would stop the message
    upgrade = folder / "mappings/shop.order.placed.v1--shop.order.placed.v2.yaml"
    upgrade.write_text(upgrade.read_text("utf-8").replace("orderNumber: orderNo", "orderNumber: {const: 5}"), "utf-8")
    code, out, _ = hub.run(*words, "--json")
    told = json.loads(out)
    assert (code, told["result"], len(told["steps"]), told["steps"][0]["faults"][0]["pointer"]) == (
        1,
        None,
        1,
        "/orderNumber",
    )
    assert "shop/order.placed@2, an intermediate version: /orderNumber" in hub.run(*words)[2]


def test_a_mapping_that_the_check_refuses_can_be_tried_if_it_can_be_run(workspace, hub):
    sample = str(workspace / "adapters/shop/samples/order.placed.v1/one-line.json")
    text = (workspace / MAPPING).read_text("utf-8")
    (workspace / MAPPING).write_text(text.replace("  orderNo: orderNo\n", ""), "utf-8")
    code, out, _ = hub.run("map", "try", MAPPING, sample, "--json")
    assert (code, json.loads(out)["targetFaults"][0]["pointer"]) == (1, "/orderNo")
    (workspace / MAPPING).write_text(text.replace("orderNo: orderNo\n", "orderNo: orderNo +\n"), "utf-8")
    for words in ([MAPPING], ["shop/order.placed@1", "warehouse/order.create@1"]):
        code, _, err = hub.run("map", "try", *words, sample)
        assert (code, "E501" in err, "cannot be run" in err) == (1, True, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["map", "try", "shop.order.placd.v1--warehouse.order.create.v1", "x.json"], 2, "There is no mapping"),
        (["map", "try", MAPPING, "none.json"], 2, "cannot be read"),
        (["map", "try", MAPPING], 2, "two versions and a file"),
        (
            ["map", "try", "shop/order.placed@1", "warehouse/order.creat@1", "x.json"],
            2,
            "did you mean warehouse/order.create@1?",
        ),
        (
            ["map", "try", "warehouse/order.create@1", "shop/order.placed@1", "x.json"],
            2,
            "Draft it: hub new mapping warehouse/order.create@1",
        ),
        (["map", "try", MAPPING, "/etc/hostname"], 1, "is not a message"),
        (
            ["new", "mapping", "shop/order.placed@1", "warehouse/order.creat@1"],
            2,
            "There is no contract warehouse/order.creat@1",
        ),
        (["new", "mapping", "shop", "x"], 2, "system/message@version"),
    ],
)
def test_a_slip_is_told(hub, words, code, said):
    got, out, err = hub.run(*words)
    assert got == code
    assert said in out + err
    assert "Traceback" not in err
