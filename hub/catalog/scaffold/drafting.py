"""First drafts: a mapping from two contracts, by names, words that mean the same, and types. What could not be matched
is marked, never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.catalog.files import schemas
from hub.catalog.files.mappings import file_name
from hub.catalog.yaml.findings import ascii_safe
from hub.catalog.yaml.writing import text_for
from hub.core.analysis.narrowing import narrowed
from hub.core.expressions.functions import table_key
from hub.core.message import Json
from hub.core.schemas.contract import Contract
from hub.core.schemas.types import MISSING, Shape, field_of, item_of, names_of, of_schema, required_of

DEEPEST = 48  # blanks before a line: a contract that refers to itself would be drafted without end

# Words of supply chains that mean the same (seeds 001 to 004 use several of each). Each line is one meaning.
SYNONYMS = tuple(
    frozenset(line.split())
    for line in """
    qty quantity count num amountofgoods
    mobile phone tel telephone mobilephone
    consignee receiver recipient buyer
    shipper sender consignor
    waybillno trackingno logisticsno expressno mailno
    orderno ordercode ordernumber orderid
    outboundno outboundcode deliveryno
    sku skucode skuid itemcode goodscode productcode
    warehousecode warehouseid whcode warehouse
    createtime createdat createdtime
    updatetime updatedat modifytime
    remark note memo comment buyermessage
    province state
    district county area
    zip zipcode postcode postalcode
    carriercode carrier expresscode logisticscode
    batchno lotno batch
    items lines details orderitems goods
    price unitprice
    amount totalamount total payamount
    channel platform source
    address detailaddress addressdetail street
    """.strip().splitlines()
)


@dataclass(frozen=True, slots=True)
class OpenField:
    """A field of the target that somebody must still look at, and why."""

    field: str
    why: str

    def as_json(self) -> dict[str, Json]:
        return {"field": self.field, "why": self.why}


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted file: its text, and what is still open in it."""

    text: str
    open: tuple[OpenField, ...]


def draft(source: Contract, target: Contract, *, conditions: Sequence[tuple[str, bool]] = ()) -> Draft:
    """A mapping's file. A pair that matches wholly passes the check as it is; what is open stands at its end too.

    `conditions`: those under which a message comes at all, each with whether it holds then. What they prove to be there
    is not missing.
    """
    writer = _Writer()
    given = of_schema(source.schema)
    for condition, holds in conditions:
        given = narrowed(given, condition, holds=holds)
    lines = list(writer.fields(given, of_schema(target.schema), "  ", ""))
    fields = "fields:" if _says_something(lines) else "fields: {}"
    head = [f"from: {source.ref}", f"to: {target.ref}", fields]
    tables = [
        f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in rows.items())}}}"
        for name, rows in writer.tables.items()
    ]
    rest = ["tables:", *tables] if tables else []
    rest += [f"# still open: {ascii_safe(f'{one.field}: {one.why}')}" for one in writer.open]
    first = schemas.first_line(schemas.MAPPING, file_name(source.ref, target.ref))
    return Draft(first + "".join(f"{line}\n" for line in (*head, *lines, *rest)), tuple(writer.open))


def _says_something(lines: list[str]) -> bool:
    """Whether there is more than comments: a block without a key in it is no block, but nothing, and refused."""
    return any(not line.lstrip().startswith("#") for line in lines)


