# ruff: noqa: N815  names are as they stand in the answers
"""What `/ops/v1` answers about the whole: what needs a person, what flows, the landscape, and what waits by its
cause.
"""

from __future__ import annotations

import marshmallow as ma

from hub.core.model.delivery import Status
from hub.flow.overview.now import Kind
from hub.http.ops import shapes
from hub.http.ops.answers import Delivery


class Action(ma.Schema):
    verb = shapes.text()
    command = shapes.text(metadata={"description": "The same on the command line."})


class Need(ma.Schema):
    kind = ma.fields.Enum(Kind, by_value=True, required=True)
    id = shapes.text(metadata={"description": "The same trouble keeps its id from one look to the next."})
    severity = shapes.text(validate=ma.validate.OneOf(["fault", "warning"]))
    count = shapes.number()
    isExact = shapes.yes()
    since = shapes.time(allow_none=True)
    trend = shapes.text(allow_none=True)
    lastHour = shapes.number(allow_none=True)
    hourBefore = shapes.number(allow_none=True)
    subject = ma.fields.Dict(required=True)
    text = shapes.text()
    action = shapes.one(Action)


class Flow(ma.Schema):
    """What flowed lately, on one way or on many together."""

    perSecond = shapes.rate()
    attempts = shapes.number()
    delivered = shapes.number()
    retried = shapes.number()
    dead = shapes.number()
    in_doubt = shapes.number(data_key="unknown")
    held = shapes.number()
    ended = shapes.number()
    success = shapes.rate()
    failing = shapes.rate()
    p50Ms = shapes.rate()
    p99Ms = shapes.rate()
    sendP50Ms = shapes.rate()
    sendP99Ms = shapes.rate()


class Total(Flow):
    accepted = shapes.number()
    acceptedPerSecond = shapes.rate()


class Accepted(ma.Schema):
    message = shapes.text()
    accepted = shapes.number()
    apart = shapes.number(metadata={"description": "Unrouted or filtered."})
    perSecond = shapes.rate()


class FlowOfWay(Flow):
    route = shapes.text()
    target = shapes.text()


class FlowOfRoute(Flow):
    route = shapes.text()


class FlowOfTarget(Flow):
    system = shapes.text()


class Rates(ma.Schema):
    at = shapes.time()
    since = shapes.time()
    total = shapes.one(Total)
    accepted = shapes.some(Accepted)
    ways = shapes.some(FlowOfWay)
    routes = shapes.some(FlowOfRoute)
    targets = shapes.some(FlowOfTarget)


class Point(Flow):
    at = shapes.time()
    accepted = shapes.number()


class Series(ma.Schema):
    at = shapes.time()
    stepMinutes = shapes.number()
    points = shapes.some(Point)


class Hour(ma.Schema):
    """Sixty minutes, oldest first."""

    accepted = shapes.some(ma.fields.Integer())
    delivered = shapes.some(ma.fields.Integer())
    failed = shapes.some(ma.fields.Integer())


class HourOfRoute(Hour):
    route = shapes.text()


class HourOfTarget(Hour):
    system = shapes.text()


class HourOfWay(Hour):
    route = shapes.text()
    target = shapes.text()


class Lines(ma.Schema):
    since = shapes.time()
    total = shapes.one(Hour)
    routes = shapes.some(HourOfRoute)
    targets = shapes.some(HourOfTarget)
    ways = shapes.some(HourOfWay)


class PausedBy(ma.Schema):
    since = shapes.time()
    by = shapes.text()
    why = shapes.text()


class Behind(ma.Schema):
    count = shapes.number()
    isExact = shapes.yes()
    oldestDueAt = shapes.time(allow_none=True)
    paused = ma.fields.Nested(PausedBy, required=True, allow_none=True)
    items = shapes.some(Delivery)


class WayBacklog(ma.Schema):
    route = shapes.text()
    target = shapes.text()
    backlog = shapes.number()
    isExact = shapes.yes()


class LaneBacklog(ma.Schema):
    system = shapes.text()
    backlog = shapes.number()
    isExact = shapes.yes()
    oldestDueAt = shapes.time(allow_none=True)
    lagS = shapes.rate()
    ways = shapes.some(WayBacklog)


