"""Workspaces of the outsiders' cases (tests/landscape/outsiders): one source of three, one target as the case wants it,
one mapping, one route.
"""

import json
import re
from decimal import Decimal
from pathlib import Path

from ruamel.yaml import YAML

from hub.catalog import WorkspaceFiles

CASES = Path(__file__).parent.parent / "landscape" / "outsiders"
MAPPING, ROUTES = "mappings/market.{0}.told.v1--hall.parcel.set.v1.yaml", "routes.yaml"
_MARK = re.compile(r"# !([EW][0-9]{3})")
_MARKET = """\
name: market
title: Whoever sends
owner: market-team
emits:
  {source}.told:
    about: What has happened.
    versions: {{1: {{state: current}}}}
"""
_HALL = """\
name: hall
title: Whoever receives
owner: hall-team
emits:
  stock.told:
    about: What is on hand.
    versions: {1: {state: current}}
accepts:
  parcel.set:
    about: Takes a parcel.
    versions: {1: {state: current}}
    call: PUT /parcels
  stock.ask:
    about: Says what is on hand.
    versions: {1: {state: current}}
    call: POST /stock
settings:
  url: {help: Root of the hall, default: "http://127.0.0.1:9001"}
"""
_ASK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["basketNo"],
    "properties": {
        "basketNo": {"type": "string", "maxLength": 24},
        "gtins": {"type": "array", "items": {"type": "string"}},
    },
}
STOCK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["onHand", "shelf"],
    "properties": {
        "onHand": {"type": "integer", "minimum": 0},
        "shelf": {
            "type": "object",
            "additionalProperties": False,
            "required": ["row"],
            "properties": {"row": {"type": "string"}},
        },
    },
}
ANSWER = {"onHand": 4, "shelf": {"row": "A7"}}
_TARGET = {"onHand": {"type": "integer"}, "place": {"type": "string"}, "basketNo": {"type": "string"}}


def load(name):
    """The document of one of the folder's files."""
    return YAML(typ="safe").load((CASES / name).read_text("utf-8"))


def cases(name):
    """(source's name, case) of a file of cases."""
    return [(source, case) for source, group in load(name).items() for case in group]


SOURCES = load("sources.yaml")


def target_of(case):
    """The target's contract: a name that ends with `!` is required."""
    properties = case.get("target") or _TARGET
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name[:-1] for name in properties if name.endswith("!")],
        "properties": {name.rstrip("!"): schema for name, schema in properties.items()},
    }


def files_of(source, case):
    """The case's files, and its marks as (file, line, code)."""
    mapping, routes = _mapping(source, case), _routes(source, case)
    name = MAPPING.format(source)
    files = {
        "adapters/market/system.yaml": _MARKET.format(source=source),
        "adapters/hall/system.yaml": _HALL
        if "stock" in case.get("route", "")
        else re.sub(r"(?s)emits:.*?accepts", "accepts", _HALL).replace(_ask(), ""),
        f"adapters/market/contracts/{source}.told.v1.json": json.dumps(SOURCES[source]["contract"]),
        "adapters/hall/contracts/parcel.set.v1.json": json.dumps(target_of(case)),
        name: mapping,
        ROUTES: routes,
    }
    for sample, payload in SOURCES[source]["samples"].items():
        files[f"adapters/market/samples/{source}.told.v1/{sample}.json"] = json.dumps(payload)
    if "stock" in case.get("route", ""):
        files["adapters/hall/contracts/stock.ask.v1.json"] = json.dumps(_ASK)
        files["adapters/hall/contracts/stock.told.v1.json"] = json.dumps(STOCK)
    marks = [
        (file, number, code)
        for file, text in ((name, mapping), (ROUTES, routes))
        for number, line in enumerate(text.splitlines(), 1)
        for code in _MARK.findall(line)
    ]
    return files, marks


def _ask():
    return _HALL[_HALL.index("  stock.ask") : _HALL.index("settings:")]


def _mapping(source, case):
    fields = case.get("fields") or {"basket": "basketNo: basketNo\n"}.get(source, "{}\n")
    tables = f"tables: {json.dumps(case['tables'])}\n" if "tables" in case else ""
    body = f"fields:\n{_deeper(fields, 2)}" if fields != "{}\n" else "fields: {}\n"
    return f"from: market/{source}.told@1\nto: hall/parcel.set@1\n{body}{tables}"


def _routes(source, case):
    route = case.get("route", "")
    to = "" if re.search(r"^to:", route, re.MULTILINE) else "to: [hall/parcel.set@1]\n"
    head = f"about: {case['about']}\nowner: hall-team\nfrom: market/{source}.told\n"
    return f"version: 1\nroutes:\n  way:\n{_deeper(head + route + to, 4)}"


def _deeper(text, blanks):
    return "".join(" " * blanks + line + "\n" for line in text.splitlines())


def read_of(source, case):
    files, marks = files_of(source, case)
    return WorkspaceFiles(files), marks


def sample_of(source, name, case):
    """A sample with the case's patch laid over it; null takes a member out."""
    payload = {**SOURCES[source]["samples"][name], **(case.get("patch") or {})}
    return {key: value for key, value in payload.items() if not (key in (case.get("patch") or {}) and value is None)}


def plain(value):
    """Numbers as YAML reads them, so that what is made can be compared with what a case says."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value
