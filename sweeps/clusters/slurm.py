"""The one door to Slurm: a batch script for a launch, its submission, and what has become of it."""

import contextlib
import math
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sngan.errors import InputError, unknown
from sngan.fields import require

TEMPLATES = Path(__file__).parents[2] / "infra" / "slurm"
CONTAINERS = ("apptainer", "pyxis")
_COMMAND_TIMEOUT_S = 60
_PATIENCE_S = 60  # with a script that stops
_LEAST_RUN_S = 120  # Ray and the first trial take half of it; Slurm may send its signal a minute early
_OBJECT_STORE_BYTES = 200_000_000  # results are small; /dev/shm is where it lies
_TIME = re.compile(r"(\d+-)?\d+(:\d{1,2}){0,2}|infinite|unlimited", re.IGNORECASE)
_KEY = re.compile(r"[a-z][a-z0-9-]*")
_VALUE = re.compile(r"[\w.,:;/@%+=\[\]*^&|()!~-]+")
# What the script decides itself: a second word on it would break it.
_OURS = ("array", "chdir", "cpus-per-task", "error", "help", "job-name", "no-requeue", "nodes", "ntasks",
         "ntasks-per-node", "open-mode", "output", "parsable", "quiet", "requeue", "signal", "test-only", "usage",
         "verbose", "version", "wait", "wrap")  # fmt: skip
