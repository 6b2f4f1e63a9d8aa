"""What others build on, as text, each in a file of `tests/golden/`: written anew by `make golden`, compared by
`tests/test_golden.py`.

A change of one of these files is a change for partners, operators, dashboards or engineers, or of what the hot path
asks the database. Words for people (descriptions, summaries, titles, help) are left out: they may be made better at any
time.
"""

import inspect
import json
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa

from hub.catalog import load
from hub.catalog.files import schemas
from hub.catalog.yaml.codes import Check
from hub.cli.commands import main
from hub.console import attach
from hub.core import adapter
from hub.core.apidocs.asyncapi import asyncapi
from hub.core.apidocs.openapi import openapi
from hub.core.errors import Cause, Code, Reason
from hub.core.model.delivery import Delivered, Retry
from hub.http.app import make_app
from hub.http.monitoring import metric_definitions
from hub.http.monitoring.metric_definitions import Family
from hub.settings import TABLE
from hub.store import open_store
from tests.support.hubs import OPS_TOKEN, ROOT, small_workspace
from tests.support.making import claim, laid, seen, settled
from tests.support.servers import small_hub
from tests.support.versioned import versioned

FOLDER = Path(__file__).resolve().parent.parent / "golden"
FOR_PEOPLE = ("description", "summary", "title")


def wordless(node):
    """A JSON document without what is said to people. A property that is called `title` is an object, and stays."""
    if isinstance(node, dict):
        return {
            name: wordless(member)
            for name, member in node.items()
            if not (name in FOR_PEOPLE and isinstance(member, str))
        }
    return [wordless(member) for member in node] if isinstance(node, list) else node


