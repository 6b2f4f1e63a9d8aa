"""A signature scheme as data: what is signed, how it is hashed and written, and where it stands. Six primitives say
nearly every partner's.

Values and their reading; nothing here hashes, and no secret comes here. `hub.kit.proof` computes. Source:
docs/hooks.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

from hub.core.message import Json

ALGORITHMS: Final = (
    "hmac-sha256",
    "hmac-sha1",
    "hmac-sha512",
    "sha256",
    "sha1",
    "md5",
    "rsa-sha256",
    "ed25519",
    "none",
)
ENCODINGS: Final = ("hex", "HEX", "base64", "base64-hex")
QUOTES: Final = ("none", "form", "percent")
KINDS: Final = ("header", "query", "form", "json")
ROLES: Final = ("signature", "timestamp", "nonce", "id", "key")  # what may lie at a place
STAMPS: Final = ("seconds", "milliseconds", "rfc3339")

_SPOT = re.compile(r"(header|query|form|json):([^\s{}#]{1,200})(?:#([A-Za-z0-9_-]{1,40}))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_BRACES = re.compile(r"\{([^{}\s\"]*)\}")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a request. `pick` chooses from a header that holds a list, such as `t=1,v1=ab` or `v1,ab v1,cd`."""

    kind: str  # header | query | form | json
    name: str  # a header's in lower case; of json a path with dots
    pick: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f"#{self.pick}" if self.pick else "")


@dataclass(frozen=True, slots=True)
class Word:
    """A name in braces: `body`, `url`, one of the roles, or a setting of the system."""

    name: str


Template: TypeAlias = "tuple[str | Spot | Word, ...]"


@dataclass(frozen=True, slots=True)
class SortedFields:
    """Fields of the form, the query or the JSON body, sorted by their names as bytes; or a few values, sorted
    themselves.
    """

    of: str  # form | query | json, or "values"
    values: tuple[Template, ...] = ()
    without: frozenset[str] = frozenset()
    pair: str = "="
    join: str = "&"
    skips_empty: bool = False
    before: Template = ()
    after: Template = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """How something is signed. `tolerance`: how old and how far ahead the timestamp may be; None: no check of time."""

    alg: str
    encode: str = "hex"
    over: Template | SortedFields = ()
    quote: str = "none"
    places: Mapping[str, Spot] = ()  # type: ignore[assignment]  # by role; empty where nothing is signed
    tolerance: timedelta | None = None
    stamp: str = "seconds"  # how an outgoing timestamp is written

    @property
    def parts(self) -> tuple[str | Spot | Word, ...]:
        """All that stands in its templates."""
        over = self.over
        return (
            over
            if not isinstance(over, SortedFields)
            else (*over.before, *over.after, *(part for one in over.values for part in one))
        )

    @property
    def signs_bytes(self) -> bool:
        """Whether the body is signed as it stands, byte by byte."""
        return Word("body") in self.parts

    def covers(self, spot: Spot) -> bool:
        """Whether what lies at a place is part of what is signed. Of a JSON body a field covers all that is under
        it.
        """
        if self.alg == "none":
            return False
        if spot.kind in ("form", "json") and self.signs_bytes:
            return True
        if isinstance(self.over, SortedFields) and self.over.of == spot.kind:
            return (spot.name.partition(".")[0] if spot.kind == "json" else spot.name) not in self.over.without
        if spot.kind == "query" and Word("url") in self.parts:
            return True
        named = [
            part if isinstance(part, Spot) else self.places.get(part.name)
            for part in self.parts
            if not isinstance(part, str)
        ]
        return any(part is not None and not part.pick and _is_at(part, spot) for part in named)

    @property
    def fresh(self) -> tuple[Spot, ...]:
        """Where a time, a nonce or an id lies that is signed: two requests with the same ones and the same body are
        one, sent twice.
        """
        return tuple(
            spot
            for role in ("id", "nonce", "timestamp")
            if (spot := self.places.get(role)) is not None and self._signs(role, spot)
        )

    def _signs(self, role: str, spot: Spot) -> bool:
        return self.alg != "none" and (Word(role) in self.parts or self.covers(spot))

    @property
    def words(self) -> frozenset[str]:
        """Names in braces that are no part of the request: settings of the system."""
        return frozenset(part.name for part in self.parts if isinstance(part, Word)) - {"body", "url", *ROLES}

    @property
    def needs_secret(self) -> bool:
        """Whether it cannot be computed without the setting `secret`."""
        return self.alg.startswith("hmac-") or self.alg in ("rsa-sha256", "ed25519") or "secret" in self.words

    @property
    def settings(self) -> frozenset[str]:
        """The settings of its system that a partner's proof is judged by."""
        return self.words | ({"secret"} if self.needs_secret else frozenset())

    @property
    def has_body(self) -> bool:
        """Whether the body is part of what is signed: a scheme that leaves it out proves nothing of it."""
        if isinstance(self.over, SortedFields):
            return self.over.of in ("form", "json")
        return any(
            part == Word("body") or (isinstance(part, Spot) and part.kind in ("form", "json")) for part in self.over
        )


