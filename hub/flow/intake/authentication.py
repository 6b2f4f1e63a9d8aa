"""Authenticates and authorises requests: by a caller's key, or by the scheme that the system declares (OAuth2, mTLS,
signature, peer address).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import timedelta
from urllib.parse import unquote

from hub.core.config.parsed_request import ParsedRequest
from hub.core.config.system import Inbound, System
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request
from hub.core.model.addresses import client, hops, is_among
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.kit.proof import lacks_signature, verify
from hub.kit.signature import UNPROVEN, shortcomings
from hub.logs import event
from hub.vault.jwt import BadToken, NoKeys

MAX_SUBJECT = 200
_TOKEN = re.compile(r"[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+", re.ASCII)
BEARER = "bearer"


def authorise(hub: Hub, request: Request, system: str) -> Caller:
    """Authenticates the caller who posts for `system`, over the raw bytes.

    Raises Refused: 401 with one text, 403, or 503 if the issuer's keys are not loaded yet.
    """
    known_system = hub.catalogs.active().systems.get(system)
    inbound = known_system.inbound if known_system is not None else Inbound()
    if not _is_near(hub, inbound, request):
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
    if known_system is None or inbound.forms:
        return _by_key(hub, request, system, inbound)
    return _own_way(hub, request, known_system)


def is_known(hub: Hub, request: Request, system: str) -> bool:
    """Whether the headers name a known sender, so that a long body is read at all. The proof comes later. Raises
    Refused.
    """
    known_system = hub.catalogs.active().systems.get(system)
    if known_system is None or known_system.inbound.forms:
        return hub.callers.is_known(request)
    if not _is_near(hub, known_system.inbound, request):
        return False
    match known_system.inbound.scheme:
        case "oauth2" | "mtls":
            _own_way(hub, request, known_system)
            return True
        case "declared":
            spot = (
                known_system.inbound.declared.places.get("signature")
                if known_system.inbound.declared is not None
                else None
            )
            return spot is not None and (spot.kind in ("form", "json") or ParsedRequest(request).at(spot) is not None)
        case _:
            return True


def lacks(hub: Hub, request: Request, system: str) -> list[Fault]:
    """The faults of the headers: what is missing for the authentication scheme of `system`."""
    known_system = hub.catalogs.active().systems.get(system)
    if known_system is None or known_system.inbound.forms:
        return shortcomings(request)
    if known_system.inbound.scheme == "declared" and known_system.inbound.declared is not None:
        return lacks_signature(known_system.inbound.declared, ParsedRequest(request, hub.limits))
    return []


def authenticate_any(hub: Hub, request: Request) -> Caller:
    """Authenticates a request that names no system: by a caller's key, or by a token or certificate that some systems
    accept. Raises Refused.
    """
    scheme = (_header(request, "authorization") or "").partition(" ")[0].lower()
    wanted = "oauth2" if scheme == BEARER else "mtls" if scheme != "apikey" and _fingerprint(hub, request) else ""
    if not wanted:
        return hub.callers.authenticate(request, now=hub.clock())
    callers: list[Caller] = []
    for system in hub.catalogs.active().systems.values():
        if system.inbound.scheme == wanted and _is_near(hub, system.inbound, request):
            try:
                callers.append(_own_way(hub, request, system))
            except Refused as refused:
                if refused.code is not Code.UNAUTHENTICATED:
                    raise
    if not callers:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
    return Caller(
        callers[0].id, callers[0].name, frozenset(name for caller in callers for name in caller.systems), wanted, ""
    )


def _by_key(hub: Hub, request: Request, system: str, inbound: Inbound) -> Caller:
    caller = hub.callers.authenticate(request, now=hub.clock())
    if system not in caller.systems:
        fault = Fault("", system, " or ".join(sorted(caller.systems)), "use a key of that system")
        raise Refused(Code.FORBIDDEN, f"This key may not speak for {system}.", [fault])
    if caller.form not in inbound.forms:
        # An API key that is only shown proves less than a signature. If the system requires signatures, it is not
        # enough.
        text = f"{system} is spoken for by {inbound.scheme}; this key is of the form {caller.form}."
        raise Refused(
            Code.FORBIDDEN,
            text,
            [
                Fault(
                    "", caller.form, " or ".join(sorted(inbound.forms)), "ask the hub's operator for a key of that form"
                )
            ],
        )
    return caller


def _own_way(hub: Hub, request: Request, system: System) -> Caller:
    inbound = system.inbound
    own_system = frozenset({system.name})
    match inbound.scheme:
        case "oauth2":
            return _by_token(hub, request, system)
        case "mtls":
            fingerprint = _fingerprint(hub, request)
            if fingerprint not in inbound.certificates:
                fix = "connect with the certificate that the hub's operator was given; it must have reached the proxy in front"
                missing = (
                    []
                    if fingerprint
                    else [Fault("", "no client certificate", "the certificate of this connection", fix)]
                )
                raise Refused(Code.UNAUTHENTICATED, UNPROVEN, missing)
            return Caller(f"mtls:{fingerprint[:16]}", system.title, own_system, "mtls", "")
        case "declared" if inbound.declared is not None:
            settings = hub.values(system.name)
            if inbound.declared.needs_secret and not settings.get("secret"):
                # an empty secret would admit anybody who knows the scheme
                raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
            zone = settings.get("zone") or hub.settings.zone
            opened = ParsedRequest(request, hub.limits)
            verify(
                inbound.declared,
                opened,
                settings,
                now=hub.clock(),
                url=hub.settings.public_url + request.path,
                zone=zone,
            )
            spot = inbound.declared.places.get("signature")
            # The signature is a dedupe key, so that a replayed post is a duplicate. It is kept as long as its timestamp
            # could be valid.
            name = (
                hashlib.sha256(f"{opened.at(spot)}".encode()).hexdigest()
                if spot is not None and inbound.declared.tolerance
                else ""
            )
            keep = inbound.declared.tolerance * 2 if inbound.declared.tolerance else timedelta()
            return Caller(
                f"system:{system.name}", system.title, own_system, "declared", f"sig:{name}" if name else "", keep=keep
            )
        case "none":
            return Caller(f"peer:{client_of(hub, request)}", system.title, own_system, "none", "")
        case _:
            raise Refused(Code.UNAUTHENTICATED, UNPROVEN)


def _by_token(hub: Hub, request: Request, system: System) -> Caller:
    inbound = system.inbound
    scheme, _, token = (_header(request, "authorization") or "").partition(" ")
    challenge = [("www-authenticate", "Bearer")]
    if scheme.lower() != BEARER or not _TOKEN.fullmatch(token.strip()):
        got = "Authorization that does not begin with Bearer" if scheme else "no header Authorization"
        got = got if scheme.lower() != BEARER else f"a token of {len(token)} characters that is no JWT"
        fault = Fault(
            "",
            got,
            "Authorization: Bearer <access token>, three parts in base64url with dots between",
            "send the access token that the issuer gave",
        )
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, [fault], headers=challenge)
    try:
        claims = hub.authorities.claims(
            token.strip(), jwks=inbound.jwks, issuer=inbound.issuer, audience=inbound.audience, now=hub.clock()
        )
    except BadToken as error:
        event("token.refused", str(error), level="info", system=system.name)
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, headers=challenge) from error
    except NoKeys as error:
        raise Refused(
            Code.UNAVAILABLE, "The keys of the issuer are not here yet; send it again in a moment."
        ) from error
    if inbound.scope and inbound.scope not in _scopes(claims.get("scope"), claims.get("scp")):
        fault = Fault("", "a token without the scope", inbound.scope, "ask the issuer for a token with this scope")
        raise Refused(Code.FORBIDDEN, f"The token is not good for {system.name}.", [fault])
    # RFC 9068 says `client_id`; many authorities say `azp`; `sub` is always there.
    who = next((str(claims[name]) for name in ("client_id", "azp", "sub") if claims.get(name)), "")
    if not who or len(who) > MAX_SUBJECT or not who.isprintable():
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, headers=challenge)
    return Caller(f"oauth2:{who}", system.title, frozenset({system.name}), "oauth2", "")


def _scopes(*claims: object) -> set[str]:
    return {
        word
        for claim in claims
        for word in (claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else [])
        if isinstance(word, str)
    }


def _fingerprint(hub: Hub, request: Request) -> str:
    """The SHA-256 of the client certificate that a trusted proxy passes on: header Client-Cert (RFC 9440), or escaped
    PEM as nginx writes it.

    The headers are ignored unless the peer is in HUB_TRUSTED_PROXIES. Gives "" if there is no certificate.
    """
    if not _is_proxy(hub, request.peer):
        return ""
    encoded, escaped = _header(request, "client-cert"), _header(request, "x-ssl-client-cert")
    try:
        if encoded is not None and len(encoded) > 2 and encoded[0] == encoded[-1] == ":":
            return hashlib.sha256(base64.b64decode(encoded[1:-1], validate=True)).hexdigest()
        if escaped:
            lines = [line for line in unquote(escaped).splitlines() if line and not line.startswith("-----")]
            return hashlib.sha256(base64.b64decode("".join(lines), validate=True)).hexdigest()
    except binascii.Error:
        return ""
    return ""


def _is_proxy(hub: Hub, peer: str) -> bool:
    return is_among(peer, hub.settings.trusted_proxies)


def client_of(hub: Hub, request: Request) -> str:
    """The client's address: the socket's peer, or behind trusted proxies the first forwarded address, from the nearest
    hop, that is not a trusted proxy.
    """
    if not _is_proxy(hub, request.peer):
        return request.peer
    forwarded_for, forwarded = (
        [value for name, value in request.headers if name == header] for header in ("x-forwarded-for", "forwarded")
    )
    return client(request.peer, hops(forwarded_for, forwarded), hub.settings.trusted_proxies)


def _is_near(hub: Hub, inbound: Inbound, request: Request) -> bool:
    """Whether the client's address is allowed. If the system names no addresses, every address is allowed."""
    if not inbound.peers:
        # then nothing authenticates the caller: `hub check` refuses such a system, and so does this
        return inbound.scheme != "none"
    return is_among(client_of(hub, request), inbound.peers)


def _header(request: Request, name: str) -> str | None:
    try:
        return request.header(name)
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error
