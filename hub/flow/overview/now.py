"""Now: what needs a person, in one list, and how everything flows. Each line says what it is, since when, whether it grows, and the one act that helps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum

from hub.core.config.identified_request import FOR_A_PERSON
from hub.core.config.system import VersionState
from hub.core.message import Json, Ref
from hub.core.model.delivery import Status
from hub.core.model.remedies import MENDS, Verb
from hub.flow.hub import Hub
from hub.flow.interfaces.contracts import names_of
from hub.flow.overview import backlog, clusters, rates, unrouted_preview
from hub.store import Waiting
from hub.store.messages.expire import STALLED
from hub.store.messages.pauses import TARGET

LATE = timedelta(minutes=1)  # a delivery that has been due for so long shows that its lane does not keep up
NEAR = timedelta(days=30)  # before its sunset a version is told of while somebody uses it
LATELY = timedelta(days=7)  # within which a use of a version counts
REMEMBERED = timedelta(hours=1)  # after which a lost worker is no news any more, if another lives
LEAST_S = 1.0
BOOKS_S = 30.0


class Kind(StrEnum):
    """What a line is about; pages translate by it."""

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


# What comes first: what may be lost, then what stands still, then what waits; the rest as it stands above.
FIRST = (Kind.UNACCOUNTED, Kind.CONFIGURATION, Kind.BLOCKED, Kind.BREAKER, Kind.DOUBT)
RANK = {kind: place for place, kind in enumerate(dict.fromkeys((*FIRST, *Kind)))}


def now(hub: Hub) -> dict[str, Json]:
    """`needs`: what needs a person, the most urgent first; empty: nothing does. With `rates`, `lanes` (backlog and oldest due) and the books.

    A line: kind (see Kind), id (stable: the same trouble is the same line), severity "fault" or "warning", count and isExact, since (null: not
    known), trend ("new", "rising", "falling", "steady", or null) with lastHour and hourBefore, subject (what it is about, by kind), text, and
    action {verb, command}: verb is replay, choose, apply, edit, close, probe, route, retry, resume, retire, look or scale; command is the same on the command line.

    `refusals`: what waits of callers that were told what to change, by source, caller and code: number of contents, times, since, newestAt, id, text.
    They need nobody here, as long as they mend it. `books`: unaccounted (null while they are counted for the first time), ageS. Asked once a second for all who look.
    """
    return hub.shelf.at("now", lambda: _now(hub), least_s=LEAST_S).get()


def _now(hub: Hub) -> dict[str, Json]:
    at = hub.store.now()
    books = hub.shelf.at("books", hub.store.conservation, least_s=BOOKS_S)
    known = books.soon()
    needs = [*_clusters(hub), *_parked(hub), *_blocked(hub), *_breakers(hub), *_lags(hub), *_paused(hub)]
    needs += [*_unrouted(hub), *_arrivals(hub), *_sunsets(hub, at), *_silent(hub, at)]
    if known is not None and known.unaccounted:
        needs.append(_need(Kind.UNACCOUNTED, "", known.unaccounted, None, {}, "Messages or deliveries are missing from the books.", "look", "hub now --json"))
    needs += _configuration(hub)
    needs.sort(key=lambda one: (RANK[Kind(str(one["kind"]))], -_number(one["count"]), str(one["id"])))
    return {
        "at": at.isoformat(),
        "revision": hub.catalogs.active().revision,
        "needs": list(needs),
        "refusals": _refusals(hub),
        "rates": rates.ways(hub),
        "lanes": backlog.told(backlog.backlog(hub)),
        "books": {"unaccounted": known.unaccounted if known is not None else None, "ageS": round(books.age, 1) if known is not None else None},
    }


def _need(
    kind: Kind,
    id_: str,
    count: int,
    since: datetime | None,
    subject: dict[str, Json],
    text: str,
    verb: str,
    command: str,
    *,
    is_exact: bool = True,
    trend: tuple[str, int, int] | None = None,
    severity: str = "fault",
) -> dict[str, Json]:
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


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _clusters(hub: Hub) -> Iterator[dict[str, Json]]:
    for one in clusters.counted(hub):
        trend = (clusters.trend(one.last_hour, one.hour_before, one.number), one.last_hour, one.hour_before)
        if one.cluster is None:
            text = "They wait for a person; their cause is looked for this moment."
            yield _need(
                Kind.UNNAMED, one.status.value, one.number, one.oldest_at, clusters.line(one), text, "look", f"hub dead list --status {one.status}", trend=trend
            )
            continue
        kind = Kind.DOUBT if one.status is Status.UNKNOWN else Kind.CLUSTER
        verb = MENDS[one.cluster.cause.reason].verb
        id_ = f"{one.cluster.id}:{one.status.value}"
        yield _need(kind, id_, one.number, one.oldest_at, clusters.line(one), one.cluster.sample, verb.value, _command(one, verb), trend=trend)


def _command(one: Waiting, verb: Verb) -> str:
    assert one.cluster is not None
    return f"hub dead cluster {one.cluster.id}" if verb is not Verb.APPLY else f"hub plan && hub dead cluster {one.cluster.id}"


def _parked(hub: Hub) -> Iterator[dict[str, Json]]:
    """One line per lane: how many keys wait behind a dead delivery, and how many deliveries with them."""
    keys, is_whole = backlog.parked(hub)
    for lane in sorted({one.lane for one in keys}):
        mine = [one for one in keys if one.lane == lane]
        subject: dict[str, Json] = {"system": lane, "deliveries": sum(one.waiting for one in mine), "keys": [one.order_key for one in mine[:10]]}
        text = "Later deliveries of these keys wait until the dead one is replayed or discarded."
        yield _need(Kind.PARKED, lane, len(mine), mine[0].since, subject, text, "replay", "hub dead list", is_exact=is_whole)


def _blocked(hub: Hub) -> Iterator[dict[str, Json]]:
    """One line per lane: how many dead ones it stands still behind, and how many deliveries wait for them."""
    lanes = backlog.backlog(hub).lanes
    for one in hub.store.blocked():
        subject: dict[str, Json] = {"system": one.lane, "deliveries": lanes[one.lane].number if one.lane in lanes else 0}
        text = "The whole lane waits until the dead one is replayed or discarded (when_dead: block)."
        yield _need(Kind.BLOCKED, one.lane, one.number, one.since, subject, text, "replay", "hub dead list")


def _breakers(hub: Hub) -> Iterator[dict[str, Json]]:
    for one in hub.store.open_breakers():
        subject: dict[str, Json] = {
            "system": one.lane,
            "state": one.state,
            "trips": one.trips,
            "until": one.until.isoformat() if one.until is not None else None,
        }
        text = "The target did not answer, or answered with faults, too often; it is left alone, and tried again by itself."
        yield _need(Kind.BREAKER, one.lane, one.trips, one.since, subject, text, "probe", "hub now", severity="warning")


def _paused(hub: Hub) -> Iterator[dict[str, Json]]:
    for one in backlog.stopped(hub):
        pause = one.pause
        subject: dict[str, Json] = {"of": pause.kind, "name": pause.name, "by": pause.by, "why": pause.why}
        text = "Somebody stopped it. What waits goes on once it is resumed; nothing is lost, and no attempt is spent."
        yield _need(
            Kind.PAUSED,
            f"{pause.kind}:{pause.name}",
            one.number,
            pause.at,
            subject,
            text,
            "resume",
            f"hub {pause.kind} resume {pause.name}",
            is_exact=one.is_exact,
            severity="warning",
        )


def _lags(hub: Hub) -> Iterator[dict[str, Json]]:
    """A lane that a person stopped does not lag: it is told of as paused."""
    found = backlog.backlog(hub)
    open_ = {one.lane for one in hub.store.open_breakers()}
    paused = {one.pause.name for one in backlog.stopped(hub) if one.pause.kind == TARGET}
    for name, lane in sorted(found.lanes.items()):
        if name in paused or lane.oldest_due_at is None or found.at - lane.oldest_due_at < LATE:
            continue
        subject: dict[str, Json] = {"system": name, "lagS": int((found.at - lane.oldest_due_at).total_seconds()), "isLeftAlone": name in open_}
        text = "More is due than is sent. See whether a worker runs for it, whether the target is slow, and what `rate` and `concurrency` allow."
        yield _need(Kind.LAG, name, lane.number, lane.oldest_due_at, subject, text, "scale", "hub now", is_exact=lane.is_exact, severity="warning")


def _arrivals(hub: Hub) -> Iterator[dict[str, Json]]:
    for one in hub.store.waiting_arrivals():
        text = "A queue brought what the hub cannot accept; its sender hears nothing of it."
        if not one.source.startswith("queue:"):
            text = "A partner's webhook brought what the hub cannot accept; it was told to send again, and nobody there reads why."
        yield _need(
            Kind.ARRIVALS,
            one.source,
            one.number,
            one.oldest_at,
            {"source": one.source, "newestAt": one.newest_at.isoformat()},
            text,
            "retry",
            "hub refused list",
        )


def _unrouted(hub: Hub) -> Iterator[dict[str, Json]]:
    """One line per cause. They were accepted, and go nowhere: nothing but a person ends that."""
    for line in unrouted_preview.counted(hub):
        told = unrouted_preview.line_json(line)
        trend = (str(told["trend"]), line.last_hour, line.hour_before)
        command = f"hub unrouted preview --cause {line.id}" if line.id is not None else "hub unrouted list"
        subject: dict[str, Json] = {"id": line.id, "message": told["message"], "misses": told["misses"], "wish": told["wish"]}
        yield _need(Kind.UNROUTED, line.id or "", line.number, line.oldest_at, subject, str(told["text"]), "route", command, trend=trend)


def _refusals(hub: Hub) -> list[Json]:
    return [
        {
            "source": one.source,
            "caller": one.caller,
            "door": one.door,
            "code": one.code,
            "number": one.number,
            "times": one.times,
            "since": one.oldest_at.isoformat(),
            "newestAt": one.newest_at.isoformat(),
            "id": one.id,
            "text": one.text,
        }
        for one in hub.store.refused_causes()
        if one.door not in FOR_A_PERSON
    ]


def _sunsets(hub: Hub, at: datetime) -> Iterator[dict[str, Json]]:
    catalog = hub.catalogs.active()
    near: list[tuple[Ref, str]] = [
        (Ref(system.name, name, number), version.sunset)
        for system in catalog.systems.values()
        for name, emit in system.emits.items()
        for number, version in emit.versions.items()
        if version.state is VersionState.DEPRECATED and version.sunset and date.fromisoformat(version.sunset) - at.date() <= NEAR
    ]
    known = names_of(hub.store) if near else {}
    for ref, sunset in sorted(near):
        since = (at - LATELY).date().isoformat()
        used = [one for one in hub.store.usage(type_=ref.type, version=ref.version, since=since) if one.number]
        if used:
            callers: list[Json] = [one.caller for one in used]
            names: list[Json] = [known.get(one.caller, one.caller) for one in used]
            number = sum(one.number for one in used)
            subject: dict[str, Json] = {
                "message": str(ref),
                "sunset": sunset,
                "daysLeft": (date.fromisoformat(sunset) - at.date()).days,
                "callers": callers,
                "names": names,
            }
            text = "This version ends soon, and these callers still used it within the last week."
            command = f"hub contracts can-retire {ref}"
            yield _need(Kind.SUNSET, str(ref), number, None, subject, text, "retire", command, severity="warning")


def _silent(hub: Hub, at: datetime) -> Iterator[dict[str, Json]]:
    lives = hub.store.workers() > 0
    for worker, seen_at in hub.store.signs():
        silent = at - seen_at
        if silent > STALLED and (not lives or silent < REMEMBERED):
            text = "This worker ended without a word, or hangs. " + (
                "What it held is taken up by the others." if lives else "No other worker lives: start one."
            )
            severity = "warning" if lives else "fault"
            yield _need(Kind.SILENT, worker, 1, seen_at, {"worker": worker}, text, "look", "hub worker", severity=severity)


def _configuration(hub: Hub) -> list[dict[str, Json]]:
    refused = hub.catalogs.refused
    if refused is None:
        return []
    subject: dict[str, Json] = {"revision": refused.revision, "kept": hub.catalogs.active().revision, "reason": refused.reason, "process": hub.worker}
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
