"""A system: one neighbour, as its folder declares it. Values only; read from files by `catalog`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from hub.core.config.hook import Hook
from hub.core.config.queue import Queue
from hub.core.config.scheme import Scheme, Spot
from hub.core.expressions.expression import Expression
from hub.core.message import Ref
from hub.core.model.addresses import Network
from hub.core.schemas.contract import Contract


class VersionState(StrEnum):
    """The life of a contract's version."""

    DRAFT = "draft"
    SHADOW = "shadow"
    CURRENT = "current"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


LIVE = frozenset({VersionState.CURRENT, VersionState.DEPRECATED})  # these may be posted


@dataclass(frozen=True, slots=True)
class Version:
    state: VersionState
    since: str = ""  # ISO date, as written
    sunset: str = ""

    @property
    def ends_at(self) -> datetime | None:
        """From when on it is taken no more, as callers are told by `Sunset`: the beginning of that day in UTC. None: no
        end is said, or one before it began.
        """
        sunset, since = midnight(self.sunset), midnight(self.since)
        return None if sunset is None or (since is not None and sunset < since) else sunset

    def may_be_posted(self, now: datetime) -> bool:
        """Whether a caller may post in it now."""
        return self.state in LIVE and (self.ends_at is None or now < self.ends_at)


def midnight(text: str) -> datetime | None:
    """A date of system.yaml as an instant; None where it says nothing."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class DedupeScope(StrEnum):
    """Whose repeats a natural key knows."""

    CALLER = "caller"  # each caller's own
    SYSTEM = "system"  # whoever of the system's callers brings it


@dataclass(frozen=True, slots=True)
class Emit:
    """A message that the system sends to the hub. Expressions are over the payload."""

    type: str  # system/name
    about: str
    versions: Mapping[int, Version]
    contracts: Mapping[int, Contract]
    keys: tuple[tuple[str, Expression], ...] = ()
    order_by: Expression | None = None
    dedupe_by: tuple[Expression, ...] = ()
    dedupe_scope: DedupeScope = DedupeScope.CALLER
    fresh_by: Expression | None = None  # what is older than what was delivered for its key is superseded
    get: bool = False  # may be asked by GET too: a question that changes nothing, its fields in the query

    @property
    def live(self) -> list[int]:
        """The versions that may be posted, oldest first."""
        return sorted(number for number, version in self.versions.items() if version.state in LIVE)

    @property
    def newest(self) -> int | None:
        """The version that a sender without a wish gets: the newest current one, else the newest live one."""
        current = [number for number, version in self.versions.items() if version.state is VersionState.CURRENT]
        return max(current, default=max(self.live, default=None))

    def open_at(self, now: datetime) -> list[int]:
        """The versions that may be posted now, oldest first: those past their sunset are not."""
        return [number for number in self.live if self.versions[number].may_be_posted(now)]

    def newest_at(self, now: datetime) -> int | None:
        """`newest` of those."""
        open_ = self.open_at(now)
        return max(
            (number for number in open_ if self.versions[number].state is VersionState.CURRENT),
            default=max(open_, default=None),
        )

    @property
    def shadows(self) -> list[int]:
        """Versions that validate in parallel, and refuse nothing."""
        return sorted(number for number, version in self.versions.items() if version.state is VersionState.SHADOW)


@dataclass(frozen=True, slots=True)
class Question:
    """How the system is asked whether it has a message. Expressions are over {status, headers, body}; `path` has holes
    for the message's fields.
    """

    method: str
    path: str  # `{key}` is the Idempotency-Key, `{orderNo}` a field of what was sent
    applied: Expression
    absent: Expression | None = None  # None: a 404


@dataclass(frozen=True, slots=True)
class Publish:
    """Where a message is published at the broker of the system's `url`: an exchange, and the route says the topic; or
    one queue by its name.
    """

    exchange: str = ""
    kind: str = "topic"
    durable: bool = True
    queue: str = ""  # AMQP's default exchange, or a list of Redis

    @property
    def wants_topic(self) -> bool:
        """Whether a route must say under which topic."""
        return not self.queue and self.kind == "topic"


@dataclass(frozen=True, slots=True)
class Accept:
    """A message that the hub sends to the system, and how. Expressions are over {status, headers, body}."""

    type: str
    about: str
    versions: Mapping[int, Version]
    contracts: Mapping[int, Contract]
    method: str = "POST"
    path: str = ""  # appended to the system's `url`
    success: Expression | None = None  # None: any 2xx
    already: Expression | None = None
    again: Expression | None = None  # "busy": tried again by the retry policy
    refused_message: Expression | None = None  # where the target's own words stand; None: in one of the usual places
    reply_keys: tuple[tuple[str, Expression], ...] = ()
    probe: Question | None = None
    asks_adapter: bool = False  # its adapter.py knows how to ask (`probe: adapter`)
    publish: Publish | None = None  # in place of an HTTP call


@dataclass(frozen=True, slots=True)
class Inbound:
    """How a system's posts are proven. Secrets and keys of the hub's own callers are in the store; what stands here is
    public, or a setting's name.

    hub-signature, hmac, api-key   by a caller's key (`hub key create --form`)
    oauth2                         by an access token (JWT, RFC 9068) of `issuer`, for `audience`
    mtls                           by a client certificate that a trusted proxy has checked: its SHA-256 is one of
    `certificates` declared                       by a scheme of six primitives, with the system's setting `secret`
    none                           by its address alone: `peers`
    """

    scheme: str = "hub-signature"
    form: str = "default"
    declared: Scheme | None = None
    issuer: str = ""
    audience: str = ""
    jwks: str = ""  # where the issuer's keys are: https://… or file:…
    scope: str = ""  # a scope that the token must have; empty: none
    certificates: tuple[str, ...] = ()  # SHA-256 in hexadecimal digits
    peers: tuple[Network, ...] = ()

    @property
    def forms(self) -> frozenset[str]:
        """The forms of callers' keys that may speak for the system."""
        return _FORMS.get(self.scheme, frozenset())


