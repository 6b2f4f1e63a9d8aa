"""JSON-Schema-Test-Suite, draft 2020-12, through the contract layer and through the second engine. What differs is listed, with why (docs/contracts.md)."""

import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from hub.core import json as strict
from hub.core.contract import compile_contract
from hub.core.errors import Refused
from hub.core.message import Ref
from tests.suites.fetched import fetched

LISTED = json.loads((Path(__file__).parent / "json_schema.json").read_text("utf-8"))

# Why the contract layer refuses a schema, by what it says.
REFUSALS = {
    "unknown keyword '$dynamic": "dynamic references",
    "unknown keyword 'contentSchema'": "contentSchema",
    "$ref to ": "references to other documents",
    "readers disagree on multipleOf": "multipleOf with a fraction",
    "contracts are written in JSON Schema 2020-12": "another dialect",
    "a contract is a JSON object": "a bare true or false",
}


@pytest.fixture(scope="module")
def cases():
    """(file, case, schema, tests) of the whole draft."""
    found = []
    for path in sorted(fetched("jsonschema").glob("*.json")):
        found += [(path.stem, case["description"], case["schema"], case["tests"]) for case in json.loads(path.read_text("utf-8"), parse_float=Decimal)]
    assert len(found) > 300
    return found


def bytes_of(value):
    """As a partner would send it."""
    return str(value).encode() if isinstance(value, Decimal) else json.dumps(value, default=float).encode()


def test_the_contract_layer_agrees_but_for_what_is_listed(cases):
    differing, same = defaultdict(list), 0
    for file, about, schema, tests in cases:
        try:
            contract = compile_contract(Ref("suite", file.lower().replace("_", "-"), 1), schema)
        except ValueError as error:
            reason = next((word for text, word in REFUSALS.items() if text in str(error)), f"unexplained: {error}")
            differing[f"refused: {reason}"].append(f"{file}: {about}")
            continue
        for test in tests:
            name = f"{file}: {about}: {test['description']}"
            try:
                value = strict.decode(bytes_of(test["data"]))
            except Refused:
                differing["undecodable: the character NUL"].append(name)
                continue
            if (not contract.check(value)) is test["valid"]:
                same += 1
            else:
                differing["formats are checked, not noted" if file == "format" else "unexplained"].append(name)
    print(f"\ncontract layer: {same} tests agree; { ({reason: len(names) for reason, names in differing.items()}) } are listed")
    assert {reason: sorted(names) for reason, names in differing.items()} == LISTED["contract layer"]


def test_the_second_engine_agrees_but_for_what_is_listed(cases):
    # The same cases, where no other document is needed: it is the oracle of the contract layer's own tests, and so must itself be right
    differing, counts = [], Counter()
    for file, about, schema, tests in cases:
        try:
            compile_contract(Ref("suite", "case", 1), schema)
        except ValueError:
            counts["not compared"] += len(tests)
            continue
        validator = jsonschema.Draft202012Validator(schema)
        for test in tests:
            agrees = validator.is_valid(test["data"]) is test["valid"]
            counts["agree" if agrees else "differ"] += 1
            if not agrees:
                differing.append(f"{file}: {about}: {test['description']}")
    print(f"\nsecond engine: {dict(counts)}")
    assert sorted(differing) == LISTED["second engine"]
