"""The scores that tables by setting show: of a search, what it found instead of every place where it looked."""

from dataclasses import replace

import numpy as np

from dashboards.figures import StudyFrames
from sweeps.scores import ScoreTable
from sweeps.spaces import Place, Search


def scores_by_setting(frames: StudyFrames) -> ScoreTable:
    """The final scores under the headline protocol, in columns that mean the same for every method and seed."""
    search = frames.preset.search
    return frames.headline if search is None else found_by(search, frames.headline)


def found_by(search: Search, table: ScoreTable) -> ScoreTable:
    """One setting per sampler, "tpe best", with every training of the best configurations of its searches as a seed.

    A place in a search holds another configuration in every method and repetition, so that its median is nobody's
    score, and the best of many places is one that was lucky. What methods can be compared by is a whole search with
    what it found, trained again. No settings where nothing was trained again.
    """
    again = range(search.retrain)
    places = [[Place(sampler=name, number=number, best=True) for number in again] for name in search.samplers if again]
    cells = {name: index for index, name in enumerate(table.settings)}
    shape = (len(table.methods), len(places), len(again), len(table.seeds))
    values, diverged = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
    for column, trained in enumerate(places):
        for place in trained:
            if str(place) in cells:  # not before its search has ended
                values[:, column, place.number] = table.values[:, cells[str(place)]]
                diverged[:, column, place.number] = table.diverged[:, cells[str(place)]]
    pooled = (len(table.methods), len(places), len(again) * len(table.seeds))
    return replace(
        table,
        settings=tuple(trained[0].column for trained in places),
        seeds=tuple(place.seed(seed) for place in (places[0] if places else []) for seed in table.seeds),
        values=values.reshape(pooled),
        diverged=diverged.reshape(pooled),
    )
