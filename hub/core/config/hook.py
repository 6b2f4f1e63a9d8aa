"""A hook: a foreign system's own webhook, as its folder declares it; and what it makes of a request, once that is
proven. Pure.

handshake → (proof) → read: one event, or one for each element → payload of a message of ours → acknowledgement in the
partner's words
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from hub.core.config.events import Event, EventReader, named, told
from hub.core.config.parsed_request import ParsedRequest
from hub.core.config.scheme import Scheme, read_spot
from hub.core.errors import GiveUp, Refused
from hub.core.expressions.expression import Expression
from hub.core.message import Json
from hub.core.model.addresses import Network, is_among

HOOK = "hook"  # the way in, as a message remembers it
_HOLE = re.compile(r"\{((?:header|query|form|json):[^\s{}]{1,200})\}")


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """An answer in the partner's words: a text as it stands, anything else as JSON. `{query:echostr}` and the like are
    filled in.
    """

    status: int = 200
    body: Json = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """Answered before anything is proven (unless `signed`), and nothing is stored: a partner tries its address out."""

    when: Expression
    said: HookAnswer
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Hook:
    """`/in/<system>/<name>`. `scheme` None: the system's adapter.py reads the request itself (`source: adapter`)."""

    system: str
    name: str
    scheme: Scheme | None = None
    reads: tuple[EventReader, ...] = ()
    ack: HookAnswer | None = None  # None: the hub's own envelope
    otherwise: HookAnswer | None = None
    handshake: Handshake | None = None
    peers: tuple[Network, ...] = ()
    charset: str = ""  # of its bodies; empty: as the form or the header says

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


def shakes(hook: Hook, opened: ParsedRequest, now: datetime, *, signed: bool) -> HookAnswer | None:
    """The answer to a handshake, if this is one. `signed`: whether the request was proven already. Raises Refused."""
    shake = hook.handshake
    if shake is None or shake.signed != signed:
        return None
    try:
        return shake.said if shake.when.holds(opened.view(), now=now) else None
    except GiveUp:
        return None  # what cannot be computed does not hold; whether the request is any good is for what follows to say


def events(hook: Hook, opened: ParsedRequest, now: datetime, arrival: str) -> list[Event]:
    """What a proven request tells, in its order. [] only where a `skip` says so. Raises Refused: nothing that is
    declared fits it.

    An event without an `id` is known by its request: by the time, nonce or id that is signed with it; where none is,
    each `arrival` is new. A value that comes back (a stock of 5, of 6, of 5 again) is no repeat, unless
    `repeats: content` says so.
    """
    found = told(
        hook.reads, opened.view(), lambda spot: opened.decoded_at(read_spot(spot)), f"{hook.system}/{hook.name}", now
    )
    return named(found, _request_name(hook, opened) or arrival)


def _request_name(hook: Hook, opened: ParsedRequest) -> str:
    """A hash of a request with what its partner signed to make it one of a kind; empty where nothing of that kind is
    signed.
    """
    spots = hook.scheme.fresh if hook.scheme is not None else ()
    marks = [opened.at(spot) or "" for spot in spots]
    if not any(marks):
        return ""
    whole = hashlib.sha256()
    for part in (
        *(mark.encode("utf-8", "replace") for mark in marks),
        opened.request.query.encode("utf-8", "replace"),
        opened.body,
    ):
        whole.update(len(part).to_bytes(8, "big") + part)
    return f"request:{whole.hexdigest()}"


def filled(said: HookAnswer, opened: ParsedRequest | None) -> Json:
    """The answer's body with its holes filled from the request; what is not there is empty."""
    return _filled(said.body, opened) if opened is not None else said.body


def _filled(body: Json, opened: ParsedRequest) -> Json:
    match body:
        case str():
            return _HOLE.sub(lambda found: _at(found[1], opened), body)
        case dict():
            return {name: _filled(value, opened) for name, value in body.items()}
        case list():
            return [_filled(value, opened) for value in body]
        case _:
            return body


def _at(place: str, opened: ParsedRequest) -> str:
    try:
        return opened.at(read_spot(place)) or ""
    except Refused:
        return ""
