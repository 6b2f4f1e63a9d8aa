"""The list of open problems (`hub now`), and the throughput. Each problem has its kind, start time, trend, and the
action that solves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from hub.core.config.identified_request import FOR_A_PERSON
from hub.core.config.system import VersionState
from hub.core.message import Ref
from hub.core.model.delivery import Status
from hub.core.model.remedies import MENDS, Verb
from hub.flow.answers import overview as answers
from hub.flow.answers.fields import AnyMembers, fill
from hub.flow.answers.overview import Kind
from hub.flow.hub import Hub
from hub.flow.interfaces.contracts import names_of
from hub.flow.overview import backlog, clusters, rates, unrouted_preview
from hub.store import ClusterBacklog
from hub.store.messages.expire import STALLED
from hub.store.messages.pauses import TARGET

LATE = timedelta(minutes=1)  # a lane with a delivery overdue for this time is lagging
NEAR = timedelta(days=30)  # a used version is listed this long before its sunset
LATELY = timedelta(days=7)  # a version counts as used if it was used within this time
REMEMBERED = timedelta(hours=1)  # a lost worker is listed for this time if another worker is alive
LEAST_S = 1.0
BOOKS_S = 30.0


# Sort order: possible loss first, then blocked work, then waiting work; the rest in the order above.
FIRST = (Kind.UNACCOUNTED, Kind.CONFIGURATION, Kind.BLOCKED, Kind.BREAKER, Kind.DOUBT)
RANK = {kind: place for place, kind in enumerate(dict.fromkeys((*FIRST, *Kind)))}


def now(hub: Hub) -> answers.Now:
    """The open problems, `needs`, most urgent first, with `rates`, `lanes` (backlog and oldest due time) and `books`.
    Cached for one second.

    A problem: kind (see Kind), id (stable for the same problem), severity "fault" or "warning", count and isExact,
    since (null: unknown), trend ("new", "rising", "falling", "steady", or null) with lastHour and hourBefore, subject
    (depends on the kind), text, and action {verb, command}: verb is replay, choose, apply, edit, close, probe, route,
    retry, resume, retire, look or scale; command is the same on the command line.

    `refusals`: refused posts whose callers were told what to change, by source, caller and code: number of contents,
    times, since, newestAt, id, text. They need no action here while the callers correct them. `books`: unaccounted
    (null during the first count), ageS.
    """
    return hub.shelf.at("now", lambda: _now(hub), least_s=LEAST_S).get()


def _now(hub: Hub) -> answers.Now:
    at = hub.store.now()
    books = hub.shelf.at("books", hub.store.conservation, least_s=BOOKS_S)
    counted_books = books.soon()
    needs = [*_clusters(hub), *_parked(hub), *_blocked(hub), *_breakers(hub), *_lags(hub), *_paused(hub)]
    needs += [*_unrouted(hub), *_arrivals(hub), *_sunsets(hub, at), *_silent(hub, at)]
    if counted_books is not None and counted_books.unaccounted:
        needs.append(
            _need(
                Kind.UNACCOUNTED,
                "",
                counted_books.unaccounted,
                None,
                {},
                "Messages or deliveries are missing from the books.",
                "look",
                "hub now --json",
            )
        )
    needs += _configuration(hub)
    needs.sort(key=lambda need: (RANK[Kind(need["kind"])], -need["count"], need["id"]))
    return {
        "at": at.isoformat(),
        "revision": hub.catalogs.active().revision,
        "needs": needs,
        "refusals": _refusals(hub),
        "rates": rates.ways(hub),
        "lanes": backlog.told(backlog.backlog(hub)),
        "books": {
            "unaccounted": counted_books.unaccounted if counted_books is not None else None,
            "ageS": round(books.age, 1) if counted_books is not None else None,
        },
    }


def _need(
    kind: Kind,
    id_: str,
    count: int,
    since: datetime | None,
    subject: AnyMembers,
    text: str,
    verb: str,
    command: str,
    *,
    is_exact: bool = True,
    trend: tuple[str, int, int] | None = None,
    severity: str = "fault",
) -> answers.Need:
    return {
        "kind": kind.value,
        "id": f"{kind.value}:{id_}",
        "severity": severity,
        "count": count,
        "isExact": is_exact,
        "since": since.isoformat() if since is not None else None,
        "trend": trend[0] if trend is not None else None,
        "lastHour": trend[1] if trend is not None else None,
        "hourBefore": trend[2] if trend is not None else None,
        "subject": subject,
        "text": text,
        "action": {"verb": verb, "command": command},
    }


def _clusters(hub: Hub) -> Iterator[answers.Need]:
    for entry in clusters.counted(hub):
        trend = (clusters.trend(entry.last_hour, entry.hour_before, entry.number), entry.last_hour, entry.hour_before)
        if entry.cluster is None:
            text = "They wait for a person; their cause is looked for this moment."
            yield _need(
                Kind.UNNAMED,
                entry.status.value,
                entry.number,
                entry.oldest_at,
                clusters.line(entry),
                text,
                "look",
                f"hub dead list --status {entry.status}",
                trend=trend,
            )
            continue
        kind = Kind.DOUBT if entry.status is Status.UNKNOWN else Kind.CLUSTER
        verb = MENDS[entry.cluster.cause.reason].verb
        id_ = f"{entry.cluster.id}:{entry.status.value}"
        yield _need(
            kind,
            id_,
            entry.number,
            entry.oldest_at,
            clusters.line(entry),
            entry.cluster.sample,
            verb.value,
            _command(entry, verb),
            trend=trend,
        )


def _command(entry: ClusterBacklog, verb: Verb) -> str:
    assert entry.cluster is not None
    return (
        f"hub dead cluster {entry.cluster.id}"
        if verb is not Verb.APPLY
        else f"hub plan && hub dead cluster {entry.cluster.id}"
    )


def _parked(hub: Hub) -> Iterator[answers.Need]:
    """One problem per lane: the number of order keys blocked by a dead delivery, and of their deliveries."""
    keys, is_whole = backlog.parked(hub)
    for lane in sorted({key.lane for key in keys}):
        keys_of_lane = [key for key in keys if key.lane == lane]
        subject: AnyMembers = {
            "system": lane,
            "deliveries": sum(key.waiting for key in keys_of_lane),
            "keys": [key.order_key for key in keys_of_lane[:10]],
        }
        text = "Later deliveries of these keys wait until the dead one is replayed or discarded."
        yield _need(
            Kind.PARKED,
            lane,
            len(keys_of_lane),
            keys_of_lane[0].since,
            subject,
            text,
            "replay",
            "hub dead list",
            is_exact=is_whole,
        )


def _blocked(hub: Hub) -> Iterator[answers.Need]:
    """One problem per blocked lane: the number of dead deliveries that block it, and of the waiting deliveries."""
    lanes = backlog.backlog(hub).lanes
    for blocked_lane in hub.store.blocked():
        subject: AnyMembers = {
            "system": blocked_lane.lane,
            "deliveries": lanes[blocked_lane.lane].number if blocked_lane.lane in lanes else 0,
        }
        text = "The whole lane waits until the dead one is replayed or discarded (when_dead: block)."
        yield _need(
            Kind.BLOCKED,
            blocked_lane.lane,
            blocked_lane.number,
            blocked_lane.since,
            subject,
            text,
            "replay",
            "hub dead list",
        )


def _breakers(hub: Hub) -> Iterator[answers.Need]:
    for breaker in hub.store.open_breakers():
        subject: AnyMembers = {
            "system": breaker.lane,
            "state": breaker.state,
            "trips": breaker.trips,
            "until": breaker.until.isoformat() if breaker.until is not None else None,
        }
        text = "The target did not answer, or answered with faults, too often; it is left alone, and tried again by itself."
        yield _need(
            Kind.BREAKER,
            breaker.lane,
            breaker.trips,
            breaker.since,
            subject,
            text,
            "probe",
            "hub now",
            severity="warning",
        )


def _paused(hub: Hub) -> Iterator[answers.Need]:
    for impact in backlog.stopped(hub):
        pause = impact.pause
        subject: AnyMembers = {"of": pause.kind, "name": pause.name, "by": pause.by, "why": pause.why}
        text = "Somebody stopped it. What waits goes on once it is resumed; nothing is lost, and no attempt is spent."
        yield _need(
            Kind.PAUSED,
            f"{pause.kind}:{pause.name}",
            impact.number,
            pause.at,
            subject,
            text,
            "resume",
            f"hub {pause.kind} resume {pause.name}",
            is_exact=impact.is_exact,
            severity="warning",
        )


def _lags(hub: Hub) -> Iterator[answers.Need]:
    """One problem per lagging lane. A paused lane is not lagging: it is listed as paused."""
    waiting = backlog.backlog(hub)
    open_ = {row.lane for row in hub.store.open_breakers()}
    paused = {row.pause.name for row in backlog.stopped(hub) if row.pause.kind == TARGET}
    for name, lane in sorted(waiting.lanes.items()):
        if name in paused or lane.oldest_due_at is None or waiting.at - lane.oldest_due_at < LATE:
            continue
        subject: AnyMembers = {
            "system": name,
            "lagS": int((waiting.at - lane.oldest_due_at).total_seconds()),
            "isLeftAlone": name in open_,
        }
        text = "More is due than is sent. See whether a worker runs for it, whether the target is slow, and what `rate` and `concurrency` allow."
        yield _need(
            Kind.LAG,
            name,
            lane.number,
            lane.oldest_due_at,
            subject,
            text,
            "scale",
            "hub now",
            is_exact=lane.is_exact,
            severity="warning",
        )


def _arrivals(hub: Hub) -> Iterator[answers.Need]:
    for arrivals in hub.store.waiting_arrivals():
        text = "A queue brought what the hub cannot accept; its sender hears nothing of it."
        if not arrivals.source.startswith("queue:"):
            text = "A partner's webhook brought what the hub cannot accept; it was told to send again, and nobody there reads why."
        yield _need(
            Kind.ARRIVALS,
            arrivals.source,
            arrivals.number,
            arrivals.oldest_at,
            {"source": arrivals.source, "newestAt": arrivals.newest_at.isoformat()},
            text,
            "retry",
            "hub refused list",
        )


def _unrouted(hub: Hub) -> Iterator[answers.Need]:
    """One problem per cause of unrouted messages. They were accepted and match no route, so a person must act."""
    for line in unrouted_preview.counted(hub):
        row = unrouted_preview.line_json(line)
        trend = (str(row["trend"]), line.last_hour, line.hour_before)
        command = f"hub unrouted preview --cause {line.id}" if line.id is not None else "hub unrouted list"
        subject: AnyMembers = {
            "id": line.id,
            "message": row["message"],
            "misses": row["misses"],
            "wish": row["wish"],
        }
        yield _need(
            Kind.UNROUTED,
            line.id or "",
            line.number,
            line.oldest_at,
            subject,
            str(row["text"]),
            "route",
            command,
            trend=trend,
        )


def _refusals(hub: Hub) -> list[answers.RefusedOf]:
    return [
        fill(answers.RefusedOf, cause, since=cause.oldest_at)
        for cause in hub.store.refused_causes()
        if cause.door not in FOR_A_PERSON
    ]


def _sunsets(hub: Hub, at: datetime) -> Iterator[answers.Need]:
    catalog = hub.catalogs.active()
    near: list[tuple[Ref, str]] = [
        (Ref(system.name, name, number), version.sunset)
        for system in catalog.systems.values()
        for name, emit in system.emits.items()
        for number, version in emit.versions.items()
        if version.state is VersionState.DEPRECATED
        and version.sunset
        and date.fromisoformat(version.sunset) - at.date() <= NEAR
    ]
    known = names_of(hub.store) if near else {}
    for ref, sunset in sorted(near):
        since = (at - LATELY).date().isoformat()
        used = [usage for usage in hub.store.usage(type_=ref.type, version=ref.version, since=since) if usage.number]
        if used:
            callers = [usage.caller for usage in used]
            names = [known.get(usage.caller, usage.caller) for usage in used]
            number = sum(usage.number for usage in used)
            subject: AnyMembers = {
                "message": str(ref),
                "sunset": sunset,
                "daysLeft": (date.fromisoformat(sunset) - at.date()).days,
                "callers": callers,
                "names": names,
            }
            text = "This version ends soon, and these callers still used it within the last week."
            command = f"hub contracts can-retire {ref}"
            yield _need(Kind.SUNSET, str(ref), number, None, subject, text, "retire", command, severity="warning")


def _silent(hub: Hub, at: datetime) -> Iterator[answers.Need]:
    lives = hub.store.workers() > 0
    for worker, seen_at in hub.store.signs():
        silent = at - seen_at
        if silent > STALLED and (not lives or silent < REMEMBERED):
            text = "This worker ended without a word, or hangs. " + (
                "What it held is taken up by the others." if lives else "No other worker lives: start one."
            )
            severity = "warning" if lives else "fault"
            yield _need(
                Kind.SILENT, worker, 1, seen_at, {"worker": worker}, text, "look", "hub worker", severity=severity
            )


def _configuration(hub: Hub) -> list[answers.Need]:
    refused = hub.catalogs.refused
    if refused is None:
        return []
    subject: AnyMembers = {
        "revision": refused.revision,
        "kept": hub.catalogs.active().revision,
        "reason": refused.reason,
        "process": hub.worker,
    }
    return [
        _need(
            Kind.CONFIGURATION,
            refused.revision[:12],
            1,
            None,
            subject,
            "This process cannot load the active configuration, and goes by the one before.",
            "apply",
            "hub rollback",
        )
    ]
