"""A full store, as a supply chain leaves it after a month: each order a chain of messages, with all that becomes of
them.

One block of orders is made row by row. The others are its copies: later in time, under other numbers, written by the
database itself, for that is many times as quick (on MariaDB each block is made row by row). The last block is of today,
with what is still under way.
"""

import hashlib
import itertools
import json
import random
import time
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hub.catalog import load
from hub.core.config.queue import Arrival
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Ref
from hub.core.model.ids import uuid7
from hub.core.model.latency import BUCKETS
from hub.core.model.repair import Order, Selection
from hub.flow.accounts import people
from hub.store import ThroughputRow, tables
from hub.store.accounts.keys import KeyRow
from hub.store.engine.database import Insert
from hub.store.queries.usage import UsageCount
from hub.store.repairs.arrivals import Refusal
from hub.store.retention import partitions

# routes of the reference workspace: what an order goes through
CHAIN = ("place", "reserve", "paid", "outbound", "shipped", "signed")
# What each of these bears beside its order's number, so that one number leads to the next: order, outbound, waybill,
# payment.
BORNE = (
    "channelOrderNo",
    "orderNo channelOrderNo",
    "orderNo paymentNo",
    "orderNo outboundNo",
    "outboundNo waybillNo",
    "orderNo waybillNo",
)
KINDS = {"channelOrderNo": "CH", "orderNo": "SO", "paymentNo": "PAY", "outboundNo": "OB", "waybillNo": "WB"}
DAYS = 30
# orders; their numbers end in as many digits as it has zeros, so that a copy has other digits before them
BLOCK = 10_000
BATCH = 2_000  # orders that are written in one transaction
CALLERS = 4  # of each system
PEOPLE = 20
CAUSES = [
    ("refused", f"The target refused it with 400: {word} is not known.")
    for word in ("product", "address", "warehouse", "carrier", "unit", "shop")
]
CAUSES += [
    ("exhausted", f"The target answered {status}. Attempt 16 of 16 was the last.") for status in (500, 502, 503, 504)
]
CAUSES += [("transform_error", "What the mapping made does not fit."), ("codelist_miss", "A table has no row for it.")]
WHYS = {
    "unknown": ("no_answer", "It was sent."),
    "held": ("orphaned", "It has no way."),
    "cancelled": ("cancelled", "Nobody needs it."),
}
OUTCOMES = {
    "delivered": "delivered",
    "dead": "dead",
    "unknown": "in_doubt",
    "held": "hold",
    "cancelled": "dead",
    "superseded": "superseded",
}
COLUMNS = [column.name for column in tables.delivery.columns]
NAMES = ("message", "body", "business_key", "delivery", "attempt", "idempotency", "order_key")
INSERTS = {name: Insert(getattr(tables, name)) for name in NAMES}


