"""What engines have in common: what they are asked and what they tell."""

import dataclasses
import traceback
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, Protocol

import joblib

from sngan.config import TrialConfig
from sngan.devices import check_device, num_gpus
from sngan.errors import InputError, one_line, unknown
from sngan.fields import require
from sngan.results import Evaluation, Outcome, Report, RunOptions
from sweeps.object_storage import check_url
from sweeps.study import PlannedTrial

RunTrial = Callable[[TrialConfig, RunOptions, Report], Outcome]
EngineName = Literal["ray", "in-process"]
ENGINES: tuple[EngineName, ...] = ("ray", "in-process")


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Where trials run and what each of them gets; nothing here changes a result on the CPU.

    run : options of every trial, with absolute paths; `num_threads` is set by the engine, and device "auto"
        means "cuda" for a trial that was given a GPU, else "cpu".
    cpus_per_trial : a trial has as many torch threads, at least one.
    gpus_per_trial : a fraction lets trials share a GPU; None is 1 where there are GPUs, else 0.
    trials_per_gpu : so many share a whole GPU in one process, where their kernels overlap (sngan.packing); fractions of
        a GPU give every trial a process of its own.
    max_concurrent : trials at the same time, None for as many as fit.
    address : "none" starts Ray on this machine, "auto" uses the cluster that this machine belongs to, anything
        else is a cluster's address.
    fresh_process : start a new process for every trial (seconds each) instead of using one again.
    max_failures : how often a trial is started again, from its last checkpoint, after an error or the loss of
        its process.
    num_cpus, num_gpus : what this machine offers, None to detect it; not used with a cluster.
    plugins : sources by file name, which a worker loads before it reads a config.
    storage : where checkpoints and image grids are kept in place of `run.storage_dir`, see sweeps.object_storage.
    """

    run: RunOptions
    engine: EngineName = "ray"
    cpus_per_trial: float = 1.0
    gpus_per_trial: float | None = None
    trials_per_gpu: int = 1
    max_concurrent: int | None = None
    address: str = "none"
    fresh_process: bool = False
    max_failures: int = 2
    num_cpus: int | None = None
    num_gpus: int | None = None
    plugins: Mapping[str, bytes] = field(default_factory=dict)
    storage: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no machine can give. Raises InputError."""
        if self.engine not in ENGINES:
            raise unknown("engine", self.engine, ENGINES)
        require(0 < self.cpus_per_trial <= 1024, "--cpus-per-trial", self.cpus_per_trial, "above 0, up to 1024")
        gpus = self.gpus_per_trial or 0.0
        whole_or_part = 0 <= gpus <= 1 or float(gpus).is_integer()
        require(whole_or_part and 0 <= gpus <= 64, "--gpus-per-trial", gpus, "0 to 1, or a whole number up to 64")
        require(1 <= self.trials_per_gpu <= 256, "--trials-per-gpu", self.trials_per_gpu, "1 to 256")
        if self.trials_per_gpu > 1 and (self.gpus_per_trial is not None or self.engine != "ray"):
            other = "--gpus-per-trial" if self.engine == "ray" else f"--engine {self.engine}"
            raise InputError(f"--trials-per-gpu has trials share a whole GPU in one process of Ray; leave out {other}.")
        concurrent = 1 if self.max_concurrent is None else self.max_concurrent
        require(concurrent >= 1, "--max-concurrent", concurrent, "1 or more")
        require(self.max_failures >= 0, "--max-failures", self.max_failures, "0 or more")
        if self.storage is not None:
            check_url(self.storage)

    def run_options(self, gpus: float) -> RunOptions:
        """What a trial with this many GPUs is given: its threads and its device."""
        device = self.run.device
        if device == "auto":
            device = "cuda" if gpus > 0 else "cpu"
        if device.startswith("cuda") and gpus == 0:
            raise InputError(
                f"device {device!r} was asked for, but a trial gets no GPU: this machine has none, or "
                "--gpus-per-trial is 0.\nUse --device cpu, or a machine with a GPU."
            )
        return dataclasses.replace(self.run, num_threads=max(1, int(self.cpus_per_trial)), device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Where one try at a trial runs. versions : package -> version, as the worker imports them."""

    host: str
    device: str
    versions: Mapping[str, str]


class Listener(Protocol):
    """What the engine tells while it runs, always in the driver's main thread, never concurrently.

    A trial that starts again reports its earlier evaluations once more: consumers are idempotent. An
    exception raised here stops the sweep and is raised by `run`.
    """

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        """An attempt at `trial` has started in its worker."""

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """`trial` has reached an evaluation."""

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """`trial` has a result: completed or diverged."""

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """An attempt ended without a result. `final`: it will not be tried again by this engine."""

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """Other launches have brought trials, by digest, to completed, diverged or failed: the store knows of it."""


class Claims(Protocol):
    """What an engine asks before it runs trials that other launches may run as well."""

    def take(self, digests: Sequence[str], number: int) -> list[str]:
        """The first `number` of these trials that nobody else runs: they are this launch's now."""

    def ended(self, digests: Sequence[str]) -> Mapping[str, str]:
        """Those of these trials that have ended, or were given up, elsewhere, and their states."""

    def lost(self) -> Set[str]:
        """Trials of this launch that another one may be running by now: they must be stopped."""


class Unshared:
    """Claims of a launch that is alone."""

    def take(self, digests: Sequence[str], number: int) -> list[str]:
        """The first ones."""
        return list(digests[:number])

    def ended(self, digests: Sequence[str]) -> Mapping[str, str]:
        """None."""
        return {}

    def lost(self) -> Set[str]:
        """None."""
        return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResult:
    """How a run of the engine ended.

    finished : digests with an outcome. failed : digest -> error of trials that were given up. interrupted : a
    signal stopped the run; trials in neither of the two are still to do.
    """

    finished: frozenset[str]
    failed: Mapping[str, str]
    interrupted: bool


def num_slots(options: EngineOptions) -> int:
    """Trials that this machine would run at the same time (a cluster's are not known before it is asked)."""
    if options.engine == "in-process":
        return 1
    cpus = machine_cpus(options)
    there = machine_gpus(options)
    gpus = gpus_of_a_trial(options, there)
    packed = options.trials_per_gpu
    fits = [packed * int(cpus / options.cpus_per_trial)]
    if gpus:
        fits.append(packed * there * int(1 / gpus) if gpus <= 1 else int(there / gpus))
    if options.max_concurrent is not None:
        fits.append(options.max_concurrent)
    return max(1, min(fits))


def machine_cpus(options: EngineOptions) -> int:
    """Cores that this machine offers: as told, else what affinity and container limits leave to this process."""
    return int(joblib.cpu_count()) if options.num_cpus is None else options.num_cpus


def machine_gpus(options: EngineOptions) -> int:
    """GPUs that this machine offers: as told, else those that torch sees."""
    return num_gpus() if options.num_gpus is None else options.num_gpus


def device_kind(options: EngineOptions) -> str:
    """The kind of device that trials will run on, as far as this machine can tell: "cpu", "cuda" ..."""
    if options.run.device != "auto":
        return options.run.device.partition(":")[0]
    return "cuda" if machine_gpus(options) and options.gpus_per_trial != 0 else "cpu"


def gpus_of_a_trial(options: EngineOptions, num_gpus: float) -> float:
    """GPUs per trial where `num_gpus` are there: what was asked for, else a whole one, else none."""
    if options.gpus_per_trial is not None:
        return options.gpus_per_trial
    return 1.0 if num_gpus >= 1 and not options.run.device.startswith("cpu") else 0.0


def gpus_where_there_are(options: EngineOptions, machines: Sequence[tuple[float, float]]) -> float:
    """GPUs per trial on `machines`, each with its CPUs and GPUs. Raises InputError where none has enough."""
    gpus = gpus_of_a_trial(options, max(there for _, there in machines))
    if options.trials_per_gpu > 1 and not gpus:
        raise InputError(f"--trials-per-gpu {options.trials_per_gpu}: no GPU is there, or wanted, to be shared.")
    if not any(cpus >= options.cpus_per_trial and there >= gpus for cpus, there in machines):
        most_cpus, most_gpus = (max(there) for there in zip(*machines, strict=True))
        raise InputError(
            f"a trial asks for {options.cpus_per_trial:g} CPUs and {gpus:g} GPUs; no machine here has both "
            f"(the largest have {most_cpus:g} CPUs, {most_gpus:g} GPUs).\nLower --cpus-per-trial or --gpus-per-trial."
        )
    return gpus


def check_here(options: EngineOptions) -> None:
    """Raise InputError where trials on this machine could not get their CPUs, GPUs or device.

    Nothing is asked of a cluster: it is not reached before trials run.
    """
    if options.address == "none" or options.engine == "in-process":
        gpus = gpus_where_there_are(options, [(machine_cpus(options), machine_gpus(options))])
        if options.num_gpus is None:
            check_device(options.run_options(gpus).device)


def error_text(error: BaseException) -> str:
    """What is stored of an exception: an InputError's words, else the traceback; the last line is a summary."""
    summary = one_line(error, limit=1000)
    if isinstance(error, InputError):
        return summary
    text = "".join(traceback.format_exception(error)).rstrip()
    return text if last_line(text) == summary else f"{text}\n{summary}"


def last_line(error: str) -> str:
    """The last line of an error text that says something."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
