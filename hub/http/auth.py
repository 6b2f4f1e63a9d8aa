"""Who may ask as an operator: this machine itself, or whoever has the token. Partners are proven by flow.callers."""

from __future__ import annotations

import hmac
import ipaddress
import re

from hub.core.errors import Code, Refused
from hub.core.message import Request
from hub.http.bodies import values

# What a proxy adds. A request that came through one is not this machine's own, whatever the socket says.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})
_LOCAL_HOST = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


def admit(request: Request, token: str) -> None:
    """Lets an operator through. Raises Refused: 401 where a token is set and was not shown, 404 where none is: there is nothing here then.

    A page in the operator's own browser is on loopback too. It cannot read what it asks across origins, unless its own name was bent to
    127.0.0.1 (DNS rebinding): so the Host must be this machine's name, and a foreign Origin is refused.
    """
    if _is_local(request) or (token and _has(request, token)):
        return
    if token:
        raise Refused(Code.UNAUTHENTICATED, "Operators' calls need the token: Authorization: Bearer …", headers=[("www-authenticate", "Bearer")])
    raise Refused(Code.NOT_FOUND, "There is nothing here.")


def _has(request: Request, token: str) -> bool:
    given = values(request, "authorization")
    scheme, _, shown = (given[0] if len(given) == 1 else "").partition(" ")
    # As bytes: compare_digest raises on text that is not ASCII.
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.encode(), token.encode())


def _is_local(request: Request) -> bool:
    try:
        address = ipaddress.ip_address(request.peer)
    except ValueError:
        return False
    if not address.is_loopback or any(name in _FORWARDED for name, _ in request.headers):
        return False
    origins = [value.partition("://")[2] for value in values(request, "origin")]
    return all(_LOCAL_HOST.fullmatch(host) for host in [*values(request, "host"), *origins])
