"""The house rule (docs/design/laws.md#strata): a module imports only from strata below it and from its own package, never in a circle.

Reads the syntax tree, so that typing-only and function-level imports count; and keeps each third party in its stratum.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

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
THREAD_LOCAL_IN = {"core.expression", "core.door"}  # a compiled expression belongs to its thread: the cache is per thread


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
            # `from hub.store import add` is about hub.store.add; the package itself is meant only where a name of its own is taken.
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if is_module(f"{node.module}.{alias.name}") else str(node.module)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


MODULES = dict(modules())


def stratum(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_a_module_imports_only_from_strata_below_it_and_its_own_package(name):
    own = stratum(name)
    for imported in imports(MODULES[name]):
        if not imported.startswith("hub."):
            continue
        other = imported.split(".")[1]
        if other in STRATA and other != own:
            assert STRATA[other] < STRATA[own], f"hub.{name} (stratum {STRATA[own]}) imports {imported} (stratum {STRATA[other]})"


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_a_third_party_stays_in_its_stratum(name):
    for imported in imports(MODULES[name]):
        library = imported.split(".")[0]
        if library == "requests":
            assert stratum(name) == "kit" or name in REQUESTS_TYPES_IN, f"hub.{name} imports requests; its home is hub.kit"
        elif library in HOMES:
            assert stratum(name) in HOMES[library], f"hub.{name} imports {library}; its home is {HOMES[library]}"


@pytest.mark.parametrize("name", [name for name in MODULES if stratum(name) == "core"])
def test_the_ground_has_no_io_no_clock_and_no_randomness(name):
    for imported in imports(MODULES[name]):
        library = imported.split(".")[0]
        if library == "threading" and name in THREAD_LOCAL_IN:
            continue
        if imported.startswith("urllib.parse"):
            continue  # texts in, texts out
        assert library not in IMPURE, f"hub.{name} imports {imported}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {
        name: {imported.removeprefix("hub.") for imported in imports(tree) if imported.startswith("hub.") and imported.removeprefix("hub.") in MODULES}
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
    systems = {folder.name for folder in (ROOT / "adapters").iterdir() if (folder / "system.yaml").exists()} - {"payment"}
    for name, tree in MODULES.items():
        if name == "catalog.scaffold":
            continue
        for node in ast.walk(tree):
            if (name, getattr(node, "value", None)) == ("core.asyncapi", "channel"):
                continue  # a word of AsyncAPI, whatever systems are called
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in systems:
                pytest.fail(f"hub.{name} names the system {node.value!r} at line {node.lineno}")


def test_every_package_says_its_import_rule():
    for folder in sorted(HUB.iterdir()):
        if (folder / "__init__.py").exists():
            assert "mports" in (ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""), folder.name
