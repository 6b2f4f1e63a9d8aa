"""`hub now`, `hub find`, `hub object` and `hub dead clusters`: the same answers as /ops/v1 gives, for a person and as
JSON.
"""

import json

import pytest
from click.testing import CliRunner

from hub.cli.commands import main
from hub.core.errors import Cause, Reason
from hub.core.message import Incoming, Ref
from hub.core.model.delivery import Dead, Exchange, Settlement
from hub.flow.accept import prepare_message
from tests.support.hubs import small_workspace
from tests.support.servers import small_hub

NO = Cause(Reason.REFUSED, "The target refused it with 400: [red]no such product[/].", "/items/0/sku", "Mend it.")


@pytest.fixture
def hub(tmp_path):
    with small_hub(
        small_workspace(tmp_path / "workspace", "http://127.0.0.1:9009"), f"sqlite:///{tmp_path}/hub.sqlite3"
    ) as made:
        yield made


def add(hub, number):
    order = {"orderNo": number, "items": [{"sku": "A", "quantity": 1}]}
    laid = prepare_message(
        hub,
        Incoming(Ref("shop", "order.placed", 1), order, json.dumps(order).encode(), "test", None, "b" * 32),
        source="http",
        now=hub.clock(),
    )
    hub.store.add([laid])
    return laid.message.id


def fail(hub):
    claims = hub.store.claim("warehouse", size=10, lease_s=30, worker="test")
    hub.store.settle(
        [Settlement(one, Dead(NO), Exchange(status=400, sent=True), one.message.revision) for one in claims]
    )


def run(hub, *words):
    environment = {"HUB_MASTER_KEY": hub.settings.master_key}
    done = CliRunner().invoke(
        main, ["--store", hub.settings.store, "--workspace", str(hub.settings.workspace), *words], env=environment
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def test_a_quiet_hub_needs_nobody(hub):
    code, out = run(hub, "now")
    assert code == 0
    assert "Nothing needs a person" in out


def test_what_waits_is_told_by_its_cause_with_what_helps(hub):
    add(hub, "SO-1")
    add(hub, "SO-2")
    fail(hub)
    code, out = run(hub, "dead", "clusters", "--json")
    [line] = json.loads(out)
    assert (code, line["count"], line["reason"]) == (0, 2, "refused")
    assert "[red]" in run(hub, "dead", "clusters")[1]
    assert run(hub, "dead", "clusters", "--status", "unknown", "--json")[1].strip() == "[]"
    code, out = run(hub, "dead", "cluster", line["id"])
    assert code == 0
    assert "SO-1" in out
    assert json.loads(run(hub, "dead", "cluster", line["id"], "--json")[1])["count"] == 2
    assert run(hub, "dead", "cluster", "0" * 16)[0] == 1
    # And it is what needs a person now
    code, out = run(hub, "now", "--json")
    assert code == 1
    assert [need["kind"] for need in json.loads(out)["needs"]] == ["cluster"]
    assert f"hub dead cluster {line['id']}" in run(hub, "now")[1].replace("\n", " ")


def test_messages_are_found_by_number_words_and_filters(hub):
    first, second = add(hub, "SO-1"), add(hub, "SO-2")
    assert [item["id"] for item in json.loads(run(hub, "find", "SO-1", "--json")[1])["items"]] == [first]
    assert "warehouse pending" in run(hub, "find", "SO-1")[1]
    assert (
        json.loads(
            run(
                hub,
                "find",
                "--type",
                "shop/order.placed",
                "--target",
                "warehouse",
                "--since",
                "2020-01-01",
                "--count",
                "--json",
            )[1]
        )["number"]
        == 2
    )
    assert run(hub, "find", "--status", "dead")[0] == 1
    fail(hub)
    code, out = run(hub, "find", "such", "product", "--json")
    assert code == 0
    assert {item["id"] for item in json.loads(out)["items"]} == {first, second}
    assert "No message has the number SO-9" in run(hub, "find", "SO-1", "SO-9")[1]
    assert run(hub, "find", "--count", "--reason", "refused")[1].strip() == "2"


def test_an_orders_life_is_told(hub):
    add(hub, "SO-1")
    assert "It is in progress" in run(hub, "object", "SO-1")[1]
    fail(hub)
    code, out = run(hub, "object", "SO-1")
    assert code == 0
    assert "missing: warehouse/order.create@1" in out
    assert json.loads(run(hub, "object", "SO-1", "--json")[1])["gaps"][0]["kind"] == "stuck"
    assert run(hub, "object", "no-such")[0] == 1
