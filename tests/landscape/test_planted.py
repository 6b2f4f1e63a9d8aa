"""A landscape with mistakes planted in it: each is found at its line, by its code, and nothing else is. The marks stand in the files: `# !CODE`."""

import re
from pathlib import Path

from hub.catalog import check

WORKSPACE = Path(__file__).parent / "workspace"


def planted():
    marks = []
    for path in sorted(WORKSPACE.rglob("*.yaml")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            marks += [(path.relative_to(WORKSPACE).as_posix(), number, code) for code in re.findall(r"# !([EW][0-9]{3})", line)]
    return marks


def test_all_planted_mistakes_are_found_at_their_lines_and_nothing_else():
    findings = check(WORKSPACE)
    found = [(finding.file, finding.line, finding.code) for finding in findings]
    assert len(planted()) >= 40
    assert sorted(set(found)) == sorted(planted())
    assert len(found) == len(set(found))


def test_each_says_what_is_wrong_and_what_to_write():
    for finding in check(WORKSPACE):
        assert len(finding.text) > 10, finding
        assert finding.fix, finding


def test_a_typo_is_met_with_the_name_that_was_meant():
    said = {(finding.file, finding.line): finding.fix for finding in check(WORKSPACE) if finding.code == "E510"}
    assert sum("did you mean" in fix for fix in said.values()) >= 6
