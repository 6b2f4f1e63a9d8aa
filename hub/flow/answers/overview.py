"""Answers about the whole: what needs a person, what flows, the landscape, and what waits by its cause."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, NotRequired, TypedDict

from hub.core.model.delivery import Status
from hub.flow.answers.fields import AnyMembers, Id, Rate, Time, about, one_of
from hub.flow.answers.messages import Delivery


class Kind(StrEnum):
    """The kind of a problem; pages translate by it."""

    CLUSTER = "cluster"  # dead or held of one cause
    DOUBT = "doubt"  # sent, outcome not seen, of one cause
    UNNAMED = "unnamed"  # waits, and nobody has looked for its cause yet
    PARKED = "parked"  # keys behind a dead delivery
    BLOCKED = "blocked"  # a lane that stands still behind one
    BREAKER = "breaker"  # a target that is left alone for now
    LAG = "lag"  # a lane that does not keep up
    PAUSED = "paused"  # a route or a target that a person stopped, and nobody let go on yet
    UNROUTED = "unrouted"  # messages that no route took, of one cause
    ARRIVALS = "arrivals"  # what a queue or a hook brought and the hub could not accept
    SUNSET = "sunset"  # a version that ends soon and is used
    UNACCOUNTED = "unaccounted"  # the books do not add up
    SILENT = "silent"  # a worker without a sign of life
    CONFIGURATION = "configuration"  # the active configuration cannot be loaded here


Action = TypedDict("Action", {"verb": str, "command": Annotated[str, about("The same on the command line.")]})


class Need(TypedDict):
    kind: Annotated[str, Kind]
    id: Annotated[str, about("The same trouble keeps its id from one look to the next.")]
    severity: Annotated[str, one_of("fault", "warning")]
    count: int
    isExact: bool
    since: Time | None
    trend: str | None
    lastHour: int | None
    hourBefore: int | None
    subject: AnyMembers
    text: str
    action: Action


class Flow(TypedDict):
    """What flowed lately, on one way or on many together."""

    perSecond: Rate
    attempts: int
    delivered: int
    retried: int
    dead: int
    unknown: int
    held: int
    ended: int
    success: Rate
    failing: Rate
    p50Ms: Rate
    p99Ms: Rate
    sendP50Ms: Rate
    sendP99Ms: Rate


class Total(Flow):
    accepted: int
    acceptedPerSecond: Rate


class Accepted(TypedDict):
    message: str
    accepted: int
    apart: Annotated[int, about("Unrouted or filtered.")]
    perSecond: Rate


class FlowOfWay(Flow):
    route: str
    target: str


class FlowOfRoute(Flow):
    route: str


class FlowOfTarget(Flow):
    system: str


class Rates(TypedDict):
    at: Time
    since: Time
    total: Total
    accepted: list[Accepted]
    ways: list[FlowOfWay]
    routes: list[FlowOfRoute]
    targets: list[FlowOfTarget]


class Point(Flow):
    at: Time
    accepted: int


Series = TypedDict("Series", {"at": Time, "stepMinutes": int, "points": list[Point]})


class Hour(TypedDict):
    """Sixty minutes, oldest first."""

    accepted: list[int]
    delivered: list[int]
    failed: list[int]


class HourOfRoute(Hour):
    route: str


class HourOfTarget(Hour):
    system: str


class HourOfWay(Hour):
    route: str
    target: str


class Lines(TypedDict):
    since: Time
    total: Hour
    routes: list[HourOfRoute]
    targets: list[HourOfTarget]
    ways: list[HourOfWay]


PausedBy = TypedDict("PausedBy", {"since": Time, "by": str, "why": str})


class Behind(TypedDict):
    count: int
    isExact: bool
    oldestDueAt: Time | None
    paused: PausedBy | None
    items: list[Delivery]


WayBacklog = TypedDict("WayBacklog", {"route": str, "target": str, "backlog": int, "isExact": bool})


class LaneBacklog(TypedDict):
    system: str
    backlog: int
    isExact: bool
    oldestDueAt: Time | None
    lagS: Rate
    ways: list[WayBacklog]


class CountedBooks(TypedDict):
    unaccounted: Annotated[int | None, about("Must be 0; null until it was counted for the first time.")]
    ageS: Rate


class RefusedOf(TypedDict):
    """What was refused of one source, caller and code."""

    source: str
    caller: str
    door: str
    code: int
    number: int
    times: int
    since: Time
    newestAt: Time
    id: str
    text: str


class Now(TypedDict):
    at: Time
    revision: str
    needs: list[Need]
    refusals: list[RefusedOf]
    rates: Rates
    lanes: list[LaneBacklog]
    books: CountedBooks


class Node(TypedDict):
    id: str
    kind: str
    name: str
    title: str
    x: int
    y: Rate
    isFaulty: bool
    waiting: int
    backlog: int


Line = TypedDict(
    "Line",
    {
        "from": str,
        "to": str,
        "kind": str,
        "message": str,
        "points": list[list[float]],
        "isBackwards": bool,
        "perSecond": Rate,
        "failing": Rate,
        "backlog": int | None,
        "waiting": int,
        "isFaulty": bool,
    },
)


class Landscape(TypedDict):
    at: Time
    revision: str
    width: int
    height: Rate
    nodes: list[Node]
    edges: list[Line]


Mend = TypedDict("Mend", {"word": str, "text": str, "verb": str})


class Cause(TypedDict):
    id: str
    firstSeenAt: Time
    route: str
    target: str
    source: str
    reason: str
    code: int | None
    field: str
    text: str
    mend: Mend
    fix: str


class ClusterLine(TypedDict):
    """A cause with those that wait in one state. Without a cause (id null) while nobody has looked for it yet."""

    id: str | None
    status: Annotated[str, Status]
    count: int
    trend: str
    lastHour: int
    hourBefore: int
    oldestAt: Time
    newestAt: Time
    firstSeenAt: NotRequired[Time]
    route: NotRequired[str]
    target: NotRequired[str]
    source: NotRequired[str]
    reason: NotRequired[str]
    code: NotRequired[int | None]
    field: NotRequired[str]
    text: NotRequired[str]
    mend: NotRequired[Mend]
    fix: NotRequired[str]


Clusters = TypedDict("Clusters", {"items": list[ClusterLine]})


class Example(TypedDict):
    deliveryId: Id
    messageId: Id
    status: Annotated[str, Status]
    keys: dict[str, str]
    changedAt: Time
    attempts: int
    text: str


class Cluster(Cause):
    count: int
    states: list[ClusterLine]
    examples: list[Example]
    changed: Annotated[Sequence[AnyMembers], about("What changed about when it came up: signs, not proofs.")]


class Members(TypedDict):
    items: list[Delivery]
    next: Annotated[str | None, about("Ask again with before= this; null: the last page.")]


ParkedKey = TypedDict("ParkedKey", {"system": str, "orderKey": str, "deliveryId": Id, "since": Time, "waiting": int})


class ParkedKeys(TypedDict):
    items: list[ParkedKey]
    isWhole: Annotated[bool, about("false: only the oldest dead deliveries were looked at.")]


class Books(TypedDict):
    messages: int
    everAccepted: Annotated[int, about("With those that were pruned.")]
    routed: int
    unrouted: int
    filtered: int
    planned: int
    deliveries: dict[str, int]
    unaccounted: Annotated[int, about("Must be 0.")]


Refusal = TypedDict("Refusal", {"revision": str, "reason": str})


class Revision(TypedDict):
    revision: Annotated[str, about("The one that this process goes by.")]
    active: Annotated[str, about("The one that was made active last.")]
    refused: Annotated[
        Refusal | None, about("Why this process cannot load the active one, and keeps the one before; else null.")
    ]
