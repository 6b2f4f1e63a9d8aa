# ruff: noqa: N815  names are as they stand in the answers
"""What `/ops/v1` answers about what the hub is made of: routes, systems, and changes of the configuration."""

from __future__ import annotations

import marshmallow as ma

from hub.flow.configuration import changes
from hub.http.ops import shapes
from hub.http.ops.plan_answers import NewDefault
from hub.http.ops.request_schemas import Number, Text


class PauseOfRoute(ma.Schema):
    since = shapes.time()
    by = shapes.text()
    why = shapes.text()
    waiting = shapes.number()
    isExact = shapes.yes()


class RouteLine(ma.Schema):
    name = shapes.text()
    about = shapes.text()
    owner = shapes.text()
    source = shapes.text()
    when = shapes.text(allow_none=True)
    targets = shapes.some(ma.fields.String())
    steps = shapes.some(
        ma.fields.String(validate=ma.validate.OneOf(["drop", "when", "split", "hold", "capacity", "enrich"])),
        metadata={"description": "What stands between a message and the targets, in this order."},
    )
    state = shapes.text(validate=ma.validate.OneOf(["live", "paused", "canary"]))
    paused = ma.fields.Nested(PauseOfRoute, required=True, allow_none=True)
    shadows = shapes.some(
        ma.fields.Integer(),
        metadata={"description": "Versions of its message in shadow: they validate and refuse nothing."},
    )
    perSecond = shapes.rate()
    attempts = shapes.number()
    success = shapes.rate()
    p50Ms = shapes.rate()
    p99Ms = shapes.rate()
    backlog = shapes.number()
    isExact = shapes.yes()
    waiting = shapes.number(metadata={"description": "For a person: dead, held and unknown."})


class RouteList(ma.Schema):
    revision = shapes.text()
    items = shapes.some(RouteLine)


class Step(ma.Schema):
    kind = shapes.text()
    text = shapes.text()
    out = shapes.number(metadata={"description": "How many of the last messages go on behind it."})


class Condition(ma.Schema):
    kind = shapes.text(validate=ma.validate.OneOf(["when", "canary"]))
    text = shapes.text()


class MappingStep(ma.Schema):
    source = shapes.text()
    target = shapes.text()
    name = shapes.text()
    fields_ = shapes.number(data_key="fields")


class Branch(ma.Schema):
    target = shapes.text()
    condition = ma.fields.Nested(Condition, required=True, allow_none=True)
    mappings = shapes.some(MappingStep, allow_none=True, metadata={"description": "null: no mapping leads there."})
    reply = shapes.text(allow_none=True)
    out = shapes.number()
    perSecond = shapes.rate()
    success = shapes.rate()
    backlog = shapes.number()
    waiting = shapes.number()


class RouteGraph(ma.Schema):
    messages = shapes.number(
        metadata={"description": "How many of the last messages were tried; nothing was stored or sent."}
    )
    undecided = shapes.number()
    steps = shapes.some(Step)
    branches = shapes.some(Branch)


class Written(ma.Schema):
    file = shapes.text()
    line = shapes.number()
    text = shapes.text()


class RouteTestCase(ma.Schema):
    number = shapes.number()
    about = shapes.text()
    line = shapes.number()
    ms = shapes.rate()
    verdict = shapes.text(validate=ma.validate.OneOf(["passed", "failed", "missing"]))
    wrong = shapes.some(ma.fields.String())


class OneRoute(RouteLine):
    revision = shapes.text()
    graph = shapes.one(RouteGraph)
    treatment = shapes.anything()
    written = ma.fields.Nested(Written, required=True, allow_none=True)
    tests = shapes.some(RouteTestCase)


class VersionState(ma.Schema):
    version = shapes.number()
    state = shapes.text()
    since = shapes.text(allow_none=True)
    sunset = shapes.text(allow_none=True)


class Interface(ma.Schema):
    type = shapes.text()
    about = shapes.text()
    versions = shapes.some(VersionState)


class BreakerNow(ma.Schema):
    state = shapes.text(validate=ma.validate.OneOf(["closed", "open", "half_open"]))
    since = shapes.time(allow_none=True)
    until = shapes.time(allow_none=True)
    trips = shapes.number()


