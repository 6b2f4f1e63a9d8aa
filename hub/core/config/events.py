"""Events: what something foreign that arrived tells, by the `read:` of a hook or a queue. Pure.

One arrival is one event, or one for each element of a list in it; each becomes the payload of a message of ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from hub.core import json
from hub.core.config.mapping import Mapping as FieldMapping
from hub.core.errors import Code, Fault, GiveUp, Refused
from hub.core.expressions.expression import Expression
from hub.core.expressions.prepared import MISSING
from hub.core.message import Json, Ref
from hub.core.schemas.content import fingerprint, plain_numbers
from hub.core.schemas.integers import text_of

MAX_EVENTS = 1_000  # of one arrival
MAX_ID = 255
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class EventReader:
    """What an event is: the message that it becomes, and where it lies. Expressions are over the element, with `body`
    and the rest beside it.
    """

    emit: Ref | None  # None: it is acknowledged and not kept, for the reason in `skip`
    when: Expression | None = None
    spot: str = ""  # where the JSON lies, such as form:param; empty: the body, of a form its fields
    each: Expression | None = None
    id: Expression | None = None
    mapping: FieldMapping | None = None
    mapping_name: str = ""
    skip: str = ""
    by_content: bool = False  # `repeats: content`: what says the same is a repeat

    @cached_property
    def words(self) -> frozenset[str]:
        """All words of the expressions that are over an element."""
        texts = [text for _, text in self.mapping.leaves()] if self.mapping is not None else []
        return frozenset(_WORDS.findall(" ".join([*texts, self.id.text if self.id is not None else ""])))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a partner told: a message of ours to be, and the name by which its repeat is known."""

    ref: Ref
    payload: Json
    id: str
    named: bool = True  # the id is the partner's own; else a hash of what it told
    whole: bool = False  # it is the body of what arrived, and nothing else
    fault: Refused | None = field(default=None, compare=False)
    by_content: bool = False  # its id is a hash, because its `read` says so
    element: Json = field(default=None, compare=False)  # what it was made of; None: an adapter does not say

    @property
    def content(self) -> str:
        """What it says, for whoever compares a repeat with it: as it was told, and as the message that became of it,
        which may hold the time.
        """
        return fingerprint((self.ref, self.payload), *((("told", self.element),) if self.element is not None else ()))


def told(
    reads: Sequence[EventReader], view: dict[str, Json], at: Callable[[str], Json], who: str, now: datetime
) -> list[Event]:
    """All events of one arrival, in their order. [] only where a `skip` says so. Raises Refused: nothing that is
    declared fits it.

    `view` is what the expressions are over, its `body` the decoded content; `at` gives the JSON that lies at a place.
    """
    found: list[Event] = []
    fits = False
    for read in reads:
        if read.when is not None and not _computed(read.when.holds, _over(read, view, at), read.when.text, now):
            continue
        fits = True
        if read.emit is not None:
            found += _events(read, read.emit, view, at, now)
    if not fits:
        fault = Fault(
            "",
            "an event of another kind",
            " or ".join(read.when.text for read in reads if read.when is not None) or "what read: says",
            "",
        )
        raise Refused(Code.CONTRACT_VIOLATION, f"Nothing in read: of {who} fits it.", [fault])
    if len(found) > MAX_EVENTS:
        raise Refused(Code.TOO_LARGE, f"It tells {len(found)} events; at most {MAX_EVENTS} are taken at once.")
    return found


def _over(read: EventReader, view: dict[str, Json], at: Callable[[str], Json]) -> dict[str, Json]:
    """What a condition is over. Where the event lies in a field of the form or the query, `body` is the event: the
    fields have their own names.
    """
    if (
        read.when is None
        or not read.spot.startswith(("form:", "query:"))
        or "body" not in _WORDS.findall(read.when.text)
    ):
        return view
    kind, _, name = read.spot.partition(":")
    fields = view.get(kind)
    return {**view, "body": at(read.spot) if isinstance(fields, dict) and name in fields else None}


def _events(
    read: EventReader, ref: Ref, view: dict[str, Json], at: Callable[[str], Json], now: datetime
) -> Iterator[Event]:
    whole = at(read.spot) if read.spot else view["body"]
    around: dict[str, Json] = {**view, "body": whole}
    elements = _elements(read, whole, around, now)
    is_whole = read.mapping is None and read.each is None and not read.spot
    # The engine is handed all that an expression is over: the whole body beside each of its elements only where
    # somebody asks for it.
    around = {name: value for name, value in around.items() if name in read.words}
    for element in elements:
        over: dict[str, Json] = {**element, **around} if isinstance(element, dict) else {"item": element, **around}
        try:
            payload = read.mapping.apply(over, now=now) if read.mapping is not None else element
        except GiveUp as error:
            fault = Fault(error.why.field, "what cannot be mapped", error.why.text, error.why.fix)
            yield Event(
                ref, element, "", fault=Refused(Code.CONTRACT_VIOLATION, f"The event cannot be made a {ref}.", [fault])
            )
            continue
        try:
            name = _id(read, over, now)
        except Refused as refused:
            yield Event(ref, payload, "", fault=refused)
            continue
        yield Event(
            ref, payload, name or hashed(payload), bool(name), is_whole, by_content=read.by_content, element=element
        )


def _elements(read: EventReader, whole: Json, around: dict[str, Json], now: datetime) -> list[Json]:
    if read.each is None:
        return [whole]
    value = _computed(read.each.evaluate, around, read.each.text, now)
    if value is MISSING or value is None:
        raise Refused(
            Code.CONTRACT_VIOLATION,
            f"There is no {read.each.text} in it.",
            [Fault("", "nothing", read.each.text, "send it")],
        )
    return value if isinstance(value, list) else [value]


def _id(read: EventReader, over: dict[str, Json], now: datetime) -> str:
    """The partner's id; empty where it says none."""
    if read.id is not None:
        value = _computed(read.id.evaluate, over, read.id.text, now)
        if value is not MISSING and value is not None and not isinstance(value, dict | list) and str(value):
            return _short(text_of(value) if isinstance(value, Decimal) else str(value))
    return ""


def named(events: Sequence[Event], name: str) -> list[Event]:
    """Gives those that have no id, and are not known by their content, the name of their arrival, numbered where it
    tells several.
    """
    is_numbered = len(events) > 1
    return [
        event
        if event.named or event.by_content or event.fault is not None
        else replace(event, id=_short(f"{name}#{number}" if is_numbered else name))
        for number, event in enumerate(events)
    ]


def _short(text: str) -> str:
    return (
        text
        if len(text) <= MAX_ID and text.isprintable()
        else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    )


def hashed(payload: Json) -> str:
    """The name of what is known by its content: what says the same is a repeat."""
    return "sha256:" + hashlib.sha256(json.encode(plain_numbers(payload))).hexdigest()


def _computed(compute: Any, view: dict[str, Json], text: str, now: datetime) -> Any:
    try:
        return compute(view, now=now)
    except GiveUp as error:
        raise Refused(Code.CONTRACT_VIOLATION, f"{text} cannot be computed: {error.why.text}") from error
