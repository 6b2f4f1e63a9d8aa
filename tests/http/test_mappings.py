"""Contracts and mappings as JSON: who uses which version and field, what is carried on, and a trial of which nothing is
sent or stored.
"""

import json

import pytest

from hub.flow.answers import contracts
from tests.support.declared import faults
from tests.support.hubs import operator
from tests.support.servers import served, small_hub
from tests.support.versioned import new_order, old_order, versioned

UPGRADE = "shop.order.placed.v1--shop.order.placed.v2"
NAME = "shop.order.placed.v2--warehouse.order.create.v1"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Version 1 is sent by one caller, twice; version 2 by another, once with a field that the mapping leaves
    behind.
    """
    folder = tmp_path_factory.mktemp("building")
    workspace = versioned(folder / "workspace", "http://127.0.0.1:9009")
    for name, field in (
        ("shop/contracts/order.placed.v1", "orderNo"),
        ("shop/contracts/order.placed.v2", "orderNumber"),
        ("warehouse/contracts/order.create.v1", "orderNo"),
    ):
        contract = workspace / "adapters" / f"{name}.json"
        made = json.loads(contract.read_text("utf-8"))
        made["properties"][field]["x-pii"] = True
        contract.write_text(json.dumps(made), "utf-8")
    for lock in workspace.glob("adapters/*/contracts/versions.lock"):
        lock.unlink()
    with small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as inside, served(inside, "granian") as running:
        callers = {name: running.caller("shop") for name in ("old", "new")}
        for name, version, number, body in (
            ("old", 1, 1, old_order(1)),
            ("old", 1, 2, old_order(2)),
            ("new", 2, 1, new_order(1)),
        ):
            assert callers[name].post(f"/api/v{version}/shop/order.placed", body, f"{name}-{number}").status_code == 202
        inside.usage.flush(inside.store)
        yield running


def get(hub, schema, path):
    answer = operator.get(f"{hub.url}/ops/v1{path}", timeout=20)
    assert answer.status_code == 200, answer.text
    assert not faults(schema, answer.json())
    again = operator.get(f"{hub.url}/ops/v1{path}", headers={"if-none-match": answer.headers["etag"]}, timeout=20)
    assert again.status_code == 304
    return answer.json()["data"]


def try_on(hub, name=NAME, **given):
    answer = operator.post(f"{hub.url}/ops/v1/mappings/{name}/try", json=given, timeout=20)
    if answer.status_code == 200:
        assert not faults(contracts.MappingTrial, answer.json())
    return answer


def test_who_uses_which_version_and_field(hub):
    found = get(hub, contracts.ContractList, "/contracts")
    [old] = found["old"]
    assert (old["version"], old["sunset"], [one["number"] for one in old["callers"]]) == (
        "shop/order.placed@1",
        "2099-12-01",
        [2],
    )
    assert [(one["type"], one["side"]) for one in found["items"]] == [
        ("shop/order.placed", "emits"),
        ("warehouse/order.create", "accepts"),
    ]
    one = get(hub, contracts.WholeContract, "/contracts/shop/order.placed")
    first, second = one["versions"]
    assert (first["state"], first["messages"], second["state"], second["messages"]) == ("deprecated", 2, "current", 1)
    fields = {field["place"]: field for field in second["fields"]}
    assert [use["number"] for use in fields["/lines/*/gift"]["used"]] == [1]
    assert fields["/lines/*/gift"]["used"][0]["caller"] != old["callers"][0]["caller"]
    assert {field["place"]: field["isPersonal"] for field in first["fields"]} == {
        "/items": False,
        "/items/*/quantity": False,
        "/items/*/sku": False,
        "/orderNo": True,
    }
    assert first["retirement"]["canRetire"] is False
    assert [reason["kind"] for reason in first["retirement"]["because"]] == ["used"]
    [step] = one["steps"]
    assert (step["from"], step["to"], step["compatibility"]) == ("shop/order.placed@1", "shop/order.placed@2", "none")
    assert [use["as"] for use in one["routes"]] == ["source"]
    assert [use["name"] for use in one["mappings"]] == [UPGRADE, NAME]
    assert "one-line" in first["samples"]
    assert operator.get(f"{hub.url}/ops/v1/contracts/shop/nothing", timeout=20).status_code == 404


def test_what_a_mapping_carries_on_of_what_came(hub):
    found = {one["name"]: one for one in get(hub, contracts.MappingList, "/mappings")["items"]}
    assert found[UPGRADE]["isUpgrade"]
    assert found[UPGRADE]["routes"] == found[NAME]["routes"] == ["orders"]
    # Three messages: two of the old version are counted as what they are upgraded to
    coverage = found[NAME]["coverage"]
    assert (coverage["messages"], coverage["came"], coverage["carried"], coverage["filled"]) == (3, 4, 3, 3)
    assert coverage["left"] == [{"place": "/lines/*/gift", "number": 1}]
    one = get(hub, contracts.WholeMapping, f"/mappings/{NAME}")
    came = {field["place"]: (field["came"], field["isTaken"]) for field in one["source"]}
    assert came == {
        "/lines": (3, True),
        "/lines/*/quantity": (3, True),
        "/lines/*/sku": (3, True),
        "/lines/*/gift": (1, False),
        "/orderNumber": (3, True),
    }
    assert {leaf["field"]: (leaf["way"], leaf["from"]) for leaf in one["leaves"]}["/items/*/sku"] == (
        "copy",
        ["/lines/*/sku"],
    )
    assert one["cases"] == ["example 1"]
    assert operator.get(f"{hub.url}/ops/v1/mappings/none", timeout=20).status_code == 404


def test_a_trial_sends_and_stores_nothing(hub):
    before = operator.get(f"{hub.url}/ops/v1/conservation", timeout=20).json()["data"]
    made = try_on(hub, payload={"orderNumber": "A-1", "lines": [{"sku": "S", "quantity": 0}]}).json()["data"]
    assert made["result"] == {"orderNo": "A-1", "items": [{"sku": "S", "quantity": 0}]}
    assert [fault["pointer"] for fault in made["sourceFaults"]] == ["/lines/0/quantity"]
    assert [fault["pointer"] for fault in made["targetFaults"]] == ["/items/0/quantity"]
    assert {"kind": "moved", "pointer": "/orderNo", "from": "/orderNumber", "old": "A-1", "new": "A-1"} in made[
        "changes"
    ]
    assert try_on(hub, case="example 1").json()["data"]["result"]["orderNo"] == "SO-1"
    assert try_on(hub, UPGRADE, case="one-line").json()["data"]["result"]["orderNumber"] == "SO-1"
    for wrong, status in (
        ({}, 400),
        ({"case": "a", "payload": 1}, 400),
        ({"case": "../system"}, 404),
        ({"messageId": "0" * 8 + "-0000-7000-8000-" + "0" * 12}, 404),
    ):
        assert try_on(hub, **wrong).status_code == status, wrong
    assert operator.get(f"{hub.url}/ops/v1/conservation", timeout=20).json()["data"] == before


def test_a_stored_message_is_masked_until_somebody_says_why(hub):
    new, _, old = [one["id"] for one in operator.get(f"{hub.url}/ops/v1/messages", timeout=20).json()["data"]["items"]]
    for name in (UPGRADE, NAME):
        found = try_on(hub, name, messageId=old)
        assert found.json()["data"]["isMasked"] is True
        assert "OLD-1" not in found.text
    assert "OLD-1" in try_on(hub, messageId=old, why="a customer asked", by="olga").text
    acts = operator.get(f"{hub.url}/ops/v1/audit?what=message.revealed&object={old}", timeout=20).json()["data"][
        "items"
    ]
    assert [(act["by"], act["details"]["why"]) for act in acts] == [("olga", "a customer asked")]
    assert try_on(hub, messageId=old, why="nobody").status_code == 400
    # One of a newer version does not lead to the upgrade of the old one
    assert try_on(hub, UPGRADE, messageId=new).status_code == 400


def test_the_commands_tell_the_same(hub):
    from click.testing import CliRunner

    from hub.cli.commands import main

    settings = hub.hub.settings
    words = ["--store", settings.store, "--workspace", str(settings.workspace)]
    run = CliRunner(env={"HUB_MASTER_KEY": settings.master_key})
    for command, path in (
        (["contracts", "list"], "/contracts"),
        (["contracts", "show", "shop/order.placed"], "/contracts/shop/order.placed"),
        (["map", "list"], "/mappings"),
        (["map", "show", NAME], f"/mappings/{NAME}"),
    ):
        done = run.invoke(main, [*words, *command, "--json"])
        assert done.exit_code == 0, done.output
        told = operator.get(f"{hub.url}/ops/v1{path}", timeout=20).json()["data"]
        assert json.loads(done.output) == {name: value for name, value in told.items() if name != "cases"}
        shown = run.invoke(main, [*words, *command])
        assert shown.exit_code == 0, shown.output
        assert "order.placed" in shown.output
    assert run.invoke(main, [*words, "map", "show", "none"]).exit_code == 2
