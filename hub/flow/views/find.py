"""Search: finds messages by any identifier or by words of error texts, with filters; counts the matches; stores named
searches.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hub.core import json
from hub.core.errors import Code, Refused
from hub.core.message import Json
from hub.flow.answers import messages as answers
from hub.flow.answers.fields import fill
from hub.flow.hub import Hub
from hub.flow.views import trace
from hub.store import Store
from hub.store.queries.search import Filters, Place, SearchPage

MAX_WORDS = 20
PAGE = 50


@dataclass(frozen=True, slots=True)
class Question:
    """A search: a text and filters. Both must match."""

    text: str = ""
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search after its text was interpreted."""

    filters: Filters
    by: str  # number, words, filters
    kinds: Mapping[str, Json]  # per word its kind of identifier: key, message, delivery, trace, idempotency; null: none
    clusters: Sequence[str] = ()


def filters(*, target: str | None = None, **values: Any) -> Filters:
    """Filters by name; `target` is a system, or one of its messages such as wms/outbound.create@1."""
    is_message = target is not None and "/" in target
    return Filters(lane=None if is_message else target, target=target if is_message else None, **values)


def words_of(text: str) -> list[str]:
    """The words of a search text; a quoted text is one word."""
    try:
        return shlex.split(text)[:MAX_WORDS]
    except ValueError:  # an unclosed quote is an ordinary character
        return text.split()[:MAX_WORDS]


def _understood(store: Store, question: Question) -> _Asked:
    """Interprets each word as an identifier; several identifiers give all their messages. If no word is an identifier,
    all words search error texts.
    """
    words = words_of(question.text)
    if not words:
        return _Asked(question.filters, "filters", {})
    ids: set[str] = set()
    kinds: dict[str, Json] = {}
    for word, kind_by_id in store.messages_of_each(words).items():
        kinds[word] = next(iter(kind_by_id.values()), None)
        ids |= set(kind_by_id)
    if not ids and len(words) > 1:  # an identifier may contain a space
        kind_by_id = store.messages_of(question.text)
        ids, kinds = set(kind_by_id), {question.text: next(iter(kind_by_id.values()))} if kind_by_id else kinds
    if ids:
        return _Asked(replace(question.filters, ids=frozenset(ids)), "number", kinds)
    allowed = question.filters.clusters
    clusters = tuple(cluster.id for cluster in store.clusters_with(words) if allowed is None or cluster.id in allowed)
    return _Asked(replace(question.filters, clusters=clusters), "words", kinds, clusters)


def find(store: Store, question: Question, *, limit: int = PAGE, place: str | None = None) -> answers.FoundMessages:
    """A page of messages, newest first, each with its deliveries (see trace.message_json; attempts are left out).

    `by`: number, words or filters. `words`: per word of the box the kind of number that it is; null: none. `clusters`:
    the causes whose text has all of the words. `next` and `previous`: hand one back as `place`; null: there is nothing
    beyond. `scannedUntil`: the search did enough work before the page was full; what is older was not looked at yet,
    and `next` goes on there. Words are looked for in what waits for a person alone. Raises ValueError for a `place`
    that is none.
    """
    asked = _understood(store, question)
    at, is_older = _place(place)
    page = store.find(asked.filters, limit=limit, place=at, is_older=is_older)
    lines = store.deliveries(*(row.id for row in page.rows))
    items = [trace.message_json(row, [line for line in lines if line.message_id == row.id], []) for row in page.rows]
    following, previous = _ends(page, place, is_older=is_older)
    return {
        "items": items,
        "by": asked.by,
        "words": dict(asked.kinds),
        "clusters": list(asked.clusters),
        "next": following,
        "previous": previous,
        "scannedUntil": page.scanned_until.isoformat() if page.scanned_until is not None else None,
    }


def count(store: Store, question: Question) -> answers.Count:
    """The number of matches: `number`, `isExact` (false: at least so many), `scannedUntil` (null: all were searched),
    `by`.
    """
    asked = _understood(store, question)
    counted = store.count_found(asked.filters)
    return fill(answers.Count, counted, by=asked.by)


def counted(hub: Hub, question: Question) -> answers.Count:
    """The same, cached: counting ten thousand messages takes a moment."""
    return hub.shelf.at(f"count {question}", lambda: count(hub.store, question)).get()


def save_view(hub: Hub, *, name: str, owner: str, question: Mapping[str, Json], by: str) -> str:
    """Stores a search under a name; replaces one of the same owner and name. Gives its id. Raises Refused if the owner
    has too many.
    """
    try:
        return hub.store.save_view(hub.new_id(), name=name, owner=owner, question=question, by=by)
    except ValueError as error:
        raise Refused(Code.CONFLICT, str(error)) from error


def delete_view(hub: Hub, view_id: str, *, owner: str) -> None:
    """Deletes a shared search, or one of `owner`. Raises Refused if there is none."""
    if not hub.store.delete_view(view_id, owner=owner):
        raise Refused(Code.NOT_FOUND, "There is no such view.")


def _ends(page: SearchPage, place: str | None, *, is_older: bool) -> tuple[str | None, str | None]:
    """The cursors of the next and the previous page."""
    older = page.has_more if is_older else True
    newer = place is not None if is_older else page.has_more
    following = _written(page.last, "older") if page.last is not None and older else None
    return following, _written(page.first, "newer") if page.first is not None and newer else None


def _written(place: Place, side: str) -> str:
    """An opaque cursor, so that clients do not build their own."""
    text = json.encode([side, place.at.isoformat(), place.id])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _place(text: str | None) -> tuple[Place | None, bool]:
    if text is None:
        return None, True
    try:
        read = json.decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if (
            isinstance(read, list)
            and len(read) == 3
            and read[0] in ("older", "newer")
            and all(isinstance(part, str) for part in read)
        ):
            at = datetime.fromisoformat(str(read[1]))
            if at.tzinfo is not None:
                return Place(at, str(read[2])), read[0] == "older"
    except (ValueError, Refused):
        pass
    raise ValueError("This is no place in a list; hand back `next` or `previous` as they were given.")
