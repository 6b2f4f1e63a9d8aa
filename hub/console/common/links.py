"""Links from one page to another that may not be there: pages come and go with the modules that bring them."""

from __future__ import annotations

from flask import current_app
from werkzeug.exceptions import HTTPException

from hub.console.common.page_context import quoted

NOWHERE = "console.nowhere"


def mapping_link(name: str) -> str | None:
    """The page of a mapping, by its file's name without folder and ending; None: no page shows mappings."""
    return _there(f"/console/mappings/{quoted(name)}")


def contract_link(message: str) -> str | None:
    """The page of a message's contracts, such as oms/order.created or wms/outbound.create@1; None: no page shows
    contracts.
    """
    system, _, name = message.partition("@")[0].partition("/")
    return _there(f"/console/contracts/{quoted(system)}/{quoted(name)}")


def system_link(name: str) -> str | None:
    """The page of a system; None: no page shows systems."""
    return _there(f"/console/systems/{quoted(name)}")


def _there(path: str) -> str | None:
    try:
        endpoint, _ = current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return None
    return None if endpoint == NOWHERE else path
