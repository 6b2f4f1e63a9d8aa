"""Answers about what the hub is made of: routes, systems, and changes of the configuration."""

from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict

from hub.flow.answers.fields import AnyMembers, Rate, Time, about, one_of

PauseOfRoute = TypedDict("PauseOfRoute", {"since": Time, "by": str, "why": str, "waiting": int, "isExact": bool})


class RouteLine(TypedDict):
    name: str
    about: str
    owner: str
    source: str
    when: str | None
    targets: list[str]
    steps: Annotated[
        list[Annotated[str, one_of("drop", "when", "split", "hold", "capacity", "enrich")]],
        about("What stands between a message and the targets, in this order."),
    ]
    state: Annotated[str, one_of("live", "paused", "canary")]
    paused: PauseOfRoute | None
    shadows: Annotated[list[int], about("Versions of its message in shadow: they validate and refuse nothing.")]
    success: Rate
    p50Ms: Rate
    p99Ms: Rate
    perSecond: Rate
    attempts: int
    backlog: int
    isExact: bool
    waiting: Annotated[int, about("For a person: dead, held and unknown.")]


RouteList = TypedDict("RouteList", {"revision": str, "items": list[RouteLine]})
Step = TypedDict(
    "Step",
    {"kind": str, "text": str, "out": Annotated[int, about("How many of the last messages go on behind it.")]},
)
Condition = TypedDict("Condition", {"kind": Annotated[str, one_of("when", "canary")], "text": str})
MappingStep = TypedDict("MappingStep", {"source": str, "target": str, "name": str, "fields": int})


class Branch(TypedDict):
    target: str
    condition: Condition | None
    mappings: Annotated[list[MappingStep] | None, about("null: no mapping leads there.")]
    reply: str | None
    out: int
    perSecond: Rate
    success: Rate
    backlog: int
    waiting: int


class RouteGraph(TypedDict):
    messages: Annotated[int, about("How many of the last messages were tried; nothing was stored or sent.")]
    undecided: int
    steps: list[Step]
    branches: list[Branch]


Written = TypedDict("Written", {"file": str, "line": int, "text": str})


class RouteTestCase(TypedDict):
    number: int
    about: str
    line: int
    ms: Rate
    verdict: Annotated[str, one_of("passed", "failed", "missing")]
    wrong: list[str]


class OneRoute(RouteLine):
    revision: str
    graph: RouteGraph
    treatment: object
    written: Written | None
    tests: list[RouteTestCase]


VersionState = TypedDict("VersionState", {"version": int, "state": str, "since": str | None, "sunset": str | None})
Interface = TypedDict("Interface", {"type": str, "about": str, "versions": list[VersionState]})
_BREAKER = one_of("closed", "open", "half_open")
BreakerNow = TypedDict(
    "BreakerNow", {"state": Annotated[str, _BREAKER], "since": Time | None, "until": Time | None, "trips": int}
)


class SystemLine(TypedDict):
    name: str
    title: str
    owner: str
    emits: list[Interface]
    accepts: list[Interface]
    hookNames: list[str]
    queueNames: list[str]
    health: Annotated[str, one_of("ok", "paused", "open", "half_open", "failing", "stuck", "none")]
    breaker: BreakerNow | None
    perSecond: Rate
    attempts: int
    success: Rate
    sendP50Ms: Rate
    sendP99Ms: Rate
    lastAt: Time | None
    inFlight: int | None
    cap: int | None
    backlog: int | None
    isExact: bool
    waiting: int


SystemList = TypedDict("SystemList", {"revision": str, "items": list[SystemLine]})
_Url = Annotated[str, about("Without the credentials that may stand in it.")]
AddressOf = TypedDict("AddressOf", {"name": str, "url": _Url})
CallOf = TypedDict("CallOf", {"message": str, "about": str, "call": str})
ProvenBy = TypedDict("ProvenBy", {"scheme": str, "details": AnyMembers})
SignedBy = TypedDict("SignedBy", {"scheme": str, "form": str})
SettingOf = TypedDict(
    "SettingOf",
    {
        "name": str,
        "variable": str,
        "help": str,
        "isSecret": bool,
        "isSet": bool,
        "from": Annotated[str, one_of("environment", "default", "nowhere")],
        "value": Annotated[str | None, about("null: it is a secret.")],
        "reference": str | None,
    },
)
SecretOf = TypedDict("SecretOf", {"name": str, "reference": str, "isSet": bool})
HookOf = TypedDict("HookOf", {"name": str, "path": str, "by": str})
QueueOf = TypedDict("QueueOf", {"name": str, "queue": str, "exchange": str, "topics": list[str], "broker": str})
CallerOf = TypedDict("CallerOf", {"id": str, "name": str, "state": str})
_STEP = one_of("address", "dns", "tcp", "tls")
CheckStep = TypedDict(
    "CheckStep", {"step": Annotated[str, _STEP], "ok": bool, "ms": int, "text": str, "until": Time | None}
)
CheckedAddress = TypedDict("CheckedAddress", {"name": str, "url": _Url, "ok": bool, "steps": list[CheckStep]})
LastCheck = TypedDict("LastCheck", {"at": Time, "by": str, "ok": bool, "addresses": list[CheckedAddress]})
CheckedNow = TypedDict(
    "CheckedNow", {"system": str, "at": Time, "by": str, "ok": bool, "addresses": list[CheckedAddress]}
)