class _Writer:
    """Lines of a mapping, and what they leave open."""

    def __init__(self) -> None:
        self.tables: dict[str, Mapping[str, str]] = {}
        self.open: list[OpenField] = []

    def fields(self, source: Shape, target: Shape, indent: str, pointer: str) -> Iterator[str]:
        """The lines of one object of the target."""
        required = required_of(target)
        for name in sorted(names_of(target), key=lambda one: (one not in required, one)):
            wanted, found, here = field_of(target, name), _match(name, source), f"{pointer}/{name}"
            is_required = name in required
            given = field_of(source, found) if found is not None else None
            lines = (
                list(self._leaf(name, found, given, wanted, indent, here))
                if found is not None and given is not None
                else []
            )
            if lines and found is not None and given is not None:
                self._look(found, given, wanted, here, is_required=is_required)
                yield from lines
                continue
            yield f"{indent}# {text_for(name)}: ?   {ascii_safe(_said(wanted))}{', required' if is_required else ''}"
            if is_required or found is not None:
                whose = (
                    "nothing in the source matches" if found is None else f"{found} seems to be it, and does not fit"
                )
                self.open.append(OpenField(here, f"{'required; ' if is_required else ''}{whose}"))

    def _look(self, found: str, given: Shape, wanted: Shape, pointer: str, *, is_required: bool) -> None:
        """What is written, and can still go wrong for a message that the source's contract takes."""
        is_list, is_object = given.may("array") and wanted.may("array"), given.may("object") and wanted.may("object")
        # a path into null, and each over null, give nothing
        hollow = {MISSING, "null"} if is_list or is_object else {MISSING}
        if is_required and given.kinds is not None and given.kinds & hollow:
            self.open.append(OpenField(pointer, f"required, and {found} may be missing"))
        if given.may("null") and not wanted.may("null") and not is_list and not is_object:
            self.open.append(OpenField(pointer, f"{found} may be null, and no null is taken"))

    def _leaf(self, name: str, found: str, given: Shape, wanted: Shape, indent: str, pointer: str) -> Iterator[str]:
        if given.kinds is None or wanted.kinds is None:
            return
        kinds, target, written = given.kinds - {MISSING, "null"}, wanted.kinds - {MISSING, "null"}, text_for(name)
        if "array" in kinds and "array" in target:
            yield from self._list(name, found, given, wanted, indent, pointer)
        elif "object" in kinds and "object" in target:
            yield from self._block([f"{indent}{written}:"], field_scope(given, found), wanted, indent + "  ", pointer)
        elif given.values and wanted.values and not given.values <= wanted.values:
            yield self._table(name, found, given, wanted, indent, pointer)
        elif kinds <= target | ({"integer"} if "number" in target else set()):
            yield f"{indent}{written}: {_path(found)}"
            if wanted.values and given.values is None:
                self.open.append(
                    OpenField(
                        pointer,
                        f"{found} may be anything, and only {_listed(wanted.values)} are taken: a table, perhaps",
                    )
                )
        elif target == {"string"} and kinds <= {"integer", "number", "boolean"}:
            yield f"{indent}{written}: $string({_path(found)})"
        elif kinds == {"string"} and target <= {"integer", "number"}:
            yield f"{indent}{written}: $number({_path(found)})"

    def _table(self, name: str, found: str, given: Shape, wanted: Shape, indent: str, pointer: str) -> str:
        known = {table_key(value): value for value in wanted.values or ()}
        codes = sorted(table_key(value) or "" for value in given.values or ())
        table = self._table_name(pointer)
        self.tables[table] = {text_for(code): _literal(known[code]) for code in codes if code in known}
        lacking = ", ".join(code for code in codes if code not in known)
        self.open.append(
            OpenField(pointer, f"the table {table} has no row for {lacking}; taken are {_listed(known.values())}")
        )
        return (
            f"{indent}{text_for(name)}: {{table: {table}, of: {_path(found)}}}   # add rows for {ascii_safe(lacking)}"
        )

    def _table_name(self, pointer: str) -> str:
        name = re.sub(r"[^A-Za-z0-9]+", "_", pointer).strip("_")[:50]
        name = name if name[:1].isalpha() else f"table_{name}"
        return name if name not in self.tables else f"{name}_{len(self.tables)}"

    def _list(self, name: str, found: str, given: Shape, wanted: Shape, indent: str, pointer: str) -> Iterator[str]:
        element, target = item_of(given), item_of(wanted)
        if element.may("object") and target.may("object"):
            head = [f"{indent}{text_for(name)}:", f"{indent}  each: {_path(found)}", f"{indent}  fields:"]
            yield from self._block(head, element, target, indent + "    ", f"{pointer}/*")
        else:
            yield f"{indent}{text_for(name)}: {_path(found)}"

    def _block(self, head: list[str], source: Shape, target: Shape, indent: str, pointer: str) -> Iterator[str]:
        """An object of fields under its head; nothing where nothing in it matches, and what it would have left open is
        its own matter no more.
        """
        before = len(self.open)
        inner = list(self.fields(source, target, indent, pointer)) if len(indent) <= DEEPEST else []
        if _says_something(inner):
            yield from (*head, *inner)
        else:
            del self.open[before:]


def field_scope(given: Shape, found: str) -> Shape:
    """An object of the source, whose fields are named from the whole: `consignee.name`."""
    names = names_of(given)
    return Shape(kinds=frozenset({"object"}), fields={f"{found}.{name}": field_of(given, name) for name in names})


def _match(name: str, source: Shape) -> str | None:
    """The field of the source that means the same: by its very name, by its letters, by a word that means the same."""
    names = sorted(names_of(source))
    last = {one: one.rpartition(".")[2] for one in names}
    by_name = [one for one in names if last[one] == name]
    by_letters = [one for one in names if _bare(last[one]) == _bare(name)]
    by_meaning = [one for one in names if _means(last[one], name)]
    return next((fits[0] for fits in (by_name, by_letters, by_meaning) if len(fits) == 1), None)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _means(one: str, other: str) -> bool:
    return any(_bare(one) in words and _bare(other) in words for words in SYNONYMS)


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def _path(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return text_for(name)
    return json.dumps(".".join(f"`{part}`" for part in name.split(".")), ensure_ascii=False)


def _literal(value: Any) -> str:
    return text_for(value) if isinstance(value, str) else json.dumps(value, default=str)


def _said(shape: Shape) -> str:
    kinds = " or ".join(sorted((shape.kinds or frozenset()) - {MISSING})) or "anything"
    if shape.values:
        return f"{kinds}: {_listed(shape.values)}"
    names = sorted(names_of(shape))
    return f"{kinds} of {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}" if names else kinds


def _listed(values: Iterable[Any]) -> str:
    texts = sorted(table_key(value) or "" for value in values)
    return ", ".join(texts[:6]) + (", ..." if len(texts) > 6 else "")
