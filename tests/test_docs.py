"""Papers are tested too: tables equal the code, links resolve, both READMEs show the same commands, and README's
commands are run.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hub.catalog import check
from hub.catalog.files.hooks import HOOK, SCHEME
from hub.catalog.files.queues import PUBLISH, QUEUE
from hub.catalog.scaffold.new_workspace import init
from hub.catalog.yaml.codes import MEANING
from hub.cli import main as hub_command
from hub.core.config.scheme import ALGORITHMS, ENCODINGS, STAMPS
from hub.core.errors import Code, Reason
from hub.core.model import repair
from hub.core.model.delivery import TRANSITIONS, Status
from hub.core.model.error_catalogue import MEANINGS
from hub.http.monitoring.metric_definitions import FAMILIES
from hub.settings import TABLE
from hub.store import tables
from tests.faults.points import POINTS, PORTS
from tests.support import pictures
from tests.support.foreign import foreign_workspace
from tests.support.hubs import HubProcess
from tests.support.queues import SYSTEM, queue_workspace

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rows(page):
    text = (ROOT / page).read_text("utf-8")
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_every_setting_stands_in_the_operators_page():
    told = {row[0].strip("`"): row[1].strip("`") for row in rows("docs/operating.md") if row[0].startswith("`HUB_")}
    assert told == {f"HUB_{entry.name.upper()}": entry.default for entry in TABLE}


def test_the_meaning_of_every_setting_is_the_one_of_the_code():
    told = {row[0].strip("`"): row[2] for row in rows("docs/operating.md") if row[0].startswith("`HUB_")}
    assert told == {f"HUB_{entry.name.upper()}": entry.help for entry in TABLE}


def test_every_metric_stands_in_its_page():
    told = {
        row[0].strip("`"): (*row[1:3], row[3].replace("`", ""), row[4])
        for row in rows("docs/metrics.md")
        if row[0].startswith("`hub_")
    }
    made = {
        one.name + "_total" * (one.kind == "counter"): (one.kind, one.whose, ", ".join(one.labels), one.help)
        for one in FAMILIES
    }
    assert told == made


def test_every_code_stands_in_the_partners_page():
    told = {row[0]: (row[1].strip("`"), row[2], row[3]) for row in rows("docs/errors.md") if row[0].isdigit()}
    assert told == {str(int(code)): (code.label, MEANINGS[code].title, MEANINGS[code].do) for code in Code}


def test_every_reason_stands_in_the_page():
    text = (ROOT / "docs/errors.md").read_text("utf-8")
    assert [reason for reason in Reason if f"`{reason.value}`" not in text] == []


def test_every_check_stands_in_the_engineers_page():
    told = {row[0].strip("`"): row[1] for row in rows("docs/checks.md") if re.fullmatch(r"`[EW]\d{3}`", row[0])}
    assert told == {code.value: text for code, text in MEANING.items()}


def test_every_point_where_the_hub_is_hurt_stands_in_its_page():
    told = {row[0].strip("`"): row[1] for row in rows("docs/faults.md") if re.fullmatch(r"`[a-z]+\.[a-z]+`", row[0])}
    assert {point: text for point, text in told.items() if point not in PORTS} == POINTS
    assert {*told} - {*POINTS} == {*PORTS}


def test_the_drawing_the_table_and_the_database_agree_on_the_states():
    told = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in rows("docs/states.md")
        if row[0].strip("`") in set(Status)
    }
    assert told == {status.value: {other.value for other in after} for status, after in TRANSITIONS.items()}
    [check] = [one for one in tables.delivery.constraints if str(one.name).endswith("delivery_status")]
    assert set(re.findall(r"'(\w+)'", str(check.sqltext))) == {status.value for status in Status}


def test_the_page_on_repairs_has_each_state_with_what_may_follow_and_each_result():
    told = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2]))
        for row in rows("docs/repairs.md")
        if len(row) == 3 and row[0].strip("`") in set(repair.State)
    }
    assert told == {state.value: {other.value for other in after} for state, after in repair.TRANSITIONS.items()}
    results = [
        row[0].strip("`")
        for row in rows("docs/repairs.md")
        if len(row) == 2 and row[0].strip("`") in set(repair.Result)
    ]
    assert results == [result.value for result in repair.Result]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_each_picture_is_there_small_and_named():
    named = {
        target.removeprefix("pictures/")
        for target in re.findall(r"!\[[^]]{10,}\]\((pictures/[^)]+)\)", (ROOT / "docs/console.md").read_text("utf-8"))
    }
    sizes = {path.name: path.stat().st_size for path in (ROOT / pictures.FOLDER).iterdir()}
    assert named == sizes.keys() == {f"{name}.webp" for name in pictures.PICTURES}
    assert max(sizes.values()) <= pictures.MOST_BYTES
    assert sum(sizes.values()) <= pictures.MOST_IN_ALL


def test_both_readmes_show_the_same_make_commands():
    shown = [
        set(re.findall(r"make (?:demo ARGS=--once|demo|test)", (ROOT / name).read_text("utf-8")))
        for name in ("README.md", "README.zh-CN.md")
    ]
    assert shown[0] == shown[1]


def test_the_readmes_curl_commands_work_as_they_stand(tmp_path):
    """The block is run by a shell; only the hub's address and the place of the `hub` command are put in."""
    text = (ROOT / "README.md").read_text("utf-8")
    block = text.split("<!-- test: start -->")[1].split("<!-- test: end -->")[0].split("```sh\n")[1].split("```")[0]
    secrets = {
        f"{name}_{part}": "ak_test"
        for name in ("CHANNEL", "OMS", "INVENTORY", "WMS", "TMS", "PAYMENT", "ERP")
        for part in ("KEY", "SECRET")
    }
    hub = HubProcess(ROOT, f"sqlite:///{tmp_path}/hub.sqlite3", hub_sweep=5, **secrets).start()
    try:
        (tmp_path / "var").mkdir()
        script = block.replace(".venv/bin/hub", f"{sys.executable} -m hub").replace("http://127.0.0.1:8080", hub.url)
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env={**os.environ, **hub.environment},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        first, again, wrong, status = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert '"duplicate":false' in first
        assert '"duplicate":true' in again
        assert all(
            word in wrong for word in ('"code":42200', '"pointer":"/items/0/quantity"', '"got"', '"want"', '"fix"')
        )
        assert '"target":"oms/order.create@1"' in status
    finally:
        hub.stop()


