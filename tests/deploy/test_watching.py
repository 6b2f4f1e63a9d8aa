"""The dashboard and the alert rules: every expression is PromQL, every metric and label in it is one that a running hub
exports, and alerts go off.
"""

import json
import re
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from hub.http.monitoring.metric_definitions import FAMILIES
from tests.deploy.conftest import DEPLOY, documents
from tests.support.hubs import ORDER, HubProcess, Sink, free_port, operator, small_workspace

BOARD = json.loads((DEPLOY / "grafana/crossdock.json").read_text("utf-8"))
[RULES] = documents(DEPLOY / "prometheus/alerts.yaml")
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
# Of every process by the client library, and Prometheus's own labels
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
ADDED = {"job", "instance", "le"}


def board_expressions():
    panels = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]
    return [*panels, *(one["expr"] for one in BOARD["annotations"]["list"])]


def plain(expression):
    """As Prometheus gets it: Grafana's variables filled in."""
    filled = expression.replace("$__rate_interval", "5m").replace('"$job"', '".*"')
    assert "$" not in filled, expression
    return filled


EXPRESSIONS = [*map(plain, board_expressions()), *(rule["expr"] for rule in ALERTS)]


def names_in(expression):
    return set(re.findall(r"\b((?:hub|process)_[a-z_]+)\b", expression))


def labels_in(expression):
    """Labels that are compared, and those that are summed by."""
    compared = {
        label
        for block in re.findall(r"\{([^}]*)\}", expression)
        for label in re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", block)
    }
    grouped = {
        label.strip() for block in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression) for label in block.split(",")
    }
    return compared | grouped


