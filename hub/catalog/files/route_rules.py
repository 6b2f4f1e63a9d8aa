"""What the shape of a route cannot say: keys that make sense only together, or never together. Each gives findings, and
changes nothing.
"""

from __future__ import annotations

from typing import Any

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.file_reading import lacks
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import Document, Map, Path
from hub.core.message import Disposition

_NOT_SYNC = ("split", "hold", "capacity", "enrich", "priority", "expires", "retry", "order")
_ONLY_SYNC = ("deadline", "answer", "fallback")
_EXPECT = "write {wms/outbound.create@1: {orderNo: ...}}, or unrouted, or filtered"


def judge(document: Document, name: str, row: dict[str, Any], findings: Findings) -> None:
    """All rules for one route."""
    _judge_owner(document, name, findings)
    _judge_canaries(document, name, row, findings)
    _judge_sync(document, name, row, findings)
    _judge_tests(document, name, row, findings)


def _judge_owner(document: Document, name: str, findings: Findings) -> None:
    routes = document.root.get("routes") if isinstance(document.root, Map) else None
    node = routes.get(name) if isinstance(routes, Map) else None
    if node is not None and lacks(node, "owner"):
        findings.add(
            document.file,
            document.place(("routes", name)),
            Check.NO_OWNER,
            f"the route {name} has no owner",
            "owner: who answers for it",
        )


def _judge_canaries(document: Document, route: str, row: dict[str, Any], findings: Findings) -> None:
    """A trial is taken by a share of values, or by a condition; and both of its sides are one system's."""
    for index, entry in enumerate(row.get("to") or ()):
        canary = (entry.get("canary") or {}) if isinstance(entry, dict) else {}
        place = document.place(("routes", route, "to", index, "canary"))
        if canary and "when" not in canary and not {"percent", "by"} <= canary.keys():
            findings.add(
                document.file,
                place,
                Check.MISSING_KEY,
                "the canary does not say who takes part",
                "add percent: 10 and by: orderNo, or when:",
            )
        sides = {str(canary[side]).partition("/")[0] for side in ("then", "else") if canary.get(side)}
        if len(sides) > 1:
            text = f"the two sides of the canary are of {' and '.join(sorted(sides))}: a key's deliveries would overtake each other"
            findings.add(document.file, place, Check.EXCLUDES, text, "let both sides be of one system")


def _judge_sync(document: Document, route: str, row: dict[str, Any], findings: Findings) -> None:  # noqa: C901  # one rule per line
    """A route whose caller waits is tried once, at once, at one target; what is for waiting and trying again has no
    place in it.
    """
    at: Path = ("routes", route)
    if row.get("mode") != "sync":
        for key in _ONLY_SYNC:
            if row.get(key) is not None:
                findings.add(
                    document.file,
                    document.place((*at, key)),
                    Check.EXCLUDES,
                    f"{key} is for routes whose caller waits",
                    "add mode: sync",
                )
        return
    if row.get("deadline") is None and not row.keys() & {"deadline"}:
        findings.add(
            document.file,
            document.place((*at, "mode")),
            Check.MISSING_KEY,
            "a sync route has no deadline",
            "add deadline: 800ms",
        )
    for key in _NOT_SYNC:
        if row.get(key) is not None:
            findings.add(
                document.file,
                document.place((*at, key)),
                Check.EXCLUDES,
                f"{key} has no meaning in a sync route: its caller waits",
                "take it out",
            )
    wishes = row.get("to") or ()
    if len(wishes) != 1:
        findings.add(
            document.file,
            document.place((*at, "to")),
            Check.OUT_OF_RANGE,
            f"a sync route has one target, not {len(wishes)}",
            "keep one",
        )
    for index, entry in enumerate(wishes):
        inner = (entry[1] or {}) if isinstance(entry, tuple) else {}
        for key in ("batch", "retry", "order", "priority", "expires", "timeout"):
            if inner.get(key) is not None:
                place = document.place((*at, "to", index))
                findings.add(
                    document.file,
                    place,
                    Check.EXCLUDES,
                    f"{key} has no meaning in a sync route: its caller waits",
                    "take it out",
                )


def _judge_tests(document: Document, route: str, row: dict[str, Any], findings: Findings) -> None:
    for number, test in enumerate(row.get("tests") or ()):
        expect = (test or {}).get("expect")
        at: Path = ("routes", route, "tests", number, "expect")
        if (
            test is not None
            and not isinstance(expect, dict)
            and expect not in (Disposition.UNROUTED, Disposition.FILTERED)
        ):
            findings.add(
                document.file,
                document.place(at),
                Check.WRONG_TYPE,
                "expect says neither targets nor why nothing goes out",
                _EXPECT,
            )
        if (test or {}).get("lookups") is not None and not isinstance(test["lookups"], dict):
            findings.add(
                document.file,
                document.place((*at[:-1], "lookups")),
                Check.WRONG_TYPE,
                "lookups is no mapping",
                "write {stock: {...}}",
            )
