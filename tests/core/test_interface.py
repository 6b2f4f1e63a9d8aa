"""Interface documents of the reference supply chain: valid by their own validator, and their examples fit their schemas."""

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.catalog import load
from hub.cli.interfaces import _samples
from hub.core.interface import asyncapi, openapi
from tests.support.hubs import ROOT


@pytest.fixture(scope="module")
def systems():
    return list(load(ROOT).systems.values())


@pytest.fixture(scope="module")
def document(systems):
    return openapi(systems, title="Crossdock", version="1", examples=_samples(ROOT))


def test_openapi_is_valid_by_its_own_validator(document):
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_version_that_may_be_posted_is_there_with_examples(document, systems):
    posts = {path for path in document["paths"] if path.startswith("/api/v") and not path.endswith("/batch")}
    assert posts == {f"/api/v{number}/{system.name}/{name}" for system in systems for name, emit in system.emits.items() for number in emit.live}
    assert len(document["webhooks"]) == sum(len(system.accepts) for system in systems)
    for path in posts:
        assert document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"], path


def test_every_example_fits_its_schema(document):
    schemas = document["components"]["schemas"]
    for item in [*document["paths"].values(), *document["webhooks"].values()]:
        content = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for name, example in content.get("examples", {}).items():
            schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
            assert jsonschema.Draft202012Validator(schema).is_valid(example["value"]), name


def test_a_caller_sees_its_own_systems_alone(systems):
    mine = openapi([one for one in systems if one.name == "wms"], title="Crossdock", version="1")
    assert {path.split("/")[3] for path in mine["paths"] if path.startswith("/api/v")} == {"wms"}


def test_asyncapi_has_a_channel_an_operation_and_a_message_for_each(systems):
    found = asyncapi(systems, title="Crossdock", version="1")
    assert found["asyncapi"] == "3.0.0"
    assert len(found["channels"]) == len(found["operations"]) == len(found["components"]["messages"]) > 30
    assert {one["action"] for one in found["operations"].values()} == {"send", "receive"}
