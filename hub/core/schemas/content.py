"""Content: whether two messages say the same, however they are written. Pure.

Over the decoded value, not over its bytes: white space, the order of names and the spelling of a number (1, 1.0, 1E+0)
say nothing. The order of a list does, and so does a field that is null instead of missing.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Context, Decimal

from hub.core import json
from hub.core.message import Json, Ref
from hub.core.schemas.integers import plain

_DIGITS = 30  # hexadecimal, of each hash: 120 bits
_FRACTION = re.compile(rb"[0-9][.eE]")
_EXACT = Context(prec=json.MAX_DIGITS)


def fingerprint(*readings: tuple[Ref | str, Json]) -> str:
    """Of one content, in each of the forms that it is known in: a version, or a word for another form. At most 64
    characters for two.
    """
    return ".".join(dict.fromkeys(_hash(ref, payload) for ref, payload in readings))


def is_same(one: str, other: str) -> bool:
    """Whether two fingerprints are of one content: they agree in a version that both are known in."""
    return not set(one.split(".")).isdisjoint(other.split("."))


def _hash(ref: Ref | str, payload: Json) -> str:
    written = json.canonical(payload)
    if _FRACTION.search(written):  # in a number, or in a text: then the slow way was for nothing
        written = json.canonical(plain_numbers(payload))
    return hashlib.sha256(f"{ref}\n".encode() + written).hexdigest()[:_DIGITS]


def plain_numbers(value: Json) -> Json:
    """The same value, each number in the one spelling of its value."""
    match value:
        case Decimal():
            found = plain(value)
            return found.normalize(_EXACT) if isinstance(found, Decimal) else found
        case dict():
            return {name: plain_numbers(member) for name, member in value.items()}
        case list():
            return [plain_numbers(member) for member in value]
        case _:
            return value
