"""A page per message, in Markdown: what it is for, its versions, fields and samples, what changed between versions, and
what may go wrong.

For wikis and for people. Whatever comes from a contract or a sample is escaped: a pattern's `|` ends no cell, and
nothing becomes a link or a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from hub.core import json
from hub.core.apidocs.interface import Examples, made
from hub.core.config.system import Accept, Emit, System
from hub.core.message import Json, Ref
from hub.core.model.error_catalogue import MEANINGS
from hub.core.schemas.change_effects import Effect
from hub.core.schemas.compat import compare
from hub.core.schemas.contract import Contract
from hub.core.schemas.fields import Field, beyond, fields, takes_others

_EFFECTS = {
    Effect.NARROWS: "breaks senders",
    Effect.WIDENS: "new for receivers",
    Effect.MAY_NARROW: "may break senders: look at it",
    Effect.MAY_WIDEN: "may be new for receivers: look at it",
    Effect.SAME: "",
    Effect.UNDECIDED: "look at it",
}
_SPECIAL = re.compile(r"([\\`*_\[\]<>#&~])")
_ANSWERS = (
    ("2xx", "{taken} The same Idempotency-Key again means the same delivery again: answer it as the first time."),
    ("408, 425, 429", "Later: the hub sends it again, not before Retry-After says."),
    (
        "409, 423",
        "With a Retry-After, or after a try whose outcome the hub did not see: still under way, and it comes again. Else refused for good.",
    ),
    ("any other 4xx, 3xx", "Refused for good; a person looks at it. Redirects are not followed."),
    (
        "5xx, or nothing that can be reached",
        "Later: the hub sends it again under the same Idempotency-Key, not before Retry-After says.",
    ),
    (
        "nothing, after it was sent",
        "In doubt: what happens then is agreed per target. Most are sent it again under the same Idempotency-Key.",
    ),
)


def pages(system: System, examples: Examples, refused: Examples | None = None) -> dict[str, str]:
    """File name → Markdown: for each message of a system, and a list of them. `refused`: samples that do not fit, to
    show what is answered to them.
    """
    messages: dict[str, Emit | Accept] = {**system.emits, **system.accepts}
    made_of = {
        f"{system.name}.{name}.md": _page(system, name, message, examples, refused or {})
        for name, message in messages.items()
    }
    return {f"{system.name}.md": _list(system), **made_of}


def _list(system: System) -> str:
    """What the system posts and what it is called with, each with a link to its page."""
    parts = [f"# {text(system.title)}", "", f"Owner: {text(system.owner)}."]
    for head, messages in (("What it posts to the hub", system.emits), ("What the hub calls it with", system.accepts)):
        rows = [
            (f"[{name}]({system.name}.{name}.md)", _live(message), text(message.about))
            for name, message in messages.items()
        ]
        parts += ["", f"## {head}", "", *table(("message", "versions", "what for"), rows)] if rows else []
    return "\n".join(parts) + "\n"


def _live(message: Emit | Accept) -> str:
    return ", ".join(f"{number} ({version.state.value})" for number, version in sorted(message.versions.items()))


def _page(system: System, name: str, message: Emit | Accept, examples: Examples, refused: Examples) -> str:
    lines = [f"# {text(system.title)}: {name}", "", text(message.about), "", *_way(system, name, message), ""]
    versions = sorted(message.versions.items())
    lines += table(
        ("version", "state", "since", "until"),
        [(str(number), one.state.value, text(one.since), text(one.sunset)) for number, one in versions],
    )
    for number in sorted(message.contracts, reverse=True):
        ref, contract = Ref(system.name, name, number), message.contracts[number]
        lines += ["", f"## Version {number}", "", *_fields(contract), *_samples(examples.get(ref) or made(contract))]
        lines += _refused(contract, refused.get(ref) or {}) if isinstance(message, Emit) else ()
    lines += [*_changes(message.contracts), "", *(_errors() if isinstance(message, Emit) else _answers(message))]
    return "\n".join(lines) + "\n"


def _way(system: System, name: str, message: Emit | Accept) -> list[str]:
    if isinstance(message, Accept):
        return [f"The hub calls {code(f'{message.method} {message.path}')}."]
    path = f"{system.name}/{name}"
    return [
        f"`POST /api/v{{N}}/{path}`, many at once `POST /api/v{{N}}/{path}/batch` (a JSON array, or NDJSON).",
        "",
        f"The version may stand in `API-Version: N` or `Accept: application/vnd.crossdock.vN+json` instead, on `POST /api/{path}`.",
    ]


def _fields(contract: Contract) -> list[str]:
    known = fields(contract)
    has_words = any(one.about for one in known)
    head = ("field", "kind", "required", "values and limits", *(("meaning",) if has_words else ()))
    lines = table(head, [(*_cells(one), *((text(one.about),) if has_words else ())) for one in known])
    others = "Other fields are let through." if takes_others(contract) else "Other fields are refused."
    rules = [f"- {text(sentence)}: {code(rule.text)}" for rule, sentence in contract.rules]
    more = (
        [f"The schema binds the whole message besides, by its {', '.join(map(code, beyond(contract)))}."]
        if beyond(contract)
        else []
    )
    return [
        *lines,
        "",
        " ".join([others, *more]),
        *(["", "What must hold between fields:", "", *rules] if rules else ()),
    ]


def _cells(one: Field) -> tuple[str, ...]:
    words = [", ".join(map(code, one.values))] if one.values else []
    words += [f"of the form {code(pattern)}" for pattern in one.patterns]
    return code(one.path), one.kind, "yes" if one.is_required else "", "; ".join([*words, *map(text, one.limits)])


def _samples(samples: Mapping[str, Json]) -> Iterator[str]:
    for case, value in samples.items():
        yield from ("", f"A message ({text(case)}):", "", "```json", json.readable(value), "```")


def _refused(contract: Contract, samples: Mapping[str, Json]) -> Iterator[str]:
    """What is answered to messages that do not fit: the details of the refusal, as they would come."""
    for case, value in samples.items():
        faults = contract.check(value)
        if faults:
            rows = [(code(one.pointer), text(one.got), text(one.want), text(one.fix)) for one in faults]
            yield from ("", f"Refused ({text(case)}):", "", *table(("pointer", "got", "want", "fix"), rows))


def _changes(contracts: Mapping[int, Contract]) -> Iterator[str]:
    """What changed from each version to the next, in plain words."""
    for before, after in pairwise(sorted(contracts)):
        found = compare(contracts[before], contracts[after])
        yield from ("", f"## From version {before} to {after}", "")
        yield from (
            f"- {code(one.pointer or '/')}: {text(one.text)}"
            + (f" ({_EFFECTS[one.effect]})" if _EFFECTS[one.effect] else "")
            for one in found.changes
        )


def _errors() -> list[str]:
    """What a sender may be answered instead of a receipt."""
    rows = [
        (str(one.status), str(int(one)), code(one.label), text(meaning.title), text(meaning.do))
        for one, meaning in MEANINGS.items()
    ]
    words = "Whatever is not 2xx was not accepted; after a 5xx it may have been, so send the same again under the same key: nothing is stored twice."
    return ["## Errors", "", words, "", *table(("status", "code", "name", "meaning", "what to do"), rows)]


def _answers(message: Accept) -> list[str]:
    """What the hub makes of the system's answers."""
    taken = "Taken."
    if message.success is not None:
        taken = f"Taken, where {code(message.success.text)} holds of its status, headers and body; else refused for good, and a person looks at it."
    rows = [(status, words.replace("{taken}", taken)) for status, words in _ANSWERS]
    known = (
        [(f"any, where {code(message.already.text)} holds", "Known already: taken.")]
        if message.already is not None
        else []
    )
    if message.again is not None:
        known.append(
            (
                f"any other, where {code(message.again.text)} holds",
                "Busy: the hub sends it again, not before Retry-After says.",
            )
        )
    return [
        "## Answers",
        "",
        "What the hub makes of the system's answer:",
        "",
        *table(("answer", "what becomes of it"), [*known, *rows]),
    ]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a table. Cells are Markdown already, but for `|`: it ends a cell even between backticks, unless it
    is escaped.
    """
    names = tuple(head)
    lines = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names), *(f"| {' | '.join(line)} |" for line in lines)]


def text(words: str) -> str:
    """Words as they stand, whatever signs are in them; on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))


def code(words: str) -> str:
    """Words as code, on one line, whatever backticks are in them."""
    if not words:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", words)), default=0) + 1)
    pad = " " if words[0] == "`" or words[-1] == "`" else ""
    return f"{fence}{pad}{' '.join(words.splitlines())}{pad}{fence}"
