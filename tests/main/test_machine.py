"""What a configuration wants of the machine that runs it is said at its line, and a machine that lacks it does not go
by that configuration.
"""

import os
import subprocess
import sys

import pytest

from hub import settings as settings_table
from hub.catalog import judge, load
from hub.catalog.scaffold.new_workspace import init
from hub.core.errors import BadWorkspace
from hub.flow.configuration.plan import apply
from hub.flow.context.revisions import Revisions
from hub.main.machine import foreseen, unmet

SCHEME = '{alg: hmac-sha256, encode: hex, over: "{body}", at: header:X-Sign}'
SECRET = "settings:\n  secret: {help: What it signs with, secret: true}\n"
HOOK = f"hooks:\n  paid:\n    verify: {SCHEME}\n    read: {{emit: shop/order.placed@1, id: orderNo}}\n"
SHOP, WAREHOUSE = "adapters/shop/system.yaml", "adapters/warehouse/system.yaml"


def settings(folder, **environment):
    return settings_table.read({"HUB_WORKSPACE": str(folder), **environment})


@pytest.fixture
def workspace(tmp_path):
    init(tmp_path / "workspace")
    return tmp_path / "workspace"


def change(folder, name, edit):
    file = folder / name
    file.write_text(edit(file.read_text("utf-8")), "utf-8")


def line_of(folder, name, text):
    return (folder / name).read_text("utf-8").splitlines().index(text) + 1


# each: the file, what is written, the line that is found, the variables that mend it, whether a check alone refuses it
WANTS = {
    "a hook": (SHOP, lambda text: text + HOOK + SECRET, f"    verify: {SCHEME}", {"HUB_SHOP_SECRET": "s"}, True),
    "posts by a scheme": (
        SHOP,
        lambda text: text.replace("{scheme: hub-signature}", f"{{scheme: {SCHEME}}}") + SECRET,
        f"  inbound: {{scheme: {SCHEME}}}",
        {"HUB_SHOP_SECRET": "s"},
        True,
    ),
    "calls by a secret": (
        WAREHOUSE,
        lambda text: text.replace("{scheme: none}", "{scheme: hmac, secret: env:WMS_SECRET}"),
        "  outbound: {scheme: hmac, secret: env:WMS_SECRET}",
        {"WMS_SECRET": "s"},
        False,
    ),
    "calls by a key": (
        WAREHOUSE,
        lambda text: text.replace("{scheme: none}", "{scheme: api-key, key: env:WMS_KEY, at: header:X-Key}"),
        "  outbound: {scheme: api-key, key: env:WMS_KEY, at: header:X-Key}",
        {"WMS_KEY": "s"},
        False,
    ),
}


@pytest.mark.parametrize("want", WANTS.values(), ids=WANTS)
def test_what_is_not_set_is_said_at_the_line_that_wants_it(workspace, want):
    file, edit, line, environment, is_error = want
    change(workspace, file, edit)
    assert judge(workspace)[1] == [], "the files alone are right"
    [found] = foreseen(load(workspace), settings(workspace))
    assert (found.file, found.line, found.level, found.code) == (
        file,
        line_of(workspace, file, line),
        *(("error", "E704") if is_error else ("warning", "W810")),
    )
    [refused] = unmet(load(workspace), settings(workspace))
    assert (refused.file, refused.line, refused.code) == (found.file, found.line, "E704")
    assert "--elsewhere" in found.fix
    assert (
        foreseen(load(workspace), settings(workspace, **environment))
        == unmet(load(workspace), settings(workspace, **environment))
        == []
    )


@pytest.mark.parametrize(
    ("written", "lines"), [("  timeout: 60s\n", 1), ("  timeout: 59s\n", 0), ("  timeout: 2m\n", 1)]
)
def test_a_timeout_that_outlasts_the_lease_is_told_where_it_is_written(workspace, written, lines):
    change(workspace, "routes.yaml", lambda text: text.replace("  timeout: 5s\n", written))
    found = foreseen(load(workspace), settings(workspace))
    assert [(one.code, one.line) for one in found] == [
        ("W811", line_of(workspace, "routes.yaml", written.rstrip()))
    ] * lines
    assert foreseen(load(workspace), settings(workspace, HUB_LEASE="240")) == []


def test_apply_refuses_it_and_a_running_process_keeps_the_configuration_before(workspace, store):
    known = settings(workspace)
    wanted = lambda catalog: unmet(catalog, known)  # noqa: E731
    before = apply(store, workspace, unmet=wanted)
    running = Revisions(store, unmet=wanted)
    # Given a hook whose secret nobody has set here
    change(workspace, SHOP, lambda text: text + HOOK + SECRET)
    with pytest.raises(BadWorkspace, match=f"{SHOP}:.*HUB_SHOP_SECRET is not set"):
        apply(store, workspace, unmet=wanted)
    assert store.active() == before.revision
    # When another machine, which has it, makes it active
    after = apply(store, workspace)
    # Then this process goes by the one before, and says at which line and why
    assert running.refresh() is False
    assert running.active().revision == before.revision
    assert running.refused.revision == after.revision
    assert f"{SHOP}:" in running.refused.reason
    assert "HUB_SHOP_SECRET" in running.refused.reason
    # And once it is there, this process follows by itself
    known.environment["HUB_SHOP_SECRET"] = "s"
    assert any(running.refresh() for _ in range(30))
    assert (running.active().revision, running.refused) == (after.revision, None)


def hub(folder, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    command = [sys.executable, "-m", "hub", "-w", str(folder), *words]
    environment["HUB_STORE"] = f"sqlite:///{folder.parent}/hub.db"
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)


def test_the_commands_refuse_and_take_it_with_elsewhere(workspace):
    change(workspace, SHOP, lambda text: text + HOOK + SECRET)
    line = line_of(workspace, SHOP, f"    verify: {SCHEME}")
    for words in (("check",), ("apply",)):
        done = hub(workspace, *words)
        assert done.returncode == 1
        assert f"{SHOP}:{line}:" in done.stderr
        assert "HUB_SHOP_SECRET" in done.stderr
        assert hub(workspace, *words, "--elsewhere").returncode == 0
