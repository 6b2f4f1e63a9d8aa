"""A hook: a foreign system's own webhook, as its folder declares it; and what it makes of a request, once that is proven. Pure.

handshake → (proof) → read: one event, or one for each element → payload of a message of ours → acknowledgement in the partner's words
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from hub.core import json
from hub.core.addresses import Network, is_among
from hub.core.errors import Code, Fault, GiveUp, Refused
from hub.core.expression import MISSING, Expression
from hub.core.mapping import Mapping as FieldMapping
from hub.core.message import Json, Ref
from hub.core.opened import Opened
from hub.core.scheme import Scheme, read_spot

HOOK = "hook"  # the way in, as a message remembers it
MAX_EVENTS = 1_000  # of one request
MAX_ID = 255
_WORDS = re.compile(r"\w+")
_HOLE = re.compile(r"\{((?:header|query|form|json):[^\s{}]{1,200})\}")


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in the partner's words: a text as it stands, anything else as JSON. `{query:echostr}` and the like are filled in."""

    status: int = 200
    body: Json = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """Answered before anything is proven (unless `signed`), and nothing is stored: a partner tries its address out."""

    when: Expression
    said: Said
    signed: bool = False


@dataclass(frozen=True)
class Read:
    """What an event is: the message that it becomes, and where it lies. Expressions are over the element, with `body` and the rest beside it."""

    emit: Ref | None  # None: it is acknowledged and not kept, for the reason in `skip`
    when: Expression | None = None
    spot: str = ""  # where the JSON lies, such as form:param; empty: the body, or the one field of the form that holds JSON
    each: Expression | None = None
    id: Expression | None = None
    mapping: FieldMapping | None = None
    mapping_name: str = ""
    skip: str = ""

    @cached_property
    def words(self) -> frozenset[str]:
        """All words of the expressions that are over an element."""
        texts = [text for _, text in self.mapping.leaves()] if self.mapping is not None else []
        return frozenset(_WORDS.findall(" ".join([*texts, self.id.text if self.id is not None else ""])))


@dataclass(frozen=True, slots=True)
class Hook:
    """`/in/<system>/<name>`. `scheme` None: the system's adapter.py reads the request itself (`source: adapter`)."""

    system: str
    name: str
    scheme: Scheme | None = None
    reads: tuple[Read, ...] = ()
    ack: Said | None = None  # None: the hub's own envelope
    otherwise: Said | None = None
    handshake: Handshake | None = None
    peers: tuple[Network, ...] = ()

    @property
    def by_adapter(self) -> bool:
        """Whether the system's adapter.py reads its requests."""
        return self.scheme is None

    @property
    def caller(self) -> str:
        """The name under which its messages are known: `hook:tms/track-push`."""
        return f"hook:{self.system}/{self.name}"

    def admits(self, address: str) -> bool:
        """Whether a request may come from this address; from anywhere where none are named."""
        return not self.peers or is_among(address, self.peers)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a partner told: a message of ours to be, and the name by which its repeat is known."""

    ref: Ref
    payload: Json
    id: str
    fault: Refused | None = field(default=None, compare=False)


def shakes(hook: Hook, opened: Opened, now: datetime, *, signed: bool) -> Said | None:
    """The answer to a handshake, if this is one. `signed`: whether the request was proven already. Raises Refused."""
    shake = hook.handshake
    if shake is None or shake.signed != signed:
        return None
    try:
        return shake.said if shake.when.holds(opened.view(), now=now) else None
    except GiveUp:
        return None  # what cannot be computed does not hold; whether the request is any good is for what follows to say


def events(hook: Hook, opened: Opened, now: datetime) -> list[Event]:
    """What a proven request tells, in its order. [] only where a `skip` says so. Raises Refused: nothing that is declared fits it."""
    view = opened.view()
    found: list[Event] = []
    fits = False
    for read in hook.reads:
        if read.when is not None and not _computed(read.when.holds, view, read.when.text, now):
            continue
        fits = True
        if read.emit is not None:
            found += _events(read, read.emit, opened, view, now)
    if not fits:
        fault = Fault("", "an event of another kind", " or ".join(read.when.text for read in hook.reads if read.when is not None) or "what read: says", "")
        raise Refused(Code.CONTRACT_VIOLATION, f"Nothing in read: of {hook.system}/{hook.name} fits this request.", [fault])
    if len(found) > MAX_EVENTS:
        raise Refused(Code.TOO_LARGE, f"The request tells {len(found)} events; at most {MAX_EVENTS} are taken at once.")
    return found


def _events(read: Read, ref: Ref, opened: Opened, view: dict[str, Json], now: datetime) -> Iterator[Event]:
    whole = opened.decoded_at(read_spot(read.spot)) if read.spot else view["body"]
    around: dict[str, Json] = {**view, "body": whole}
    elements = _elements(read, whole, around, now)
    # The engine is handed all that an expression is over: the whole body beside each of its elements only where somebody asks for it.
    around = {name: value for name, value in around.items() if name in read.words}
    for element in elements:
        over: dict[str, Json] = {**element, **around} if isinstance(element, dict) else {"item": element, **around}
        try:
            payload = read.mapping.apply(over, now=now) if read.mapping is not None else element
        except GiveUp as error:
            fault = Fault(error.why.field, "what cannot be mapped", error.why.text, error.why.fix)
            yield Event(ref, element, "", Refused(Code.CONTRACT_VIOLATION, f"The event cannot be made a {ref}.", [fault]))
            continue
        yield Event(ref, payload, _id(read, over, payload, now))


def _elements(read: Read, whole: Json, around: dict[str, Json], now: datetime) -> list[Json]:
    if read.each is None:
        return [whole]
    value = _computed(read.each.evaluate, around, read.each.text, now)
    if value is MISSING or value is None:
        raise Refused(Code.CONTRACT_VIOLATION, f"There is no {read.each.text} in the request.", [Fault("", "nothing", read.each.text, "send it")])
    return value if isinstance(value, list) else [value]


def _id(read: Read, over: dict[str, Json], payload: Json, now: datetime) -> str:
    """The partner's id, or the hash of what it told: who sends the same thing again without an id says the same thing again."""
    if read.id is not None:
        value = _computed(read.id.evaluate, over, read.id.text, now)
        if value is not MISSING and value is not None and not isinstance(value, dict | list) and str(value):
            text = str(value)
            return text if len(text) <= MAX_ID and text.isprintable() else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return "sha256:" + hashlib.sha256(json.encode(payload)).hexdigest()


def _computed(compute: Any, view: dict[str, Json], text: str, now: datetime) -> Any:
    try:
        return compute(view, now=now)
    except GiveUp as error:
        raise Refused(Code.CONTRACT_VIOLATION, f"{text} cannot be computed: {error.why.text}") from error


def filled(said: Said, opened: Opened | None) -> Json:
    """The answer's body with its holes filled from the request; what is not there is empty."""
    return _filled(said.body, opened) if opened is not None else said.body


def _filled(body: Json, opened: Opened) -> Json:
    match body:
        case str():
            return _HOLE.sub(lambda found: _at(found[1], opened), body)
        case dict():
            return {name: _filled(value, opened) for name, value in body.items()}
        case list():
            return [_filled(value, opened) for value in body]
        case _:
            return body


def _at(place: str, opened: Opened) -> str:
    try:
        return opened.at(read_spot(place)) or ""
    except Refused:
        return ""


def settings_of(hook: Hook) -> frozenset[str]:
    """The settings of its system that its scheme speaks of."""
    if hook.scheme is None:
        return frozenset()
    return hook.scheme.words | ({"secret"} if hook.scheme.needs_secret else frozenset())
