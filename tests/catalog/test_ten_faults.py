"""`hub check` on a workspace with ten planted faults reports exactly those ten, with place and reason."""

import json
import subprocess
import sys

import pytest

from hub.catalog import check
from hub.catalog.scaffold.new_workspace import init

MAPPING = "mappings/shop.order.placed.v1--warehouse.order.create.v1.yaml"

# Each: the file, what stands there, what is written instead, and what must be reported: where (the text whose place it
# is), code, a word of the reason.
FAULTS = [
    ("routes.yaml", "    owner: fulfilment\n", "    ownr: fulfilment\n", "ownr", "E201", "ownr"),
    ("routes.yaml", "  timeout: 5s\n", "  timeout: 0s\n", "timeout: 0s", "E206", "0s"),
    ("routes.yaml", "attempts: 16", "attempts: 1000000000", "1000000000", "E206", "1000000000"),
    (
        "routes.yaml",
        "from: shop/order.placed",
        "from: shop/order.place",
        "from: shop/order.place\n",
        "E304",
        "order.place",
    ),
    ("routes.yaml", "{when_dead: park}", "{when_dead: parc}", "parc", "E206", "parc"),
    (MAPPING, "  orderNo: orderNo\n", "  orderNo: orderNo +\n", "orderNo: orderNo +", "E501", "expression"),
    (
        "adapters/shop/system.yaml",
        "    versions: {1: {state: current}}",
        "    versions: {1: {state: curent}}",
        "curent",
        "E206",
        "curent",
    ),
    (
        "adapters/shop/system.yaml",
        "owner: shop-team\n",
        "owner: shop-team\nowner: others\n",
        "owner: others",
        "E108",
        "owner",
    ),
    ("adapters/warehouse/system.yaml", "call: POST /orders", "call: SEND /orders", "SEND /orders", "E2", "SEND"),
    (
        "adapters/warehouse/contracts/order.create.v1.json",
        '"minItems": 1',
        '"minItem": 1',
        '"minItem"',
        "E401",
        "minItem",
    ),
]


def plant(folder, faults):
    """Writes a sound workspace, then each fault into it. Gives (file, line, column) of each."""
    init(folder)
    for file, sound, broken, *_ in faults:
        path = folder / file
        text = path.read_text("utf-8")
        assert sound in text, f"{file} has no {sound!r}"
        path.write_text(text.replace(sound, broken, 1), "utf-8")
    places = []
    for file, _, _, mark, *_ in faults:
        text = (folder / file).read_text("utf-8")
        at = text.index(mark)
        places.append((file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)))
    return places


def test_a_sound_workspace_has_no_findings(tmp_path):
    init(tmp_path / "w")
    assert check(tmp_path / "w") == []


def test_ten_planted_faults_are_reported_and_nothing_else(tmp_path):
    places = plant(tmp_path / "w", FAULTS)
    found = [finding for finding in check(tmp_path / "w") if finding.level == "error"]
    report = "\n".join(f"{one.place}: {one.code} {one.text} | {one.fix}" for one in found)
    for (file, line, _), (*_, code, word) in zip(places, FAULTS, strict=True):
        hits = [
            one
            for one in found
            if (one.file, one.line) == (file, line) and one.code.startswith(code) and word in one.text + one.fix
        ]
        assert len(hits) == 1, f"wanted {file}:{line} {code} {word!r}; found\n{report}"
    assert len(found) == len(FAULTS), report


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_each_of_them_alone_is_one_finding_at_its_column(tmp_path, number):
    [(file, line, column)] = plant(tmp_path / "w", [FAULTS[number]])
    found = [one for one in check(tmp_path / "w") if one.level == "error"]
    assert [(one.file, one.line) for one in found] == [(file, line)], found
    assert found[0].column >= 1
    assert abs(found[0].column - column) <= 40


def test_the_command_says_the_same_and_exits_with_1(tmp_path):
    plant(tmp_path / "w", FAULTS)
    done = subprocess.run(
        [sys.executable, "-m", "hub", "-w", str(tmp_path / "w"), "check", "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"] == len(FAULTS)
