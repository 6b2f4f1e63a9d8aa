"""Costly conditions and mappings: accepted at once, decided where they hold nobody up, and dead with their reason where
they are over their budget.
"""

import json

import pytest

from tests.faults.test_worst_caller import workspace
from tests.faults.worst import bodies
from tests.support.hubs import HubProcess


@pytest.fixture
def hub(tmp_path, sink):
    made = HubProcess(workspace(tmp_path / "workspace", sink.url), f"sqlite:///{tmp_path / 'hub.sqlite3'}").start()
    yield made
    made.stop()


def posted(hub, kind):
    name, body = bodies()[kind]
    answer = hub.caller("shop").post(f"/api/v1/shop/{name}", json.dumps(body(f"{kind}-1")).encode(), f"{kind}-1")
    return (
        answer
        if answer.status_code != 202
        else {line["route"]: line for line in hub.delivered(answer.json()["data"]["messageId"], seconds=60)}
    )


def test_a_quadratic_condition_is_decided_or_dead_and_its_neighbour_is_delivered(hub):
    lines = posted(hub, "quadratic")
    assert lines["orders"]["status"] == "delivered"
    if "quadratic" in lines:  # it was over its budget; where the machine is quick, it was decided
        assert (lines["quadratic"]["status"], lines["quadratic"]["why"]["reason"]) in {
            ("dead", "transform_timeout"),
            ("cancelled", "declined"),
        }


@pytest.mark.parametrize(
    ("kind", "reasons"), [("doubling", {"transform_error", "transform_timeout"}), ("endless", {"transform_timeout"})]
)
def test_what_nothing_bounds_is_dead_with_its_reason(hub, kind, reasons):
    [line] = posted(hub, kind).values()
    assert (line["status"], line["why"]["reason"] in reasons) == ("dead", True)
    assert hub.ops("/conservation")["unaccounted"] == 0


def test_what_is_deep_or_cheap_under_the_same_rules_is_delivered(hub):
    [line] = posted(hub, "deep").values()
    assert line["status"] == "delivered"


def test_what_is_wrong_at_each_place_is_refused_not_sent_again(hub):
    answer = posted(hub, "unfit")
    assert (answer.status_code, bool(answer.json()["details"])) == (422, True)
