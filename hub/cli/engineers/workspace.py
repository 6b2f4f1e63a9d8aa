"""Commands for workspaces: create, check, test."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from hub import catalog
from hub.catalog.checks.rehearsal import can_rehearse, is_of_a_case, rehearse, slowest
from hub.catalog.scaffold.new_workspace import FIRST
from hub.catalog.scaffold.new_workspace import init as make_workspace
from hub.cli.common.output import FAULTS, as_json, console, fail, hub_command, report_errors, say, show_findings
from hub.cli.engineers.cases import show_case
from hub.cli.engineers.sarif import sarif
from hub.main.machine import foreseen
from hub.settings import Settings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@as_json
@report_errors
def init(folder: Path, as_json: bool) -> None:
    """Create a workspace in FOLDER with two systems, a mapping with an example, and a route. It passes `hub check`."""
    made = make_workspace(folder)
    if as_json:
        say({"files": [str(path) for path in made]})
        return
    for path in made:
        console.print(str(path), markup=False)
    hub, (kind, sample, number) = hub_command(), FIRST
    console.print(
        f"\nNext:\n  cd {shlex.quote(str(folder))}\n  {hub} check\n  {hub} up --demo\n"
        f"The last command keeps running. It simulates a small warehouse, and prints the console's address and password. Send the first message in another terminal:\n"
        f"  cd {shlex.quote(str(folder.resolve()))}\n  {hub} send {kind} {sample}\n  {hub} trace {number}",
        markup=False,
        soft_wrap=True,
    )


@click.command()
@click.option("--sarif", "as_sarif", is_flag=True, help="Print findings as SARIF 2.1.0, for editors and merge checks.")
@click.option(
    "--elsewhere",
    is_flag=True,
    help="Check only the files. Do not check the secrets and the lease time of this machine.",
)
@as_json
@click.pass_obj
@report_errors
def check(settings: Settings, as_sarif: bool, elsewhere: bool, as_json: bool) -> None:
    """Check the whole workspace and report each fault at file:line:column. Exits with 1 if there is an error."""
    made, found = catalog.judge(settings.workspace)
    if not elsewhere and not any(finding.code[:2] in ("E1", "E2", "E3") for finding in found):
        found = sorted([*found, *foreseen(made, settings)])
    findings = [finding.as_json() for finding in found]
    if as_sarif:
        say(sarif(found))
        if any(finding.level == "error" for finding in found):
            raise SystemExit(FAULTS)
        return
    broken = sum(finding["level"] == "error" for finding in findings)
    if as_json:
        say({"findings": [dict(finding) for finding in findings], "errors": broken})
    else:
        show_findings(findings)
        if not broken:
            console.print(
                f"{len(made.systems)} systems, {len(made.mappings)} mappings, {len(made.routes)} routes: no faults ({made.revision[:12]})."
            )
            _coverage(made)
    if broken:
        raise SystemExit(FAULTS)


def _coverage(made: catalog.Catalog) -> None:
    """Prints the fields whose types could not be decided, and the number of examples that cover them."""
    covered = catalog.coverage(made)
    leaves = sum(one.leaves for one in covered.values())
    open_ = {pair: one.undecided for pair, one in covered.items() if one.undecided}
    console.print(f"{leaves} fields are typed. The types of {sum(map(len, open_.values()))} cannot be decided.")
    for (source, target), places in open_.items():
        examples = len(made.mappings[source, target].examples)
        where = ", ".join(places[:5]) + (", ..." if len(places) > 5 else "")
        console.print(
            f"  {source} -> {target}: {where}: unknown, covered by {examples} examples", markup=False, soft_wrap=True
        )


@click.command()
@as_json
@click.pass_obj
@report_errors
def test(settings: Settings, as_json: bool) -> None:
    """Run all examples of mappings and all tests of routes, and show each difference. Exits with 1 if one fails."""
    made, findings = catalog.judge(settings.workspace)
    others = [finding for finding in findings if finding.level == "error" and not is_of_a_case(finding)]
    cases = rehearse(made, catalog.read_files(settings.workspace), findings) if can_rehearse(findings) else []
    failed = [case for case in cases if case.wrong]
    slow = slowest(cases)
    examples, tests = (sum(case.kind == kind for case in cases) for kind in ("example", "test"))
    ms = sum(case.ms for case in cases)
    if as_json:
        say(
            {
                "failed": [case.as_json() for case in failed],
                "findings": [dict(finding.as_json()) for finding in others],
                "examples": examples,
                "tests": tests,
                "ms": round(ms, 3),
                "slowest": {"mapping": slow.of, "ms": round(slow.ms, 3)} if slow is not None else None,
            }
        )
    else:
        for case in failed:
            show_case(case)
        show_findings([finding.as_json() for finding in others])
        count = f"{examples} examples of {len(made.mappings)} mappings and {tests} tests of {len(made.routes)} routes"
        if cases:
            said = f"{len(failed)} of {len(cases)} failed ({count})" if failed else f"{count} passed"
            console.print(f"{said}, in {ms:.1f} ms.", style="red" if failed else "green")
        if slow is not None:
            console.print(f"Slowest: {slow.of} ({slow.ms:.1f} ms).", style="dim", markup=False, soft_wrap=True)
    if failed or others:
        raise SystemExit(FAULTS)
    if not examples:
        fail("This workspace has no example. A mapping without an example is untested.", FAULTS)
