"""OpenAPI 3.1: a path for each version that may be posted, one for each message without a version, and a webhook for
each that the hub calls with.

Everything that many operations share stands once, in the components.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from hub.core import json
from hub.core.apidocs import response_components, security
from hub.core.apidocs.interface import Examples, Offer, called, posted
from hub.core.config.call_address import address_of
from hub.core.config.query import MAX_STEPS
from hub.core.config.system import Accept, Emit, System
from hub.core.message import Json
from hub.core.schemas.types import MISSING, Shape, field_of, names_of, of_schema, required_of

MAX_BATCH = 10_000
_ABOUT = """\
Post messages; each is checked against its contract, stored, and delivered. Made from the contracts themselves.

**Versions.** The contract's version stands in the path (`/api/v1/…`). On the path without one it stands in `API-Version: 1`, or in
`Accept: application/vnd.crossdock.v1+json`; without any of these the version counts that the key pins, else the newest current one.
Versions that contradict each other are refused.

**Signing.** The key says which of the two forms it uses: the default one (`key`, `id`, `timestamp`, `signature`) or the legacy one (`key`,
`legacyTimestamp`, `legacySignature`). The bytes are signed as they are sent, compressed if they are.

**Refusals.** Each names a stable code of five digits, and in `details` what to change. With `Accept: application/problem+json` they are in
the form of RFC 9457. `/docs/errors` lists all codes."""


def openapi(
    systems: Iterable[System], *, title: str, version: str, examples: Examples | None = None, max_batch: int = MAX_BATCH
) -> dict[str, Json]:
    """The document of what the systems may post, and of what the hub calls on them."""
    known = list(systems)
    paths: dict[str, Json] = {}
    schemas: dict[str, Json] = dict(response_components.SCHEMAS)
    for _, group in groupby(posted(known, examples), key=lambda offer: offer.ref.type):
        offers = list(group)
        for offer in offers:
            schemas[offer.name] = offer.schema
            paths |= _paths(f"/api/v{offer.ref.version}/{offer.ref.type}", [offer], max_batch, is_versioned=True)
        paths |= _paths(f"/api/{offers[0].ref.type}", offers, max_batch, is_versioned=False)
    webhooks: dict[str, Json] = {}
    for offer in called(known, examples):
        if isinstance(offer.message, Accept) and offer.message.publish is not None:
            continue  # it goes to an exchange: AsyncAPI tells of it
        schemas[offer.name] = offer.schema
        webhooks[str(offer.ref)] = _webhook(offer)
    if paths:
        paths["/api/messages/{id}"] = {"get": _STATUS}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "externalDocs": {"url": "/docs", "description": "The same to read, and to try"},
        "tags": [{"name": system.name, "description": system.title} for system in known],
        "security": [security.DEFAULT, security.LEGACY],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "responses": response_components.responses(),
            "headers": response_components.HEADERS,
            "parameters": _PARAMETERS,
            "securitySchemes": security.schemes(known),
        },
    }


def _paths(path: str, offers: Sequence[Offer], max_batch: int, *, is_versioned: bool) -> dict[str, Json]:
    question = offers[-1].message if isinstance(offers[-1].message, Emit) and offers[-1].message.get else None
    return {
        path: {
            **({"get": _get(offers, is_versioned=is_versioned)} if question else {}),
            "post": _post(offers, is_versioned=is_versioned),
        },
        f"{path}/batch": {"post": _batch(offers, max_batch, is_versioned=is_versioned)},
    }


def _head(offers: Sequence[Offer], *, is_versioned: bool, batch: bool = False) -> dict[str, Json]:
    """What the operations of one and of many have in common. `offers`: the one version, or all of the message's."""
    newest = offers[-1]
    name = newest.name if is_versioned else newest.name.rpartition(".v")[0]
    lines = [f"Version {offer.ref.version}: {offer.lifetime}." for offer in offers]
    lines += [f"Beyond its schema: {text}." for _, text in newest.contract.rules]
    parameters: list[Json] = [_shared(name) for name in ("IdempotencyKey", "TraceParent", "ContentEncoding")]
    if not is_versioned:
        lines.insert(0, "The version stands in `API-Version` or in `Accept: application/vnd.crossdock.v{N}+json`.")
        parameters.append(_api_version([offer.ref.version for offer in offers]))
    return {
        "operationId": f"post-{name}" + ("-batch" if batch else ""),
        "tags": [newest.ref.system],
        "summary": f"Many at once: {newest.about}" if batch else newest.about,
        "description": "\n\n".join(lines),
        "security": security.security(newest.system, newest.system.inbound),
        "deprecated": all(offer.is_deprecated for offer in offers),
        "parameters": parameters,
    }


