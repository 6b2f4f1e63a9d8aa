"""How a route treats its messages, in plain words: pairs of what is said and how, from what flow.overview.routes tells.
Pure but for the words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.console.common import formatting
from hub.console.words import Words

Fact = tuple[str, str]


def of_route(told: Mapping[str, Any], words: Words) -> list[Fact]:
    """What holds for all of its targets."""
    found: list[Fact] = []
    if told["drop"]:
        found.append((words("treat.drop"), told["drop"]["why"]))
    if told["hold"]:
        found.append((words("treat.hold"), " · ".join(filter(None, (told["hold"]["until"], told["hold"]["zone"])))))
    if told["capacity"]:
        key = "treat.capacity.text.by" if told["capacity"]["by"] else "treat.capacity.text"
        found.append((words("treat.capacity"), words(key, **told["capacity"])))
    for one in told["enrich"]:
        parts = [words("treat.enrich.text", call=one["call"])]
        if one["cacheS"]:
            parts.append(words("treat.enrich.cache", span=formatting.length(one["cacheS"])))
        found.append(
            (words("treat.enrich", name=one["name"]), "; ".join([*parts, words(f"treat.enrich.{one['onFail']}")]))
        )
    if told["sync"]:
        parts = [words("treat.sync.text", span=formatting.length(told["sync"]["deadlineS"]))]
        if told["sync"]["fallbackS"]:
            parts.append(words("treat.sync.fallback", span=formatting.length(told["sync"]["fallbackS"])))
        found.append((words("treat.sync"), "; ".join(parts)))
    if told["alert"]:
        found.append(
            (
                words("treat.alert"),
                told["alert"] if told["alertIsTold"] else words("treat.alert.untold", level=told["alert"]),
            )
        )
    return found


def of_target(told: Mapping[str, Any], words: Words) -> list[Fact]:
    """What holds for one of them."""
    found: list[Fact] = [
        (words("treat.retry"), _retry(told["retry"], words)),
        (words("treat.order"), words(f"treat.order.{told['whenDead'] or 'none'}")),
        (words("treat.timeout"), formatting.length(told["timeoutS"])),
        (words("treat.priority"), words(f"treat.priority.{told['priority']}")),
    ]
    if told["expiresS"]:
        found.append((words("treat.expires"), words("treat.expires.text", span=formatting.length(told["expiresS"]))))
    if told["batch"]:
        found.append(
            (
                words("treat.batch"),
                words("treat.batch.text", size=told["batch"]["size"], span=formatting.length(told["batch"]["withinS"])),
            )
        )
    if told["reply"]:
        found.append((words("treat.reply"), words("treat.reply.text", message=told["reply"])))
    if told["topic"]:
        found.append((words("treat.topic"), told["topic"]))
    return found


def together(told: Sequence[tuple[str, list[Fact]]]) -> list[tuple[list[str], list[Fact]]]:
    """Targets of which the same is said, said once."""
    found: list[tuple[list[str], list[Fact]]] = []
    for target, facts in told:
        known = next((targets for targets, said in found if said == facts), None)
        if known is None:
            found.append(([target], facts))
        else:
            known.append(target)
    return found


def _retry(told: Mapping[str, Any], words: Words) -> str:
    if told["attempts"] <= 1:
        return words("treat.retry.one")
    if told["scheduleS"]:
        spans = ", ".join(formatting.length(one) for one in told["scheduleS"])
        text = words("treat.retry.schedule", attempts=told["attempts"], spans=spans)
    else:
        given = {
            "first": formatting.length(told["firstS"]),
            "factor": f"{told['factor']:g}",
            "max": formatting.length(told["maxS"]),
        }
        text = words("treat.retry.grown", attempts=told["attempts"], **given)
    parts = [
        text,
        words("treat.retry.jitter") if told["jitter"] else "",
        words("treat.retry.until", span=formatting.length(told["giveUpAfterS"])),
    ]
    return "; ".join(filter(None, parts))
