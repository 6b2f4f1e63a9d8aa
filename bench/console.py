"""What operators read, on a full store: 5 million messages on PostgreSQL, 1 million on SQLite, each read by HTTP, its
first byte at p95.

python bench/console.py                              both, each in a store of its own that is gone afterwards
python bench/console.py fill URL [--messages N]      fills an empty store, which stays
python bench/console.py measure URL [--rounds N]     measures a store that was filled so, as often as wanted

The pages are asked for in turn, a round of all of them after another, as people do it: so no page finds what it asked
for a moment ago. Meanwhile messages are accepted and delivered beside it (--rate). What the console has is what is
measured: a page that is new is in the list by itself; one that wants a name or an id says so until ADDRESSES has one.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
import urllib.parse
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
import sqlalchemy as sa

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench import filling  # noqa: E402
from bench.run import LOOPBACK, count, database, spawn  # noqa: E402
from hub.catalog import load  # noqa: E402
from hub.console import attach  # noqa: E402
from hub.core.message import Ref  # noqa: E402
from hub.core.model.delivery import Status  # noqa: E402
from hub.flow.accounts import people  # noqa: E402
from hub.http.app import make_app  # noqa: E402
from hub.kit.http.call import Call  # noqa: E402
from hub.kit.http.sender import Sender  # noqa: E402
from hub.kit.signature import sign_default  # noqa: E402
from hub.store import Store, tables  # noqa: E402
from hub.store.engine.database import Database  # noqa: E402
from tests.support.hubs import HubProcess, free_port, small_workspace  # noqa: E402
from tests.support.servers import small_hub  # noqa: E402

PAGE_MS, KEY_MS = 300, 100
# of the targets, to all that is delivered meanwhile
ANSWER = '{"code":0,"message":"success","data":{"orderNo":"LIVE-1"}}'
PASSWORD = "correct horse battery staple"
EXAMPLES = 500
REST_S = 0.02  # between two requests


class Stock:
    """What a filled store has to ask for: numbers, ids and names, taken from the store itself."""

    def __init__(self, store, opened):
        keys, delivery = tables.business_key.c, tables.delivery.c
        self.random = random.Random(2)

        def read(query):
            return opened.read(lambda connection: connection.execute(query).all())

        [[last]] = read(
            sa.select(keys.value)
            .where(keys.value >= "SO-0", keys.value < "SO-1", keys.name == "orderNo")
            .order_by(keys.value.desc())
            .limit(1)
        )
        orders = int(last[3:]) + 1
        self.messages = orders * len(filling.CHAIN)
        drawn = [f"SO-{self.random.randrange(orders):09d}" for _ in range(EXAMPLES)]
        found = dict(
            read(sa.select(keys.value, sa.func.min(keys.message_id)).where(keys.value.in_(drawn)).group_by(keys.value))
        )
        self.numbers = {
            name: [number.replace("SO", letters) for number in found] for name, letters in filling.KINDS.items()
        }
        rows = store.messages(*found.values())
        self.messages_, self.traces = [row.id for row in rows], [row.trace_id for row in rows]
        self.deliveries = [line.id for line in store.deliveries(*self.messages_)]
        self.names = [
            f"outbound-{orders - 1 - self.random.randrange(max(1, orders // 10)):09d}" for _ in range(EXAMPLES)
        ]
        self.dead = [row.id for row in store.waiting(Status.DEAD, limit=EXAMPLES)]
        counted = [one for one in store.clusters() if one.cluster is not None]
        self.causes = [one.cluster.id for one in counted[:20]]
        self.refused = [row.id for row in store.refused(limit=EXAMPLES)]
        self.repairs = [row.id for row in store.repairs(limit=20)]
        self.callers = [
            row[0] for row in read(sa.select(delivery.caller).where(delivery.id.in_(self.deliveries[:50])).distinct())
        ]
        self.old = (datetime.now(UTC) - timedelta(days=20)).isoformat()
        catalog = load(ROOT)
        self.routes, self.systems = [route.name for route in catalog.routes], sorted(catalog.systems)
        self.mappings = sorted(file.stem for file in (ROOT / "mappings").glob("*--*.yaml"))
        self.revisions = [row.hash for row in store.activations(20)]
        self.contracts = sorted(ref.type for ref, _, _ in filling.steps(catalog))

    def one(self, of):
        return self.random.choice(self.numbers[of] if of in self.numbers else getattr(self, of))


# An address for each page that wants a name or an id, by the page's rule; the first one that fits.
ADDRESSES = {
    "/console/messages/<uuid:message_id>": lambda stock: f"/console/messages/{stock.one('messages_')}",
    "/console/objects/<path:value>": lambda stock: f"/console/objects/{stock.one('orderNo')}",
    "/console/dead/causes/<cause_id>": lambda stock: f"/console/dead/causes/{stock.one('causes')}",
    "/console/dead/deliveries/<uuid:delivery_id>": lambda stock: f"/console/dead/deliveries/{stock.one('dead')}",
    "/console/dead/deliveries/<uuid:delivery_id>/edit": lambda stock: (
        f"/console/dead/deliveries/{stock.one('dead')}/edit"
    ),
    "/console/refused/<uuid:refused_id>": lambda stock: f"/console/refused/{stock.one('refused')}",
    "/console/repairs/<uuid:repair_id>": lambda stock: f"/console/repairs/{stock.one('repairs')}",
    "/console/contracts/<system>/<message>": lambda stock: f"/console/contracts/{stock.one('contracts')}",
    "/console/contracts/<system>/<message>/samples/<int:version>/<name>": lambda stock: (
        "/console/contracts/oms/order.created/samples/1/one-line"
    ),
    "/console/changes/<revision>": lambda stock: f"/console/changes/{stock.one('revisions')}",
    "/console/changes/<revision>/back": lambda stock: f"/console/changes/{stock.one('revisions')}/back",
    "/console/mappings/<name>": lambda stock: f"/console/mappings/{stock.one('mappings')}",
}
LEFT_OUT = ("/console/static/<name>", "/console/<path:_rest>", "/console/sign-in", "/console", "/console/")
FURTHER = {  # questions to pages whose cost depends on what is asked
    "/console/find": (
        *(
            "?type=channel/order.placed",
            "?status=dead",
            "?status=delivered&route=outbound&until={old}",
            "?status=dead&route=signed&reason=codelist_miss",
        ),
        *(
            "?status=dead&caller=k_nobody",
            "?caller=k_nobody",
            "?disposition=unrouted",
            "?system=payment&attempts=2",
            "?minBytes=1000000",
            "?status=pending",
        ),
        *("?status=held&type=oms/order.delivered", "?route=nowhere", "?version=2"),
    ),
    "/console/find/count": (
        "?status=dead",
        "?caller=k_nobody",
        "?status=delivered&route=outbound",
        "?status=dead&caller=k_nobody",
    ),
    "/console/now": ("?span=1440",),
    "/console/dead": ("?status=held", "?words=carrier"),
    "/console/refused": ("?state=dropped",),
    "/console/record": ("?what=bodies.revealed", "?object=SO-000000031", "?by=person3"),
}
SEARCHES = {
    "order number": lambda stock: stock.one("orderNo"),
    "waybill number": lambda stock: stock.one("waybillNo"),
    "outbound number": lambda stock: stock.one("outboundNo"),
    "payment number": lambda stock: stock.one("paymentNo"),
    "message id": lambda stock: stock.one("messages_"),
    "delivery id": lambda stock: stock.one("deliveries"),
    "trace id": lambda stock: stock.one("traces"),
    "Idempotency-Key": lambda stock: stock.one("names"),
    "several numbers": lambda stock: " ".join(stock.one("orderNo") for _ in range(5)),
    "a number that nobody has": lambda stock: f"NONE-{stock.random.random()}",
    "words of an error": lambda stock: "carrier known",
}
CALLS = (
    *(
        "/ops/v1/now",
        "/ops/v1/rates",
        "/ops/v1/rates/series?minutes=2880&step=5",
        "/ops/v1/landscape",
        "/ops/v1/clusters",
        "/ops/v1/parked",
    ),
    *("/ops/v1/find", "/ops/v1/find/count", "/ops/v1/pauses"),
)


def listed(stock):
    """What is asked: per line a name, the limit in ms, and who makes an address. What no address is known of has
    None.
    """
    found = [("the floor: an answer without a store, /health/live", PAGE_MS, lambda: "/health/live")]
    for rule in rules():
        for more in ("", *FURTHER.get(rule, ())):
            make = None if rule in LEFT_OUT else address(stock, rule, more)
            if rule not in LEFT_OUT:
                found.append((rule + more, PAGE_MS, make))
    for name, word in SEARCHES.items():
        limit = PAGE_MS if name == "words of an error" else KEY_MS
        found.append((f"find by {name}", limit, lambda word=word: f"/console/find?q={urllib.parse.quote(word(stock))}"))
        found.append(
            (f"find by {name}, as JSON", limit, lambda word=word: f"/ops/v1/find?q={urllib.parse.quote(word(stock))}")
        )
    found += [(path, PAGE_MS, lambda path=path: path) for path in CALLS]
    found += [
        (f"/ops/v1/clusters/{{}}{more}", PAGE_MS, lambda more=more: f"/ops/v1/clusters/{stock.one('causes')}{more}")
        for more in ("", "/deliveries")
    ]
    found += [
        (
            f"/ops/v1/messages/{{}}/{more}",
            PAGE_MS,
            lambda more=more: f"/ops/v1/messages/{stock.one('messages_')}/{more}",
        )
        for more in ("stages", "explain")
    ]
    return found


def address(stock, rule, more):
    if rule in ADDRESSES:
        return lambda: ADDRESSES[rule](stock)
    if "<" not in rule:
        return lambda: rule + more.format(old=urllib.parse.quote(stock.old))
    # One of several words, then the name of a route or a system.
    kinds = re.search(r"<any\(([^)]*)\):\w+>", rule)
    names = {"route": "routes", "target": "systems", "system": "systems"}
    words = [word.strip(" '\"") for word in kinds[1].split(",")] if kinds else []
    if kinds and set(words) <= set(names) and rule.count("<") == 2:

        def made():
            word = stock.random.choice(words)
            return re.sub(r"<[^>]*>", stock.one(names[word]), rule.replace(kinds[0], word))

        return made
    only = re.fullmatch(r"[^<]*<(?:\w+:)?(system|route|name)>[^<]*", rule)
    kind = (
        "routes"
        if only and ("route" in rule or only[1] == "route")
        else "systems"
        if only and ("system" in rule or only[1] == "system")
        else None
    )
    return (lambda: re.sub(r"<[^>]*>", stock.one(kind), rule)) if kind else None


def rules():
    """The rules of all pages of the console that can be looked at."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = small_workspace(Path(folder) / "workspace", "http://127.0.0.1:9009")
        with small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as hub:
            app = make_app(hub, pages=attach)
            return sorted(
                {
                    rule.rule
                    for rule in app.url_map.iter_rules()
                    if rule.endpoint.startswith("console.") and "GET" in rule.methods
                }
            )


