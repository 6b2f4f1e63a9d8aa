"""Findings as SARIF 2.1.0 (OASIS), for editors and for the checks of a merge."""

from __future__ import annotations

from collections.abc import Sequence

from hub import __version__
from hub.catalog.yaml.codes import MEANING
from hub.core.errors import Finding
from hub.core.message import Json

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Sequence[Finding]) -> Json:
    """One run. Lines and columns count from 1, as SARIF's do."""
    used = sorted({finding.code for finding in findings})
    meanings = {code.value: text for code, text in MEANING.items()}
    rules: list[Json] = [
        {"id": code, "shortDescription": {"text": meanings[code]}, "helpUri": "docs/checks.md"} for code in used
    ]
    results: list[Json] = [
        {
            "ruleId": finding.code,
            "ruleIndex": used.index(finding.code),
            "level": finding.level,
            "message": {"text": finding.text + (f" ({finding.fix})" if finding.fix else "")},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": finding.file, "uriBaseId": "WORKSPACE"},
                        "region": {"startLine": finding.line, "startColumn": finding.column},
                    }
                }
            ],
        }
        for finding in findings
    ]
    driver: Json = {"name": "crossdock", "version": __version__, "rules": rules}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
