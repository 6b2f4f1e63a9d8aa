"""The points of the crash matrix: what a wound is, and one case from its beginning to its end. All of them:
`make crash`.
"""

import pytest

from tests.faults.crash import Case, scene
from tests.faults.ground import Ground
from tests.faults.points import Wounds, parse


def test_a_wound_is_read_from_its_text():
    wounds = parse(
        "add.written=kill;claim.before=raise:StoreBusy@3;send.sent=stop@0.5;store.add=do_then_fail;map.done=hang:0.2"
    )
    assert {point: (wound.action, wound.argument, wound.nth, wound.probability) for point, wound in wounds.items()} == {
        "add.written": ("kill", "", 1, None),
        "claim.before": ("raise", "StoreBusy", 3, None),
        "send.sent": ("stop", "", 0, 0.5),
        "store.add": ("do_then_fail", "", 1, None),
        "map.done": ("hang", "0.2", 1, None),
    }


@pytest.mark.parametrize(
    "text",
    [
        "add.written",
        "add.written=explode",
        "add.wirtten=kill",
        "add.written=do_then_fail",
        "store.add=kill",
        "add.written=kill@",
    ],
)
def test_what_could_never_be_reached_is_no_wound(text):
    with pytest.raises(ValueError, match=r"no (wound|point|port)"):
        parse(text)


def test_a_wound_fires_once_at_its_turn_and_says_so_first(tmp_path):
    wounds = Wounds("claim.before=raise:KeyError@2;store.add=do_then_fail", tmp_path / "fired")
    wounds.reach("claim.before")
    with pytest.raises(KeyError):
        wounds.reach("claim.before")
    wounds.reach("claim.before")
    wounds.reach("add.before")
    assert [wounds.fails("store.add") for _ in range(2)] == [True, False]
    assert [line.split()[:2] for line in (tmp_path / "fired").read_text().splitlines()] == [
        ["claim.before", "raise"],
        ["store.add", "do_then_fail"],
    ]


def test_a_worker_that_is_killed_with_claims_in_hand_costs_time_alone(tmp_path):
    case = Case("claim.committed", "kill", "sqlite")
    ground = Ground(tmp_path)
    with scene(ground, case, tmp_path) as at:
        at.start(case.wound, case.owner)
        at.watch.start()
        at.load.start()
        at.wait_fired()
        at.heal("up")
        at.all_good()
    ground.close()
