"""What is gathered while a workspace is read: all findings, never the first alone."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from hub.catalog.yaml.codes import Check
from hub.core.errors import Finding


@dataclass(slots=True)
class Findings:
    """A growing list, handed from reader to reader. A place is (line, column), both from 1."""

    found: list[Finding] = field(default_factory=list)

    def add(self, file: str, place: tuple[int, int], code: Check, text: str, fix: str = "") -> None:
        level = "warning" if code.startswith("W") else "error"
        finding = Finding(file, *place, code.value, text, fix, level)
        if finding not in self.found:
            self.found.append(finding)

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.found if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        return sorted(finding for finding in self.found if finding.level == "warning")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None if there is none near enough."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to write instead of `word`: the nearest, or the first few that there are."""
    words = sorted(known)
    meant = nearest(word, words)
    if meant:
        return f"did you mean {meant}?"
    if not words:
        return ""
    return "known here: " + ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")


def shown(text: str) -> str:
    """A foreign text as a finding may quote it: at most 64 characters, control characters escaped."""
    return ascii_safe(text if len(text) <= 64 else text[:61] + "...")


def ascii_safe(text: str) -> str:
    """`text` with everything that a terminal would obey escaped; letters of all scripts stay."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
