"""`mappings/<from>--<to>.yaml` and `mappings/tables/<name>.yaml` → `core.config.mapping.Mapping`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.file_reading import FileContext
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.leaves import Free, Text
from hub.catalog.yaml.name_patterns import MESSAGE_NAME, SYSTEM_NAME
from hub.catalog.yaml.shape import Either, Key, ListOf, MapOf, Record
from hub.catalog.yaml.yaml_documents import Document, List, Map, Scalar, plain
from hub.core.config.mapping import BadMapping, Mapping, compile_mapping
from hub.core.message import Json, Ref

REF_PATTERN = rf"{SYSTEM_NAME}/{MESSAGE_NAME}@[1-9][0-9]{{0,3}}"


def meant_ref(text: str) -> str:
    """`oms/order.created@v1`, `oms.order.created@1`, `oms/order.created.v1` and the like, as they should be written."""
    name = re.sub(r"(?:@v|[.:]v|[:#])(?=[0-9]+$)", "@", text.strip())
    return name if "/" in name else name.replace(".", "/", 1)


REF = Text(
    want="a message and its version, such as oms/order.created@1", pattern=REF_PATTERN, longest=150, mend=meant_ref
)
_TABLE_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
TABLE = MapOf(Text(want="a code", pattern=r".*", longest=200), Free(), most=50_000)


class Fields(Free):
    """The fields of a target: their meaning is `core.config.mapping`'s to read, their form stands in `leaf_schema` for
    editors.
    """

    def schema(self) -> dict[str, Json]:
        return {"$ref": "#/$defs/fields"}


_EXAMPLE = Record(
    {
        "given": Key(
            Either(Text(want="the path of a sample"), Free()),
            "a sample's path in the workspace, or the message itself",
            required=True,
        ),
        "expect": Key(Free(), "what the result holds at least"),
        "exactly": Key(Free(), "the whole result"),
        "lookups": Key(Free(), "what the route's enrich would have found, by name"),
    },
    what="an example",
    excludes=(("expect", "exactly"),),
)
_REST = {
    "to": Key(REF, "the message that is made, such as wms/outbound.create@1", required=True),
    "fields": Key(Fields(), "the shape of the target; each leaf an expression over the source", required=True),
    "tables": Key(MapOf(Text(want="a table's name", pattern=_TABLE_NAME), TABLE), "code lists of this mapping"),
    "examples": Key(ListOf(_EXAMPLE), "what it makes of a sample; held by hub check"),
}
SHAPE = Record(
    {"from": Key(REF, "the message that is read, such as oms/order.created@1", required=True), **_REST},
    what="a mapping",
)
_FOREIGN_NAME = Text(want="a name for the foreign body, such as kuaidi100-push", pattern=r"[a-z][a-z0-9-]{0,62}")
# A foreign body has no contract of ours, so its mapping has a name in place of a message, and types are known of its
# target alone.
FOREIGN_SHAPE = Record({"from": Key(_FOREIGN_NAME, "what a hook receives", required=True), **_REST}, what="a mapping")
FOREIGN = "foreign"  # stands for the system of a mapping's source that is none

_FILE = re.compile(
    rf"mappings/({SYSTEM_NAME})\.({MESSAGE_NAME})\.v([1-9][0-9]{{0,3}})--({SYSTEM_NAME})\.({MESSAGE_NAME})\.v([1-9][0-9]{{0,3}})\.yaml",
    re.ASCII,
)


_FOREIGN_FILE = re.compile(r"mappings/(([a-z][a-z0-9-]{0,62}?)--[a-z0-9][a-z0-9.-]{0,150})\.yaml", re.ASCII)


@dataclass(frozen=True, slots=True)
class MappingFile:
    """One file. `mapping` is None where it could not be compiled; it counts as there all the same."""

    source: Ref
    target: Ref
    mapping: Mapping | None
    document: Document


def file_name(source: Ref, target: Ref) -> str:
    """Where the mapping from `source` to `target` lies."""
    return "mappings/" + "--".join(f"{ref.system}.{ref.name}.v{ref.version}" for ref in (source, target)) + ".yaml"


def named(file: str) -> tuple[Ref, Ref] | None:
    """What a file's name says that it maps; None if the name is of another form."""
    found = _FILE.fullmatch(file)
    if not found:
        return None
    source, message, version, target, other, another = (found[index] for index in (1, 2, 4, 5, 6, 8))
    return Ref(source, message, int(version)), Ref(target, other, int(another))


