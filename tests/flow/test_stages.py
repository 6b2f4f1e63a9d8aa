"""One message at each stage of its way: what each step changed, what was sent and answered, what is personal masked;
and what today's configuration makes of it.
"""

import json

import pytest

from hub.core.errors import Cause, Reason
from hub.core.message import Incoming, Ref
from hub.core.model.delivery import Dead, Delivered, Exchange, Retry, Settlement
from hub.core.schemas.contract import MASK
from hub.flow.accept import prepare_message
from hub.flow.configuration.plan import apply
from hub.flow.dry_run.message import afresh
from hub.flow.views import lineage
from hub.flow.views.stages import stages
from tests.support.hubs import small_workspace
from tests.support.servers import small_hub
from tests.support.versioned import versioned

ORDER = {"orderNo": "SO-7", "items": [{"sku": "A", "quantity": 3}]}
NO = Cause(Reason.SERVER_ERROR, "The target answered 500: SO-7 is busy.")


def personal(folder):
    """The order's number is somebody's secret, on both sides."""
    for file in ("shop/contracts/order.placed.v1.json", "warehouse/contracts/order.create.v1.json"):
        path = folder / "adapters" / file
        path.write_text(path.read_text("utf-8").replace('"orderNo": {', '"orderNo": {"x-pii": "id", '), "utf-8")
    return folder


