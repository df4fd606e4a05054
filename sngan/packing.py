"""Several trials in one process on one device: small networks alone leave most of a GPU idle.

The trials take turns: each queues an update, or looks whether its last ones are done, and lets the next have the
processor. On a CUDA device every trial has a stream and a graph of its own, so that their kernels overlap; on a CPU
they are trained alternately, which gains nothing but is the same program. What one does has no effect on what another
computes: random numbers, networks and memory are its own.
"""

import gc
import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import torch

from sngan.config import TrialConfig
from sngan.devices import check_device, own_stream, set_up_torch
from sngan.errors import InputError
from sngan.inputs import open_training_set
from sngan.memory import least_training_bytes
from sngan.results import Evaluation, Outcome, RunOptions
from sngan.trial import WAIT_S, Step, Steps, trial_steps

logger = logging.getLogger(__name__)


class PackListener(Protocol):
    """Hears how the trials of a pack are doing: what `run_trial` reports and returns or raises, of each."""

    def on_evaluation(self, config: TrialConfig, evaluation: Evaluation) -> None:
        """After every evaluation, in order of updates."""

    def on_outcome(self, config: TrialConfig, outcome: Outcome) -> None:
        """Once per trial that ends."""

    def on_error(self, config: TrialConfig, error: Exception) -> None:
        """Once per trial that cannot go on; the others do."""


def run_pack(configs: Sequence[TrialConfig], options: RunOptions, listener: PackListener) -> None:
    """Train and measure distinct trials at the same time, each as `run_trial` does.

    Seconds are shared out: while k trials run, each second counts as 1/k of a second of every one of them. A trial that
    runs out of memory is put aside and goes on, from its last checkpoint, when one of the others has ended; from then
    on fewer run at a time. Raises InputError, before any trial is begun, where a GPU cannot hold what they need at
    least.
    """
    set_up_torch(options)
    device = check_device(options.device)
    if device.type == "cuda":
        _check_memory(configs, options, device)
    clock = _SharedClock()
    waiting, running = deque(configs), list[_Member]()
    at_once = len(configs)
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(_Member(waiting.popleft(), options, listener, clock, device))
        clock.share_among(len(running))
        steps = [(member, member.step()) for member in running]
        crowded = [member for member, step in steps if step is None]
        running = [member for member in running if not member.ended and member not in crowded]
        if crowded:
            at_once = _give_way(crowded, running, waiting, listener)
        elif all(step is Step.WAITING for _, step in steps):
            time.sleep(WAIT_S)


def _give_way(
    crowded: Sequence["_Member"], running: Sequence["_Member"], waiting: deque[TrialConfig], listener: PackListener
) -> int:
    """Put back in front those that ran out of memory; return how many may run at a time from now on."""
    if len(crowded) + len(running) == 1:
        (alone,) = crowded
        listener.on_error(alone.config, MemoryError(f"a trial alone runs out of memory: {alone.error}"))
        alone.drop()
        _free_memory()
        return 1
    at_once = max(1, len(running))
    logger.warning("out of memory with %d trials at a time: going on with %d", len(crowded) + len(running), at_once)
    for member in reversed(crowded):
        member.drop()
        waiting.appendleft(member.config)
    _free_memory()
    return at_once


def _free_memory() -> None:
    """Give back what ended trials have left, and what torch keeps of it for itself."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


class _Member:
    """A trial of a pack, with its own stream on a CUDA device."""

    def __init__(
        self,
        config: TrialConfig,
        options: RunOptions,
        listener: PackListener,
        clock: "_SharedClock",
        device: torch.device,
    ) -> None:
        self.config = config
        self.ended = False
        self.error = ""
        self._listener = listener
        self._stream: AbstractContextManager[object] = own_stream(device)
        self._steps: Steps | None = trial_steps(
            config, options, lambda evaluation: listener.on_evaluation(config, evaluation), clock.now
        )

    def step(self) -> Step | None:
        """Its turn; None where memory ran out."""
        assert self._steps is not None, "dropped"
        try:
            with self._stream:
                return next(self._steps)
        except StopIteration as end:
            self.ended = True
            self._listener.on_outcome(self.config, end.value)
        except (torch.OutOfMemoryError, MemoryError) as error:
            self.error = str(error)
            return None
        except Exception as error:
            self.ended = True
            self._listener.on_error(self.config, error)
        return Step.TRAINED

    def drop(self) -> None:
        """Forget what it holds in memory; its checkpoint stands."""
        assert self._steps is not None, "dropped once"
        self._steps.close()
        self._steps = None


class _SharedClock:
    """Seconds that pass k times as slowly while k trials share the process."""

    def __init__(self) -> None:
        self._members = 1
        self._shared = 0.0
        self._looked_at = time.perf_counter()

    def now(self) -> float:
        """Seconds of one trial since the beginning."""
        looked_at = time.perf_counter()
        self._shared += (looked_at - self._looked_at) / self._members
        self._looked_at = looked_at
        return self._shared

    def share_among(self, members: int) -> None:
        """From now on so many trials share it."""
        if members != self._members:
            self.now()
            self._members = max(1, members)


def _check_memory(configs: Sequence[TrialConfig], options: RunOptions, device: torch.device) -> None:
    _free_memory()  # this process may have run a pack before: what torch keeps of it counts as taken
    free, total = torch.cuda.mem_get_info(device)
    needed = [_least_bytes(config, options) for config in configs]
    if sum(needed) > free:
        fitting = sum(1 for number in range(1, len(needed) + 1) if sum(sorted(needed)[-number:]) <= free)
        gb = 1e9
        raise InputError(
            f"{len(configs)} trials at a time do not fit on {device}: they need at least {sum(needed) / gb:.1f} GB, "
            f"and {free / gb:.1f} of {total / gb:.1f} GB are free.\nAllowed here: --trials-per-gpu up to {fitting}."
        )


def _least_bytes(config: TrialConfig, options: RunOptions) -> int:
    dataset = open_training_set(config, options)
    return least_training_bytes(
        config, channels=dataset.channels, image_size=dataset.image_size, num_classes=dataset.num_classes
    )
