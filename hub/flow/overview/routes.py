"""Routes as people see them: steps, state, throughput, and how far the latest messages come through the conditions.
Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hub.catalog import Catalog, read_files
from hub.catalog.checks.rehearsal import Case, of_route
from hub.catalog.files.mappings import file_name
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.excerpts import excerpt
from hub.core import json
from hub.core.config.routing import Destination, Route, TargetPolicy, match
from hub.core.errors import Code, GiveUp, Refused
from hub.core.message import Json, Ref
from hub.core.model.capacity_windows import Quota
from hub.flow.answers import building as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.flow.overview import rates
from hub.flow.overview.backlog import PauseImpact, backlog, stopped
from hub.flow.render import upgraded
from hub.store.messages.pauses import ROUTE

SAMPLE = 100  # number of latest messages that are tried on a route's conditions
TRIED_S = 15.0  # cache TTL of that trial
SAMPLES_S = 30.0
FILE = "routes.yaml"


def routes(hub: Hub) -> answers.RouteList:
    """All routes of the active configuration, in the order of routes.yaml; `items` as `told` has them."""
    catalog = hub.catalogs.active()
    return {"revision": catalog.revision, "items": [_line(hub, catalog, route) for route in catalog.routes]}


def route(hub: Hub, name: str, *, wait_s: float | None = None) -> answers.OneRoute:
    """One route: its row, graph, options, YAML text and tests. `wait_s`: see `graph`. Raises Refused (404)."""
    catalog = hub.catalogs.active()
    named_route = next((other for other in catalog.routes if other.name == name), None)
    if named_route is None:
        raise Refused(
            Code.NOT_FOUND,
            f"There is no route {name!r}. Known: {', '.join(other.name for other in catalog.routes) or 'none'}.",
        )
    written = excerpt(FILE, catalog.files.get(FILE, ""), "routes", name)
    return {
        "revision": catalog.revision,
        **_line(hub, catalog, named_route),
        "graph": graph(hub, catalog, named_route, wait_s=wait_s),
        "treatment": _treatment(named_route),
        "written": fill(answers.Written, written) if written is not None else None,
        "tests": [_test(case) for case in tests(hub, named_route)],
    }


def _line(hub: Hub, catalog: Catalog, route: Route) -> answers.RouteLine:
    """A route's row in the list. `waiting`: dead, unknown, and held deliveries that wait for a person; `state`: paused,
    canary or live.
    """
    flowed: Any = next((row for row in rates.ways(hub)["routes"] if row["route"] == route.name), {})
    standing = backlog(hub)
    ways = [way for lane in standing.lanes.values() for way in lane.ways if way.route == route.name]
    pause = next(
        (impact for impact in stopped(hub) if (impact.pause.kind, impact.pause.name) == (ROUTE, route.name)), None
    )
    emit = catalog.emit(route.source)
    return {
        "name": route.name,
        "about": route.about,
        "owner": route.owner,
        "source": route.source,
        "when": route.when.text if route.when is not None else None,
        "targets": [str(to.ref) for to in route.to],
        "steps": [step for step, _ in _steps(route)],
        "state": "paused" if pause else "canary" if any(to.canary is not None for to in route.to) else "live",
        "paused": _pause(pause) if pause is not None else None,
        "shadows": list(emit.shadows) if emit is not None else [],
        "success": flowed.get("success"),
        "p50Ms": flowed.get("p50Ms"),
        "p99Ms": flowed.get("p99Ms"),
        "perSecond": flowed.get("perSecond", 0.0),
        "attempts": flowed.get("attempts", 0),
        "backlog": pause.number if pause is not None else sum(way.number for way in ways),
        "isExact": all(way.is_exact for way in ways),
        "waiting": sum(number for (name, _), number in standing.stuck.items() if name == route.name),
    }


def _pause(impact: PauseImpact) -> answers.PauseOfRoute:
    pause = impact.pause
    return fill(answers.PauseOfRoute, pause, since=pause.at, waiting=impact.number, isExact=impact.is_exact)


# ---- the graph


def graph(hub: Hub, catalog: Catalog, route: Route, *, wait_s: float | None = None) -> answers.RouteGraph:
    """What a message meets, in this order: `steps` one after the other, then each of `branches` by itself.

    A step: kind (source, drop, when, split, hold, capacity, enrich), text (as it is written), out (how many of the
    `messages` last ones go on). A branch: target, condition (kind "when" or "canary", text; null: none), mappings
    [{source, target, name, fields}] (null: there is no way), out, and what flows on it: perSecond, success, backlog,
    waiting. `undecided`: messages on which the conditions cannot be computed. `messages` is null where they are being
    tried still, and were waited for so many seconds (`wait_s`; None: until they are).
    """
    kept = hub.shelf.at(
        f"tried {catalog.revision[:12]} {route.name}", lambda: _tried(hub, catalog, route), least_s=TRIED_S
    )
    there = kept.get() if wait_s is None else kept.soon(wait_s)
    tried = there if there is not None else _Tried()
    flowed: dict[str, Any] = {row["target"]: row for row in rates.ways(hub)["ways"] if row["route"] == route.name}
    standing = backlog(hub)
    steps: list[answers.Step] = [{"kind": "source", "text": route.source, "out": tried.messages}]
    steps += [{"kind": kind, "text": text, "out": tried.out(kind)} for kind, text in _steps(route)]
    branches: list[answers.Branch] = []
    for place, to in enumerate(route.to):
        way, row = (route.name, str(to.ref)), flowed.get(str(to.ref), {})
        branches.append(
            {
                "target": str(to.ref),
                "condition": _condition(to),
                "mappings": mappings(catalog, route.source, to.ref),
                "reply": to.reply,
                "out": tried.branches.get(place, 0),
                "perSecond": row.get("perSecond", 0.0),
                "success": row.get("success"),
                "backlog": standing.ways.get(way, 0),
                "waiting": standing.stuck.get(way, 0),
            }
        )
    return {
        "messages": tried.messages if there is not None else None,  # type: ignore[typeddict-item]  # null on pages: the API waits
        "undecided": tried.undecided,
        "steps": steps,
        "branches": branches,
    }


def mappings(catalog: Catalog, source: str, target: Ref) -> list[answers.MappingStep] | None:
    """The chain of mappings from a message's newest live version to a target; null if there is none."""
    emit = catalog.emit(source)
    if emit is None or emit.newest is None:
        return None
    system, _, name = source.partition("/")
    way = catalog.way(Ref(system, name, emit.newest), target)
    if way is None:
        return None
    return [
        {
            "source": str(mapping.source),
            "target": str(mapping.target),
            "name": mapping_name(mapping.source, mapping.target),
            "fields": sum(1 for _ in mapping.leaves()),
        }
        for mapping in way
    ]


