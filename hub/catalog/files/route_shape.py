"""What `routes.yaml` may hold, said as data: every key of the language, with what it is for."""

from __future__ import annotations

from hub.catalog.files.mappings import REF, meant_ref
from hub.catalog.yaml.leaves import Formula, Free, Number, Span, Text, Whole, Word, Zone
from hub.catalog.yaml.name_patterns import MESSAGE_NAME, SYSTEM_NAME
from hub.catalog.yaml.shape import Either, Fork, Key, ListOf, MapOf, Record, Single
from hub.core.config.routing import OnFail
from hub.core.model import capacity_windows
from hub.core.model.delivery import InDoubtPolicy, Priority, WhenDead


def _meant_type(text: str) -> str:
    return meant_ref(text).partition("@")[0]


_TYPE = Text(
    want="a message such as oms/order.created, without a version",
    pattern=rf"{SYSTEM_NAME}/{MESSAGE_NAME}",
    longest=150,
    mend=_meant_type,
)
_TO = Text(
    want="a message such as wms/outbound.create@1",
    pattern=rf"{SYSTEM_NAME}/{MESSAGE_NAME}(@[1-9][0-9]{{0,3}})?",
    longest=150,
    mend=meant_ref,
)
_PATH = Text(want="a path such as items or order.lines", pattern=r"[^\s.\[\]{}()$'\"`]+(\.[^\s.\[\]{}()$'\"`]+)*")

