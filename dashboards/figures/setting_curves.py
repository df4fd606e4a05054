"""A score against the number in which settings differ, such as n_dis (Fig. 11) or a layer's width (Fig. 4)."""

from dataclasses import dataclass
from typing import final

from dashboards.figures.base import Drawing, Figure, register
from dashboards.figures.curves import CurvesData, Place, curves, draw_curves
from dashboards.figures.frames import StudyFrames, has_results, metric_label
from sngan.methods import SETTINGS
from sngan.variants import varied_number


@final
@dataclass(frozen=True, kw_only=True)
class SettingCurves(Figure[CurvesData]):
    """A line per method, a panel per setting that is varied."""

    def prepare(self, frames: StudyFrames) -> CurvesData:
        """The final scores at all settings that are varied in one number."""
        table = frames.headline
        found = {name: varied_number(name) for name in table.settings if name in SETTINGS}
        places = {
            (method, setting): Place(method=method, panel=f"{place[0]}, {place[1]} varied", field=place[1],
                                     value=place[2])
            for method in table.methods
            for setting, place in found.items()
            if place is not None
        }  # fmt: skip
        if not places:
            return CurvesData(absent="No setting is varied in a number, as in D(n_dis=10).")
        if not has_results(table):
            return CurvesData(absent="No trial has a result under the headline protocol yet.")
        panels = dict.fromkeys(place.panel for place in places.values())
        text = f"Final {metric_label(table.metric)} of {len(table.methods)} methods at setting {'; '.join(panels)}."
        return curves(table, places, text)

    def draw(self, data: CurvesData) -> Drawing:
        """Lines through the medians, seeds as points."""
        return draw_curves(data)


register(
    SettingCurves(
        name="setting-curves",
        title="Score against what settings vary",
        question="Which methods get worse as this number grows, and which do not care?",
        reading="One line per method, at a setting that is the same but for the number below; lower is better for FID, "
        "higher for the Inception Score. A robust method has a flat line.",
        marks="Points: single seeds at the last update; lines: their medians, a diverged seed counting as worst; ✕ on "
        "the rail: diverged; dashed line: real images. A missing run has no point.",
    )
)