class Orders:
    """Rows of orders, oldest first, as the driver takes them. `number`: how many orders, whole blocks of them."""

    def __init__(self, opened, workspace, messages, revision, now):
        self.stamp = opened.stamp
        self.revision = revision
        self.steps = steps(load(workspace))
        self.bodies = {ref: sample(workspace, ref) for ref, _, _ in self.steps}
        self.blocks = max(2, round(messages / len(CHAIN) / BLOCK))
        self.number = self.blocks * BLOCK
        self.messages = self.number * len(CHAIN)
        self.now = now
        self.began = now - timedelta(days=DAYS)
        self.span = timedelta(days=DAYS) - timedelta(minutes=5)
        self.random = random.Random(1)

    def shift_ms(self, block):
        return int(self.span.total_seconds() * 1000) * block // self.blocks

    def id(self, at):
        return uuid7(int(at.timestamp() * 1000), self.random.randbytes(10))

    def rows(self, number):
        """The rows of one order, by table."""
        at = self.began + self.span * (number / self.number)
        text = f"{number:09d}"
        found = {name: [] for name in NAMES}
        cause = None
        blocked = set()  # lanes in which a dead delivery stands before what is behind it on this order
        seen = {}
        for place, (ref, route, targets) in enumerate(self.steps):
            at += timedelta(seconds=1 + 20 * place * self.random.random())
            id_ = self.id(at)
            chance = self.random.random()
            kind = "unrouted" if chance < 0.005 else "filtered" if chance < 0.01 else "routed"
            to = [one for one in targets if place != 4 or one.system != "tms" or number % 2] if kind == "routed" else []
            # One in five was brought by its caller; its first letter says so, for the copies.
            trace = id_.replace("-", "") if number % 5 else f"b{self.random.getrandbits(124):031x}"
            mine = [(name, f"{KINDS[name]}-{text}") for name in BORNE[place].split()]
            key = mine[0][1] if place != 4 else f"SO-{text}"
            caller = caller_id(ref.system, self.random.randrange(CALLERS))
            posted = f"{route}-{text}" if kind == "routed" else None
            stamp = self.stamp(at)
            found["message"].append(
                (
                    id_,
                    ref.type,
                    1,
                    stamp,
                    caller,
                    "http",
                    trace,
                    self.revision,
                    kind,
                    len(to),
                    json.dumps(mine),
                    key,
                    posted,
                    cause,
                    place,
                    "{}",
                )
            )
            found["body"].append((id_, self.bodies[ref]))
            found["business_key"] += [(value, name, id_) for name, value in mine]
            if posted is not None and at > self.now - timedelta(days=7):
                fingerprint = hashlib.sha256(posted.encode()).hexdigest()
                found["idempotency"].append(
                    (caller, ref.type, posted, id_, fingerprint, self.stamp(at + timedelta(days=7)))
                )
            for target in to:
                seq = seen[target.system, key] = seen.get((target.system, key), 0) + 1
                self.deliver(found, id_, route, target, (key, seq), at, number, caller, blocked)
            cause = id_
        found["order_key"] += [(lane, key, seq) for (lane, key), seq in seen.items()]
        return found

    def deliver(self, found, message_id, route, target, ordered, at, number, caller, blocked):
        key, seq = ordered
        id_ = self.id(at)
        status = "pending" if (target.system, key) in blocked else self.status(number)
        if status == "dead":
            blocked.add((target.system, key))
        why = None
        if status in ("dead", *WHYS):
            reason, text = self.random.choice(CAUSES) if status == "dead" else WHYS[status]
            field = "/items/0/sku" if reason == "codelist_miss" else ""
            why = json.dumps(
                {"reason": reason, "text": text.replace("not", f"not {number}", 1), "field": field, "fix": ""}
            )
        tried = (
            0
            if status == "pending"
            else 16
            if why is not None and '"exhausted"' in why
            else self.random.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 2))
        )
        stamp, ended = self.stamp(at), self.stamp(at + timedelta(milliseconds=200 * tried))
        given = {
            "id": id_,
            "message_id": message_id,
            "route": route,
            "lane": target.system,
            "target": str(target),
            "when_dead": "park",
            "in_doubt": "resend",
        }
        given |= {
            "status": status,
            "due_at": ended,
            "attempts": tried,
            "spent": tried,
            "lost_leases": 0,
            "first_at": stamp,
            "changed_at": ended,
        }
        given |= {
            "worker": "w1" if tried else None,
            "why": why,
            "rank": 1,
            "caller": caller,
            "order_key": key,
            "seq": seq,
        }
        found["delivery"].append(tuple(given.get(column) for column in COLUMNS))
        for turn in range(1, tried + 1):
            is_last = turn == tried
            outcome = OUTCOMES[status] if is_last else "retry"
            http = 200 if is_last and status == "delivered" else 400 if is_last else 503
            began, over = (self.stamp(at + timedelta(milliseconds=200 * turn - more)) for more in (200, 160))
            told = json.dumps({"reason": "server_error", "text": "503", "field": "", "fix": ""}) if not is_last else why
            tail = (
                f"https://{target.system}.example/api",
                "POST",
                http,
                True,
                400,
                b'{"code":0}',
                40,
                '{"connect":2,"first_byte":38}',
                self.revision,
            )
            found["attempt"].append((id_, turn, began, over, outcome, told, *tail, "w1", "l", None))

    def status(self, number):
        chance = self.random.random()
        if number > self.number * 0.998 and chance > 0.7:
            return "pending"
        for word, share in (
            ("dead", 0.015),
            ("unknown", 0.0005),
            ("held", 0.001),
            ("cancelled", 0.002),
            ("superseded", 0.001),
        ):
            if chance < share:
                return word
            chance -= share
        return "delivered"


def steps(catalog):
    """What an order goes through: the message, the route that takes it, and its targets."""
    routes = {route.name: route for route in catalog.routes}
    return [(Ref.parse(f"{routes[name].source}@1"), name, [to.ref for to in routes[name].to]) for name in CHAIN]


def caller_id(system, number):
    return f"k_{system}_{number}"


def sample(workspace, ref):
    files = sorted((workspace / "adapters" / ref.system / "samples" / f"{ref.name}.v{ref.version}").glob("*.json"))
    return next(file.read_bytes() for file in files if ".bad." not in file.name)


