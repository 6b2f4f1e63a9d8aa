"""Clusters: deliveries that wait for a person, grouped by cause, with what changed at that time and the remedy. Reads
only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hub.core.message import Json
from hub.core.model.cluster import Cluster
from hub.core.model.delivery import Status
from hub.core.model.remedies import MENDS
from hub.flow.answers import overview as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.store import ClusterBacklog, Store

SHORTLY = timedelta(hours=24)  # an activation within this time before a cause's first failure may have caused it
BESIDE = timedelta(hours=1)  # other causes of the same target within this time may be related
LEAST_S = 1.0
EXAMPLES = 3  # of the oldest, and of the newest


def listed(waiting: Sequence[ClusterBacklog], *, status: Status | None = None) -> list[answers.ClusterLine]:
    """The deliveries that wait for a person, a row per cause and state, the largest first. Deliveries without a cause
    yet are one row with `id` null.

    A row: id, status, count, trend ("new", "rising", "falling", "steady"), lastHour, hourBefore, oldestAt, newestAt (of
    the waiting deliveries), firstSeenAt (of the cause), route, target, source, reason, code, field, text (of the
    first), mend {word, text, verb}, fix.
    """
    return [line(entry) for entry in waiting if status is None or entry.status is status]


def counted(hub: Hub) -> list[ClusterBacklog]:
    """The same counts as the store's, cached for one second."""
    return hub.shelf.at("clusters", hub.store.clusters, least_s=LEAST_S).get()


def line(backlog: ClusterBacklog) -> answers.ClusterLine:
    """One row of the list."""
    how = trend(backlog.last_hour, backlog.hour_before, backlog.number)
    row = fill(answers.ClusterLine, backlog, id=None, count=backlog.number, trend=how)
    return row if backlog.cluster is None else {**row, **_cause(backlog.cluster)}


def _cause(cluster: Cluster) -> answers.Cause:
    return fill(
        answers.Cause,
        cluster.cause,
        id=cluster.id,
        firstSeenAt=cluster.first_at,
        text=cluster.sample,
        mend=fill(answers.Mend, MENDS[cluster.cause.reason]),
        fix=cluster.fix,
    )


def trend(last_hour: int, hour_before: int, number: int) -> str:
    """The trend: failures of the last hour compared with the hour before."""
    if last_hour == number:
        return "new"
    if last_hour > hour_before * 1.2:
        return "rising"
    return "falling" if last_hour < hour_before * 0.8 else "steady"


def found(store: Store, id_: str, waiting: Sequence[ClusterBacklog]) -> answers.Cluster | None:
    """One cause with its rows by state, examples (the oldest and the newest), and what changed when it began. None: no
    such cause.

    `waiting`: as the store counts it, or as it was `counted` a moment ago: counting reads all that waits, examples are
    found by index.
    """
    cluster = store.cluster(id_)
    if cluster is None:
        return None
    lines = [entry for entry in waiting if entry.cluster is not None and entry.cluster.id == id_]
    states = [line(entry) for entry in lines]
    examples = {
        row.id: row
        for entry in lines
        for oldest in (True, False)
        for row in store.cluster_members(id_, entry.status, limit=EXAMPLES, oldest=oldest)
    }
    messages = {row.id: dict(row.keys) for row in store.messages(*(row.message_id for row in examples.values()))}
    shown = [
        fill(
            answers.Example,
            row,
            deliveryId=row.id,
            keys=messages.get(row.message_id, {}),
            text=row.why.text if row.why is not None else "",
        )
        for row in sorted(examples.values(), key=lambda row: (row.changed_at, row.id))
    ]
    return {
        **_cause(cluster),
        "count": sum(entry.number for entry in lines),
        "states": states,
        "examples": shown,
        "changed": changed(store, cluster),
    }


def changed(store: Store, cluster: Cluster) -> list[dict[str, Json]]:
    """What changed shortly before a cause began, or with it; the nearest first. These are hints, not proofs.

    kind "revision": a configuration was made active. "stopped": the way delivered until then (`lastAt`), and has not
    since (`since` null), or has again (`since`). "answer": the target began to answer otherwise too: another cause of
    its lane came up within the hour.
    """
    at = cluster.first_at
    signs: list[tuple[float, dict[str, Json]]] = []
    for row in store.activations(1_000):
        if timedelta() <= at - row.at <= SHORTLY:
            seconds = (at - row.at).total_seconds()
            signs.append(
                (
                    seconds,
                    {
                        "kind": "revision",
                        "at": row.at.isoformat(),
                        "revision": row.hash,
                        "before": row.before,
                        "by": row.by,
                        "secondsBefore": int(seconds),
                    },
                )
            )
    for other in store.clusters_since(cluster.cause.target.system, at - BESIDE, at + BESIDE):
        if other.id != cluster.id:
            seconds = abs((other.first_at - at).total_seconds())
            sign: dict[str, Json] = {
                "kind": "answer",
                "at": other.first_at.isoformat(),
                "cluster": other.id,
                "code": other.cause.code,
                "text": other.sample,
            }
            signs.append((seconds, sign))
    stopped = _stopped(store, cluster, at)
    if stopped is not None:
        signs.append((0.0, stopped))
    return [sign for _, sign in sorted(signs, key=lambda pair: pair[0])]


def _stopped(store: Store, cluster: Cluster, at: datetime) -> dict[str, Json] | None:
    before, after = store.delivered_around(cluster.cause.route, str(cluster.cause.target), at)
    if before is None:
        return None
    return {"kind": "stopped", "lastAt": before.isoformat(), "since": after.isoformat() if after is not None else None}