# Why a job waits for something that will not come by itself.
NEVER_STARTS = frozenset({"PartitionConfig", "PartitionNodeLimit", "PartitionTimeLimit", "BadConstraints"})
_ENDED = ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
                      "PREEMPTED", "REVOKED", "TIMEOUT")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """What is asked of Slurm.

    nodes, cpus_per_node, gpus_per_node : of the job, or of every task of the array.
    time : of one run, as Slurm writes it; a study that needs longer goes on in the next. None: the partition's own.
    array : number of tasks that work on the study side by side, or None for one job.
    signal_s : so long before the time limit the launch is told to stop.
    setup : shell lines before anything else, such as `module load cuda`. They are the user's own program.
    container : image, or None; the runtime is one of CONTAINERS. mounts : folders that it sees, as its runtime writes
        them.
    python : the interpreter on the nodes.
    more : further options of sbatch, by name, without dashes; None for one without a value.
    """

    nodes: int = 1
    cpus_per_node: int = 1
    gpus_per_node: int = 0
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    array: int | None = None
    signal_s: int = 120
    setup: tuple[str, ...] = ()
    container: str | None = None
    container_runtime: Literal["apptainer", "pyxis"] = "apptainer"
    mounts: tuple[str, ...] = ()
    python: str = sys.executable
    more: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what sbatch would refuse, or would misread. Raises InputError."""
        require(1 <= self.nodes <= 10_000, "nodes", self.nodes, "1 to 10000")
        require(1 <= self.cpus_per_node <= 4096, "CPUs per node", self.cpus_per_node, "1 to 4096")
        require(0 <= self.gpus_per_node <= 64, "GPUs per node", self.gpus_per_node, "0 to 64")
        require(self.array is None or 1 <= self.array <= 100_000, "array", self.array, "1 to 100000")
        require(10 <= self.signal_s <= 3600, "seconds before the time limit", self.signal_s, "10 to 3600")
        if self.time is not None:
            self._check_time(self.time)
        if self.container_runtime not in CONTAINERS:
            raise unknown("container runtime", self.container_runtime, CONTAINERS)
        for name in ("partition", "account", "qos"):
            if (value := getattr(self, name)) is not None:
                _check_value(f"--{name}", value)
        if any("\n" in line or "\x00" in line for line in self.setup):
            raise InputError("--setup takes one line of shell; give it again for the next.")
        self._check_more()

    def _check_time(self, time: str) -> None:
        if not _TIME.fullmatch(time):
            raise InputError(f"time {time!r}: write MINUTES, HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS.")
        least_s = self.signal_s + _LEAST_RUN_S
        if (limit_s := _seconds(time)) < least_s:
            raise InputError(
                f"time {time!r} is {limit_s:.0f} s; allowed: {least_s} s or more, {self.signal_s} of them to stop.\n"
                "In less, a job would start again and again and get nowhere."
            )

    def _check_more(self) -> None:
        for name, value in self.more.items():
            if not _KEY.fullmatch(name):
                raise InputError(f"--sbatch {name!r}: the name of an option of sbatch has letters, digits and dashes.")
            if name in _OURS:
                raise InputError(f"--sbatch {name}: the script sets it itself; see --help for the options that do.")
            if value is not None:
                _check_value(f"--sbatch {name}", value)

    def directives(self, name: str, log: str) -> dict[str, str | None]:
        """Options of sbatch in the order in which they are written."""
        asked: dict[str, str | None] = {
            "job-name": name,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "time": self.time,
            "nodes": str(self.nodes),
            "ntasks-per-node": "1",
            "cpus-per-task": str(self.cpus_per_node),
            "gpus-per-node": str(self.gpus_per_node) if self.gpus_per_node else None,
            "array": None if self.array is None else f"0-{self.array - 1}",
            "output": log,
            "signal": f"B:USR1@{self.signal_s}",
        }
        given = {key: value for key, value in asked.items() if value is not None}
        return {**given, "open-mode": "append", "requeue": None, **self.more}


def _seconds(time: str) -> float:
    """A time limit as Slurm reads it: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S."""
    if time.lower() in ("infinite", "unlimited"):
        return math.inf
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    hours, minutes, seconds = [*parts, 0, 0][:3] if dash or len(parts) == 3 else [0, *parts, 0][:3]
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


def _check_value(option: str, value: str) -> None:
    """Raise InputError for what would end a directive, or begin another."""
    if not _VALUE.fullmatch(value):
        raise InputError(
            f"{option} {value!r}: letters, digits and . , : ; / @ % + = - [ ] ( ) are possible, no spaces."
        )


def job_name(study: str, preset: str) -> str:
    """STUDY-PRESET as a job may be called, whatever the preset is."""
    return re.sub(r"[^\w.+-]+", "_", f"{study}-{preset}")[:100]


def render(allocation: Allocation, *, title: str, name: str, launch: Sequence[str], folder: Path, logs: Path) -> str:
    """The batch script.

    launch : arguments of the interpreter, such as ["-m", "sweeps.launch", "robustness"]; the script gives it the
    address of its Ray. folder : where it runs. logs : folder of what it prints, one file per job or task.
    """
    for path in (folder, logs):
        if not _VALUE.fullmatch(str(path)):
            raise InputError(f"{str(path)!r}: sbatch cannot write below a folder with spaces or quotes in its name.")
    if "\n" in title:
        raise InputError(f"{title!r} holds more than one line.")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,  # noqa: S701 (a shell script: everything is quoted for a shell)
    )  # fmt: skip
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    log = str(logs / ("%x-%A_%a.log" if allocation.array else "%x-%j.log"))
    return environment.get_template("study.sbatch.jinja").render(
        title=title,
        directives=allocation.directives(name, log),
        folder=folder,
        logs=logs,
        launch=shlex.join(launch),
        object_store_bytes=_OBJECT_STORE_BYTES,
        nodes=allocation.nodes,
        array=allocation.array,
        cpus_per_node=allocation.cpus_per_node,
        gpus_per_node=allocation.gpus_per_node,
        step_options=_step_options(allocation),
        setup=allocation.setup,
        python=allocation.python,
        container_runtime=allocation.container and allocation.container_runtime,
        container_command=_container_command(allocation),
    )


def _step_options(allocation: Allocation) -> list[str]:
    """What a step takes of its node: everything, which it does not inherit from the job since Slurm 22.05."""
    asked = [f"--cpus-per-task={allocation.cpus_per_node}"]
    if allocation.gpus_per_node:
        asked.append(f"--gpus-per-node={allocation.gpus_per_node}")
    return asked


def _container_command(allocation: Allocation) -> str:
    if allocation.container is None:
        return ""
    if allocation.container_runtime == "pyxis":
        mounts = [f"--container-mounts={','.join(allocation.mounts)}"] if allocation.mounts else []
        return shlex.join([f"--container-image={allocation.container}", *mounts])
    binds = [part for mount in allocation.mounts for part in ("--bind", mount)]
    gpus = ["--nv"] if allocation.gpus_per_node else []
    return shlex.join(["apptainer", "exec", *gpus, *binds, allocation.container])


def run(command: Sequence[str], *, input_text: str | None = None) -> str:
    """What a command of Slurm says. Raises InputError with its own words where it is missing or refuses."""
    if shutil.which(command[0]) is None:
        raise InputError(f"{command[0]} is not there: this is no machine of a Slurm cluster.")
    try:
        done = subprocess.run(  # noqa: S603 (fixed programs, no shell)
            command, input=input_text, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{command[0]} does not answer: Slurm's controller may be down.") from error
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        said = told[-1].strip().removeprefix(f"{command[0]}: ").removeprefix("error: ")
        raise InputError(f"{command[0]}: {said}")
    return done.stdout


def sbatch(script: Path) -> int:
    """Submit a script; return the job's number."""
    told = run(["sbatch", "--parsable", str(script)]).strip()
    if not (number := told.partition(";")[0]).isdigit():
        raise InputError(f"sbatch named no job: {told or 'it said nothing'}.")
    return int(number)


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What Slurm says of a job, or of a task of an array. task : "123" or "123_4". reason : why it waits, and for the
    time for which it was told to wait, or "".
    """

    task: str
    state: str
    elapsed: str
    nodes: str
    restarts: int
    exit_code: str
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not run again."""
        return self.state.split()[0] in _ENDED