def _post(offers: Sequence[Offer], *, is_versioned: bool) -> dict[str, Json]:
    ending = _ending(offers)
    ok: dict[str, Json] = {
        "description": "The target's answer, where the route is synchronous.",
        "headers": {**response_components.exchange_headers(), **ending},
        "content": response_components.content("Answer"),
    }
    stored: dict[str, Json] = {
        "description": "Stored; it will be delivered.",
        "content": response_components.content("Accepted", **response_components.accepted()),
    }
    return {
        **_head(offers, is_versioned=is_versioned),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _one_of(offers), "examples": _examples(offers)}},
        },
        "responses": {
            "200": ok,
            "202": stored | ({"headers": ending} if ending else {}),
            **response_components.refusals(),
        },
    }


def _get(offers: Sequence[Offer], *, is_versioned: bool) -> dict[str, Json]:
    """The same as a question, its fields in the query: a comma parts a list, a dot goes into an object."""
    head = _head(offers, is_versioned=is_versioned)
    shared = [one for one in _listed(head["parameters"]) if one != _shared("ContentEncoding")]
    ok: dict[str, Json] = {
        "description": "The target's answer.",
        "headers": {**response_components.exchange_headers(), **_ending(offers)},
        "content": response_components.content("Answer"),
    }
    return {
        **head,
        "operationId": str(head["operationId"]).replace("post-", "get-", 1),
        "parameters": [*shared, *_query(of_schema(offers[-1].contract.schema), offers[-1].schema, "")],
        "responses": {"200": ok, **response_components.refusals()},
    }


def _query(shape: Shape, schema: Any, before: str, depth: int = 0) -> Iterator[Json]:
    """A parameter for each field that is a value or a list of them; objects are gone into."""
    required = required_of(shape)
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    for name in sorted(names_of(shape)):
        inner = field_of(shape, name)
        there = properties.get(name) if isinstance(properties, dict) else None
        if inner.kinds is not None and "object" in inner.kinds:
            if depth < MAX_STEPS:
                yield from _query(inner, there, f"{before}{name}.", depth + 1)
            continue
        kinds = sorted((inner.kinds or frozenset({"string"})) - {MISSING})
        made: dict[str, Json] = (
            dict(there)
            if isinstance(there, dict) and "$ref" not in there
            else {"type": kinds[0] if len(kinds) == 1 else list[Json](kinds)}
        )
        yield {
            "name": f"{before}{name}",
            "in": "query",
            "required": name in required and not before,
            "style": "form",
            "explode": False,
            "schema": made,
        }


def _batch(offers: Sequence[Offer], max_batch: int, *, is_versioned: bool) -> dict[str, Json]:
    samples = list(offers[-1].samples.values())
    lines = "\n".join(json.encode(one).decode() for one in samples)
    array: dict[str, Json] = {
        "schema": {"type": "array", "minItems": 1, "maxItems": max_batch, "items": _one_of(offers)}
    }
    about = (
        f"One message per line, each as an element of the array; at most {max_batch} lines. Empty lines do not count."
    )
    stream: dict[str, Json] = {"schema": {"type": "string", "description": about}}
    if samples:
        array["example"], stream["example"] = samples, lines
    ending = _ending(offers)
    stored: dict[str, Json] = {
        "description": "At least one is stored; the items say which.",
        "content": response_components.content("BatchAccepted", **{"one-of-two": response_components.batch_accepted()}),
    }
    return {
        **_head(offers, is_versioned=is_versioned, batch=True),
        "requestBody": {"required": True, "content": {"application/json": array, "application/x-ndjson": stream}},
        "responses": {"202": stored | ({"headers": ending} if ending else {}), **response_components.refusals()},
    }


