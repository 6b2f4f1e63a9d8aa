"""The house rule (docs/design/laws.md#strata): a module imports only from strata below it and from its own package,
never in a circle.

Reads the syntax tree, so that typing-only and function-level imports count; and keeps each third party in its stratum.
"""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
HUB = ROOT / "hub"

STRATA = {
    "core": 0,
    "settings": 1, "logs": 1, "kit": 1,
    "catalog": 2, "store": 2, "transport": 2, "vault": 2,
    "flow": 3,
    "http": 4, "worker": 4,
    "console": 5,
    "main": 6,
    "cli": 7,
    "__main__": 8,
}  # fmt: skip

HOMES = {
    "jsonschema": {"core"}, "jsonschema_rs": {"core"}, "jsonatapy": {"core"}, "msgspec": {"core"},
    "ruamel": {"catalog"},
    "sqlalchemy": {"store"}, "alembic": {"store"}, "psycopg": {"store"},
    "flask": {"http", "console"}, "flask_smorest": {"http", "console"}, "marshmallow": {"http", "console"}, "werkzeug": {"http", "console"},
    "prometheus_client": {"http"},
    "pycurl": {"kit"}, "certifi": {"kit"},
    "cryptography": {"vault", "kit"},
    "argon2": {"vault"},
    "jinja2": {"console"}, "markupsafe": {"console"},
    "structlog": {"logs"},
    "granian": {"main"},
    "opentelemetry": {"main"},  # an extra: what records spans is wired in, and nobody else knows whose library it is
    "celery": {"transport", "worker"}, "kombu": {"transport", "worker", "kit"},
    "amqp": {"kit"}, "redis": {"kit"},
    "click": {"cli"}, "rich": {"cli"},
}  # fmt: skip

# `requests` types pass between the hub and adapters, so the ground may name them; only kit may use the library.
REQUESTS_TYPES_IN = {"core.adapter"}

# Standard modules that the ground may not import: I/O, clocks, randomness.
IMPURE = {
    "os",
    "sys",
    "io",
    "socket",
    "subprocess",
    "time",
    "random",
    "secrets",
    "threading",
    "asyncio",
    "pathlib",
    "urllib",
    "http",
    "logging",
    "tempfile",
    "shutil",
}
# a compiled expression belongs to its thread: the cache is per thread
THREAD_LOCAL_IN = {"core.expressions.expression", "core.expressions.evaluation_door"}


