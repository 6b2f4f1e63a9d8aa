"""The published schemas take what the reader takes, and refuse what a slip makes of it; each template names its own."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from hub.catalog.files import schemas
from hub.catalog.files.leaf_schema import FORMS, form_of
from hub.catalog.scaffold.new_workspace import init

ROOT = Path(__file__).parents[2]
KINDS = [
    (re.compile(r"routes\.yaml"), schemas.ROUTES),
    (re.compile(r"adapters/[^/]+/system\.yaml"), schemas.SYSTEM),
    (re.compile(r"mappings/[^/]+\.yaml"), schemas.MAPPING),
    (re.compile(r"mappings/tables/[^/]+\.yaml"), schemas.TABLE),
]
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("routes.yaml", "adapters/*/system.yaml", "mappings/**/*.yaml")
    for path in ROOT.glob(pattern)
)


def as_an_editor_reads(path):
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(path.read_text("utf-8")), default=str))


def schema_of(file):
    return next(name for pattern, name in KINDS if pattern.fullmatch(file))


def faults(schema, document):
    return [
        f"{list(error.absolute_path)}: {error.message}"
        for error in jsonschema.Draft202012Validator(schemas.schemas()[schema]).iter_errors(document)
    ]


@pytest.mark.parametrize("name", list(schemas.schemas()))
def test_a_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(schemas.schemas()[name])


@pytest.mark.parametrize("file", FILES)
def test_every_file_of_the_reference_workspace_fits_its_schema(file):
    assert faults(schema_of(file), as_an_editor_reads(ROOT / file)) == []


def test_each_template_names_its_schema_by_a_path_that_leads_there(tmp_path):
    made = [path for path in init(tmp_path) if path.suffix == ".yaml"]
    assert len(made) == 4
    for path in made:
        first = path.read_text("utf-8").splitlines()[0]
        found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert found, first
        schema = (path.parent / found[1]).resolve()
        assert schema.name == schema_of(path.relative_to(tmp_path).as_posix())
        assert (
            list(
                jsonschema.Draft202012Validator(json.loads(schema.read_text("utf-8"))).iter_errors(
                    as_an_editor_reads(path)
                )
            )
            == []
        )


HEAD = {"from": "shop/order.placed@1", "to": "warehouse/order.create@1"}
LEAVES = [
    "orderNo",
    {"each": "items", "fields": {"sku": "sku", "deep": {"deeper": {"const": None}}}},
    {"each": "items", "value": {"table": "codes", "of": "code", "otherwise": 0}},
    {"copy": "consignee", "except": ["idCard"]},
    {"copy": "consignee"},
    {"when": "a = 1", "value": {"const": 1}, "otherwise": {"name": "b"}},
    {},
    {"when": "createdAt"},  # a field that is called so
    {"copy": "copy", "paste": "paste"},
    {"table": "tableNo"},
]
SLIPS = [
    1,
    "",
    ["orderNo"],
    None,
    {"name": 5},
    {"each": "items", "fields": ["sku"]},
    {"each": 3, "fields": {}},
    {"copy": "consignee", "except": "idCard"},
    {"table": "codes", "otherwise": "X"},
    {"when": "a = 1", "otherwise": "b"},
    {"deep": {"each": "items", "fields": {"sku": 1}}},
]


@pytest.mark.parametrize("leaf", LEAVES, ids=json.dumps)
def test_what_a_mapping_may_say_fits(leaf):
    assert faults(schemas.MAPPING, {**HEAD, "fields": {"field": leaf}}) == []


@pytest.mark.parametrize("leaf", SLIPS, ids=json.dumps)
def test_a_slip_in_a_mapping_does_not_fit(leaf):
    assert faults(schemas.MAPPING, {**HEAD, "fields": {"field": leaf}})


def test_the_forms_are_told_from_fields_as_the_reader_tells_them():
    definitions = schemas.schemas()[schemas.MAPPING]["$defs"]
    for leaf in [leaf for leaf in LEAVES if isinstance(leaf, dict)]:
        fits = [
            word
            for word in FORMS
            if jsonschema.Draft202012Validator({"$defs": definitions, "$ref": f"#/$defs/{word}"}).is_valid(leaf)
        ]
        assert fits == ([form_of(leaf)] if form_of(leaf) else [])


def test_a_code_list_is_codes_and_values():
    assert faults(schemas.TABLE, {"A": 1, "B": {"any": "value"}}) == []
    assert faults(schemas.TABLE, ["A"])
