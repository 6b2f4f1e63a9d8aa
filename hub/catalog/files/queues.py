"""`queues:` of a system.yaml: queues of a broker that its messages are taken from; and `publish:`, where its own are
put (docs/queues.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.catalog.files import event_reading
from hub.catalog.files.mappings import MappingFile
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings, did_you_mean
from hub.catalog.yaml.leaves import Flag, Text, Whole, Word
from hub.catalog.yaml.shape import Key, ListOf, OneOrMore, Record
from hub.catalog.yaml.yaml_documents import Document, Path
from hub.core.config.queue import Queue
from hub.core.config.system import Accept, Publish, Setting, System

AMQP = ("amqp://", "amqps://")
REDIS = ("redis://", "rediss://")
BROKERS = (*AMQP, *REDIS)
KINDS = ("topic", "direct", "fanout")

_QUEUE_NAME = Text(want="a queue such as wms.stock", pattern=r"[\w.:/-]{1,200}", longest=200)
_EXCHANGE = Text(want="an exchange such as events", pattern=r"[\w.:-]{1,127}")
_TOPIC = Text(want="a topic such as order.create, stock.* or #", pattern=r"[\w.:*#-]{1,200}", longest=200)
PUBLISH = Record(
    {
        "exchange": Key(_EXCHANGE, "its name; it is declared where it is missing"),
        "kind": Key(Word(KINDS), "default: topic"),
        "durable": Key(Flag(), "default: true"),
        "queue": Key(_QUEUE_NAME, "one queue by its name, of AMQP or Redis; in place of exchange"),
    },
    what="publish",
    excludes=(("queue", "exchange"), ("queue", "kind"), ("queue", "durable")),
)
QUEUE = Record(
    {
        "about": Key(Text(), "one sentence for whoever looks after it"),
        "queue": Key(_QUEUE_NAME, "its name at the broker; made there where it is missing", required=True),
        "broker": Key(
            Text(want="a setting's name such as url", pattern=r"[a-z][a-z0-9_-]{0,39}"),
            "the setting with the broker's address; default: url",
        ),
        "exchange": Key(_EXCHANGE, "AMQP: what it is bound to; default: whoever owns the broker binds it"),
        "kind": Key(Word(KINDS), "of the exchange; default: topic"),
        "topics": Key(ListOf(_TOPIC, most=100), "AMQP: what it is bound for, such as [order.create, stock.*]"),
        "prefetch": Key(Whole(1, 10_000), "how many one worker may have in hand, unacknowledged; default: 500"),
        "shared": Key(Flag(), "true: several workers take from it at once, and order between them is not kept"),
        "read": Key(
            OneOrMore(event_reading.shape("{headers, topic, body}", "json", "json:msg", of_queue=True)),
            "what an event is, and which message it becomes; or a list of such",
            required=True,
        ),
    },
    what="a queue",
)


def read(
    system: str, rows: Mapping[str, Any], foreign: Mapping[str, MappingFile], document: Document, findings: Findings
) -> dict[str, Queue]:
    """The queues of one system. `foreign`: mappings of foreign bodies, by name."""
    return {name: _queue(system, name, row or {}, foreign, document, findings) for name, row in rows.items()}


def _queue(
    system: str,
    name: str,
    row: dict[str, Any],
    foreign: Mapping[str, MappingFile],
    document: Document,
    findings: Findings,
) -> Queue:
    at: Path = ("queues", name)
    kind, topics = row.get("kind") or "topic", tuple(topic for topic in row.get("topics") or () if topic)

    def fault(key: str, code: Check, text: str, fix: str) -> None:
        findings.add(document.file, document.place((*at, key)), code, text, fix)

    for key in ("kind", "topics"):
        if key in row and "exchange" not in row:
            fault(
                key,
                Check.MISSING_KEY,
                f"{key} is about an exchange, and the queue {name} names none",
                "add exchange: its name, or take it out",
            )
    if "exchange" in row and kind != "fanout" and not topics and "topics" not in row:
        fault(
            "exchange",
            Check.MISSING_KEY,
            f"the queue {name} is bound to an exchange, and says no topics",
            "add topics: [order.create, stock.*]",
        )
    return Queue(
        system,
        name,
        row.get("queue") or "",
        row.get("broker") or "url",
        row.get("exchange") or "",
        kind,
        topics,
        row.get("prefetch") or 500,
        bool(row.get("shared")),
        event_reading.read(name, row.get("read"), foreign, document, (*at, "read"), findings),
    )


def publish(row: dict[str, Any]) -> Publish | None:
    """Where a message is published; None where nothing usable says so."""
    if not row.get("exchange") and not row.get("queue"):
        return None
    return Publish(
        row.get("exchange") or "", row.get("kind") or "topic", row.get("durable") is not False, row.get("queue") or ""
    )


def judge(document: Document, system: System, systems: Mapping[str, System], findings: Findings) -> None:
    """Names that queues speak of: messages that are emitted and live, the setting with the broker's address; and no
    queue twice.
    """
    taken: dict[tuple[str, str], str] = {}
    for name, queue in system.queues.items():
        at: Path = ("queues", name)
        event_reading.judge(queue.reads, systems, document, (*at, "read"), findings)
        _judge_broker(document, (*at, "broker"), queue, system.settings, findings)
        first = taken.setdefault((queue.broker, queue.queue), name)
        if first != name:
            text = f"{name} takes from {queue.queue}, which {first} takes from already: each message would reach one of them alone"
            findings.add(
                document.file,
                document.place((*at, "queue")),
                Check.DOUBLE_NAME,
                text,
                f"write both under read: of {first}",
            )


def _judge_broker(
    document: Document, at: Path, queue: Queue, settings: Mapping[str, Setting], findings: Findings
) -> None:
    setting = settings.get(queue.broker)
    if setting is None:
        fix = (
            did_you_mean(queue.broker, settings)
            or f'settings: {{{queue.broker}: {{help: "The broker", default: "amqp://..."}}}}'
        )
        findings.add(
            document.file,
            document.place(at),
            Check.MISSING_KEY,
            f"the broker's address is the setting {queue.broker}, which is not there",
            fix,
        )
    elif setting.default and not setting.secret and not setting.default.startswith(BROKERS):
        text = f"the setting {queue.broker} is no broker's address"
        findings.add(
            document.file,
            document.place(("settings", queue.broker, "default")),
            Check.BAD_URL,
            text,
            "write amqp://host:port/vhost or redis://host:port/0",
        )
    elif queue.exchange and setting.default.startswith(REDIS):
        text = f"the queue {queue.name} is bound to an exchange, and Redis has none"
        findings.add(
            document.file,
            document.place((*at[:-1], "exchange")),
            Check.EXCLUDES,
            text,
            "take it out; producers push to the list",
        )


def judge_publish(
    document: Document, accepts: Mapping[str, Accept], settings: Mapping[str, Setting], findings: Findings
) -> None:
    """An exchange or a queue, not neither; and no exchange of a broker that has none."""
    url = settings["url"].default if "url" in settings else ""
    for name, accept in accepts.items():
        if accept.publish is not None and accept.publish.exchange and url.startswith(REDIS):
            place = document.place(("accepts", name, "publish", "exchange"))
            text = f"{accept.type} is published to an exchange, and Redis has none"
            findings.add(document.file, place, Check.EXCLUDES, text, "write publish: {queue: its name}")
