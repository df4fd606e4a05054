"""What diagnoses cost: their share of training time, and the seconds that the singular values take.

python -m tests.benchmarks.diagnosis_cost

Training and diagnoses take turns in one process with one thread, so that whatever else the machine does strikes both;
the share is that of a whole trial of the preset's length, from the medians. CIFAR-10's images are noise here: the time
does not depend on them.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from sngan.config import TrialConfig
from sngan.datasets import ImageSplit
from sngan.diagnostics import Probe, diagnose, diagnosed_updates
from sngan.methods import METHODS, SETTINGS
from sngan.seeding import numpy_stream
from sngan.spectra import singular_values
from sngan.state import TrainState
from sngan.training import train
from sweeps.study import STUDIES
from tests.benchmarks import options
from tests.benchmarks.machine import keep

# Preset of the study spectra -> channels, image size, updates between two diagnoses, repetitions.
SCALES: Mapping[str, tuple[int, int, int, int]] = {"quick": (1, 8, 10, 9), "cifar10": (3, 32, 1, 3)}
CASES = (("quick", "sn", "A"), ("quick", "sn", "C"), ("quick", "weight-clipping", "C"), ("cifar10", "sn", "C"))


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def started(preset: str, method: str, setting: str) -> tuple[TrainState, np.ndarray]:
    """A trial's state before its first update, and images."""
    channels, size, *_ = SCALES[preset]
    config = SETTINGS[setting].apply(TrialConfig.from_dict(STUDIES["spectra"].preset(preset).config))
    images = numpy_stream(0, "data").integers(0, 256, (1000, channels, size, size), dtype=np.uint8)
    return TrainState.start(METHODS[method].apply(config), channels=channels, image_size=size), images


def share(preset: str, method: str, setting: str) -> dict[str, float]:
    """Seconds of an update and of a diagnosis, and the share of all diagnoses of a trial in its training."""
    state, images = started(preset, method, setting)
    *_, stretch, repetitions = SCALES[preset]
    probe = Probe.of(state, ImageSplit(images=images, labels=None))
    first = seconds(lambda: diagnose(state, probe))  # with whole spectra
    updates, diagnoses = [], []
    for _ in range(repetitions):
        until = state.update + stretch
        updates.append(seconds(lambda until=until: train(state, images, until)) / stretch)  # type: ignore[misc]
        diagnoses.append(seconds(lambda: diagnose(state, probe)))
    update_s, diagnosis_s = float(np.median(updates)), float(np.median(diagnoses))
    total = diagnosis_s * len(diagnosed_updates(state.config))
    return {
        "update_ms": round(1000 * update_s, 2),
        "diagnosis_ms": round(1000 * diagnosis_s, 2),
        "with_raw_spectra_ms": round(1000 * first, 2),
        "diagnoses": len(diagnosed_updates(state.config)),
        "share_of_training": round(total / (update_s * state.config.updates), 4),
    }


def main() -> None:
    arguments = options.parsed(options.parser(__doc__))
    torch.set_num_threads(1)
    cases = CASES[:1] if arguments.smoke else CASES
    rows: dict[str, Any] = {" ".join(case): share(*case) for case in cases}
    state, _ = started("cifar10", "none", "C")
    matrices = [p.detach().flatten(1) for p in state.discriminator.parameters() if p.ndim > 1]
    rows["singular values of the standard CNN, s"] = round(
        min(seconds(lambda: [singular_values(matrix) for matrix in matrices]) for _ in range(5)), 3
    )
    keep("diagnosis_cost", options.command(), rows, smoke=arguments.smoke)


if __name__ == "__main__":
    main()