def _is_at(part: Spot, spot: Spot) -> bool:
    return part.kind == spot.kind and (
        part.name == spot.name or (spot.kind == "json" and spot.name.startswith(f"{part.name}."))
    )


def read_spot(text: str) -> Spot:
    """`header:X-Signature`, `query:sign`, `form:sign`, `json:a.b`; `#v1` picks from a list. Raises ValueError."""
    found = _SPOT.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:64]!r} is no place; write header:X-Name, query:name, form:name or json:a.b")
    kind, name, pick = found[1], found[2], found[3] or ""
    if pick and kind != "header":
        raise ValueError(f"#{pick} picks from a header; {kind}:{name} is none")
    return Spot(kind, name.lower() if kind == "header" else name, pick)


def read_template(text: str) -> Template:
    """`{timestamp}.{body}` as its parts. Raises ValueError for braces that hold neither a name nor a place."""
    parts: list[str | Spot | Word] = []
    at = 0
    for found in _BRACES.finditer(text):
        parts.append(text[at : found.start()])
        inside = found[1]
        if ":" in inside:
            parts.append(read_spot(inside))
        elif _NAME.fullmatch(inside):
            parts.append(Word(inside))
        else:
            raise ValueError(
                f"{{{inside[:40]}}} is neither a name nor a place; write {{body}}, {{timestamp}}, {{header:X-Name}} or a setting's name"
            )
        at = found.end()
    parts.append(text[at:])
    return tuple(part for part in parts if part != "")


def read_scheme(row: Mapping[str, Any]) -> Scheme:
    """The six primitives as they are written (their words were checked before). Raises ValueError with what to write
    instead.
    """
    alg = str(row.get("alg"))
    if alg == "none":
        if set(row) != {"alg"}:
            raise ValueError("alg: none needs no other key; nothing is signed")
        return Scheme("none", places={})
    missing = [key for key in ("encode", "over", "at") if key not in row]
    if missing:
        raise ValueError(f"a signature by {alg} needs {', '.join(missing)} as well")
    over = _over(row["over"])
    places = _places(row["at"])
    used = _roles(over)
    for role in sorted(used - places.keys()):
        raise ValueError(
            f"{{{role}}} is signed, and `at` does not say where it is; write at: {{signature: …, {role}: header:X-Name}}"
        )
    tolerance: timedelta | None = row.get("tolerance")
    if tolerance is not None and "timestamp" not in places:
        raise ValueError("tolerance looks at a timestamp, and `at` does not say where it is")
    return Scheme(
        alg,
        str(row["encode"]),
        over,
        str(row.get("quote") or "none"),
        places,
        tolerance,
        str(row.get("stamp") or "seconds"),
    )


def _over(given: Json) -> Template | SortedFields:
    if isinstance(given, str):
        return read_template(given)
    if not isinstance(given, dict) or "sorted" not in given:
        raise ValueError('over is a text such as "{timestamp}.{body}", or {sorted: form, …}')
    unknown = set(given) - {"sorted", "except", "pair", "join", "empty", "before", "after"}
    if unknown:
        raise ValueError(
            f"{min(unknown)!r} is not known beside sorted; there are except, pair, join, empty, before, after"
        )
    of, values = given["sorted"], ()
    if isinstance(of, list):
        of, values = "values", tuple(read_template(str(one)) for one in of)  # type: ignore[assignment]
    elif of not in ("form", "query", "json"):
        raise ValueError("sorted is form, query, json, or a list of templates")
    without = given.get("except") or []
    if not isinstance(without, list) or not all(isinstance(name, str) for name in without):
        raise ValueError("except is a list of names, such as [sign]")
    if given.get("empty") not in (None, "keep", "skip"):
        raise ValueError("empty is keep or skip")
    return SortedFields(
        str(of),
        values,
        frozenset(str(name) for name in without),
        str(given.get("pair", "=")),
        str(given.get("join", "&")),
        given.get("empty") == "skip",
        read_template(str(given.get("before") or "")),
        read_template(str(given.get("after") or "")),
    )


def _places(given: Json) -> dict[str, Spot]:
    """By role. The short form says where the signature is; the timestamp lies beside it."""
    if isinstance(given, str):
        signature = read_spot(given)
        beside = Spot("header", "x-timestamp") if signature.kind == "header" else Spot(signature.kind, "timestamp")
        return {"signature": signature, "timestamp": beside}
    if not isinstance(given, dict) or "signature" not in given:
        raise ValueError(
            "at is a place such as header:X-Signature, or {signature: …, timestamp: …, nonce: …, id: …, key: …}"
        )
    unknown = set(given) - set(ROLES)
    if unknown:
        raise ValueError(f"{min(unknown)!r} is not known in at; there are {', '.join(ROLES)}")
    return {role: read_spot(str(spot)) for role, spot in given.items()}


def _roles(over: Template | SortedFields) -> set[str]:
    parts = (
        [*over]
        if isinstance(over, tuple)
        else [*over.before, *over.after, *(part for one in over.values for part in one)]
    )
    return {part.name for part in parts if isinstance(part, Word)} & {"timestamp", "nonce", "id", "key"}
