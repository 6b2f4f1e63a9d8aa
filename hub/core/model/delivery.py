"""A delivery: one message on its way to one target. Values and judgement, no I/O. Drawn in docs/states.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, TypeAlias, assert_never

from hub.core.adapter import Answer, Reply
from hub.core.errors import Cause, GiveUp, Reason, TryLater, Unknown
from hub.core.message import Json, Message, Ref
from hub.core.model.capacity_windows import Quota
from hub.core.model.retry import RetryPolicy, may_retry, wait_s
from hub.core.schemas import content


class Status(StrEnum):
    PENDING = "pending"  # due at `due_at`; waits for a claim
    LEASED = "leased"  # one worker has it, until its lease ends
    DELIVERED = "delivered"  # the target has it
    DEAD = "dead"  # cannot be delivered; waits for a person
    UNKNOWN = "unknown"  # sent, answer not seen; the target's `in_doubt` decides, or a person
    HELD = "held"  # waits for a person or an hour
    CANCELLED = "cancelled"  # a named person or a written policy ended it
    SUPERSEDED = "superseded"  # a newer one on the same key made it pointless


# may be pruned by age; the others wait in sight
ENDED = frozenset({Status.DELIVERED, Status.CANCELLED, Status.SUPERSEDED})

# From each state, where a delivery may go. The database's CHECK and the drawing in docs/states.md are compared with
# this by a test.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.LEASED, Status.HELD, Status.CANCELLED, Status.SUPERSEDED, Status.DEAD}),
    Status.LEASED: frozenset(
        {
            Status.DELIVERED,
            Status.PENDING,
            Status.DEAD,
            Status.UNKNOWN,
            Status.HELD,
            Status.SUPERSEDED,
            Status.CANCELLED,
        },
    ),
    Status.DELIVERED: frozenset(),
    Status.DEAD: frozenset({Status.PENDING, Status.CANCELLED, Status.SUPERSEDED}),
    Status.UNKNOWN: frozenset({Status.PENDING, Status.DELIVERED, Status.DEAD, Status.CANCELLED}),
    Status.HELD: frozenset({Status.PENDING, Status.CANCELLED, Status.SUPERSEDED}),
    Status.CANCELLED: frozenset(),
    Status.SUPERSEDED: frozenset(),
}


class WhenDead(StrEnum):
    """What a dead delivery means for the later ones on its business key in the same lane."""

    PARK = "park"  # this key waits
    SKIP = "skip"  # the next one goes
    BLOCK = "block"  # the whole lane waits
    LATEST = "latest"  # a newer one supersedes the older ones that are not yet delivered


class Priority(StrEnum):
    """Who goes first of what is due in one lane. Never against the order of a business key."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """0 goes first."""
        return RANKS.index(self)


RANKS = (Priority.URGENT, Priority.NORMAL, Priority.BULK)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a capacity that a delivery needs: of which route, for which value of `by`, and how much there is."""

    route: str
    key: str
    quota: Quota


