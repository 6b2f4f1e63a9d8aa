"""Builds the calls of claimed deliveries: pairs each with its destination, maps it, and joins those of a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hub.core.adapter import Parcel
from hub.core.config.routing import Destination
from hub.core.errors import BadWorkspace, Busy, Cause, GiveUp, Reason, TryLater
from hub.core.expressions import evaluation_door
from hub.core.message import Json
from hub.core.model.delivery import Claim, Dead, Exchange, Hold, Settlement, Superseded
from hub.flow.context.revisions import NoRevision
from hub.flow.delivery.judging import outcome_of
from hub.flow.hub import Hub
from hub.flow.outbound import OutboundDelivery, PreparedCall, destination_for, render_delivery
from hub.flow.settling import ids
from hub.kit.target import BatchTarget
from hub.logs import event, told


def destinations(hub: Hub, claims: Sequence[Claim]) -> tuple[list[tuple[Claim, Destination]], list[Settlement]]:
    """Pairs each claim with its destination in the active revision. A claim without a destination is held; an outdated
    one is superseded.
    """
    active = hub.catalogs.active()
    ways: list[tuple[Claim, Destination]] = []
    orphans: list[Settlement] = []
    stale = hub.store.stale(claims)
    for claim in claims:
        if claim.id in stale:
            why = Cause(Reason.OVERTAKEN, "Something newer was delivered on its key before it (fresh_by).")
            orphans.append(Settlement(claim, Superseded(why), Exchange(), active.revision))
            continue
        way = destination_for(active, claim)
        problem = None if way is not None and hub.targets(claim.lane) is not None else _orphaned(claim)
        try:
            hub.catalogs.pinned(claim.content_revision)
        except (NoRevision, BadWorkspace) as error:
            text = f"The configuration that makes its content cannot be read: {error}"[:500]
            problem = Cause(Reason.UNEXPECTED, text, fix="Restore the revision, then replay.")
        if problem is not None or way is None:
            orphans.append(Settlement(claim, Hold(problem or _orphaned(claim)), Exchange(), active.revision))
        else:
            ways.append((claim, way))
    return ways, orphans


def _orphaned(claim: Claim) -> Cause:
    text = f"Route {claim.route} does not lead to {claim.ref} any more."
    return Cause(Reason.ORPHANED, text, fix="Bring the route back and replay, or cancel the delivery.")


def prepare(
    hub: Hub, ways: Sequence[tuple[Claim, Destination]], lookups: Mapping[str, Mapping[str, Json]]
) -> tuple[list[PreparedCall], list[Settlement]]:
    """Maps and validates each claim, and builds the calls. A claim that cannot be mapped is dead, unsent: a retry
    cannot help.
    """
    outbounds: list[OutboundDelivery] = []
    ended: list[Settlement] = []
    active = hub.catalogs.active()
    for claim, way in ways:
        try:
            with evaluation_door.on_behalf(claim.message.caller):
                outbounds.append(render_delivery(hub, claim, way, lookups.get(claim.id, {})))
        except Busy:
            continue  # the evaluator is busy: nothing is decided and nothing was sent, so the lease is returned
        except GiveUp as error:
            ended.append(Settlement(claim, Dead(error.why), Exchange(), active.revision))
        except Exception as error:  # noqa: BLE001
            # An unexpected error, and nothing was sent: this delivery is dead and visible, the others go on.
            event("delivery.unexpected", told(error), level="error", **ids(claim), lane=claim.lane)
            why = Cause(
                Reason.UNEXPECTED,
                f"Nothing was sent: {type(error).__name__} while mapping.",
                fix="See the log; mend, then replay.",
            )
            ended.append(Settlement(claim, Dead(why), Exchange(), active.revision))
    prepared: list[PreparedCall] = []
    for group in _group_bundles(outbounds):
        try:
            prepared.append(_build_call(hub, group))
        except (GiveUp, TryLater) as error:  # the call cannot be built or signed, permanently or for now
            ended += [
                Settlement(outbound.claim, outcome_of(hub, outbound, error), Exchange(), active.revision)
                for outbound in group
            ]
        except Exception as error:  # noqa: BLE001  an adapter's bug, nothing was sent; uncaught, the lease would end and it would count as possibly sent
            event("delivery.unexpected", told(error), level="error", **ids(group[0].claim), lane=group[0].claim.lane)
            why = Cause(
                Reason.UNEXPECTED,
                f"Nothing was sent: {type(error).__name__} while the call was made.",
                fix="See the log; mend, then replay.",
            )
            ended += [Settlement(outbound.claim, Dead(why), Exchange(), active.revision) for outbound in group]
    return prepared, ended


def _group_bundles(outbounds: Sequence[OutboundDelivery]) -> Iterator[tuple[OutboundDelivery, ...]]:
    """Groups the deliveries by call: each one alone, except that those of one bundle share a call up to the bundle's
    size.
    """
    bundles: dict[str, list[OutboundDelivery]] = {}
    for outbound in outbounds:
        if outbound.claim.bundle is None or outbound.destination.batch is None:
            yield (outbound,)
            continue
        bundle = bundles.setdefault(outbound.claim.bundle, [])
        bundle.append(outbound)
        if len(bundle) >= outbound.destination.batch.size:
            yield tuple(bundles.pop(outbound.claim.bundle))
    yield from (tuple(bundle) for bundle in bundles.values())


def _build_call(hub: Hub, group: tuple[OutboundDelivery, ...]) -> PreparedCall:
    # A destination that batches takes only arrays, also for a single delivery after a refused batch or a replay.
    parcel = group[0].parcel if group[0].destination.batch is None else _bundle_parcel(group)
    target = hub.targets(parcel.ref.system)
    assert target is not None
    return PreparedCall(group, parcel, None if isinstance(target, BatchTarget) else target.call(parcel))


def _bundle_parcel(group: Sequence[OutboundDelivery]) -> Parcel:
    """Joins parcels to one: a JSON array in the order of the claims. A single parcel keeps its key; several get a key
    that depends on exactly these members.
    """
    parcels = [outbound.parcel for outbound in group]
    first = parcels[0]
    key = (
        first.key
        if len(parcels) == 1
        else hashlib.sha256("\n".join(parcel.key for parcel in parcels).encode()).hexdigest()
    )
    body = b"[" + b",".join(parcel.body for parcel in parcels) + b"]"
    return replace(
        first,
        key=key,
        payload=[parcel.payload for parcel in parcels],
        body=body,
        attempt=max(parcel.attempt for parcel in parcels),
        order_key=None,
    )
