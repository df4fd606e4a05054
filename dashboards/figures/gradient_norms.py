"""How large the discriminator's gradients are, layer by layer, while it trains."""

from dataclasses import dataclass
from typing import final

from dashboards.figures.base import Drawing, Figure, register
from dashboards.figures.charts import note
from dashboards.figures.frames import StudyFrames
from dashboards.figures.layers import LayersData, layer_curves, layers_figure, log_axis, seeds_of


@final
@dataclass(frozen=True, kw_only=True)
class GradientNorms(Figure[LayersData]):
    """A column per layer, a row per setting, a line per method."""

    def prepare(self, frames: StudyFrames) -> LayersData:
        """Norms of the gradient by the effective weights at every diagnosed update."""
        curves = layer_curves(frames, "gradient", frames.methods)
        if curves.empty:
            return LayersData(absent="No trial has told its gradients yet.")
        return LayersData(
            seeds=seeds_of(curves),
            alt_text="Norm of the discriminator's gradient by each layer's effective weight against generator updates.",
            methods=tuple(name for name in frames.methods if name in set(curves["method"])),
            settings=tuple(name for name in frames.settings if name in set(curves["setting"])),
            curves=curves,
        )

    def draw(self, data: LayersData) -> Drawing:
        """One logarithmic axis for all layers."""
        if data.absent:
            return note(data.absent)
        return layers_figure(data, *log_axis(data.curves, "gradient norm"))


register(
    GradientNorms(
        name="gradient-norms",
        title="Gradients of the layers",
        question="Do the discriminator's gradients explode or vanish while it trains?",
        reading="A line that climbs by powers of ten explodes, one that sinks vanishes; layers that lie at one height "
        "learn at one pace. The gradient is that of the adversarial loss, without penalties, by the weight that the "
        "layer computes with, on the same images at every update.",
        marks="Lines and points: median over seeds; bands: lowest to highest seed; 0 lies on the lower edge; a line "
        "ends where its seeds have diverged.",
    )
)
