"""Who posts, and may it speak for a system: by a caller's key, or by the way that the system's own folder declares."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import timedelta
from urllib.parse import unquote

from hub.core.config.parsed_request import Opened
from hub.core.config.system import Inbound, System
from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request
from hub.core.model.addresses import client, hops, is_among
from hub.flow.context.callers import Caller
from hub.flow.hub import Hub
from hub.kit.signing.proof import lacks_signature, verify
from hub.kit.signing.signature import UNPROVEN, shortcomings
from hub.logs import event
from hub.vault.jwt import BadToken, NoKeys

MAX_SUBJECT = 200
_TOKEN = re.compile(r"[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+", re.ASCII)
BEARER = "bearer"


def authorise(hub: Hub, request: Request, system: str) -> Caller:
    """Who posts for `system`, proven over the bytes as they came. Raises Refused: 401 with one text, 403, or 503 where keys are not here yet."""
    found = hub.catalogs.active().systems.get(system)
    inbound = found.inbound if found is not None else Inbound()
    if not _is_near(hub, inbound, request):
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
    if found is None or inbound.forms:
        return _by_key(hub, request, system, inbound)
    return _own_way(hub, request, found)


def is_known(hub: Hub, request: Request, system: str) -> bool:
    """Whether what the head says of its sender is worth reading a long body for. Believing it comes later. Raises Refused."""
    found = hub.catalogs.active().systems.get(system)
    if found is None or found.inbound.forms:
        return hub.callers.is_known(request)
    if not _is_near(hub, found.inbound, request):
        return False
    match found.inbound.scheme:
        case "oauth2" | "mtls":
            _own_way(hub, request, found)
            return True
        case "declared":
            spot = found.inbound.declared.places.get("signature") if found.inbound.declared is not None else None
            return spot is not None and (spot.kind in ("form", "json") or Opened(request).at(spot) is not None)
        case _:
            return True


def lacks(hub: Hub, request: Request, system: str) -> list[Fault]:
    """What the head of a request for `system` lacks that would prove its sender, by the way in which that system is proven."""
    found = hub.catalogs.active().systems.get(system)
    if found is None or found.inbound.forms:
        return shortcomings(request)
    if found.inbound.scheme == "declared" and found.inbound.declared is not None:
        return lacks_signature(found.inbound.declared, Opened(request, hub.limits))
    return []


def whoever(hub: Hub, request: Request) -> Caller:
    """Who asks, where no system is named: by a caller's key, or a token or certificate that some systems take. Raises Refused."""
    scheme = (_header(request, "authorization") or "").partition(" ")[0].lower()
    wanted = "oauth2" if scheme == BEARER else "mtls" if scheme != "apikey" and _fingerprint(hub, request) else ""
    if not wanted:
        return hub.callers.authenticate(request, now=hub.clock())
    mine: list[Caller] = []
    for system in hub.catalogs.active().systems.values():
        if system.inbound.scheme == wanted and _is_near(hub, system.inbound, request):
            try:
                mine.append(_own_way(hub, request, system))
            except Refused as refused:
                if refused.code is not Code.UNAUTHENTICATED:
                    raise
    if not mine:
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN)
    return Caller(mine[0].id, mine[0].name, frozenset(name for one in mine for name in one.systems), wanted, "")


def _by_key(hub: Hub, request: Request, system: str, inbound: Inbound) -> Caller:
    caller = hub.callers.authenticate(request, now=hub.clock())
    if system not in caller.systems:
        fault = Fault("", system, " or ".join(sorted(caller.systems)), "use a key of that system")
        raise Refused(Code.FORBIDDEN, f"This key may not speak for {system}.", [fault])
    if caller.form not in inbound.forms:
        # A key that shows itself proves less than one that signs: where the system is to be signed for, it is not enough.
        text = f"{system} is spoken for by {inbound.scheme}; this key is of the form {caller.form}."
        raise Refused(Code.FORBIDDEN, text, [Fault("", caller.form, " or ".join(sorted(inbound.forms)), "ask the hub's operator for a key of that form")])
    return caller


