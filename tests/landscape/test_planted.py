"""A landscape with mistakes planted in it: each is found at its line, by its code, and nothing else is. The marks stand
in the files: `# !CODE`.
"""

import re
import shutil
from pathlib import Path

from hub.catalog import check
from hub.cli.engineers.sarif import sarif

WORKSPACE = Path(__file__).parent / "workspace"


def planted():
    marks = []
    for path in sorted(WORKSPACE.rglob("*.yaml")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            marks += [
                (path.relative_to(WORKSPACE).as_posix(), number, code)
                for code in re.findall(r"# !([EW][0-9]{3})", line)
            ]
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


def test_as_sarif_for_editors():
    findings = check(WORKSPACE)
    [run] = sarif(findings)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == {finding.code for finding in findings}
    for result, finding in zip(run["results"], findings, strict=True):
        place = result["locations"][0]["physicalLocation"]
        assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == (finding.file, finding.line)
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        assert result["level"] in ("error", "warning")


def test_a_mark_takes_out_what_is_meant_and_must_say_why(tmp_path):
    folder = shutil.copytree(WORKSPACE, tmp_path / "workspace")
    routes = folder / "routes.yaml"
    text = routes.read_text("utf-8")
    routes.write_text(
        text.replace("# !E604", "# check: ignore E604 the value comes with the next contract", 1).replace(
            "# !E604", "# check: ignore E604", 1
        ),
        "utf-8",
    )
    before = {(finding.file, finding.line, finding.code) for finding in check(WORKSPACE)}
    after = {(finding.file, finding.line, finding.code) for finding in check(folder)}
    [ignored] = before - after
    [mark] = after - before
    assert ignored[2] == "E604"
    assert mark[2] == "W805"