class SystemLine(ma.Schema):
    name = shapes.text()
    title = shapes.text()
    owner = shapes.text()
    emits = shapes.some(Interface)
    accepts = shapes.some(Interface)
    hookNames = shapes.some(ma.fields.String())
    queueNames = shapes.some(ma.fields.String())
    health = shapes.text(validate=ma.validate.OneOf(["ok", "paused", "open", "half_open", "failing", "stuck", "none"]))
    breaker = ma.fields.Nested(BreakerNow, required=True, allow_none=True)
    perSecond = shapes.rate()
    attempts = shapes.number()
    success = shapes.rate()
    sendP50Ms = shapes.rate()
    sendP99Ms = shapes.rate()
    lastAt = shapes.time(allow_none=True)
    inFlight = shapes.number(allow_none=True)
    cap = shapes.number(allow_none=True)
    backlog = shapes.number(allow_none=True)
    isExact = shapes.yes()
    waiting = shapes.number()


class SystemList(ma.Schema):
    revision = shapes.text()
    items = shapes.some(SystemLine)


class AddressOf(ma.Schema):
    name = shapes.text()
    url = shapes.text(metadata={"description": "Without the credentials that may stand in it."})


class CallOf(ma.Schema):
    message = shapes.text()
    about = shapes.text()
    call = shapes.text()


class ProvenBy(ma.Schema):
    scheme = shapes.text()
    details = ma.fields.Dict(required=True)


class SignedBy(ma.Schema):
    scheme = shapes.text()
    form = shapes.text()


class SettingOf(ma.Schema):
    name = shapes.text()
    variable = shapes.text()
    help = shapes.text()
    isSecret = shapes.yes()
    isSet = shapes.yes()
    from_ = shapes.text(data_key="from", validate=ma.validate.OneOf(["environment", "default", "nowhere"]))
    value = shapes.text(allow_none=True, metadata={"description": "null: it is a secret."})
    reference = shapes.text(allow_none=True)


class SecretOf(ma.Schema):
    name = shapes.text()
    reference = shapes.text()
    isSet = shapes.yes()


class HookOf(ma.Schema):
    name = shapes.text()
    path = shapes.text()
    by = shapes.text()


class QueueOf(ma.Schema):
    name = shapes.text()
    queue = shapes.text()
    exchange = shapes.text()
    topics = shapes.some(ma.fields.String())
    broker = shapes.text()


class CallerOf(ma.Schema):
    id = shapes.text()
    name = shapes.text()
    state = shapes.text()


class CheckStep(ma.Schema):
    step = shapes.text(validate=ma.validate.OneOf(["address", "dns", "tcp", "tls"]))
    ok = shapes.yes()
    ms = shapes.number()
    text = shapes.text()
    until = shapes.time(allow_none=True)


class CheckedAddress(AddressOf):
    ok = shapes.yes()
    steps = shapes.some(CheckStep)


class LastCheck(ma.Schema):
    at = shapes.time()
    by = shapes.text()
    ok = shapes.yes()
    addresses = shapes.some(CheckedAddress)


class CheckedNow(LastCheck):
    system = shapes.text()


class WhoChecks(ma.Schema):
    by = Text(
        load_default="",
        validate=ma.validate.Length(0, 100),
        metadata={"description": "Who does it; whoever is signed in is it anyhow."},
    )


class OneSystem(SystemLine):
    revision = shapes.text()
    addresses = shapes.some(AddressOf)
    calls = shapes.some(CallOf)
    inbound = shapes.one(ProvenBy)
    outbound = shapes.one(SignedBy)
    settings = shapes.some(SettingOf)
    secrets = shapes.some(SecretOf)
    policy = shapes.anything()
    hooks = shapes.some(HookOf)
    queues = shapes.some(QueueOf)
    callers = shapes.some(CallerOf)
    routesFrom = shapes.some(ma.fields.String())
    routesTo = shapes.some(ma.fields.String())
    lastCheck = ma.fields.Nested(LastCheck, required=True, allow_none=True)


class MeaningChange(ma.Schema):
    place = shapes.some(ma.fields.String())
    before = shapes.text(allow_none=True)
    after = shapes.text(allow_none=True)
    text = ma.fields.String()


class NamedChange(ma.Schema):
    what = shapes.text(validate=ma.validate.OneOf(["added", "removed", "changed"]))
    kind = shapes.text()
    name = shapes.text()