_FORMS = {
    "hub-signature": frozenset({"default", "legacy"}),
    "hmac": frozenset({"hmac"}),
    "api-key": frozenset({"api-key"}),
}


@dataclass(frozen=True, slots=True)
class Outbound:
    """How calls to the system prove who calls. `key`, `secret`, `certificate` and the like are references (`env:…`,
    `file:…`), resolved by `main`.
    """

    scheme: str = "none"  # none | hub-signature | hmac | api-key | oauth2 | mtls | declared
    form: str = "default"  # of hub-signature: default | legacy
    key: str = ""  # of oauth2 the client's id; of mtls the certificate's private key
    secret: str = ""
    declared: Scheme | None = None
    at: Spot | None = None  # where an API key is put; None: Authorization: ApiKey …
    prefix: str = ""  # before the API key
    token_url: str = ""
    scope: str = ""
    audience: str = ""
    certificate: str = ""
    ca: str = ""  # the authority that the system's own certificate is judged by; empty: the usual ones


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    help: str
    default: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """One neighbour, and all that is about it alone."""

    name: str
    title: str
    owner: str
    emits: Mapping[str, Emit] = field(default_factory=dict)  # by message name, without the system
    accepts: Mapping[str, Accept] = field(default_factory=dict)
    inbound: Inbound = field(default_factory=Inbound)
    outbound: Outbound = field(default_factory=Outbound)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    hooks: Mapping[str, Hook] = field(default_factory=dict)  # foreign webhooks under /in/<system>/<hook>
    queues: Mapping[str, Queue] = field(default_factory=dict)  # of brokers, from which its messages are taken

    def accept(self, ref: Ref) -> Accept | None:
        return self.accepts.get(ref.name)
