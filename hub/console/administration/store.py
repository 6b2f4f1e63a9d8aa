"""The store: how large it is, of which parts, and how long things are kept."""

from __future__ import annotations

from flask import Blueprint, Response

from hub.console.common.page_context import Desk
from hub.flow.context.query_cache import CachedQuery
from hub.flow.overview.running import KEEPING


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("store", "store")
    size = CachedQuery(desk.hub.store.size)

    @pages.get("/store")
    def store() -> Response:
        hub = desk.hub
        last = hub.store.leader(KEEPING)
        return desk.render(
            "store.html",
            every=30,
            size=size.get(),
            parts=hub.store.parts(),
            settings=hub.settings,
            oldest_at=hub.store.oldest_message_at(),
            kept_at=last.until if last is not None else None,
            schema=hub.store.schema_revision() or "–",
        )
