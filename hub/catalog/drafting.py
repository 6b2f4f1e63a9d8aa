"""First drafts: a mapping from two contracts, by names, words that mean the same, and types. What could not be matched is marked, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.core.contract import Contract
from hub.core.types import MISSING, Shape, field_of, item_of, names_of, of_schema, required_of

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


@dataclass(slots=True)
class Draft:
    """A drafted file: its text, and the required fields of the target that nothing was found for."""

    text: str
    open: list[str]


def draft(source: Contract, target: Contract) -> Draft:
    """A mapping's file. A pair that matches wholly passes the check as it is."""
    writer = _Writer()
    lines = list(writer.fields(of_schema(source.schema), of_schema(target.schema), "  ", ""))
    text = f"from: {source.ref}\nto: {target.ref}\nfields:{'' if lines else ' {}'}\n" + "".join(f"{line}\n" for line in lines)
    if writer.tables:
        text += "tables:\n" + "".join(
            f"  {name}: {{{', '.join(f'{_word(key)}: {_word(value)}' for key, value in rows.items())}}}\n" for name, rows in writer.tables.items()
        )
    if writer.open:
        text += "".join(f"# still to be written, required: {field}\n" for field in writer.open)
    return Draft(text, writer.open)


class _Writer:
    def __init__(self) -> None:
        self.tables: dict[str, Mapping[str, str]] = {}
        self.open: list[str] = []

    def fields(self, source: Shape, target: Shape, indent: str, pointer: str) -> Iterator[str]:
        """The lines of one object of the target."""
        required = required_of(target)
        for name in sorted(names_of(target), key=lambda one: (one not in required, one)):
            wanted = field_of(target, name)
            found = _match(name, source)
            line = list(self._leaf(name, found, field_of(source, found) if found else None, wanted, indent, f"{pointer}/{name}")) if found else []
            if line:
                yield from line
            else:
                is_required = name in required
                yield f"{indent}# {_name(name)}: ?   {_said(wanted)}{', required' if is_required else ''}"
                if is_required:
                    self.open.append(f"{pointer}/{name}")

    def _leaf(self, name: str, found: str, given: Shape | None, wanted: Shape, indent: str, pointer: str) -> Iterator[str]:
        if given is None or given.kinds is None or wanted.kinds is None:
            return
        kinds, target = given.kinds - {MISSING, "null"}, wanted.kinds - {MISSING, "null"}
        if "array" in kinds and "array" in target:
            yield from self._list(name, found, given, wanted, indent, pointer)
        elif "object" in kinds and "object" in target:
            yield f"{indent}{_name(name)}:"
            inner = field_scope(given, found)
            yield from self.fields(inner, wanted, indent + "  ", pointer)
        elif given.values and wanted.values and not given.values <= wanted.values:
            rows = {str(value): str(value) for value in sorted(map(str, given.values)) if value in {str(one) for one in wanted.values}}
            table = re.sub(r"[^A-Za-z0-9]", "_", pointer.strip("/")) or "table"
            self.tables[table] = rows
            lacking = sorted(str(value) for value in given.values if str(value) not in rows)
            yield f"{indent}{_name(name)}: {{table: {table}, of: {_path(found)}}}   # add rows for {', '.join(lacking)}"
        elif kinds <= target | ({"integer"} if "number" in target else set()):
            yield f"{indent}{_name(name)}: {_path(found)}"
        elif target == {"string"} and kinds <= {"integer", "number", "boolean"}:
            yield f"{indent}{_name(name)}: $string({_path(found)})"
        elif kinds == {"string"} and target <= {"integer", "number"}:
            yield f"{indent}{_name(name)}: $number({_path(found)})"

    def _list(self, name: str, found: str, given: Shape, wanted: Shape, indent: str, pointer: str) -> Iterator[str]:
        element, target = item_of(given), item_of(wanted)
        if element.may("object") and target.may("object"):
            yield f"{indent}{_name(name)}:"
            yield f"{indent}  each: {_path(found)}"
            yield f"{indent}  fields:"
            yield from self.fields(element, target, indent + "    ", f"{pointer}/*")
        else:
            yield f"{indent}{_name(name)}: {_path(found)}"


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
    return name if _PLAIN.fullmatch(name) else "'" + ".".join(f"`{part}`" for part in name.split(".")) + "'"


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in ("no", "yes", "on", "off", "true", "false", "null", "y", "n") else f'"{name}"'


def _word(value: str) -> str:
    return value if re.fullmatch(r"[A-Z][A-Z_]*", value) else f'"{value}"'


def _said(shape: Shape) -> str:
    kinds = " or ".join(sorted((shape.kinds or frozenset()) - {MISSING})) or "anything"
    return f"{kinds}: {', '.join(sorted(map(str, shape.values))[:6])}" if shape.values else kinds
