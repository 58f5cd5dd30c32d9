"""`make chart`: the Helm chart, rendered in its forms and held against Kubernetes' schemas.

Not in `make test`: helm is a program that takes minutes to build (`go install
helm.sh/helm/v3/cmd/helm@v3.22.0`), and the schemas are a package of their own. Kinds of Strimzi,
KEDA and the Prometheus operator have no schema there; for those CRDs=DIR names a folder of their CRDs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "sightline"
KUBERNETES = "1.33"
ROLES = ("intake", "correlate", "campaign", "canary", "dashboard")
OWN_KAFKA: dict[str, Any] = {
    "strimzi": {"enabled": False},
    "kafka": {
        "bootstrap": "kafka:9093",
        "caSecret": "ca",
        "users": {role: {"name": f"{role}/one", "secret": f"{role}-login"} for role in ROLES},
    },
    "networkPolicy": {"kafkaCidrs": ["10.0.0.0/8"]},
    "monitoring": {"podMonitor": True, "prometheusRule": True, "labels": {"release": "p"}},
    "image": {"digest": "sha256:" + "a" * 64, "pullSecrets": [{"name": "r"}]},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "nodeSelector": {"a": "b"},
    "topicPrefix": "x.",
}
FORMS: dict[str, dict[str, Any]] = {
    "default": {},
    "own kafka, hpa": OWN_KAFKA | {"autoscaling": {"by": "hpa"}},
    "own kafka, keda": OWN_KAFKA,
    "strimzi, no scaling": {
        "autoscaling": {"by": "none"},
        "strimzi": {"external": {"enabled": True, "type": "loadbalancer", "port": 9094}},
    },
    "the least": {
        "canary": {"enabled": False},
        "serve": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """What the chart comes to with some values; a `CalledProcessError` if helm refuses."""
    helm = os.environ.get("HELM") or shutil.which("helm")
    if helm is None:
        raise SystemExit("helm is missing: go install helm.sh/helm/v3/cmd/helm@v3.22.0, or HELM=…")
    command = [
        helm,
        "template",
        "s",
        str(CHART),
        "--kube-version",
        f"{KUBERNETES}.0",
        "--values",
        "-",
    ]
    done = subprocess.run(
        command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def custom_schemas(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """By API version and kind, the schemas of the CRDs in a folder."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        for crd in yaml.safe_load_all(path.read_text("utf-8")):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            for version in spec["versions"]:
                at = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                found[at] = _closed(version["schema"]["openAPIV3Schema"])
    return found


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, but what it does not name is refused: the API server would drop it in silence."""
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: _closed(of) for name, of in value.items()}
        elif key in {"items", "additionalProperties"} and isinstance(value, dict):
            made[key] = _closed(value)
        elif key in {"anyOf", "oneOf", "allOf"}:
            made[key] = value
        else:
            made[key] = value
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def main() -> int:
    kubernetes = import_module("kubernetes_validate")  # of an environment of its own
    crds = os.environ.get("CRDS")
    custom = custom_schemas(Path(crds)) if crds else {}
    wrong, checked, unknown = 0, 0, set()
    for name, values in FORMS.items():
        for made in rendered(values):
            what = f"{name}: {made['kind']} {made['metadata']['name']}"
            schema = custom.get((made["apiVersion"], made["kind"]))
            problems = []
            if schema is not None:
                top = schema | {"properties": schema["properties"] | {"metadata": {}}}
                problems = [
                    f"{error.json_path}: {error.message}"
                    for error in Draft202012Validator(top).iter_errors(made)
                ]
            else:
                try:
                    kubernetes.validate(made, KUBERNETES, strict=True)
                except kubernetes.ValidationError as error:
                    problems = [str(error)]
                except kubernetes.SchemaNotFoundError:
                    unknown.add(f"{made['apiVersion']} {made['kind']}")
                    continue
            checked += 1
            wrong += len(problems)
            for problem in problems:
                print(f"{what}: {problem}")
    print(f"{checked} resources in {len(FORMS)} forms, {wrong} problems")
    if unknown:
        print(f"no schema for {', '.join(sorted(unknown))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
