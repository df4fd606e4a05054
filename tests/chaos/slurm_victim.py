"""A study that is a job on a Slurm cluster."""

import re
import subprocess
import sys
from pathlib import Path

import psutil

from sweeps.clusters import slurm
from tests.chaos.victim import STUDY, Victim, title

NODES = 2
CPUS_PER_NODE = 2
PREEMPTING_S = 120


class SlurmVictim(Victim):
    """Submitted to the partition `spot`; a launch is a job, which Slurm may start several times."""

    _job: int | None = None

    def begin(self) -> None:
        """Submit it, or submit it again."""
        self.launches += 1
        line = [sys.executable, "-m", "sweeps.submit", "slurm", *self.words, "--partition", "spot", "--time", "60",
                "--nodes", str(NODES), "--cpus-per-node", str(CPUS_PER_NODE)]  # fmt: skip
        told = subprocess.run(line, capture_output=True, text=True, check=False)
        found = re.search(r"Submitted as job (\d+)", told.stdout)
        assert found, told.stdout + told.stderr
        self._job = int(found[1])

    def has_ended(self) -> bool:
        """Whether the job has. One that was requeued is held for two minutes, of which some seconds do."""
        if self._job is None:
            return True
        states = slurm.states(self._job)
        for state in states:
            if state.state == "PENDING" and state.reason.startswith("BeginTime"):
                self._hurry(state.task)
        if not states or not all(state.ended for state in states):
            return False
        self.codes.append(int(states[0].exit_code.partition(":")[0] or -1))
        self.said.append(self._log.read_text(errors="replace"))
        self._job = None
        return True

    @property
    def _log(self) -> Path:
        files = sorted((self.folder / "slurm").glob(f"{STUDY}-*-{self._job}*.log"))
        return files[-1] if files else Path("/dev/null")

    _hurried = 0

    def _hurry(self, task: str) -> None:
        starts = max((state.restarts for state in slurm.states(int(task))), default=0)
        if starts >= self._hurried:
            self._hurried = starts + 1
            subprocess.run(["scontrol", "update", f"JobId={task}", "StartTime=now+15"], check=False)

    def is_running(self) -> bool:
        """Whether Slurm has started it."""
        return self._job is not None and any(state.state == "RUNNING" for state in slurm.states(self._job))

    def processes(self) -> list[psutil.Process]:
        """All of the job on all nodes, which share this machine."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("SLURM_JOB_ID") == str(self._job):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def drivers(self) -> list[psutil.Process]:
        """The launch itself."""
        return [process for process in self.processes() if " -m sweeps.launch " in title(process)]

    def nodes(self) -> list[str]:
        """Names of the nodes that it runs on now."""
        if not self.is_running():
            return []
        assert self._job is not None
        names = slurm.states(self._job)[0].nodes
        return subprocess.run(
            ["scontrol", "show", "hostnames", names], capture_output=True, text=True, check=True
        ).stdout.split()

    def preempt(self) -> str:
        """A job of the other partition takes all nodes for a moment; "" where this one does not run."""
        if not self.is_running():
            return ""
        line = ["srun", "--partition=main", "--nodes=3", "--ntasks-per-node=1", "--cpus-per-task=2",
                f"--immediate={PREEMPTING_S}", "true"]  # fmt: skip
        done = subprocess.run(line, capture_output=True, text=True, timeout=2 * PREEMPTING_S, check=False)
        return "by a job in main" if done.returncode == 0 else ""

    def close(self) -> None:
        """End whatever is left."""
        if self._job is not None:
            slurm.cancel(str(self._job))