def mapping_name(source: Ref, target: Ref) -> str:
    """The name of a mapping: its file name without folder and extension."""
    return file_name(source, target).removeprefix("mappings/").removesuffix(".yaml")


def _steps(route: Route) -> list[tuple[str, str]]:
    """The steps between a message and the route's targets, as (kind, text)."""
    steps: list[tuple[str, str]] = []
    if route.drop is not None:
        steps.append(("drop", route.drop.when.text))
    if route.when is not None:
        steps.append(("when", route.when.text))
    if route.split is not None:
        steps.append(
            (
                "split",
                f"{route.split.list} by {route.split.by.text}" if route.split.by is not None else route.split.list,
            )
        )
    if route.hold is not None:
        steps.append(("hold", route.hold.until.text))
    if route.capacity is not None:
        steps.append(
            (
                "capacity",
                _quota(route.capacity.quota)
                + (f" by {route.capacity.by.text}" if route.capacity.by is not None else ""),
            )
        )
    steps += [("enrich", f"${lookup.name} = {lookup.call}") for lookup in route.enrich]
    return steps


def _condition(to: Destination) -> answers.Condition | None:
    if to.when is not None:
        return {"kind": "when", "text": to.when.text}
    if to.canary is None:
        return None
    if to.canary.when is not None:
        text = to.canary.when.text if to.is_trial else f"not ({to.canary.when.text})"
    else:
        share = to.canary.percent if to.is_trial else 100 - (to.canary.percent or 0)
        text = f"{share} % by {to.canary.by.text if to.canary.by is not None else ''}"
    return {"kind": "canary", "text": text}


@dataclass(slots=True)
class _Tried:
    """How far the latest messages come. `left`: by the kind of step at which they end; `branches`: by the destination's
    index.
    """

    messages: int = 0
    undecided: int = 0
    parts: int = 0
    left: dict[str, int] = field(default_factory=dict)
    branches: dict[int, int] = field(default_factory=dict)

    def out(self, kind: str) -> int:
        """The number of messages after a step; after a split, the number of parts."""
        order = ("drop", "when", "split")
        if kind not in order[:2]:
            return self.parts
        return self.messages - self.undecided - sum(self.left.get(step, 0) for step in order[: order.index(kind) + 1])