def _webhook(offer: Offer) -> dict[str, Json]:
    """What the hub sends to a system, and what it makes of the answers (kit.target judges so)."""
    accept, outbound = offer.message, offer.system.outbound
    assert isinstance(accept, Accept)
    busy = f" Where `{accept.again.text}` holds, it counts as 5XX." if accept.again is not None else ""
    taken = (
        f"Taken, where `{accept.success.text}` holds of its status, headers and body; else refused for good."
        if accept.success is not None
        else "Taken."
    )
    taken += busy
    operation: dict[str, Json] = {
        "operationId": f"call-{offer.name}",
        "tags": [offer.ref.system],
        "summary": offer.about,
        "description": f"The hub calls `{accept.method} {accept.path}` on the system.\n\nVersion {offer.ref.version}: {offer.lifetime}.",
        "security": security.security(offer.system, outbound),
        "parameters": [_shared("DeliveryKey"), _shared("TraceParent")],
        **_asked(
            accept,
            {
                "required": True,
                "content": {"application/json": {"schema": _one_of([offer]), "examples": _examples([offer])}},
            },
        ),
        "responses": {
            "2XX": {"description": f"{taken} The same Idempotency-Key again means the same delivery again."},
            "4XX": {
                "description": "Refused for good, and a person looks at it. But 408, 425 and 429 count as 5XX; so do 409 and 423 with a Retry-After."
            },
            "5XX": {
                "description": "It cannot be taken now. It comes again under the same Idempotency-Key, not before what Retry-After says."
            },
        },
    }
    return {accept.method.lower(): operation}


def _asked(accept: Accept, body: Json) -> dict[str, Json]:
    """What goes along: the message, but for a GET whose address has holes for what it asks."""
    return {} if accept.method == "GET" and address_of(accept.path or "/").holes else {"requestBody": body}


def _one_of(offers: Sequence[Offer]) -> dict[str, Json]:
    refs: list[Json] = [{"$ref": f"#/components/schemas/{offer.name}"} for offer in offers]
    return {"$ref": f"#/components/schemas/{offers[0].name}"} if len(refs) == 1 else {"anyOf": refs}


def _examples(offers: Sequence[Offer]) -> dict[str, Json]:
    """By name; of several versions, by version and name."""
    many = len(offers) > 1
    return {
        f"v{offer.ref.version}-{name}" if many else name: {"value": value}
        for offer in offers
        for name, value in offer.samples.items()
    }


def _ending(offers: Sequence[Offer]) -> dict[str, Json]:
    """The headers that say that a version ends."""
    old = [offer for offer in offers if offer.is_deprecated]
    return response_components.lifetime_headers(
        since=any(offer.version.since for offer in old),
        sunset=any(offer.version.sunset for offer in old),
        successor=any(offer.successor is not None for offer in old),
    )


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _shared(name: str) -> Json:
    return {"$ref": f"#/components/parameters/{name}"}


def _api_version(numbers: Sequence[int]) -> Json:
    about = (
        "The contract's version. Without it, and without one in Accept: what the key pins, else the newest current one."
    )
    return {
        "name": "API-Version",
        "in": "header",
        "required": False,
        "description": about,
        "schema": {"type": "integer", "enum": list(numbers)},
    }


def _in_header(name: str, about: str, schema: dict[str, Json], *, required: bool = False) -> Json:
    return {"name": name, "in": "header", "required": required, "description": about, "schema": schema}


_KEY: dict[str, Json] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
_PARAMETERS: dict[str, Json] = {
    "IdempotencyKey": _in_header("Idempotency-Key", "The same key again is the same message again: answered, not stored twice. Without it webhook-id counts.", _KEY),
    "DeliveryKey": _in_header("Idempotency-Key", "Constant for the delivery, over all its attempts: apply it once.", _KEY, required=True),
    "TraceParent": _in_header("traceparent", "W3C Trace Context; its trace id becomes the traceId of all that follows.", {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}),
    "ContentEncoding": _in_header("Content-Encoding", "The body may be compressed, once; then the compressed bytes are signed.", {"enum": ["gzip", "deflate", "identity"]}),
}  # fmt: skip
_STATUS: Json = {
    "operationId": "own-message",
    "summary": "Where one's own message stands, per target.",
    "description": "Signed over an empty body. One's own is what was posted under the same key; anything else is 404.",
    "parameters": [{"name": "id", "in": "path", "required": True, "description": "The messageId of the receipt.", "schema": {"type": "string", "format": "uuid"}}],
    "responses": {"200": {"description": "The message.", "content": response_components.content("MessageStatus")}, **response_components.refusals(response_components.READING)},
}  # fmt: skip
