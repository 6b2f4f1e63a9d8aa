"""Who may ask as an operator: whoever has the token, or opens the hub's own socket, or is signed in. Partners are
proven by flow.context.callers.

The address that a request comes from proves nobody: any forwarder on this machine has it, whoever stands behind.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie

from hub.core.errors import Code, Fault, Refused
from hub.core.message import Request
from hub.flow.accounts import people
from hub.flow.hub import Hub
from hub.http.common.bodies import values
from hub.logs import event
from hub.store import Session

COOKIE = "crossdock_session"
DEVICE = "crossdock_device"  # stays when the session is over: this browser has been here before
SAFE = ("GET", "HEAD")
NOT_YOURS = "Your account may not do this; an operator may."
NO_CSRF = "The call does not show the token of your present sign-in (X-CSRF-Token); nothing was changed."


def enter(hub: Hub, request: Request) -> Session | None:
    """Lets an operator's call through, and gives who is signed in; None for the token and for the hub's own socket, who
    say who they are.

    Who is signed in is held to their role: a viewer reads, and an operator's change shows the token of the sign-in,
    which a page of another origin cannot know. Raises Refused: 401, 403, 404.
    """
    found = session(hub, request)
    if found is None:
        admit(request, hub.settings.ops_token)
        return None
    if request.method not in SAFE:
        check_origin(request)
        check_csrf(hub, request, "", NO_CSRF)
        if found.role != people.OPERATOR:
            event("request.denied", "a viewer asked for a change", level="warning", user=found.name, path=request.path)
            raise Refused(Code.FORBIDDEN, NOT_YOURS)
    return found


def cookie_name(hub: Hub, cookie: str = COOKIE) -> str:
    """Behind https the name itself demands Secure, this host, and the whole path: no other host of the domain can set
    it.
    """
    return f"__Host-{cookie}" if hub.settings.public_url.startswith("https://") else cookie


def session_token(hub: Hub, request: Request, cookie: str = COOKIE) -> str:
    """The token that the browser shows; empty where it shows none, or two."""
    name = cookie_name(hub, cookie)
    given = [
        part for value in values(request, "cookie") for part in value.split(";") if part.strip().startswith(name + "=")
    ]
    if len(given) != 1:
        return ""
    try:
        return SimpleCookie(given[0].strip())[name].value
    except (CookieError, KeyError):
        return ""


def session(hub: Hub, request: Request) -> Session | None:
    """Who is signed in. Read each time: what is taken away is gone at once. Raises StoreBusy."""
    token = session_token(hub, request)
    return people.signed_in(hub.store, token) if token else None


def check_csrf(hub: Hub, request: Request, field: str, text: str) -> None:
    """Raises Refused (403) where neither the header nor the form's field shows the token of this sign-in."""
    given = values(request, "x-csrf-token")
    shown = given[0] if len(given) == 1 else field
    if not people.is_csrf(session_token(hub, request), shown):
        raise Refused(Code.FORBIDDEN, text)


def check_origin(request: Request) -> None:
    """Raises Refused (403) for a change that a page of another origin asked for. Browsers say which; others need
    not.
    """
    hosts = values(request, "host")
    for origin in values(request, "origin"):
        if origin.partition("://")[2] not in hosts:
            raise Refused(Code.FORBIDDEN, "A page of another origin asked for this; nothing was changed.")


def admit(request: Request, token: str) -> None:
    """Lets an operator through. Raises Refused: 401 where a token is set and was not shown, 404 where none is: there is
    nothing here then.

    A token that is set is asked of everybody. Without one there is the hub's own socket: its file belongs to the hub's
    account, so that the system itself keeps others out, and no browser and no forwarder of a port leads there.
    """
    if request.is_own if not token else _has(request, token):
        return
    if token:
        text = "Operators' calls need the token: Authorization: Bearer …"
        raise Refused(Code.UNAUTHENTICATED, text, _lacks(request), headers=[("www-authenticate", "Bearer")])
    raise Refused(Code.NOT_FOUND, "There is nothing here.")


def _lacks(request: Request) -> list[Fault]:
    """What can be said without the token: that none came, or not as one."""
    given = values(request, "authorization")
    scheme, _, shown = (given[0] if len(given) == 1 else "").partition(" ")
    if scheme.lower() == "bearer" and shown.strip():
        return []
    got = (
        f"{len(given)} headers Authorization"
        if len(given) > 1
        else "Authorization that does not begin with Bearer"
        if scheme
        else "no header Authorization"
    )
    got = "Bearer without a token" if scheme.lower() == "bearer" else got
    return [
        Fault(
            "",
            got,
            "Authorization: Bearer <HUB_OPS_TOKEN>",
            "send the operators' token in this header, or sign in to the console",
        )
    ]


def _has(request: Request, token: str) -> bool:
    given = values(request, "authorization")
    scheme, _, shown = (given[0] if len(given) == 1 else "").partition(" ")
    # As bytes: compare_digest raises on text that is not ASCII.
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.encode(), token.encode())