def _own_way(hub: Hub, request: Request, system: System) -> Caller:
    inbound = system.inbound
    mine = frozenset({system.name})
    match inbound.scheme:
        case "oauth2":
            return _by_token(hub, request, system)
        case "mtls":
            fingerprint = _fingerprint(hub, request)
            if fingerprint not in inbound.certificates:
                fix = "connect with the certificate that the hub's operator was given; it must have reached the proxy in front"
                missing = [] if fingerprint else [Fault("", "no client certificate", "the certificate of this connection", fix)]
                raise Refused(Code.UNAUTHENTICATED, UNPROVEN, missing)
            return Caller(f"mtls:{fingerprint[:16]}", system.title, mine, "mtls", "")
        case "declared" if inbound.declared is not None:
            settings = hub.values(system.name)
            if inbound.declared.needs_secret and not settings.get("secret"):
                raise Refused(Code.UNAUTHENTICATED, UNPROVEN)  # an empty secret would let in whoever knows the scheme
            zone = settings.get("zone") or hub.settings.zone
            opened = Opened(request, hub.limits)
            verify(inbound.declared, opened, settings, now=hub.clock(), url=hub.settings.public_url + request.path, zone=zone)
            spot = inbound.declared.places.get("signature")
            # A signature is remembered like an id, so that a copied post is a duplicate: for as long as its timestamp would be good.
            name = hashlib.sha256(f"{opened.at(spot)}".encode()).hexdigest() if spot is not None and inbound.declared.tolerance else ""
            keep = inbound.declared.tolerance * 2 if inbound.declared.tolerance else timedelta()
            return Caller(f"system:{system.name}", system.title, mine, "declared", f"sig:{name}" if name else "", keep=keep)
        case "none":
            return Caller(f"peer:{client_of(hub, request)}", system.title, mine, "none", "")
        case _:
            raise Refused(Code.UNAUTHENTICATED, UNPROVEN)


def _by_token(hub: Hub, request: Request, system: System) -> Caller:
    inbound = system.inbound
    scheme, _, token = (_header(request, "authorization") or "").partition(" ")
    challenge = [("www-authenticate", "Bearer")]
    if scheme.lower() != BEARER or not _TOKEN.fullmatch(token.strip()):
        got = "Authorization that does not begin with Bearer" if scheme else "no header Authorization"
        got = got if scheme.lower() != BEARER else f"a token of {len(token)} characters that is no JWT"
        fault = Fault("", got, "Authorization: Bearer <access token>, three parts in base64url with dots between", "send the access token that the issuer gave")
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, [fault], headers=challenge)
    try:
        claims = hub.authorities.claims(token.strip(), jwks=inbound.jwks, issuer=inbound.issuer, audience=inbound.audience, now=hub.clock())
    except BadToken as error:
        event("token.refused", str(error), level="info", system=system.name)
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, headers=challenge) from error
    except NoKeys as error:
        raise Refused(Code.UNAVAILABLE, "The keys of the issuer are not here yet; send it again in a moment.") from error
    if inbound.scope and inbound.scope not in _scopes(claims.get("scope"), claims.get("scp")):
        fault = Fault("", "a token without the scope", inbound.scope, "ask the issuer for a token with this scope")
        raise Refused(Code.FORBIDDEN, f"The token is not good for {system.name}.", [fault])
    # `client_id` is RFC 9068's; `azp` is what many authorities say; a token always has a subject.
    who = next((str(claims[name]) for name in ("client_id", "azp", "sub") if claims.get(name)), "")
    if not who or len(who) > MAX_SUBJECT or not who.isprintable():
        raise Refused(Code.UNAUTHENTICATED, UNPROVEN, headers=challenge)
    return Caller(f"oauth2:{who}", system.title, frozenset({system.name}), "oauth2", "")


def _scopes(*given: object) -> set[str]:
    return {word for one in given for word in (one.split() if isinstance(one, str) else one if isinstance(one, list) else []) if isinstance(word, str)}


def _fingerprint(hub: Hub, request: Request) -> str:
    """The SHA-256 of the client's certificate as a trusted proxy hands it on: RFC 9440's Client-Cert, or escaped PEM as nginx writes it.

    Anybody may send the header; it counts from the addresses that HUB_TRUSTED_PROXIES names.
    """
    if not _is_proxy(hub, request.peer):
        return ""
    given, escaped = _header(request, "client-cert"), _header(request, "x-ssl-client-cert")
    try:
        if given is not None and len(given) > 2 and given[0] == given[-1] == ":":
            return hashlib.sha256(base64.b64decode(given[1:-1], validate=True)).hexdigest()
        if escaped:
            lines = [line for line in unquote(escaped).splitlines() if line and not line.startswith("-----")]
            return hashlib.sha256(base64.b64decode("".join(lines), validate=True)).hexdigest()
    except binascii.Error:
        return ""
    return ""


def _is_proxy(hub: Hub, peer: str) -> bool:
    return is_among(peer, hub.settings.trusted_proxies)


def client_of(hub: Hub, request: Request) -> str:
    """The address that the request comes from: the socket's, or behind trusted proxies the first one that is none of theirs, read from the nearest hop."""
    if not _is_proxy(hub, request.peer):
        return request.peer
    forwarded_for, forwarded = ([value for name, value in request.headers if name == wanted] for wanted in ("x-forwarded-for", "forwarded"))
    return client(request.peer, hops(forwarded_for, forwarded), hub.settings.trusted_proxies)


def _is_near(hub: Hub, inbound: Inbound, request: Request) -> bool:
    """Whether it comes from where it may; from anywhere where nothing is named."""
    if not inbound.peers:
        return inbound.scheme != "none"  # nothing proves it then: the check refuses such a system, and so do we
    return is_among(client_of(hub, request), inbound.peers)


def _header(request: Request, name: str) -> str | None:
    try:
        return request.header(name)
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"The {error}. Send it once.") from error
