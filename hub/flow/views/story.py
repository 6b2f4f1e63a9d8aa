"""Story: the timeline of one business object across all systems: what is under way, what is stuck, and what is missing.

Missing messages are of two kinds: a `reply` that a route expects, and a message that usually follows, learnt from
recent messages of the same type. The second kind is only a statistic, and gives its number of cases and its share.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.core.message import Json
from hub.core.model.delivery import ENDED, Status
from hub.flow.answers import messages as answers
from hub.flow.hub import Hub
from hub.store import AttemptRow, DeliveryRow, MessageRow
from hub.store.queries.details import MAX_STORY
from hub.store.queries.followers import Follower

USUAL = 0.8  # minimum share of cases in which a message follows, to count as missing
LEAST = 5  # minimum number of cases
PATIENCE = 2  # a follower is due after this multiple of the 90th percentile
LEARNT_S = 300.0  # cache TTL of the learnt followers
LATE = timedelta(minutes=1)


def story(hub: Hub, value: str) -> answers.Object | None:
    """The life behind a business key or a message's id; None if nothing bears it.

    keys [{name, value, messages}]; began, ended (the last that happened), isOver (nothing is open and nothing is
    missed); lanes [{system, title}] in the order of their appearance; steps, oldest first, each with at, afterMs, kind:
    "message" {system, message, messageId, disposition, causeId, keys} or "delivery" {from, to, message, route, target,
    deliveryId, messageId, status, attempts, tookMs, startedAt, why}.
    gaps: kind "stuck" (a delivery does not go on), "reply" (a route's answer is missing), "next" (what usually follows
    is missing), each with afterMessageId, system, expected, dueAt, isLate, share and of (null but for "next"), text.
    isWhole: false where the story is cut.
    """
    rows = hub.store.story(value)
    if not rows:
        return None
    now = hub.store.now()
    lines = hub.store.deliveries(*(row.id for row in rows))
    attempts = hub.store.attempts(*(line.id for line in lines))
    by_id = {row.id: row for row in rows}
    began = rows[0].received_at
    steps = [_message(row, began) for row in rows]
    steps += [
        _delivery(
            line, by_id[line.message_id], [attempt for attempt in attempts if attempt.delivery_id == line.id], began
        )
        for line in lines
    ]
    steps.sort(key=lambda step: (str(step["at"]), step["kind"] == "delivery"))
    gaps = [*_stuck(lines, by_id, now), *_replies(hub, rows, lines, now), *_next(hub, rows, lines, now)]
    is_over = all(line.status in ENDED for line in lines) and not any(gap["isLate"] for gap in gaps)
    ended = max([rows[-1].received_at, *(line.changed_at for line in lines)])
    pairs = [pair for row in rows for pair in row.keys]
    keys = [{"name": name, "value": text, "messages": pairs.count((name, text))} for name, text in dict.fromkeys(pairs)]
    return {
        "asked": value,
        "at": now.isoformat(),
        "keys": keys,
        "began": began.isoformat(),
        "ended": ended.isoformat(),
        "isOver": is_over,
        "lanes": _lanes(hub, rows, lines),
        "steps": steps,
        "gaps": gaps,
        "isWhole": len(rows) < MAX_STORY,
    }


def _lanes(hub: Hub, rows: list[MessageRow], lines: list[DeliveryRow]) -> list[dict[str, str]]:
    names: dict[str, None] = {}
    for row in rows:
        names[row.system] = None
        for line in lines:
            if line.message_id == row.id:
                names[line.ref.system] = None
    systems = hub.catalogs.active().systems
    return [{"system": name, "title": systems[name].title if name in systems else name} for name in names]


def _message(row: MessageRow, began: datetime) -> dict[str, Json]:
    return {
        "kind": "message",
        "at": row.received_at.isoformat(),
        "afterMs": _ms(row.received_at - began),
        "system": row.system,
        "message": str(row.ref),
        "messageId": row.id,
        "disposition": row.disposition.value,
        "causeId": row.cause_id,
        "keys": dict(row.keys),
    }


def _delivery(line: DeliveryRow, row: MessageRow, attempts: list[AttemptRow], began: datetime) -> dict[str, Json]:
    return {
        "kind": "delivery",
        "at": line.changed_at.isoformat(),
        "afterMs": _ms(line.changed_at - began),
        "startedAt": attempts[0].started_at.isoformat() if attempts else None,
        "from": row.system,
        "to": line.ref.system,
        "message": str(row.ref),
        "route": line.route,
        "target": str(line.ref),
        "deliveryId": line.id,
        "messageId": row.id,
        "status": line.status.value,
        "stands": line.stands,
        "attempts": line.attempts,
        "tookMs": _ms(line.changed_at - row.received_at),
        "why": dict(line.why.as_json()) if line.why is not None else None,
    }


def _gap(
    kind: str,
    row: MessageRow,
    system: str,
    expected: str,
    due: datetime | None,
    text: str,
    *,
    is_late: bool,
    follower: Follower | None = None,
) -> dict[str, Json]:
    return {
        "kind": kind,
        "afterMessageId": row.id,
        "system": system,
        "expected": expected,
        "dueAt": due.isoformat() if due is not None else None,
        "isLate": is_late,
        "share": round(follower.number / follower.of, 2) if follower is not None else None,
        "of": follower.of if follower is not None else None,
        "text": text,
    }


def _stuck(lines: list[DeliveryRow], by_id: dict[str, MessageRow], now: datetime) -> list[dict[str, Json]]:
    """Stuck deliveries: a person must act, or they are overdue."""
    gaps: list[dict[str, Json]] = []
    for line in lines:
        waits = line.status in (Status.DEAD, Status.UNKNOWN) or (line.status is Status.HELD and line.release_at is None)
        is_late = line.status is Status.PENDING and now - line.due_at > LATE
        if waits or is_late:
            text = line.stands
            due = line.due_at if is_late else None
            gaps.append(_gap("stuck", by_id[line.message_id], line.ref.system, str(line.ref), due, text, is_late=True))
    return gaps


def _replies(hub: Hub, rows: list[MessageRow], lines: list[DeliveryRow], now: datetime) -> list[dict[str, Json]]:
    """Missing replies: the route makes a message of the target's answer, the delivery is done, and there is no such
    message.
    """
    wanted = {
        (route.name, str(to.ref)): to.reply
        for route in hub.catalogs.active().routes
        for to in route.to
        if to.reply is not None
    }
    by_id = {row.id: row for row in rows}
    came = {(row.cause_id, row.type) for row in rows}
    gaps: list[dict[str, Json]] = []
    for line in lines:
        reply = wanted.get((line.route, str(line.ref)))
        if reply is None or line.status is not Status.DELIVERED or (line.message_id, reply.split("@")[0]) in came:
            continue
        text = f"Route {line.route} makes a message of the target's answer; there is none."
        gaps.append(
            _gap(
                "reply",
                by_id[line.message_id],
                line.ref.system,
                reply,
                line.changed_at,
                text,
                is_late=now - line.changed_at > LATE,
            )
        )
    return gaps


def _next(hub: Hub, rows: list[MessageRow], lines: list[DeliveryRow], now: datetime) -> list[dict[str, Json]]:
    """Missing followers of the last message of the story. Earlier messages are ignored: the story has continued
    since.
    """
    last = rows[-1]
    if any(line.status not in ENDED for line in lines if line.message_id == last.id):
        return []  # under way, or stuck, which is listed already
    lessons = hub.shelf.at(f"followers {last.type}", lambda: hub.store.followers(last.type), least_s=LEARNT_S).get()
    types = {row.type for row in rows}
    gaps: list[dict[str, Json]] = []
    for follower in lessons:
        if follower.of < LEAST or follower.number < USUAL * follower.of or follower.type in types:
            continue
        due = last.received_at + PATIENCE * follower.most
        text = f"{follower.type} followed in {follower.number} of the last {follower.of} cases, in nine of ten of them within {_span(follower.most)}."
        gaps.append(
            _gap(
                "next",
                last,
                follower.type.split("/")[0],
                follower.type,
                due,
                text,
                is_late=now > due,
                follower=follower,
            )
        )
    return gaps


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.1f} s"


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
