"""Whether every node of a Ray cluster has what a study needs, looked at from there by a task on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sweeps.ray_environment  # noqa: F401

# isort: split
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sngan.devices import num_gpus
from sngan.errors import one_line
from sweeps.doctor import Finding, Needs, examine
from sweeps.engine_interface import EngineOptions
from sweeps.ray_cluster import starting

# Ray hides GPUs from tasks that ask for none, and asking would wait until one is free.
_SEES_GPUS = {"env_vars": {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}}


@dataclass(frozen=True, kw_only=True)
class NodeFindings:
    """What was found on a node; `node` is its name, with the beginning of its id where names are not unique."""

    node: str
    findings: Sequence[Finding]

    @property
    def bad(self) -> list[str]:
        """What is missing there."""
        return [each.what for each in self.findings if each.state == "bad"]

    @property
    def remarkable(self) -> list[Finding]:
        """What is not simply good."""
        return [each for each in self.findings if each.state != "good"]


def examine_nodes(needs: Needs, address: str, timeout_s: float) -> list[NodeFindings]:
    """`sweeps.doctor.examine` on every node that is alive at `address`, all at the same time, busy or not.

    `needs.gpus` are asked of nodes that run trials: those that offer CPUs. A node that has not answered after
    `timeout_s` seconds is a finding. Raises InputError where no cluster answers.
    """
    with starting(EngineOptions(run=needs.run, address=address)) as cluster:
        cluster.wait()
        nodes = sorted((node for node in ray.nodes() if node["Alive"]), key=lambda node: _sorted_by(node))
        tasks = [_task(node, needs) for node in nodes]
        answered, _ = ray.wait(tasks, num_returns=len(tasks), timeout=timeout_s)
        return [
            NodeFindings(node=_name(node, nodes), findings=_answer(task) if task in answered else [_silent(timeout_s)])
            for node, task in zip(nodes, tasks, strict=True)
        ]


def _sorted_by(node: Mapping[str, Any]) -> tuple[str, str]:
    return node["NodeManagerHostname"], node["NodeID"]


def _name(node: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> str:
    host = str(node["NodeManagerHostname"])
    alone = sum(other["NodeManagerHostname"] == host for other in nodes) == 1
    return host if alone else f"{host}/{node['NodeID'][:8]}"


def _task(node: Mapping[str, Any], needs: Needs) -> Any:
    offered = node["Resources"]
    on_this_node = ray.remote(_look).options(
        num_cpus=0,
        max_retries=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False),
        runtime_env=_SEES_GPUS,
    )
    gpus = needs.gpus if offered.get("CPU") else 0
    return on_this_node.remote(replace(needs, gpus=gpus), int(offered.get("GPU", 0)))


def _look(needs: Needs, offered_gpus: int) -> list[Finding]:
    """Runs on the node."""
    found = examine(needs)
    there = num_gpus()
    if offered_gpus > there:
        told = f"Ray offers {offered_gpus}, torch sees {there}"
        advice = "Trials would fail there: check the driver with nvidia-smi, and --num-gpus of ray start."
        found.append(Finding(what="GPUs of Ray", state="bad", told=told, advice=advice))
    return found


def _answer(task: Any) -> list[Finding]:
    try:
        found: list[Finding] = ray.get(task)
    except (ray.exceptions.TaskUnschedulableError, ray.exceptions.NodeDiedError):
        advice = "Is it up, and does the cluster's network reach it?"
        return [Finding(what="machine", state="bad", told="has left the cluster meanwhile", advice=advice)]
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        advice = "Every node needs this project and its dependencies, as here."
        return [Finding(what="machine", state="bad", told=one_line(cause), advice=advice)]
    return found


def _silent(timeout_s: float) -> Finding:
    told = f"has not answered for {timeout_s:g} s"
    return Finding(what="machine", state="bad", told=told, advice="Is it busy, or cut off? --timeout waits longer.")