def fill(opened, store, workspace, messages, revision):
    """Fills an empty store; gives how many messages it has then."""
    began = time.perf_counter()
    orders = Orders(opened, workspace, messages, revision, datetime.now(UTC).replace(microsecond=0))
    if opened.is_postgresql:
        partitions.make(opened, [(orders.began + timedelta(days=day)).date() for day in range(DAYS + 2)])
    copied = opened.kind != "mariadb"
    for block in range(orders.blocks):
        if copied and 0 < block < orders.blocks - 1:
            copy(opened, orders, block)
        else:
            make(opened, orders, block)
        if copied and block == 0:
            keep_first(opened)
        done, took = (block + 1) * BLOCK * len(CHAIN), time.perf_counter() - began
        left = took / (block + 1) * (orders.blocks - block - 1)
        print(f"  {done:>10,} of {orders.messages:,} messages in {took:.0f} s, about {left:.0f} s to go", flush=True)
    if copied:
        with opened.writing.connect() as connection, connection.begin():
            for name in NAMES:
                connection.exec_driver_sql(f"DROP TABLE first_{name}")
    around(store, orders)
    refresh(store, orders.steps)
    tidy(opened)
    named, clock = 0, time.perf_counter()
    while done := store.name_clusters():
        named += done
    print(f"{named:,} named by their cause in {time.perf_counter() - clock:.0f} s", flush=True)
    tidy(opened)
    repairs(store, orders)
    print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
    return orders.messages


def tidy(opened):
    """What the database does by itself in time: counts for its planner, and a map of the pages that all may see."""
    words = {
        "postgresql": ["SET statement_timeout = 0", "VACUUM (ANALYZE)", "RESET statement_timeout"],
        "sqlite": ["ANALYZE"],
        "mariadb": [f"ANALYZE TABLE {name}" for name in NAMES],
    }
    with opened.writing.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for one in words[opened.kind]:
            connection.execute(sa.text(one))


def make(opened, orders, block):
    for start in range(block * BLOCK, (block + 1) * BLOCK, BATCH):
        batch = [orders.rows(number) for number in range(start, start + BATCH)]
        lines = {name: list(itertools.chain.from_iterable(row[name] for row in batch)) for name in INSERTS}
        opened.write(lambda connection, lines=lines: [INSERTS[name].run(connection, lines[name]) for name in INSERTS])


# What a copy changes. `later`: an id or a trace of ours, by milliseconds; a trace that was brought gets the block's
# number.
LATER = """
    CREATE OR REPLACE FUNCTION pg_temp.later(given text, ms bigint, block bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN left(given, 1) = 'b' THEN 'b' || lpad(block::text, 7, '0') || substr(given, 9)
        WHEN substr(given, 9, 1) = '-' THEN overlay(lpad(to_hex(('x' || left(given, 8) || substr(given, 10, 4))::bit(48)::bigint + ms), 12, '0')
            PLACING '-' FROM 9 FOR 0) || substr(given, 14)
        ELSE lpad(to_hex(('x' || left(given, 12))::bit(48)::bigint + ms), 12, '0') || substr(given, 13) END $$
"""
IDS = {"id", "message_id", "delivery_id", "cause_id", "trace_id"}
NUMBERED = {"keys", "order_key", "idempotency_key", "value", "key"}


def later(given, ms, block):
    if given is None:
        return None
    if given[0] == "b":
        return f"b{block:07d}{given[8:]}"
    plain = given.replace("-", "")
    text = f"{int(plain[:12], 16) + ms:012x}"
    return f"{text[:8]}-{text[8:]}{given[13:]}" if "-" in given else text + given[12:]


def keep_first(opened):
    """The first block's rows apart, for the copies; one in five of its posts' names is never among them, for it is
    older than they are kept.
    """
    with opened.writing.connect() as connection, connection.begin():
        for name in NAMES:
            connection.exec_driver_sql(f"CREATE TABLE first_{name} AS SELECT * FROM {name}")


def copy(opened, orders, block):
    """The first block once more, later, under this block's numbers."""
    ms, digits = orders.shift_ms(block), f"{block:05d}"
    is_young = orders.began + timedelta(milliseconds=ms) > orders.now - timedelta(days=7)
    with opened.writing.connect() as connection, connection.begin():
        if opened.is_postgresql:
            connection.exec_driver_sql(LATER)
        else:
            connection.connection.driver_connection.create_function("later", 3, later, deterministic=True)
        for name in NAMES:
            columns = [column.name for column in getattr(tables, name).columns]
            chosen = [changed(opened, getattr(tables, name).c[column], ms, block, digits) for column in columns]
            if name != "idempotency":
                connection.exec_driver_sql(
                    f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(chosen)} FROM first_{name}"
                )
            elif is_young:  # of the first block none is left, so that they are made of its messages
                id_, at, key = (
                    changed(opened, tables.message.c[one], ms, block, digits)
                    for one in ("id", "received_at", "idempotency_key")
                )
                until = f"{at} + interval '7 days'" if opened.is_postgresql else f"{at} + {7 * 86_400_000_000}"
                connection.exec_driver_sql(
                    f"INSERT INTO idempotency SELECT caller, type, {key}, {id_}, revision, {until} FROM first_message WHERE idempotency_key IS NOT NULL"
                )


