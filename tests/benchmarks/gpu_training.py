"""Training on a GPU: the plain loop, our updates one by one, as graphs, and several trials sharing the device.

python -m tests.benchmarks.gpu_training [--device cuda] [--seconds 3] [--packs 1,2,4,8,16]

Rates are updates a second of the standard CNN at batch 64 on made-up images; the plain loop's once in fp32 and once
with products in TF32, which torch's defaults give to convolutions. From the rate of every method alone at n_dis 1 and
5, and from what the best pack of SN gains over SN alone, follows how long the paper's whole study would take on one
device: an estimate, for packs of the other methods are not measured. Neither Ray nor MLflow is needed.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch

from sngan.config import Precision, TrialConfig
from sngan.devices import check_device, own_stream, products_in
from sngan.errors import InputError
from sngan.graphs import GraphedUpdate
from sngan.methods import METHODS, SETTINGS
from sngan.models import ARCHITECTURES
from sngan.models.standard_cnn import StandardCNN
from sngan.state import TrainState
from sngan.training import train
from tests.benchmarks import options
from tests.benchmarks.machine import keep
from tests.benchmarks.plain_gan import PlainGAN, plain_discriminator, plain_generator

STUDY = ("weight-clipping", "gan-gp", "wgan-gp", "batch-norm", "layer-norm", "weight-norm", "orthonormal", "sn")
SEEDS, UPDATES = 5, 100_000
PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "bf16")


class Rates:
    """Measures updates a second of one shape of network on one device."""

    def __init__(self, device: torch.device, seconds: float, *, small: bool) -> None:
        self.device, self.seconds, self.small = device, seconds, small
        channels, size = (1, 8) if small else (3, 32)
        self.images = np.random.default_rng(0).integers(0, 256, (1000, channels, size, size), dtype=np.uint8)

    def config(self, method: str, n_dis: int, precision: str = "fp32") -> TrialConfig:
        """The paper's network and batch; a small one for a smoke run."""
        name = "small-cnn" if self.small else "standard-cnn"
        config = TrialConfig(architecture=name, n_dis=n_dis, updates=10**9)
        return METHODS[method].apply(config.replace(precision=precision))

    def plain_loop(self, n_dis: int) -> float:
        """Of a loop as tutorials write it."""
        channels, size = self.images.shape[1:3]
        widths = cast("StandardCNN", ARCHITECTURES["standard-cnn"])
        generator = plain_generator(128, widths.generator_widths, channels, size).to(self.device)
        discriminator = plain_discriminator(widths.discriminator_widths, channels, size).to(self.device)
        floats = torch.from_numpy(self.images).to(self.device).float() / 127.5 - 1
        gan = PlainGAN(generator, discriminator, floats, z_dim=128, batch=64)
        return self._rate([lambda: gan.update(n_dis)])

    def ours(self, config: TrialConfig, *, graphs: bool, trials: int = 1) -> float:
        """Of all trials together, each with its own stream and graph."""
        works = [self._trial(config.replace(seed=seed), graphs=graphs) for seed in range(trials)]
        return self._rate(works)

    def _trial(self, config: TrialConfig, *, graphs: bool) -> Callable[[], None]:
        stream = own_stream(self.device)
        with stream:
            _, channels, size, _ = self.images.shape
            state = TrainState.start(config, channels=channels, image_size=size, device=self.device)
            perform = GraphedUpdate(state, self.images) if graphs and self.device.type == "cuda" else None

        def update() -> None:
            with stream:
                train(state, self.images, state.update + 1, perform=perform)

        return update

    def _rate(self, works: Sequence[Callable[[], None]]) -> float:
        """Updates a second of all of them in turns, after a first five of each."""
        for _ in range(5):
            for work in works:
                work()
        self._wait()
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < self.seconds:
            for work in works:
                work()
            done += len(works)
        self._wait()
        return done / (time.perf_counter() - started)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def study_hours(alone: Mapping[str, Mapping[int, float]], gain: float) -> dict[str, float]:
    """Hours of 8 methods x A to F x 5 seeds x 100,000 updates, by method and in all; `gain` is that of a pack."""
    hours = {
        method: sum(SEEDS * UPDATES / (rates[setting.n_dis] * gain) for setting in _paper_settings()) / 3600
        for method, rates in alone.items()
    }
    return {**hours, "in all": sum(hours.values())}


def _paper_settings() -> list[Any]:
    return [SETTINGS[name] for name in "ABCDEF"]


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--device", default="cuda", help="[default: %(default)s]")
    made.add_argument("--seconds", type=float, default=3.0, help="of every measurement  [default: %(default)s]")
    made.add_argument("--packs", default="1,2,4,8,16", help="trials at a time, with commas  [default: %(default)s]")
    arguments = options.parsed(made)
    smoke = arguments.smoke
    name = "cpu" if smoke and not torch.cuda.is_available() else arguments.device
    try:
        device = check_device(name)
    except InputError as error:
        sys.exit(str(error))
    rates = Rates(device, 0.1 if smoke else arguments.seconds, small=smoke)
    on_gpu = rates.device.type == "cuda"
    precisions = PRECISIONS if on_gpu else PRECISIONS[:1]

    found: dict[str, Any] = {}
    for precision in () if smoke else precisions[:2]:
        with products_in(precision):
            found[f"plain loop {precision}, n_dis 5"] = rates.plain_loop(5)
    for precision in precisions:
        config = rates.config("sn", 5, precision)
        found[f"SN {precision}, update by update"] = rates.ours(config, graphs=False)
        for trials in [1, 2] if smoke else sorted({1, *map(int, arguments.packs.split(","))}):
            found[f"SN {precision}, {trials} trials as graphs"] = rates.ours(config, graphs=True, trials=trials)
    best = max(value for key, value in found.items() if key.startswith("SN fp32") and "graphs" in key)
    gain = best / found["SN fp32, 1 trials as graphs"]
    methods = STUDY[-1:] if smoke else STUDY
    alone = {m: {n: rates.ours(rates.config(m, n), graphs=True) for n in (1, 5)} for m in methods}
    rows = {
        "updates a second": found,
        "updates a second as a graph, by method and n_dis": alone,
        "hours of the whole study on one device": study_hours(alone, gain),
    }
    keep("gpu_training", options.command(), rows, smoke=smoke)


if __name__ == "__main__":
    main()
