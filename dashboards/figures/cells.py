"""The colours of cells that hold a median score, and of the text in them."""

import numpy as np

from dashboards.figures.style import INK, contrast
from sweeps.statistics import FloatArray

# From the best score to the worst: dark blue over green to pale yellow, even in lightness, safe for colour-blind eyes.
_STOPS = ("#20388a", "#1f73ad", "#2fa6b6", "#8fd2ae", "#fbf3b9")
_DIVERGED = "#4d525b"
_WHITE, _BLACK = "#ffffff", "#111316"


def fill_of(median: float, medians: FloatArray, *, lower_is_better: bool) -> str:
    """The cell's colour: where its median lies between the best and the worst one, on the metric's axis."""
    if np.isnan(median):
        return "transparent"
    if np.isinf(median):
        return _DIVERGED
    finite = medians[np.isfinite(medians)]
    axis = np.log if finite.min() > 0 else np.asarray
    low, high = axis(finite.min()), axis(finite.max())
    place = 0.0 if high == low else float((axis(median) - low) / (high - low))
    return ramp(place if lower_is_better else 1 - place)


def ramp(place: float) -> str:
    """The colour at `place`, 0 (best) to 1 (worst), between the stops."""
    scaled = min(max(place, 0.0), 1.0) * (len(_STOPS) - 1)
    index = min(int(scaled), len(_STOPS) - 2)
    ends = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in _STOPS[index : index + 2]]
    mixed = [round(a + (b - a) * (scaled - index)) for a, b in zip(*ends, strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink_on(fill: str) -> str:
    """Black or white, whichever reads better on `fill`; the page's ink on no fill."""
    if fill == "transparent":
        return INK
    return max((_WHITE, _BLACK), key=lambda ink: contrast(ink, fill))