def changed(opened, column, ms, block, digits):
    name = column.name
    if name in IDS:
        return f"{'pg_temp.' if opened.is_postgresql else ''}later({name}, {ms}, {block})"
    if name in NUMBERED:
        return f"replace({name}, '-00000', '-{digits}')"
    if isinstance(column.type, type(tables.message.c.received_at.type)):
        return f"{name} + interval '{ms} milliseconds'" if opened.is_postgresql else f"{name} + {ms * 1000}"
    return name


def around(store, orders):
    """What stands beside the messages: callers, people and their acts, refused arrivals, and who used which field."""
    systems = sorted({ref.system for ref, _, _ in orders.steps})
    for system, number in itertools.product(systems, range(CALLERS)):
        store.add_key(
            KeyRow(
                caller_id(system, number),
                f"{system} {number}",
                (system,),
                "default",
                "no hash",
                "no secret",
                orders.began,
            ),
            by="bench",
        )
    for number in range(PEOPLE):
        store.add_user(f"person{number}", "no hash", "operator" if number % 2 else "viewer", by="bench")
        for turn in range(3):
            store.open_session(
                f"person{number}",
                people.hash_of(f"session {number} {turn} of nobody"),
                people.LONGEST,
                address="192.0.2.1",
            )
    for number in range(500):
        store.note_act(
            by=f"person{number % PEOPLE}",
            what="bodies.revealed",
            object_=f"SO-{number * 31 % orders.number:09d}",
            details={"why": "a question"},
        )
    texts = ("It has no orderNo.", "It is no JSON.", "quantity is below 1.")
    faults = [Fault("/orderNo", "nothing", "a text", "Send it.")]
    for start in range(0, 10_000, 1_000):
        ids = [
            (orders.id(at), at)
            for number in range(start, start + 1_000)
            for at in [orders.began + orders.span * (number / 10_000)]
        ]
        why = [Refused(Code.CONTRACT_VIOLATION, text, faults=faults) for text in texts]
        store.refuse(
            [
                Refusal(
                    id_,
                    "queue:oms/orders",
                    Arrival(json.dumps({"number": id_}).encode(), topic="orders", message_id=id_),
                    why[n % 3],
                    orders.revision,
                    at,
                )
                for n, (id_, at) in enumerate(ids)
            ]
        )
        store.end_refused([id_ for id_, _ in ids[:600]], state="dropped", by="person1")
        store.end_refused([id_ for id_, _ in ids[600:950]], state="accepted", by="person1")
    for day in range(DAYS):
        at = orders.began + timedelta(days=day + 1)
        fields = ["", *(f"/field{number}" for number in range(12))]
        store.add_usage(
            [
                UsageCount(
                    ref,
                    f"{at:%Y-%m-%d}",
                    caller_id(ref.system, number),
                    field,
                    1_000,
                    at - timedelta(hours=20),
                    at - timedelta(hours=1),
                )
                for ref, _, _ in orders.steps
                for number in range(CALLERS)
                for field in fields
            ]
        )


def repairs(store, orders):
    """Repairs of some causes, stopped, so that what they were about stays."""
    for number, waiting in enumerate([one for one in store.clusters() if one.cluster is not None][:20]):
        id_ = orders.id(orders.now)
        order = Order(
            Selection(cluster=waiting.cluster.id, status=waiting.status, most=1_000),
            f"person{number % PEOPLE}",
            "A mapping was mended.",
            canary=5,
        )
        store.create_repair(id_, order)
        store.stop_repair(id_, by="person1")


def refresh(store, steps):
    """Two days of counts up to now, as processes would have left them; those that are there already stay."""
    now = store.now().replace(second=0, microsecond=0)
    there = {beat.at for beat in store.beats(now - timedelta(hours=48))}
    for hour in range(48):
        batch = []
        for minute in range(60):
            at = now - timedelta(hours=hour, minutes=minute)
            if at in there:
                continue
            batch += [
                ThroughputRow(
                    at, route, str(target), {"delivered": 100, "retried": 3, "dead": 1}, (5,) * BUCKETS, (7,) * BUCKETS
                )
                for _, route, targets in steps
                for target in targets
            ]
            batch += [ThroughputRow(at, "", str(ref), {"accepted": 100}) for ref, _, _ in steps]
        store.add_minutes(batch)
