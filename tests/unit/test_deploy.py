"""What lies in deploy/ is sound as far as can be seen without an engine, a cluster or systemd.

`make chart` renders the chart with helm and holds it against Kubernetes' schemas: helm takes minutes to
build, so that is not here. What is here reads the files themselves.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from pipeline.registry import read_registry
from pipeline.shell.access import cluster
from pipeline.shell.access.grants import Principal, Role, grants
from pipeline.shell.monitoring import chart
from pipeline.shell.settings import Settings
from pipeline.shell.topics import wanted
from pipeline.shell.worker import STAGES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CHART = DEPLOY / "helm" / "sightline"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
TEMPLATES = {path.name: path.read_text("utf-8") for path in CHART.rglob("templates/**/*.*")}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILE = (DEPLOY / "container" / "Dockerfile").read_text("utf-8")
OURS = {"worker", "canary", "serve", "logins", "certificates"}


def every_file() -> list[Path]:
    folders = ("compose", "helm", "systemd", "container")
    return [path for of in folders for path in (DEPLOY / of).rglob("*") if path.is_file()]


def test_every_setting_that_is_named_exists() -> None:
    known = {*Settings.__struct_fields__, "config"}
    for path in every_file():
        named = re.findall(r"\bSIGHTLINE_([A-Z_]+[A-Z])\b", path.read_text("utf-8"))
        assert {name.lower() for name in named} <= known | {"image"}, path.name
    assert VALUES["settings"].keys() <= known


def test_no_image_is_bitnamis_nor_the_latest_of_others() -> None:
    for path in every_file():
        assert "bitnami" not in path.read_text("utf-8").lower()
    for name, service in SERVICES.items():
        image = re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", service["image"])
        assert name in OURS or re.fullmatch(r"docker\.io/[a-z/]+:v?\d+\.\d+\.\d+", image), image


# compose


def test_nothing_but_loopback_is_published() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert sorted(published) == [
        "127.0.0.1:3000:3000",
        "127.0.0.1:8420:8420",
        "127.0.0.1:9090:9090",
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_least_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    if not name.startswith("kafka"):
        assert service["read_only"] is True
    if name != "certificates":  # which has no network
        assert service.get("user", "").partition(":")[0] != "0"
    else:
        assert service["network_mode"] == "none"


def test_every_volume_network_and_secret_is_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                made_by_hand = {"sensors.toml"}
                path = (DEPLOY / "compose" / source).resolve()
                assert path.exists() or path.name in made_by_hand, source
            else:
                assert source in COMPOSE["volumes"], source
        assert {*service.get("networks", ())} <= COMPOSE["networks"].keys()
        assert {*service.get("depends_on", ())} <= SERVICES.keys()


def test_the_brokers_are_three_with_tls() -> None:
    nodes = [cluster.node_of(f"kafka-{n}") for n in (1, 2, 3)]
    assert {node.host for node in nodes} == {name for name in SERVICES if name.startswith("kafka-")}
    (command,) = SERVICES["certificates"]["command"]
    assert re.findall(r"--node (\S+)", command) == [node.host for node in nodes]
    told = dict(
        line.split("=", 1) for line in cluster.properties(1, nodes, "d").splitlines() if line
    )
    assert told["min.insync.replicas"] == "2"
    assert told["default.replication.factor"] == "3"
    assert "PLAINTEXT" not in str(told)
    assert told["allow.everyone.if.no.acl.found"] == "false"


def test_the_compose_file_by_composes_own_word(tmp_path: Path) -> None:
    """Where docker-compose is; it needs no engine for that. The tests above hold in any case."""
    compose = shutil.which("docker-compose")
    if compose is None:
        return
    copy = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copy)
    folder = copy / "compose"
    shutil.copy(folder / "sensors.example.toml", folder / "sensors.toml")
    done = subprocess.run(
        [compose, "--file", "compose.yaml", "config", "--quiet"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_is_a_registry() -> None:
    text = (DEPLOY / "compose" / "sensors.example.toml").read_text("utf-8")
    assert read_registry(text)[1] == []
    assert read_registry(VALUES["sensors"])[1] == []


def test_prometheus_of_the_compose_file_reads_what_there_is() -> None:
    config = yaml.safe_load((DEPLOY / "compose" / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs.keys() == {"sightline", "sightline-canary", "sightline-serve"}
    assert jobs["sightline"]["dns_sd_configs"][0]["names"] == ["worker"]
    provisioned = DEPLOY / "compose" / "grafana" / "provisioning"
    for path in provisioned.rglob("*.yaml"):
        assert yaml.safe_load(path.read_text("utf-8"))["apiVersion"] == 1


# image


def test_the_image_has_what_was_locked_and_nobody_is_root() -> None:
    locked = (ROOT / "requirements.lock").read_text("utf-8")
    ours = (DEPLOY / "container" / "requirements.lock").read_text("utf-8")
    pinned = re.findall(r"^([a-z0-9._\[\]-]+==\S+)", ours, re.MULTILINE)
    assert len(pinned) > 20
    assert {*pinned} <= {*re.findall(r"^([a-z0-9._\[\]-]+==\S+)", locked, re.MULTILINE)}
    named = {
        re.split(r"[\[<>=~]", text)[0].lower().replace("_", "-")
        for text in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
            "dependencies"
        ]
    }
    assert named <= {re.split(r"[\[=]", pin)[0] for pin in pinned}
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 65532:65532$", final, re.MULTILINE)
    assert "pip install" not in final
    assert "--require-hashes" in DOCKERFILE
    for source in re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE):
        assert (ROOT / source).exists()
        assert f"!{source}" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()


# systemd


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_confined(unit: Path) -> None:
    lines = unit.read_text("utf-8").splitlines()
    for wanted_ in (
        *("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes"),
        *("CapabilityBoundingSet=", "User=sightline", "SystemCallFilter=@system-service"),
        *("RestrictNamespaces=yes", "MemoryDenyWriteExecute=yes", "Restart=always"),
    ):
        assert wanted_ in lines
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    told = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-200:] + told.stderr
    said = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, text=True, check=False
    ).stderr
    mine = [line for line in said.splitlines() if unit.stem in line]
    assert all("is not executable" in line for line in mine), said  # it is not installed here


# chart


def test_the_values_are_what_the_schema_allows() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    assert list(validator.iter_errors(VALUES)) == []
    assert list(validator.iter_errors(VALUES | {"stages": {}})) != []
    assert list(validator.iter_errors(VALUES | {"tpyo": 1})) != []


def test_every_value_that_a_template_names_exists() -> None:
    for name, text in TEMPLATES.items():
        for path in re.findall(r"\.Values\.([A-Za-z.]+)", text):
            at: Any = VALUES
            for part in path.rstrip(".").split("."):
                assert part in at, f"{name}: {path}"
                at = at[part]


def test_pods_have_probes_and_least_rights() -> None:
    pod = TEMPLATES["_helpers.tpl"]
    for wanted_ in (
        *("runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false"),
        *("capabilities: {drop: [ALL]}", "automountServiceAccountToken: false"),
        *("seccompProfile: {type: RuntimeDefault}", "path: /livez", "path: /readyz"),
    ):
        assert wanted_ in pod
    assert "PodDisruptionBudget" in TEMPLATES["workers.yaml"]
    assert "ScaledObject" in TEMPLATES["workers.yaml"]
    assert "HorizontalPodAutoscaler" in TEMPLATES["workers.yaml"]
    assert TEMPLATES["network.yaml"].count("kind: NetworkPolicy") == 2
    assert {*VALUES["stages"]} == {*STAGES}


def test_rights_and_topics_are_the_codes() -> None:
    """Each role that runs may do what its grants say, by Strimzi's words, and nothing else."""
    for role, rules in chart.users()["roles"].items():
        principal = Principal(Role(role), "somebody")
        said = {
            (rule["type"], rule["name"], rule["patternType"] == "prefix", operation)
            for rule in rules
            for operation in rule["operations"]
        }
        assert said == {
            (
                grant.kind,
                chart.OWN if grant.name == principal.user("") else grant.name,
                grant.prefixed,
                {"READ": "Read", "WRITE": "Write", "DESCRIBE": "Describe"}.get(
                    grant.operation, "DescribeConfigs"
                ),
            )
            for grant in grants(principal, Settings())
        }
    registry, _ = read_registry(VALUES["sensors"])
    assert registry is not None
    made = {topic["name"] for topic in chart.topics()["topics"]}
    parties = {
        f"events.{of['country']}.{of['organisation']}" for of in VALUES["strimzi"]["parties"]
    }
    assert made | parties == {topic.name for topic in wanted(registry, Settings())}
