"""Papers lead somewhere: each law, promise, row and decision that is cited has its line, each path, module and link is
there, each page is in the index.

A citation is a word and a number: `law 3`, `promise P12`, `fault F59`, `input B86`, `threat S11`, `decision 020`, or
several (`promises P3, P4`). In comments and docstrings the letter and number alone are one too, and so is a test case
that is named by its row (`B54-python-tag`).
"""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DESIGN = ROOT / "docs/design"
DECISIONS = ROOT / "docs/decisions"
PAPERS = [
    ROOT / "ARCHITECTURE.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

LETTERS = {"promise": "IP", "fault": "F", "input": "B", "threat": "S"}
ROW = r"[A-Z]\d{1,3}"
JOINED = r"(?:,\s+|\s+and\s+|\s+to\s+|–)"
WORDED = re.compile(rf"\b(promise|fault|input|threat)s?\s+({ROW}(?:{JOINED}{ROW})*)\b", re.IGNORECASE)
NUMBERED = re.compile(
    rf"\b(?:(law)s?\s+(\d{{1,2}}(?:{JOINED}\d{{1,2}})*)|(decision)s?\s+(\d{{3}}(?:{JOINED}\d{{3}})*))\b", re.IGNORECASE
)
BARE = re.compile(r"(?<![\w.+/`?=\-\[])[IPFBS]\d{1,3}(?!\w|\.\d|\.\w)")
CASE = re.compile(r"""["']([BF]\d{1,3})(?=[- ])""")
ANCHOR = re.compile(r'<a id="([a-z]+(?:-?\d+))"></a>([A-Za-z]+ ?\d+)')
PLACE = re.compile(r"\bdocs/[\w/.-]+\.md(?:#[\w-]+)?")
PATH = re.compile(r"(?<![\w/.\-<>{}:@])(?:(?:hub|tests|docs|deploy|bench|\.ci)/[\w./*-]*[\w*/]|[A-Z]{6,}\.md)")
PACKAGES = "core|catalog|store|transport|vault|settings|logs|kit|flow|http|worker|console|main|cli"
MODULE = re.compile(rf"(?<![\w/.])hub\.(?:{PACKAGES})(?:\.[A-Za-z_]\w*)*")
SHORT = re.compile(rf"`(?:{PACKAGES})/[\w/]+\.py")
TEXTS = {".py", ".md", ".yaml", ".toml", ".html", ".js", ".css", ".conf", ".cfg", ".service", ".example", ".json"}


def written():
    """All texts of the repository that may cite something, but for this one, whose examples lead nowhere."""
    for part in ("hub", "tests", "adapters", "mappings", "bench", "deploy", "docs"):
        for path in sorted((ROOT / part).rglob("*")):
            if (
                path.suffix in TEXTS
                and path != Path(__file__)
                and not {"__pycache__", "vendor", "suites"} & set(path.parts)
            ):
                yield path
    yield from (
        ROOT / name
        for name in (
            "ARCHITECTURE.md",
            "CONTRIBUTING.md",
            "README.md",
            "CHANGELOG.md",
            "Makefile",
            "pyproject.toml",
            "routes.yaml",
            ".ci/run",
        )
    )


@cache
def lines_of_the_design():
    """What may be cited: each numbered line of docs/design/ as it is cited, and each decision."""
    rows = [label for page in sorted(DESIGN.glob("*.md")) for _, label in ANCHOR.findall(page.read_text("utf-8"))]
    return [*rows, *(f"decision {path.name[:3]}" for path in sorted(DECISIONS.glob("*.md")))]


def cited_in_words(text):
    for word, rows in WORDED.findall(text):
        for row in re.findall(ROW, rows):
            yield row if row[0] in LETTERS[word.lower()] else f"{word.lower()} {row}"
    for law, laws, decision, decisions in NUMBERED.findall(text):
        yield from (f"{(law or decision).lower()} {number}" for number in re.findall(r"\d+", laws or decisions))


def remarks(source):
    """Comments and docstrings of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.split("noqa")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


@cache
def cited(name, text):
    """All citations of one text, as its suffix and place say where they stand."""
    if not name.endswith(".py"):
        return set(cited_in_words(text))
    noted = list(remarks(text))
    found = {row for remark in noted for row in (*cited_in_words(remark), *BARE.findall(remark))}
    return found | (set(CASE.findall(text)) if name.startswith("tests/") else set())


def unknown(name, text):
    return sorted(cited(name, text) - set(lines_of_the_design()))


@cache
def headings(page):
    """The anchors of a page as they are linked: of its headings, and those that stand in it."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles} | {
        anchor for anchor, _ in ANCHOR.findall(text)
    }


def lost_places(text):
    """Places in pages that a text names and that are not there."""
    for place in sorted(set(PLACE.findall(text))):
        name, _, anchor = place.partition("#")
        if not (ROOT / name).exists() or (anchor and anchor not in headings(ROOT / name)):
            yield place


def lost_paths(text):
    """Paths and modules that a page names and that are not there. A star stands for anything."""
    for path in sorted(set(PATH.findall(text))):
        if not (any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()):
            yield path
    yield from (name for name in sorted(set(MODULE.findall(text))) if not is_there(name))
    yield from (f"{path}`: write hub/…" for path in SHORT.findall(text))


def is_there(name):
    """Whether a dotted name is a package, a module, or a name at the top of one, or an attribute of that."""
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        path = ROOT.joinpath(*parts[:length])
        file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        if file.exists():
            return length == len(parts) or parts[length] in names_of(file)
    return False


