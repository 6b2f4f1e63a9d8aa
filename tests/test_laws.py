"""Law 8 (docs/design/laws.md): reads may skip the flow; changes never do. Reads the syntax tree, so that no path is
left out.

What changes the store is found in the store itself: a verb whose function, or one that this calls, writes. Who may call
it stands here.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

HUB = Path(__file__).parent.parent / "hub"
STORE = HUB / "store"
FRONTS = ("store", "query_methods", "command_methods")  # whose methods are the store's verbs

# What faces call all the same, and why it is no change of what people see: schema, naming of causes behind what waits,
# the process itself.
HOUSEKEEPING = {
    ("main", "migrate"), ("main", "close"), ("cli", "migrate"), ("cli", "name_clusters"), ("cli", "name_unrouted"),
    ("worker", "sign"), ("worker", "sign_off"), ("worker", "sign_process"), ("worker", "sign_off_process"), ("worker", "lead"), ("worker", "resign"),
    ("cli", "lead"), ("cli", "resign"), ("cli", "make_parts"), ("cli", "drop_parts"),
}  # fmt: skip


@cache
def tree(path):
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def modules():
    """Each module of the store by its name, which is its alone there."""
    found = {
        path.stem: path for path in STORE.rglob("*.py") if "migrations" not in path.parts and path.stem != "__init__"
    }
    assert len(found) == sum("migrations" not in path.parts and path.stem != "__init__" for path in STORE.rglob("*.py"))
    return found


def functions(module):
    return {node.name: node for node in tree(modules()[module]).body if isinstance(node, ast.FunctionDef)}


def called(node):
    """(module or "", function) of each call in a function: of a module, or of its own."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            if isinstance(one.func, ast.Name):
                yield "", one.func.id
            elif isinstance(one.func, ast.Attribute) and isinstance(one.func.value, ast.Name):
                yield one.func.value.id.removesuffix("_module"), one.func.attr


@cache
def writes(module, name):
    """Whether a function of the store writes, by itself or by one that it calls in its module."""
    if module not in modules() or name not in functions(module):
        return False
    given = list(called(functions(module)[name]))
    if any(of == "database" and what == "write" for of, what in given):
        return True
    return any(writes(module, what) for of, what in given if of == "" and what != name)


@cache
def changing():
    """The verbs of a store that change something."""
    found = set()
    for front in FRONTS:
        for of in tree(modules()[front]).body:
            if isinstance(of, ast.ClassDef):
                for verb in of.body:
                    if isinstance(verb, ast.FunctionDef) and not verb.name.startswith("_"):
                        calls = list(called(verb)) + [
                            ("self._database", one.func.attr) for one in ast.walk(verb) if _is_write(one)
                        ]
                        if any(what == "write" or writes(module, what) for module, what in calls):
                            found.add(verb.name)
                    elif isinstance(verb, ast.Assign) and ast.unparse(verb).count(
                        "= verb("
                    ):  # add = verb(add_module.add)
                        [function] = verb.value.args
                        if writes(function.value.id.removesuffix("_module"), function.attr):
                            found.add(verb.targets[0].id)
    return frozenset(found)


def _is_write(node):
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "write"
        and isinstance(node.func.value, ast.Attribute)
    )


def uses(path):
    """(line, verb) where a module calls a verb of a store: `store.verb(…)`, `hub.store.verb(…)`,
    `desk.hub.store.verb(…)`, or hands it on.
    """
    names = set(named(path))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and _is_store(node.value, names):
            yield node.lineno, node.attr


def named(path):
    """What a store is called in a module: `store`, what it is opened as or made of, and every parameter that is one."""
    yield "store"
    for node in ast.walk(tree(path)):
        if (
            isinstance(node, ast.withitem)
            and isinstance(node.optional_vars, ast.Name)
            and "open_s" in ast.unparse(node.context_expr)
        ):
            yield node.optional_vars.id
        elif isinstance(node, ast.arg) and node.annotation is not None and ast.unparse(node.annotation) == "Store":
            yield node.arg
        elif isinstance(node, ast.Assign) and (
            _is_store(node.value, {"store"}) or "open_store" in ast.unparse(node.value)
        ):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _is_store(node, names):
    return (isinstance(node, ast.Name) and node.id in names) or (
        isinstance(node, ast.Attribute) and node.attr in ("store", "_store")
    )


FACES = sorted(path for face in ("cli", "http", "console", "worker", "main") for path in (HUB / face).rglob("*.py"))


def test_the_verbs_that_change_are_found_in_the_store_itself():
    known = {
        "add",
        "claim",
        "settle",
        "reopen",
        "cancel",
        "replace",
        "reroute",
        "let_go",
        "expire",
        "clear",
        "pause",
        "activate",
        "create_repair",
        "note_act",
    }
    assert known <= changing()
    assert (
        not {
            "message",
            "deliveries",
            "attempts",
            "unrouted",
            "clusters",
            "conservation",
            "find",
            "trace",
            "acts",
            "revision",
        }
        & changing()
    )


@pytest.mark.parametrize("path", FACES, ids=lambda path: ".".join(path.relative_to(HUB).with_suffix("").parts))
def test_a_face_changes_things_by_the_verbs_of_the_flow_alone(path):
    face = path.relative_to(HUB).parts[0]
    found = [
        f"{path.name}:{line} {verb}"
        for line, verb in uses(path)
        if verb in changing() and (face, verb) not in HOUSEKEEPING
    ]
    assert not found, f"{face} changes the store around the flow: {found}"


def test_the_rule_sees_a_change_around_the_flow(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text(
        "def a(hub, opened: Store):\n    s = hub.store\n    s.reopen([], by='')\n    hub.store.cancel([], by='', why='')\n    opened.settle([])\n    with open_serving(x) as y:\n        y.let_go([])\n    hub.store.deliveries('x')\n",
        "utf-8",
    )
    assert sorted(verb for _, verb in uses(planted) if verb in changing()) == ["cancel", "let_go", "reopen", "settle"]