@dataclass(frozen=True, slots=True)
class Bundle:
    """Deliveries that travel together: at most `size` in one call, and none waits longer than `within` for the
    others.
    """

    name: str  # its route and target: what travels together shares it
    size: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery that is stored as already claimed: a caller waits for it. `seconds` from the commit on."""

    token: str
    seconds: float
    worker: str


class InDoubtPolicy(StrEnum):
    """What to do with a delivery that was sent and whose outcome nobody saw."""

    RESEND = "resend"  # pending again, under the same Idempotency-Key
    PROBE = "probe"  # unknown; the target is asked whether it has it
    PARK = "park"  # unknown; a person decides


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that acceptance lays: what is known before the store gives it a sequence number."""

    id: str  # UUIDv7, made by us; also its Idempotency-Key, for ever
    route: str
    ref: Ref  # the target's message, such as wms/outbound.create@1; its system is the lane
    order_key: str | None = None  # None: no order is kept
    part: int | None = None  # which part of a split message
    when_dead: WhenDead = WhenDead.PARK
    in_doubt: InDoubtPolicy = InDoubtPolicy.RESEND
    priority: Priority = Priority.NORMAL
    expires_at: datetime | None = None  # not delivered by then: cancelled, by the route's own word
    hold_until: datetime | None = None
    slot: Slot | None = None  # given by the store, which knows what is taken
    bundle: Bundle | None = None
    lease: Lease | None = None
    fresh: str | None = None  # how new its content is, as a text that sorts
    # why its route could not be decided; the claim decides it again, and until then it may be none or several
    undecided: Cause | None = None
    is_busy: bool = False  # there was only no time to decide it
    made_with: str | None = None  # the revision that makes its content; None: the message's own

    @property
    def lane(self) -> str:
        return self.ref.system


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that one worker holds until `until` (the database's clock). `token` is the fence that every later
    write must show.
    """

    id: str
    message: Message
    route: str
    ref: Ref
    part: int | None
    order_key: str | None
    seq: int | None
    attempt: int  # number of this attempt, from 1, over the delivery's whole life; it names the attempt's row
    spent: int  # attempts since the last replay, this one included; the retry budget is counted by it
    first_at: datetime  # when the delivery was stored, or last replayed: `give_up_after` counts from here
    claimed_at: datetime  # the database's clock at the claim
    token: str
    until: datetime
    bundle: str | None = None  # the name under which it may travel with others
    fresh: str | None = None
    made_with: str | None = None  # the revision that a repair chose; None: the message's own
    undecided: bool = False  # whether its route takes the message, and in how many parts, is still to be decided

    @property
    def lane(self) -> str:
        return self.ref.system

    @property
    def content_revision(self) -> str:
        """Whose contract and mapping make what is sent: the revision that accepted the message, unless a repair chose
        another.
        """
        return self.made_with or self.message.revision


@dataclass(frozen=True, slots=True)
class Delivered:
    """The target has it."""

    keys: tuple[tuple[str, str], ...] = ()  # business keys that its reply named
    already: bool = False  # it said that it had it before


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: pending again, due `after_s` seconds from the settling."""

    why: Cause
    after_s: float
    # from now on it travels by itself: a batch that was refused says nothing about each of its members
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Dead:
    """Never: waits for a person."""

    why: Cause


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Sent, outcome not seen. The status that its policy makes of it: pending (after `after_s`), or unknown (and asked
    about after `after_s`).
    """

    why: Cause
    policy: InDoubtPolicy
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Waits for a person: its route or target is gone, or is not to be used now."""

    why: Cause


@dataclass(frozen=True, slots=True)
class Ended:
    """Whoever waited for it was told that it failed: nobody tries again."""

    why: Cause


@dataclass(frozen=True, slots=True)
class Superseded:
    """Something newer has been delivered on its key: it was not sent, and never will be."""

    why: Cause


Outcome: TypeAlias = Delivered | Retry | Dead | InDoubt | Hold | Ended | Superseded


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one try looked like from here, for the attempt's row. Sizes in bytes, times in milliseconds;
    `request_sha256` of the sent body.
    """

    url: str = ""
    method: str = ""
    status: int | None = None
    sent: bool = False
    request_bytes: int = 0
    reply: bytes = b""  # at most 64 kB of it
    ms: int = 0
    timings: Mapping[str, int] = field(default_factory=dict)  # dns, connect, tls, first_byte


@dataclass(frozen=True, slots=True)
class Settlement:
    """A claim with its judged outcome, as `store.settle` writes it: attempt row, new state, and the reply as a message,
    in one transaction.
    """

    claim: Claim
    outcome: Outcome
    exchange: Exchange
    # of the configuration by which this attempt went: endpoint, secret, limits; its content has the claim's
    revision: str
    reply: AcceptedMessage | None = None


EVERYBODY = "*"  # in place of a caller: the name holds for all callers of the system


@dataclass(frozen=True, slots=True)
class DedupeKey:
    """One name by which a repeat of a message is known. Unique over (caller, type, key) for `keep_for`.

    The same name with another fingerprint is refused. It is the SHA-256 of method, path and raw body in hex; or with
    `by_content` what `core.schemas.content` says of the message. Empty: not compared, any repeat is a duplicate.
    """

    NATURAL: ClassVar[str] = "\x1f"  # before a natural key: no id that is sent may hold it, so the two never meet

    caller: str
    type: str  # "*" where the name holds at every path (webhook-id: the path is not signed)
    key: str
    fingerprint: str = ""
    keep_for: timedelta = timedelta(days=7)
    by_content: bool = False
    fields: tuple[str, ...] = ()  # of a natural key: what `dedupe_by` says
    pointer: str = ""  # to the first of them

    def is_repeat_of(self, fingerprint: str) -> bool:
        """Whether what came first under this name was the same."""
        if not self.fingerprint or not fingerprint:
            return True
        return content.is_same(self.fingerprint, fingerprint) if self.by_content else self.fingerprint == fingerprint


@dataclass(frozen=True, slots=True)
class Origin:
    """What a foreign system sent, as it came, where messages were made of it: kept beside the first of them that is
    new. All have its trace id.
    """

    source: str  # hook:<system>/<hook>
    method: str
    query: str
    content_type: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message with the deliveries that its acceptance planned: what `store.add` stores whole or not at all."""

    message: Message
    deliveries: tuple[NewDelivery, ...] = ()
    dedupe_keys: tuple[DedupeKey, ...] = ()
    payload: Json = None  # the message decoded, for whoever looks at it once it is stored
    origin: Origin | None = None


def judge(
    answer: Answer, claim: Claim, *, policy: RetryPolicy, in_doubt: InDoubtPolicy, jitter: float, now: datetime
) -> Outcome:
    """What an answer means for the delivery. `jitter` in [0, 1) spreads the wait (full jitter); `now` is compared with
    `first_at`.

    A target that may have received it is never treated as if it had not: `Unknown` goes by `in_doubt`, everything else
    by the retry policy.
    """
    match answer:
        case Reply():
            return Delivered(keys=answer.keys, already=answer.already)
        case GiveUp():
            return Dead(answer.why)
        case TryLater():
            return _again(answer.why, answer.after_s, claim, policy=policy, jitter=jitter, now=now)
        case Unknown():
            if in_doubt is InDoubtPolicy.PARK:
                return InDoubt(answer.why, in_doubt)
            if in_doubt is InDoubtPolicy.PROBE:
                return InDoubt(answer.why, in_doubt, wait_s(policy, spent=claim.spent, jitter=jitter))
            again = _again(answer.why, None, claim, policy=policy, jitter=jitter, now=now)
            return again if isinstance(again, Dead) else InDoubt(answer.why, in_doubt, again.after_s)
        case _:
            assert_never(answer)


def _again(
    why: Cause, after_s: float | None, claim: Claim, *, policy: RetryPolicy, jitter: float, now: datetime
) -> Retry | Dead:
    age = now - claim.first_at
    if not may_retry(policy, spent=claim.spent, age=age):
        is_last = claim.spent >= policy.attempts
        limit = (
            f"Attempt {claim.spent} of {policy.attempts} was the last."
            if is_last
            else f"It is older than {policy.give_up_after}, and is given up."
        )
        text = f"{why.text} {limit}"
        return Dead(
            Cause(Reason.EXHAUSTED, text, why.field, why.fix or "Mend the cause, then: hub dead replay " + claim.id)
        )
    return Retry(why, wait_s(policy, spent=claim.spent, jitter=jitter, asked_s=after_s))