def states(job: int) -> list[JobState]:
    """States of a job's tasks, by number: from the queue, and of those that have left it from Slurm's accounts."""
    kept = {state.task: state for state in _from_accounts(job)}
    queued = {state.task: state for state in _from_queue(job)}
    for task in kept.keys() & queued.keys():  # the queue knows how often it began, the accounts how it ended
        queued[task] = replace(queued[task], exit_code=kept[task].exit_code if queued[task].ended else "")
    found = {**kept, **queued}
    return [found[key] for key in sorted(found, key=_number)]


def _number(task: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", task))


def _from_queue(job: int) -> list[JobState]:
    names = ("JobArrayID", "State", "TimeUsed", "NodeList", "RestartCnt", "Reason", "StartTime")
    fields = ",".join(f"{name}:|" for name in names)
    try:
        told = run(["squeue", "--noheader", "--array", f"--jobs={job}", f"--Format={fields}", "--states=all"])
    except InputError as error:
        if "Invalid job id" in str(error):  # it has left the queue
            return []
        raise
    rows = [line.split("|") for line in told.splitlines()]
    return [
        JobState(task=task, state=state, elapsed=elapsed, nodes=nodes, restarts=int(restarts), exit_code="",
                 reason=_why(reason, begin) if reason not in ("None", state) else "")
        for task, state, elapsed, nodes, restarts, reason, begin, _ in rows
    ]  # fmt: skip


def _why(reason: str, begin: str) -> str:
    """Why a job waits, and where Slurm was told so, until when."""
    return f"{reason} {begin.replace('T', ' ')}" if reason == "BeginTime" else reason


def _from_accounts(job: int) -> list[JobState]:
    fields = "JobID,State,Elapsed,NodeList,ExitCode"
    try:
        told = run(["sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={job}", f"--format={fields}"])
    except InputError:
        return []  # many clusters keep no accounts
    rows = [line.split("|") for line in told.splitlines()]
    return [
        JobState(task=task, state=state, elapsed=elapsed, nodes=nodes, exit_code=code, restarts=0)
        for task, state, elapsed, nodes, code in rows
        if re.fullmatch(r"\d+(_\d+)?", task)
    ]


def cancel(job: str) -> None:
    """End a job ("123"), or a task of its array ("123_4"), for good, waiting or running; wait two minutes for it.

    The script of a running one is asked to stop its launch and Ray; one that does not is killed after a minute.
    """
    asked_at_s, told, killed = time.monotonic(), set[str](), False
    while left := _left_of(job):
        waited_s = time.monotonic() - asked_at_s
        if waited_s > 2 * _PATIENCE_S:
            return  # Slurm knows, and takes its time
        if waited_s > _PATIENCE_S and not killed:
            run(["scancel", job])
            killed = True
        with contextlib.suppress(InputError):  # what has ended meanwhile
            if any(each.state == "PENDING" for each in left):
                run(["scancel", "--state=PENDING", job])
            for task in sorted({each.task for each in left if each.state == "RUNNING"} - told):
                told.add(task)
                run(["scancel", "--state=RUNNING", "--batch", "--signal=USR2", task])
        time.sleep(1.0)


def _left_of(job: str) -> list[JobState]:
    """A job's tasks, or the one task, that have not ended."""
    tasks = states(int(job.partition("_")[0]))
    return [each for each in tasks if not each.ended and (each.task == job or each.task.startswith(f"{job}_"))]
