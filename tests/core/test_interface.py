"""Interface documents of the reference supply chain: valid by their own validator, and whatever they show as an example
fits its schema.
"""

import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.catalog import load
from hub.catalog.scaffold.new_workspace import init
from hub.cli.engineers.interfaces import _samples
from hub.core.apidocs.asyncapi import asyncapi
from hub.core.apidocs.openapi import openapi
from hub.core.errors import Code
from hub.core.model.error_catalogue import MEANINGS
from tests.support.documents import resolved, validator
from tests.support.hubs import ROOT
from tests.support.versioned import versioned


@pytest.fixture(scope="module")
def systems():
    return list(load(ROOT).systems.values())


@pytest.fixture(scope="module")
def document(systems):
    return openapi(systems, title="Crossdock", version="1", examples=_samples(ROOT))


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory):
    """A message whose version 1 is deprecated, and whose version 2 is current; the warehouse takes calls in the legacy
    form.
    """
    folder = versioned(tmp_path_factory.mktemp("interface") / "workspace", "http://127.0.0.1:9001")
    return list(load(folder).systems.values())


@pytest.fixture(scope="module")
def old_and_new(two_versions):
    return openapi(two_versions, title="Crossdock", version="1")


def plain(value):
    return json.loads(json.dumps(value, default=float))


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str) and node["$ref"].startswith("#/components/"):
            yield node["$ref"]
        for below in node.values():
            yield from references(below)
    elif isinstance(node, list):
        for below in node:
            yield from references(below)


def operations(document):
    for items in (document["paths"], document["webhooks"]):
        for path, item in items.items():
            for method, operation in item.items():
                yield path, method, operation


def test_openapi_is_valid_by_its_own_validator(document, old_and_new):
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert list(OpenAPIV31SpecValidator(old_and_new).iter_errors()) == []


def test_nothing_is_referred_to_that_is_not_there_and_nothing_shared_is_left_over(document):
    used = set(references(document))
    for ref in used:
        resolved(document, {"$ref": ref})
    for kind in ("responses", "headers", "parameters", "schemas"):
        unused = {f"#/components/{kind}/{name}" for name in document["components"][kind]} - used
        # Of a version that ends there is none in this landscape; the test of two versions has one.
        assert unused <= {f"#/components/headers/{name}" for name in ("Deprecation", "Sunset")}


def test_every_version_that_may_be_posted_is_there_with_examples(document, systems):
    posts = {path for path in document["paths"] if path.startswith("/api/v") and not path.endswith("/batch")}
    assert posts == {
        f"/api/v{number}/{system.name}/{name}"
        for system in systems
        for name, emit in system.emits.items()
        for number in emit.live
    }
    assert len(document["webhooks"]) == sum(len(system.accepts) for system in systems)
    for path in posts:
        assert document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"], path


def test_every_message_may_be_posted_without_a_version_in_the_path(document, systems, old_and_new):
    posts = {
        path
        for path in document["paths"]
        if not path.startswith(("/api/v", "/api/messages/")) and not path.endswith("/batch")
    }
    assert posts == {f"/api/{system.name}/{name}" for system in systems for name in system.emits}
    # Given two versions, when the path names none, then header and media type are explained and either body fits
    operation = old_and_new["paths"]["/api/shop/order.placed"]["post"]
    [header] = [one for one in operation["parameters"] if one.get("name") == "API-Version"]
    assert header["schema"]["enum"] == [1, 2]
    assert "application/vnd.crossdock.v{N}+json" in operation["description"]
    assert "application/vnd.crossdock.v1+json" in old_and_new["info"]["description"]
    content = operation["requestBody"]["content"]["application/json"]
    assert content["schema"]["anyOf"] == [
        {"$ref": f"#/components/schemas/shop.order.placed.v{number}"} for number in (1, 2)
    ]
    assert set(content["examples"]) == {"v1-smallest", "v2-smallest"}
    assert not operation["deprecated"]


def test_operations_have_a_name_each(document, old_and_new):
    for one in (document, old_and_new):
        names = [operation["operationId"] for _, _, operation in operations(one)]
        assert len(set(names)) == len(names)


def test_every_example_fits_its_schema(document, old_and_new):
    checked = 0
    for one in (document, old_and_new):
        for path, _, operation in operations(one):
            answers = [resolved(one, answer) for answer in operation["responses"].values()]
            for holder in [operation.get("requestBody", {}), *answers]:
                for kind, content in holder.get("content", {}).items():
                    examples = [example["value"] for example in content.get("examples", {}).values()]
                    examples += [content["example"]] if "example" in content else []
                    for example in examples:
                        assert validator(one, content["schema"]).is_valid(plain(example)), (path, kind, example)
                        checked += 1
    assert checked > 1_000


