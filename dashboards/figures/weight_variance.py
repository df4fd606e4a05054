"""The variance of the discriminator's weights against the targets of the classical initializations."""

from dataclasses import dataclass
from typing import final

import pandas as pd

from dashboards.figures.base import Drawing, Figure, register
from dashboards.figures.charts import note
from dashboards.figures.frames import StudyFrames
from dashboards.figures.layers import LayersData, layer_curves, layers_figure, log_axis, of_layers, seeds_of

# Of a leaky ReLU with slope 0.1: 2 / (1 + slope^2).
_KAIMING = 2 / (1 + 0.1**2)


@final
@dataclass(frozen=True, kw_only=True)
class WeightVariance(Figure[LayersData]):
    """A column per layer, a row per setting, a line per method, a rule per initialization."""

    def prepare(self, frames: StudyFrames) -> LayersData:
        """Variance times fan-in of the effective weights at every diagnosed update."""
        curves = layer_curves(frames, "variance", frames.methods)
        if curves.empty:
            return LayersData(absent="No trial has told the variance of its weights yet.")
        return LayersData(
            seeds=seeds_of(curves),
            alt_text="Variance times fan-in of each layer's effective weight against generator updates, with the "
            "targets of LeCun, Xavier and Kaiming.",
            methods=tuple(name for name in frames.methods if name in set(curves["method"])),
            settings=tuple(name for name in frames.settings if name in set(curves["setting"])),
            curves=curves,
            targets=_targets(of_layers(frames, "xavier-target"), sorted(curves["layer"].unique())),
        )

    def draw(self, data: LayersData) -> Drawing:
        """One logarithmic axis for all layers, long enough for the targets."""
        if data.absent:
            return note(data.absent)
        reached = pd.DataFrame({"low": data.targets["value"], "high": data.targets["value"]})
        return layers_figure(data, *log_axis(pd.concat([data.curves, reached]), "variance x fan-in"))


def _targets(xavier: pd.DataFrame, layers: list[int]) -> pd.DataFrame:
    """LeCun's and Kaiming's are the same in every layer; Xavier's depends on its shape."""
    rows = [(layer, name, value) for name, value in (("LeCun", 1.0), ("Kaiming", _KAIMING)) for layer in layers]
    found = xavier.drop_duplicates("layer")
    rows += [(layer, "Xavier", value) for layer, value in zip(found["layer"], found["value"], strict=True)]
    return pd.DataFrame(rows, columns=["layer", "target", "value"])


register(
    WeightVariance(
        name="weight-variance",
        title="Variance of the weights",
        question="Which initialization's variance do the weights keep while they train?",
        reading="On the rule of LeCun a layer neither shrinks nor blows up what it is given; spectral normalization "
        "stays below that rule at every update, where the power iteration keeps up. Without normalization the variance "
        "goes where training takes it.",
        marks="Lines and points: median over seeds of the mean square of the effective weight times fan-in; bands: "
        "lowest to highest seed; rules: what LeCun's, Xavier's and Kaiming's (leaky ReLU 0.1) initializations give.",
    )
)
