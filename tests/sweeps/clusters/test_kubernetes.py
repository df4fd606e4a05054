"""Manifests for KubeRay: golden files, the schema of the RayJob resource, and what is refused.

tests/golden/kubernetes/rayjob_v1.schema.json.gz is the schema of ray.io/v1 RayJob in KubeRay's definition of the
resource (https://github.com/ray-project/kuberay), made strict: unknown fields are errors.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sngan.errors import InputError
from sweeps.clusters.kubernetes import RayCluster, manifest, ray_job, resource_name
from tests.sweeps.command_line import Line

GOLDEN = Path(__file__).parents[2] / "golden" / "kubernetes"
INFRA = Path(__file__).parents[3] / "infra"
SCHEMA = json.loads(gzip.decompress((GOLDEN / "rayjob_v1.schema.json.gz").read_bytes()))
CASES: dict[str, dict[str, Any]] = {
    "cpu": {},
    "spot-gpus": {
        "namespace": "gan", "max_workers": 32, "cpus": 8, "gpus": 1, "memory": "32Gi", "secret": "gan-secrets",
        "node_selector": {"cloud.google.com/gke-spot": "true"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    },
}  # fmt: skip
SUBMIT = ["kubernetes", "robustness", "--image", "registry.example/gan:1", "--claim", "gan-results",
          "--database", "postgresql://me@db/sweeps", "--dry-run"]  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    cluster = RayCluster(
        **{"image": "registry.example/gan:1", "claim": "gan-results", "ray_version": "2.60.0", **changes}
    )
    entrypoint = "python -m sweeps.launch robustness --address auto --out /results/runs"
    return ray_job(cluster, name="robustness-cifar10", entrypoint=entrypoint, labels={"study": "robustness"})


@pytest.mark.parametrize("case", CASES)
def test_manifests_are_the_golden_ones_and_kuberay_knows_every_field(case: str) -> None:
    """After a change that is meant: python -m tests.sweeps.clusters.test_kubernetes."""
    text = (GOLDEN / f"{case}.yaml").read_text()
    assert manifest(document(**CASES[case])) == text
    jsonschema.validate(yaml.safe_load(text), SCHEMA)


def test_the_schema_finds_what_is_wrong() -> None:
    misspelt = document()
    misspelt["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxReplica"):
        jsonschema.validate(misspelt, SCHEMA)
    mistyped = document()
    mistyped["spec"]["backoffLimit"] = "twenty"
    with pytest.raises(jsonschema.ValidationError, match="twenty"):
        jsonschema.validate(mistyped, SCHEMA)


def test_the_line_gives_a_manifest_that_kuberay_knows(line: Line) -> None:
    code, out, err = line(
        *SUBMIT, "--methods", "sn,r1", "--settings", "C", "--gpus-per-worker", "1", "--trials-per-gpu", "4",
        "--max-workers", "3", "--secret", "gan-secrets", "--tolerate", "spot=true:NoSchedule",
        "--tolerate", "gpu:NoExecute", "--node-selector", "disk=ssd",
    )  # fmt: skip
    assert code == 0, err
    job = yaml.safe_load(out)
    jsonschema.validate(job, SCHEMA)
    assert job["spec"]["entrypoint"] == (
        "python -m sweeps.launch robustness --database postgresql://me@db/sweeps --methods sn,r1 --settings C "
        "--trials-per-gpu 4 --address auto --out /results/runs --max-concurrent 12"
    )
    worker = job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]
    assert worker["tolerations"] == [
        {"key": "spot", "operator": "Equal", "value": "true", "effect": "NoSchedule"},
        {"key": "gpu", "operator": "Exists", "effect": "NoExecute"},
    ]
    assert worker["nodeSelector"] == {"disk": "ssd"}
    assert "2 trials to run" in err


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        (["--claim", "Gan Results"], ["'Gan Results'", "small letters"]),
        (["--image", "a;b"], ["'a;b'"]),
        (["--memory-per-worker", "much"], ["'much'", "16Gi"]),
        (["--max-workers", "0"], ["workers is 0"]),
        (["--mount", "results"], ["absolute"]),
        (["--out", "elsewhere"], ["--out elsewhere", "below --mount /results"]),
        (["--retries", "-5"], ["retries is -5"]),
        (["--tolerate", "spot"], ["'spot'", "NoSchedule"]),
        (["--node-selector", "ssd"], ["KEY=VALUE"]),
        (["--methods", "sm"], ["Did you mean 'sn'"]),
        (["--gpus-per-trial", "1"], ["--gpus-per-worker"]),
        (["--database", "sqlite:///x.db"], ["--database postgresql://"]),
        (["--database", "postgresql://me:hunter2@db/x"], ["holds a password"]),
    ],
)
def test_mistakes_are_told(line: Line, more: list[str], parts: list[str]) -> None:
    code, out, err = line(*SUBMIT, *more)
    assert code == 2
    assert "Traceback" not in out + err
    assert "hunter2" not in out + err
    for part in parts:
        assert part in err


def test_without_kubectl_nothing_is_applied(line: Line) -> None:
    code, _, err = line(*[word for word in SUBMIT if word != "--dry-run"], "--methods", "sn", "--settings", "C")
    assert code == 2
    assert "kubectl is not there" in err


def test_names_of_resources_are_those_that_kubernetes_takes() -> None:
    assert resource_name("robustness", "quick+updates=60/x") == "robustness-quick-updates-60-x"
    assert len(resource_name("robustness", "y" * 100)) <= 47
    with pytest.raises(InputError):
        document(namespace="../..")


def test_servers_of_the_compose_file_listen_on_loopback_and_have_no_password_in_it() -> None:
    services = yaml.safe_load((INFRA / "services" / "compose.yaml").read_text())["services"]
    ports = [port for service in services.values() for port in service["ports"]]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for service in services.values():
        for key, value in service["environment"].items():
            assert "PASSWORD" not in key or value.startswith("${")


def test_the_image_has_the_ray_of_the_constraints() -> None:
    text = (INFRA / "container" / "Containerfile").read_text()
    constraints = (INFRA.parent / "constraints.txt").read_text()
    version = next(line.partition("==")[2] for line in constraints.splitlines() if line.startswith("ray=="))
    assert f"rayproject/ray:{version}-py" in text


if __name__ == "__main__":
    for name, changes in CASES.items():
        (GOLDEN / f"{name}.yaml").write_text(manifest(document(**changes)))
    sys.exit()
