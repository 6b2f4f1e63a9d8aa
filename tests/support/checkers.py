"""What decides that a run was good: pure functions from what a run left behind to findings; empty means good
(docs/design/promises.md#checkers).
"""

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
    """Pairs on one lane and key where the later one's effect began before the earlier one had ended, or before it at
    all (I5).
    """
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
    return sorted(
        {one["id"] for one in deliveries if one["status"] == "delivered"} - {effect["key"] for effect in effects}
    )


def total_queue(history, effects, deliveries, names):
    """What was posted against what became of it (I1 to I3), by kind; a run is good when all but `recovered` are empty.

    `history`: a line per post, {name, outcome, message}; outcome ok (2xx), fail (4xx) or info (anything else: it may
    have happened). `deliveries` after the drain, {id, message, status}; `names`: (name, message) as the store knows
    them.
    """
    ok = {line["message"]: line["name"] for line in history if line["outcome"] == "ok"}
    outcomes = defaultdict(set)
    for line in history:
        outcomes[line["name"]].add(line["outcome"])
    stored, applied = {message for _, message in names}, {effect["key"] for effect in effects}
    by_key = {one["id"]: one for one in deliveries}
    posted = {message: name for name, message in names}
    happened = {posted.get(by_key[key]["message"]) for key in applied if key in by_key}
    return {
        "lost": sorted({name for message, name in ok.items() if message not in stored})
        + sorted(one["id"] for one in deliveries if one["status"] == "delivered" and one["id"] not in applied),
        "stuck": sorted(f"{one['id']} {one['status']}" for one in deliveries if one["status"] in ("pending", "leased")),
        "unexpected": sorted(applied - by_key.keys()) + sorted(str(name) for name in happened - outcomes.keys()),
        "refused": sorted(name for name in happened & outcomes.keys() if outcomes[name] == {"fail"}),
        "recovered": sorted(
            name for name in happened & outcomes.keys() if "ok" not in outcomes[name] and "info" in outcomes[name]
        ),
    }


def renamed(history):
    """Names whose posts were answered 2xx with more than one message's id: a repeat that was taken for another (I2)."""
    ids = defaultdict(set)
    for line in history:
        if line["outcome"] == "ok":
            ids[line["name"]].add(line["message"])
    return sorted(name for name, found in ids.items() if len(found) > 1)


def repeated(effects):
    """Deliveries that took effect more than once, under whichever key (I4): here one message, at one address, is one
    delivery.
    """
    times = Counter((effect["message"], effect["path"]) for effect in effects)
    return sorted(f"{message} {path}" for (message, path), number in times.items() if number > 1)


def two_keys(requests):
    """Deliveries that were sent under more than one Idempotency-Key (I4)."""
    keys = defaultdict(set)
    for request in requests:
        keys[request["message"], request["path"]].add(request["key"])
    return sorted(f"{message} {path}" for (message, path), found in keys.items() if len(found) > 1)


def conserved(books, accepted):
    """What the books do not account for (I6). `books`: one snapshot of the store; `accepted`: messages that were
    answered 2xx, each once.
    """
    open_ = ("pending", "leased", "held", "unknown", "dead")
    found = [f"{books.unaccounted} unaccounted"] if books.unaccounted else []
    found += [f"{books.ever} messages ever, {accepted} accepted"] if books.ever != accepted else []
    return found + [f"{books.pruned[status]} {status} pruned" for status in open_ if books.pruned.get(status)]


def attempt_truth(requests, attempts):
    """Requests at the target without an attempt of their own, and attempts with an answer that no target gave (I9).
    Both are named by the attempt's span.
    """
    seen = Counter(request["span"] for request in requests)
    known = {attempt["span"] for attempt in attempts}
    answered = {(request["span"], request["status"]) for request in requests}
    found = [
        f"{span} {'has no attempt' if span not in known else f'was sent {times} times'}"
        for span, times in seen.items()
        if span not in known or times > 1
    ]
    found += [
        f"attempt {attempt['number']} of {attempt['delivery']} says {attempt['status']}"
        for attempt in attempts
        if attempt["status"] is not None and (attempt["span"], attempt["status"]) not in answered
    ]
    return sorted(found)


def audited(verdict, recorded, done):
    """What people did without a record, records of what nobody did, and where their chain breaks (I12). Both as (word,
    what it was done to), each once.
    """
    acts, records = Counter(done), Counter(recorded)
    found = [f"{what} {object_} has no record" for what, object_ in (acts - records).elements()]
    found += [f"{what} {object_} was not done" for what, object_ in (records - acts).elements()]
    return sorted(found) + ([verdict.text] if verdict.broken is not None else [])


def late(samples, limit_s):
    """What was overdue for longer than the limit, though all was well (I7). `samples`: (when, ids that could have gone
    on or whose lease had ended).
    """
    since, found = {}, set()
    for at, overdue in samples:
        since = {id_: since.get(id_, at) for id_ in overdue}
        found |= {id_ for id_, first in since.items() if at - first > limit_s}
    return sorted(found)


def p99(latencies):
    """Of any number of them, 1 at least."""
    ranked = sorted(latencies)
    return ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]


def isolated(alone, beside, factor=1.3):
    """Latencies per route, without and with a bad neighbour: routes that got nothing beside it, and a p99 over all of
    them that moved by more than `factor` (I8).
    """
    silent = sorted(f"{route} got nothing" for route in alone if not beside.get(route))
    before, after = (p99([one for route in alone for one in run.get(route, [])] or [0.0]) for run in (alone, beside))
    return silent + ([f"p99 {after:.1f} ms beside it, {before:.1f} ms without"] if after > factor * before else [])
