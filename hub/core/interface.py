"""Interface documents from the contracts themselves: OpenAPI 3.1 for what partners post and what the hub calls, AsyncAPI 3.0 for the messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from hub.core.contract import Contract
from hub.core.message import Json, Ref
from hub.core.specimen import specimen
from hub.core.system import LIVE, System, Version, VersionState

Examples: TypeAlias = Mapping[Ref, Mapping[str, Json]]  # good samples, by version and name

_REFUSALS = {
    "400": "The request cannot be taken as it is.",
    "401": "The key, its signature or its right is not valid.",
    "403": "This key may not speak for the system.",
    "404": "There is no such message or version.",
    "409": "The same request is under way.",
    "410": "The version is retired; the answer names its successor.",
    "413": "The body is too large.",
    "415": "The body's type is not taken.",
    "422": "The message does not fit its contract; the details say where, what stands there, what is wanted and what to write.",
    "503": "The hub cannot promise anything now; send it again under the same key.",
}


def openapi(systems: Iterable[System], *, title: str, version: str, examples: Examples | None = None) -> dict[str, Json]:
    """OpenAPI 3.1: a path for each version that the systems may post, a webhook for each message that the hub sends to them."""
    known, given = list(systems), examples or {}
    paths: dict[str, Json] = {}
    webhooks: dict[str, Json] = {}
    schemas: dict[str, Json] = dict(_COMMON_SCHEMAS)
    for ref, state, contract, about in _emitted(known):
        schemas[_name(ref)] = _schema(contract)
        paths[f"/api/v{ref.version}/{ref.system}/{ref.name}"] = {"post": _post(ref, state, about, given.get(ref) or _made(contract))}
        paths[f"/api/v{ref.version}/{ref.system}/{ref.name}/batch"] = {"post": _batch(ref, state, about)}
    for ref, _, contract, about in _accepted(known):
        schemas[_name(ref)] = _schema(contract)
        webhooks[str(ref)] = {"post": _called(ref, about, given.get(ref) or _made(contract))}
    if paths:
        paths["/api/messages/{id}"] = {"get": _STATUS}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": "Post messages; each is checked against its contract, stored, and delivered. Made from the contracts themselves."},
        "servers": [{"url": "/"}],
        "security": [{"key": [], "signature": [], "id": [], "timestamp": []}],
        "paths": paths,
        "webhooks": webhooks,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }  # fmt: skip


def asyncapi(systems: Iterable[System], *, title: str, version: str, examples: Examples | None = None) -> dict[str, Json]:
    """AsyncAPI 3.0: a channel per message version; the hub receives what systems emit, and sends what they accept."""
    known, given = list(systems), examples or {}
    channels: dict[str, Json] = {}
    operations: dict[str, Json] = {}
    messages: dict[str, Json] = {}
    both = [(*one, "receive") for one in _emitted(known)] + [(*one, "send") for one in _accepted(known)]
    for ref, state, contract, about, action in both:
        name = _name(ref)
        samples = given.get(ref) or _made(contract)
        messages[name] = {
            "name": ref.name,
            "title": str(ref),
            "summary": about,
            "contentType": "application/json",
            "headers": {"type": "object", "properties": {"Idempotency-Key": {"type": "string", "maxLength": 255}, "traceparent": {"type": "string"}}},
            "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": _schema(contract)},
            "examples": [{"name": one, "payload": value} for one, value in samples.items() if isinstance(value, dict)],
        }  # fmt: skip
        address = f"/api/v{ref.version}/{ref.system}/{ref.name}" if action == "receive" else str(ref)
        channels[name] = {"address": address, "description": _lifetime(state), "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
        operations[f"{action}-{name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": "The messages of the hub, made from their contracts."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _emitted(systems: Iterable[System]) -> Iterator[tuple[Ref, Version, Contract, str]]:
    for system in systems:
        for name, emit in system.emits.items():
            for number, version in sorted(emit.versions.items()):
                if version.state in LIVE and number in emit.contracts:
                    yield Ref(system.name, name, number), version, emit.contracts[number], emit.about


def _accepted(systems: Iterable[System]) -> Iterator[tuple[Ref, Version, Contract, str]]:
    for system in systems:
        for name, accept in system.accepts.items():
            for number, version in sorted(accept.versions.items()):
                if version.state in LIVE and number in accept.contracts:
                    yield Ref(system.name, name, number), version, accept.contracts[number], accept.about


def _name(ref: Ref) -> str:
    return f"{ref.system}.{ref.name}.v{ref.version}"


def _schema(contract: Contract) -> dict[str, Json]:
    """The contract as a schema of its own: with an id, its references `#/$defs/…` stay its own wherever it stands."""
    return {
        **{word: value for word, value in contract.schema.items() if word != "$schema"},
        "$id": f"urn:crossdock:{contract.ref.system}:{contract.ref.name}:{contract.ref.version}",
    }


def _made(contract: Contract) -> dict[str, Json]:
    """A smallest message, where there is no sample; only if it really fits."""
    value = specimen(contract.schema)
    return {"smallest": value} if not contract.check(value) else {}


def _lifetime(version: Version) -> str:
    words = [version.state.value, f"since {version.since}" if version.since else "", f"until {version.sunset}" if version.sunset else ""]
    return ", ".join(word for word in words if word)


def _post(ref: Ref, version: Version, about: str, samples: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "operationId": f"post-{_name(ref)}",
        "tags": [ref.system],
        "summary": about or str(ref),
        "description": f"Version {ref.version}: {_lifetime(version)}.",
        "deprecated": version.state is VersionState.DEPRECATED,
        "parameters": [_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(ref)}"}, "examples": {name: {"value": value} for name, value in samples.items()}}},
        },
        "responses": {
            "200": {"description": "The target's answer, where the route is synchronous.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}},
            "202": {"description": "Stored; it will be delivered.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}}},
            **_refusals(),
        },
    }  # fmt: skip


def _batch(ref: Ref, version: Version, about: str) -> dict[str, Json]:
    items: Json = {"type": "array", "minItems": 1, "maxItems": 10_000, "items": {"$ref": f"#/components/schemas/{_name(ref)}"}}
    return {
        "operationId": f"post-{_name(ref)}-batch",
        "tags": [ref.system],
        "summary": f"Many at once: {about or ref}",
        "deprecated": version.state is VersionState.DEPRECATED,
        "parameters": [_KEY],
        "requestBody": {"required": True, "content": {"application/json": {"schema": items}}},
        "responses": {
            "202": {
                "description": "At least one is stored; the items say which.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
            },
            **_refusals(),
        },
    }


def _called(ref: Ref, about: str, samples: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "operationId": f"call-{_name(ref)}",
        "tags": [ref.system],
        "summary": about or str(ref),
        "parameters": [_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(ref)}"}, "examples": {name: {"value": value} for name, value in samples.items()}}},
        },
        "responses": {"200": {"description": "Taken. The same Idempotency-Key again means the same delivery again."}},
    }  # fmt: skip


def _refusals() -> dict[str, Json]:
    content: Json = {
        "application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}},
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
    }
    return {status: {"description": text, "content": content} for status, text in _REFUSALS.items()}


_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key again is the same message again: answered, not stored twice.",
    "schema": {"type": "string", "maxLength": 255},
}
_SECURITY: dict[str, Json] = {
    "key": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "ApiKey, a blank, and the key."},
    "id": {"type": "apiKey", "in": "header", "name": "webhook-id", "description": "An id of the request; the same id again is the same request."},
    "timestamp": {"type": "apiKey", "in": "header", "name": "webhook-timestamp", "description": "Seconds since 1970, at most five minutes old."},
    "signature": {"type": "apiKey", "in": "header", "name": "webhook-signature", "description": "v1, and HMAC-SHA-256 of id.timestamp.body in base64 (Standard Webhooks)."},
}  # fmt: skip
_TIMED: dict[str, Json] = {"traceId": {"type": "string"}, "timestamp": {"type": "integer", "description": "Milliseconds since 1970."}}
_FAULT: Json = {
    "type": "object",
    "required": ["pointer", "got", "want", "fix"],
    "properties": {"pointer": {"type": "string"}, "got": {"type": "string"}, "want": {"type": "string"}, "fix": {"type": "string"}},
}
_COMMON_SCHEMAS: dict[str, Json] = {
    "Accepted": {
        "type": "object",
        "required": ["code", "message", "data", "traceId", "timestamp"],
        "properties": {
            "code": {"const": 0},
            "message": {"type": "string"},
            "data": {"type": "object", "required": ["messageId", "duplicate"], "properties": {"messageId": {"type": "string", "format": "uuid"}, "duplicate": {"type": "boolean"}}},
            **_TIMED,
        },
    },
    "Answer": {"type": "object", "required": ["code", "data"], "properties": {"code": {"const": 0}, "message": {"type": "string"}, "data": {}, **_TIMED}},
    "Refusal": {
        "type": "object",
        "required": ["code", "message", "data", "details"],
        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}, "data": {"type": "null"}, "details": {"type": "array", "items": _FAULT}, **_TIMED},
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "integer"},
            "traceId": {"type": "string"},
            "details": {"type": "array", "items": _FAULT},
        },
    },
}  # fmt: skip
_STATUS: Json = {
    "operationId": "own-message",
    "summary": "Where one's own message stands, per target.",
    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}],
    "responses": {
        "200": {"description": "The message.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}},
        "404": {"description": "There is no such message of yours."},
    },
}
