"""What a page of the console is made with: who asks, in which language, and how an answer is put together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from flask import Response, g, redirect, render_template, request

from hub.console.common.assets import Asset, read_assets
from hub.console.words import Words, read_words
from hub.core.errors import Code, Reason, Refused
from hub.core.message import Json
from hub.core.model.remedies import MENDS
from hub.flow.accounts.people import OPERATOR
from hub.flow.hub import Hub
from hub.store import Session

P = ParamSpec("P")
R = TypeVar("R")
SOON_S = 0.05  # so long a page waits for what takes long, before it says that it is being made
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)

# The order of the navigation. A page is linked once its module has registered it.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "watch": ("now", "find"),
    "repair": ("dead", "unrouted", "refused"),
    "build": ("routes", "mappings", "contracts", "systems", "changes"),
    "run": ("callers", "record", "people", "processes", "store"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the navigation. `only`: the role that sees it; empty: both."""

    key: str
    endpoint: str
    only: str = ""


@dataclass(slots=True)
class Desk:
    """One per process. Pages take from here all that they need: the hub, who asks, the words, and `render`."""

    hub: Hub
    texts: Mapping[str, tuple[str, str]] = field(default_factory=read_words)
    assets: Mapping[str, Asset] = field(default_factory=read_assets)
    entries: dict[str, Entry] = field(default_factory=dict)
    under: dict[str, frozenset[str]] = field(default_factory=dict)  # endpoint → those that lie under it
    open_endpoints: set[str] = field(default_factory=set)  # that need no sign-in
    # that a viewer may change something by: their own sign-in, nothing else
    free_endpoints: set[str] = field(default_factory=set)

    def nav(self, key: str, endpoint: str, *, only: str = "", under: tuple[str, ...] = ()) -> None:
        """Links a page. `key` stands in GROUPS, and `nav.<key>` in the words; `endpoint` is the view's function name,
        `under` those of its details.
        """
        assert any(key in keys for keys in GROUPS.values()), f"{key} has no place in the navigation"
        self.entries[key] = Entry(key, f"console.{endpoint}", only)
        self.under[f"console.{endpoint}"] = frozenset(f"console.{one}" for one in under)

    def links(self) -> dict[str, list[Entry]]:
        """The navigation as whoever asks may see it, by group."""
        role = self.session.role if self.is_signed_in else ""
        found = {
            group: [self.entries[key] for key in keys if key in self.entries and self.entries[key].only in ("", role)]
            for group, keys in GROUPS.items()
        }
        return {group: entries for group, entries in found.items() if entries}

    @property
    def words(self) -> Words:
        return g.words  # type: ignore[no-any-return]  # flask.g is untyped

    @property
    def is_signed_in(self) -> bool:
        return g.get("session") is not None

    @property
    def session(self) -> Session:
        """Who asks. Only where a sign-in was asked for, which is everywhere but on open endpoints."""
        return g.session  # type: ignore[no-any-return]  # flask.g is untyped

    @property
    def by(self) -> str:
        """Who does it, for the verbs that record it. Never a field of a form."""
        return self.session.name

    @property
    def may_act(self) -> bool:
        """Whether buttons are shown. What a button does asks again, by itself."""
        return self.is_signed_in and self.session.role == OPERATOR

    def operators(self, view: Callable[P, R]) -> Callable[P, R]:
        """A page that only operators see. Every POST is theirs already."""

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not self.may_act:
                raise Refused(Code.FORBIDDEN, self.words("error.403"))
            return view(*args, **kwargs)

        return guarded

    def render(self, template: str, status: int = 200, **given: Any) -> Response:
        """A page from pages/`template`. A poll (HX-Request) is answered with the block `live` alone, or with 304 where
        it is what the browser has.
        """
        is_part = request.headers.get("HX-Request") == "true" and status == 200
        text = render_template(template, layout="part.html" if is_part else "page.html", status=status, **given)
        response = Response(text, status, content_type="text/html; charset=utf-8")
        if is_part:
            tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
            response.headers["ETag"] = tag
            if request.headers.get("If-None-Match") == tag:
                response.status_code, response.data = 304, b""
        return response

    def go(self, path: str) -> Response:
        """To another page, after something was done: reloading does not do it again (303)."""
        answer = redirect(path, 303)
        assert isinstance(answer, Response)
        return answer

    def field(self, name: str, most: int = 1_000) -> str:
        """A field of the form, without the space around it. Raises Refused where it is missing or too long."""
        text = request.form.get(name, "").strip()
        if len(text) > most:
            raise Refused(Code.BAD_REQUEST, f"{name}: at most {most} characters.")
        return text

    def asset(self, name: str) -> str:
        return f"/console/static/{self.assets[name].name}"

    def fix(self, reason: str, sentence: str) -> str:
        """What to do about it. The flow says so in English, of the very case; other languages have the sentence of its
        class, where there is one.
        """
        if self.words.language == "en" or reason not in set(Reason):
            return sentence
        mend = MENDS.get(Reason(reason))
        return sentence if mend is None else self.words.or_else(f"cause.mend.{mend.word}", sentence)

    @staticmethod
    def object_path(number: str) -> str:
        """Where a business object's page is. A path takes no escapes of slashes, per cent signs and the like; a query
        takes any number.
        """
        return f"/console/objects/{number}" if _PLAIN.fullmatch(number) else f"/console/objects?number={quoted(number)}"

    @staticmethod
    def told(details: Mapping[str, Json]) -> str:
        """A small document on one line, without what is empty: `name: value, …`."""
        return ", ".join(
            f"{name}: {_brief(value)}" for name, value in details.items() if value not in (None, "", [], {})
        )

    @staticmethod
    def filled(wanted: Mapping[str, str]) -> dict[str, str]:
        """The filters that are set, for a link that keeps them."""
        return {name: value for name, value in wanted.items() if value}


def _brief(value: Json) -> str:
    if isinstance(value, list):
        return f"{', '.join(_brief(one) for one in value[:3])}{' …' if len(value) > 3 else ''}"
    text = str(value)
    return text if len(text) <= 64 else f"{text[:61]}…"


def own_path(text: str) -> str:
    """Where to go on after signing in: a path of the console, whatever a link said (`next=//evil`)."""
    fits = (
        text.startswith("/console")
        and "\\" not in text
        and "//" not in text
        and text.isprintable()
        and (len(text) == 8 or text[8] in "/?")
    )
    return text if fits else "/console"


def quoted(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")