def ask(session, url):
    """Milliseconds until the first byte, and the answer."""
    answer = session.get(url, timeout=120, stream=True, allow_redirects=False)
    took = answer.elapsed.total_seconds() * 1000
    assert answer.status_code in (200, 302, 303), (url, answer.status_code, answer.text[:500])
    assert "/sign-in" not in answer.headers.get("location", ""), url
    answer.content  # noqa: B018  read, so that the connection is used again
    return took


def post_steadily(url, key, secret, rate, told):
    """Posts orders at this rate until it is ended; tells how many were accepted."""
    sample = filling.sample(ROOT, Ref("channel", "order.placed", 1)).decode()
    number = re.search(r'"channelOrderNo":\s*"([^"]*)"', sample)[1]
    sender, began, done = Sender(LOOPBACK), time.monotonic(), 0
    while True:
        wanted = int((time.monotonic() - began) * rate) - done
        calls = []
        for turn in range(min(wanted, 100)):
            name = f"LIVE-{os.getpid()}-{began:.0f}-{done + turn}"
            raw = sample.replace(number, name).encode()
            headers = sign_default(key, [secret], name, raw, datetime.now(UTC))
            calls.append(
                Call(
                    "POST",
                    url + "/api/v1/channel/order.placed",
                    (*headers, ("content-type", "application/json")),
                    raw,
                    30.0,
                )
            )
        done += len(calls)
        accepted = sum(answer.status == 202 for _, answer in sender.stream(calls, 32)) if calls else 0
        with told.get_lock():
            told.value += accepted
        time.sleep(0.05)


