"""How a system's messages are proven, as interface documents say it: OpenAPI's security schemes, AsyncAPI's traits."""

from __future__ import annotations

from collections.abc import Iterable

from hub.core.config.scheme import Scheme
from hub.core.config.system import Inbound, Outbound, System
from hub.core.message import Json

DEFAULT: dict[str, Json] = {"key": [], "id": [], "timestamp": [], "signature": []}
LEGACY: dict[str, Json] = {"key": [], "legacyTimestamp": [], "legacySignature": []}
HMAC: dict[str, Json] = {"key": [], "hmacTimestamp": [], "hmacSignature": []}
SCHEMES: dict[str, Json] = {
    "key": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Both forms: ApiKey, a blank, and the key."},
    "id": {"type": "apiKey", "in": "header", "name": "webhook-id", "description": "Default form: an id of the request, without a dot; the same id again is the same request."},
    "timestamp": {"type": "apiKey", "in": "header", "name": "webhook-timestamp", "description": "Default form: seconds since 1970, at most five minutes off."},
    "signature": {"type": "apiKey", "in": "header", "name": "webhook-signature", "description": "Default form: v1, and HMAC-SHA256 of id.timestamp.body in base64 (Standard Webhooks 1.0). The bytes behind whsec_ are its key."},
    "legacyTimestamp": {"type": "apiKey", "in": "header", "name": "X-Timestamp", "description": "Legacy form: milliseconds since 1970, at most five minutes off."},
    "legacySignature": {"type": "apiKey", "in": "header", "name": "X-Signature", "description": "Legacy form: SHA-256 in small hexadecimal digits of the timestamp, the key, the body and the secret, one right behind the other."},
    "hmacTimestamp": {"type": "apiKey", "in": "header", "name": "X-Timestamp", "description": "Seconds since 1970, at most five minutes off."},
    "hmacSignature": {"type": "apiKey", "in": "header", "name": "X-Signature", "description": "HMAC-SHA256 of timestamp.body under the secret, in small hexadecimal digits."},
    "mutualTLS": {"type": "mutualTLS", "description": "A client certificate whose fingerprint the hub's operator was given."},
}  # fmt: skip
_TRAITS = {"hub-signature": "", "hmac": "signed-hmac", "api-key": "keyed", "oauth2": "bearer"}


def security(system: System, side: Inbound | Outbound) -> list[Json]:
    """What OpenAPI's `security` says of one side of a system: each entry is a way, and all that stands in it is
    needed.
    """
    match side.scheme:
        case "hub-signature" if isinstance(side, Inbound):
            return [DEFAULT, LEGACY]
        case "hub-signature":
            return [LEGACY if side.form == "legacy" else DEFAULT]
        case "hmac":
            return [HMAC]
        case "api-key":
            return [{_own(system, side) if _is_odd(side) else "key": []}]
        case "mtls":
            return [{"mutualTLS": []}]
        case "none":
            return []
        case _:
            return [{_own(system, side): []}]


def schemes(systems: Iterable[System]) -> dict[str, Json]:
    """The components that these entries name."""
    found = dict(SCHEMES)
    for system in systems:
        for side in (system.inbound, system.outbound):
            made = _scheme(side)
            if made is not None:
                found[_own(system, side)] = made
    return found


def traits(side: Inbound | Outbound) -> list[str]:
    """The AsyncAPI traits of a message's headers that prove it; [] where they are of the system's own making."""
    if side.scheme == "hub-signature":
        return ["signed-legacy" if side.form == "legacy" else "signed"]
    return [_TRAITS[side.scheme]] if side.scheme in _TRAITS and not _is_odd(side) else []


def _own(system: System, side: Inbound | Outbound) -> str:
    return f"{system.name}-{'in' if isinstance(side, Inbound) else 'out'}"


def _is_odd(side: Inbound | Outbound) -> bool:
    """An API key that stands elsewhere than the hub's own."""
    return isinstance(side, Outbound) and (side.at is not None or bool(side.prefix))


def _scheme(side: Inbound | Outbound) -> Json:
    if side.scheme == "oauth2":
        issuer = (
            f"An access token of {side.issuer} for {side.audience}"
            if isinstance(side, Inbound)
            else "An access token of the system's own authority"
        )
        scope = f", with the scope {side.scope}" if side.scope else ""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": f"{issuer}{scope}."}
    if side.scheme == "declared" and side.declared is not None:
        return _declared(side.declared)
    if isinstance(side, Outbound) and _is_odd(side):
        place = side.at
        return {
            "type": "apiKey",
            "in": place.kind if place else "header",
            "name": place.name if place else "Authorization",
            "description": "The system's key.",
        }
    return None


def _declared(scheme: Scheme) -> Json:
    """The place of its signature; what it is over and how it is made is said in words. One in the body has no word in
    OpenAPI.
    """
    spot = scheme.places.get("signature")
    further = ", ".join(
        f"{role} at {place}"
        for role, place in scheme.places.items()
        if role != "signature" and scheme.tolerance is not None
    )
    about = f"The system's own signature: {scheme.alg}, as {scheme.encode}{f'; {further}' if further else ''}."
    if spot is None or spot.kind not in ("header", "query"):
        return {
            "type": "apiKey",
            "in": "header",
            "name": "X-Body",
            "description": f"{about} It stands in the body, at {spot}.",
        }
    return {"type": "apiKey", "in": spot.kind, "name": spot.name, "description": about}
