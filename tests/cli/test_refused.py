"""`hub refused` and `/ops/v1/refused`: looked at, retried, dropped; the same answers by both."""

import json

import pytest
from click.testing import CliRunner

from hub.cli.commands import main
from hub.core.config.queue import Arrival
from hub.flow.answers import repairs
from hub.flow.configuration.plan import apply
from hub.flow.doors.queues import take_in
from tests.support.declared import faults
from tests.support.hubs import operator
from tests.support.queues import queue_workspace
from tests.support.servers import served, small_hub

AMQP = "amqp://127.0.0.1:5672//"


@pytest.fixture
def hub(tmp_path):
    with small_hub(queue_workspace(tmp_path / "workspace", AMQP), f"sqlite:///{tmp_path}/hub.sqlite3") as made:
        queue = made.catalogs.active().systems["stock"].queues["orders"]
        late = b'{"orderNo":"SO-1","step":1,"extra":1}'
        take_in(
            made,
            queue,
            [Arrival(late, "order.create", {"n": 1}, "late"), Arrival(b"\xff[red]", "order.create", {}, "poison")],
        )
        yield made


def run(hub, *words):
    done = CliRunner().invoke(
        main, ["--store", hub.settings.store, "--workspace", str(hub.settings.workspace), "refused", *words]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def ids(hub):
    return {row.message_id: row.id for row in hub.store.refused()}


def mended(hub):
    contract = hub.settings.workspace / "adapters" / "stock" / "contracts" / "order.changed.v1.json"
    contract.write_text(
        contract.read_text("utf-8").replace('"action":', '"extra": {"type": "integer"}, "action":'), "utf-8"
    )
    apply(hub.store, hub.settings.workspace)
    hub.catalogs.refresh()


def test_they_are_listed_shown_retried_and_dropped_at_the_command_line(hub):
    code, out = run(hub, "list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert {row["messageId"]: (row["code"], row["bytes"], row["times"]) for row in rows} == {
        "late": (42200, 37, 1),
        "poison": (40005, 6, 1),
    }
    assert "hub refused retry" in run(hub, "list")[1]
    poison, late = ids(hub)["poison"], ids(hub)["late"]
    shown = json.loads(run(hub, "show", poison, "--json")[1])
    assert shown["body"] == "\\xff[red]"
    assert "[red]" in run(hub, "show", poison)[1]
    assert run(hub, "show", "01a00000-0000-7000-8000-000000000000")[0] == 1
    assert run(hub, "retry")[0] == 1
    code, out = run(hub, "retry", late, "--json")
    assert (code, json.loads(out)[late][:14]) == (1, "Refused again:")
    mended(hub)
    code, out = run(hub, "retry", "--all", "--by", "ann", "--json")
    assert (code, json.loads(out)[late]) == (1, "accepted")
    assert len(hub.store.story("SO-1")) == 1
    assert run(hub, "drop", poison, "--by", "ann", "--why", "no JSON")[0] == 0
    assert [act.details["why"] for act in hub.store.acts(what="refused.dropped")] == ["no JSON"]
    assert run(hub, "drop", poison)[0] == 1
    assert json.loads(run(hub, "list", "--json")[1]) == []
    [row] = json.loads(run(hub, "list", "--state", "dropped", "--json")[1])
    assert row["changedBy"] == "ann"


def test_the_same_over_http(hub):
    with served(hub, "granian") as answering:
        base = f"{answering.url}/ops/v1/refused"

        def got(path, schema):
            answer = operator.get(base + path, timeout=10)
            assert not faults(schema, answer.json())
            return answer.json()["data"]

        def act(verb, **given):
            return operator.post(f"{base}/{verb}", json={"by": "ann", **given}, timeout=10).json()["data"]

        assert len(got("?limit=500", repairs.RefusedArrivals)["items"]) == 2
        first = got("?limit=1", repairs.RefusedArrivals)
        assert first["next"] == first["items"][0]["id"]
        assert len(got(f"?before={first['next']}", repairs.RefusedArrivals)["items"]) == 1
        late, poison = ids(hub)["late"], ids(hub)["poison"]
        assert got(f"/{late}", repairs.RefusedArrival)["headers"] == {"n": 1}
        assert operator.get(f"{base}/01a00000-0000-7000-8000-000000000000", timeout=10).status_code == 404
        assert operator.get(f"{base}?state=lost", timeout=10).status_code == 400
        mended(hub)
        assert act("retry", ids=[late]) == {late: "accepted"}
        assert act("retry", ids=[late]) == {late: "It is accepted already."}
        assert act("drop", ids=[poison, late]) == {poison: "dropped", late: "It is accepted already."}
        assert operator.get(f"{answering.url}/ops/v1/openapi.json", timeout=10).json()["paths"].keys() >= {
            "/ops/v1/refused", "/ops/v1/refused/{refused_id}", "/ops/v1/refused/retry", "/ops/v1/refused/drop",
        }  # fmt: skip