@contextlib.contextmanager
def posting(hub, rate):
    """Messages come and go meanwhile; gives who tells how many were accepted."""
    told = multiprocessing.Value("l", 0)
    if not rate:
        yield told
        return
    caller = hub.caller("channel")
    process = multiprocessing.get_context("fork").Process(
        target=post_steadily, args=(hub.url, caller.key, caller.secret, rate, told), daemon=True
    )
    process.start()
    try:
        yield told
    finally:
        process.terminate()
        process.join()


def measure(url, given):  # noqa: PLR0915  # one measurement after the other
    kind = sa.make_url(url).get_backend_name()
    opened = Database(url, writer=True)
    store = Store(opened)
    try:
        store.migrate()
        stock = Stock(store, opened)
        if store.user("bench") is None:
            people.add(store, "bench", PASSWORD, people.OPERATOR, by="bench")
        filling.refresh(store, filling.steps(load(ROOT)))
    finally:
        store.close()
    lines = [line for line in listed(stock) if given.only in line[0]]
    sink_port = free_port()
    sink = spawn("bench/sink.py", str(sink_port), ANSWER)
    targets = {f"HUB_{name}_URL".upper(): f"http://127.0.0.1:{sink_port}" for name in stock.systems}
    secrets = {f"{name}_{word}".upper(): f"of {name}" for name in stock.systems for word in ("KEY", "SECRET")}
    hub = HubProcess(ROOT, url, hub_log_level="error", **targets, **secrets)
    times, slow = defaultdict(list), 0
    try:
        hub.json("apply")
        for role in ("up",) if kind == "sqlite" else ("web", "worker"):
            hub.start(role)
        with posting(hub, given.rate) as told, requests.Session() as session:
            session.trust_env = False
            session.post(
                hub.url + "/console/sign-in", {"name": "bench", "password": PASSWORD}, allow_redirects=False, timeout=60
            )
            before, began, delivered = os.getloadavg(), time.perf_counter(), count(sink_port)
            turn, told_at = 0, 0.0
            while turn <= given.rounds and time.perf_counter() - began < (given.seconds or float("inf")):
                for name, _, make in lines:
                    if make is not None:
                        times[name].append(ask(session, hub.url + make()))
                        time.sleep(REST_S)
                turn += 1
                if time.perf_counter() - told_at > 30:
                    told_at = time.perf_counter()
                    print(
                        f"  round {turn} of {given.rounds}, {time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f}",
                        file=sys.stderr,
                        flush=True,
                    )
            took = time.perf_counter() - began
            flowed = (told.value / took, (count(sink_port) - delivered) / took)
    finally:
        hub.stop()
        sink.terminate()
        sink.wait()
        sink.stdout.close()
    print(
        f"\n{kind}, {stock.messages:,} messages of {filling.DAYS} days, {turn - 1} requests each after a first one, in turn; beside it {flowed[0]:.0f} messages "
        f"accepted and {flowed[1]:.0f} delivered per second; load average {before[0]:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores\n"
    )
    print(
        "| what | first after the start, ms | p50 ms | p95 ms | longest ms | × the floor at p95 | limit at p95 |\n|---|---|---|---|---|---|---|"
    )
    floor = None
    for name, limit, make in lines:
        if make is None:
            slow += 1
            print(f"| {name} | no address in ADDRESSES: **not measured** | | | | | {limit} |")
            continue
        first, *rest = times[name]
        ordered = sorted(rest)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        floor = floor or p95
        slow += p95 > limit
        over = "" if p95 <= limit else " **over**"
        print(
            f"| `{name}` | {first:.0f} | {ordered[len(ordered) // 2]:.1f} | {p95:.1f} | {ordered[-1]:.0f} | {p95 / floor:.1f} | {limit}{over} |"
        )
    print(f"\n{slow} over their limit or not measured." if slow else "\nAll within their limits.")
    return slow


