"""python -m sweeps.submit kubernetes."""

import shlex
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import click

from sngan.errors import InputError
from sweeps.clusters import kubernetes
from sweeps.clusters.kubernetes import RayCluster
from sweeps.commands.options import debug_option
from sweeps.commands.submitting import checked, tell_plan_elsewhere
from sweeps.provenance import command_line


@click.command("kubernetes", context_settings={"ignore_unknown_options": True})
@click.argument("study", metavar="STUDY")
@click.argument("launch", metavar="[LAUNCH-OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--image", required=True, help="Image with this project and its dependencies, see infra/container.")
@click.option("--claim", required=True, help="PersistentVolumeClaim for results, which all pods mount.")
@click.option("--mount", default="/results", show_default=True, help="Where they see it. OUT and the cache lie below.")
@click.option("--namespace", default="default", show_default=True, help="Namespace.")
@click.option("--max-workers", type=int, default=4, show_default=True, help="Pods that the autoscaler may add.")
@click.option("--cpus-per-worker", "cpus", type=int, default=4, show_default=True, help="Cores of each.")
@click.option("--gpus-per-worker", "gpus", type=int, default=0, show_default=True, help="GPUs of each.")
@click.option("--memory-per-worker", "memory", default="16Gi", show_default=True, help="Memory of each.")
@click.option("--secret", help="Secret with PGPASSWORD, SNGAN_NOTIFY, ...: environment of all pods.")
@click.option(
    "--node-selector", "labels", multiple=True, metavar="KEY=VALUE", help="Label of workers' nodes (repeatable)."
)
@click.option("--tolerate", "taints", multiple=True, metavar="KEY[=VALUE]:EFFECT",
              help="Taint that workers bear, such as that of spot nodes (repeatable).")  # fmt: skip
@click.option("--retries", type=int, default=20, show_default=True, help="Times that an unfinished job begins again.")
@click.option("--dry-run", is_flag=True, help="Print the manifest, and what would run; create nothing.")
@debug_option
def submit_kubernetes(
    study: str,
    launch: tuple[str, ...],
    labels: tuple[str, ...],
    taints: tuple[str, ...],
    dry_run: bool,
    **options: Any,
) -> None:
    """Write a RayJob of the KubeRay operator for STUDY and create it with kubectl.

    All options of `python -m sweeps.launch STUDY` are possible, too, and mean the same; paths are those that pods see.
    The autoscaler adds workers while trials wait and removes them when nothing is left.

    \b
    Example:
    python -m sweeps.submit kubernetes robustness --preset cifar10 --image registry.example/gan:1 --claim gan-results \\
        --gpus-per-worker 1 --tolerate cloud.google.com/gke-spot=true:NoSchedule \\
        --secret gan-secrets --database postgresql://me@db/sweeps --dry-run
    """  # noqa: D301 (\b keeps the lines of the example)
    cluster = RayCluster(
        **options,
        ray_version=metadata.version("ray"),
        node_selector=dict(_pair("--node-selector", text) for text in labels),
        tolerations=[_toleration(text) for text in taints],
    )
    asked = checked(study, launch, cpus=cluster.cpus, gpus=cluster.gpus, option="per-worker", seen_here=False)
    if not asked.database.startswith("postgresql"):
        raise InputError("pods share no disk that SQLite could lie on; give --database postgresql://USER@HOST/NAME.")
    if (out := str(asked.given["out"])) != "runs" and not out.startswith(f"{cluster.mount.rstrip('/')}/"):
        raise InputError(f"--out {out}: results must lie on the volume, below --mount {cluster.mount}.")
    tell_plan_elsewhere(asked)
    words = command_line([study, *launch, *_defaults(cluster, asked.given)])
    text = kubernetes.manifest(
        kubernetes.ray_job(
            cluster,
            name=kubernetes.resource_name(study, asked.preset),
            entrypoint=shlex.join(words),
            labels={"app.kubernetes.io/name": "sngan-robustness", "study": kubernetes.resource_name(study, "")},
        )
    )
    if dry_run:
        click.echo(text, nl=False)
        return
    click.echo(kubernetes.create(text), nl=False)
    click.echo(f"Watch it: kubectl --namespace {cluster.namespace} get rayjobs,pods --watch")


def _defaults(cluster: RayCluster, given: Any) -> Sequence[str]:
    """What a launch on pods must be told, where the user has not."""
    words = ["--address", "auto"]
    if str(given["out"]) == "runs":
        words += ["--out", f"{cluster.mount}/runs"]
    if given["max_concurrent"] is None:  # trials that wait are what the autoscaler sees
        share = given["gpus_per_trial"] or 1.0
        per_worker = cluster.cpus // given["cpus_per_trial"]
        if cluster.gpus and given["gpus_per_trial"] != 0:
            per_worker = min(per_worker, cluster.gpus // share)
        words += ["--max-concurrent", str(max(1, int(cluster.max_workers * per_worker * given["trials_per_gpu"])))]
    return words


def _pair(option: str, text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise InputError(f"{option} {text!r} is not of the form KEY=VALUE.")
    return key, value


def _toleration(text: str) -> dict[str, str]:
    """{"key": ..., "operator": ..., "effect": ...} of "key=value:NoSchedule" or "key:NoSchedule"."""
    left, _, effect = text.rpartition(":")
    key, separator, value = left.partition("=")
    if not key or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise InputError(f"--tolerate {text!r} is not of the form KEY[=VALUE]:NoSchedule (or NoExecute).")
    if separator:
        return {"key": key, "operator": "Equal", "value": value, "effect": effect}
    return {"key": key, "operator": "Exists", "effect": effect}
