"""run_trial: the one function that the rest of the system calls."""

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

import torch

from sngan.checkpoints import checkpoint_path, load_any_checkpoint, load_checkpoint, save_checkpoint
from sngan.config import TrialConfig
from sngan.devices import check_device, check_precision, own_stream, set_up_torch
from sngan.diagnostics import Probe, diagnose, diagnosed_updates
from sngan.graphs import GraphedUpdate
from sngan.inputs import open_training_set, start_state
from sngan.metrics.evaluator import Evaluator, cached_evaluator
from sngan.metrics.samples import Progress
from sngan.results import Diagnosis, Evaluation, Outcome, Report, RunOptions, Score
from sngan.sampling import generate, save_grid
from sngan.state import TrainState
from sngan.training import train

# Training comes up for air this often, to see whether a checkpoint is due.
_UPDATES_PER_STRETCH = 10
WAIT_S = 1e-4  # how long whoever has nothing to do but wait for a device leaves the processor to others


class Step(Enum):
    """What a trial did before it let others have their turn."""

    TRAINED = auto()
    WAITING = auto()  # for the device, which has enough to do


Steps = Generator[Step, None, Outcome]


def run_trial(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
    """Train and measure one GAN; return how it ended.

    `report` is called with every Evaluation in order of updates. A trial that finds its checkpoint reports every
    earlier Evaluation again, so that nothing is lost when the reporter died after the checkpoint was written, and
    then goes on bit for bit (on a CPU, with the same number of threads). A finished trial reports and returns.

    Non-finite losses, weights or images end the trial as "diverged". Raises InputError for a checkpoint that is
    damaged or another config's, a data set that cannot be opened, weights that are missing, a full disk.
    """
    set_up_torch(options)
    with own_stream(check_device(options.device)):
        steps = trial_steps(config, options, report)
        while True:
            try:
                if next(steps) is Step.WAITING:
                    time.sleep(WAIT_S)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome


def trial_steps(
    config: TrialConfig, options: RunOptions, report: Report, clock: Callable[[], float] = time.perf_counter
) -> Steps:
    """What `run_trial` does, a few updates at a time: a generator, so that trials can take turns in one process.

    clock : seconds that count as this trial's. The caller has set up torch, and goes on in the same CUDA stream.
    """
    run = _Run(config, options, clock)
    for evaluation in run.evaluations:
        report(evaluation)

    while run.outcome is None:
        target = run.next_evaluation()
        yield from run.train_until(target)

        # Divergence ends the trial before anything is measured.
        means = run.means()
        reason = run.why_diverged(means)
        if reason:
            run.finish("diverged", reason)
            break

        evaluation = run.evaluate(means)
        if any(score.value is None for score in evaluation.scores):
            run.finish("diverged", f"generated images or features are not finite at update {target}")
            break

        run.keep(evaluation)
        if target == config.updates:
            run.finish("completed", "")
        else:
            run.save()
        report(evaluation)

    assert run.outcome is not None
    return run.outcome


def evaluate_checkpoint(
    path: Path, protocols: Sequence[str], options: RunOptions, progress: Progress | None = None
) -> tuple[Score, ...]:
    """The scores of a checkpoint's generator under any protocols. Raises InputError for a wrong file or name."""
    set_up_torch(options)
    saved = load_any_checkpoint(path)
    config = TrialConfig.from_dict(saved["config"])
    dataset = open_training_set(config, options)
    state = start_state(config, dataset, check_device(options.device))
    state.update = saved["training"]["update"]
    state.generator.load_state_dict(saved["training"]["generator"])
    evaluator = Evaluator(protocols, dataset, options)
    evaluator.prepare(progress)
    return _scores(evaluator, state)


class _Run:
    """A trial in progress: the train state, the evaluations so far, the diagnoses since the last one and the clock."""

    def __init__(self, config: TrialConfig, options: RunOptions, clock: Callable[[], float]) -> None:
        self.config = config
        self.options = options
        self._now = clock
        self.dataset = open_training_set(config, options)
        self.split = self.dataset.splits["train"]
        device = check_device(options.device)
        check_precision(config.precision, device)
        self.state = start_state(config, self.dataset, device)
        self.graphed: GraphedUpdate | None = None
        if device.type == "cuda" and options.cuda_graphs:
            self.graphed = GraphedUpdate(self.state, self.split.images, self.split.labels)
        self.evaluator = cached_evaluator(config.protocols, self.dataset, options)
        self.probe = Probe.of(self.state, self.split)
        self.evaluations: list[Evaluation] = []
        self.diagnoses: list[Diagnosis] = []
        self.outcome: Outcome | None = None
        self.train_s = 0.0
        self.evaluate_s = 0.0
        self._restore()
        self._saved_at = time.monotonic()

    def next_evaluation(self) -> int:
        """The update of the next evaluation: after the last one that was made, wherever training stands.

        A checkpoint may hold a state that is trained up to an evaluation which was never made.
        """
        every = self.config.evaluate_every
        done = self.evaluations[-1].update if self.evaluations else 0
        return min((done // every + 1) * every, self.config.updates)

    def train_until(self, target: int) -> Generator[Step, None, None]:
        """Train up to `target` updates, with diagnoses on the way, saving a checkpoint whenever one is due."""
        while self.state.update < target:
            stretch = min(self.state.update + _UPDATES_PER_STRETCH, target, self.diagnose_if_due())
            with self._clock("train_s"):
                if self.graphed is None:
                    train(self.state, self.split.images, stretch, self.split.labels)
                    yield Step.TRAINED
                else:
                    yield from self._train_graphed(self.graphed, stretch)
            if time.monotonic() - self._saved_at > self.options.checkpoint_every_s:
                self.save()
        with self._clock("train_s"):
            yield from self._until_done()
        self.diagnose_if_due()

    def _train_graphed(self, graphed: GraphedUpdate, until: int) -> Generator[Step, None, None]:
        """Queue the updates one by one; whoever shares the device has a turn after each."""
        while self.state.update < until:
            while not graphed.ready:
                yield Step.WAITING
            train(self.state, self.split.images, self.state.update + 1, self.split.labels, perform=graphed)
            yield Step.TRAINED

    def _until_done(self) -> Generator[Step, None, None]:
        """Let others have their turns until the device has done all that this trial has queued."""
        if self.state.device.type == "cuda":
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record()
            while not done.query():  # type: ignore[no-untyped-call]
                yield Step.WAITING

    def diagnose_if_due(self) -> int:
        """Make the diagnosis of this update, if there is one and it has not been made; return the next one's update."""
        made = [*(diagnosis for evaluation in self.evaluations for diagnosis in evaluation.diagnoses), *self.diagnoses]
        due = set(diagnosed_updates(self.config)) - {diagnosis.update for diagnosis in made}
        if self.state.update in due:
            with self._clock("train_s"):
                self.state.means()  # waits for the device: what it still has to train is not the diagnosis's time
            with self._clock("evaluate_s"):
                self.diagnoses.append(diagnose(self.state, self.probe))
        return min((update for update in due if update > self.state.update), default=self.config.updates)

    def means(self) -> dict[str, float]:
        """Means since the last evaluation; reading them waits for the device."""
        with self._clock("train_s"):
            means = self.state.means()
        num_updates = self.state.update - (self.evaluations[-1].update if self.evaluations else 0)
        earlier_s = self.evaluations[-1].train_s if self.evaluations else 0.0
        self.state.reset_sums()
        return {**means, "seconds_per_update": (self.train_s - earlier_s) / num_updates}

    def why_diverged(self, means: dict[str, float]) -> str:
        """One line, or "" when losses, weights and buffers are all finite."""
        bad = sorted(name for name, value in means.items() if not math.isfinite(value))
        before = self.evaluations[-1].update if self.evaluations else 0
        interval = f"between updates {before} and {self.state.update}"
        if bad:
            return f"{', '.join(bad)} not finite {interval}"
        return "" if self.state.networks_are_finite() else f"weights not finite {interval}"

    def evaluate(self, means: dict[str, float]) -> Evaluation:
        """Measure every protocol and draw the sample grid."""
        # What is measured once per machine is no part of this trial's cost.
        self.evaluator.prepare()
        with self._clock("evaluate_s"):
            scores = _scores(self.evaluator, self.state)
            samples = self._save_samples()
        if samples is not None:
            self._written(samples)
        return Evaluation(
            update=self.state.update,
            scores=scores,
            diagnostics=means,
            train_s=self.train_s,
            evaluate_s=self.evaluate_s,
            samples=samples,
            diagnoses=tuple(self.diagnoses),
        )

    def keep(self, evaluation: Evaluation) -> None:
        """Remember the evaluation; the diagnoses before it are in it."""
        self.evaluations.append(evaluation)
        self.diagnoses = []

    def finish(self, state: str, reason: str) -> None:
        """Set and save the outcome. The optimizers are not needed any more."""
        assert state in ("completed", "diverged")
        self.outcome = Outcome(
            state="completed" if state == "completed" else "diverged",
            update=self.evaluations[-1].update if self.evaluations else 0,
            reason=reason,
            train_s=self.train_s,
            evaluate_s=self.evaluate_s,
            diagnoses=tuple(self.diagnoses),
        )
        self.save()

    def save(self) -> None:
        """Write the checkpoint, where one is kept."""
        self._saved_at = time.monotonic()
        path = self._path()
        if path is None:
            return
        training = self.state.state_dict()
        if self.outcome is not None:
            training = {key: training[key] for key in ("update", "generator", "discriminator")}
        content = {
            "training": training,
            "evaluations": [evaluation.to_dict() for evaluation in self.evaluations],
            "diagnoses": [dataclasses.asdict(diagnosis) for diagnosis in self.diagnoses],
            "outcome": None if self.outcome is None else dataclasses.asdict(self.outcome),
            "train_s": self.train_s,
            "evaluate_s": self.evaluate_s,
        }
        save_checkpoint(path, self.config, content)
        self._written(checkpoint_path(Path(), self.config.digest))

    def _restore(self) -> None:
        path = self._path()
        saved = None if path is None else load_checkpoint(path, self.config, self.state.device)
        if saved is None:
            return
        self.evaluations = [Evaluation.from_dict(item) for item in saved["evaluations"]]
        # Checkpoints from before there were diagnoses have none.
        self.diagnoses = [Diagnosis.from_dict(item) for item in saved.get("diagnoses", ())]
        self.train_s, self.evaluate_s = saved["train_s"], saved["evaluate_s"]
        if saved["outcome"] is not None:
            self.outcome = Outcome.from_dict(saved["outcome"])
        else:
            self.state.load_state_dict(saved["training"])

    def _path(self) -> Path | None:
        storage = self.options.storage_dir
        return None if storage is None else checkpoint_path(storage, self.config.digest)

    def _written(self, relative: Path) -> None:
        if self.options.on_write is not None:
            self.options.on_write(relative)

    def _save_samples(self) -> Path | None:
        if self.options.storage_dir is None:
            return None
        relative = Path("samples", self.config.digest, f"u{self.state.update:06d}.png")
        return relative if save_grid(self.state, self.options.storage_dir / relative) else None

    @contextmanager
    def _clock(self, name: str) -> Iterator[None]:
        start = self._now()
        yield
        setattr(self, name, getattr(self, name) + self._now() - start)


def _scores(evaluator: Evaluator, state: TrainState) -> tuple[Score, ...]:
    """What a trial's generator scores; a conditional one is asked for images of one class, too."""

    def of_class(label: int, num: int) -> Iterator[torch.Tensor]:
        return generate(state, num, label=label)

    return evaluator.evaluate(lambda num: generate(state, num), None if state.num_classes is None else of_class)
