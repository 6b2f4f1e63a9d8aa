"""`# check: ignore CODE reason` on a line: that finding is meant. A reason is demanded, and an ignore that ignores
nothing is itself told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hub.catalog.yaml.codes import Check
from hub.catalog.yaml.findings import Findings

_MARK = re.compile(r"#\s*check:\s*ignore\b[ \t]*([A-Z][0-9]{3})?[ \t]*(.*)$")
# what cannot be read, does not resolve, or gives a secret away is never meant
NEVER = ("E0", "E1", "E2", "E3", "E4", "E7")


def apply(files: Mapping[str, str], findings: Findings) -> None:
    """Takes out what is ignored on its own line; adds what is wrong with the marks themselves."""
    for file, text in files.items():
        if not file.endswith(".yaml") or "check:" not in text:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            found = _MARK.search(line)
            if found is None:
                continue
            column = found.start() + 1
            code, reason = found[1], found[2].strip()
            if not code or not reason:
                findings.add(
                    file,
                    (number, column),
                    Check.NOTHING_IGNORED,
                    "the mark has no code or no reason",
                    "write # check: ignore E516 why it is meant",
                )
                continue
            meant = [
                one
                for one in findings.found
                if one.file == file and one.line == number and one.code == code and not code.startswith(NEVER)
            ]
            if not meant:
                findings.add(
                    file,
                    (number, column),
                    Check.NOTHING_IGNORED,
                    f"there is no {code} on this line that may be ignored",
                    "take the mark out",
                )
            findings.found[:] = [one for one in findings.found if one not in meant]