def test_every_expression_is_promql(tmp_path, promtool):
    rules = {
        "groups": [
            {
                "name": "all",
                "rules": [{"record": f"checked:{number}", "expr": one} for number, one in enumerate(EXPRESSIONS)],
            }
        ]
    }
    with (tmp_path / "all.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(rules, file)
    for path in (tmp_path / "all.yaml", DEPLOY / "prometheus/alerts.yaml"):
        done = subprocess.run(
            [promtool, "check", "rules", str(path)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        [promtool, "check", "config", "--syntax-only", str(DEPLOY / "prometheus/prometheus.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_knows_what_is_no_promql(tmp_path, promtool):
    rules = {"groups": [{"name": "all", "rules": [{"record": "checked:0", "expr": "sum by (lane (hub_backlog)"}]}]}
    with (tmp_path / "all.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(rules, file)
    assert (
        subprocess.run(
            [promtool, "check", "rules", str(tmp_path / "all.yaml")], capture_output=True, timeout=60, check=False
        ).returncode
        != 0
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Metric → its labels, as a hub and a worker that have worked export them."""
    folder = tmp_path_factory.mktemp("watching")
    hub = HubProcess(
        small_workspace(folder / "workspace", Sink().url),
        f"sqlite:///{folder}/hub.sqlite3",
        hub_metrics_port=free_port(),
    ).start()
    try:
        answer = hub.caller("shop").post("/api/v1/shop/order.placed", ORDER, "w-1")
        hub.delivered(answer.json()["data"]["messageId"])
        text = operator.get(f"http://127.0.0.1:{hub.environment['HUB_METRICS_PORT']}/metrics", timeout=10).text
    finally:
        hub.stop()
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        if family.type == "counter":
            samples.setdefault(family.name + "_total", set())  # what has not happened yet has a head and no line
        if family.type == "histogram":
            for part in ("bucket", "sum", "count"):
                samples.setdefault(f"{family.name}_{part}", set())
        if family.type == "gauge":
            samples.setdefault(family.name, set())
        for one in family.samples:
            samples.setdefault(one.name, set()).update(one.labels)
    return samples


def test_every_metric_that_is_named_is_exported_by_a_running_hub(exported):
    named = {name for one in EXPRESSIONS for name in names_in(one)}
    assert named - set(exported) == set()
    assert {name for name in named if name.startswith("process_")} <= PROCESS


def test_every_label_that_is_named_is_one_of_the_metric_s():
    labels = {}
    for family in FAMILIES:
        for name in (
            family.name,
            f"{family.name}_total",
            *(f"{family.name}_{part}" for part in ("bucket", "sum", "count")),
        ):
            labels[name] = set(family.labels)
    for one in EXPRESSIONS:
        known = set().union(*(labels.get(name, set()) for name in names_in(one))) | ADDED
        assert labels_in(one) - known == set(), one


def test_facts_of_the_store_are_never_summed_over_processes():
    """Each process says the same: within a sum stands a `max by`, or the sum is as many times too large as there are
    processes.
    """
    store = "|".join(family.name for family in FAMILIES if family.whose == "store")
    for one in EXPRESSIONS:
        assert not re.search(rf"\b(?:sum|count|avg)\s*(?:by\s*\([^)]*\)\s*)?\(\s*(?:{store})\b", one), one


def test_the_board_shows_every_metric_of_the_hub():
    shown = {name for one in EXPRESSIONS for name in names_in(one)}
    hidden = {family.name for family in FAMILIES if not any(name.startswith(family.name) for name in shown)}
    assert hidden <= {
        "hub_shadow",
        "hub_start_time_seconds",
        "hub_books_age_seconds",
        "hub_lane_state",
        "hub_deliveries",
        "hub_messages",
    }


def test_the_board_is_one_that_grafana_reads():
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert BOARD["schemaVersion"] >= 36
    assert {one["name"] for one in BOARD["templating"]["list"]} == {"datasource", "job"}
    places = [
        (y, x)
        for panel in panels
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
    ]
    assert len(places) == len(set(places))
    assert all(x < 24 for _, x in places)
    for panel in panels:
        assert panel["type"] in ("row", "stat", "timeseries")
        for target in panel.get("targets", ()):
            assert 'job=~"$job"' in target["expr"]
            assert target["datasource"]["uid"] == "${datasource}"


def test_every_alert_says_how_urgent_it_is_and_what_to_do():
    pages = (DEPLOY.parent / "docs/deploying.md").read_text("utf-8")
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "action"}
        assert f"`{rule['alert']}`" in pages


CASES = {
    "CrossdockUnaccounted": {'hub_unaccounted{instance="a"}': "0 0 1 1 1 1 1 1"},
    "CrossdockStoreAway": {'hub_store_up{instance="a"}': "1 0 0 0 0 0 0 0"},
    "CrossdockNoWorker": {'hub_workers{instance="a"}': "2 2 0 0 0 0 0 0"},
    "CrossdockLate": {
        'hub_oldest_due_seconds{lane="wms"}': "400x20",
        'hub_breaker_state{lane="wms",state="closed"}': "1x20",
        'hub_breaker_state{lane="wms",state="open"}': "0x20",
    },
    "CrossdockTargetAway": {'hub_breaker_state{lane="wms",state="open"}': "1x20"},
    "CrossdockDead": {
        'hub_backlog{lane="wms",status="dead",instance="a"}': "3x30",
        'hub_backlog{lane="wms",status="dead",instance="b"}': "3x30",
    },
    "CrossdockParked": {'hub_parked{lane="wms",instance="a"}': "2x30"},
    "CrossdockDying": {
        'hub_attempts_total{lane="wms",route="r",outcome="dead"}': "0+20x30",
        'hub_attempts_total{lane="wms",route="r",outcome="delivered"}': "0+80x30",
    },
    "CrossdockSlowAccept": {
        'hub_accept_seconds_bucket{le="0.5"}': "0+1x30",
        'hub_accept_seconds_bucket{le="1"}': "0+10x30",
        'hub_accept_seconds_bucket{le="+Inf"}': "0+10x30",
    },
    "CrossdockDeferring": {'hub_posts_total{status="503"}': "0+5x30"},
    "CrossdockRevisionRefused": {"hub_revision_refused": "1x20"},
    "CrossdockRevisionsDiffer": {'hub_revision{revision="a"}': "1x20", 'hub_revision{revision="b"}': "1x20"},
    "CrossdockLostWorkers": {'hub_lost_leases_total{lane="wms"}': "0+2x30"},
    "CrossdockBellBroken": {'hub_rings_total{outcome="failed"}': "0+5x30"},
    "CrossdockGone": {"hub_something_else": "1x20"},
}


def test_every_alert_goes_off_where_it_should_and_in_no_hub_that_is_well(tmp_path, promtool):
    well = {
        "hub_unaccounted": "0x40", "hub_store_up": "1x40", "hub_workers": "2x40", 'hub_process_info{role="web"}': "1x40", 'hub_oldest_due_seconds{lane="wms"}': "3x40",
        'hub_breaker_state{lane="wms",state="closed"}': "1x40", 'hub_breaker_state{lane="wms",state="open"}': "0x40", 'hub_backlog{lane="wms",status="pending"}': "9x40",
        'hub_attempts_total{lane="wms",route="r",outcome="delivered"}': "0+100x40", 'hub_attempts_total{lane="wms",route="r",outcome="dead"}': "0+1x40",
        'hub_accept_seconds_bucket{le="0.5"}': "0+10x40", 'hub_accept_seconds_bucket{le="+Inf"}': "0+10x40", "hub_revision_refused": "0x40", 'hub_parked{lane="wms"}': "0x40", 'hub_revision{revision="a"}': "1x40",
        'hub_posts_total{status="202"}': "0+100x40", 'hub_rings_total{outcome="sent"}': "0+10x40", 'hub_lost_leases_total{lane="wms"}': "0x40",
    }  # fmt: skip
    assert set(CASES) == {rule["alert"] for rule in ALERTS}
    tests = []
    for alert, given in CASES.items():
        # What changes on the way is looked at before its series end; the rest when the longest `for` is over
        at = "7m" if all(len(values.split()) == 8 for values in given.values()) else "19m"
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in given.items()],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                        "eval_time": at,
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                ],
            }
        )
    tests.append(
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in well.items()],
            "promql_expr_test": [{"expr": 'count(ALERTS{alertstate="firing"})', "eval_time": "35m", "exp_samples": []}],
        }
    )
    with (tmp_path / "tests.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(
            {"rule_files": [str(DEPLOY / "prometheus/alerts.yaml")], "evaluation_interval": "1m", "tests": tests}, file
        )
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
