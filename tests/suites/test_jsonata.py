"""Expressions through our layer and through the official implementation of JSONata, on the rows that a package ships.
What differs is listed, with why.

The official implementation judges: it runs here, on every row, in the same minute. The official suite has a test of its
own (tests/core/test_jsonata_suite.py).
"""

import json
import re
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from hub.core import json as strict
from hub.core.errors import GiveUp, Refused
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.prepared import MISSING
from tests.suites.fetched import ROOT, fetched

HERE = Path(__file__).parent
NOW = datetime(2026, 1, 1, tzinfo=UTC)

# Why a row differs: the first of these whose word stands in the expression or in what our layer said; docs/mappings.md
# says more of each.
CLASSES = (
    ("eval", "$eval is refused", lambda row, want, got: "$eval" in row["expr"]),
    ("clone", "$clone, which JSONata does not document", lambda row, want, got: "$clone" in row["expr"]),
    (
        "no-number",
        "infinity and not-a-number are an error, not null",
        lambda row, want, got: "no number that JSON has" in got.get("error", ""),
    ),
    (
        "digits",
        "results have 15 significant digits, whole numbers all of theirs",
        lambda row, want, got: "result" in want and "result" in got and near(want["result"], got["result"]),
    ),
    ("index", "`items.0` is a plain path", lambda row, want, got: want.get("error") == "S0213"),
    ("picture", "pictures of $formatNumber", lambda row, want, got: "$formatNumber" in row["expr"]),
    (
        "integer",
        "$parseInteger, $formatInteger, $formatBase",
        lambda row, want, got: any(f in row["expr"] for f in ("$parseInteger", "$formatInteger", "$formatBase")),
    ),
    ("times", "$toMillis and $fromMillis", lambda row, want, got: "Millis" in row["expr"]),
    (
        "text",
        "texts of numbers, and texts beyond the basic plane",
        lambda row, want, got: "$string" in row["expr"] or any(ord(char) > 0xFFFF for char in row["expr"]),
    ),
    ("url", "$encodeUrl and its kin", lambda row, want, got: "Url" in row["expr"]),
    (
        "parent",
        "where `%` can be derived",
        lambda row, want, got: "S0217" in got.get("error", "") or want.get("error") == "S0217",
    ),
    (
        "words",
        "where `and`, `or`, `in`, `..`, `??` and `?:` may stand",
        lambda row, want, got: want.get("error", "").startswith("S") or "S0" in got.get("error", ""),
    ),
    (
        "arguments",
        "functions called with too few or other arguments",
        lambda row, want, got: "error" in got or "error" in want,
    ),
)
# Where both refuse a row, and by another code: what our layer makes of it. Rows of our own checks have no code, and say
# it in words.
CODES = (
    ("own check", lambda want, got: got is None),
    ("read", lambda want, got: want[0] == "S" and got[0] == "S"),
    ("read late", lambda want, got: want[0] == "S"),
    ("read early", lambda want, got: got[0] == "S"),
    ("run", lambda want, got: True),
)
_CODE = re.compile(r"\b[A-Z][0-9]{4}\b")


def near(one, other):
    """Whether they are the same but for the sixteenth digit of numbers."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(near(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(near(member, other[name]) for name, member in one.items())
    if not is_number(one) or not is_number(other):
        return one == other
    return abs(Decimal(one) - Decimal(other)) <= Decimal("1e-14") * max(abs(Decimal(one)), abs(Decimal(other)))


def exact(one, other):
    """Whether they are the same, numbers to their last digit."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(exact(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(exact(member, other[name]) for name, member in one.items())
    if is_number(one) and is_number(other):
        return Decimal(one) == Decimal(other)
    return type(one) is type(other) and one == other


def is_number(value):
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def code(error):
    found = _CODE.search(error)
    return found[0] if found else None


def ours(row):
    try:
        data = strict.decode(json.dumps(row["data"]).encode()) if "data" in row else None
        found = compile_expression(row["expr"], limit_ms=5_000).evaluate(data, now=NOW)
    except Refused:
        return None  # data that no message can hold
    except ValueError as error:
        return {"error": str(error)}
    except GiveUp as error:
        return {"error": error.why.text}
    return {"nothing": True} if found is MISSING else {"result": found}


def agree(want, got):
    if "result" in want and "result" in got:
        return exact(want["result"], got["result"])
    return want.keys() == got.keys()


@pytest.fixture(scope="module")
def rows():
    found = {}
    for path in sorted(fetched("jsonata-rows").glob("*.json")):
        for number, case in enumerate(json.loads(path.read_text("utf-8"))):
            if "bindings" not in case:
                found[f"{path.stem}:{number}"] = {name: case[name] for name in ("expr", "data") if name in case}
    return found


@pytest.fixture(scope="module")
def official(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "rows.json").write_text(json.dumps(list(rows.values())), "utf-8")
    words = [
        "node",
        str(HERE / "oracle.js"),
        str(fetched("jsonata")),
        str(folder / "rows.json"),
        str(folder / "out.json"),
    ]
    subprocess.run(words, check=True, timeout=900, cwd=ROOT)
    return dict(zip(rows, json.loads((folder / "out.json").read_text("utf-8"), parse_float=Decimal), strict=True))


@pytest.fixture(scope="module")
def compared(rows, official):
    """(name, row, what the official implementation gives, what ours gives), but for data that no message can hold, and
    functions as results.
    """
    return [
        (name, row, official[name], got)
        for name, row in rows.items()
        if (got := ours(row)) is not None and "function" not in official[name]
    ]


def test_our_layer_agrees_with_the_official_implementation_but_for_what_is_listed(rows, compared):
    listed = json.loads((HERE / "jsonata.json").read_text("utf-8"))
    differing, corners, same = defaultdict(list), {}, 0
    for name, row, want, got in compared:
        if agree(want, got):
            same += 1
            continue
        kind = next((kind for kind, _, holds in CLASSES if holds(row, want, got)), None)
        if kind is None:
            # each has a reason of its own
            corners[name] = listed["corners"].get(name, f"unexplained: {row['expr']} gives {got}, wanted {want}")
        else:
            differing[kind].append(name)
    told = {kind: len(names) for kind, names in sorted(differing.items())} | {"corners": len(corners)}
    print(
        f"\nJSONata: {len(rows)} rows; {same} agree to the last digit, {sum(told.values())} differ as listed {told}, {len(rows) - len(compared)} are left out"
    )
    assert {kind: sorted(names) for kind, names in differing.items()} | {"corners": corners} == listed


def test_what_both_refuse_bears_the_same_code_but_for_what_is_listed(compared):
    differing, same = defaultdict(list), 0
    for name, _, want, got in compared:
        if "error" not in want or "error" not in got:
            continue
        mine = code(got["error"])
        if mine == want["error"]:
            same += 1
        else:
            kind = next(kind for kind, holds in CODES if holds(want["error"], mine))
            differing[kind].append(f"{name} {want['error']} {mine or '-'}")
    print(
        f"\nJSONata: {same} refusals bear the same code; { ({kind: len(names) for kind, names in sorted(differing.items())}) } are listed"
    )
    assert {kind: sorted(names) for kind, names in differing.items()} == json.loads(
        (HERE / "jsonata_codes.json").read_text("utf-8")
    )
