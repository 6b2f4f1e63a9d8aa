"""The AsyncAPI document against the specification's own JSON Schema."""

import json

import jsonschema

from hub.catalog import load
from hub.cli.engineers.interfaces import _samples
from hub.core.apidocs.asyncapi import asyncapi
from tests.suites.fetched import ROOT, fetched
from tests.support.versioned import versioned


def test_asyncapi_is_valid_by_its_own_schema(tmp_path):
    schema = json.loads(fetched("asyncapi").read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    # The reference landscape, and one with a version that ends and a target that nobody signs for
    for folder in (versioned(tmp_path / "workspace", "http://127.0.0.1:9001"), ROOT):
        document = asyncapi(load(folder).systems.values(), title="Crossdock", version="1", examples=_samples(folder))
        plain = json.loads(json.dumps(document, default=float))
        assert [error.message[:200] for error in validator.iter_errors(plain)] == []
    print(f"\nAsyncAPI 3.0: {len(document['channels'])} channels, valid")
