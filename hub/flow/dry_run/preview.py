"""Previews a repair: what it would send now, and the differences from what was sent. Computed from stored data; reads
only, makes no look-ups.

Personal values are masked if either configuration marks them, so that a change that removes the mark reveals nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.catalog import Catalog
from hub.core.documents.difference import Change, Kind, difference
from hub.core.errors import BadWorkspace, Cause, GiveUp, Reason
from hub.core.json import LIMITS, Limits
from hub.core.message import Json, Ref
from hub.core.model.repair import Act, Result
from hub.core.schemas.contract import MASK
from hub.core.schemas.masking import path_in
from hub.flow.answers import repairs as answers
from hub.flow.answers.fields import fill
from hub.flow.context.revisions import NoRevision, Revisions
from hub.flow.context.usage import ELEMENT
from hub.flow.dry_run.whatif import masked
from hub.flow.render import address, found, render
from hub.flow.repairs.repair import find
from hub.store import Lookup, MessageRow, RepairedRow, RepairRow, Store

MOST = 1_000  # deliveries of one page
MAX_DIFFERENCES = 50  # of one delivery
_UNREADABLE = Cause(
    Reason.UNEXPECTED, "The configuration that makes its content cannot be read.", fix="Choose another one."
)


@dataclass(slots=True)
class Group:
    """A group of equal faults or changes; `example` is the first one."""

    number: int = 0
    example: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Preview:
    """The preview of some deliveries of a repair.

    `counts`: `made` (the mapping makes it; of these, `same` as was sent), `fault` (it would be dead again), `unsure`
    (it needs a look-up that is not recorded), `ends` (it would be discarded), `skipped`. `faults` by reason and field,
    `changes` by the target's field.
    """

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("made", "same", "fault", "unsure", "ends", "skipped"), 0)
    )
    faults: dict[tuple[str, str], Group] = field(default_factory=dict)
    changes: dict[str, Group] = field(default_factory=dict)
    items: list[dict[str, Json]] = field(default_factory=list)
    next: int | None = None  # the place after which the next page begins

    def as_json(self) -> answers.Preview:
        faults = [
            {"reason": reason, "field": place, "number": group.number, "example": group.example}
            for (reason, place), group in sorted(self.faults.items(), key=lambda entry: (-entry[1].number, entry[0]))
        ]
        changes = [
            {"pointer": pointer, "number": group.number, "example": group.example}
            for pointer, group in sorted(self.changes.items(), key=lambda entry: (-entry[1].number, entry[0]))
        ]
        return fill(answers.Preview, self, faults=faults, changes=changes, items=list(self.items))


def preview(
    store: Store,
    catalogs: Revisions,
    id_: str,
    *,
    limit: int = 50,
    after: int = 0,
    limits: Limits = LIMITS,
    into: Preview | None = None,
    step: Callable[[], None] = lambda: None,
) -> Preview:
    """The next deliveries of a repair as they would go: those that wait, in their order, up to `limit`. `into`: added
    to a page before it.

    `step` is called after each. Raises Refused where there is no such repair.
    """
    repair = find(store, id_)
    rows = store.repaired(id_, result=Result.WAITING, limit=min(limit, MOST), after=after)
    result = into if into is not None else Preview()
    result.next = rows[-1].place if len(rows) == min(limit, MOST) else None
    notes = store.skipped(rows, force=repair.force or repair.act is Act.DISCARD)
    ids = sorted({row.message_id for row in rows if row.message_id is not None})
    messages, bodies = {message.id: message for message in store.messages(*ids)}, store.bodies(*ids)
    lookups: dict[str, list[Lookup]] = {}
    for lookup in store.lookups(*ids):
        lookups.setdefault(lookup.message_id, []).append(lookup)
    with catalogs.under_way({repair.revision or "", *(message.revision for message in messages.values())} - {""}):
        for row in rows:
            item: dict[str, Json] = {
                "place": row.place,
                "deliveryId": row.delivery_id,
                "messageId": row.message_id,
                "orderKey": row.order_key,
                "target": str(row.ref) if row.ref is not None else None,
                "fault": None,
                "before": None,
                "payload": None,
                "call": None,
                "differences": [],
            }
            message = messages.get(row.message_id or "")
            if row.delivery_id in notes or message is None or message.id not in bodies:
                verdict, item["note"] = "skipped", notes.get(row.delivery_id, "Its message is not there any more.")
            elif repair.act is Act.DISCARD:
                verdict, item["note"] = "ends", None
            else:
                seen = _Seen(catalogs, repair, row, message, bodies[message.id], lookups.get(message.id, ()), limits)
                verdict, item["note"] = seen.into(item, result), None
            item["verdict"] = verdict
            result.counts[verdict] += 1
            result.items.append(item)
            step()
    return result


@dataclass(frozen=True, slots=True)
class _Seen:
    """One delivery under two configurations: its current one, and the one of the repair."""

    catalogs: Revisions
    repair: RepairRow
    row: RepairedRow
    message: MessageRow
    raw: bytes
    lookups: Sequence[Lookup]
    limits: Limits

    def into(self, item: dict[str, Json], result: Preview) -> str:
        old, new = (
            self._catalog(hash_)
            for hash_ in (self.row.made_with or self.message.revision, self.repair.revision or self.message.revision)
        )
        if new is None:
            return self._fault(_UNREADABLE, item, result)
        if self.row.undecided:
            return "unsure"  # its route is decided again when it goes: into none, one or several
        seen = found(self.lookups, self.row.route or "", self.row.part)
        try:
            payload = self._made(new, seen)
        except GiveUp as error:
            if self._asks(new, seen):
                return "unsure"
            return self._fault(error.why, item, result)
        if self._asks(new, seen):
            return "unsure"
        try:
            # Where it goes is the active configuration's to say, whatever revision makes its content.
            item["call"] = (
                address(
                    self.catalogs.active(), self._ref, payload, self.row.delivery_id or "", self.message.received_at
                )
                or None
            )
        except GiveUp as error:
            return self._fault(error.why, item, result)
        before, why = self._before(old, seen)
        item["payload"] = self._masked((new, old), payload)
        if why is not None:
            item["before"] = dict(why.as_json())
            return "made"
        self._compare((new, old), before, payload, item, result)
        return "made"

    def _fault(self, why: Cause, item: dict[str, Json], result: Preview) -> str:
        item["fault"] = dict(why.as_json())
        _count(result.faults, (why.reason.value, why.field), {"deliveryId": self.row.delivery_id, "text": why.text})
        return "fault"

    def _compare(
        self, by: Sequence[Catalog | None], before: Json, payload: Json, item: dict[str, Json], result: Preview
    ) -> None:
        differences: list[Json] = []
        seen: set[str] = set()
        for change in difference(before, payload)[:MAX_DIFFERENCES]:
            shown = self._shown(by, change, before, payload).as_json()
            differences.append(shown)
            if (pointer := ELEMENT.sub("/*", change.pointer)) not in seen:
                seen.add(pointer)
                _count(
                    result.changes,
                    pointer,
                    {"deliveryId": self.row.delivery_id, "old": shown.get("old"), "new": shown.get("new")},
                )
        item["differences"] = differences
        result.counts["same"] += not differences

    def _shown(self, by: Sequence[Catalog | None], change: Change, before: Json, payload: Json) -> Change:
        """The change with both sides masked if one side is personal."""
        was = path_in(before, change.origin if change.origin is not None else change.pointer)
        old = self._masked(by, change.old, was) if change.kind is not Kind.ADDED else None
        new = (
            self._masked(by, change.new, path_in(payload, change.pointer)) if change.kind is not Kind.REMOVED else None
        )
        if MASK in (old, new):
            old, new = (MASK if side is not None else None for side in (old, new))
        return replace(change, old=old, new=new)

    def _before(self, old: Catalog | None, seen: Mapping[str, Json]) -> tuple[Json, Cause | None]:
        """The payload that was sent, or the cause why there was none."""
        if old is None:
            return None, None
        try:
            return self._made(old, seen), None
        except GiveUp as error:
            return None, error.why

    def _made(self, catalog: Catalog, seen: Mapping[str, Json]) -> Json:
        row, message = self.row, self.message
        return render(
            catalog,
            self.raw,
            message.ref,
            self._ref,
            route=row.route or "",
            part=row.part,
            at=message.received_at,
            limits=self.limits,
            lookups=seen,
        )

    def _asks(self, catalog: Catalog, seen: Mapping[str, Json]) -> bool:
        """Whether its route needs a look-up that is not recorded, so that its result is unknown."""
        route = next((route for route in catalog.routes if route.name == self.row.route), None)
        known = {
            lookup.name for lookup in self.lookups if lookup.route == self.row.route and lookup.part == self.row.part
        }
        return route is not None and any(
            enrich.name not in known and enrich.name not in seen for enrich in route.enrich
        )

    def _catalog(self, revision: str) -> Catalog | None:
        try:
            return self.catalogs.pinned(revision)
        except (NoRevision, BadWorkspace):
            return None

    def _masked(self, by: Sequence[Catalog | None], value: Json, at: tuple[str | int, ...] = ()) -> Json:
        return masked([catalog for catalog in by if catalog is not None], self._ref, at, value)

    @property
    def _ref(self) -> Ref:
        assert self.row.ref is not None  # its delivery is there: it was looked at
        return self.row.ref


def _count(groups: dict[Any, Group], key: Any, example: dict[str, Json]) -> None:
    group = groups.setdefault(key, Group(0, example))
    group.number += 1
