"""A method at its best setting: what papers' tables report."""

from dataclasses import dataclass

import numpy as np

from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians, setting_quartiles


@dataclass(frozen=True, kw_only=True)
class BestSetting:
    """A method's best setting in the metric's units; `setting` is "" and the numbers NaN without any result.

    median is infinite when most seeds diverged even there. settings : those with a result, of which it is the best.
    """

    method: str
    setting: str
    median: float
    low: float
    high: float
    num_seeds: int
    num_diverged: int
    num_missing: int
    settings: tuple[str, ...]


def best_setting_of(table: ScoreTable, method: str) -> BestSetting:
    """The setting with the best median over seeds, chosen on these very runs."""
    m, ordered = table.methods.index(method), table.pick_ordered(method)
    medians, (low, high) = setting_medians(ordered), setting_quartiles(ordered)
    settings = tuple(name for name, median in zip(table.settings, medians, strict=True) if not np.isnan(median))
    if not settings:
        return BestSetting(
            method=method, setting="", median=np.nan, low=np.nan, high=np.nan, num_seeds=0, num_diverged=0,
            num_missing=table.missing[m].size, settings=(),
        )  # fmt: skip
    s = int(np.nanargmin(medians) if table.lower_is_better else np.nanargmax(medians))
    return BestSetting(
        method=method,
        setting=table.settings[s],
        median=float(medians[s]),
        low=float(low[s]),
        high=float(high[s]),
        num_seeds=int((~table.missing[m, s]).sum()),
        num_diverged=int(table.diverged[m, s].sum()),
        num_missing=int(table.missing[m, s].sum()),
        settings=settings,
    )
