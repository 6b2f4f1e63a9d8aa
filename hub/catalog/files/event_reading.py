"""`read:` of a hook or a queue: what an event is, which message it becomes, and by what a repeat is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.catalog.files.mappings import REF, MappingFile
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings, did_you_mean
from hub.catalog.yaml.leaves import Formula, Text, Word
from hub.catalog.yaml.shape import Key, Record
from hub.catalog.yaml.yaml_documents import Document, Path
from hub.core.config.events import EventReader
from hub.core.config.system import LIVE, System
from hub.core.message import Ref

_REPEATS = {"repeats": Key(Word(("content",)), "content: what says the same is a repeat; in place of id")}


def shape(over: str, spots: str, example: str, *, of_queue: bool = False) -> Record:
    """The keys of `read`. `over`: what its conditions see. `spots`: the kinds of places where the JSON may lie.
    `of_queue`: a delivery may be known by itself.
    """
    default = "the broker's message id, or this delivery alone" if of_queue else "its request alone"
    return Record(
        {
            "when": Key(Formula(), f"only if this holds, over {over}"),
            "from": Key(
                Text(want=f"a place such as {example}", pattern=rf"({spots}):[^\s{{}}#]{{1,200}}"),
                "where the JSON lies",
            ),
            "each": Key(Formula(), "a list in it: each element is an event"),
            "emit": Key(REF, "the message that an event becomes, such as tms/shipment.status@1"),
            "map": Key(
                Text(
                    want="the name of a mapping, such as kuaidi100-push--track-event",
                    pattern=r"[a-z0-9][a-z0-9.-]{0,150}",
                ),
                "mappings/<name>.yaml",
            ),
            "id": Key(
                Formula(is_identity=True),
                f"the partner's id of the event, by which a repeat is known; default: {default}",
            ),
            "skip": Key(Text(), "why such an event is acknowledged and not kept; in place of emit"),
            **_REPEATS,
        },
        what="read",
        excludes=(("skip", "emit"), ("skip", "each"), ("skip", "map"), ("id", "repeats")),
    )


READ = shape("{method, query, headers, form, body}", "form|json|query|header", "form:param or json:msg")


def read(
    owner: str,
    rows: tuple[list[Any], bool] | None,
    foreign: Mapping[str, MappingFile],
    document: Document,
    at: Path,
    findings: Findings,
) -> tuple[EventReader, ...]:
    """`rows`: one of them or a list, and whether it was written as one. `owner`: the hook or queue that they stand
    in.
    """
    found, is_list = rows or ([], False)
    places: list[tuple[Any, Path]] = [
        (row, (*at, index) if is_list else at) for index, row in enumerate(found) if row is not None
    ]
    return tuple(_read(owner, row, foreign, document, place, findings) for row, place in places)


def _read(
    owner: str,
    row: dict[str, Any],
    foreign: Mapping[str, MappingFile],
    document: Document,
    at: Path,
    findings: Findings,
) -> EventReader:
    def fault(place: Path, code: Check, text: str, fix: str) -> None:
        findings.add(document.file, document.place(place), code, text, fix)

    emit = Ref.parse(row["emit"]) if row.get("emit") else None
    if emit is None and not row.get("skip") and "emit" not in row:
        fault(
            at,
            Check.MISSING_KEY,
            "read has neither emit nor skip",
            "add emit: system/message@1, or skip: why it is not kept",
        )
    name = row.get("map") or ""
    file = foreign.get(name)
    if name and file is None:
        fault((*at, "map"), Check.MISSING_FILE, f"there is no mappings/{name}.yaml", did_you_mean(name, foreign))
    elif file is not None and emit is not None and file.target != emit:
        fault(
            (*at, "map"),
            Check.FILE_NAME,
            f"{name} makes {file.target}, and {owner} emits {emit}",
            f"emit: {file.target}, or another mapping",
        )
    mapping = file.mapping if file is not None else None
    return EventReader(
        emit,
        row.get("when"),
        row.get("from") or "",
        row.get("each"),
        row.get("id"),
        mapping,
        name,
        row.get("skip") or "",
        row.get("repeats") == "content",
    )


def judge(
    reads: Sequence[EventReader], systems: Mapping[str, System], document: Document, at: Path, findings: Findings
) -> None:
    """What they emit is there, and live."""
    for index, one in enumerate(reads):
        if one.emit is not None:
            _judge_emit(one.emit, systems, document, (*at, index, "emit"), findings)


def _judge_emit(ref: Ref, systems: Mapping[str, System], document: Document, at: Path, findings: Findings) -> None:
    place = document.place(at)
    system = systems.get(ref.system)
    if system is None:
        findings.add(
            document.file,
            place,
            Check.UNKNOWN_SYSTEM,
            f"there is no system {ref.system}",
            did_you_mean(ref.system, systems),
        )
        return
    emit = system.emits.get(ref.name)
    if emit is None:
        findings.add(
            document.file,
            place,
            Check.UNKNOWN_MESSAGE,
            f"{ref.system} emits no {ref.name}",
            did_you_mean(ref.name, system.emits),
        )
    elif ref.version not in emit.versions:
        known = [str(one) for one in emit.versions]
        findings.add(
            document.file,
            place,
            Check.UNKNOWN_VERSION,
            f"{ref.type} has no version {ref.version}",
            did_you_mean(str(ref.version), known),
        )
    elif emit.versions[ref.version].state not in LIVE:
        findings.add(
            document.file,
            place,
            Check.RETIRED_TARGET,
            f"{ref} is {emit.versions[ref.version].state}",
            "emit a live version",
        )
