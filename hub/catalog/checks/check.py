"""What a workspace must prove before it goes live: samples pass or fail as they say, examples hold, routes lead
somewhere and end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hub.catalog.catalog import Catalog
from hub.catalog.checks import signed, sunsets
from hub.catalog.checks.conditions import conditions
from hub.catalog.checks.trials import EXAMPLE_TIME, example_faults, trial_faults, with_examples
from hub.catalog.checks.typing import types
from hub.catalog.checks.witnesses import large_numbers
from hub.catalog.files import calls, lock, upgrades
from hub.catalog.files.revision import samples
from hub.catalog.workspace import read_json
from hub.catalog.yaml import ignore
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import Document, place_at, read_yaml
from hub.core.config.routing import Route
from hub.core.message import Json, Ref
from hub.core.schemas.contract import Contract

_SAMPLE = re.compile(r"adapters/([^/]+)/samples/(.+)\.v([1-9][0-9]{0,3})/[^/]+\.json")


def prove(catalog: Catalog, files: Mapping[str, str], findings: Findings) -> None:
    """All proofs that need a whole catalogue. Run only where reading found no error: a proof of half a workspace proves
    nothing.
    """
    payloads = _samples(catalog, files, findings)
    _examples(catalog, files, payloads, findings)
    document = read_yaml("routes.yaml", files["routes.yaml"])
    _trials(catalog, document, payloads, findings)
    good = ((sample_ref(name), payload) for name, payload in payloads.items() if not name.endswith(".bad.json"))
    types(catalog, findings, large_numbers(good))
    conditions(catalog, {"routes.yaml": document}, findings)
    calls.judge(catalog, findings)
    _unreached(catalog, findings)
    _unused(catalog, findings)
    _unasked(catalog, findings)
    _loops(catalog, document, findings)
    _untold(catalog, document, findings)
    upgrades.judge(catalog, findings)
    sunsets.judge(catalog, findings)
    signed.judge(catalog, files, findings)
    lock.judge(files, findings)
    lock.remind(catalog, files, findings)
    ignore.apply(files, findings)


def _samples(catalog: Catalog, files: Mapping[str, str], findings: Findings) -> dict[str, Json]:
    payloads: dict[str, Json] = {}
    for name, text in samples(files).items():
        found = _SAMPLE.fullmatch(name)
        contract = catalog.contract(Ref(found[1], found[2], int(found[3]))) if found else None
        before = len(findings.found)
        payload = read_json(name, text, findings)
        if len(findings.found) > before:
            continue
        if found is None or contract is None:
            findings.add(
                name,
                (1, 1),
                Check.UNDECLARED_CONTRACT,
                "it belongs to no declared version",
                "name its folder message.v1, as the contract is named",
            )
            continue
        payloads[name] = payload
        if name.endswith(".bad.json"):
            _bad_sample(name, payload, contract, findings)
        else:
            for fault in contract.check(payload):
                place = _place(text, fault.pointer)
                findings.add(
                    name,
                    place,
                    Check.SAMPLE_FAILS,
                    f"{fault.pointer or '/'} is {fault.got}, wanted {fault.want}",
                    fault.fix,
                )
    return payloads


def _bad_sample(name: str, payload: Json, contract: Contract, findings: Findings) -> None:
    said = payload.get("//") if isinstance(payload, dict) else None
    if not isinstance(said, str) or not said.startswith("/"):
        findings.add(
            name,
            (1, 1),
            Check.BAD_SAMPLE_PASSES,
            "it does not say where it must fail",
            '"//": "/items/0/quantity minimum"',
        )
        return
    assert isinstance(payload, dict)
    pointer = said.split()[0].rstrip("/")
    faults = contract.check({key: value for key, value in payload.items() if key != "//"})
    if not any(fault.pointer == pointer for fault in faults):
        where = ", ".join(fault.pointer or "/" for fault in faults) or "nowhere"
        findings.add(
            name,
            (1, 1),
            Check.BAD_SAMPLE_PASSES,
            f"it must fail at {pointer or '/'}, and fails {'at ' if faults else ''}{where}",
            "mend the sample or the contract",
        )


def _place(text: str, pointer: str) -> tuple[int, int]:
    at = 0
    for step in pointer.strip("/").split("/"):
        found = re.compile(rf'"{re.escape(step)}"\s*:').search(text, at)
        at = found.start() if found else at
    return place_at(text, at)


def _examples(catalog: Catalog, files: Mapping[str, str], payloads: Mapping[str, Json], findings: Findings) -> None:
    for file, mapping, contract in with_examples(catalog):
        if mapping.examples:
            document = read_yaml(file, files[file])
            for number, example in enumerate(mapping.examples):
                for one in example_faults(mapping, contract, example, payloads):
                    findings.add(file, document.place(("examples", number)), one.code, one.text, one.fix)


def _trials(catalog: Catalog, document: Document, payloads: Mapping[str, Json], findings: Findings) -> None:
    samples_by_path = {name: (sample_ref(name), payload) for name, payload in payloads.items()}
    for route in catalog.routes:
        for number, test in enumerate(route.tests):
            for one in trial_faults(catalog, route, test, samples_by_path, EXAMPLE_TIME):
                findings.add(
                    document.file, document.place(("routes", route.name, "tests", number)), one.code, one.text, one.fix
                )


def sample_ref(name: str) -> Ref:
    """The message that a sample is of, by its path."""
    found = _SAMPLE.fullmatch(name)
    assert found is not None
    return Ref(found[1], found[2], int(found[3]))


def _unreached(catalog: Catalog, findings: Findings) -> None:
    """A message that a system accepts and that nothing leads to: meant for something, or a leftover. Only where the
    system is reached at all.
    """
    reached = {to.ref.type for route in catalog.routes for to in route.to} | {
        one.call.type for route in catalog.routes for one in route.enrich
    }
    reached |= {
        route.sync.answer.type for route in catalog.routes if route.sync is not None and route.sync.answer is not None
    }
    for system in catalog.systems.values():
        if not any(type_.startswith(f"{system.name}/") for type_ in reached):
            continue
        for name in system.accepts:
            if f"{system.name}/{name}" not in reached:
                document = read_yaml(
                    f"adapters/{system.name}/system.yaml", catalog.files.get(f"adapters/{system.name}/system.yaml", "")
                )
                text = f"no route leads to {system.name}/{name}"
                findings.add(
                    document.file,
                    document.place(("accepts", name)),
                    Check.UNREACHED,
                    text,
                    "add a route, or take it out",
                )


def _unasked(catalog: Catalog, findings: Findings) -> None:
    """What may be asked by GET must have an answer: a sync route that takes it."""
    asked = {route.source for route in catalog.routes if route.sync is not None}
    for system in catalog.systems.values():
        for name, emit in system.emits.items():
            if emit.get and emit.type not in asked:
                file = f"adapters/{system.name}/system.yaml"
                place = read_yaml(file, catalog.files.get(file, "")).place(("emits", name, "get"))
                findings.add(
                    file,
                    place,
                    Check.EXCLUDES,
                    f"{emit.type} may be asked by GET, and no sync route answers it",
                    "add a route with mode: sync, or take it out",
                )


def _unused(catalog: Catalog, findings: Findings) -> None:
    """A mapping of a foreign body that no hook and no queue uses: a leftover, or a slip in its `map`."""
    reads = [one.reads for system in catalog.systems.values() for one in system.hooks.values()]
    reads += [one.reads for system in catalog.systems.values() for one in system.queues.values()]
    used = {read.mapping_name for part in reads for read in part}
    for name in catalog.foreign.keys() - used:
        findings.add(
            f"mappings/{name}.yaml",
            (1, 1),
            Check.UNREACHED,
            f"no hook and no queue uses {name}",
            f"write map: {name} in one, or remove the file",
        )


def _untold(catalog: Catalog, document: Document, findings: Findings) -> None:
    """A level at which dead letters are to be told, while nobody is told: who wrote it would rely on it."""
    for route in catalog.routes:
        if route.alert:
            text = f"alert: {route.alert} is kept and shown, and nobody is told by it in this version"
            place = document.place(("routes", route.name, "alert"))
            findings.add(
                document.file, place, Check.NOT_TOLD, text, "watch deploy/prometheus/alerts.yaml, or take it out"
            )


def _loops(catalog: Catalog, document: Document, findings: Findings) -> None:
    """A reply that leads, by routes and replies alone, back to the message that caused it goes round until the hop
    count cuts it.
    """
    edges: dict[str, list[tuple[str, Route, int, bool]]] = {}
    for route in catalog.routes:
        for index, to in enumerate(route.to):
            if to.reply:
                is_certain = route.when is None and route.drop is None and to.when is None
                edges.setdefault(route.source, []).append((to.reply.partition("@")[0], route, index, is_certain))
    told: set[frozenset[str]] = set()
    for start in edges:
        for way, is_certain, route, index in _ways(edges, start):
            ring = frozenset(way)
            if ring in told:
                continue
            told.add(ring)
            code = Check.LOOP if is_certain else Check.MAY_LOOP
            place = document.place(("routes", route.name, "to", index))
            findings.add(
                document.file,
                place,
                code,
                "messages go round: " + " → ".join([*way, start]),
                "break the ring, or guard it by a condition",
            )


def _ways(
    edges: Mapping[str, list[tuple[str, Route, int, bool]]], start: str
) -> Iterator[tuple[list[str], bool, Route, int]]:
    stack: list[tuple[str, list[str], bool]] = [(start, [start], True)]
    while stack:
        here, way, certain = stack.pop()
        for there, route, index, is_certain in edges.get(here, ()):
            if there == start:
                yield way, certain and is_certain, route, index
            elif there not in way and len(way) < 32:
                stack.append((there, [*way, there], certain and is_certain))