def foreign_name(file: str) -> str | None:
    """The name by which a hook uses the mapping of a foreign body: its file's, without folder and ending. None if the
    file is no such.
    """
    found = _FOREIGN_FILE.fullmatch(file)
    return found[1] if found and named(file) is None else None


def read_foreign(document: Document, shared: dict[str, dict[str, Json]], findings: Findings) -> MappingFile | None:
    """The mapping of a foreign body, for `hooks:` and `queues:`."""
    assert document.root is not None
    before = len(findings.errors)
    values = FOREIGN_SHAPE.read(document.root, FileContext(document.file, findings))
    found = _FOREIGN_FILE.fullmatch(document.file)
    assert found
    if values and values.get("from") and values["from"] != found[2]:
        text = f"from is {values['from']}, the file's name says {found[2]}"
        findings.add(
            document.file, document.place(("from",)), Check.FILE_NAME, text, f"from: {found[2]}, or rename the file"
        )
    if not values or not values.get("to"):
        return None
    source, target = Ref(FOREIGN, found[2], 1), Ref.parse(values["to"])
    return MappingFile(
        source,
        target,
        _compiled(document, shared, findings, source) if len(findings.errors) == before else None,
        document,
    )


def read_table(document: Document, findings: Findings) -> dict[str, Json]:
    """A shared code list: plain `key: value`."""
    assert document.root is not None
    return TABLE.read(document.root, FileContext(document.file, findings)) or {}


def read(document: Document, shared: dict[str, dict[str, Json]], findings: Findings) -> MappingFile | None:
    """One mapping file. `shared` are the workspace's code lists, by name."""
    assert document.root is not None
    before = len(findings.errors)
    values = SHAPE.read(document.root, FileContext(document.file, findings))
    by_name = named(document.file)
    if by_name is None:
        findings.add(
            document.file, (1, 1), Check.FILE_NAME, "the file's name does not say what it maps", _name_from(values)
        )
        return None
    for key, ref in zip(("from", "to"), by_name, strict=True):
        if values and values.get(key) and values[key] != str(ref):
            text = f"{key} is {values[key]}, the file's name says {ref}"
            findings.add(
                document.file, document.place((key,)), Check.FILE_NAME, text, f"{key}: {ref}, or rename the file"
            )
    if len(findings.errors) > before:
        return MappingFile(*by_name, None, document)
    return MappingFile(*by_name, _compiled(document, shared, findings), document)


def _name_from(values: dict[str, str] | None) -> str:
    if values and values.get("from") and values.get("to"):
        return "rename it to " + file_name(Ref.parse(values["from"]), Ref.parse(values["to"]))
    return "name it like mappings/oms.order.created.v1--wms.outbound.create.v1.yaml"


def _compiled(
    document: Document, shared: dict[str, dict[str, Json]], findings: Findings, source: Ref | None = None
) -> Mapping | None:
    assert isinstance(document.root, Map)
    # The shape has read it without a finding, so this walk over the same nodes has none to report either.
    whole = plain(document.root, document.file, Findings())
    assert isinstance(whole, dict)
    own = whole.get("tables") or {}
    assert isinstance(own, dict)
    used = set(_tables_used(document.root.get("fields")))
    for name in sorted(used & own.keys() & shared.keys()):
        text = f"the table {name} stands here and in mappings/tables/{name}.yaml"
        findings.add(
            document.file,
            document.place(("tables", name)),
            Check.DOUBLE_NAME,
            text,
            "keep one, or give one another name",
        )
    tables: dict[str, Json] = {name: dict(shared[name]) for name in sorted(used & shared.keys())}
    document_with_tables: dict[str, Json] = {**whole, "tables": {**tables, **own}} if tables or own else whole
    if source is not None:
        document_with_tables = {**document_with_tables, "from": str(source)}
    try:
        return compile_mapping(document_with_tables)
    except BadMapping as error:
        for fault in error.faults:
            findings.add(document.file, document.place(fault.path), Check.BAD_MAPPING, fault.text, fault.fix)
    return None


_TABLE_CALL = re.compile(r"""\$table\(\s*["']([^"']+)["']""")


def _tables_used(node: object) -> Iterator[str]:
    """Names of tables that a mapping's fields speak of: `{table: name, ...}` and `$table("name", ...)`."""
    match node:
        case Scalar(text=text):
            yield from _TABLE_CALL.findall(text)
        case List(elements=elements):
            for element in elements:
                yield from _tables_used(element)
        case Map(entries=entries):
            for key, value in entries:
                if key.text == "table" and isinstance(value, Scalar):
                    yield value.text
                yield from _tables_used(value)
        case _:
            return
