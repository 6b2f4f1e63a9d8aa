"""Contracts: all messages with their versions and who uses them; and one, field by field, with what changes between its
versions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from hub.console.common.page_context import SOON_S, Desk
from hub.console.drawing.document_lines import shown, text_of
from hub.core import json
from hub.core.errors import Code, Refused
from hub.core.message import Ref
from hub.flow.answers.contracts import WholeContract
from hub.flow.hub import Hub
from hub.flow.interfaces import contracts, samples

LEAST_S = 2.0


def add(pages: Blueprint, desk: Desk) -> None:
    desk.nav("contracts", "all_contracts", under=("one_contract", "one_sample"))

    @pages.get("/contracts")
    def all_contracts() -> Response:
        hub = desk.hub
        told: Any = hub.shelf.at(
            "contracts", lambda: contracts.contracts(hub.store, hub.catalogs.active()), least_s=LEAST_S
        ).get()
        wanted = {name: request.args.get(name, "").strip()[:100] for name in ("words", "side")}
        rows = [one for one in told["items"] if _fits(one, wanted)]
        return desk.render("contracts.html", told=told, rows=rows, wanted=wanted, at=datetime.fromisoformat)

    @pages.get("/contracts/<system>/<message>")
    def one_contract(system: str, message: str) -> Response:
        hub = desk.hub
        told: Any = _told(hub, f"{system}/{message}")
        numbers = [one["number"] for one in told["versions"]]
        asked = request.args.get("version", "")
        chosen = int(asked) if asked.isascii() and asked.isdigit() and int(asked[:6]) in numbers else _first(told)
        version = next((one for one in told["versions"] if one["number"] == chosen), None)
        return desk.render(
            "contract.html",
            told=told,
            version=version,
            names=_names(version),
            at=datetime.fromisoformat,
            text_of=text_of,
            readable=json.readable,
        )

    @pages.get("/contracts/<system>/<message>/samples/<int:version>/<name>")
    def one_sample(system: str, message: str, version: int, name: str) -> Response:
        ref = Ref(system, message, version)
        if desk.hub.catalogs.active().contract(ref) is None:
            raise Refused(Code.NOT_FOUND, desk.words("error.404"))
        try:
            body = samples.read(desk.hub.settings.workspace, ref, name)
        except (ValueError, OSError) as error:
            raise Refused(Code.NOT_FOUND, desk.words("error.404")) from error
        return desk.render("sample.html", ref=ref, name=name, document=shown(body, None))


def _told(hub: Hub, type_: str) -> WholeContract:
    """Made once for all who look. Raises Refused."""

    def told() -> WholeContract:
        return contracts.one_named(
            hub.store,
            hub.catalogs.active(),
            type_,
            folder=hub.settings.workspace,
            count_open=lambda: contracts.opened(hub).soon(SOON_S),
        )

    # A name that nobody has is not kept.
    systems = hub.catalogs.active().systems.values()
    is_known = any(
        type_ in (*(one.type for one in system.emits.values()), *(one.type for one in system.accepts.values()))
        for system in systems
    )
    return hub.shelf.at(f"contract {type_}", told).get() if is_known else told()


def _fits(one: dict[str, Any], wanted: dict[str, str]) -> bool:
    text = " ".join(
        (one["type"], one["about"], *(caller["name"] for version in one["versions"] for caller in version["callers"]))
    ).casefold()
    return all(word in text for word in wanted["words"].casefold().split()) and wanted["side"] in ("", one["side"])


def _names(version: dict[str, Any] | None) -> dict[str, str]:
    return {one["caller"]: one["name"] for one in version["callers"]} if version is not None else {}


def _first(told: dict[str, Any]) -> int | None:
    """The version that is looked at first: the oldest deprecated one that somebody uses, which is what people come for;
    else the newest live one.
    """
    used = [one["number"] for one in told["versions"] if one["state"] == "deprecated" and one["callers"]]
    live = [one["number"] for one in told["versions"] if one["state"] in ("current", "deprecated")]
    numbers = [one["number"] for one in told["versions"]]
    return min(used, default=max(live, default=max(numbers, default=None)))
