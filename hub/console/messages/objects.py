"""One business object: its whole life across all systems on one line, by the numbers that lead to one another, and what
is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request, url_for

from hub.console.common.page_context import Desk
from hub.core.errors import Code, Refused
from hub.core.model.delivery import ENDED
from hub.flow.views import story

PAUSE_S = 60.0  # without a step: a gap that is shown as one
LANE = 18  # px
TONES = {"delivered": "ok", "dead": "bad", "unknown": "warn", "held": "warn"}
_ENDED = frozenset(status.value for status in ENDED)


def add(pages: Blueprint, desk: Desk) -> None:
    @pages.get("/objects/<path:value>")
    def one_object(value: str) -> Response:
        return _page(desk, value)

    @pages.get("/objects")
    def any_object() -> Response:
        """The same for a number that cannot stand in a path (`Desk.object_path`)."""
        number = request.args.get("number", "")
        return _page(desk, number) if number else desk.go(url_for("console.find"))


def _page(desk: Desk, value: str) -> Response:
    told: Any = story.story(desk.hub, value)
    if told is None:
        raise Refused(Code.NOT_FOUND, desk.words("object.none"))
    steps = told["steps"]
    given = {
        "told": told,
        "rows": list(_rows(told)),
        "where": _where(desk, told),
        "marks": _marks(told),
        "first": _first(steps),
        "lane": LANE,
    }
    return desk.render(
        "object.html", every=0 if told["isOver"] else 5, at=datetime.fromisoformat, about=_about(desk, told), **given
    )


def _rows(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Steps with the pauses between them and the gaps behind them, each with its place among the systems."""
    lanes = {one["system"]: number for number, one in enumerate(told["lanes"])}
    share = 100 / max(len(lanes), 1)

    def place(system: str) -> float | None:
        return round((lanes[system] + 0.5) * share, 2) if system in lanes else None

    gaps: dict[str, list[dict[str, Any]]] = {}
    for gap in told["gaps"]:
        if gap["kind"] == "stuck":  # the delivery itself says so, where it stands
            continue
        gaps.setdefault(gap["afterMessageId"], []).append(gap)
    last = {step["messageId"]: number for number, step in enumerate(told["steps"])}
    before: datetime | None = None
    for number, step in enumerate(told["steps"]):
        at = datetime.fromisoformat(step["at"])
        if before is not None and (at - before).total_seconds() >= PAUSE_S:
            yield {"kind": "pause", "seconds": (at - before).total_seconds()}
        before = at
        if step["kind"] == "message":
            yield {**step, "x": place(step["system"])}
        else:
            yield {
                **step,
                "x": place(step["from"]),
                "to_x": place(step["to"]),
                "tone": TONES.get(step["status"], "idle"),
                "is_back": _is_back(lanes, step),
            }
        if last[step["messageId"]] == number:
            for gap in gaps.get(step["messageId"], ()):
                yield {**gap, "gap": gap["kind"], "kind": "gap", "x": place(gap["system"])}


def _is_back(lanes: dict[str, int], step: dict[str, Any]) -> bool:
    return lanes.get(step["to"], 0) < lanes.get(step["from"], 0)


def _where(desk: Desk, told: dict[str, Any]) -> dict[str, str]:
    """The one sentence that whoever asks wants first: `state`, `text`, and what is told of it."""
    titles = {one["system"]: one["title"] for one in told["lanes"]}
    sends = [step for step in told["steps"] if step["kind"] == "delivery"]
    late = [gap for gap in told["gaps"] if gap["isLate"]]
    stuck = next((gap for gap in late if gap["kind"] == "stuck"), None)
    if stuck is not None:
        return {
            "state": "dead",
            "text": desk.words("object.stuck", system=titles.get(stuck["system"], stuck["system"])),
            "more": stuck["text"],
        }
    if late:
        gap = late[0]
        text = desk.words("object.missing", system=titles.get(gap["system"], gap["system"]), expected=gap["expected"])
        return {"state": "held", "text": text, "more": gap["text"]}
    under_way = next((step for step in reversed(sends) if step["status"] not in _ENDED), None)
    if under_way is not None:
        return {
            "state": "leased",
            "text": desk.words("object.under_way", system=titles.get(under_way["to"], under_way["to"])),
            "more": under_way["target"],
        }
    end = told["steps"][-1]
    system = end["to"] if end["kind"] == "delivery" else end["system"]
    if told["gaps"]:
        return {"state": "pending", "text": desk.words("object.waiting"), "more": end["message"]}
    return {
        "state": "delivered",
        "text": desk.words("object.over", system=titles.get(system, system)),
        "more": end["message"],
    }


def _marks(told: dict[str, Any]) -> dict[str, Any]:
    """The life on one line: where each step stands between its beginning and its end, and where nothing happened for
    long.
    """
    began, ended = datetime.fromisoformat(told["began"]), datetime.fromisoformat(told["ended"])
    whole = max((ended - began).total_seconds(), 0.001)
    dots: list[dict[str, Any]] = []
    pauses: list[dict[str, float]] = []
    before = 0.0
    for step in told["steps"]:
        x = 1 + 98 * max(0.0, (datetime.fromisoformat(step["at"]) - began).total_seconds()) / whole
        if (x - before) * whole / 98 >= PAUSE_S and before:
            pauses.append({"x1": round(before, 2), "x2": round(x, 2)})
        before = x
        tone = TONES.get(step.get("status", ""), "") if step["kind"] == "delivery" else ""
        if step["kind"] == "message" or tone in ("bad", "warn"):
            dots.append({"x": round(x, 2), "tone": tone, "text": step["message"]})
    return {"dots": dots, "pauses": pauses}


def _first(steps: list[dict[str, Any]]) -> dict[str, int]:
    """When each number came up, in milliseconds from the beginning."""
    found: dict[str, int] = {}
    for step in steps:
        for value in step.get("keys", {}).values():
            found.setdefault(str(value), step["afterMs"])
    return found


def _about(desk: Desk, told: dict[str, Any]) -> dict[str, str]:
    """What each kind of message says, in the words of its contract's owner."""
    catalog = desk.hub.catalogs.active()
    found = {}
    for name in {step["message"] for step in told["steps"]}:
        emit = catalog.emit(name.split("@")[0])
        found[name] = emit.about if emit is not None else ""
    return found
