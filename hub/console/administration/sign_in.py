"""Signing in and out. A new session for each sign-in, in a cookie that scripts cannot read and other sites cannot
send.
"""

from __future__ import annotations

import re

from flask import Blueprint, Response, g, request

from hub.console.common.page_context import Desk, own_path
from hub.core.errors import Refused
from hub.flow.accounts import people
from hub.flow.intake.authentication import client_of
from hub.http.ops import operator_auth

# How a browser on this machine calls it. It decides about a warning alone: what is typed there does not pass a line
# that others read.
_HERE = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


def add(pages: Blueprint, desk: Desk) -> None:
    desk.open_endpoints.add("console.sign_in")
    desk.free_endpoints.add("console.sign_out")

    @pages.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> Response:
        if request.method == "POST":
            return _try(desk)
        if desk.is_signed_in:
            return desk.go(own_path(request.args.get("next", "")))
        failed = desk.words("sign_in.ended") if request.args.get("ended") else ""
        return _form(desk, failed=failed, to=request.args.get("next", ""))

    @pages.post("/sign-out")
    def sign_out() -> Response:
        people.sign_out(desk.hub.store, operator_auth.session_token(desk.hub, g.incoming))
        response = desk.go("/console/sign-in")
        _set(desk, response, "")
        response.headers["clear-site-data"] = '"cache"'
        return response


def _try(desk: Desk) -> Response:
    name, password, to = (
        request.form.get("name", "").strip(),
        request.form.get("password", ""),
        request.form.get("next", ""),
    )
    try:
        device = operator_auth.session_token(desk.hub, g.incoming, operator_auth.DEVICE)
        token = people.sign_in(desk.hub.store, name, password, address=client_of(desk.hub, g.incoming), device=device)
    except Refused as error:
        text = desk.words(
            "sign_in.many"
            if isinstance(error, people.TooMany)
            else "sign_in.busy"
            if isinstance(error, people.Busy)
            else "sign_in.wrong"
        )
        response = _form(desk, status=error.code.status, failed=text, to=to, name=name[:63])
        response.headers.extend(error.headers)
        return response
    if before := operator_auth.session_token(desk.hub, g.incoming):
        people.sign_out(desk.hub.store, before)  # what was in the browser before is of no use any more
    response = desk.go(own_path(to))
    _set(desk, response, token)
    name = operator_auth.cookie_name(desk.hub, operator_auth.DEVICE)
    age = int(people.KNOWN.total_seconds())
    response.set_cookie(
        name,
        people.device_of(token),
        httponly=True,
        secure=name.startswith("__Host-"),
        samesite="Strict",
        path="/",
        max_age=age,
    )
    return response


def _form(desk: Desk, *, status: int = 200, failed: str = "", to: str = "", name: str = "") -> Response:
    is_plain = not desk.hub.settings.public_url.startswith("https://") and not _HERE.fullmatch(request.host)
    return desk.render("sign_in.html", status=status, failed=failed, next=own_path(to), name=name, is_plain=is_plain)


def _set(desk: Desk, response: Response, token: str) -> None:
    name = operator_auth.cookie_name(desk.hub)
    is_secure = name.startswith("__Host-")
    if token:
        response.set_cookie(
            name,
            token,
            httponly=True,
            secure=is_secure,
            samesite="Strict",
            path="/",
            max_age=int(people.LONGEST.total_seconds()),
        )
    else:
        response.delete_cookie(name, httponly=True, secure=is_secure, samesite="Strict", path="/")
