"""What decides that a run was good: pure functions from what a run left behind to findings; empty means good (PROMISES section 5)."""

from collections import Counter, defaultdict
from itertools import pairwise


def lost(posted, known):
    """Posts that were answered 2xx, and whose name the store does not have (I1)."""
    return sorted(set(posted) - set(known))


def doubled(effects):
    """Idempotency-Keys that were applied more than once (I4)."""
    return sorted(key for key, times in Counter(effect["key"] for effect in effects).items() if times > 1)


def undelivered(deliveries):
    """Deliveries that did not end delivered (I3)."""
    return sorted(f"{one['id']} {one['status']}" for one in deliveries if one["status"] != "delivered")


def disordered(effects, deliveries):
    """Pairs on one lane and key where the later one's effect began before the earlier one had ended, or before it at all (I5)."""
    place = {one["id"]: (one["lane"], one["order_key"], one["seq"]) for one in deliveries}
    by_key = defaultdict(list)
    for effect in effects:
        lane, order_key, seq = place.get(effect["key"], (None, None, None))
        if order_key is not None:
            by_key[lane, order_key].append((seq, effect["start"], effect["end"], effect["key"]))
    wrong = []
    for rows in by_key.values():
        rows.sort()
        wrong += [f"{earlier[3]} then {later[3]}" for earlier, later in pairwise(rows) if later[1] < earlier[2]]
    return wrong


def unapplied(effects, deliveries):
    """Deliveries that the store calls delivered, and no target applied (I9, I3)."""
    return sorted({one["id"] for one in deliveries if one["status"] == "delivered"} - {effect["key"] for effect in effects})
