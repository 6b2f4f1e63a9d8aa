"""AsyncAPI 3.0: a channel, an operation and a message per message version; the hub receives what systems emit, and
sends what they accept.

The headers that all messages have in common are traits, and stand once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hub.core.apidocs.interface import Examples, Offer, called, posted
from hub.core.apidocs.security import traits
from hub.core.config.call_address import address_of
from hub.core.config.system import Accept, System
from hub.core.message import Json


def asyncapi(
    systems: Iterable[System], *, title: str, version: str, examples: Examples | None = None
) -> dict[str, Json]:
    """The document of the systems' messages, in both directions."""
    known = list(systems)
    channels: dict[str, Json] = {}
    operations: dict[str, Json] = {}
    messages: dict[str, Json] = {}
    for offer in (*posted(known, examples), *called(known, examples)):
        name, action = offer.name, "send" if isinstance(offer.message, Accept) else "receive"
        messages[name] = _message(offer)
        channels[name] = _channel(offer)
        operations[f"{action}-{name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": offer.about,
            "tags": [{"name": offer.ref.system, "description": offer.system.title}],
            "bindings": _binding(offer),
            "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": version,
            "description": "The messages of the hub, made from their contracts.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "messageTraits": _TRAITS},
    }


def _message(offer: Offer) -> Json:
    return {
        "name": offer.ref.name,
        "title": str(offer.ref),
        "summary": offer.about,
        "contentType": "application/json",
        "traits": [{"$ref": f"#/components/messageTraits/{trait}"} for trait in _traits(offer)],
        "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": offer.schema},
        "examples": [
            {"name": one, "payload": value} for one, value in offer.samples.items() if isinstance(value, dict)
        ],
    }


def _traits(offer: Offer) -> list[str]:
    """What its headers are made of."""
    system = offer.system
    if isinstance(offer.message, Accept):
        return ["common", "delivered", *traits(system.outbound)]
    return ["common", *traits(system.inbound)]


def _channel(offer: Offer) -> Json:
    ref, message = offer.ref, offer.message
    told: dict[str, Json] = {
        "title": str(ref),
        "messages": {offer.name: {"$ref": f"#/components/messages/{offer.name}"}},
    }
    if isinstance(message, Accept) and message.publish is not None and message.publish.queue:
        return {
            "address": message.publish.queue,
            "description": f"A queue of the system's own broker. {offer.lifetime}",
            **told,
        }
    if isinstance(message, Accept) and message.publish is not None:
        exchange: dict[str, Json] = {
            "name": message.publish.exchange,
            "type": message.publish.kind,
            "durable": message.publish.durable,
        }
        about = f"An exchange of the system's own broker; the route says the topic. {offer.lifetime}"
        return {
            "address": message.publish.exchange,
            "description": about,
            "bindings": {"amqp": {"is": "routingKey", "exchange": exchange}},
            **told,
        }
    address = message.path if isinstance(message, Accept) and message.path else f"/api/v{ref.version}/{ref.type}"
    about = (
        f"The system's own path; the hub calls it. {offer.lifetime}" if isinstance(message, Accept) else offer.lifetime
    )
    written, parameters = _parameters(address) if isinstance(message, Accept) and message.path else (address, {})
    return {"address": written, "description": about, **({"parameters": parameters} if parameters else {}), **told}


def _parameters(path: str) -> tuple[str, dict[str, Json]]:
    """An address with holes as AsyncAPI writes it: by names of its own kind, each with where it is filled from."""
    address = address_of(path)
    if not address.holes:
        return path, {}
    parameters: dict[str, Json] = {}
    parts: list[str] = []
    for part in address.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        word = re.sub(r"[^A-Za-z0-9_-]+", "_", part.text).strip("_") or f"hole{len(parameters) + 1}"
        told: dict[str, Json] = {
            "description": "The Idempotency-Key." if part.expression is None else f"{part.text} of what is sent."
        }
        if part.expression is not None and part.expression.path and part.field:
            told["location"] = f"$message.payload#{part.field}"
        parameters[word] = told
        parts.append(f"{{{word}}}")
    return "".join(parts), parameters


def _binding(offer: Offer) -> Json:
    if isinstance(offer.message, Accept):
        publish = offer.message.publish
        if publish is not None:
            return {} if publish.queue else {"amqp": {"deliveryMode": 2, "mandatory": True}}
        return {"http": {"method": offer.message.method}}
    return {"http": {"method": "POST"}}


def _trait(about: str, headers: dict[str, Json], *, required: bool) -> Json:
    # Traits are merged as JSON Merge Patch (RFC 7396) says, where a list replaces a list: of those that meet in a
    # message one alone may require.
    schema: dict[str, Json] = {"type": "object", "properties": headers}
    return {"summary": about, "headers": schema | ({"required": list(headers)} if required else {})}


def _text(about: str, **limits: Json) -> Json:
    return {"type": "string", "description": about, **limits}


_KEY: dict[str, Json] = {"minLength": 1, "maxLength": 255}
_AUTHORIZATION = _text("ApiKey, a blank, and the key.", pattern="^ApiKey ")
_TRAITS: dict[str, Json] = {
    "common": _trait(
        "What every message may carry, in either direction.",
        {
            "Idempotency-Key": _text(
                "The same key again is the same message again: constant over all attempts. In a post webhook-id counts without it.",
                **_KEY,
            ),
            "traceparent": _text("W3C Trace Context; its trace id is the traceId of all that follows."),
        },
        required=False,
    ),
    "delivered": _trait(
        "What every delivery of the hub's carries besides; its Idempotency-Key is never missing.",
        {"X-Crossdock-Message": _text("The id of the message that it was made of.", format="uuid")},
        required=False,
    ),
    "signed": _trait(
        "Signed in the default form (Standard Webhooks 1.0). Keys of the legacy form sign as signed-legacy says.",
        {
            "Authorization": _AUTHORIZATION,
            "webhook-id": _text("An id of the request, without a dot; the same id again is the same request.", **_KEY),
            "webhook-timestamp": _text("Seconds since 1970, at most five minutes off.", pattern="^[0-9]{1,16}$"),
            "webhook-signature": _text("v1, and HMAC-SHA256 of id.timestamp.body in base64.", pattern="^v1,"),
        },
        required=True,
    ),
    "signed-legacy": _trait(
        "Signed in the legacy form.",
        {
            "Authorization": _AUTHORIZATION,
            "X-Timestamp": _text("Milliseconds since 1970, at most five minutes off.", pattern="^[0-9]{1,16}$"),
            "X-Signature": _text(
                "SHA-256 in small hexadecimal digits of the timestamp, the key, the body and the secret.",
                pattern="^[0-9a-f]{64}$",
            ),
        },
        required=True,
    ),
    "signed-hmac": _trait(
        "Signed by HMAC over time and body.",
        {
            "Authorization": _AUTHORIZATION,
            "X-Timestamp": _text("Seconds since 1970, at most five minutes off.", pattern="^[0-9]{10,13}$"),
            "X-Signature": _text(
                "HMAC-SHA256 of timestamp.body in small hexadecimal digits.", pattern="^[0-9a-f]{64}$"
            ),
        },
        required=True,
    ),
    "keyed": _trait("Proven by a key that shows itself.", {"Authorization": _AUTHORIZATION}, required=True),
    "bearer": _trait(
        "Proven by an access token (OAuth 2.0).",
        {"Authorization": _text("Bearer, a blank, and the token.", pattern="^Bearer ")},
        required=True,
    ),
}
