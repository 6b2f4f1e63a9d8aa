"""Clusters: what waits for a person, by its cause; what changed when it began, and what would mend it. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hub.core.message import Json
from hub.core.model.cluster import Cluster
from hub.core.model.delivery import Status
from hub.core.model.remedies import MENDS
from hub.flow.hub import Hub
from hub.store import DeliveryRow, Store, Waiting

SHORTLY = timedelta(hours=24)  # before a cause came up: what was activated then may have brought it
BESIDE = timedelta(hours=1)  # around it: what else came up at the same target
LEAST_S = 1.0
EXAMPLES = 3  # of the oldest, and of the newest


def listed(waiting: Sequence[Waiting], *, status: Status | None = None) -> list[Json]:
    """All that waits for a person, a line per cause and state, the largest first. What nobody has looked at yet is one line with `id` null.

    A line: id, status, count, trend ("new", "rising", "falling", "steady"), lastHour, hourBefore, oldestAt, newestAt (of those that wait),
    firstSeenAt (of the cause, ever), route, target, source, reason, code, field, text (of the first), mend {word, text, verb}, fix.
    """
    return [line(one) for one in waiting if status is None or one.status is status]


def counted(hub: Hub) -> list[Waiting]:
    """The same as the store counts it, once a second for all who look at an overview."""
    return hub.shelf.at("clusters", hub.store.clusters, least_s=LEAST_S).get()


def line(one: Waiting) -> dict[str, Json]:
    """One line of the list."""
    told: dict[str, Json] = {
        "id": None,
        "status": one.status.value,
        "count": one.number,
        "trend": trend(one.last_hour, one.hour_before, one.number),
        "lastHour": one.last_hour,
        "hourBefore": one.hour_before,
        "oldestAt": one.oldest_at.isoformat(),
        "newestAt": one.newest_at.isoformat(),
    }
    return told if one.cluster is None else {**told, **_cause(one.cluster)}


def _cause(one: Cluster) -> Mapping[str, Json]:
    cause = one.cause
    mend = MENDS[cause.reason]
    return {
        "id": one.id,
        "firstSeenAt": one.first_at.isoformat(),
        "route": cause.route,
        "target": str(cause.target),
        "source": str(cause.source),
        "reason": cause.reason.value,
        "code": cause.code,
        "field": cause.field,
        "text": one.sample,
        "mend": {"word": mend.word, "text": mend.text, "verb": mend.verb.value},
        "fix": one.fix,
    }


def trend(last_hour: int, hour_before: int, number: int) -> str:
    """Whether it grows: what came in the last hour against the hour before."""
    if last_hour == number:
        return "new"
    if last_hour > hour_before * 1.2:
        return "rising"
    return "falling" if last_hour < hour_before * 0.8 else "steady"


def found(store: Store, id_: str, waiting: Sequence[Waiting]) -> dict[str, Json] | None:
    """One cause with its lines by state, examples (the oldest and the newest), and what changed about when it came up. None: no such cause.

    `waiting`: as the store counts it, or as it was `counted` a moment ago: counting reads all that waits, examples are found by index.
    """
    cluster = store.cluster(id_)
    if cluster is None:
        return None
    lines = [one for one in waiting if one.cluster is not None and one.cluster.id == id_]
    states: list[Json] = [line(one) for one in lines]
    examples = {row.id: row for one in lines for oldest in (True, False) for row in store.cluster_members(id_, one.status, limit=EXAMPLES, oldest=oldest)}
    messages = {row.id: dict(row.keys) for row in store.messages(*(row.message_id for row in examples.values()))}
    shown: list[Json] = [_example(row, messages.get(row.message_id, {})) for row in sorted(examples.values(), key=lambda row: (row.changed_at, row.id))]
    return {**_cause(cluster), "count": sum(one.number for one in lines), "states": states, "examples": shown, "changed": changed(store, cluster)}


def _example(row: DeliveryRow, keys: dict[str, str]) -> Json:
    return {
        "deliveryId": row.id,
        "messageId": row.message_id,
        "status": row.status.value,
        "keys": dict(keys),
        "changedAt": row.changed_at.isoformat(),
        "attempts": row.attempts,
        "text": row.why.text if row.why is not None else "",
    }


def changed(store: Store, cluster: Cluster) -> list[Json]:
    """What changed shortly before a cause came up, or with it; the nearest first. Signs, not proofs.

    kind "revision": a configuration was made active. "stopped": the way delivered until then (`lastAt`), and has not since (`since` null),
    or has again (`since`). "answer": the target began to answer otherwise too: another cause of its lane came up within the hour.
    """
    at = cluster.first_at
    signs: list[tuple[float, dict[str, Json]]] = []
    for row in store.activations(1_000):
        if timedelta() <= at - row.at <= SHORTLY:
            seconds = (at - row.at).total_seconds()
            signs.append(
                (
                    seconds,
                    {"kind": "revision", "at": row.at.isoformat(), "revision": row.hash, "before": row.before, "by": row.by, "secondsBefore": int(seconds)},
                )
            )
    for other in store.clusters_since(cluster.cause.target.system, at - BESIDE, at + BESIDE):
        if other.id != cluster.id:
            seconds = abs((other.first_at - at).total_seconds())
            told: dict[str, Json] = {"kind": "answer", "at": other.first_at.isoformat(), "cluster": other.id, "code": other.cause.code, "text": other.sample}
            signs.append((seconds, told))
    stopped = _stopped(store, cluster, at)
    if stopped is not None:
        signs.append((0.0, stopped))
    return [told for _, told in sorted(signs, key=lambda pair: pair[0])]


def _stopped(store: Store, cluster: Cluster, at: datetime) -> dict[str, Json] | None:
    before, after = store.delivered_around(cluster.cause.route, str(cluster.cause.target), at)
    if before is None:
        return None
    return {"kind": "stopped", "lastAt": before.isoformat(), "since": after.isoformat() if after is not None else None}
