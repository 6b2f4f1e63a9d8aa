"""Repairs: replay or discard many waiting deliveries at once, a canary first. If we die at any line, the next step
continues from the store.

choose → (preview) → start: canary → wait for its end → a person, or its policy, lets the rest go → each has its result
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from hub.core import json
from hub.core.errors import Code, Refused, StoreBusy
from hub.core.model.repair import Act, Order, Result, State, With
from hub.flow.answers import repairs as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.logs import event, told
from hub.store import RepairedRow, RepairRow, Step, Store

STEPS = 4  # of one repair in one sweep: the others have their turn


def create(store: Store, order: Order, *, id_: str, request_key: str | None = None) -> tuple[RepairRow, bool]:
    """Creates a repair; its deliveries are not changed yet. Gives the repair, and whether an identical earlier call
    created it. Raises Refused.
    """
    fingerprint = hashlib.sha256(json.encode(order.as_json())).hexdigest()
    repair_id, is_known = store.create_repair(
        id_, _resolved(store, order), request_key=request_key, fingerprint=fingerprint
    )
    row = find(store, repair_id)
    if not is_known:
        event(
            "repair.created",
            f"{row.number} deliveries chosen",
            repair=row.id,
            by=order.by,
            act=order.act.value,
            number=row.number,
        )
    return row, is_known


def _resolved(store: Store, order: Order) -> Order:
    """The order with a fixed revision hash, so that the preview equals what is sent, even if another configuration is
    activated.
    """
    if order.act is Act.DISCARD:
        return replace(order, with_=With.PINNED, revision=None, canary=0, go_on_at=None)
    if order.with_ is With.PINNED:
        return replace(order, revision=None)
    revision = store.active() if order.with_ is With.CURRENT else order.revision
    if revision is None or store.revision(revision) is None:
        raise Refused(
            Code.NOT_FOUND,
            f"The store has no configuration {(revision or '')[:12]!r}. Keep the candidate first: hub repair candidate",
        )
    return replace(order, revision=revision)


def find(store: Store, id_: str) -> RepairRow:
    """The repair of this id. Raises Refused if there is none."""
    row = store.repair(id_)
    if row is None:
        raise Refused(Code.NOT_FOUND, "There is no such repair.")
    return row


def start(store: Store, id_: str, *, by: str) -> RepairRow:
    """Starts a repair with its canary, or resumes a stopped one. A second call changes nothing. Raises Refused."""
    return _steered(store, id_, by, store.start_repair(id_, by=by).is_new, "started")


def go_on(store: Store, id_: str, *, by: str) -> RepairRow:
    """Continues with the rest, whatever the result of the canary. A second call changes nothing. Raises Refused."""
    return _steered(store, id_, by, store.continue_repair(id_, by=by).is_new, "continued")


def stop(store: Store, id_: str, *, by: str) -> RepairRow:
    """Stops a repair. A second call changes nothing. Raises Refused."""
    return _steered(store, id_, by, store.stop_repair(id_, by=by).is_new, "stopped")


def _steered(store: Store, id_: str, by: str, is_new: bool, word: str) -> RepairRow:
    row = find(store, id_)
    if is_new:
        event(f"repair.{word}", f"it is {row.state.value}", repair=id_, by=by)
    return row


def advance(hub: Hub) -> None:
    """Advances each running repair by a few steps. Safe in several processes at once; a failed repair does not block
    the others.
    """
    for id_ in hub.store.live_repairs():
        try:
            for _ in range(STEPS):
                step = hub.store.step_repair(id_)
                if step is not None:
                    _tell(hub, id_, step)
                if step is None or not step.more:
                    break
        except StoreBusy as error:
            event("repair.postponed", f"{error} The next sweep goes on.", level="warning", repair=id_)
        except Exception as error:  # noqa: BLE001  nothing of the step happened; the others go on, and the next sweep tries again
            event("repair.failed", told(error), level="error", repair=id_)


def _tell(hub: Hub, id_: str, step: Step) -> None:
    hub.counts.add("reopened", by=step.results.get(Result.GOING, 0))
    hub.counts.add("cancelled", "person", by=step.results.get(Result.DISCARDED, 0))
    if step.lanes:
        hub.notifier.notify(step.lanes)  # after the commit; a lost notification costs one sweep
    if step.results:
        numbers: dict[str, Any] = {result.value: number for result, number in step.results.items()}
        event("repair.moved", f"{sum(numbers.values())} deliveries", repair=id_, **numbers)
    if step.state is not step.before:
        texts = {
            State.WAITING: "its first deliveries have ended; a person says whether the rest goes",
            State.RUNNING: "its first deliveries are good; the rest goes",
            State.DONE: "each of its deliveries has its result",
        }
        event("repair.changed", texts[step.state], repair=id_, state=step.state.value)


def as_json(row: RepairRow) -> answers.Repair:
    """A repair as operators see it: its order, progress and results."""
    return fill(answers.Repair, row, results={result.value: row.results.get(result, 0) for result in Result})


def row_json(row: RepairedRow) -> answers.RepairedRow:
    """One delivery of a repair, with its result."""
    return fill(answers.RepairedRow, row, target=row.ref)
