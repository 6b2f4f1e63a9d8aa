"""What strangers may write where people read it: each text tries to leave the place that it stands in; and a hub that
has them in all places.

Whatever runs sets `__hurt` of its own window, of its parent or of the top one. Nothing of it is ever asked for:
`evil.example` answers nobody.
"""

import json
from contextlib import contextmanager
from datetime import UTC, datetime

from hub.catalog.scaffold.new_workspace import init
from hub.core.config.queue import Arrival
from hub.core.errors import Code, Fault, Refused
from hub.flow.accounts import people
from hub.store import Refusal, open_store
from tests.support.hubs import Caller, HubProcess, Sink, operator
from tests.support.making import new_id
from tests.support.waiting import wait_until

TEXTS = {
    "script": "<script>__hurt=1</script>",
    "attribute": "\"'><img src=x onerror=__hurt=1>",
    "handler": "' autofocus onfocus=__hurt=1 x='",
    "svg": "</title></style><svg/onload=__hurt=1><animate onbegin=__hurt=1>",
    "frame": "</textarea></pre><iframe srcdoc='<script>parent.__hurt=1</script>'></iframe>",
    "url": "javascript:__hurt=1//",
    "data": "data:text/html,<script>top.__hurt=1</script>",
    "template": "{{7*7}}${7*7}{%raw%}#{7*7}<%=7*7%>",
    "json": '\\"},"x":{"y":1}]}</script><script>__hurt=1</script>',
    "htmx": "<b hx-get='//evil.example/x' hx-trigger='load' hx-on:load='__hurt=1'>b</b>",
    "elsewhere": "<link rel=stylesheet href=//evil.example/x><img src=//evil.example/y><base href=//evil.example/>",
    "refresh": "<meta http-equiv=refresh content='0;url=//evil.example'><form action=//evil.example><button>x",
    "clobber": "<form id=search name=csrf><input id=live name=main></form>&lt;b&gt;&#x3c;",
    "bidi": "\u202eevil\u2066\u202c\u200b\ufeff\u0301",
    "control": "a\tb\r\nSet-Cookie: x=y\r\n\r\n\u0085\u2028<x>",
    "unicode": "＜script＞ﬀ\U0001f4a3\U0001f468\u200d\U0001f469ß\u0130",
    "long": "W" * 240,
}
OPERATOR = ("olga", "correct horse battery staple")
RAW = b"\xff\xfe<script>__hurt=1</script>\x00\x1b[31m"  # no text at all
ALL = " ".join(text for name, text in TEXTS.items() if name != "long")
MAPPED = "shop.order.placed.v1--warehouse.order.create.v1"


