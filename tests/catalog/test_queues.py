"""Queues as they are written: each slip is found at its line, and the schema for editors says the same."""

import jsonschema
import pytest
from ruamel.yaml import YAML

from hub.catalog import check, difference, load
from hub.catalog.files import schemas
from tests.support.queues import SYSTEM, queue_workspace

AMQP = "amqp://127.0.0.1:5672//"


def findings_of(folder):
    return [finding for finding in check(folder) if finding.level == "error"]


def test_the_workspace_of_queues_is_sound(tmp_path):
    folder = queue_workspace(tmp_path, AMQP)
    assert [finding.text for finding in findings_of(folder)] == []
    queue = load(folder).systems["stock"].queues["orders"]
    assert (queue.queue, queue.exchange, queue.kind, queue.topics, queue.prefetch, queue.shared) == (
        "hub.orders",
        "topics",
        "topic",
        ("order.*",),
        500,
        False,
    )


SLIPS = [
    ("queue: hub.orders", "quue: hub.orders", "E201", "quue is not a key of a queue"),
    ('topics: ["order.*"]', 'topic: ["order.*"]', "E201", "topic is not a key of a queue"),
    ('topics: ["order.*"]', 'topics: ["order *"]', "E206", "is not a topic"),
    ("    exchange: topics\n", "", "E203", "topics is about an exchange"),
    ('    topics: ["order.*"]\n', "", "E203", "says no topics"),
    ("prefetch: 50", "prefetch: 0", "E206", "0 is out of range"),
    ("prefetch: 50", "broker: brokr", "E203", "the setting brokr, which is not there"),
    ("prefetch: 50", "from: json:msg", "E201", "from is not a key"),
    ("emit: stock/order.changed@1, map", "emit: stock/order.chnged@1, map", "E304", "stock emits no order.chnged"),
    ("emit: stock/order.changed@1, map", "emit: stock/order.changed@7, map", "E305", "has no version 7"),
    ("map: told--order-changed", "map: told--order-chnged", "E112", "there is no mappings/told--order-chnged.yaml"),
    ("each: body.lines", "each: 'body.('", "E207", "does not compile"),
    ("each: body.lines, emit", "from: header:x, emit", "E206", "is not a place"),
    ("skip: nobody wants it", "skip: x, emit: stock/order.changed@1", "E208", "skip and emit stand together"),
    ("queue: hub.lines", "queue: hub.orders", "E308", "which orders takes from already"),
    ('default: "BROKER"', 'default: "http://127.0.0.1:5672"', "E", "is no broker's address"),
    ('default: "BROKER"', 'default: "redis://127.0.0.1:6379/0"', "E208", "Redis has none"),
    ("    read: {each", "    reed: {each", "E201", "reed is not a key"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "told"), SLIPS, ids=[row[3] for row in SLIPS])
def test_a_slip_is_found_at_its_line(tmp_path, old, new, code, told):
    assert old in SYSTEM
    folder = queue_workspace(tmp_path, AMQP, system=SYSTEM.replace(old, new, 1))
    found = findings_of(folder)
    hits = [finding for finding in found if told in finding.text]
    assert hits, [f"{finding.place} {finding.code} {finding.text}" for finding in found]
    assert hits[0].code.startswith(code)
    line = SYSTEM.count("\n", 0, SYSTEM.index(old)) + 1
    assert hits[0].file == "adapters/stock/system.yaml"
    assert abs(hits[0].line - line) <= 1 or "Redis has none" in told  # told at the exchange
    assert len(found) <= 2, [finding.text for finding in found]


def test_a_misspelt_key_is_told_what_was_meant(tmp_path):
    [finding] = findings_of(queue_workspace(tmp_path, AMQP, system=SYSTEM.replace("prefetch: 50", "prefech: 50")))
    assert "prefetch" in finding.fix


@pytest.mark.parametrize(
    ("publish", "url", "told"),
    [
        ("{queue: out}", "redis://127.0.0.1:6379/0", None),
        ("{queue: out}", AMQP, None),
        ("{exchange: out}", "redis://127.0.0.1:6379/0", "Redis has none"),
        ("{queue: out, kind: topic}", AMQP, "queue and kind stand together"),
        ("{queue: out, exchange: x}", AMQP, "queue and exchange stand together"),
        ("{}", AMQP, "neither exchange nor queue"),
    ],
)
def test_a_queue_as_a_target(tmp_path, publish, url, told):
    folder = queue_workspace(tmp_path, AMQP)
    path = folder / "adapters" / "warehouse" / "system.yaml"
    text = path.read_text("utf-8").replace("http://127.0.0.1:9001", url)
    start = text.index("  order.create:")
    text = text[:start] + text[text.index("  order.note:") :] if start < text.index("  order.note:") else text
    path.write_text(text.replace("call: POST /notes", f"publish: {publish}"), "utf-8")
    texts = [finding.text for finding in findings_of(folder)]
    if told is None:
        assert not any("publish" in one or "topic" in one for one in texts), texts
    else:
        assert any(told in one for one in texts), texts


def test_a_topic_means_nothing_to_one_queue(tmp_path):
    folder = queue_workspace(tmp_path, AMQP)
    path = folder / "adapters" / "warehouse" / "system.yaml"
    path.write_text(path.read_text("utf-8").replace("call: POST /notes", "publish: {queue: out}"), "utf-8")
    routes = folder / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace("[warehouse/order.note]", "[{warehouse/order.note: {topic: a.b}}]"), "utf-8"
    )
    assert any("is put into one queue: a topic has no meaning" in finding.text for finding in findings_of(folder))


def test_the_schema_for_editors_takes_it_and_refuses_a_slip():
    checker = jsonschema.Draft202012Validator(schemas.schemas()[schemas.SYSTEM])
    assert list(checker.iter_errors(YAML(typ="safe", pure=True).load(SYSTEM))) == []
    assert list(checker.iter_errors(YAML(typ="safe", pure=True).load(SYSTEM.replace("prefetch", "prefech"))))


def test_a_changed_queue_is_a_change(tmp_path):
    old = load(queue_workspace(tmp_path / "old", AMQP))
    new = load(queue_workspace(tmp_path / "new", AMQP, system=SYSTEM.replace("prefetch: 50", "prefetch: 60")))
    assert [change.text for change in difference(old, new)] == ["~ system · stock · queues/lines/prefetch: 50 → 60"]
