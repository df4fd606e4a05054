"""A score against the hyperparameter in which variants of a method differ, such as BSSN's scale c."""

from dataclasses import dataclass
from typing import final

from dashboards.figures.base import Drawing, Figure, register
from dashboards.figures.curves import CurvesData, Place, curves, draw_curves
from dashboards.figures.frames import StudyFrames, has_results, metric_label
from dashboards.figures.style import method_label
from sngan.methods import METHODS
from sngan.variants import varied_number


@final
@dataclass(frozen=True, kw_only=True)
class Variants(Figure[CurvesData]):
    """A line per varied method, a panel per setting."""

    def prepare(self, frames: StudyFrames) -> CurvesData:
        """The final scores of all methods that are varied in one number."""
        table = frames.headline
        found = {name: varied_number(name) for name in table.methods if name in METHODS}
        places = {
            (name, setting): Place(method=place[0], panel=setting, field=place[1], value=place[2])
            for name, place in found.items()
            if place is not None
            for setting in table.settings
        }
        if not places:
            return CurvesData(absent="No method is varied in a number, as in orthonormal(coefficient=0.1).")
        if not has_results(table):
            return CurvesData(absent="No trial has a result under the headline protocol yet.")
        methods = dict.fromkeys(method_label(place.method) for place in places.values())
        fields = dict.fromkeys(place.field for place in places.values())
        text = f"Final {metric_label(table.metric)} of {', '.join(methods)} against {' and '.join(fields)}."
        return curves(table, places, text)

    def draw(self, data: CurvesData) -> Drawing:
        """Lines through the medians, seeds as points."""
        return draw_curves(data)


register(
    Variants(
        name="variants",
        title="Score against the hyperparameter",
        question="How does the score depend on the method's own hyperparameter, and how narrow is the good region?",
        reading="One line per method, one panel per setting; lower is better for FID. A flat valley forgives a wrong "
        "value, a narrow one asks for tuning.",
        marks="Points: single seeds at the last update; lines: their medians, a diverged seed counting as worst; ✕ on "
        "the rail: diverged; dashed line: real images. A missing run has no point.",
    )
)
