"""The AsyncAPI document against the specification's own JSON Schema."""

import json

import jsonschema

from hub.catalog import load
from hub.cli.interfaces import _samples
from hub.core.asyncapi import asyncapi
from tests.suites.fetched import ROOT, fetched


def test_asyncapi_is_valid_by_its_own_schema():
    schema = json.loads(fetched("asyncapi").read_text("utf-8"))
    document = asyncapi(load(ROOT).systems.values(), title="Crossdock", version="1", examples=_samples(ROOT))
    validator = jsonschema.validators.validator_for(schema)(schema)
    plain = json.loads(json.dumps(document, default=float))
    assert [error.message[:200] for error in validator.iter_errors(plain)] == []
    print(f"\nAsyncAPI 3.0: {len(document['channels'])} channels, valid")
