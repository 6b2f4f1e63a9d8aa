"""JSON-Schema-Test-Suite, draft 2020-12 with its optional folder, through the contract layer and through the second
engine.

What differs is listed by name, with why (docs/contracts.md).
"""

import contextlib
import json
import re
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import product
from pathlib import Path

import jsonschema
import pytest

from hub.core import json as strict
from hub.core.errors import Refused
from hub.core.message import Ref
from hub.core.schemas.compat import compare
from hub.core.schemas.contract import compile_contract
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
    "unknown keyword 'dependencies'": "dependencies, of older drafts",
    "unknown keyword 'unknown-keyword'": "keywords that nobody knows",
    "Unknown format: ": "formats that nobody knows",
}
# Why the contract layer judges a value otherwise, by the file of its test.
JUDGEMENTS = {"format": "formats are checked, not noted", "optional/format/date-time": "leap seconds"}


# And why the second engine does.
SECOND = {
    "optional/ecmascript-regex": "patterns are read as Python's, not ECMAScript's",
    "type": "1.0 as a decimal is no integer to it",
}


@pytest.fixture(scope="module")
def cases():
    """(file, case, schema, tests) of the whole draft, what is optional too."""
    found, folder = [], fetched("jsonschema")
    for path in sorted(folder.rglob("*.json")):
        file = path.relative_to(folder).with_suffix("").as_posix()
        found += [
            (file, case["description"], case["schema"], case["tests"])
            for case in json.loads(path.read_text("utf-8"), parse_float=Decimal)
        ]
    assert len(found) > 400
    assert any(file.startswith("optional/format/") for file, *_ in found)
    return found


def bytes_of(value):
    """As a partner would send it."""
    return str(value).encode() if isinstance(value, Decimal) else json.dumps(value, default=float).encode()


def test_the_contract_layer_agrees_but_for_what_is_listed(cases):
    differing, same = defaultdict(list), 0
    for file, about, schema, tests in cases:
        try:
            contract = compile_contract(Ref("suite", "case", 1), schema)
        except ValueError as error:
            reason = next((word for text, word in REFUSALS.items() if text in str(error)), f"unexplained: {error}")
            differing[f"refused: {reason}"].append(f"{file}: {about}")
            continue
        for test in tests:
            name = f"{file}: {about}: {test['description']}"
            try:
                value = strict.decode(bytes_of(test["data"]))
            except Refused as refused:
                differing[f"undecodable: {refused.text}"].append(name)
                continue
            if (not contract.check(value)) is test["valid"]:
                same += 1
            else:
                differing[JUDGEMENTS.get(file, "unexplained")].append(name)
    print(
        f"\ncontract layer: {same} tests agree; { ({reason: len(names) for reason, names in differing.items()}) } are listed"
    )
    assert {reason: sorted(names) for reason, names in differing.items()} == LISTED["contract layer"]


def test_the_second_engine_agrees_but_for_what_is_listed(cases):
    # The same cases, where no other document is needed: it is the oracle of the contract layer's own tests, and so must
    # itself be right
    differing, counts = defaultdict(list), Counter()
    for file, about, schema, tests in cases:
        try:
            compile_contract(Ref("suite", "case", 1), schema)
        except ValueError:
            counts["not compared"] += len(tests)
            continue
        if file.startswith("optional/format"):  # it notes formats, as the draft has it, and checks none
            counts["formats"] += len(tests)
            continue
        validator = jsonschema.Draft202012Validator(schema)
        for test in tests:
            try:
                agrees = validator.is_valid(test["data"]) is test["valid"]
            except re.error:
                agrees = False
            counts["agree" if agrees else "differ"] += 1
            if not agrees:
                differing[SECOND.get(file, "unexplained")].append(f"{file}: {about}: {test['description']}")
    print(f"\nsecond engine: {dict(counts)}")
    assert {reason: sorted(names) for reason, names in differing.items()} == LISTED["second engine"]


def test_of_any_two_of_its_schemas_no_verdict_of_safe_is_wrong(cases):
    # Each schema against each other of its file, judged by the file's own values
    by_file, told = defaultdict(list), Counter()
    for file, about, schema, tests in cases:
        with contextlib.suppress(ValueError):
            contract = compile_contract(Ref("suite", "case", 1), schema)
            by_file[file].append((about, contract, [test["data"] for test in tests]))
    for group in by_file.values():
        for (about, one, values), (other_about, other, more) in product(group, group):
            found = compare(one, other)
            told[found.verdict.value] += 1
            for value in (*values, *more):
                before, after = not one.check(value), not other.check(value)
                assert not (found.safe_for_senders and before and not after), (about, other_about, value)
                assert not (found.safe_for_receivers and after and not before), (about, other_about, value)
    print(f"\ncompared: {dict(told)}")