def names_of(file):
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from (
                target.id
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name)
            )
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def missing_from(index, folder):
    """Pages below a folder that its index does not link."""
    linked = {(folder / target).resolve() for target in re.findall(r"\]\(([^)#]+)", index)}
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.md")
        if path.resolve() not in linked and path != folder / "README.md"
    )


def test_each_numbered_line_of_the_design_stands_once_under_its_own_anchor():
    found = [pair for page in sorted(DESIGN.glob("*.md")) for pair in ANCHOR.findall(page.read_text("utf-8"))]
    assert [pair for pair in found if pair[0] != pair[1].lower().replace(" ", "-")] == []
    labels = lines_of_the_design()
    assert sorted(label for label in set(labels) if labels.count(label) > 1) == []
    assert {f"law {number}" for number in range(1, 10)} <= set(labels)


def test_every_law_promise_row_and_decision_that_is_cited_has_its_line():
    wrong = {
        name: rows
        for path in written()
        if (rows := unknown(name := path.relative_to(ROOT).as_posix(), path.read_text("utf-8")))
    }
    assert wrong == {}


def test_the_code_cites_laws_promises_rows_and_decisions():
    found = set().union(*(cited(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in written()))
    assert {"law 6", "I9", "P12", "F59", "B86", "S11", "decision 020"} <= found


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("hub/a.py", '"""Judged whole (laws 5 and 11)."""\n', ["law 11"]),
        ("hub/a.py", "# Nothing is lost (promises P3, P99, I4).\n", ["P99"]),
        ("hub/a.py", "x = 1  # sent once (promise F59)\n", ["promise F59"]),
        ("hub/a.py", "# As decision 099 has it, and decision 020.\n", ["decision 099"]),
        ("tests/test_a.py", "def test_a():  # B36, B199\n    pass\n", ["B199"]),
        ("tests/test_a.py", 'CASES = [("B198-a-tag", 1), ("B54-a-tag", 1)]\n', ["B198"]),
        ("tests/test_a.py", '"""Ranges count by their ends (faults F45–F152)."""\n', ["F152"]),
        ("docs/a.md", "See [decision 098](decisions/098.md), input B86 and threat S98.", ["S98", "decision 098"]),
        ("hub/a.py", 'x = "S603"  # noqa: S603  our own command\ny = "P1"\n', []),
    ],
)
def test_a_citation_that_leads_nowhere_is_found(name, text, found):
    assert unknown(name, text) == found


def test_every_place_in_a_page_that_a_text_names_is_there():
    wrong = {path.name: places for path in written() if (places := list(lost_places(path.read_text("utf-8"))))}
    assert wrong == {}


def test_a_place_in_a_page_that_is_not_there_is_found():
    assert list(
        lost_places("As docs/design/laws.md#strata and docs/design/laws.md#no-such-part say, and docs/nowhere.md.")
    ) == [
        "docs/design/laws.md#no-such-part",
        "docs/nowhere.md",
    ]


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_module_and_linked_heading_that_a_page_names_is_there(page):
    text = page.read_text("utf-8")
    assert list(lost_paths(text)) == []
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text):
        if not target.startswith("http"):
            assert anchor in headings((page.parent / target) if target else page), (
                f"{page.name} links {target}#{anchor}"
            )


def test_a_path_or_module_that_is_not_there_is_found():
    text = "Open `hub/flow/accept.py`, `hub/flow/nowhere.py`, `hub.flow.accept.take`, `hub.flow.accept.nothing`, `tests/core/test_*.py`, `store/messages/claim.py`."
    assert list(lost_paths(text)) == [
        "hub/flow/nowhere.py",
        "hub.flow.accept.nothing",
        "`store/messages/claim.py`: write hub/…",
    ]


def test_the_index_has_every_page_and_every_decision():
    assert missing_from((ROOT / "docs/README.md").read_text("utf-8"), ROOT / "docs") == []


def test_a_page_that_the_index_leaves_out_is_found(tmp_path):
    (tmp_path / "decisions").mkdir()
    for name in ("README.md", "a.md", "b.md", "decisions/001-a.md"):
        (tmp_path / name).write_text("", "utf-8")
    assert missing_from("[a](a.md#part) and [outside](../README.md)", tmp_path) == ["b.md", "decisions/001-a.md"]


def test_every_command_of_make_stands_in_the_page_for_contributors():
    made = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    told = re.findall(r"^\| `make ([a-z-]+)` \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    assert sorted({*made} - {"help"}) == sorted(told)


def test_every_stratum_stands_in_the_drawing_and_in_the_laws():
    packages = sorted(path.parent.name for path in (ROOT / "hub").glob("*/__init__.py"))
    for page in (ROOT / "ARCHITECTURE.md", DESIGN / "laws.md"):
        text = page.read_text("utf-8")
        assert [name for name in packages if f"hub/{name}" not in text] == [], page.name


# `hub/core/model/retry.py` (`may_retry`, `wait_s`)
NAMED_IN = re.compile(r"`([a-z_/]+\.py)` \(((?:`\w+`(?:, )?)+)[),]")


@pytest.mark.parametrize("page", [ROOT / "ARCHITECTURE.md", DESIGN / "language.md"], ids=lambda page: page.name)
def test_each_name_beside_a_path_is_defined_there(page):
    named = NAMED_IN.findall(page.read_text("utf-8"))
    assert len(named) >= 6
    for path, names in named:
        text = (ROOT / path).read_text("utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^ *(def|class) {name}\b|^{name}\b.*=", text, re.MULTILINE), f"{path}: {name}"
