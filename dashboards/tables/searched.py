"""What the settings of a table are where a search looked for them."""

from dataclasses import replace

import numpy as np

from dashboards.figures import StudyFrames
from sweeps.scores import ScoreTable
from sweeps.spaces import SAMPLERS, places_in

SEARCH_NOTE = (
    "A setting is what one kind of search found: the best configuration of each repetition, trained again. A seed is "
    "one such training. The scores that chose a configuration count nowhere here."
)


def compared(frames: StudyFrames) -> ScoreTable:
    """The headline's scores; of a preset with searches, those of what they found."""
    return frames.headline if frames.preset.search is None else found(frames.headline)


def found(table: ScoreTable) -> ScoreTable:
    """What searches found: a setting per sampler, a seed per repetition and training of its best configuration.

    A place in a search is another configuration in every repetition and for every method, so that a median over
    repetitions, or the best place, would be that of nothing in particular. Those of a best one are trained alike.
    """
    names = tuple(name for name in SAMPLERS if places_in(table.settings, name, best=True))
    places = [[table.settings.index(place) for place in places_in(table.settings, name, best=True)] for name in names]
    runs = max(map(len, places), default=0) * len(table.seeds)
    values = np.full((len(table.methods), len(names), runs), np.nan)
    diverged = np.zeros(values.shape, dtype=np.bool_)
    for position, rows in enumerate(places):
        for whole, part in ((values, table.values[:, rows]), (diverged, table.diverged[:, rows])):
            flat = part.reshape(len(table.methods), -1)
            whole[:, position, : flat.shape[1]] = flat
    return replace(
        table,
        settings=tuple(SAMPLERS[name] for name in names),
        seeds=tuple(range(runs)),
        values=values,
        diverged=diverged,
    )
