"""What is left to do of a stored study, from what its finished trials cost."""

import json
import math
from dataclasses import dataclass

import pandas as pd

from sngan.config import TrialConfig
from sngan.errors import InputError
from sweeps.configs import without_seed
from sweeps.costs import estimate, work
from sweeps.study import PlannedTrial

_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """Work that is left. seconds : of all trials whose cost can be told, one after another. longest_s : of one of them.
    num_unknown : trials whose cost cannot be told. num_running : trials that run now.
    """

    seconds: float
    longest_s: float
    num_unknown: int
    num_running: int

    @property
    def wall_s(self) -> float | None:
        """Seconds until all have ended, if as many run side by side as now; None while nothing can be told."""
        if not self.num_running or self.num_unknown:
            return None
        return max(self.seconds / self.num_running, self.longest_s)


def remaining(trials: pd.DataFrame, measured: pd.DataFrame) -> Remaining:
    """What is left of ResultStore.trials(), from ResultStore.expected_costs(). Updates that are done count as done.

    A trial like none that was measured is taken to cost per work what the finished ones did, as the terminal has it.
    """
    waiting = trials[trials["state"].isin(["queued", "running"])].drop_duplicates("digest")
    texts = waiting["config"].map(without_seed)
    known = {text: planned for text in texts.unique() if (planned := _planned(text)) is not None}
    costs = estimate(list(known.values()), measured)
    rate = _seconds_per_work(trials)
    each_s = {text: costs.seconds[planned.digest] or work(planned.config) * rate for text, planned in known.items()}
    expected_s = texts.map(each_s).astype(float)
    left_s = expected_s * (1 - (waiting["last_update"] / waiting["updates"]).clip(0, 1))
    return Remaining(
        seconds=float(left_s.sum()),
        longest_s=float(left_s.max()) if left_s.notna().any() else 0.0,
        num_unknown=int(expected_s.isna().sum()),
        num_running=int((waiting["state"] == "running").sum()),
    )


def _seconds_per_work(trials: pd.DataFrame) -> float:
    """Of the trials that completed; NaN where none has."""
    done = trials[trials["state"] == "completed"].drop_duplicates("digest")
    texts = done["config"].map(without_seed)
    units = texts.map({text: work(planned.config) for text in texts.unique() if (planned := _planned(text))})
    total = float(units.astype(float).sum())
    return float((done["train_s"] + done["evaluate_s"])[units.notna()].sum()) / total if total else math.nan


def _planned(text: str) -> PlannedTrial | None:
    """A trial with this config; None where it means nothing here, such as one of a plugin that is not loaded."""
    try:
        config = TrialConfig.from_dict({**json.loads(text), "seed": _SEED})
    except InputError:
        return None
    return PlannedTrial(method="", setting="", seed=_SEED, config=config)
