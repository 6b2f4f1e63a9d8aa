"""Who is answered what, at every address of the hub: asked of the app itself, from each side, and written down in
docs/access.md (`make access`).

No address is listed here by hand but for an example where a rule leaves its form open: a rule that is new gets its row
by itself.
"""

import asyncio
import hashlib
import itertools
import sys
import tempfile
import uuid
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from argon2 import PasswordHasher
from werkzeug.routing import AnyConverter, IntegerConverter, UUIDConverter

from hub import logs
from hub.console import attach
from hub.core.errors import Refused
from hub.core.message import Request
from hub.flow.accounts import people
from hub.http.app import make_app
from hub.http.common.bridge import call_wsgi
from hub.http.monitoring.side_servers import paths
from hub.http.partner.cloudevents import PATH as CLOUDEVENTS
from hub.http.partner.front import Front
from hub.vault import passwords
from tests.support.hubs import OPS_TOKEN, ORDER, ROOT, Caller, small_workspace
from tests.support.servers import Served, small_hub

PAGE = ROOT / "docs" / "access.md"
STRANGER = "203.0.113.7"
WAYS = {
    "loopback": ("127.0.0.1", []),  # this machine, and whoever is behind a forwarder that adds nothing
    "forwarded": (
        "127.0.0.1",
        [("x-forwarded-for", STRANGER), ("via", "1.1 proxy"), ("x-forwarded-host", "hub.example")],
    ),
    "remote": (STRANGER, []),
}
WHO = ("nobody", "wrong", "another", "caller", "viewer", "operator", "token")
# Examples for rules whose address has any form.
EXAMPLES = {
    "/api/<path:_rest>": [
        "/api/v1/shop/order.placed",
        "/api/v1/shop/order.placed/batch",
        "/api/shop/order.placed",
        "/api/v1/shop/none",
        "/api/v1/none/order.placed",
        "/api/x",
    ],
    "/in/<system>/<hook>": ["/in/shop/push", "/in/shop/none"],
    "/console/<path:_rest>": ["/console/nowhere"],
}
PARTS = {
    "/api/": "Partners' posts, and what became of them",
    "/in/": "Webhooks and events",
    "/docs": "Interface documents",
    "/openapi.json": "Interface documents",
    "/asyncapi.json": "Interface documents",
    "/health/": "Health and metrics",
    "/metrics": "Health and metrics",
    "/ops/": "Operators' calls",
    "/console": "The console",
}
HOOK = """
hooks:
  push:
    verify: {alg: sha1, encode: hex, over: "{secret}{body}", at: header:X-Sign}
    read: {emit: shop/order.placed@1}
settings:
  secret: {help: What its hook is signed with, secret: true}
"""
SECRET = "the-secret-of-its-hook"
EVENT = b'{"specversion":"1.0","id":"1","source":"/shops/7","type":"shop/order.placed","data":%s}' % ORDER
SECOND = "The port for machines (`HUB_METRICS_PORT`)"
HEAD = """\
# Who is answered what

Made by `make access` from the routes of the app itself; a test asks again, and fails where a route is new or an answer is another one.

Each cell is the status that is answered. Each was asked in three ways: from this machine (which is also what everybody looks like behind a forwarder that adds nothing),
from this machine with the headers of a proxy, and from another address. One number: the same in all three. An address proves nobody
([decision 020](decisions/020-an-address-proves-nobody.md)), so there is no cell with two.

| column | who asks |
|---|---|
| nobody | shows nothing |
| wrong | a key that exists under a wrong signature; elsewhere a wrong token, and a cookie that nobody was given |
| another | a caller whose key is good, for another system |
| caller | the caller whose system, or message, it is |
| viewer, operator | signed in to the console, with the token of the sign-in where something would change |
| token | shows `HUB_OPS_TOKEN` |
| port, socket | a hub without `HUB_OPS_TOKEN`: nobody in particular on its port; whoever opens its own socket |

200, 202: answered. 303: led to the sign-in, or on. 401: prove who you are. 403: known, and not allowed. 404: nothing there, or nothing that you may know of. 400, 409, 415: let in,
and the empty question of this table refused. 405: not this method.
"""