# Within a stratum: folders, and the modules beside them, each imports only from those before it.
INNER = {
    "core": ["errors message", "adapter json", "documents", "expressions", "schemas", "model", "config", "analysis apidocs"],
    "kit": ["envelope evaluation sandbox_faults http journal loading matching queues sandbox_server signature", "proof", "signer", "outbox sandbox_bodies target", "sandbox"],
    "catalog": ["mapping_paths yaml", "catalog", "files", "config_difference scaffold workspace", "checks"],
    "store": ["columns", "tables", "engine", "accounts migrate", "messages", "repairs", "queries retention", "command_methods query_methods", "store", "commit"],
    "flow": [
        "answers", "context render", "hub", "accounts interfaces settling", "intake", "accept", "doors outbound",
        "delivery repairs views", "deliver dry_run maintenance overview", "configuration",
    ],
    "http": ["common", "ops", "partner", "monitoring", "app"],
    "console": ["drawing words", "common", "administration messages waiting", "building", "attach"],
    "main": ["clock port telemetry", "neighbours", "machine wiring", "opening", "desk serving"],
    "cli": ["common", "commands operators", "engineers", "administrators"],
}  # fmt: skip
MOST_MODULES, MOST_LINES, MEDIAN_LINES = 20, 400, 120


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(HUB.rglob("*.py")):
        parts = path.relative_to(HUB).with_suffix("").parts
        if "migrations" in parts:
            continue
        name = ".".join(part for part in parts if part != "__init__")
        yield name, ast.parse(path.read_text("utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the strata"
            # `from hub.store import add` is about hub.store.add; the package itself is meant only where a name of its
            # own is taken.
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if is_module(f"{node.module}.{alias.name}") else str(node.module)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


MODULES = dict(modules())


def stratum(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def inner(name: str) -> str:
    """The folder of a module within its stratum, or the module itself where it lies beside the folders."""
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("of", STRATA)
def test_modules_import_only_from_strata_below_them_and_their_own_package(of):
    wrong = [
        f"hub.{name} imports {imported}"
        for name, tree in MODULES.items()
        for imported in imports(tree)
        if stratum(name) == of and imported.startswith("hub.")
        for other in [imported.split(".")[1]]
        if other in STRATA and other != of and STRATA[other] >= STRATA[of]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("of", INNER)
def test_folders_of_a_stratum_import_only_from_those_that_come_before_them(of):
    rank = {f"{of}.{part}": place for place, parts in enumerate(INNER[of]) for part in parts.split()}
    there = {inner(name) for name in MODULES if name.startswith(f"{of}.")}
    assert there == set(rank), "INNER names each folder, and each module beside them, once"
    wrong = [
        f"hub.{name} imports {imported}"
        for name, tree in MODULES.items()
        for imported in imports(tree)
        if name.startswith(f"{of}.") and imported.startswith(f"hub.{of}.")
        for mine, other in [(inner(name), inner(imported.removeprefix("hub.")))]
        if mine != other and rank.get(other, len(rank)) >= rank[mine]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("of", STRATA)
def test_a_third_party_stays_in_its_stratum(of):
    for name, tree in MODULES.items():
        if stratum(name) != of:
            continue
        for imported in imports(tree):
            library = imported.split(".")[0]
            if library == "requests":
                assert of == "kit" or name in REQUESTS_TYPES_IN, f"hub.{name} imports requests; its home is hub.kit"
            elif library in HOMES:
                assert of in HOMES[library], f"hub.{name} imports {library}; its home is {HOMES[library]}"


def test_the_ground_has_no_io_no_clock_and_no_randomness():
    for name, tree in MODULES.items():
        if stratum(name) != "core":
            continue
        for imported in imports(tree):
            library = imported.split(".")[0]
            if library == "threading" and name in THREAD_LOCAL_IN:
                continue
            if imported.startswith("urllib.parse"):
                continue  # texts in, texts out
            assert library not in IMPURE, f"hub.{name} imports {imported}"


def test_no_folder_holds_more_than_twenty_modules():
    folders = [path for path in (HUB, *HUB.rglob("*")) if path.is_dir() and "migrations" not in path.parts]
    crowded = {
        str(path.relative_to(ROOT)): count
        for path in folders
        if (count := sum(1 for _ in path.glob("*.py"))) > MOST_MODULES
    }
    assert not crowded


def test_no_module_is_longer_than_four_hundred_lines_and_most_are_short(tmp_path):
    """Counted in lines of 160, so that what is said counts, and not how it is broken."""
    copy = shutil.copytree(HUB, tmp_path / "hub", ignore=shutil.ignore_patterns("migrations", "__pycache__"))
    wide = ("--isolated", "--line-length", "160", "--config", "format.skip-magic-trailing-comma = true")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", *wide, copy], check=True)
    lengths = {path.relative_to(copy): len(path.read_text("utf-8").splitlines()) for path in copy.rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > MOST_LINES}
    assert median(lengths.values()) <= MEDIAN_LINES


def test_no_modules_import_each_other_in_a_circle():
    graph = {
        name: {
            imported.removeprefix("hub.")
            for imported in imports(tree)
            if imported.startswith("hub.") and imported.removeprefix("hub.") in MODULES
        }
        for name, tree in MODULES.items()
    }
    state: dict[str, int] = {}

    def visit(name: str, way: list[str]) -> None:
        if state.get(name) == 2:
            return
        assert state.get(name) != 1, " → ".join([*way, name])
        state[name] = 1
        for other in sorted(graph[name] - {name}):
            visit(other, [*way, name])
        state[name] = 2

    for name in graph:
        visit(name, [])


def test_the_hub_never_knows_a_system_by_name():
    systems = {folder.name for folder in (ROOT / "adapters").iterdir() if (folder / "system.yaml").exists()} - {
        "payment"
    }
    for name, tree in MODULES.items():
        if name == "catalog.scaffold.new_workspace":
            continue
        for node in ast.walk(tree):
            if (name, getattr(node, "value", None)) == ("core.apidocs.asyncapi", "channel"):
                continue  # a word of AsyncAPI, whatever systems are called
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in systems:
                pytest.fail(f"hub.{name} names the system {node.value!r} at line {node.lineno}")


def test_every_package_says_its_import_rule():
    for folder in sorted(HUB.iterdir()):  # the folders within follow INNER
        if (folder / "__init__.py").exists():
            assert "mports" in (ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""), (
                folder.name
            )
