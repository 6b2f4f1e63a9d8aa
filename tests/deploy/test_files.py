"""Files under deploy/: each is judged by the tool or the schema of its kind, and names only what the hub has."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from hub import __version__
from hub.settings import TABLE
from tests.deploy.conftest import DEPLOY, ROOT, documents, module, tool

ROLES = ("web", "worker", "scheduler")
SETTINGS = {f"HUB_{entry.name.upper()}" for entry in TABLE}
DEFAULTS = {f"HUB_{entry.name.upper()}": entry.default for entry in TABLE}
GRACE = 4 * float(DEFAULTS["HUB_GRACE"])  # loop, tick, notes and commits may each take it
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def settings_in(text):
    """All settings that a text names; an example of a system's own is no setting of the hub's."""
    return set(
        re.findall(
            r"\bHUB_[A-Z0-9_]+\b",
            "\n".join(line for line in text.splitlines() if "HUB_WMS_" not in line and "<SYSTEM>" not in line),
        )
    )


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()],
    ids=lambda path: path.relative_to(DEPLOY).as_posix(),
)
def test_a_file_names_only_settings_that_there_are(path):
    assert settings_in(path.read_text("utf-8")) - SETTINGS == set()


def test_compose_fits_its_schema_and_has_all_roles():
    vendor = Path(module("check_jsonschema").__file__).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    [compose] = documents(DEPLOY / "compose.yaml")
    schema = json.loads(vendor.read_text("utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(compose)
    services = compose["services"]
    assert {"postgres", "rabbitmq", "nginx", *ROLES} <= set(services)
    for role in ROLES:
        service = services[role]
        assert service["command"] == [role]
        assert service["deploy"]["replicas"] == 2
        assert float(service["stop_grace_period"].removesuffix("s")) >= GRACE
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
        assert service["image"] == f"crossdock:{__version__}"
    # The proxy whose headers are believed is nginx's one address
    trusted = services["web"]["environment"]["HUB_TRUSTED_PROXIES"]
    assert trusted == services["nginx"]["networks"]["inside"]["ipv4_address"] + "/32"
    for volume in services["nginx"]["volumes"]:
        source = volume.split(":")[0]
        assert source == "./certs" or (DEPLOY / source).exists()
    assert "latest" not in {service["image"].partition(":")[2] or "latest" for service in services.values()}


def test_the_image_is_made_of_what_there_is_and_runs_as_nobody_s_root():
    """It cannot be built without a container engine; what can be read of it is."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    build, last = re.split(r"^FROM .*$", text, flags=re.MULTILINE)[1:]
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11-slim-bookworm"] * 2
    for source in re.findall(r"^COPY ((?:(?!--from)\S+ )+)\S+$", text, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists(), name
    assert "apt-get" not in text
    assert "--only-binary=:all:" in build
    assert not re.search(r"\bpip\b|gcc|build-essential", last)
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert 'ENTRYPOINT ["hub"]' in last
    assert re.search(r"HUB_METRICS_PORT=(\d+)", last)[1] in re.search(r"HEALTHCHECK.*?\n.*", last)[0]
    # What the builder is given is what is copied, and no more: no secrets, no store, no history
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert allowed == {
        name for source in re.findall(r"^COPY ((?:(?!--from)\S+ )+)\S+$", text, re.MULTILINE) for name in source.split()
    }


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_a_manifest_fits_the_schemas_of_kubernetes(path):
    judge = module("kubernetes_validate")
    for document in documents(path):
        judge.validate(document, "1.33", strict=True)


def manifests(kind):
    return [document for path in KUBERNETES for document in documents(path) if document["kind"] == kind]


@pytest.mark.parametrize("role", ROLES)
def test_a_deployment_stops_in_good_order_and_is_seen(role):
    [deployment] = [one for one in manifests("Deployment") if one["metadata"]["name"] == f"crossdock-{role}"]
    spec, pod = deployment["spec"], deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["args"] == [role]
    assert container["image"] == f"crossdock:{__version__}"
    pre_stop = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    [settings] = [one for one in manifests("ConfigMap") if one["metadata"]["name"] == "crossdock"]
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + 4 * float(settings["data"]["HUB_GRACE"])
    # Probes go to ports that there are, on paths that there are
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["metrics"] == int(settings["data"]["HUB_METRICS_PORT"])
    for name, path in (
        ("startupProbe", "/health/ready"),
        ("readinessProbe", "/health/ready"),
        ("livenessProbe", "/health/live"),
    ):
        assert container[name]["httpGet"]["path"] == path
        assert container[name]["httpGet"]["port"] in ports
    # Secrets are references; no manifest holds one
    secrets = {one["name"] for one in container["env"] if "secretKeyRef" in one.get("valueFrom", {})}
    assert {"HUB_MASTER_KEY", "HUB_OPS_TOKEN", "PGPASSWORD"} <= secrets
    assert not any("value" in one for one in container["env"])
    assert manifests("Secret") == []
    # Two of them, on two machines, and never none
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert {one["topologyKey"] for one in pod["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    [budget] = [one for one in manifests("PodDisruptionBudget") if one["metadata"]["name"] == f"crossdock-{role}"]
    assert budget["spec"]["selector"]["matchLabels"] == spec["selector"]["matchLabels"]
    assert 0 < budget["spec"]["minAvailable"] < spec["replicas"]
    assert container["resources"]["limits"]["memory"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"]


def test_manifests_name_each_other_rightly():
    services = {one["metadata"]["name"]: one["spec"] for one in manifests("Service")}
    pods = [one["spec"]["template"] for kind in ("Deployment", "Job") for one in manifests(kind)]
    [ingress] = manifests("Ingress")
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]["ports"]}
            assert not path["path"].startswith(("/ops", "/metrics", "/console"))
    for service in services.values():
        [pod] = [one for one in pods if service["selector"].items() <= one["metadata"]["labels"].items()]
        ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["ports"]} <= ports
    for policy in manifests("NetworkPolicy"):
        wanted = policy["spec"]["podSelector"].get("matchLabels", {}).items()
        assert any(wanted <= pod["metadata"]["labels"].items() for pod in pods)
    maps = {one["metadata"]["name"] for one in manifests("ConfigMap")}
    for pod in pods:
        for source in pod["spec"]["containers"][0]["envFrom"]:
            assert source.get("configMapRef", source.get("secretRef"))["name"] in maps | {"crossdock"}
    assert {one["metadata"].get("namespace", "crossdock") for path in KUBERNETES for one in documents(path)} == {
        "crossdock"
    }


@pytest.mark.parametrize("name", ["crossdock-web@8080", "crossdock-worker@9101", "crossdock-scheduler@9111"])
def test_a_unit_is_one_that_systemd_takes(tmp_path, name):
    judge = tool("systemd-analyze")
    template = name.split("@")[0]
    text = (DEPLOY / "systemd" / f"{template}@.service").read_text("utf-8")
    assert f"ExecStart=/opt/crossdock/.venv/bin/hub {template.removeprefix('crossdock-')}\n" in text
    assert float(re.search(r"TimeoutStopSec=(\d+)", text)[1]) >= GRACE
    # Given the unit with a program that this machine has, and the pages that it names
    unit = tmp_path / f"{name}.service"
    unit.write_text(
        text.replace("/opt/crossdock/.venv/bin/hub", sys.executable).replace(
            "file:/opt/crossdock/docs", f"file:{ROOT}/docs"
        ),
        "utf-8",
    )
    (tmp_path / "crossdock.target").write_text((DEPLOY / "systemd/crossdock.target").read_text("utf-8"), "utf-8")
    done = subprocess.run(
        [judge, "verify", "--recursive-errors=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in done.stderr.splitlines() if f"{name}.service" in line or "crossdock.target" in line]
    assert (done.returncode, said) == (0, []), done.stderr
