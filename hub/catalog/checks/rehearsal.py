"""All examples of all mappings and all tests of all routes, run one after the other and timed: what `hub test`
shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

from hub.catalog.catalog import Catalog
from hub.catalog.checks.check import sample_ref
from hub.catalog.checks.trials import EXAMPLE_TIME, Wrong, example_faults, trial_faults, with_examples
from hub.catalog.files.revision import samples
from hub.catalog.workspace import read_json
from hub.catalog.yaml import ignore
from hub.catalog.yaml.findings import Findings
from hub.catalog.yaml.yaml_documents import Document, Path, read_yaml
from hub.core.config.routing import Route
from hub.core.errors import Finding
from hub.core.message import Json, Ref


@dataclass(frozen=True, slots=True)
class Case:
    """One example or test: of which mapping's file or route, where it stands, how long it took, and what does not
    hold.
    """

    kind: str  # example, or test
    of: str
    number: int  # from 1
    about: str
    file: str
    line: int
    ms: float
    wrong: tuple[Wrong, ...]

    def as_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind,
            "of": self.of,
            "number": self.number,
            "about": self.about,
            "file": self.file,
            "line": self.line,
            "ms": round(self.ms, 3),
            "wrong": [one.as_json() for one in self.wrong],
        }


def rehearse(catalog: Catalog, files: Mapping[str, str], findings: Iterable[Finding]) -> list[Case]:
    """Runs all of them. `files` are the workspace's, samples included; the catalogue is made of them.

    `findings` are those of the check: what it does not tell, because a mark in the file says that it is meant, counts
    as holding here too.
    """
    payloads = {name: read_json(name, text, Findings()) for name, text in samples(files).items()}
    cases: list[Case] = []
    for file, mapping, contract in with_examples(catalog):
        document = read_yaml(file, catalog.files[file])
        for number, example in enumerate(mapping.examples):
            run = _run(example_faults(mapping, contract, example, payloads))
            cases.append(_case("example", file, number, _given(example.given), document, ("examples", number), run))
    of_messages = {name: (sample_ref(name), payload) for name, payload in payloads.items()}
    for route in catalog.routes:
        cases += _tests(catalog, route, of_messages)
    told = {(finding.file, finding.line, finding.code) for finding in findings}
    return [
        replace(case, wrong=tuple(one for one in case.wrong if (case.file, case.line, one.code.value) in told))
        for case in cases
    ]


def of_route(catalog: Catalog, route: Route, files: Mapping[str, str]) -> list[Case]:
    """The tests of one route of a configuration that is in use. `files`: samples, as far as they are there; what marks
    say is meant counts as holding.
    """
    wanted = {test.given for test in route.tests if isinstance(test.given, str)}
    payloads = {
        name: (sample_ref(name), read_json(name, text, Findings()))
        for name, text in samples(files).items()
        if name in wanted
    }
    cases = _tests(catalog, route, payloads)
    findings = Findings()
    for case in cases:
        for one in case.wrong:
            findings.add(case.file, (case.line, 1), one.code, one.text)
    ignore.apply({"routes.yaml": catalog.files["routes.yaml"]}, findings)
    told = {(finding.line, finding.code) for finding in findings.found}
    return [
        replace(case, wrong=tuple(one for one in case.wrong if (case.line, one.code.value) in told)) for case in cases
    ]


def _tests(catalog: Catalog, route: Route, payloads: Mapping[str, tuple[Ref, Json]]) -> list[Case]:
    document = read_yaml("routes.yaml", catalog.files["routes.yaml"])
    cases = []
    for number, test in enumerate(route.tests):
        run = _run(trial_faults(catalog, route, test, payloads, EXAMPLE_TIME))
        cases.append(
            _case(
                "test",
                route.name,
                number,
                test.about or _given(test.given),
                document,
                ("routes", route.name, "tests", number),
                run,
            )
        )
    return cases


def slowest(cases: Iterable[Case]) -> Case | None:
    """The example that took longest: its mapping is the slowest."""
    return max((case for case in cases if case.kind == "example"), key=lambda case: case.ms, default=None)


def can_rehearse(findings: Iterable[Finding]) -> bool:
    """Whether all could be read: what does not hold, does not fit or leads nowhere hinders no trial."""
    return all(one.level != "error" or _is_of_a_proof(one.code) for one in findings)


def is_of_a_case(finding: Finding) -> bool:
    """Whether it is told by a case too, there with the values."""
    return finding.code in {"E502", "E503", "E504", "E505"}


def _is_of_a_proof(code: str) -> bool:
    return code in {"E402", "E403", "E404"} or code.startswith("E6") or (code.startswith("E5") and code != "E501")


def _run(faults: Iterator[Wrong]) -> tuple[float, tuple[Wrong, ...]]:
    """Nothing is computed before its faults are asked for, one after the other: so the time is that of the whole
    case.
    """
    began = perf_counter()
    wrong = tuple(faults)
    return (perf_counter() - began) * 1_000, wrong


def _case(
    kind: str, of: str, number: int, about: str, document: Document, at: Path, run: tuple[float, tuple[Wrong, ...]]
) -> Case:
    return Case(kind, of, number + 1, about, document.file, document.place(at)[0], *run)


def _given(given: Json) -> str:
    return given if isinstance(given, str) else "a message that is written there"