def _tried(hub: Hub, catalog: Catalog, route: Route) -> _Tried:
    """Runs the latest messages through this route only; nothing is stored or sent."""
    result = _Tried()
    rows = hub.store.search(type_=route.source, limit=SAMPLE)
    bodies = hub.store.bodies(*(row.id for row in rows))
    for row in rows:
        if row.id not in bodies:
            continue  # pruned in the meantime
        result.messages += 1
        try:
            payload = upgraded(catalog, row.ref, json.decode(bodies[row.id], hub.limits), row.received_at)[1]
            matched = match(
                [route],
                payload,
                targets=catalog.targets,
                order_key=None,
                hops=0,
                now=row.received_at,
                new_id=lambda: "",
            )
        except (Refused, GiveUp):
            result.undecided += 1
            continue
        if any(planned.undecided is not None for planned in matched.planned):
            result.undecided += 1
            continue
        first = matched.considered[0]
        if "target" not in first:
            step = "drop" if first["result"] == "dropped" else "when" if "condition" in first else "split"
            result.left[step] = result.left.get(step, 0) + 1
            continue
        taken = [place for place, line in enumerate(matched.considered) if line["result"] == "matched"]
        pieces = len(matched.planned) // len(taken) if taken else 1
        result.parts += pieces
        for place in taken:
            result.branches[place] = result.branches.get(place, 0) + pieces
    return result


# ---- how it is treated


def _treatment(route: Route) -> dict[str, Json]:
    """The options of the route beside its targets. Durations in seconds; null: not set."""
    sync = route.sync
    return {
        "drop": {"when": route.drop.when.text, "why": route.drop.why} if route.drop is not None else None,
        "hold": {"until": route.hold.until.text, "zone": route.hold.zone} if route.hold is not None else None,
        "capacity": {
            "quota": _quota(route.capacity.quota),
            "zone": route.capacity.quota.zone,
            "by": route.capacity.by.text if route.capacity.by is not None else None,
        }
        if route.capacity is not None
        else None,
        "enrich": [
            {
                "name": lookup.name,
                "call": str(lookup.call),
                "cacheS": _seconds(lookup.cache),
                "onFail": lookup.on_fail.value,
            }
            for lookup in route.enrich
        ],
        "sync": {
            "deadlineS": _seconds(sync.deadline),
            "answer": str(sync.answer) if sync.answer else None,
            "fallbackS": _seconds(sync.fallback),
        }
        if sync is not None
        else None,
        "alert": route.alert or None,
        "alertIsTold": False,
        "targets": [_destination(to) for to in route.to],
    }


def _destination(to: Destination) -> Json:
    retry = to.retry
    return {
        "target": str(to.ref),
        "retry": {
            "attempts": retry.attempts,
            "firstS": _seconds(retry.first),
            "factor": retry.factor,
            "maxS": _seconds(retry.max),
            "jitter": retry.full_jitter,
            "giveUpAfterS": _seconds(retry.give_up_after),
            "scheduleS": [pause.total_seconds() for pause in retry.schedule],
        },
        "whenDead": to.order.when_dead.value if to.order is not None else None,
        "timeoutS": _seconds(to.timeout),
        "priority": to.priority.value,
        "expiresS": _seconds(to.expires),
        "batch": {"size": to.batch.size, "withinS": _seconds(to.batch.within)} if to.batch is not None else None,
        "reply": to.reply,
        "topic": to.topic or None,
    }


def policy(policy: TargetPolicy) -> dict[str, Json]:
    """The limits of a target system, for all routes together."""
    breaker = policy.breaker
    return {
        "concurrency": policy.concurrency,
        "rate": _quota(policy.rate) if policy.rate is not None else None,
        "breaker": {"ratio": float(breaker.ratio), "of": breaker.of, "openS": _seconds(breaker.open)}
        if breaker is not None
        else None,
        "inDoubt": policy.in_doubt.value,
    }


def _quota(quota: Quota) -> str:
    return f"{quota.limit}/{quota.unit}"


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None


# ---- its tests


def tests(hub: Hub, route: Route) -> Sequence[Case]:
    """Runs the route's tests with the active configuration and the samples on this machine."""
    if not route.tests:
        return ()
    catalog = hub.catalogs.active()

    def run() -> Sequence[Case]:
        return of_route(catalog, route, samples(hub))

    return hub.shelf.at(f"tests {catalog.revision[:12]} {route.name}", run, least_s=SAMPLES_S).get()


def samples(hub: Hub) -> Mapping[str, str]:
    """The workspace files on this machine, samples included; empty if there are none."""
    return hub.shelf.at("samples", lambda: read_files(hub.settings.workspace), least_s=SAMPLES_S).get()


def _test(case: Case) -> answers.RouteTestCase:
    """One test result. `verdict`: passed, failed, or missing (its sample is not on this machine)."""
    missing = any(problem.code is Check.NO_SAMPLE for problem in case.wrong)
    verdict = "missing" if missing else "failed" if case.wrong else "passed"
    wrong = [problem.text for problem in case.wrong]
    return fill(answers.RouteTestCase, case, ms=round(case.ms, 1), verdict=verdict, wrong=wrong)