@pytest.fixture
def made(tmp_path):
    with small_hub(
        personal(small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009")), f"sqlite:///{tmp_path}/hub.sqlite3"
    ) as hub:
        yield hub


def add(hub, order=ORDER):
    raw = json.dumps(order).encode()
    laid = prepare_message(
        hub,
        Incoming(Ref("shop", "order.placed", 1), order, raw, "test", None, "b" * 32),
        source="http",
        now=hub.clock(),
    )
    hub.store.add([laid])
    return laid.message.id


def attempt(hub, outcome, **given):
    [claim] = hub.store.claim("warehouse", size=1, lease_s=30, worker="test")
    exchange = Exchange(
        "http://wms/orders",
        "POST",
        sent=True,
        request_bytes=60,
        ms=40,
        timings={"dns": 1, "connect": 3, "tls": 3, "first_byte": 30},
        **given,
    )
    hub.store.settle([Settlement(claim, outcome, exchange, claim.message.revision)])


def test_each_stage_says_what_it_changed(made):
    message_id = add(made)
    told = stages(made.store, made.catalogs, message_id, is_revealed=True)
    [decoded] = told["stages"]
    assert (decoded["stage"], decoded["message"], decoded["body"], decoded["changes"]) == (
        "decoded",
        "shop/order.placed@1",
        ORDER,
        None,
    )
    [mapped] = told["deliveries"][0]["stages"]
    assert mapped["message"] == "warehouse/order.create@1"
    assert (mapped["body"], mapped["changes"]) == (ORDER, [])  # this mapping copies
    assert told["raw"]["bytes"] == len(json.dumps(ORDER))
    assert "--data-binary" in told["raw"]["curl"]
    assert not told["isMasked"]
    assert stages(made.store, made.catalogs, "00000000-0000-7000-8000-000000000000") is None


def test_each_attempt_says_what_came_back_where_the_time_went_and_why_there_was_another(made):
    message_id = add(made)
    attempt(made, Retry(NO, 0.0), status=500, reply=b'{"error": "SO-7 is busy"}')
    attempt(made, Delivered(), status=200, reply=b"ok")
    [first, second] = stages(made.store, made.catalogs, message_id, is_revealed=True)["deliveries"][0]["attempts"]
    assert first["reply"] == {
        "status": 500,
        "bytes": 25,
        "text": '{"error": "SO-7 is busy"}',
        "body": {"error": "SO-7 is busy"},
    }
    assert first["phases"] == [
        {"name": "dns", "ms": 1},
        {"name": "connect", "ms": 2},
        {"name": "first_byte", "ms": 27},
        {"name": "rest", "ms": 10},
    ]
    assert first["next"]["why"]["reason"] == "server_error"
    assert first["next"]["at"] == second["startedAt"]
    assert (second["next"], second["reply"]["body"]) == (None, None)
    sent = stages(made.store, made.catalogs, message_id, is_revealed=True)["deliveries"][0]["sent"]
    assert sent["url"] == "http://wms/orders"
    assert "SO-7" in sent["curl"]


def test_what_is_personal_stands_nowhere(made):
    message_id = add(made)
    attempt(made, Retry(NO, 0.0), status=500, reply=b'{"error": "SO-7 is busy"}')
    told = stages(made.store, made.catalogs, message_id)
    assert "SO-7" not in json.dumps(told)
    assert told["stages"][0]["body"]["orderNo"] == MASK
    assert told["isMasked"]
    assert "SO-7" not in json.dumps(afresh(made.store, made.catalogs, message_id))


def test_a_stage_that_cannot_be_made_says_why(made):
    message_id = add(made)
    [row] = [made.store.message(message_id)]
    made.store.activate(row.revision)
    attempt(made, Dead(NO))
    told = stages(made.store, made.catalogs, message_id)
    assert told["deliveries"][0]["fault"] is None
    # A configuration that is not there any more hides the body whole: nobody knows what in it is personal
    made.store._database.write(lambda connection: connection.exec_driver_sql("UPDATE message SET revision = 'gone'"))
    told = stages(made.store, made.catalogs, message_id)
    assert (told["raw"]["text"], told["stages"], told["isMasked"]) == (MASK, [], True)
    assert "cannot be read" in told["fault"]


def test_upgrades_are_stages_too(tmp_path):
    with small_hub(
        versioned(tmp_path / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{tmp_path}/hub.sqlite3"
    ) as hub:
        told = stages(hub.store, hub.catalogs, add(hub))
        assert [(stage["stage"], stage["message"]) for stage in told["stages"]] == [
            ("decoded", "shop/order.placed@1"),
            ("upgraded", "shop/order.placed@2"),
        ]
        assert {"kind": "moved", "pointer": "/orderNumber", "from": "/orderNo", "old": "SO-7", "new": "SO-7"} in told[
            "stages"
        ][1]["changes"]


def test_what_todays_configuration_would_make_of_it(made, tmp_path):
    message_id = add(made)
    assert afresh(made.store, made.catalogs, message_id)["isSame"]
    # When the mapping says something else
    mapping = next((tmp_path / "workspace" / "mappings").glob("shop.order.placed*"))
    text = mapping.read_text("utf-8")
    assert "orderNo: orderNo" in text
    mapping.write_text(
        text[: text.index("examples:")].replace("orderNo: orderNo", "orderNo: $substring(orderNo, 3)"), "utf-8"
    )
    apply(made.store, tmp_path / "workspace")
    made.catalogs.refresh()
    # Then what was made and what would be are told place by place, and the revisions of both
    told = afresh(made.store, made.catalogs, message_id, is_revealed=True)
    assert not told["isSame"]
    assert told["made"]["revision"] != told["now"]["revision"]
    [line] = told["deliveries"]
    assert (line["what"], line["changes"]) == (
        "changed",
        [{"kind": "changed", "pointer": "/orderNo", "old": "SO-7", "new": "7"}],
    )
    # When the route is gone, then so is the delivery
    routes = tmp_path / "workspace" / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace(
            "    from: shop/order.placed", '    from: shop/order.placed\n    when: orderNo = "never"'
        ),
        "utf-8",
    )
    apply(made.store, tmp_path / "workspace")
    made.catalogs.refresh()
    assert [line["what"] for line in afresh(made.store, made.catalogs, message_id)["deliveries"]] == ["lost"]


def test_lineage_goes_both_ways(made):
    message_id = add(made)
    there = lineage.of_message(made.store, made.catalogs, message_id, source="/items")
    assert there["deliveries"][0]["fields"]
    assert all(
        any(one["path"].startswith("/items") for one in field["from"]) for field in there["deliveries"][0]["fields"]
    )
