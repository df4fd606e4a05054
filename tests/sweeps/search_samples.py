"""A space, a made-up score over it, and searches that are played without any training."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sngan.config import TrialConfig
from sngan.results import Evaluation, Outcome
from sweeps.search import open_memory, propose
from sweeps.searching import Searches, searches_of
from sweeps.spaces import Tried, configured, space_of
from sweeps.store import ResultStore, open_store
from sweeps.study import PlannedTrial, Preset
from tests.dashboards.synthetic import FID, make_searched_preset, score

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


def tell(store: ResultStore, trial: PlannedTrial, fid: float | None) -> None:
    """Give a trial its result, as the engine would."""
    store.start_attempt(trial.digest, host="here", device="cpu", versions={})
    measured = (score(FID, "fid", fid, 0.55, spread=None),)
    updates = trial.config.updates
    told = Evaluation(update=updates, scores=measured, diagnostics={}, train_s=1.0, evaluate_s=0.1, samples=None)
    store.record(trial.digest, told)
    state: Any = "diverged" if fid is None else "completed"
    store.finish(trial.digest, Outcome(state=state, update=updates, reason="", train_s=1.0, evaluate_s=0.1))


@dataclasses.dataclass(frozen=True)
class Played:
    """A study with searches and its store, to be played without any training."""

    store: ResultStore
    searches: Searches

    def step(self, order: Callable[[list[PlannedTrial]], list[PlannedTrial]] = list) -> list[PlannedTrial]:
        """Register what is wanted and give every new trial a result, in some order; the trials that got one."""
        trials = self.searches.plan(self.store)
        self.store.register(self.searches.study, self.searches.preset.name, {}, trials)
        states = self.store.known_states(trial.digest for trial in trials)
        missing = {t.digest: t for t in trials if not states[t.digest].finished}
        for trial in order(list(missing.values())):
            tell(self.store, trial, badness(trial.config))
        return list(missing.values())

    def to_the_end(self) -> list[PlannedTrial]:
        while self.step():
            pass
        return self.searches.plan(self.store)


@contextlib.contextmanager
def played(folder: Path, preset: Preset | None = None, *, file: bool = False, **changes: Any) -> Iterator[Played]:
    """A study of its own in a folder; with a file for Optuna only where asked, for it is slow."""
    preset = preset or make_searched_preset(("none", "wgan-gp"), budget=4, seeds=2)
    varied = {"methods": None, "seeds": None, "memory": folder / "optuna.db" if file else None, **changes}
    searches = searches_of("made-up", preset, settings=None, **varied)
    assert searches is not None
    with open_store(f"sqlite:///{folder}/results.db") as store:
        yield Played(store, searches)
