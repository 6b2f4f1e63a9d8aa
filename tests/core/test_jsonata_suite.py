"""JSONata's official suite through our expression layer. What differs is listed by name, with why.

The suite is data that its authors keep (MIT). It lies beside the repository, and is not copied into it:
HUB_JSONATA_SUITE names its folder.
"""

import json
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from hub.core.errors import GiveUp
from hub.core.expressions import expression
from hub.core.expressions.expression import compile_expression
from hub.core.expressions.prepared import MISSING

ROOT = Path(__file__).parents[2]
SUITE = Path(os.environ.get("HUB_JSONATA_SUITE", ROOT.parent / "shared" / "suites" / "jsonata"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOST_DIFFER = 21

# Each case that differs, by name or by the group that it is in, with why. docs/mappings.md shows the same table to
# engineers.
DIFFERS = {
    "function-eval": "$eval is refused: data is never run",
    "function-shuffle": "$shuffle is refused: the same message must always give the same result",
    "range-operator/case021": "a range has at most 100 000 values",
    "range-operator/case024": "a range has at most 100 000 values",
    "flattening/large[0]": "a sequence has at most 100 000 values",
    "flattening/large[1]": "a sequence has at most 100 000 values",
    "function-string/case022": "an expression always has an input: without one, `$string()` gives the text of null",
}


def load(path):
    return json.loads(path.read_text("utf-8"), parse_float=Decimal)


def cases():
    for path in sorted(SUITE.glob("groups/*/*.json")):
        content = load(path)
        for number, case in enumerate(content if isinstance(content, list) else [content]):
            if "expr-file" in case:
                case["expr"] = (path.parent / case["expr-file"]).read_text("utf-8")
            yield f"{path.parent.name}/{path.stem}" + (f"[{number}]" if isinstance(content, list) else ""), case


def given(case, datasets):
    if "data" in case:
        return case["data"]
    return MISSING if case.get("dataset") is None else datasets[case["dataset"]]


def result(case, data):
    """("value", v), ("nothing",) or ("refused", text)."""
    try:
        value = compile_expression(case["expr"], limit_ms=500).evaluate(data, now=NOW, bindings=case.get("bindings"))
    except ValueError as error:
        return "refused", str(error)
    except GiveUp as error:
        return "refused", error.why.text
    return ("nothing",) if value is MISSING else ("value", value)


def same(wanted, value):
    """Equal, numbers to the 15 significant digits that our results have."""
    if isinstance(wanted, bool) or isinstance(value, bool) or not isinstance(wanted, int | Decimal | list | dict):
        return type(wanted) is type(value) and wanted == value
    if isinstance(wanted, list):
        return isinstance(value, list) and len(wanted) == len(value) and all(map(same, wanted, value))
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and wanted.keys() == value.keys()
            and all(same(member, value[name]) for name, member in wanted.items())
        )
    return isinstance(value, int | Decimal) and abs(Decimal(wanted) - Decimal(value)) <= Decimal("5e-15") * abs(
        Decimal(wanted)
    )


def agrees(case, outcome):
    if "result" in case:
        if outcome[0] != "value":
            return False
        wanted, value = case["result"], outcome[1]
        if case.get("unordered") and isinstance(wanted, list) and isinstance(value, list):
            wanted, value = (
                sorted(items, key=lambda item: json.dumps(item, default=float, sort_keys=True))
                for items in (wanted, value)
            )
        return same(wanted, value)
    return outcome[0] == ("nothing" if case.get("undefinedResult") else "refused")


def test_the_official_suite_agrees_but_for_what_is_listed(monkeypatch):
    if not SUITE.is_dir():
        missing = f"JSONata's suite is not at {SUITE}; HUB_JSONATA_SUITE names its folder."
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    datasets = {path.stem: load(path) for path in SUITE.glob("datasets/*.json")}
    depth = expression.MAX_DEPTH
    differing, counts = {}, Counter()
    for name, case in cases():
        # The suite's own limit of depth, where a case has one; engines are compiled with it
        monkeypatch.setattr(expression, "MAX_DEPTH", min(case.get("depth", depth), depth))
        expression._local.__dict__.clear()
        outcome = result(case, given(case, datasets))
        counts["cases"] += 1
        if agrees(case, outcome):
            counts["agree"] += 1
            counts["same code"] += "code" in case and case["code"] in outcome[1]
        else:
            differing[name] = f"{case['expr'][:80]} gives {outcome}"
    unlisted = {
        name: text for name, text in differing.items() if name not in DIFFERS and name.split("/")[0] not in DIFFERS
    }
    agreeing = [name for name in DIFFERS if not any(case == name or case.split("/")[0] == name for case in differing)]
    print(
        f"\nJSONata's official suite: {counts['agree']} of {counts['cases']} agree, {len(differing)} are listed; of the refusals {counts['same code']} bear the same code"
    )
    assert unlisted == {}
    assert agreeing == []
    assert counts["cases"] == 1686
    assert len(differing) <= MOST_DIFFER
