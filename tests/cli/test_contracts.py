"""Commands about contracts: what changes, and what real messages would have been refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hub.catalog.scaffold.new_workspace import init
from hub.core.message import Disposition, Ref
from tests.support.hubs import HubProcess
from tests.support.making import laid

CONTRACT = "adapters/shop/contracts/order.placed.v1.json"


@pytest.fixture
def hub(tmp_path):
    init(tmp_path / "workspace")
    return HubProcess(tmp_path / "workspace", f"sqlite:///{tmp_path}/hub.sqlite3")


@pytest.fixture
def candidate(tmp_path):
    folder = tmp_path / "shop" / "contracts"
    folder.mkdir(parents=True)
    text = (
        (tmp_path / "workspace" / CONTRACT).read_text("utf-8").replace('"maximum": 1000000', '"maximum": 5')
        if (tmp_path / "workspace").exists()
        else ""
    )
    path = folder / "order.placed.v1.json"
    path.write_text(text, "utf-8")
    return path


def test_diff_tells_what_changes_with_a_document_that_shows_it(hub, candidate):
    found = hub.json("contracts", "diff", "shop/order.placed@1", str(candidate))
    assert (found["compatibility"], found["mayBe"], found["safeForSenders"], found["safeForReceivers"]) == (
        "forward",
        ["forward"],
        False,
        True,
    )
    [change] = found["changes"]
    assert (change["pointer"], change["effect"]) == ("/items/*/quantity", "narrows")
    assert change["example"]["items"][0]["quantity"] == 6
    code, out, _ = hub.run("contracts", "diff", "shop/order.placed@1", str(candidate))
    assert code == 1
    assert "Compatibility: forward" in out
    assert "breaks senders" in out
    assert hub.run("contracts", "diff", "shop/order.placed@1", "shop/order.placed@1")[0] == 0
    code, _, err = hub.run("contracts", "diff", "shop/order.placed@1", "shop/order.place@1")
    assert (code, "There is no contract shop/order.place@1" in err) == (2, True)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_try_says_what_real_messages_would_have_been_refused(hub, candidate, store, store_url):
    # Given ten stored orders, of which four have more than the candidate takes
    orders = [
        {"orderNo": f"SO-{number}", "items": [{"sku": "A", "quantity": 9 if number < 4 else 1}]} for number in range(10)
    ]
    added = [laid(raw=json.dumps(order).encode()) for order in orders]
    store.add(added)
    hub.environment["HUB_STORE"] = store_url
    found = hub.json("contracts", "try", str(candidate))
    # Then that is what it says, by caller and place, with ids to look at and no value
    assert (found["messages"], found["refused"]) == (10, 4)
    [group] = found["groups"]
    assert (group["caller"], group["pointer"], group["number"]) == ("k_test", "/items/*/quantity", 4)
    assert set(group["messages"]) == {one.message.id for one in added[:4]}
    assert hub.run("contracts", "try", str(candidate))[0] == 1
    assert hub.run("contracts", "try", str(hub.environment["HUB_WORKSPACE"]) + "/" + CONTRACT)[0] == 0


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_try_looks_at_the_version_meant_alone(hub, candidate, store, store_url):
    # Given messages of two versions, each in turn, and many more than a page
    both = []
    for number in range(600):
        one = laid(
            raw=json.dumps({"orderNo": f"SO-{number}", "items": [{"sku": "A", "quantity": 9}]}).encode(), targets=()
        )
        message = replace(
            one.message, disposition=Disposition.UNROUTED, ref=Ref("shop", "order.placed", 1 + number % 2)
        )
        both.append(replace(one, message=message))
    store.add(both)
    assert {row.version for row in store.search(type_="shop/order.placed", version=2, limit=500)} == {2}
    hub.environment["HUB_STORE"] = store_url
    assert [hub.json("contracts", "try", str(candidate))[name] for name in ("messages", "refused")] == [300, 300]
    second = hub.json("contracts", "try", str(candidate), "--type", "shop/order.placed@2")
    assert set(second["groups"][0]["messages"]) <= {one.message.id for one in both[1::2]}
    assert "messages of shop/order.placed@1" in hub.run("contracts", "try", str(candidate))[1]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_try_shows_examples_without_what_is_personal(hub, candidate, store, store_url, tmp_path):
    # Given a published contract with a personal field, a candidate that forgot to say so of it, and messages with
    # fields that neither has
    published = tmp_path / "workspace" / CONTRACT
    text = published.read_text("utf-8").replace(
        '"orderNo": {', '"phone": {"type": "string", "x-pii": "phone"}, "orderNo": {'
    )
    text = text.replace('"additionalProperties": false,', "", 1)
    published.write_text(text, "utf-8")
    candidate.write_text(
        text.replace('"x-pii": "phone"', '"x-money": "CNY"').replace('"maximum": 1000000', '"maximum": 5'), "utf-8"
    )
    hub.environment["HUB_STORE"] = store_url
    assert hub.json("apply")["revision"]
    orders = [
        {
            "orderNo": f"SO-{number}",
            "phone": "13800000000",
            "whoever": {"name": "ANN"},
            "items": [{"sku": "A", "quantity": 9}],
        }
        for number in range(4)
    ]
    store.add([laid(raw=json.dumps(order).encode()) for order in orders])
    [group] = hub.json("contracts", "try", str(candidate), "--examples", "2")["groups"]
    assert (group["number"], len(group["examples"])) == (4, 2)
    assert group["examples"][0] == {
        "orderNo": "SO-3",
        "phone": "***",
        "whoever": "***",
        "items": [{"sku": "A", "quantity": 9}],
    }
    _, out, _ = hub.run("contracts", "try", str(candidate), "--examples", "1")
    assert out.count("SO-") == 1
    assert "13800000000" not in out
    assert "ANN" not in out
    assert "examples" not in hub.json("contracts", "try", str(candidate))["groups"][0]


def test_a_candidate_that_lies_nowhere_must_say_what_it_is_for(hub, candidate, tmp_path):
    lost = tmp_path / "candidate.json"
    lost.write_text(candidate.read_text("utf-8"), "utf-8")
    code, _, err = hub.run("contracts", "try", str(lost))
    assert (code, "--type" in err) == (2, True)


def test_a_shortened_lock_is_refused_until_it_is_named(hub):
    folder = Path(hub.environment["HUB_WORKSPACE"])
    hub.json("contracts", "lock")
    hub.json("apply")
    (folder / "adapters/shop/contracts/versions.lock").unlink()
    (folder / CONTRACT).write_text((folder / CONTRACT).read_text("utf-8").replace("1000000", "5"), "utf-8")
    assert hub.run("check")[0] == 0
    name = f"E406:{CONTRACT}:1"
    for command in ("plan", "apply", "up"):
        code, _, err = hub.run(command)
        assert (code, f"{CONTRACT}:1:1: E406" in err) == (1, True)
    assert hub.json("apply", "--despite", name)["despite"] == [name]
    assert [row["despite"] for row in hub.json("revisions")] == [[name], []]
    assert hub.json("plan")["findings"] == []
