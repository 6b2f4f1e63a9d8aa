"""Every metric by name: what it counts, its labels, and whose fact it is. docs/metrics.md has the same table, as a test sees to.

`process`: each process counts its own; the sum over processes is the hub's. `store`: read from the store by whoever is asked; each process
says the same, so take the largest, never the sum. A label's values are words of ours or of the configuration, and no caller can make one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Whose: TypeAlias = Literal["process", "store"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `key`: under which name it stands in Counts; empty: it is worked out when it is asked for."""

    name: str
    kind: Kind
    whose: Whose
    labels: tuple[str, ...]
    help: str
    key: str = ""


def _counted(key: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(f"hub_{key}", "counter", "process", labels, text, key)


def _timed(key: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(f"hub_{key}_seconds", "histogram", "process", labels, text, key)


def _sized(key: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(f"hub_{key}_size", "histogram", "process", labels, text, key)


COUNTED = (
    _counted("posts", ("status",), "Posts answered, by HTTP status."),
    _counted("accepted", ("system", "message", "version", "kind"), "Messages taken, by type and contract version; kind is new or duplicate."),
    _counted("refused", ("code",), "Requests, and items of batches, that were refused, by code."),
    _counted("unkept", ("door",), "Refused arrivals beyond the room that there is for them: counted, answered, and not kept."),
    _counted("shadow", ("message", "verdict"), "Messages tried against a contract version in shadow; verdict is passed or refused."),
    _counted("attempts", ("lane", "route", "outcome"), "Claims settled: delivered, retry, dead, in_doubt, hold, ended, superseded; fenced: too late to count."),
    _counted("put_off", ("lane",), "Retries that wait longer than their policy says, so that they stay a small part of what the target is sent."),
    _counted("probed", ("lane", "outcome"), "Deliveries in doubt that the target was asked about, by the state that came of it."),
    _counted("reopened", (), "Deliveries that a person replayed."),
    _counted("cancelled", ("why",), "Deliveries that ended unsent, by a person's word or because they had expired."),
    _counted("unrouted_ended", ("how",), "Messages that no route had taken and that a person ended the wait of: routed, filtered, dropped."),
    _counted("lost_leases", ("lane",), "Sweeps that found leases of this lane whose worker had said nothing."),
    _counted("rings", ("outcome",), "Rings of the bell, sent or failed; a failed one costs a sweep."),
)
TIMED = (
    _timed("accept", (), "From the first byte of a post to its answer."),
    _timed("commit", (), "One group commit."),
    _timed("send", ("lane",), "One call to a target."),
    _timed("settle", (), "One transaction that settles a batch."),
    _timed("delivery", ("lane",), "From the acceptance of a message to the target's yes, waiting and retries included."),
    _timed("ring_to_claim", ("lane",), "From the first ring that this process heard for a lane to the claim that answered it."),
)
SIZED = (
    _sized("commit_group", (), "Posts in one group commit."),
    _sized("claim", ("lane",), "Deliveries in one claim."),
)
INFO = Family("hub_process_info", "gauge", "process", ("version", "role", "python"), "Always 1: what this process is.")
STARTED = Family("hub_start_time_seconds", "gauge", "process", (), "When this process began, in seconds since 1970.")
REVISION = Family("hub_revision", "gauge", "process", ("revision",), "Always 1: the configuration that this process goes by.")
REFUSED = Family("hub_revision_refused", "gauge", "process", (), "1 while this process cannot load the active configuration and keeps an older one.")
LANE_STATE = Family("hub_lane_state", "gauge", "process", ("lane", "state"), "1 at what this worker's lane is doing: idle, working or paused.")
COMMIT_BACKLOG = Family("hub_commit_backlog", "gauge", "process", (), "Posts that wait for the next group commit.")
COMMIT_LIMIT = Family("hub_commit_backlog_limit", "gauge", "process", (), "Posts that may wait; beyond it senders are told 503.")
STORE_UP = Family("hub_store_up", "gauge", "process", (), "1 while this process can read the store; at 0 the facts of the store are left out.")

DELIVERIES = Family("hub_deliveries", "gauge", "store", ("status",), "All deliveries, by state.")
MESSAGES = Family("hub_messages", "gauge", "store", ("disposition",), "All messages, by disposition.")
UNACCOUNTED = Family("hub_unaccounted", "gauge", "store", (), "What the books cannot account for; must be 0.")
BOOKS_AGE = Family("hub_books_age_seconds", "gauge", "process", (), "How old the three metrics above are: large books are counted less often.")
BACKLOG = Family("hub_backlog", "gauge", "store", ("lane", "status"), "Deliveries that are not over, by lane: pending, leased, dead, held, unknown.")
OLDEST_DUE = Family("hub_oldest_due_seconds", "gauge", "store", ("lane",), "How long the oldest waiting delivery of a lane has been due.")
PARKED = Family("hub_parked", "gauge", "store", ("lane",), "Deliveries that wait behind a dead one: on its key, or, where it blocks, in the whole lane.")
BREAKER = Family("hub_breaker_state", "gauge", "store", ("lane", "state"), "1 at the state of a target's breaker: closed, open or half_open.")
WORKERS = Family("hub_workers", "gauge", "store", (), "Workers that gave a sign of life lately.")
REFUSED_WAITING = Family(
    "hub_refused_waiting", "gauge", "store", ("queue",), "What queues and hooks brought, was refused, and waits for a person, by its source."
)
CAPACITY_KEYS = Family("hub_capacity_keys", "gauge", "store", ("route",), "Values that have places of a route's capacity in windows that are not over.")
CAPACITY_USED = Family("hub_capacity_used", "gauge", "store", ("route",), "Places given in those windows.")

FAMILIES = (
    *COUNTED,
    *TIMED,
    *SIZED,
    INFO,
    STARTED,
    REVISION,
    REFUSED,
    LANE_STATE,
    COMMIT_BACKLOG,
    COMMIT_LIMIT,
    STORE_UP,
    DELIVERIES,
    MESSAGES,
    UNACCOUNTED,
    BOOKS_AGE,
    BACKLOG,
    OLDEST_DUE,
    PARKED,
    BREAKER,
    WORKERS,
    REFUSED_WAITING,
    CAPACITY_KEYS,
    CAPACITY_USED,
)
