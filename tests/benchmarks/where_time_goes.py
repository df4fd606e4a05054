"""Where the time of one training update goes on a CPU, before and now.

Before: networks in memory in the order of their indices, torch.optim.Adam. Now: channels last, sngan.adam.

python -m tests.benchmarks.where_time_goes

SN at n_dis 5: the small CNN of the quick presets (batch 32, one thread) and the standard CNN (batch 64, two threads).
An update is timed without a profiler, the two in turns; the shares are those of operators under torch's
profiler, and what is left of the time is Python and the calls between operators.
"""

import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial

import altair as alt
import numpy as np
import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

from dashboards.figures.rendering import save
from sngan.config import TrialConfig
from sngan.methods import METHODS
from sngan.state import TrainState
from sngan.training import train
from tests.benchmarks import options
from tests.benchmarks.machine import RESULTS, keep
from tests.benchmarks.turns import take_turns

# The first of these that an operator's name contains says what it is; the rest are small ones by the hundred.
GROUPS = {
    "convolutions, backward": ("convolution_backward",),
    "convolutions, forward": ("convolution",),
    "batch norm": ("batch_norm",),
    "activations": ("leaky_relu", "relu", "threshold", "clamp_min", "tanh", "softplus"),
    "Adam": ("adam", "Adam"),
    "dense layers and power iterations": ("addmm", "::mm", "::mv", "addmv", "::dot"),
    "random numbers": ("normal_", "uniform_", "random_"),
    "copies": ("copy_", "::cat"),
}
OTHERS, PYTHON = "other operators", "Python and calls"


@dataclass(frozen=True)
class Case:
    """What is trained, and on how much."""

    name: str
    config: TrialConfig
    channels: int
    image_size: int
    num_threads: int


def cases() -> list[Case]:
    """The smallest network and the paper's."""
    small = TrialConfig(architecture="small-cnn", batch_size=32, generator_batch_size=32, z_dim=32, n_dis=5)
    paper = TrialConfig(architecture="standard-cnn", n_dis=5)
    return [
        Case("small CNN, batch 32, 1 thread", METHODS["sn"].apply(small), 1, 8, 1),
        Case("standard CNN, batch 64, 2 threads", METHODS["sn"].apply(paper), 3, 32, 2),
    ]


def as_before(state: TrainState) -> None:
    """Take back what has made updates faster."""
    optimizers = {"generator": "generator_optimizer", "discriminator": "discriminator_optimizer"}
    for network_name, optimizer_name in optimizers.items():
        network = getattr(state, network_name).to(memory_format=torch.contiguous_format)
        config = state.config
        betas = config.beta1, config.beta2
        adam = torch.optim.Adam(network.parameters(), config.alpha, betas, config.adam_epsilon, fused=True)
        setattr(state, optimizer_name, adam)


def group_of(operator: str) -> str:
    """What an operator counts as."""
    return next((name for name, parts in GROUPS.items() if any(part in operator for part in parts)), OTHERS)


def trained(state: TrainState, images: np.ndarray, updates: int) -> None:
    """So many updates more."""
    train(state, images, state.update + updates)


def profiled(state: TrainState, images: np.ndarray, updates: int) -> dict[str, float]:
    """Group -> share of the time of an update."""
    started = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        trained(state, images, updates)
    wall_us = 1e6 * (time.perf_counter() - started)
    shares: dict[str, float] = defaultdict(float)
    for row in seen.key_averages():
        shares[group_of(row.key)] += row.self_cpu_time_total / wall_us
    shares[PYTHON] = max(0.0, 1 - sum(shares.values()))
    return dict(shares)


def main() -> None:
    arguments = options.parsed(options.parser(__doc__))
    rows, results = [], {}
    for case in cases()[: 1 if arguments.smoke else 2]:
        torch.set_num_threads(case.num_threads)
        shape = (200, case.channels, case.image_size, case.image_size)
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        states = {}
        for when in ("now", "before"):
            state = TrainState.start(case.config, channels=case.channels, image_size=case.image_size)
            if when == "before":
                as_before(state)
            states[when] = state
        updates = 10 if case.image_size == 8 else 1
        work = {when: partial(trained, state, images, updates) for when, state in states.items()}
        turns = take_turns(work, turns=2 if arguments.smoke else 5)
        kept = {}
        for when, state in states.items():
            wall_ms = 1e3 * turns.time(when).median / updates
            milliseconds = {group: share * wall_ms for group, share in profiled(state, images, updates).items()}
            kept[when] = {group: round(value, 3) for group, value in sorted(milliseconds.items())}
            rows += [
                {"case": case.name, "when": when, "group": group, "ms": value} for group, value in milliseconds.items()
            ]
        results[case.name] = {**turns.compared("now"), "milliseconds": kept}
    keep("where_time_goes", options.command(), results, smoke=arguments.smoke)
    if not arguments.smoke:
        save(figure(pd.DataFrame(rows)), RESULTS, "where_time_goes")


def figure(frame: pd.DataFrame) -> alt.Chart:
    """A bar for before and one for now, for each network."""
    order = [*GROUPS, OTHERS, PYTHON]
    panels = [
        alt.Chart(of_case)
        .mark_bar()
        .encode(
            x=alt.X("ms:Q", title="milliseconds of an update"),
            y=alt.Y("when:N", title=None, sort=["before", "now"]),
            color=alt.Color("group:N", sort=order, title=None, scale=alt.Scale(domain=order, scheme="tableau10")),
            order=alt.Order("rank:Q"),
        )
        .properties(title=str(case), width=560, height=70)
        for case, of_case in frame.assign(rank=frame["group"].map(order.index)).groupby("case", sort=False)
    ]
    return alt.vconcat(*panels).configure_legend(orient="bottom", columns=4, labelLimit=260)


if __name__ == "__main__":
    main()
