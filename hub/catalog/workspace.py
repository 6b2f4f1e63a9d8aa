"""From files to a catalogue: every file read, every name resolved. All findings at once; one mistake is one finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hub.catalog import mapping_paths
from hub.catalog.catalog import Catalog, by_source
from hub.catalog.files import hooks as hook_files
from hub.catalog.files import mappings as mapping_files
from hub.catalog.files import queues as queue_files
from hub.catalog.files import routes as route_files
from hub.catalog.files import system as system_files
from hub.catalog.files.mappings import MappingFile
from hub.catalog.files.revision import content, hash_of
from hub.catalog.files.routes import RouteFile, RoutesFile, Wish
from hub.catalog.files.system import Contracts, live
from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings, did_you_mean
from hub.catalog.yaml.yaml_documents import Document, place_at, read_yaml
from hub.core import json
from hub.core.config.mapping import BadMapping, compile_mapping
from hub.core.config.routing import Destination, Enrich, Route
from hub.core.config.system import LIVE, Accept, System
from hub.core.errors import Refused
from hub.core.message import Json, Ref
from hub.core.model.delivery import InDoubtPolicy
from hub.core.schemas.contract import Contract, compile_contract

_CONTRACT = re.compile(r"adapters/([^/]+)/contracts/(.+)\.v([1-9][0-9]{0,3})\.json")
_SYSTEM = re.compile(r"adapters/([^/]+)/system\.yaml")
_TABLE = re.compile(r"mappings/tables/([^/]+)\.yaml")
_POSITION = re.compile(r"(?:position|byte) (\d+)")


def assemble(files: Mapping[str, str], findings: Findings) -> Catalog:
    """The catalogue as far as it can be understood. It is sound only if `findings` has no error."""
    shared = _tables(files, findings)
    foreign = _foreign(files, shared, findings)
    systems = _systems(files, foreign, findings)
    known = _mappings(files, systems, shared, findings)
    document = _document("routes.yaml", files.get("routes.yaml", ""), findings) if "routes.yaml" in files else None
    written = route_files.read(document, findings) if document is not None else None
    routes = tuple(_routes(written, systems, known, findings)) if written is not None else ()
    if written is not None:
        _judge_probes(written, routes, systems, findings)
        for name in written.targets:
            if name not in systems:
                findings.add(
                    "routes.yaml",
                    written.document.place(("targets", name)),
                    Check.UNKNOWN_SYSTEM,
                    f"there is no system {name}",
                    did_you_mean(name, systems),
                )
    _drop_consequences(files, systems, findings)
    kept = content(files)
    return Catalog(
        revision=hash_of(kept),
        files=kept,
        systems=systems,
        routes=routes,
        targets=dict(written.targets) if written is not None else {},
        mappings={pair: found.mapping for pair, found in known.items() if found.mapping is not None},
        foreign={name: found.mapping for name, found in foreign.items() if found.mapping is not None},
        warnings=tuple(findings.warnings),
        _routes_from=by_source(routes),
    )


def _drop_consequences(files: Mapping[str, str], systems: Mapping[str, System], findings: Findings) -> None:
    """A system whose file cannot be read is there all the same: whoever names it made no mistake."""
    unread = {found[1] for name in files if (found := _SYSTEM.fullmatch(name)) is not None} - systems.keys()
    said = {f"there is no system {name}" for name in unread}
    findings.found[:] = [one for one in findings.found if one.code != Check.UNKNOWN_SYSTEM or one.text not in said]


def _document(name: str, text: str, findings: Findings) -> Document | None:
    document = read_yaml(name, text)
    findings.found.extend(document.faults)
    return document if document.root is not None else None


def read_json(name: str, text: str, findings: Findings) -> Json:
    """A JSON file by the one strict decoder, its fault at its line. None with a finding where it is none."""
    try:
        return json.decode(text.encode())
    except Refused as refused:
        said = " ".join([refused.text, *(fault.got for fault in refused.faults)])
        found = _POSITION.search(said)
        place = place_at(text, len(text.encode()[: int(found[1])].decode("utf-8", "ignore"))) if found else (1, 1)
        findings.add(name, place, Check.NOT_JSON, refused.text, refused.faults[0].fix if refused.faults else "")
        return None


def _systems(files: Mapping[str, str], foreign: Mapping[str, MappingFile], findings: Findings) -> dict[str, System]:
    contracts = _contracts(files, findings)
    systems: dict[str, System] = {}
    documents: dict[str, Document] = {}
    for name, text in files.items():
        found = _SYSTEM.fullmatch(name)
        if found:
            document = _document(name, text, findings)
            if document is not None:
                documents[found[1]] = document
                systems[found[1]] = system_files.read(
                    document, found[1], contracts.setdefault(found[1], Contracts()), foreign, findings
                )
    for folder, document in documents.items():
        hook_files.judge(document, systems[folder], systems, findings)
        queue_files.judge(document, systems[folder], systems, findings)
    for folder, known in contracts.items():
        if f"adapters/{folder}/system.yaml" not in files:
            findings.add(
                f"adapters/{folder}/system.yaml",
                (1, 1),
                Check.MISSING_FILE,
                f"the folder {folder} has no system.yaml",
                "write one, or remove the folder",
            )
            continue
        if folder not in systems:
            continue  # its system.yaml could not be read: what it declares is not known
        for ref in known.by_ref.keys() - known.declared:
            file = f"adapters/{folder}/contracts/{ref.name}.v{ref.version}.json"
            findings.add(
                file,
                (1, 1),
                Check.UNDECLARED_CONTRACT,
                f"{folder} declares no {ref}",
                f"add it to emits or accepts; {did_you_mean(ref.name, [one.name for one in known.declared])}",
            )
    return systems


def _contracts(files: Mapping[str, str], findings: Findings) -> dict[str, Contracts]:
    by_folder: dict[str, Contracts] = {}
    for name, text in files.items():
        found = _CONTRACT.fullmatch(name)
        if not found:
            if "/contracts/" in name and not name.endswith("versions.lock"):
                findings.add(
                    name,
                    (1, 1),
                    Check.MISPLACED_FILE,
                    "a contract's name has the form message.v1.json",
                    "rename or remove it",
                )
            continue
        ref = Ref(found[1], found[2], int(found[3]))
        by_folder.setdefault(found[1], Contracts()).by_ref[ref] = _contract(ref, name, text, findings)
    return by_folder


def _contract(ref: Ref, name: str, text: str, findings: Findings) -> Contract | None:
    before = len(findings.found)
    schema = read_json(name, text, findings)
    if len(findings.found) > before:
        return None
    try:
        return compile_contract(ref, schema)
    except ValueError as error:
        for line in str(error).splitlines():
            pointer, _, reason = line.partition(": ")
            if pointer.startswith("#"):
                findings.add(
                    name,
                    _place_of_pointer(text, pointer),
                    Check.BAD_CONTRACT,
                    f"{pointer}: {reason}",
                    "write JSON Schema 2020-12",
                )
    return None


def _place_of_pointer(text: str, pointer: str) -> tuple[int, int]:
    """The line of a pointer's last name: found by looking for the names one after the other. Good enough to put a
    cursor there.
    """
    at = 0
    for name in pointer.lstrip("#/").split("/"):
        found = re.compile(rf'"{re.escape(name)}"\s*:').search(text, at)
        at = found.start() if found else at
    return place_at(text, at)


def _foreign(
    files: Mapping[str, str], shared: dict[str, dict[str, Json]], findings: Findings
) -> dict[str, MappingFile]:
    """The mappings of what hooks and queues receive, by name."""
    known: dict[str, MappingFile] = {}
    for file, text in files.items():
        name = mapping_files.foreign_name(file)
        document = _document(file, text, findings) if name is not None else None
        found = mapping_files.read_foreign(document, shared, findings) if document is not None else None
        if name is not None and found is not None:
            known[name] = found
    return known


def _tables(files: Mapping[str, str], findings: Findings) -> dict[str, dict[str, Json]]:
    shared: dict[str, dict[str, Json]] = {}
    for name, text in files.items():
        found = _TABLE.fullmatch(name)
        document = _document(name, text, findings) if found else None
        if found and document is not None:
            shared[found[1]] = mapping_files.read_table(document, findings)
    return shared


def _mappings(
    files: Mapping[str, str], systems: Mapping[str, System], shared: dict[str, dict[str, Json]], findings: Findings
) -> dict[tuple[Ref, Ref], MappingFile]:
    known: dict[tuple[Ref, Ref], MappingFile] = {}
    for name, text in files.items():
        if not name.startswith("mappings/") or _TABLE.fullmatch(name) or mapping_files.foreign_name(name) is not None:
            continue
        document = _document(name, text, findings)
        mapping = mapping_files.read(document, shared, findings) if document is not None else None
        if mapping is None:
            named = mapping_files.named(name)
            if named is not None and document is None:
                # unreadable, but there: the routes that want it have no further fault
                known[named] = MappingFile(*named, None, read_yaml(name, text))
            continue
        known[mapping.source, mapping.target] = mapping
        _judge_ends(mapping, systems, findings)
    return known


def _judge_ends(mapping: MappingFile, systems: Mapping[str, System], findings: Findings) -> None:
    # from one version of a message to another: whichever way that message goes
    is_step = mapping.source.type == mapping.target.type
    system = systems.get(mapping.source.system)
    own = "accepts" if system is not None and mapping.source.name in system.accepts else "emits"
    for key, ref, side in (
        ("from", mapping.source, own if is_step else "emits"),
        ("to", mapping.target, own if is_step else "accepts"),
    ):
        _resolve(ref.system, ref.name, ref.version, side, systems, findings, mapping.document, (key,))


def _resolve(
    system: str,
    name: str,
    version: int | None,
    side: str,
    systems: Mapping[str, System],
    findings: Findings,
    document: Document,
    path: tuple[str | int, ...],
) -> list[int] | None:
    """The versions that are meant: the one that is named, or all live ones. None with a finding where the name is not
    known.
    """
    place = document.place(path)
    found = systems.get(system)
    if found is None:
        findings.add(
            document.file, place, Check.UNKNOWN_SYSTEM, f"there is no system {system}", did_you_mean(system, systems)
        )
        return None
    messages = found.emits if side == "emits" else found.accepts
    message = messages.get(name)
    if message is None:
        base = name.rstrip("0123456789")
        fix = f"did you mean {system}/{base}@{name[len(base) :]}?" if base in messages else did_you_mean(name, messages)
        findings.add(document.file, place, Check.UNKNOWN_MESSAGE, f"{system} {side} no {name}", fix)
        return None
    if version is None:
        return live(dict(message.versions))
    if version not in message.versions:
        findings.add(
            document.file,
            place,
            Check.UNKNOWN_VERSION,
            f"{system}/{name} has no version {version}",
            did_you_mean(str(version), [str(one) for one in message.versions]),
        )
        return None
    return [version]


def _routes(
    written: RoutesFile, systems: Mapping[str, System], known: Mapping[tuple[Ref, Ref], MappingFile], findings: Findings
) -> list[Route]:
    routes: list[Route] = []
    for route in written.routes:
        sources = _sources(route, systems, written.document, findings)
        to = [_destination(wish, route, sources, systems, known, written.document, findings) for wish in route.wishes]
        enrich = [
            _look_up(name, row or {}, route, sources, systems, written.document, findings)
            for name, row in (route.row.get("enrich") or {}).items()
        ]
        answer = _answer(route, systems, known, written.document, findings)
        found = tuple(one for one in to if one is not None), tuple(one for one in enrich if one is not None)
        routes.append(route_files.route(route, *found, answer))
    return routes


def _answer(
    route: RouteFile,
    systems: Mapping[str, System],
    known: Mapping[tuple[Ref, Ref], MappingFile],
    document: Document,
    findings: Findings,
) -> Ref | None:
    """What the caller of a sync route gets: a message that its system accepts, with a mapping from the target's
    reply.
    """
    text = route.row.get("answer")
    if not text:
        return None
    at = ("routes", route.name, "answer")
    type_, _, version = text.partition("@")
    system, _, name = type_.partition("/")
    versions = _resolve(system, name, int(version) if version else None, "accepts", systems, findings, document, at)
    if not versions:
        return None
    ref = Ref(system, name, versions[-1])
    for wish in route.wishes:
        reply = wish.row.get("reply")
        if not reply:
            findings.add(
                document.file,
                document.place(wish.path),
                Check.MISSING_KEY,
                f"{ref} is made of the target's reply, and it has none",
                "add reply:",
            )
        elif mapping_paths.way(known.keys(), Ref.parse(reply), ref) is None:
            fix = f"write {mapping_files.file_name(Ref.parse(reply), ref)}"
            findings.add(
                document.file, document.place(at), Check.NO_MAPPING, f"there is no mapping from {reply} to {ref}", fix
            )
    return ref


def _look_up(
    name: str,
    row: dict[str, Any],
    route: RouteFile,
    sources: list[Ref],
    systems: Mapping[str, System],
    document: Document,
    findings: Findings,
) -> Enrich | None:
    at = ("routes", route.name, "enrich", name)
    type_, _, version = (row.get("call") or "").partition("@")
    if not type_ or row.get("with") is None or not sources:
        return None
    system, _, message = type_.partition("/")
    versions = _resolve(
        system, message, int(version) if version else None, "accepts", systems, findings, document, (*at, "call")
    )
    if not versions:
        return None
    ref = Ref(system, message, versions[-1])
    _judge_reply(row.get("reply"), system, systems, document, (*at, "reply"), findings)
    try:
        fields = compile_mapping({"from": str(sources[-1]), "to": str(ref), "fields": row["with"]})
    except BadMapping as error:
        for fault in error.faults:
            findings.add(
                document.file, document.place((*at, "with", *fault.path[1:])), Check.BAD_MAPPING, fault.text, fault.fix
            )
        return None
    return route_files.look_up(name, row, ref, fields)


def _sources(route: RouteFile, systems: Mapping[str, System], document: Document, findings: Findings) -> list[Ref]:
    if not route.source:
        return []
    system, _, name = route.source.partition("/")
    versions = _resolve(system, name, None, "emits", systems, findings, document, ("routes", route.name, "from"))
    if versions == []:
        findings.add(
            document.file,
            document.place(("routes", route.name, "from")),
            Check.DEAD_ROUTE,
            f"no version of {route.source} is live",
            "make one current, or remove the route",
        )
    return [Ref(system, name, version) for version in versions or ()]


def _destination(
    wish: Wish,
    route: RouteFile,
    sources: list[Ref],
    systems: Mapping[str, System],
    known: Mapping[tuple[Ref, Ref], MappingFile],
    document: Document,
    findings: Findings,
) -> Destination | None:
    type_, _, version = wish.to.partition("@")
    system, _, name = type_.partition("/")
    versions = _resolve(
        system, name, int(version) if version else None, "accepts", systems, findings, document, wish.path
    )
    if not versions:
        return None
    ref = Ref(system, name, versions[-1])
    state = systems[system].accepts[name].versions[ref.version].state
    if state not in LIVE:
        findings.add(
            document.file, document.place(wish.path), Check.RETIRED_TARGET, f"{ref} is {state}", "name a live version"
        )
    for source in sources:
        steps = mapping_paths.upgrade(known.keys(), source, systems[source.system].emits[source.name].versions)
        if mapping_paths.way(known.keys(), steps[-1][1] if steps else source, ref) is None:
            fix = f"write {mapping_files.file_name(source, ref)}"
            findings.add(
                document.file,
                document.place(wish.path),
                Check.NO_MAPPING,
                f"there is no mapping from {source} to {ref}",
                fix,
            )
    _judge_reply(wish.row.get("reply"), system, systems, document, (*wish.path, "reply"), findings)
    _judge_topic(wish, systems[system].accepts[name], document, findings)
    return route_files.destination(wish, ref, route)


def _judge_topic(wish: Wish, accept: Accept, document: Document, findings: Findings) -> None:
    place = document.place(wish.path)
    if accept.publish is not None and accept.publish.wants_topic and not wish.row.get("topic"):
        findings.add(
            document.file,
            place,
            Check.MISSING_KEY,
            f"{wish.to} is published, and has no topic",
            f"{wish.to}: {{topic: order.shipped}}",
        )
    if wish.row.get("topic") and (accept.publish is None or accept.publish.queue):
        how = "called, not published" if accept.publish is None else "put into one queue"
        text = f"{wish.to} is {how}: a topic has no meaning"
        findings.add(
            document.file,
            place,
            Check.EXCLUDES,
            text,
            "take it out, or write publish: {exchange: …} in its system.yaml",
        )


def _judge_probes(
    written: RoutesFile, routes: Iterable[Route], systems: Mapping[str, System], findings: Findings
) -> None:
    """Where the target is to be asked, it must be known how."""
    for name, policy in written.targets.items():
        if policy.in_doubt is not InDoubtPolicy.PROBE or name not in systems:
            continue
        reached = {to.ref.name for route in routes for to in route.to if to.ref.system == name}
        for message in sorted(reached):
            accept = systems[name].accepts[message]
            if accept.probe is None and not accept.asks_adapter:
                place = written.document.place(("targets", name, "in_doubt"))
                text = f"{name}/{message} does not say how it is asked about"
                fix = f"adapters/{name}/system.yaml: {message}: {{probe: {{call: GET /…/{{key}}, applied: status = 200}}}}; or in_doubt: park"
                findings.add("routes.yaml", place, Check.MISSING_KEY, text, fix)


def _judge_reply(
    reply: str | None,
    system: str,
    systems: Mapping[str, System],
    document: Document,
    path: tuple[str | int, ...],
    findings: Findings,
) -> None:
    if not reply:
        return
    ref = Ref.parse(reply)
    emit = systems[system].emits.get(ref.name) if ref.system == system else None
    if emit is None or ref.version not in emit.versions:
        emitted = [
            f"{system}/{name}@{number}" for name, one in systems[system].emits.items() for number in one.versions
        ]
        findings.add(
            document.file,
            document.place(path),
            Check.BAD_REPLY,
            f"{system} emits no {reply}",
            did_you_mean(reply, emitted),
        )
