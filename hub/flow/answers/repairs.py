"""Answers about repairs: of deliveries that wait for a person, of messages without a route, and of what was refused."""

from typing import Annotated, NotRequired, TypedDict

from hub.core.model.delivery import Status
from hub.core.model.repair import Act, Result, State, With
from hub.flow.answers.fields import AnyMembers, Id, Time, about, one_of
from hub.flow.answers.messages import Change, Why

Repair = TypedDict(
    "Repair",
    {
        "id": Id,
        "act": Annotated[str, Act],
        "with": Annotated[str, With],
        "revision": str | None,
        "force": bool,
        "canary": int,
        "goOnAt": int | None,
        "rate": int,
        "selection": AnyMembers,
        "why": str,
        "createdAt": Time,
        "createdBy": str,
        "state": Annotated[str, State],
        "changedAt": Time,
        "changedBy": str,
        "number": Annotated[int, about("Of its deliveries.")],
        "results": dict[str, int],
    },
)
Repairs = TypedDict("Repairs", {"items": list[Repair], "next": Id | None})


class RepairedRow(TypedDict):
    place: int
    deliveryId: Id
    messageId: Id | None
    route: str | None
    target: str | None
    orderKey: str | None
    status: Annotated[str, Status] | None
    result: Annotated[str, Result]
    why: Why | None
    note: str | None
    changedAt: Time


class RowPage(TypedDict):
    items: list[RepairedRow]
    next: Annotated[int | None, about("Ask again with after= this; null: the last page.")]


FaultGroup = TypedDict("FaultGroup", {"reason": str, "field": str, "number": int, "example": AnyMembers})
FieldChange = TypedDict("FieldChange", {"pointer": str, "number": int, "example": AnyMembers})


class Previewed(TypedDict):
    place: int
    deliveryId: Id
    messageId: Id | None
    orderKey: str | None
    target: str | None
    verdict: Annotated[str, about("made, fault, unsure, ends or skipped.")]
    note: str | None
    fault: Annotated[Why | None, about("Why it would be dead again.")]
    before: Annotated[Why | None, about("Why nothing could be sent before.")]
    payload: object
    call: Annotated[str | None, about("Method and address, its holes filled.")]
    differences: list[Change]


class Preview(TypedDict):
    counts: dict[str, int]
    faults: list[FaultGroup]
    changes: list[FieldChange]
    items: list[Previewed]
    next: int | None


Candidate = TypedDict("Candidate", {"revision": str, "createdAt": Time})
Candidates = TypedDict("Candidates", {"items": list[Candidate]})
Edited = TypedDict("Edited", {"deliveryId": Id, "messageId": Id, "newDeliveryId": Id | None, "duplicate": bool})
UnroutedMiss = TypedDict("UnroutedMiss", {"route": str, "target": str, "condition": str, "why": str})
UnroutedWish = TypedDict("UnroutedWish", {"act": str, "at": Time, "by": str, "why": str, "left": int})


class UnroutedCause(TypedDict):
    id: str | None
    message: str | None
    text: str
    misses: list[UnroutedMiss]
    number: int
    oldestAt: Time
    newestAt: Time
    trend: str
    lastHour: int
    hourBefore: int
    wish: UnroutedWish | None


UnroutedCauses = TypedDict("UnroutedCauses", {"items": list[UnroutedCause]})


class Unrouted(TypedDict):
    messageId: Id
    type: NotRequired[str]
    version: NotRequired[int]
    receivedAt: NotRequired[Time]
    source: NotRequired[str]
    caller: NotRequired[str]
    keys: NotRequired[dict[str, str]]
    revision: NotRequired[str]
    cause: NotRequired[str | None]
    note: str | None


UnroutedPage = TypedDict("UnroutedPage", {"items": list[Unrouted], "next": Id | None})


class UnroutedMade(TypedDict):
    route: str
    target: str
    part: int | None
    orderKey: str | None
    fault: str | None


class UnroutedBecomes(Unrouted):
    becomes: Annotated[str, one_of("routed", "filtered", "stays")]
    deliveries: list[UnroutedMade]


UnroutedWay = TypedDict("UnroutedWay", {"route": str, "target": str, "number": int, "faults": int, "fault": str | None})
UnroutedCounts = TypedDict("UnroutedCounts", {"routed": int, "filtered": int, "stays": int})


class UnroutedPreview(TypedDict):
    revision: str
    number: int
    looked: int
    counts: UnroutedCounts
    ways: list[UnroutedWay]
    items: list[UnroutedBecomes]


class UnroutedOrdered(TypedDict):
    cause: str
    number: Annotated[int, about("Messages of the cause that had come by then.")]
    results: Annotated[dict[str, int], about("What became of those that went at once.")]
    left: Annotated[int, about("Those that go in the background.")]


class RefusedArrival(TypedDict):
    id: Id
    source: str
    state: str
    receivedAt: Time
    lastAt: Time
    times: int
    messageId: str
    topic: str
    contentType: str
    bytes: int
    code: int
    text: str
    faults: list[dict[str, str]]
    revision: str
    changedAt: Time
    changedBy: str | None
    door: Annotated[
        str, about("queue, hook, post, batch, event, question, command, or unproven: nobody knows who it was.")
    ]
    caller: str
    traceIds: Annotated[list[str], about("Of the last twenty refusals of it, the newest first.")]
    note: Annotated[str | None, about("Why it was let go.")]
    headers: NotRequired[AnyMembers]
    body: NotRequired[str]
    flaw: NotRequired[str]


RefusedArrivals = TypedDict("RefusedArrivals", {"items": list[RefusedArrival], "next": Id | None})
