"""Answers about contracts and mappings: versions, who uses them, whether they may go, and a trial."""

from collections.abc import Sequence
from typing import Annotated, TypedDict

from hub.flow.answers.fields import AnyMembers, Time, about, one_of
from hub.flow.answers.messages import Why


class UsedBy(TypedDict):
    version: str
    caller: str
    field: str
    number: int
    firstAt: Time
    lastAt: Time


Usage = TypedDict("Usage", {"items": list[UsedBy]})


class Retirement(TypedDict):
    version: str
    canRetire: bool
    reasons: list[str]
    because: Sequence[AnyMembers]
    used: list[UsedBy]
    routes: list[str]
    mappings: list[str]
    openDeliveries: Annotated[int | None, about("null: not counted yet.")]


class OldVersion(TypedDict):
    version: str
    sunset: str | None
    daysLeft: int | None
    callers: Sequence[AnyMembers]


class ContractVersion(OldVersion):
    number: int
    state: str
    since: str | None
    messages: int
    delivered: Sequence[AnyMembers]


class ContractHead(TypedDict):
    type: str
    system: str
    name: str
    about: str
    side: Annotated[str, one_of("emits", "accepts")]


class ContractLine(ContractHead):
    versions: list[ContractVersion]


class ContractList(TypedDict):
    revision: str
    since: str
    items: list[ContractLine]
    old: list[OldVersion]


class ContractField(TypedDict):
    place: str
    kind: str
    required: bool
    about: str
    values: list[str]
    limits: list[str]
    isPersonal: bool
    isKnown: bool
    used: Sequence[AnyMembers]


class WholeVersion(ContractVersion):
    fields: list[ContractField]
    schema: AnyMembers | None
    samples: list[str]
    retirement: Retirement | None
    shadow: AnyMembers | None


class WholeContract(ContractHead):
    """One message with all its versions (see flow.interfaces.contracts)."""

    revision: str
    since: str
    versions: list[WholeVersion]
    steps: Sequence[AnyMembers]
    routes: Sequence[AnyMembers]
    mappings: Sequence[AnyMembers]


MappingHead = TypedDict(
    "MappingHead",
    {
        "name": str,
        "file": str,
        "from": str,
        "to": str,
        "isForeign": bool,
        "isUpgrade": bool,
        "routes": list[str],
        "hooks": list[str],
        "examples": int,
        "coverage": AnyMembers,
    },
)
MappingList = TypedDict("MappingList", {"revision": str, "since": str, "items": list[MappingHead]})


class WholeMapping(MappingHead):
    """One mapping, field by field (see flow.interfaces.mappings)."""

    revision: str
    since: str
    source: Sequence[AnyMembers]
    target: Sequence[AnyMembers]
    leaves: Sequence[AnyMembers]
    lookups: list[str]
    cases: list[str]


MappingTrial = TypedDict(
    "MappingTrial",
    {
        "mapping": str,
        "from": str,
        "to": str,
        "of": str,
        "source": object,
        "result": object,
        "changes": Sequence[AnyMembers],
        "fault": Why | None,
        "sourceFaults": Sequence[AnyMembers],
        "targetFaults": Sequence[AnyMembers],
        "isMasked": bool,
    },
)