@pytest.mark.parametrize(
    "block", re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/routes.md").read_text("utf-8"), re.DOTALL)
)
def test_every_route_in_the_page_passes_the_check(tmp_path, block):
    init(tmp_path)
    (tmp_path / "routes.yaml").write_text("version: 1\n" + block, "utf-8")
    assert [finding for finding in check(tmp_path) if finding.level == "error"] == []


def test_the_page_on_hooks_says_what_works(tmp_path):
    """Its hook stands in a workspace's own file, and its mapping in the place of the one that is there."""
    hooks, mapping = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/hooks.md").read_text("utf-8"), re.DOTALL)
    folder = foreign_workspace(tmp_path)
    system = folder / "adapters/carrier/system.yaml"
    text = system.read_text("utf-8")
    start, end = text.index("hooks:\n"), text.index("  topics:\n")
    system.write_text(text[:start] + hooks + text[end:], "utf-8")
    (folder / "mappings/pushed--track-event.yaml").write_text(mapping, "utf-8")
    assert [finding.text for finding in check(folder) if finding.level == "error"] == []


def test_the_page_on_hooks_tells_every_key_and_word():
    text = (ROOT / "docs/hooks.md").read_text("utf-8")
    words = [*ALGORITHMS, *ENCODINGS, *STAMPS, *SCHEME.keys, *HOOK.keys]
    assert [
        word for word in words if f"`{word}`" not in text and f"`{word}: " not in text and f"`read.{word}" not in text
    ] == []


def test_the_page_on_queues_says_what_works(tmp_path):
    """Its queues stand in a workspace's own file."""
    [queues] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/queues.md").read_text("utf-8"), re.DOTALL)
    start, end = SYSTEM.index("queues:\n"), SYSTEM.index("settings:\n")
    folder = queue_workspace(tmp_path, "amqp://127.0.0.1:5672//", system=SYSTEM[:start] + queues + SYSTEM[end:])
    assert [finding.text for finding in check(folder) if finding.level == "error"] == []


def test_the_page_on_queues_tells_every_key():
    text = (ROOT / "docs/queues.md").read_text("utf-8")
    assert [key for key in (*QUEUE.keys, *PUBLISH.keys) if f"`{key}`" not in text and f"{key}: " not in text] == []


def shell_blocks(page):
    return re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def test_the_commands_of_the_page_on_deploying_work_as_they_stand(tmp_path):
    """Those of the hub, one after another on one store; what needs a cluster is not run, but the files that it names
    are there.
    """
    blocks = shell_blocks("docs/deploying.md")
    ours = [block for block in blocks if all(line.startswith("hub ") for line in block.splitlines())]
    assert len(ours) == 2
    secrets = {
        f"{name}_{part}": "ak_test"
        for name in ("CHANNEL", "OMS", "INVENTORY", "WMS", "TMS", "PAYMENT", "ERP")
        for part in ("KEY", "SECRET")
    }
    environment = {
        **os.environ,
        **secrets,
        "PYTHONPATH": str(ROOT),
        "HUB_WORKSPACE": str(ROOT),
        "HUB_STORE": f"sqlite:///{tmp_path}/hub.sqlite3",
    }
    script = f'hub() {{ "{sys.executable}" -m hub "$@"; }}\n' + "\n".join(ours)
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in {one for block in blocks for one in re.findall(r"deploy/[A-Za-z0-9_./-]+", block)}:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", ["docs/deploying.md", "docs/metrics.md", "docs/operating.md"])
def test_every_command_and_file_that_a_page_for_operators_names_is_there(page):
    text = (ROOT / page).read_text("utf-8")
    context = click.Context(hub_command)
    for words in re.findall(r"`hub ([a-z][a-z -]*[a-z])", text):
        first, *more = words.split()
        command = hub_command.get_command(context, first)
        assert command is not None, words
        group = getattr(command, "commands", None)
        assert group is None or not more or more[0] in group, words
    for name in re.findall(r"`(deploy/[A-Za-z0-9_./-]+)`", text):
        assert (ROOT / name).exists(), name


def test_a_stop_is_given_the_time_that_the_page_says():
    grace = float(next(entry.default for entry in TABLE if entry.name == "grace"))
    assert "are 90 s for the default of 20" in (ROOT / "docs/deploying.md").read_text("utf-8")
    assert (grace, 4 * grace < 90) == (20, True)