class CountedBooks(ma.Schema):
    unaccounted = shapes.number(
        allow_none=True, metadata={"description": "Must be 0; null until it was counted for the first time."}
    )
    ageS = shapes.rate()


class RefusedOf(ma.Schema):
    """What was refused of one source, caller and code."""

    source = shapes.text()
    caller = shapes.text()
    door = shapes.text()
    code = shapes.number()
    number = shapes.number()
    times = shapes.number()
    since = shapes.time()
    newestAt = shapes.time()
    id = shapes.text()
    text = shapes.text()


class Now(ma.Schema):
    at = shapes.time()
    revision = shapes.text()
    needs = shapes.some(Need)
    refusals = shapes.some(RefusedOf)
    rates = shapes.one(Rates)
    lanes = shapes.some(LaneBacklog)
    books = shapes.one(CountedBooks)


class Node(ma.Schema):
    id = shapes.text()
    kind = shapes.text()
    name = shapes.text()
    title = shapes.text()
    x = shapes.number()
    y = shapes.rate()
    isFaulty = shapes.yes()
    waiting = shapes.number()
    backlog = shapes.number()


class Line(ma.Schema):
    """An edge of the landscape."""

    origin = shapes.text(data_key="from")
    to = shapes.text()
    kind = shapes.text()
    message = shapes.text()
    points = shapes.some(shapes.some(ma.fields.Float()))
    isBackwards = shapes.yes()
    perSecond = shapes.rate()
    failing = shapes.rate()
    backlog = shapes.number(allow_none=True)
    waiting = shapes.number()
    isFaulty = shapes.yes()


class Landscape(ma.Schema):
    at = shapes.time()
    revision = shapes.text()
    width = shapes.number()
    height = shapes.rate()
    nodes = shapes.some(Node)
    edges = shapes.some(Line)


class Mend(ma.Schema):
    word = shapes.text()
    text = shapes.text()
    verb = shapes.text()


class Cause(ma.Schema):
    id = shapes.text()
    firstSeenAt = shapes.time()
    route = shapes.text()
    target = shapes.text()
    source = shapes.text()
    reason = shapes.text()
    code = shapes.number(allow_none=True)
    field = shapes.text()
    text = shapes.text()
    mend = shapes.one(Mend)
    fix = shapes.text()


class ClusterLine(ma.Schema):
    """A cause with those that wait in one state. Without a cause (id null) while nobody has looked for it yet."""

    id = shapes.text(allow_none=True)
    status = ma.fields.Enum(Status, by_value=True, required=True)
    count = shapes.number()
    trend = shapes.text()
    lastHour = shapes.number()
    hourBefore = shapes.number()
    oldestAt = shapes.time()
    newestAt = shapes.time()
    firstSeenAt = ma.fields.AwareDateTime(format="iso")
    route = ma.fields.String()
    target = ma.fields.String()
    source = ma.fields.String()
    reason = ma.fields.String()
    code = ma.fields.Integer(allow_none=True)
    field = ma.fields.String()
    text = ma.fields.String()
    mend = ma.fields.Nested(Mend)
    fix = ma.fields.String()


class Clusters(ma.Schema):
    items = shapes.some(ClusterLine)


class Example(ma.Schema):
    deliveryId = ma.fields.UUID(required=True)
    messageId = ma.fields.UUID(required=True)
    status = ma.fields.Enum(Status, by_value=True, required=True)
    keys = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    changedAt = shapes.time()
    attempts = shapes.number()
    text = shapes.text()


class Cluster(Cause):
    count = shapes.number()
    states = shapes.some(ClusterLine)
    examples = shapes.some(Example)
    changed = shapes.some(
        ma.fields.Dict(), metadata={"description": "What changed about when it came up: signs, not proofs."}
    )


class Members(ma.Schema):
    items = shapes.some(Delivery)
    next = shapes.text(allow_none=True, metadata={"description": "Ask again with before= this; null: the last page."})


class ParkedKey(ma.Schema):
    system = shapes.text()
    orderKey = shapes.text()
    deliveryId = ma.fields.UUID(required=True)
    since = shapes.time()
    waiting = shapes.number()


class ParkedKeys(ma.Schema):
    items = shapes.some(ParkedKey)
    isWhole = shapes.yes(metadata={"description": "false: only the oldest dead deliveries were looked at."})
