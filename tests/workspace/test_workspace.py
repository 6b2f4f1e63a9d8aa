"""The reference workspace keeps its word: contracts are bounded, samples pass or fail as they say, examples hold,
routes have what they need.

Read with a plain YAML reader and the ground's compilers, so that a fault in the catalogue cannot hide one in the
workspace; the catalogue's own judgement comes last.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from hub.catalog import check
from hub.core.analysis.examples import check_example
from hub.core.config.mapping import Mapping, compile_mapping
from hub.core.json import decode
from hub.core.message import Ref
from hub.core.schemas.contract import Contract, compile_contract, is_date_time, is_local_date_time

ROOT = Path(__file__).parents[2]
RECEIVED = datetime(2025, 11, 22, 2, 0, tzinfo=UTC)
MESSAGE = re.compile(r"(?P<name>.+)\.v(?P<version>\d+)")
MONEY = frozenset({"price", "amount", "totalAmount", "costAmount", "revenueAmount"})
PERSONAL = {"name": "name", "signer": "name", "phone": "phone", "address": "address", "consigneeAddress": "address"}


class _Exact(SafeConstructor):
    """A number with a point stays as it is written: 118.80 as a binary float is no longer what the sample says."""


_Exact.add_constructor("tag:yaml.org,2002:float", lambda _reader, node: Decimal(node.value))


@cache
def document(path: Path) -> Any:
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = _Exact
    return reader.load(path.read_text("utf-8"))


def payload(path: Path) -> Any:
    return decode(path.read_bytes())


def under(pattern: str) -> list[Any]:
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in sorted(ROOT.glob(pattern))]


def ref_of(folder: str, system: str) -> Ref:
    found = MESSAGE.fullmatch(folder)
    assert found, f"{folder} is not named message.vN"
    return Ref(system, found["name"], int(found["version"]))


@cache
def contract(ref: Ref) -> Contract:
    path = ROOT / "adapters" / ref.system / "contracts" / f"{ref.name}.v{ref.version}.json"
    return compile_contract(ref, payload(path))


@cache
def mapping(path: Path) -> Mapping:
    return compile_mapping(document(path))


def declared(system: dict[str, Any]) -> Iterator[Ref]:
    for way in ("emits", "accepts"):
        for name, said in system.get(way, {}).items():
            yield from (Ref(system["name"], name, int(version)) for version in said["versions"])


def destinations() -> Iterator[tuple[str, Ref, dict[str, Any]]]:
    """Each route's source type, and where it leads with what is said of it there."""
    for route in document(ROOT / "routes.yaml")["routes"].values():
        for to in route["to"]:
            target, said = next(iter(to.items())) if isinstance(to, dict) else (to, {})
            yield route["from"], Ref.parse(target), said


SYSTEMS = under("adapters/*/system.yaml")
CONTRACTS = under("adapters/*/contracts/*.json")
SAMPLES = under("adapters/*/samples/*/*.json")
GOOD = [param for param in SAMPLES if not param.id.endswith(".bad.json")]
BAD = [param for param in SAMPLES if param.id.endswith(".bad.json")]
MAPPINGS = under("mappings/*.yaml")


