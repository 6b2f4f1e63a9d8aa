"""A cluster: what waits for a person for one and the same cause. Values and pure functions; the store counts what is in
each.

The cause is the route, the target, the version of the message, the class of the error, its code and field, and the
shape of its text: what is left of it without numbers, ids and quoted values. So ten thousand orders that a target
refuses with one sentence are one line.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from hub.core.errors import Cause, Reason
from hub.core.message import Ref

MAX_SHAPE = 200  # characters
# of one route, target, class, code and field: a target that says something else each time is one cluster from then on
MAX_SHAPES = 50

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|“[^”]*”|「[^」]*」|`[^`]*`")
_NUMBERED = re.compile(r"[A-Za-z0-9_.:@/+-]*[0-9][A-Za-z0-9_.:@/+-]*", re.ASCII)
_REPEATED = re.compile(r"#(?:[\s,;]*#)+")
_ELEMENT = re.compile(r"/[0-9]+(?=/|$)", re.ASCII)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ClusterKey:
    """Why deliveries wait. `code`: the target's HTTP status, where it answered. `field`: the target's field to blame,
    `*` for whichever element.
    """

    route: str
    target: Ref
    source: Ref
    reason: Reason
    code: int | None
    field: str
    shape: str

    @property
    def coarse(self) -> str:
        """The same without the text, as a hash."""
        return _hash(
            self.route, str(self.target), str(self.source), self.reason.value, str(self.code or ""), self.field
        )

    @property
    def id(self) -> str:
        """What the cluster is known by: 16 hexadecimal digits, the same in all processes and for ever."""
        return _hash(self.coarse, self.shape)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cause with what is known of it. `sample`: the first text as it was. `first_at`: when it first came up, also if
    that was mended long ago.
    """

    id: str
    cause: ClusterKey
    sample: str
    fix: str
    first_at: datetime
    last_at: datetime


def cause_of(route: str, target: Ref, source: Ref, why: Cause, code: int | None) -> ClusterKey:
    """The cause of one delivery that waits."""
    return ClusterKey(route, target, source, why.reason, code, _ELEMENT.sub("/*", why.field), shape_of(why.text))


def shape_of(text: str) -> str:
    """A text without what differs from one message to the next: quoted values are …, words with digits are #."""
    text = _NUMBERED.sub("#", _QUOTED.sub("…", text))
    return _SPACE.sub(" ", _REPEATED.sub("#", text)).strip()[:MAX_SHAPE]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