class OneSystem(SystemLine):
    revision: str
    addresses: list[AddressOf]
    calls: list[CallOf]
    inbound: ProvenBy
    outbound: SignedBy
    settings: list[SettingOf]
    secrets: list[SecretOf]
    policy: object
    hooks: list[HookOf]
    queues: list[QueueOf]
    callers: list[CallerOf]
    routesFrom: list[str]
    routesTo: list[str]
    lastCheck: LastCheck | None


class MeaningChange(TypedDict):
    place: list[str]
    before: str | None
    after: str | None
    text: NotRequired[str]


_What = Annotated[str, one_of("added", "removed", "changed")]
NamedChange = TypedDict("NamedChange", {"what": _What, "kind": str, "name": str})


class ActivationLine(TypedDict):
    revision: str
    at: Time
    by: str
    why: str
    before: str | None
    despite: list[str]
    isActive: bool
    summary: list[NamedChange]


KeptRevision = TypedDict("KeptRevision", {"revision": str, "createdAt": Time})
ProcessRevision = TypedDict("ProcessRevision", {"name": str, "role": str, "revision": str, "isSilent": bool})
RefusedRevision = TypedDict("RefusedRevision", {"revision": str, "reason": str})


class RevisionHistory(TypedDict):
    active: str | None
    refused: RefusedRevision | None
    items: list[ActivationLine]
    kept: Annotated[list[KeptRevision], about("Kept, and never active.")]
    processes: list[ProcessRevision]


Activated = TypedDict("Activated", {"at": Time, "by": str, "before": str | None, "despite": list[str]})


class FileDifference(TypedDict):
    file: str
    what: _What
    added: int
    removed: int
    lines: list[str]
    isWhole: bool


class OneRevision(TypedDict):
    revision: str
    isActive: bool
    before: str | None
    activations: list[Activated]
    changes: list[MeaningChange] | None
    unreadable: str
    files: list[FileDifference]
    processes: list[ProcessRevision]


TouchedWay = TypedDict("TouchedWay", {"route": str, "target": str, "status": str, "number": int, "orphaned": bool})
WhatIfExample = TypedDict("WhatIfExample", {"message": str, "before": object, "after": object})


class WhatIfGroup(TypedDict):
    what: str
    route: str
    target: str
    pointer: str
    messages: int
    examples: list[WhatIfExample]


WhatIf = TypedDict("WhatIf", {"messages": int, "unchanged": int, "differences": list[WhatIfGroup]})
_IsTaken = Annotated[bool, about("false: its version is not taken any more, and each such post is refused.")]


class StayingCaller(TypedDict):
    caller: str
    name: Annotated[str, about("Of its key; empty where it has none.")]
    version: int
    isTaken: _IsTaken


class NewDefault(TypedDict):
    message: str
    before: int | None
    after: int | None
    stay: Annotated[list[StayingCaller], about("Callers with a pin: their posts stay in its version.")]
    free: Annotated[list[str], about("Others that post it: in the version that they say, or in the new one.")]


class PlanReport(TypedDict):
    revision: Annotated[str, about("What would become active.")]
    onto: Annotated[str | None, about("The active one that it was compared with; send it along with the change.")]
    changes: list[MeaningChange]
    findings: Sequence[AnyMembers]
    waiting: list[TouchedWay]
    whatIf: WhatIf
    defaults: Annotated[
        list[NewDefault],
        about("Messages whose posts without a version are in another one from then on, and for whom."),
    ]


_IsNew = Annotated[bool, about("false: it was the active one already.")]
ActiveNow = TypedDict("ActiveNow", {"revision": str, "changed": _IsNew})