class Access:
    """Two hubs without a server: one with a token and one without, their apps, and everybody who may ask."""

    def __init__(self, hub, plain):
        self.hub, self.plain = hub, plain
        self.app, self.plain_app = make_app(hub, pages=attach), make_app(plain, pages=attach)
        self.front, self.plain_front = Front(hub, self.app), Front(plain, self.plain_app)
        self.ports = [paths(one, lambda: float("inf")) for one in (hub, plain)]
        served = Served(hub, 0)
        self.caller, self.other = served.caller("shop"), served.caller("warehouse")
        for name, role in (("vera", people.VIEWER), ("olga", people.OPERATOR)):
            people.add(hub.store, name, "correct horse battery staple", role, by="test")
        self.numbers = itertools.count(1)
        self.message, self.sessions = str(uuid.UUID(int=7)), {}

    async def rows(self):
        """(part, method, address as the app writes it, cells)."""
        answer = await ask(
            self.front,
            "POST",
            "/api/v1/shop/order.placed",
            "127.0.0.1",
            self.headers("caller", "POST", "/api/", ORDER),
            ORDER,
        )
        assert answer[0] == 202, answer
        self.message = answer[1].decode().split('"messageId":"')[1].split('"')[0]
        found = [
            (part, method, written, await self.cells(method, path)) for part, method, written, path in self.routes()
        ]
        found += [(SECOND, "GET", path, self.at_port(path)) for path in self.ports[0]]
        return merged(found)

    def routes(self):
        """(part, method, address as the app writes it, one that fits it) of all that the app has."""
        rules = sorted(
            self.app.url_map.iter_rules(), key=lambda rule: (list(PARTS).index(part_of(rule.rule)), rule.rule)
        )
        return [
            (PARTS[part_of(rule.rule)], method, written, path)
            for rule in rules
            for method in sorted(rule.methods - {"HEAD"})
            for written, path in self.addresses(rule, method)
        ]

    def addresses(self, rule, method):
        if rule.rule in EXAMPLES:
            return [(path, path) for path in EXAMPLES[rule.rule]]
        converters = rule._converters
        assert "_rest" not in converters, f"{rule.rule} takes what no other rule does: give examples of it in EXAMPLES"
        words = next(((name, one.items) for name, one in converters.items() if isinstance(one, AnyConverter)), None)
        message = uuid.UUID(self.message) if rule.rule.startswith("/api/messages/") else uuid.UUID(int=7)
        given = {
            name: message if isinstance(one, UUIDConverter) else 1 if isinstance(one, IntegerConverter) else "x"
            for name, one in converters.items()
        }
        many = [{**given, words[0]: word} for word in sorted(words[1])] if words else [given]
        written = rule.rule
        for name in converters:
            written = (
                written.replace(written[written.index("<") : written.index(">") + 1], f"{{{name}}}", 1)
                if "<" in written
                else written
            )
        return [
            (written.replace(f"{{{words[0]}}}", one[words[0]]) if words else written, rule.build(one)[1])
            for one in many
        ]

    async def cells(self, method, path):
        cells = []
        for who in WHO:
            answers = []
            for peer, added in WAYS.values():
                body = self.body(method, path)
                answers.append(
                    (await ask(self.front, method, path, peer, [*self.headers(who, method, path, body), *added], body))[
                        0
                    ]
                )
            cells.append(one_of(answers))
        body = self.body(method, path)
        headers = [("host", "localhost"), *kind_of(method, path, body)]
        cells.append(
            one_of(
                [
                    (await ask(self.plain_front, method, path, peer, [*headers, *added], body))[0]
                    for peer, added in WAYS.values()
                ]
            )
        )
        if method in ("GET", "POST"):
            cells.append(
                str(call_wsgi(self.plain_app, Request(method, path, "", tuple(headers), body, "", is_own=True)).status)
            )
        else:
            cells.append(cells[-1])
        return cells

    def body(self, method, path):
        if method == "GET":
            return b""
        if path == CLOUDEVENTS:
            return EVENT
        if path.startswith(("/api/", "/in/")):
            return b"[" + ORDER + b"]" if path.endswith("/batch") else ORDER
        # Another name each time: how often one may be tried is another matter
        return b"name=n%d" % next(self.numbers) if path.startswith("/console") else b'{"x-no-such-field":1}'

    def headers(self, who, method, path, body):
        """What `who` shows at that address."""
        headers = [("host", "localhost"), *kind_of(method, path, body)]
        match who:
            case "wrong" | "another" | "caller" if path.startswith("/in/shop/"):
                return [
                    *headers,
                    ("x-sign", hashlib.sha1((SECRET if who == "caller" else who).encode() + body).hexdigest()),
                ]
            case "wrong" if path.startswith(("/api/", "/in/")):
                return [*headers, *self.signed(Caller("", self.caller.key, self.other.secret), body)]
            case "wrong":
                return [*headers, ("authorization", "Bearer wrong"), ("cookie", f"crossdock_session={'x' * 43}")]
            case "another":
                return [*headers, *self.signed(self.other, body)]
            case "caller":
                return [*headers, *self.signed(self.caller, body)]
            case "viewer" | "operator":
                token = self.session(who, is_own=path.endswith("/sign-out"))
                csrf = [("x-csrf-token", people.csrf_of(token))] if method != "GET" else []
                return [*headers, ("cookie", f"crossdock_session={token}"), *csrf]
            case "token":
                return [*headers, ("authorization", f"Bearer {OPS_TOKEN}")]
            case _:
                return headers

    def session(self, who, *, is_own):
        """The token of a sign-in; one of its own where it will be over afterwards."""
        if is_own or who not in self.sessions:
            token = f"{who}-{next(self.numbers)}-{'x' * 30}"
            assert self.hub.store.open_session(
                "vera" if who == "viewer" else "olga", people.hash_of(token), timedelta(hours=1), address="test"
            )
            if is_own:
                return token
            self.sessions[who] = token
        return self.sessions[who]

    def signed(self, caller, body):
        return [
            (name, value)
            for name, value in caller.headers(body, f"a-{next(self.numbers)}").items()
            if name != "content-type"
        ]

    def at_port(self, path):
        """The second port. It has no socket beside it."""
        of, plain = self.ports
        cells = [
            one_of(
                [
                    status(of[path], path, peer, [*self.headers(who, "GET", path, b""), *added])
                    for peer, added in WAYS.values()
                ]
            )
            for who in WHO
        ]
        return [*cells, one_of([status(plain[path], path, peer, added) for peer, added in WAYS.values()]), "-"]