def workspace(folder, sink_url):
    """The scaffold, whose contracts let any text through: as a number, an article, a name of a field, and what is
    personal.
    """
    init(folder)
    free = {
        "note": {"type": "string"},
        "name": {"type": "string", "x-pii": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    for path in folder.glob("adapters/*/contracts/*.json"):
        contract = json.loads(path.read_text("utf-8"))
        contract["properties"] |= {"orderNo": {"type": "string", "minLength": 1}, **free}
        contract["properties"]["items"]["items"]["properties"]["sku"] = {"type": "string"}
        path.write_text(json.dumps(contract), "utf-8")
    mapping = folder / f"mappings/{MAPPED}.yaml"
    mapping.write_text(
        mapping.read_text("utf-8").replace(
            "  orderNo: orderNo\n", "  orderNo: orderNo\n  note: note\n  name: name\n  labels: labels\n", 1
        ),
        "utf-8",
    )
    warehouse = folder / "adapters/warehouse/system.yaml"
    warehouse.write_text(warehouse.read_text("utf-8").replace("http://127.0.0.1:9001", sink_url), "utf-8")
    return folder


def order(text):
    """An order that has the text in each place, and all the others beside it."""
    labels = {
        "longer": "W" * 4_000,
        **{f"{name}-label": one for name, one in TEXTS.items()},
        **{one: name for name, one in TEXTS.items()},
    }
    return {"orderNo": text, "note": ALL, "name": text, "labels": labels, "items": [{"sku": text, "quantity": 2}]}


class Hurt:
    """A hub that strangers wrote to, and where each of them is found."""

    def __init__(self, hub, sink):
        self.hub, self.sink, self.url = hub, sink, hub.url
        self.messages: dict[str, str] = {}  # text → id
        self.dead: dict[str, str] = {}  # text → id of its dead delivery
        self.causes: list[str] = []
        self.refused: list[str] = []
        self.repairs: list[str] = []

    def call(self, path, **given):
        answer = operator.post(f"{self.url}/ops/v1{path}", json=given, timeout=30)
        assert answer.status_code in (200, 201, 202), f"{path}: {answer.status_code} {answer.text}"
        return answer.json()["data"]


@contextmanager
def hurt(folder):
    """`hub up` with every text in every place where strangers, targets, queues and colleagues can put one."""
    said = list(TEXTS.values())

    def answer(number, key):
        text = said[number % len(said)]
        header = text.encode("ascii", "ignore").decode().replace("\r", "").replace("\n", "")
        headers = {
            "content-type": "application/json",
            "x-said": header,
            "retry-after": header,
            "server": header,
            "location": f"javascript:__hurt=1//{number}",
        }
        body = json.dumps({"code": text, "message": text, "error": {"message": text, text: text}}).encode()
        return (
            422,
            headers | ({"content-type": header} if number % 3 == 0 else {}),
            body if number % 3 else text.encode() + RAW,
        )

    sink = Sink(answer)
    hub = HubProcess(
        workspace(folder / "workspace", sink.url), f"sqlite:///{folder}/hub.sqlite3", hub_log_level="error"
    ).start()
    try:
        made = Hurt(hub, sink)
        _post(made)
        _wait(made)
        _refuse(made)
        _act(made)
        yield made
    finally:
        hub.stop()
        sink.shutdown()
        sink.server_close()


def printable(text, most=100):
    """What a field takes that refuses control characters and has its length."""
    return "".join(one for one in text if one.isprintable())[:most].strip() or "x"


def _post(made):
    """Orders by HTTP, by callers who bear the texts as names and send them as keys of repeats."""
    for text in TEXTS.values():
        given = made.call("/keys", name=printable(text), systems=["shop"], by=printable(text))
        caller = Caller(made.url, given["key"], given["secret"])
        name = "".join(one for one in text if " " < one < "\x7f" and one != ".")[:100] or "x"
        answer = caller.post("/api/v1/shop/order.placed", json.dumps(order(text), ensure_ascii=False).encode(), name)
        assert answer.status_code == 202, answer.text
        made.messages[text] = answer.json()["data"]["messageId"]


def _wait(made):
    """Until each target has answered, and each cause has its name."""

    def dead():
        found = {one["messageId"]: one["id"] for one in made.hub.ops("/deliveries/dead?limit=500")["items"]}
        return found if set(made.messages.values()) <= found.keys() else None

    found = wait_until(dead, seconds=60, what="the end of each delivery")
    made.dead = {text: found[id_] for text, id_ in made.messages.items()}

    def named():
        items = made.hub.ops("/clusters?status=dead")["items"]
        return items if all(one["id"] for one in items) else None

    made.causes = [one["id"] for one in wait_until(named, seconds=30, what="the names of their causes")]


def _refuse(made):
    """What came by a queue and was no message: bytes, headers and names; and who looks at all of it."""
    store = open_store(made.hub.environment["HUB_STORE"])
    try:
        people.add(store, *OPERATOR, people.OPERATOR, by="test")
        revision = store.active()
        for text in TEXTS.values():
            id_ = new_id()
            why = Refused(Code.CONTRACT_VIOLATION, text, [Fault(f"/{text}", text, text, text)])
            arrival = Arrival(
                text.encode() + RAW, text[:255], {text: text, "x": [text, {text: text}]}, text[:255], text[:255]
            )
            store.refuse([Refusal(id_, "queue:stock/orders", arrival, why, revision, datetime.now(UTC))])
            made.refused.append(id_)
    finally:
        store.close()


def _act(made):
    """What colleagues write: reasons, names of views, and who they say they are."""
    for text, delivery in made.dead.items():
        why, by = printable(text, 500), printable(text)
        made.call("/views", name=by, owner=by, question={"q": printable(text, 200)}, by=by)
        made.call("/views", name=by, question={"q": printable(text, 200)}, by=by)
        made.repairs.append(made.call("/repairs", selection={"ids": [delivery]}, why=why, by=by)["id"])
        for kind, name in (("target", "warehouse"), ("route", "orders")):
            made.call("/pauses", kind=kind, name=name, why=why, by=by)
            made.call("/pauses/resume", kind=kind, name=name, by=by)
    for kind, name in (("target", "warehouse"), ("route", "orders")):
        made.call("/pauses", kind=kind, name=name, why=printable(ALL, 500), by=printable(ALL))
