"""Every metric by name: what it counts, its labels, and whose fact it is. docs/metrics.md has the same table, as a test
sees to.

`process`: each process counts its own; the sum over processes is the hub's. `store`: read from the store by whoever is
asked; each process says the same, so take the largest, never the sum. A label's values are words of ours or of the
configuration, and no caller can make one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from hub.flow.context.counts import CounterName, SizeName, TimerName

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


def _counted(key: CounterName, labels: tuple[str, ...], text: str) -> Family:
    return Family(f"hub_{key}", "counter", "process", labels, text, key)


def _timed(key: TimerName, labels: tuple[str, ...], text: str) -> Family:
    return Family(f"hub_{key}_seconds", "histogram", "process", labels, text, key)


def _sized(key: SizeName, labels: tuple[str, ...], text: str) -> Family:
    return Family(f"hub_{key}_size", "histogram", "process", labels, text, key)


COUNTED = (
    _counted("posts", ("status",), "Requests answered, by HTTP status."),
    _counted(
        "accepted",
        ("system", "message", "version", "kind"),
        "Messages accepted, by type and contract version. `kind` is new or duplicate.",
    ),
    _counted("refused", ("code",), "Requests and batch items refused, by error code."),
    _counted(
        "unkept",
        ("door",),
        "Refused arrivals that were answered but not stored, because the storage limit for refused arrivals was reached.",
    ),
    _counted(
        "shadow",
        ("message", "verdict"),
        "Messages checked against a contract version in state shadow. `verdict` is passed or refused.",
    ),
    _counted(
        "attempts",
        ("lane", "route", "outcome"),
        "Delivery attempts settled, by outcome: delivered, retry, dead, in_doubt, hold, ended, superseded or fenced. `fenced`: the lease had expired, and the result was discarded.",
    ),
    _counted(
        "put_off",
        ("lane",),
        "Retries delayed beyond their retry policy, because retries may be at most a fifth of the traffic to a target.",
    ),
    _counted(
        "probed", ("lane", "outcome"), "Deliveries in doubt that the hub asked the target about, by resulting state."
    ),
    _counted("reopened", (), "Deliveries replayed by a person."),
    _counted(
        "cancelled", ("why",), "Deliveries that ended unsent, because a person cancelled them or because they expired."
    ),
    _counted(
        "unrouted_ended", ("how",), "Unrouted messages resolved by a person, by result: routed, filtered, dropped."
    ),
    _counted(
        "lost_leases",
        ("lane",),
        "Recovery rounds that found at least one expired lease, by lane. Not the number of leases.",
    ),
    _counted(
        "rings",
        ("outcome",),
        "Notifications to workers, by outcome: sent or failed. After a failed one, workers find the deliveries by polling.",
    ),
)
TIMED = (
    _timed("accept", (), "Time from the first byte of a request to its answer."),
    _timed("commit", (), "Duration of one group commit."),
    _timed("send", ("lane",), "Duration of one call to a target."),
    _timed("settle", (), "Duration of one transaction that stores the results of a batch of deliveries."),
    _timed(
        "delivery",
        ("lane",),
        "Time from the acceptance of a message to its successful delivery, including waits and retries.",
    ),
    _timed(
        "ring_to_claim",
        ("lane",),
        "Time from the first notification for a lane to the next claim of that lane, in this process.",
    ),
)
SIZED = (
    _sized("commit_group", (), "Requests in one group commit."),
    _sized("claim", ("lane",), "Deliveries in one claim."),
)
INFO = Family(
    "hub_process_info", "gauge", "process", ("version", "role", "python"), "Always 1. The labels describe this process."
)
STARTED = Family(
    "hub_start_time_seconds", "gauge", "process", (), "Start time of this process, in seconds since 1970-01-01 UTC."
)
REVISION = Family(
    "hub_revision",
    "gauge",
    "process",
    ("revision",),
    "Always 1. The label is the configuration that this process uses.",
)
REFUSED = Family(
    "hub_revision_refused",
    "gauge",
    "process",
    (),
    "1 while this process cannot load the active configuration and uses an older one.",
)
LANE_STATE = Family(
    "hub_lane_state",
    "gauge",
    "process",
    ("lane", "state"),
    "1 for the current state of a lane in this worker: idle, working or paused.",
)
COMMIT_BACKLOG = Family("hub_commit_backlog", "gauge", "process", (), "Requests that wait for the next group commit.")
COMMIT_LIMIT = Family(
    "hub_commit_backlog_limit",
    "gauge",
    "process",
    (),
    "Maximum number of requests that may wait for a group commit. Above it, senders get 503.",
)
STORE_UP = Family(
    "hub_store_up",
    "gauge",
    "process",
    (),
    "1 while this process can read the store. At 0, metrics from the store are missing.",
)

DELIVERIES = Family("hub_deliveries", "gauge", "store", ("status",), "All deliveries, by state.")
MESSAGES = Family("hub_messages", "gauge", "store", ("disposition",), "All messages, by disposition.")
UNACCOUNTED = Family(
    "hub_unaccounted",
    "gauge",
    "store",
    (),
    "Messages and deliveries that are missing from the count of all states. Must be 0.",
)
BOOKS_AGE = Family(
    "hub_books_age_seconds",
    "gauge",
    "process",
    (),
    "Age of hub_deliveries, hub_messages and hub_unaccounted. Large stores are counted less often.",
)
BACKLOG = Family(
    "hub_backlog",
    "gauge",
    "store",
    ("lane", "status"),
    "Deliveries that have not ended, by lane and state: pending, leased, dead, held, unknown.",
)
OLDEST_DUE = Family(
    "hub_oldest_due_seconds",
    "gauge",
    "store",
    ("lane",),
    "Time for which the oldest waiting delivery of a lane has been due.",
)
PARKED = Family(
    "hub_parked",
    "gauge",
    "store",
    ("lane",),
    "Deliveries that wait because of a dead letter: those with its business key, or all of the lane if it blocks the lane.",
)
BREAKER = Family(
    "hub_breaker_state",
    "gauge",
    "store",
    ("lane", "state"),
    "1 for the current state of a target's circuit breaker: closed, open or half_open.",
)
WORKERS = Family("hub_workers", "gauge", "store", (), "Workers with a recent heartbeat.")
REFUSED_WAITING = Family(
    "hub_refused_waiting",
    "gauge",
    "store",
    ("queue",),
    "Refused messages from queues and hooks that wait for a person, by source.",
)
CAPACITY_KEYS = Family(
    "hub_capacity_keys",
    "gauge",
    "store",
    ("route",),
    "Number of values of `by` that use capacity of a route, in windows that have not ended.",
)
CAPACITY_USED = Family(
    "hub_capacity_used", "gauge", "store", ("route",), "Capacity used of a route, in windows that have not ended."
)

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
