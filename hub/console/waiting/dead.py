"""The workbench: what waits for a person by its cause, one cause with what is to be done about it, and the keys that
wait behind dead letters.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from hub.console.common.page_context import Desk
from hub.core.errors import Code, Reason, Refused
from hub.core.model.cluster import Cluster
from hub.core.model.delivery import Status
from hub.core.model.remedies import MENDS, Verb
from hub.core.model.repair import With
from hub.flow.overview import backlog, clusters
from hub.store import ClusterBacklog, DeliveryRow

WAITS = (Status.DEAD, Status.HELD, Status.UNKNOWN)
MOST_CAUSES = 200
MOST_KEYS = 500
PAGE = 20
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav(
        "dead",
        "dead",
        under=("cause", "parked", "repairs", "one_repair", "one_delivery", "edit", "open_body", "send_edited"),
    )

    @pages.get("/dead")
    def dead() -> Response:
        status = _status(request.args.get("status", ""))
        words = request.args.get("words", "").strip()[:255]
        lines = [one for one in clusters.counted(desk.hub) if one.status is status and _has(one, words)]
        return desk.render(
            "dead.html",
            every=5,
            tabs=tabs(desk),
            chosen_state=status.value,
            words=words,
            lines=lines[:MOST_CAUSES],
            most=MOST_CAUSES if len(lines) > MOST_CAUSES else 0,
            **_TOLD,
        )

    @pages.get("/dead/parked")
    def parked() -> Response:
        keys, is_whole = backlog.parked(desk.hub)
        return desk.render(
            "parked.html",
            every=10,
            tabs=tabs(desk),
            keys=keys[:MOST_KEYS],
            is_whole=is_whole and len(keys) <= MOST_KEYS,
        )

    @pages.get("/dead/causes/<cause_id>")
    def cause(cause_id: str) -> Response:
        found = (
            clusters.found(desk.hub.store, cause_id, clusters.counted(desk.hub)) if _ID.fullmatch(cause_id) else None
        )
        if found is None:
            raise Refused(Code.NOT_FOUND, desk.words("error.404"))
        counts = (
            {str(one["status"]): one for one in found["states"] if isinstance(one, dict)}
            if isinstance(found["states"], list)
            else {}
        )
        wanted = request.args.get("status", "")
        status = _status(wanted if wanted in counts else next(iter(counts), "dead"))
        rows = desk.hub.store.cluster_members(
            cause_id, status, limit=PAGE + 1, before=_place(request.args.get("before", ""))
        )
        given: dict[str, Any] = {
            "rows": rows[:PAGE],
            "next": _told_place(rows[PAGE - 1]) if len(rows) > PAGE else "",
            "is_first": not request.args.get("before"),
        }
        keys = {
            row.id: ", ".join(text for _, text in row.keys)
            for row in desk.hub.store.messages(*(row.message_id for row in rows))
        }
        return desk.render(
            "cause.html",
            every=5,
            cause=found,
            counts=counts,
            chosen_state=status.value,
            keys=keys,
            suggested=suggested(Reason(str(found["reason"]))),
            **given,
            **choices(desk),
            **_TOLD,
        )


def tabs(desk: Desk) -> dict[str, Any]:
    """How much waits in each state, and how many keys: what the tabs say. Counted once a second for all who look."""
    counted = clusters.counted(desk.hub)
    keys, is_whole = backlog.parked(desk.hub)
    return {
        **{status.value: sum(one.number for one in counted if one.status is status) for status in WAITS},
        "parked": f"{len(keys)}{'' if is_whole else '+'}",
    }


def choices(desk: Desk) -> dict[str, Any]:
    """What a form for a repair is made with: kept configurations, and a name under which one press of the button is one
    repair.
    """
    return {"candidates": desk.hub.store.candidates(), "request_key": desk.hub.new_id()}


def suggested(reason: Reason) -> With:
    """What mends the cause says by which configuration they go: one that was changed for it, else as it was."""
    return With.CURRENT if MENDS[reason].verb is Verb.APPLY else With.PINNED


def _status(text: str) -> Status:
    return Status(text) if text in WAITS else Status.DEAD


def _has(one: ClusterBacklog, words: str) -> bool:
    if not words:
        return True
    text = " ".join(_texts(one.cluster)).casefold() if one.cluster is not None else ""
    return all(word in text for word in words.casefold().split())


def _texts(one: Cluster) -> tuple[str, ...]:
    cause = one.cause
    return (
        one.sample,
        cause.route,
        str(cause.target),
        str(cause.source),
        cause.reason.value,
        cause.field,
        str(cause.code or ""),
    )


def _told_place(row: DeliveryRow) -> str:
    return f"{row.changed_at.isoformat()}_{row.id}"


def _place(text: str) -> tuple[datetime, str] | None:
    at, _, id_ = text.partition("_")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (instant, id_[:36]) if instant.tzinfo is not None and id_ else None


_TOLD: dict[str, Any] = {"at": datetime.fromisoformat, "trend": clusters.trend, "mends": MENDS}