def nodes(schema: Any, at: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """All typed parts of a schema: place, own name, keywords."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield at, at.rsplit("/", 1)[-1], schema
        for word, child in schema.items():
            yield from nodes(child, f"{at}/{word}")


def unbounded(schema: Any) -> Iterator[str]:
    for at, name, node in nodes(schema):
        kind, closed = node["type"], "enum" in node or "const" in node
        if kind == "object" and node.get("additionalProperties") is not False:
            yield f"{at}: an object without additionalProperties: false"
        if kind == "array" and "maxItems" not in node:
            yield f"{at}: an array without maxItems"
        if kind == "string" and not closed and "maxLength" not in node:
            yield f"{at}: a string without maxLength"
        if kind in ("integer", "number") and not closed and "minimum" not in node:
            yield f"{at}: a number without minimum"
        if name in MONEY and not (node.get("x-money") is True and "multipleOf" not in node):
            yield f"{at}: an amount without x-money, or with multipleOf"
        if name in PERSONAL and kind == "string" and node.get("x-pii") != PERSONAL[name]:
            yield f"{at}: personal, and not marked x-pii: {PERSONAL[name]}"


@pytest.mark.parametrize("path", CONTRACTS)
def test_a_contract_is_bounded_and_says_where_it_comes_from(path: Path):
    schema = contract(ref_of(path.stem, path.parts[-3])).schema
    assert not list(unbounded(schema))
    assert re.search(r"[Ss]eed \d{3}\b", str(schema["$comment"]))


@pytest.mark.parametrize("path", CONTRACTS)
def test_a_contract_has_a_sample_that_passes_and_one_that_fails(path: Path):
    names = [sample.name for sample in (path.parents[1] / "samples" / path.stem).glob("*.json")]
    assert any(name.endswith(".bad.json") for name in names)
    assert any(not name.endswith(".bad.json") for name in names)


@pytest.mark.parametrize("path", SYSTEMS)
def test_a_system_has_the_contracts_that_it_declares_and_no_other(path: Path):
    said = document(path)
    assert said["name"] == path.parent.name
    assert set(declared(said)) == {
        ref_of(file.stem, said["name"]) for file in (path.parent / "contracts").glob("*.json")
    }


@pytest.mark.parametrize("path", SYSTEMS)
def test_a_systems_readme_names_each_message_and_each_call(path: Path):
    said, readme = document(path), (path.parent / "README.md").read_text("utf-8")
    calls = [accepts["call"] for accepts in said.get("accepts", {}).values()]
    names = [f"`{name}`" for way in ("emits", "accepts") for name in said.get(way, {})]
    assert [text for text in (*names, *calls) if text not in readme] == []


@pytest.mark.parametrize("path", GOOD)
def test_a_good_sample_passes(path: Path):
    assert contract(ref_of(path.parent.name, path.parts[-4])).check(payload(path)) == []


@pytest.mark.parametrize("path", BAD)
def test_a_bad_sample_fails_where_and_why_it_says_and_nowhere_else(path: Path):
    # Given a sample that says where it must fail
    body = payload(path)
    pointer, keyword = body.pop("//").split()
    known = contract(ref_of(path.parent.name, path.parts[-4]))
    # When both engines judge it, then both find that one place, and the standard's keyword is the one it says
    assert {fault.pointer for fault in known.check(body)} == {pointer}
    assert set(reference_faults(known.schema, body)) == {(pointer, keyword)}


def reference_faults(schema: Any, body: Any) -> Iterator[tuple[str, str]]:
    """Place and keyword of each fault by the reference implementation; a missing or surplus field is placed where it
    is, or would be.
    """
    formats = jsonschema.FormatChecker(())
    formats.checks("date-time")(lambda value: not isinstance(value, str) or is_date_time(value))
    formats.checks("local-date-time")(lambda value: not isinstance(value, str) or is_local_date_time(value))
    for error in jsonschema.Draft202012Validator(schema, format_checker=formats).iter_errors(body):
        place = "".join(f"/{step}" for step in error.absolute_path)
        if error.validator == "required":
            yield from (
                (f"{place}/{name}", "required") for name in error.validator_value if f"{name!r} is" in error.message
            )
        elif error.validator == "additionalProperties":
            yield from (
                (f"{place}/{name}", "additionalProperties")
                for name in error.instance.keys() - error.schema["properties"].keys()
            )
        else:
            yield place, str(error.validator)


@pytest.mark.parametrize("path", MAPPINGS)
def test_a_mappings_file_is_named_for_what_it_maps(path: Path):
    made = mapping(path)
    assert path.stem == "--".join(f"{ref.system}.{ref.name}.v{ref.version}" for ref in (made.source, made.target))


@pytest.mark.parametrize("path", MAPPINGS)
def test_a_mappings_examples_hold(path: Path):
    made = mapping(path)
    assert made.examples
    for example in made.examples:
        assert Path(str(example.given)).parts[:4] == (
            "adapters",
            made.source.system,
            "samples",
            f"{made.source.name}.v{made.source.version}",
        )
        result = made.apply(payload(ROOT / str(example.given)), now=RECEIVED)
        assert check_example(example, result) == []


@pytest.mark.parametrize("path", MAPPINGS)
def test_what_a_mapping_makes_of_any_sample_that_its_routes_let_through_fits_the_target(path: Path):
    made = mapping(path)
    conditions = [
        said.get("when")
        for source, target, said in destinations()
        if (source, target) == (f"{made.source.system}/{made.source.name}", made.target)
    ]
    examples = {str(example.given) for example in made.examples}
    for sample in (
        ROOT / "adapters" / made.source.system / "samples" / f"{made.source.name}.v{made.source.version}"
    ).glob("*.json"):
        # A route with a condition sends only some of them; its mapping's examples are those that it does send.
        sent = all(when is None for when in conditions) or sample.relative_to(ROOT).as_posix() in examples
        if sent and not sample.name.endswith(".bad.json"):
            assert contract(made.target).check(made.apply(payload(sample), now=RECEIVED)) == [], sample.name


def test_each_route_has_its_mapping_and_each_mapping_its_route():
    wanted = {(source, target) for source, target, _ in destinations()}
    assert wanted == {
        (f"{made.source.system}/{made.source.name}", made.target)
        for made in map(mapping, sorted(ROOT.glob("mappings/*.yaml")))
    }


def test_each_message_is_routed_or_is_a_destination():
    emitted = {
        f"{said['name']}/{name}"
        for said in map(document, ROOT.glob("adapters/*/system.yaml"))
        for name in said.get("emits", {})
    }
    accepted = {
        Ref(said["name"], name, int(v))
        for said in map(document, ROOT.glob("adapters/*/system.yaml"))
        for name, a in said["accepts"].items()
        for v in a["versions"]
    }
    assert emitted == {source for source, _, _ in destinations()}
    assert accepted == {target for _, target, _ in destinations()}


def test_a_reply_that_is_a_message_is_one_that_its_target_emits():
    for _, target, said in destinations():
        if "reply" in said:
            reply = Ref.parse(said["reply"])
            assert reply.system == target.system
            assert reply.name in document(ROOT / "adapters" / reply.system / "system.yaml")["emits"]


def test_the_catalogue_finds_nothing_not_even_a_warning():
    assert check(ROOT) == []