def fill(url, messages):
    print(f"{sa.make_url(url).get_backend_name()}: filling", flush=True)
    hub = HubProcess(ROOT, url)
    revision = hub.json("apply")["revision"]
    opened = Database(url, writer=True)
    store = Store(opened)
    try:
        filling.fill(opened, store, ROOT, messages, revision)
    finally:
        store.close()


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("what", nargs="?", choices=["both", "fill", "measure"], default="both")
    words.add_argument("url", nargs="?", help="the store that is filled or measured")
    words.add_argument("--messages", type=int, default=5_000_000, help="on PostgreSQL, or in URL")
    words.add_argument("--small", type=int, default=1_000_000, help="on SQLite; 0: not at all")
    words.add_argument("--rounds", type=int, default=200)
    words.add_argument("--seconds", type=int, default=0, help="no further round after so many; 0: all rounds")
    words.add_argument("--rate", type=int, default=100, help="messages per second that come and go meanwhile; 0: none")
    words.add_argument("--only", default="", help="only what has this in its name")
    words.add_argument(
        "--postgres",
        default="postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
        help="where a database is made for a while",
    )
    given = words.parse_args()
    if given.what != "both":
        if given.url is None:
            words.error(f"{given.what}: which store?")
        if given.what == "fill":
            fill(given.url, given.messages)
            return 0
        return measure(given.url, given)
    slow = 0
    if given.small:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/hub.sqlite3"
            fill(url, given.small)
            slow += measure(url, given)
    if given.messages:
        with database(given.postgres, " WITH (FORCE)") as url:
            if url is not None:
                fill(url, given.messages)
                slow += measure(url, given)
    return slow


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