def as_json(document):
    return json.dumps(wordless(document), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def as_lines(lines):
    return "".join(f"{line}\n" for line in lines)


@contextmanager
def small_app():
    with tempfile.TemporaryDirectory() as folder:
        workspace = small_workspace(Path(folder) / "workspace", "http://127.0.0.1:9001")
        with small_hub(workspace, f"sqlite:///{folder}/hub.sqlite3") as hub:
            yield make_app(hub, pages=attach)


def operations():
    """OpenAPI of /ops/v1."""
    with small_app() as app:
        return as_json(
            app.test_client().get("/ops/v1/openapi.json", headers={"authorization": f"Bearer {OPS_TOKEN}"}).get_json()
        )


def addresses():
    """Each address that answers, with its methods."""
    with small_app() as app:
        rules = [(rule.rule, *sorted(rule.methods - {"HEAD"})) for rule in app.url_map.iter_rules()]
    return as_lines(" ".join(rule) for rule in sorted(rules))


def _workspaces(document):
    with tempfile.TemporaryDirectory() as folder:
        two = versioned(Path(folder) / "workspace", "http://127.0.0.1:9001")
        return as_json(
            {
                name: document(list(load(path).systems.values()))
                for name, path in (("reference", ROOT), ("two versions", two))
            }
        )


def partners():
    """OpenAPI of what partners may post and are called with: of the reference workspace, and of one in which a message
    has two versions.
    """
    return _workspaces(lambda systems: openapi(systems, title="Crossdock", version="1"))


def messages():
    """AsyncAPI of the same."""
    return _workspaces(lambda systems: asyncapi(systems, title="Crossdock", version="1"))


def workspace():
    """JSON Schemas of the YAML files of a workspace (`hub schema`)."""
    return as_json(schemas.schemas())


def commands():
    """Commands with their arguments and options, as `hub --help` has them."""

    def walk(command, path):
        yield " ".join(path)
        for one in command.params:
            names = (
                " ".join(sorted([*one.opts, *one.secondary_opts]))
                if isinstance(one, click.Option)
                else (one.name or "").upper()
            )
            of = (
                ",".join(str(choice) for choice in one.type.choices)
                if isinstance(one.type, click.Choice)
                else one.type.name
            )
            marks = [
                word
                for word, holds in (
                    ("required", one.required),
                    ("multiple", one.multiple),
                    ("flag", getattr(one, "is_flag", False)),
                )
                if holds
            ]
            yield "  ".join(["", names, of, f"nargs={one.nargs}", *marks])
        if isinstance(command, click.Group):
            with click.Context(command) as context:
                for name in sorted(command.list_commands(context)):
                    yield from walk(command.get_command(context, name), [*path, name])

    return as_lines(walk(main, ["hub"]))


def metrics():
    """Name, kind, whose fact it is, labels."""
    found = set()
    for member in vars(metric_definitions).values():
        found |= {one for one in (member if isinstance(member, tuple) else (member,)) if isinstance(one, Family)}
    return as_lines(
        f"{one.name} {one.kind} {one.whose} {{{','.join(one.labels)}}}"
        for one in sorted(found, key=lambda one: one.name)
    )


def codes():
    """Codes of answers, reasons of deliveries, codes of `hub check`."""
    return as_lines(f"{of.__name__} {one.name} {one.value}" for of in (Code, Reason, Check) for one in of)


def settings():
    return as_lines(f"{one.name}={one.default!r}{' secret' if one.secret else ''}" for one in TABLE)


def adapters():
    """What an adapter in Python is handed and gives back."""
    lines = []
    for name, one in sorted(vars(adapter).items()):
        if inspect.isclass(one) and one.__module__ == adapter.__name__ and not name.startswith("_"):
            lines.append(f"class {name}({', '.join(base.__name__ for base in one.__bases__)})")
            lines += [f"    {field}: {kind}" for field, kind in getattr(one, "__annotations__", {}).items()]
            of = [
                (verb, member)
                for verb, member in vars(one).items()
                if inspect.isfunction(member) and not verb.startswith("_")
            ]
            lines += [f"    def {verb}{inspect.signature(member)}" for verb, member in of]
    return as_lines(lines)


FILES = {
    "operations.json": operations,
    "addresses.txt": addresses,
    "partners.json": partners,
    "messages.json": messages,
    "workspace.json": workspace,
    "commands.txt": commands,
    "metrics.txt": metrics,
    "codes.txt": codes,
    "settings.txt": settings,
    "adapters.txt": adapters,
}


def statements(store):
    """What the hot path asks of the database, as the driver gets it: from posts over claims to settled deliveries, a
    batch of one and of two.
    """
    heard: list[str] = []

    def hear(_connection, _cursor, statement, _parameters, _context, _is_many):
        heard.append(statement)

    database = store._database
    sa.event.listen(database.writing, "before_cursor_execute", hear)
    if database.reading is not database.writing:
        sa.event.listen(database.reading, "before_cursor_execute", hear)
    why = Cause(Reason.UNREACHABLE, "No connection.")
    held = []
    steps = (
        (
            "accept",
            lambda: store.add(
                [laid(order_key="a", dedupe_keys=[seen("1")]), laid(order_key="b", dedupe_keys=[seen("2")])]
            ),
        ),
        ("accept: neither name nor order", lambda: store.add([laid()])),
        ("claim", lambda: held.extend(claim(store, size=1))),
        ("claim: more is waiting", lambda: held.extend(claim(store, size=1))),
        ("settle: delivered", lambda: store.settle([settled(held.pop(), Delivered())])),
        ("settle: retry", lambda: store.settle([settled(held[-1], Retry(why, 60.0))])),
        ("claim: the last", lambda: held.extend(claim(store, size=1))),
        ("return a lease", lambda: store.return_leases([held.pop()])),
    )
    lines = []
    for name, step in steps:
        heard.clear()
        step()
        lines.append(f"-- {name}\n" + "".join(f"{tidy(one)};\n" for one in dict.fromkeys(heard)))
    return "\n".join(lines)


def tidy(statement):
    """One line, with whatever differs from run to run named the same."""
    return re.sub(r"'[0-9a-f]{8}-[0-9a-f]{4}'", "'(day)'", " ".join(statement.split()))


def write():
    FOLDER.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (FOLDER / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    write()
    for address in sys.argv[1:]:
        opened = open_store(address, writer=True)
        opened.migrate()
        (FOLDER / f"{opened._database.kind}.sql").write_text(statements(opened), "utf-8")
        opened.close()
