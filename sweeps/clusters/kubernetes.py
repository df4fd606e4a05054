"""The one door to Kubernetes: a study as a RayJob of the KubeRay operator, and kubectl where it is there."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from sngan.errors import InputError
from sngan.fields import require

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,45}[a-z0-9])?")  # KubeRay adds to it, and names have at most 63 characters
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|[kMGTP]i?)?")
_IMAGE = re.compile(r"[\w./:@-]+")
_KUBECTL_TIMEOUT_S = 60
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """What a study gets on Kubernetes.

    image : with this project and its dependencies, for head and workers. ray_version : of the Ray in it.
    max_workers : pods that the autoscaler may have, at least one. cpus, gpus, memory : of each.
    claim : PersistentVolumeClaim that all pods mount at `mount`, for OUT and caches.
    secret : Secret whose keys become environment variables, such as PGPASSWORD and MLFLOW_TRACKING_PASSWORD; or None.
    node_selector : labels of nodes for workers. tolerations : taints that workers bear, such as that of spot nodes.
    retries : how often the job is started again after it ended without all results, as when its head was preempted.
    """

    image: str
    ray_version: str
    namespace: str = "default"
    max_workers: int = 4
    cpus: int = 4
    gpus: int = 0
    memory: str = "16Gi"
    claim: str
    mount: str = "/results"
    secret: str | None = None
    node_selector: Mapping[str, str] | None = None
    tolerations: Sequence[Mapping[str, str]] = ()
    retries: int = 20

    def __post_init__(self) -> None:
        """Refuse what Kubernetes would refuse. Raises InputError."""
        require(1 <= self.max_workers <= 10_000, "workers", self.max_workers, "1 to 10000")
        require(1 <= self.cpus <= 1024, "CPUs per worker", self.cpus, "1 to 1024")
        require(0 <= self.gpus <= 64, "GPUs per worker", self.gpus, "0 to 64")
        require(0 <= self.retries <= 1000, "retries", self.retries, "0 to 1000")
        for what, value in (("namespace", self.namespace), ("claim", self.claim), ("secret", self.secret or "x")):
            if not _NAME.fullmatch(value):
                raise InputError(f"{what} {value!r}: small letters, digits and dashes are possible, 47 at most.")
        if not _QUANTITY.fullmatch(self.memory):
            raise InputError(f"memory {self.memory!r}: write it as Kubernetes does, such as 16Gi.")
        if not _IMAGE.fullmatch(self.image):
            raise InputError(f"image {self.image!r}: letters, digits and . / : @ _ - are possible.")
        if not self.mount.startswith("/"):
            raise InputError(f"mount {self.mount!r} is no absolute path.")


def resource_name(study: str, preset: str) -> str:
    """STUDY-PRESET as Kubernetes may call it."""
    return re.sub(r"[^a-z0-9]+", "-", f"{study}-{preset}".lower()).strip("-")[:47].strip("-")


def ray_job(cluster: RayCluster, *, name: str, entrypoint: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The manifest of a RayJob whose driver runs `entrypoint`, a line for a shell, on the head."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        # Another name every time: a job that has ended does not begin again when it is applied.
        "metadata": {"generateName": f"{name}-", "namespace": cluster.namespace, "labels": dict(labels)},
        "spec": {
            "entrypoint": entrypoint,
            "submissionMode": "K8sJobMode",
            "backoffLimit": cluster.retries,
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 600,
            "rayClusterSpec": {
                "rayVersion": cluster.ray_version,
                "authOptions": {"mode": "token"},
                "enableInTreeAutoscaling": True,
                "headGroupSpec": {
                    # Trials run on workers only: the head must outlive them.
                    "rayStartParams": {"num-cpus": "0"},
                    "template": {"spec": _pod(cluster, "ray-head", {"cpu": "2", "memory": "8Gi"})},
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "trials",
                        # One is there from the start: a launch refuses what no machine that it sees could run.
                        "replicas": 1,
                        "minReplicas": 1,
                        "maxReplicas": cluster.max_workers,
                        "rayStartParams": {},
                        "template": {"spec": _worker(cluster)},
                    }
                ],
            },
        },
    }


def _worker(cluster: RayCluster) -> dict[str, Any]:
    limits = {"cpu": str(cluster.cpus), "memory": cluster.memory}
    if cluster.gpus:
        limits[_GPU] = str(cluster.gpus)
    pod = _pod(cluster, "ray-worker", limits)
    if cluster.node_selector:
        pod["nodeSelector"] = dict(cluster.node_selector)
    if cluster.tolerations:
        pod["tolerations"] = [dict(toleration) for toleration in cluster.tolerations]
    pod["automountServiceAccountToken"] = False  # the head's autoscaler speaks with Kubernetes, workers do not
    # Ray hands a stop on to its processes; checkpoints stand, so that nothing else has to be waited for.
    pod["terminationGracePeriodSeconds"] = 30
    return pod


def _pod(cluster: RayCluster, name: str, limits: Mapping[str, str]) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": cluster.image,
        "resources": {"limits": dict(limits), "requests": dict(limits)},
        "env": [
            {"name": "SNGAN_CACHE", "value": f"{cluster.mount}/cache"},
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
            {"name": "OMP_NUM_THREADS", "value": "1"},
        ],
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "results", "mountPath": cluster.mount}],
    }
    if cluster.secret is not None:
        container["envFrom"] = [{"secretRef": {"name": cluster.secret}}]
    volume = {"name": "results", "persistentVolumeClaim": {"claimName": cluster.claim}}
    return {"containers": [container], "volumes": [volume]}


def manifest(document: Mapping[str, Any]) -> str:
    """A manifest as YAML."""
    text: str = yaml.safe_dump(dict(document), sort_keys=False, width=120)
    return text


def create(text: str) -> str:
    """What kubectl says to a manifest. Raises InputError where it is missing or refuses."""
    return _kubectl(["create", "-f", "-"], text)


def _kubectl(arguments: Sequence[str], text: str | None = None) -> str:
    if shutil.which("kubectl") is None:
        raise InputError("kubectl is not there.\nCreate the job where it is: --dry-run prints the manifest.")
    try:
        done = subprocess.run(  # noqa: S603 (a fixed program, no shell)
            ["kubectl", *arguments],  # noqa: S607
            input=text, capture_output=True, text=True, timeout=_KUBECTL_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InputError("kubectl does not answer: is the cluster reachable?") from error
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise InputError(f"kubectl: {told[-1].strip()}")
    return done.stdout