def status(answer, path, peer, headers):
    try:
        return answer(Request("GET", path, "", tuple(headers), b"", peer)).status
    except Refused as refused:
        return refused.code.status


def merged(rows):
    """Methods of one address that are answered alike in one row."""
    found = {}
    for part, method, written, cells in rows:
        found.setdefault((part, written, tuple(cells)), []).append(method)
    order = list(dict.fromkeys((part, written) for part, _, written, _ in rows))
    return sorted(
        ((part, ", ".join(methods), written, cells) for (part, written, cells), methods in found.items()),
        key=lambda row: (order.index((row[0], row[2])), row[1]),
    )


def part_of(rule):
    """Where it stands in the page. A rule outside of all parts has no row: say in PARTS where it belongs."""
    return next(part for part in PARTS if rule.startswith(part))


def one_of(answers):
    """One number where the way makes no difference; else each, in the order of WAYS."""
    return str(answers[0]) if len(set(answers)) == 1 else " / ".join(str(answer) for answer in answers)


def kind_of(method, path, body):
    if method == "GET":
        return []
    kind = (
        "application/x-www-form-urlencoded"
        if path.startswith("/console")
        else "application/cloudevents+json"
        if path == CLOUDEVENTS
        else "application/json"
    )
    return [("content-type", kind), ("content-length", str(len(body)))]


async def ask(front, method, path, peer, headers, body):
    """One request to the front, as a server would hand it over. Gives status and body."""
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "client": (peer, 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }  # fmt: skip
    said = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event):
        said.append(event)

    await front(scope, receive, send)
    return said[0]["status"], said[1]["body"]


@contextmanager
def opened(folder):
    """The two hubs. Passwords are hashed cheaply: what is asked here is who gets in, not how long it takes."""
    dear, passwords._HASHER = passwords._HASHER, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._nobody.cache_clear()
    workspace = small_workspace(folder / "workspace", "http://127.0.0.1:9009")
    system = workspace / "adapters" / "shop" / "system.yaml"
    system.write_text(system.read_text("utf-8") + HOOK, "utf-8")
    try:
        with (
            small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3", HUB_SHOP_SECRET=SECRET) as hub,
            small_hub(
                workspace, f"sqlite:///{folder}/plain.sqlite3", HUB_SHOP_SECRET=SECRET, HUB_OPS_TOKEN=""
            ) as plain,
        ):
            yield Access(hub, plain)
    finally:
        passwords._HASHER = dear
        passwords._nobody.cache_clear()


def page(rows):
    """docs/access.md."""
    lines = [HEAD]
    for part, group in itertools.groupby(rows, key=lambda row: row[0]):
        lines += [f"\n## {part}\n", f"| | address | {' | '.join(WHO)} | port | socket |", f"|{'---|' * (len(WHO) + 4)}"]
        lines += [f"| {method} | `{written}` | {' | '.join(cells)} |" for _, method, written, cells in group]
    return "\n".join(lines) + "\n"


def main():
    logs.set_up("error")
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as access:
        PAGE.write_text(page(asyncio.run(access.rows())), "utf-8")
    sys.stdout.write(f"{PAGE} is written.\n")


if __name__ == "__main__":
    main()