class ActivationLine(ma.Schema):
    revision = shapes.text()
    at = shapes.time()
    by = shapes.text()
    why = shapes.text()
    before = shapes.text(allow_none=True)
    despite = shapes.some(ma.fields.String())
    isActive = shapes.yes()
    summary = shapes.some(NamedChange)


class KeptRevision(ma.Schema):
    revision = shapes.text()
    createdAt = shapes.time()


class ProcessRevision(ma.Schema):
    name = shapes.text()
    role = shapes.text()
    revision = shapes.text()
    isSilent = shapes.yes()


class RefusedRevision(ma.Schema):
    revision = shapes.text()
    reason = shapes.text()


class RevisionHistory(ma.Schema):
    active = shapes.text(allow_none=True)
    refused = ma.fields.Nested(RefusedRevision, required=True, allow_none=True)
    items = shapes.some(ActivationLine)
    kept = shapes.some(KeptRevision, metadata={"description": "Kept, and never active."})
    processes = shapes.some(ProcessRevision)


class Activated(ma.Schema):
    at = shapes.time()
    by = shapes.text()
    before = shapes.text(allow_none=True)
    despite = shapes.some(ma.fields.String())


class FileDifference(ma.Schema):
    file = shapes.text()
    what = shapes.text(validate=ma.validate.OneOf(["added", "removed", "changed"]))
    added = shapes.number()
    removed = shapes.number()
    lines = shapes.some(ma.fields.String())
    isWhole = shapes.yes()


class OneRevision(ma.Schema):
    revision = shapes.text()
    isActive = shapes.yes()
    before = shapes.text(allow_none=True)
    activations = shapes.some(Activated)
    changes = shapes.some(MeaningChange, allow_none=True)
    unreadable = shapes.text()
    files = shapes.some(FileDifference)
    processes = shapes.some(ProcessRevision)


class TouchedWay(ma.Schema):
    route = shapes.text()
    target = shapes.text()
    status = shapes.text()
    number = shapes.number()
    orphaned = shapes.yes()


class WhatIfExample(ma.Schema):
    message = shapes.text()
    before = shapes.anything()
    after = shapes.anything()


class WhatIfGroup(ma.Schema):
    what = shapes.text()
    route = shapes.text()
    target = shapes.text()
    pointer = shapes.text()
    messages = shapes.number()
    examples = shapes.some(WhatIfExample)


class WhatIf(ma.Schema):
    messages = shapes.number()
    unchanged = shapes.number()
    differences = shapes.some(WhatIfGroup)


class PlanReport(ma.Schema):
    revision = shapes.text(metadata={"description": "What would become active."})
    onto = shapes.text(
        allow_none=True,
        metadata={"description": "The active one that it was compared with; send it along with the change."},
    )
    changes = shapes.some(MeaningChange)
    findings = shapes.some(ma.fields.Dict())
    waiting = shapes.some(TouchedWay)
    whatIf = shapes.one(WhatIf)
    defaults = shapes.some(
        NewDefault,
        metadata={
            "description": "Messages whose posts without a version are in another one from then on, and for whom."
        },
    )


class ActiveNow(ma.Schema):
    revision = shapes.text()
    changed = shapes.yes(metadata={"description": "false: it was the active one already."})


class HowMany(ma.Schema):
    limit = Number(load_default=50, validate=ma.validate.Range(1, 500))


class HowManyTried(ma.Schema):
    messages = Number(
        load_default=200,
        validate=ma.validate.Range(0, changes.MOST),
        metadata={"description": "What-if over the last so many."},
    )


class PlannedChange(ma.Schema):
    onto = Text(
        required=True,
        validate=ma.validate.Length(64, 64),
        metadata={"description": "The active configuration that the plan was compared with."},
    )
    why = Text(required=True, validate=ma.validate.Length(1, 500))
    by = Text(
        load_default="",
        validate=ma.validate.Length(0, 100),
        metadata={"description": "Who does it; whoever is signed in is it anyhow."},
    )


class ApplyPlan(PlannedChange):
    revision = Text(
        required=True,
        validate=ma.validate.Length(64, 64),
        metadata={"description": "What the plan said would become active."},
    )
    despite = ma.fields.List(
        Text(),
        load_default=list,
        validate=ma.validate.Length(0, 100),
        metadata={"description": "Errors accepted: CODE:FILE:LINE."},
    )
