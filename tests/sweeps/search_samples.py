"""A space, a made-up score over it, and searches that were played to an end."""

from pathlib import Path

import numpy as np

from sngan.config import TrialConfig
from sweeps.search import open_memory, propose
from sweeps.spaces import (
    Tried,
    configured,
    space_of,
)
from tests.dashboards.synthetic import make_searched_preset

SEARCH = make_searched_preset().search
assert SEARCH is not None
SPACE = space_of(SEARCH, "wgan-gp")
CONFIG = TrialConfig()


def badness(config: TrialConfig) -> float | None:
    """A made-up FID; None for a run that diverges. Best at alpha 3e-4 and a small beta1."""
    if config.alpha > 4e-3:
        return None
    return float(5 * np.exp(abs(np.log10(config.alpha / 3e-4)) + config.beta1) + 0.01 * (config.seed % 7))


def searched(sampler: str, *, seed: int = 0, memory: Path | None = None, rounds: int = 4) -> list[Tried]:
    """A search of a few rounds, told a score for every proposal."""
    tried: list[Tried] = []
    with open_memory(memory) as storage:
        for _ in range(rounds):
            for values in propose(
                tried, 3, name="one", space=SPACE, sampler=sampler, seed=seed, round_size=3, memory=storage
            ):
                fid = badness(configured("wgan-gp", values, CONFIG))
                tried = [*tried, Tried(values=values, score=0.0 if fid is None else 1 / (1 + fid), ended=True)]
    return tried
