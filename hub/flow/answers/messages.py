"""Answers about messages: found, looked at stage by stage, explained, and made again."""

from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict

from hub.core.documents.difference import Kind
from hub.core.message import Disposition
from hub.core.model.delivery import Priority, Status
from hub.flow.answers.fields import AnyMembers, Id, Time, about, one_of

Why = TypedDict("Why", {"reason": str, "text": str, "field": str, "fix": str})


class Attempt(TypedDict):
    number: int
    startedAt: Time
    endedAt: Time
    outcome: str
    status: int | None
    ms: int
    timings: AnyMembers
    why: Why | None
    url: str
    worker: str
    revision: str
    madeWith: str | None


class Delivery(TypedDict):
    id: Id
    messageId: Id
    route: str
    target: str
    part: int | None
    status: Annotated[str, Status]
    stands: Annotated[str, about("How it stands, as one sentence, with the reason where there is one.")]
    orderKey: str | None
    seq: int | None
    priority: Annotated[str, Priority]
    dueAt: Time
    releaseAt: Time | None
    expiresAt: Time | None
    changedAt: Time
    afterMs: NotRequired[int]
    why: Annotated[Why | None, about("For which it is in this state; what earlier tries met stands with them.")]
    changedBy: str | None
    madeWith: str | None
    isUndecided: bool
    attempts: list[Attempt]


class Message(TypedDict):
    id: Id
    type: str
    version: int
    receivedAt: Time
    afterMs: NotRequired[int]
    caller: str
    source: str
    disposition: Annotated[str, Disposition]
    stands: Annotated[str, about("How it stands, as one sentence: what its deliveries are, or why it has none.")]
    why: AnyMembers
    keys: dict[str, str]
    orderKey: str | None
    traceId: str
    causeId: str | None
    revision: str
    deliveries: list[Delivery]


class Messages(TypedDict):
    items: list[Message]
    next: Annotated[Id | None, about("Ask again with before= this; null: the last page.")]


Deliveries = TypedDict("Deliveries", {"items": list[Delivery], "next": Id | None})
Key = TypedDict("Key", {"name": str, "value": str})
Story = TypedDict("Story", {"asked": str, "began": Time, "keys": list[Key], "messages": list[Message]})


class FoundMessages(TypedDict):
    items: list[Message]
    by: Annotated[str, one_of("number", "words", "filters")]
    words: AnyMembers
    clusters: list[str]
    next: str | None
    previous: str | None
    scannedUntil: Time | None


Count = TypedDict("Count", {"number": int, "isExact": bool, "scannedUntil": Time | None, "by": str})


class ViewAnswer(TypedDict):
    id: str
    name: str
    owner: str
    question: AnyMembers
    changedAt: Time
    changedBy: str


ViewsAnswer = TypedDict("ViewsAnswer", {"items": list[ViewAnswer]})


class Object(TypedDict):
    """The life of one business object (see flow.views.story)."""

    asked: str
    at: Time
    keys: Sequence[AnyMembers]
    began: Time
    ended: Time
    isOver: bool
    lanes: Sequence[AnyMembers]
    steps: Sequence[AnyMembers]
    gaps: Sequence[AnyMembers]
    isWhole: bool


class Explained(TypedDict):
    type: str
    version: int
    disposition: str
    faults: Sequence[AnyMembers]
    considered: Sequence[AnyMembers]
    conditions: Sequence[AnyMembers]
    nearest: AnyMembers | None
    notes: Annotated[Sequence[str], about("What the routes say beside their conditions: an alert that nobody hears.")]


Lineage = TypedDict("Lineage", {"messageId": Id, "deliveries": Sequence[AnyMembers]})
Change = TypedDict(
    "Change",
    {
        "kind": Annotated[str, Kind],
        "pointer": str,
        "old": NotRequired[object],
        "new": NotRequired[object],
        "from": NotRequired[str],
    },
)


class Stage(TypedDict):
    stage: Annotated[str, one_of("decoded", "upgraded", "part", "mapped")]
    message: str | None
    body: object
    changes: Annotated[list[Change] | None, about("Against the stage before; null: it is the first.")]


Request = TypedDict("Request", {"method": str, "url": str, "bytes": int, "sent": bool})
Reply = TypedDict("Reply", {"status": int | None, "bytes": int, "text": str, "body": object})
Phase = TypedDict("Phase", {"name": str, "ms": int})
Next = TypedDict("Next", {"at": Time, "afterMs": int, "why": Why | None})


class AttemptInFull(TypedDict):
    number: int
    startedAt: Time
    endedAt: Time
    outcome: str
    request: Request
    reply: Reply
    ms: int
    phases: list[Phase]
    why: Why | None
    next: Next | None
    revision: str
    worker: str


Sent = TypedDict("Sent", {"method": str, "url": str, "bytes": int, "curl": str})


class StagesOfDelivery(TypedDict):
    deliveryId: Id
    route: str
    target: str
    part: int | None
    status: Annotated[str, Status]
    stages: list[Stage]
    lookups: AnyMembers
    fault: object
    call: Annotated[str, about("Method and address, its holes filled; empty where it is not called.")]
    sent: Sent | None
    attempts: list[AttemptInFull]


Raw = TypedDict("Raw", {"bytes": int, "text": str, "isCut": bool, "curl": str | None})


class Received(TypedDict):
    source: str
    receivedAt: Time
    method: str
    query: str
    contentType: str
    bytes: int
    text: str


class Stages(TypedDict):
    messageId: Id
    received: Received | None
    raw: Raw
    stages: list[Stage]
    fault: object
    deliveries: list[StagesOfDelivery]
    isMasked: bool


Side = TypedDict("Side", {"revision": str, "disposition": str, "refused": str | None})


class DeliveryAfresh(TypedDict):
    route: str
    target: str
    part: int | None
    what: Annotated[str, one_of("same", "changed", "gained", "lost", "mended", "broken", "still_broken")]
    changes: list[Change]
    faultThen: str | None
    faultNow: str | None
    body: object


class Afresh(TypedDict):
    messageId: Id
    made: Side
    now: Side
    isSame: bool
    deliveries: list[DeliveryAfresh]
    isMasked: bool
