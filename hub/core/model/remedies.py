"""What a person may do about each class of error: a word for what to change, a sentence, and the verb that ends it.
Pages translate by the word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hub.core.errors import Reason


class Verb(StrEnum):
    """What ends the waiting, once the cause is mended."""

    REPLAY = "replay"  # send again under the same key: the cause lay outside, or the present revision makes it right
    CHOOSE = "choose"  # ask the target first: it may have it already
    APPLY = "apply"  # change the configuration, then replay with it
    EDIT = "edit"  # the message itself is wrong: a corrected one in its place
    WAIT = "wait"  # nothing: it goes by itself


@dataclass(frozen=True, slots=True)
class Remedy:
    """`word` is stable; `text` says what to change; `verb` what to do then."""

    word: str
    text: str
    verb: Verb


_MAPPING = Remedy(
    "mapping",
    "Mend the mapping, the code list or the source's data; preview what the new revision makes of an example, then replay with it.",
    Verb.APPLY,
)
_TARGET = Remedy(
    "target",
    "The target could not take it. See that it answers again, then replay; each keeps its key, so nothing is applied twice.",
    Verb.REPLAY,
)
_DOUBT = Remedy(
    "doubt",
    "It was sent, and nobody saw the answer. Ask the target whether it has it: if it has, cancel; if it has not, replay.",
    Verb.CHOOSE,
)

MENDS: Mapping[Reason, Remedy] = {
    Reason.TRANSFORM_ERROR: _MAPPING,
    Reason.TRANSFORM_TIMEOUT: Remedy(
        "mapping",
        "An expression ran into its limits. Make it simpler, or split the message; then replay with the new revision.",
        Verb.APPLY,
    ),
    Reason.CODELIST_MISS: Remedy(
        "code-list",
        "Add the value to the table that the field names, apply, then replay with the new revision.",
        Verb.APPLY,
    ),
    Reason.POISON: Remedy(
        "worker",
        "Three workers were lost with it. Look at their logs for memory and hangs before it is replayed, one alone first.",
        Verb.CHOOSE,
    ),
    Reason.REFUSED: Remedy(
        "data",
        "The target said no to what it was sent. Change what its answer names: the mapping, the source's data, or the target's own set-up.",
        Verb.APPLY,
    ),
    Reason.BAD_ANSWER: Remedy(
        "answer",
        "The target's answer cannot be understood. Look at it beside the attempt; mend `success` or the target. It may have been applied.",
        Verb.CHOOSE,
    ),
    Reason.UNREACHABLE: Remedy(
        "address",
        "Nothing left the house. Check the target's address, its name, port and certificate; then replay.",
        Verb.REPLAY,
    ),
    Reason.SERVER_ERROR: _TARGET,
    Reason.THROTTLED: Remedy(
        "pace", "The target asks for less at a time. Set `rate` for it, then replay at that rate.", Verb.REPLAY
    ),
    Reason.UNDER_WAY: _DOUBT,
    Reason.UNSUCCESSFUL: Remedy(
        "data", "The target answered, and its answer says no. Change what it names, then replay.", Verb.APPLY
    ),
    Reason.NO_ANSWER: _DOUBT,
    Reason.OUTCOME_NOT_SEEN: Remedy(
        "doubt",
        "It may have been sent, and nobody saw the answer. Ask the target whether it has it: if it has, cancel; if it has not, replay.",
        Verb.CHOOSE,
    ),
    Reason.EXHAUSTED: Remedy(
        "target",
        "All tries are used up. See the last attempt for what the target said; once that is mended, replay.",
        Verb.REPLAY,
    ),
    Reason.ORPHANED: Remedy(
        "route",
        "Its route or target is gone from the configuration. Bring it back and replay, or discard it.",
        Verb.APPLY,
    ),
    Reason.UNEXPECTED: Remedy(
        "log",
        "Nobody foresaw this. The log has more under the delivery's id; mend that, then replay one alone first.",
        Verb.CHOOSE,
    ),
    Reason.LOOKUP_FAILED: Remedy(
        "look-up",
        "What its route looks up was not to be had. See that the system that is asked answers, then replay.",
        Verb.REPLAY,
    ),
    Reason.CIRCUIT_OPEN: _TARGET,
    Reason.DEADLINE: Remedy(
        "deadline", "Its caller no longer waits. Ask whether it is still wanted before it is replayed.", Verb.CHOOSE
    ),
    Reason.SCHEDULED: Remedy("hour", "It waits for the time that its message names.", Verb.WAIT),
    Reason.PAUSED: Remedy(
        "pause", "A person paused its route or target; it goes by itself once somebody resumes it.", Verb.WAIT
    ),
    Reason.OVER_CAPACITY: Remedy("hour", "The window was full; it goes in the next one that is not.", Verb.WAIT),
    Reason.OVERTAKEN: Remedy("none", "A newer one made it pointless.", Verb.WAIT),
    Reason.CANCELLED: Remedy("none", "A person ended it.", Verb.WAIT),
    Reason.DECLINED: Remedy("none", "Once its route could be decided, it did not take it.", Verb.WAIT),
    Reason.EXPIRED: Remedy("data", "It became too old. Send a new message, if it is still wanted.", Verb.EDIT),
}
