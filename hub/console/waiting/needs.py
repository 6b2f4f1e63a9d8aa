"""What needs a person, as lines of the front page: words, a small picture, and the one link that helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app, url_for

from hub.console.common import formatting
from hub.console.words import Words
from hub.flow.answers.overview import Kind
from hub.flow.overview.sparklines import Lines

_NO_LINE = (Kind.UNNAMED, Kind.UNROUTED, Kind.ARRIVALS, Kind.SUNSET, Kind.UNACCOUNTED, Kind.SILENT, Kind.CONFIGURATION)


@dataclass(frozen=True, slots=True)
class Need:
    """A line. `said` is what somebody else wrote (an error's text, a reason); `values`: failures by the minute, empty
    where nothing is counted.
    """

    id: str
    kind: str
    tone: str  # bad or warn
    text: str
    said: str
    count: int
    is_exact: bool
    since: datetime | None
    trend: str
    values: list[int]
    href: str
    resumes: tuple[str, str] | None  # kind and name of what may be let go on from here


def lines_of(told: list[Mapping[str, Any]], hour: Lines, words: Words, now: datetime) -> list[Need]:
    """The needs of flow.overview.now, in its order."""
    return [_need(one, hour, words, now) for one in told]


def _need(one: Mapping[str, Any], hour: Lines, words: Words, now: datetime) -> Need:
    kind, subject = Kind(one["kind"]), one["subject"]
    return Need(
        id=one["id"],
        kind=kind.value,
        tone="bad" if one["severity"] == "fault" else "warn",
        text=_text(kind, subject, words, now),
        said=_said(kind, subject, words),
        count=one["count"],
        is_exact=one["isExact"],
        since=datetime.fromisoformat(one["since"]) if one["since"] else None,
        trend=one["trend"] or "",
        values=_values(kind, subject, hour),
        href=_href(kind, one, subject),
        resumes=(subject["of"], subject["name"]) if kind is Kind.PAUSED else None,
    )


def _text(kind: Kind, subject: Mapping[str, Any], words: Words, now: datetime) -> str:
    if kind is Kind.BREAKER:
        text = words("need.text.breaker", system=subject["system"])
        if subject["until"]:
            until = formatting.ago(datetime.fromisoformat(subject["until"]), now, words)
            text = f"{text} · {words('need.text.breaker.until', until=until)}"
        return text
    if kind is Kind.PAUSED:
        return words(f"need.text.paused.{subject['of']}", name=subject["name"], by=subject["by"])
    if kind is Kind.LAG:
        return words("need.text.lag", system=subject["system"], lag=formatting.length(float(subject["lagS"])))
    if kind is Kind.SUNSET:
        return words(
            "need.text.sunset",
            message=subject["message"],
            days=subject["daysLeft"],
            callers=", ".join(subject["names"][:3]),
        )
    if kind is Kind.UNROUTED:
        return (
            words("need.text.unrouted", message=subject["message"])
            if subject["message"]
            else words("need.text.unrouted.unnamed")
        )
    if kind is Kind.CONFIGURATION:
        return words(
            "need.text.configuration",
            process=subject["process"],
            revision=subject["revision"][:8],
            kept=subject["kept"][:8],
        )
    return words(
        f"need.text.{kind}",
        **{name: subject.get(name, "–") for name in ("route", "target", "system", "deliveries", "source", "worker")},
    )


def _said(kind: Kind, subject: Mapping[str, Any], words: Words) -> str:
    if kind in (Kind.CLUSTER, Kind.DOUBT):
        return str(subject["text"])
    if kind is Kind.UNROUTED:
        return missed(subject["misses"], words) if subject["message"] else ""
    if kind is Kind.PAUSED:
        return str(subject["why"])
    if kind is Kind.CONFIGURATION:
        return str(subject["reason"])
    return words.or_else(f"need.about.{kind}", "")


def missed(misses: list[Mapping[str, Any]], words: Words) -> str:
    """What the routes said, on one line."""
    if not misses:
        return words("unrouted.no_route")
    said = [
        f"{one['route']}{' → ' + one['target'] if one['target'] else ''}: {one['condition'] or words.sentence(one['why'])}"
        for one in misses[:3]
    ]
    return "; ".join(said) + (f" +{len(misses) - 3}" if len(misses) > 3 else "")


def _values(kind: Kind, subject: Mapping[str, Any], hour: Lines) -> list[int]:
    if kind in _NO_LINE:
        return []
    if kind in (Kind.CLUSTER, Kind.DOUBT):
        line = hour.ways.get((subject["route"], subject["target"]))
    elif kind is Kind.PAUSED and subject["of"] == "route":
        line = hour.routes.get(subject["name"])
    else:
        line = hour.targets.get(subject["name"] if kind is Kind.PAUSED else subject["system"])
    return line.failed if line is not None else []


def _href(kind: Kind, one: Mapping[str, Any], subject: Mapping[str, Any]) -> str:
    if kind in (Kind.CLUSTER, Kind.DOUBT):
        return url_for("console.cause", cause_id=subject["id"], status=subject["status"])
    if kind is Kind.UNROUTED:
        return url_for("console.one_unrouted", cause_id=subject["id"]) if subject["id"] else url_for("console.unrouted")
    if kind is Kind.UNNAMED:
        return url_for("console.dead", status=subject["status"])
    if kind is Kind.BLOCKED:
        return url_for("console.dead", words=subject["system"])
    if kind is Kind.PAUSED:
        return url_for("console.one_flow", kind=subject["of"], name=subject["name"])
    if kind in (Kind.BREAKER, Kind.LAG):
        return url_for("console.one_flow", kind="target", name=subject["system"])
    if kind is Kind.SUNSET:
        type_, _, version = str(subject["message"]).partition("@")
        system, _, message = type_.partition("/")
        return url_for("console.one_contract", system=system, message=message, version=version, _anchor="used")
    pages = {
        Kind.PARKED: "parked",
        Kind.ARRIVALS: "refused",
        Kind.UNACCOUNTED: "store",
        Kind.SILENT: "processes",
        Kind.CONFIGURATION: "changes",
    }
    page = pages[kind]
    if kind is Kind.ARRIVALS:
        return url_for("console.refused", source=subject["source"])
    return url_for(f"console.{page}" if f"console.{page}" in current_app.view_functions else "console.processes")