_RETRY = Record(
    {
        "attempts": Key(Whole(1, 1_000), "in all, the first included"),
        "first": Key(Span("0s", "1d"), "wait after the first attempt"),
        "factor": Key(Number(1, 100), "each wait is so many times the one before"),
        "max": Key(Span("0s", "30d"), "the longest wait"),
        "jitter": Key(Word(("full", "none")), "full: each wait is spread evenly from nothing to its length"),
        "give_up_after": Key(Span("1s", "365d"), "dead when it is older than this"),
        "schedule": Key(
            ListOf(Span("0s", "30d"), most=1_000),
            "the waits themselves; attempts is then one more than there are waits",
        ),
    },
    what="retry",
    excludes=(("schedule", "first"), ("schedule", "factor"), ("schedule", "max")),
)
_ORDER = Either(
    Word(("none",)),
    Record(
        {"when_dead": Key(Word(tuple(word.value for word in WhenDead)), "park, skip, block or latest", required=True)},
        what="order",
    ),
)
_TIMEOUT = Span("1ms", "10m")
_PRIORITY = Word(tuple(priority.value for priority in Priority))
_EXPIRES = Span("1s", "365d")
HOW: dict[str, Key] = {
    "retry": Key(_RETRY, "when to try again"),
    "order": Key(_ORDER, "per target and business key; none switches it off"),
    "timeout": Key(_TIMEOUT, "for everything: name, connection, sending, answer"),
    "priority": Key(_PRIORITY, "urgent goes first, bulk last, of what is due for one target"),
    "expires": Key(_EXPIRES, "not delivered within this: cancelled, as it is of no use any more"),
}
_BATCH = Record(
    {
        "size": Key(Whole(1, 1_000), "the most in one call", required=True),
        "within": Key(Span("10ms", "1d"), "the longest that one waits for the others", required=True),
    },
    what="batch",
)
_CANARY = Record(
    {
        "percent": Key(Number(0, 100), "the share of the values of `by` that go to `then`"),
        "by": Key(Formula(is_identity=True), "whose values are shared out: a value is always on the same side"),
        "when": Key(Formula(), "in place of a share: what goes to `then`"),
        "then": Key(_TO, "the trial, such as wms/outbound.create@2", required=True),
        "else": Key(_TO, "all others, such as wms/outbound.create@1", required=True),
        **HOW,
    },
    what="canary",
    excludes=(("percent", "when"), ("by", "when")),
)
_TOPIC = Text(
    want="a topic such as order.shipped or {kind}.{action}",
    pattern=r"([\w:-]+|\{[A-Za-z_][A-Za-z0-9_.-]*\})(\.([\w:-]+|\{[A-Za-z_][A-Za-z0-9_.-]*\}))*",
    longest=255,
)
_DESTINATION = Record(
    {
        "when": Key(Formula(), "only if this holds"),
        "batch": Key(_BATCH, "several go out in one call, as a JSON array"),
        **HOW,
        "topic": Key(
            _TOPIC, "of a message that is published, such as order.shipped; {field} is filled from what is sent"
        ),
        "reply": Key(REF, "the message that the target's answer becomes, such as inventory/stock.reserved@1"),
    },
    later=frozenset({"rate", "breaker"}),
    what="a destination",
    excludes=(("batch", "reply"), ("topic", "reply"), ("topic", "batch")),
)
_ZONE = Zone()
_HOLD = Record(
    {
        "until": Key(Formula(), "an expression that gives a time", required=True),
        "zone": Key(_ZONE, "where a time without an offset is meant"),
    },
    what="hold",
)
_CAPACITY = Record(
    {
        "limit": Key(
            Text(want="a number per unit such as 5000/day", pattern=capacity_windows.PATTERN), "5000/day", required=True
        ),
        "by": Key(Formula(is_identity=True), "each value has a capacity of its own"),
        "zone": Key(_ZONE, "whose clock says when a day begins; default UTC"),
    },
    what="capacity",
)
_ENRICH = Record(
    {
        "call": Key(_TO, "the message that is asked with, such as inventory/stock.query", required=True),
        "with": Key(Free(), "its fields, as in a mapping", required=True),
        "reply": Key(
            REF,
            "the message that its answer is, such as inventory/stock.told@1; what mappings ask of it is checked by that",
        ),
        "cache": Key(Span("1s", "1d"), "an answer to the same question serves again for so long"),
        "on_fail": Key(Word(tuple(word.value for word in OnFail)), "retry, hold, dead or skip; default: retry"),
    },
    what="a look-up",
)
_TEST = Record(
    {
        "about": Key(Text(), "what it shows"),
        "given": Key(Free(), "a sample's path, or a payload", required=True),
        "version": Key(Whole(1, 9_999), "of a payload that is written here; default: 1"),
        "lookups": Key(Free(), "what enrich would have found, by name"),
        "expect": Key(
            Free(),
            "per target its payload, a subset (a list of them for a split); or unrouted, or filtered",
            required=True,
        ),
    },
    what="a test",
)
_ROUTE = Record(
    {
        "about": Key(Text(), "what it is for"),
        "owner": Key(Text(), "who answers for it"),
        "from": Key(_TYPE, "the message that it takes, such as oms/order.created", required=True),
        "when": Key(Formula(), "only if this holds"),
        "drop": Key(
            Record(
                {"when": Key(Formula(), "an expression", required=True), "why": Key(Text(), "a reason", required=True)},
                what="drop",
            ),
            "what it matches is recorded as filtered",
        ),
        "split": Key(
            Record(
                {
                    "list": Key(_PATH, "path of a list", required=True),
                    "by": Key(Formula(is_identity=True), "one part per group; without it one per element"),
                },
                what="split",
            ),
            "one message becomes several",
        ),
        "hold": Key(_HOLD, "its deliveries wait until then"),
        "enrich": Key(
            MapOf(Text(want="a name such as stock", pattern=r"(?!source$)[a-z][A-Za-z0-9_]{0,39}"), _ENRICH, most=20),
            "look-ups, bound as $name in the mapping",
        ),
        "mode": Key(Word(("async", "sync")), "sync: the caller waits for the target's answer"),
        "deadline": Key(Span("10ms", "60s"), "how long the caller of a sync route waits at most"),
        "answer": Key(_TO, "what the caller of a sync route gets, mapped from the target's reply"),
        "fallback": Key(
            Record({"cached": Key(Span("1s", "1d"), "60s", required=True)}, what="fallback"),
            "an earlier answer, where the target gives none",
        ),
        "capacity": Key(_CAPACITY, "what is over it waits for the next window"),
        "to": Key(
            ListOf(Either(_TO, Fork("canary", _CANARY, Single(MapOf(_TO, _DESTINATION)))), most=200),
            "where it goes, such as [wms/outbound.create@1]",
            required=True,
        ),
        "tests": Key(ListOf(_TEST), "a message in, deliveries and payloads out; run by hub check and hub test"),
        "alert": Key(Word(("P0", "P1", "P2", "P3")), "the level at which its dead letters are told"),
        **HOW,
    },
    what="a route",
)
_BREAKER = Record(
    {
        "ratio": Key(
            Text(want="a share such as 50%", pattern=r"([1-9]|[1-9][0-9]|100)%"),
            "50%: opens when so many of the last calls failed",
        ),
        "of": Key(Whole(2, 1_000), "how many calls are looked at"),
        "open": Key(Span("100ms", "1h"), "how long nothing goes"),
    },
    what="breaker",
)
_TARGET = Record(
    {
        "concurrency": Key(Whole(1, 1_024), "calls under way at once"),
        "rate": Key(
            Text(want="a number per unit such as 200/s", pattern=capacity_windows.PATTERN),
            "calls per second, minute, hour or day, of all workers together",
        ),
        "breaker": Key(_BREAKER, "leaves a target alone that fails, and tries it again with one delivery"),
        "in_doubt": Key(
            Word(tuple(policy.value for policy in InDoubtPolicy)),
            "resend, probe or park: what to do where nobody saw the outcome",
        ),
    },
    what="a target",
)
SHAPE = Record(
    {
        "version": Key(Whole(1, 1), "1", required=True),
        "defaults": Key(Record(HOW, what="defaults"), "for every route and destination that says nothing else"),
        "targets": Key(
            MapOf(Text(want="a system's name", pattern=SYSTEM_NAME), _TARGET), "how each system may be treated"
        ),
        "routes": Key(
            MapOf(Text(want="a route's name such as outbound", pattern=r"[a-z][a-z0-9-]{0,62}"), _ROUTE),
            "by name",
            required=True,
        ),
    },
    later=frozenset(
        {"sagas", "joins", "expects", "delays", "polls", "reconcile", "alerts", "hooks", "fresh_by", "tests"}
    ),
    what="routes.yaml",
)
