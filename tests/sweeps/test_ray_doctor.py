"""The doctor on every node of a real cluster: each is looked at from there, and what is wrong is said of that node."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sngan.config import TrialConfig
from sngan.datasets import open_dataset
from sngan.errors import InputError
from sngan.results import RunOptions
from sweeps import ray_doctor
from sweeps.doctor import Needs
from sweeps.ray_doctor import NodeFindings, examine_nodes

ROOT = Path(__file__).parents[2]
STUDY = ["cost", "--set", "config.protocols=fid/gen600-test600-digits"]
_MEMORY = 100 * 2**20

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class TwoNodes:
    """A head that runs no trials, and a worker that offers a GPU which is not there. By their names in findings."""

    address: str
    head: str
    worker: str
    raylet: int


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("PYTHONPATH", str(ROOT))
        # As on a cluster that hides GPUs from tasks that ask for none.
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        patch.setenv("CUDA_VISIBLE_DEVICES", "6")
        cluster = Cluster()
        try:
            first = cluster.add_node(num_cpus=0, object_store_memory=_MEMORY, include_dashboard=False)
            second = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=_MEMORY)
            host = os.uname().nodename
            (raylet,) = second.all_processes["raylet"]
            yield TwoNodes(
                cluster.address, *(f"{host}/{node.node_id[:8]}" for node in (first, second)), raylet.process.pid
            )
        finally:
            cluster.shutdown()


@pytest.fixture
def prepared(cache_dir: Path) -> Path:
    """A cache with the data."""
    open_dataset("digits", cache_dir=cache_dir)
    return cache_dir


@pytest.fixture
def needs(tmp_path: Path, prepared: Path) -> Needs:
    return Needs(
        out=tmp_path / "runs",
        database=f"sqlite:///{tmp_path / 'runs' / 'results.db'}",
        mlflow=None,
        storage=None,
        run=RunOptions(cache_dir=prepared),
        config=TrialConfig(protocols=("fid/gen600-test600-digits",)),
        gpus=0,
        prepare="python -m sweeps.launch prepare robustness",
    )


def of(found: list[NodeFindings], node: str) -> NodeFindings:
    return next(each for each in found if each.node == node)


def test_what_is_wrong_is_said_of_its_node_and_the_others_are_one_line(
    nodes: TwoNodes, tmp_path: Path, prepared: Path
) -> None:
    line = [sys.executable, "-m", "sweeps.launch", "doctor", *STUDY, "--out", str(tmp_path / "runs"), "--cache-dir",
            str(prepared), "--address", nodes.address]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False, cwd=ROOT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.endswith(f"Not ready: {nodes.worker} (GPUs of Ray).\n")
    assert "Ray offers 1, torch sees 0" in done.stdout
    assert "nvidia-smi" in done.stdout
    assert "data and weights" not in done.stdout
    if "?" not in done.stdout:  # a small disk is this machine's own affair
        assert done.stdout.startswith(f"Everything is there on 1 of 2 nodes: {nodes.head}\n")
        assert done.stdout.count(nodes.head) == 1


def test_a_busy_node_is_looked_at_with_the_gpus_that_it_has(nodes: TwoNodes, needs: Needs) -> None:
    """All that it has is taken; nothing is hidden from the look; the head, which runs no trials, needs no GPU."""
    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    try:
        worker = next(node for node in ray.nodes() if node["Resources"].get("GPU"))
        there = NodeAffinitySchedulingStrategy(node_id=worker["NodeID"], soft=False)
        holder = ray.remote(_Holder).options(num_cpus=1, num_gpus=1, scheduling_strategy=there).remote()
        ray.get(holder.hold.remote())
        found = examine_nodes(dataclasses.replace(needs, gpus=2), nodes.address, 100)
    finally:
        ray.shutdown()
    assert of(found, nodes.head).bad == []
    assert of(found, nodes.worker).bad == ["GPUs", "GPUs of Ray"]
    gpus = next(each for each in of(found, nodes.worker).findings if each.what == "GPUs")
    assert "0 of 2" in gpus.told
    assert "CUDA_VISIBLE_DEVICES is 6" in gpus.advice


class _Holder:
    def hold(self) -> None:
        """Answers when it has its CPU and its GPU."""


# Read by every interpreter that starts.
WITHOUT_SWEEPS = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sweeps":
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Missing())
"""


def test_nodes_without_the_project_are_told(
    nodes: TwoNodes, needs: Needs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_SWEEPS)
    monkeypatch.setattr("sweeps.ray_doctor._SEES_GPUS", {"env_vars": {"PYTHONPATH": str(tmp_path)}})
    found = examine_nodes(needs, nodes.address, 60)
    for node in (nodes.head, nodes.worker):
        (only,) = of(found, node).findings
        assert only.state == "bad"
        assert "No module named 'sweeps" in only.told
        assert "Every node needs this project" in only.advice


def test_a_node_that_does_not_answer_is_told_and_the_others_are_shown(nodes: TwoNodes, needs: Needs) -> None:
    os.kill(nodes.raylet, signal.SIGSTOP)
    try:
        found = examine_nodes(needs, nodes.address, 20)  # after 30 s Ray itself gives a node up
    finally:
        os.kill(nodes.raylet, signal.SIGCONT)
    assert of(found, nodes.head).bad == []
    (silent,) = of(found, nodes.worker).findings
    assert silent.state == "bad"
    assert silent.told == "has not answered for 20 s"


@pytest.mark.parametrize("error", [ray.exceptions.TaskUnschedulableError("gone"), ray.exceptions.NodeDiedError("gone")])
def test_a_node_that_leaves_the_cluster_meanwhile_is_told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(task: object) -> None:
        raise error

    monkeypatch.setattr(ray, "get", refused)
    (finding,) = ray_doctor._answer(None)
    assert (finding.state, finding.told) == ("bad", "has left the cluster meanwhile")


def test_an_address_without_a_cluster_is_told(needs: Needs) -> None:
    with pytest.raises(InputError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        examine_nodes(needs, "127.0.0.1:9", 5)