def test_every_line_of_a_batch_is_a_message(document):
    content = document["paths"]["/api/v1/oms/outbound.requested/batch"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "application/x-ndjson"}
    lines = content["application/x-ndjson"]["example"].split("\n")
    assert len(lines) == len(content["application/json"]["example"]) > 1
    for line in lines:
        assert validator(document, {"$ref": "#/components/schemas/oms.outbound.requested.v1"}).is_valid(
            json.loads(line)
        )


def test_a_batch_is_told_what_became_of_each_item(document):
    answer = document["paths"]["/api/v1/oms/outbound.requested/batch"]["post"]["responses"]["202"]
    check = validator(document, answer["content"]["application/json"]["schema"])
    good = {"index": 0, "code": 0, "messageId": "01890a5d-ac96-774b-bcce-b302099a8057", "duplicate": False}
    head = {"code": 0, "message": "success", "traceId": "x", "timestamp": 1}
    assert check.is_valid({**head, "data": {"accepted": 1, "refused": 0, "items": [good]}})
    assert not check.is_valid({**head, "data": {"accepted": 1, "refused": 0, "items": [{"index": 0}]}})
    assert not check.is_valid({**head, "data": {"accepted": 1, "refused": 0}})


def test_every_code_stands_once_among_the_shared_responses(document):
    told = [
        code
        for one in document["components"]["responses"].values()
        for code in one["content"]["application/json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    ]
    assert sorted(told) == sorted(int(code) for code in Code)
    # And a post names every status, each as a reference to the one response
    statuses = {str(code.status) for code in MEANINGS}
    assert statuses == set("400 401 403 404 405 408 409 410 413 414 415 422 429 431 500 502 503 504 507".split())
    for path, _, operation in operations({**document, "webhooks": {}}):
        if path == "/api/messages/{id}":
            assert set(operation["responses"]) < statuses | {"200"}
            continue
        assert statuses <= set(operation["responses"]), path
        for status in statuses:
            assert f"`{status}" in resolved(document, operation["responses"][status])["description"]


def test_both_forms_of_the_signature_are_there_and_calls_have_the_systems_own(document, two_versions):
    schemes = document["components"]["securitySchemes"]
    assert [{schemes[name]["name"] for name in form} for form in document["security"]] == [
        {"Authorization", "webhook-id", "webhook-timestamp", "webhook-signature"},
        {"Authorization", "X-Timestamp", "X-Signature"},
    ]
    assert document["webhooks"]["wms/outbound.create@1"]["post"]["security"] == document["security"][:1]
    bare = openapi(two_versions, title="Crossdock", version="1")
    unsigned = [system for system in two_versions if system.outbound.scheme == "none" and system.accepts]
    assert unsigned
    for system in unsigned:
        for name in system.accepts:
            assert bare["webhooks"][f"{system.name}/{name}@1"]["post"]["security"] == []


def test_a_version_that_ends_says_so_in_its_answers(old_and_new):
    paths = old_and_new["paths"]
    for path in ("/api/v1/shop/order.placed", "/api/v1/shop/order.placed/batch"):
        assert paths[path]["post"]["deprecated"]
        assert set(paths[path]["post"]["responses"]["202"]["headers"]) == {"Deprecation", "Sunset", "Link"}
        assert "until 2099-12-01; version 2 comes after it" in paths[path]["post"]["description"]
    assert "headers" not in paths["/api/v2/shop/order.placed"]["post"]["responses"]["202"]
    assert set(paths["/api/v1/shop/order.placed"]["post"]["responses"]["200"]["headers"]) > {
        "Deprecation",
        "Sunset",
        "Link",
    }
    # On the path without a version the answer may be of either
    assert set(paths["/api/shop/order.placed"]["post"]["responses"]["202"]["headers"]) == {
        "Deprecation",
        "Sunset",
        "Link",
    }


def test_a_caller_sees_its_own_systems_alone(systems):
    mine = openapi([one for one in systems if one.name == "wms"], title="Crossdock", version="1")
    assert {path.split("/")[3] for path in mine["paths"] if path.startswith("/api/v")} == {"wms"}
    assert "oms" not in json.dumps(
        [list(mine["paths"]), mine["tags"], list(mine["components"]["schemas"])], default=float
    )


def test_asyncapi_has_a_channel_an_operation_and_a_message_for_each(systems):
    found = asyncapi(systems, title="Crossdock", version="1")
    assert found["asyncapi"] == "3.0.0"
    assert len(found["channels"]) == len(found["operations"]) == len(found["components"]["messages"]) > 30
    assert {one["action"] for one in found["operations"].values()} == {"send", "receive"}


def test_headers_of_messages_stand_once_as_traits(two_versions):
    found = asyncapi(two_versions, title="Crossdock", version="1")
    messages, traits = found["components"]["messages"], found["components"]["messageTraits"]
    for message in messages.values():
        assert "headers" not in message
        assert message["traits"][0] == {"$ref": "#/components/messageTraits/common"}
    assert set(traits["common"]["headers"]["properties"]) == {"Idempotency-Key", "traceparent"}
    named = {name: [one["$ref"].rpartition("/")[2] for one in message["traits"]] for name, message in messages.items()}
    assert named == {
        "shop.order.placed.v1": ["common", "signed"],
        "shop.order.placed.v2": ["common", "signed"],
        "warehouse.order.create.v1": ["common", "delivered"],
    }
    # Merged as JSON Merge Patch says a list replaces a list: in each message one trait alone may require headers
    for names in named.values():
        assert sum("required" in traits[name]["headers"] for name in names) <= 1


INBOUND = {
    "hmac": "{scheme: hmac}",
    "api-key": "{scheme: api-key}",
    "oauth2": "{scheme: oauth2, issuer: https://id.example, audience: hub, jwks: https://id.example/jwks, scope: orders.write}",
    "mtls": '{scheme: mtls, certificates: ["' + "ab" * 32 + '"]}',
    "declared": '{scheme: {alg: hmac-sha256, encode: hex, over: "{timestamp}.{body}", at: header:X-Sign, tolerance: 5m}}',
    "in the body": '{scheme: {alg: md5, encode: hex, over: "{body}{secret}", at: json:sign}}',
    "none": "{scheme: none, peers: [203.0.113.0/24]}",
}
OUTBOUND = {
    "hmac": "{scheme: hmac, secret: env:S}",
    "api-key": "{scheme: api-key, key: env:K, at: query:key}",
    "oauth2": "{scheme: oauth2, token_url: https://id.example/token, key: env:K, secret: env:S}",
    "mtls": "{scheme: mtls, certificate: file:/c.pem, key: file:/k.pem}",
    "declared": '{scheme: {alg: hmac-sha256, encode: hex, over: "{timestamp}.{body}", at: header:X-Sign, tolerance: 5m}, secret: env:S}',
    "none": "{scheme: none}",
}


def with_proofs(folder, inbound, outbound):
    init(folder)
    for name, old, new in (
        ("shop", "inbound:  {scheme: hub-signature}", inbound),
        ("warehouse", "outbound: {scheme: none}", outbound),
    ):
        system = folder / "adapters" / name / "system.yaml"
        text = system.read_text("utf-8").replace(old, new).replace("inbound: {scheme: hub-signature}", inbound)
        if name == "shop":
            text = text.replace("    dedupe_by: [orderNo]\n", "    dedupe_by: [orderNo]\n    get: true\n")
            text += "settings:\n  secret: {help: What it signs with, secret: true}\n"
        system.write_text(text, "utf-8")
    routes = folder / "routes.yaml"
    routes.write_text(
        routes.read_text("utf-8").replace("    from: shop", "    mode: sync\n    deadline: 1s\n    from: shop"), "utf-8"
    )
    return list(load(folder).systems.values())


@pytest.mark.parametrize("way", INBOUND)
def test_however_a_system_is_proven_its_documents_are_valid_and_say_so(tmp_path, way):
    systems = with_proofs(
        tmp_path / "workspace", f"inbound: {INBOUND[way]}", f"outbound: {OUTBOUND.get(way, OUTBOUND['none'])}"
    )
    document = plain(openapi(systems, title="Crossdock", version="1"))
    OpenAPIV31SpecValidator(document).validate()
    post, get = (document["paths"]["/api/v1/shop/order.placed"][method] for method in ("post", "get"))
    assert post["security"] == get["security"]
    known = document["components"]["securitySchemes"]
    assert all(name in known for one in post["security"] for name in one)
    assert bool(post["security"]) == (way != "none")
    called = document["webhooks"]["warehouse/order.create@1"]["post"]["security"]
    assert all(name in known for one in called for name in one)
    assert [(one["name"], one["in"], one["required"]) for one in get["parameters"] if one.get("in") == "query"] == [
        ("items", "query", True),
        ("orderNo", "query", True),
    ]
    asyncapi(systems, title="Crossdock", version="1")
