"""What several charts need: inline data and an axis for scores on which diverged and missing trials have a place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.style import INK, Chart, themed

_MAX_TICKS = 8
_RAIL = 0.11  # height of a rail, as a fraction of the axis
_LOG_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), tuple(np.arange(1, 10, 0.5)))


class _Shared:
    """A part of a chart that its copies share, and that nobody changes. Altair copies charts to the last value, again
    and again while it builds layers and panels; that took most of a figure's time.
    """

    def __deepcopy__(self, memo: object) -> Self:
        return self


class _SharedData(_Shared, alt.InlineData):
    pass


class _SharedEncoding(_Shared, alt.FacetedEncoding):
    pass


def inline(frame: pd.DataFrame) -> alt.InlineData:
    """The frame's rows as inline data, however many; what is not finite becomes null."""
    return _SharedData(values=[_plain(record) for record in frame.to_dict(orient="records")])


def layered(*layers: alt.Chart | alt.LayerChart, **more: Any) -> alt.LayerChart:
    """Charts on top of each other, which is how figures make layers. more : data and other arguments of LayerChart."""
    return alt.LayerChart(layer=[_with_shared_encoding(layer) for layer in layers], **more)


def _with_shared_encoding(chart: Any) -> Any:
    if chart.encoding is alt.Undefined:
        return chart
    copy = chart.copy(deep=False)
    copy.encoding = _SharedEncoding(**chart.encoding._kwds)
    return copy


def _plain(record: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): _plain_value(value) for key, value in record.items()}


def _plain_value(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        # Ten significant digits: nobody sees more, and pages stay small.
        return float(f"{value:.10g}") if math.isfinite(value) else None
    return None if value is pd.NA else value


def hover(*fields: str) -> list[alt.Tooltip]:
    """What a mark tells when pointed at: each field as "name:type|title|format", the last two optional."""
    parts = [[*field.split("|"), "", ""] for field in fields]
    return [
        alt.Tooltip(name, title=title or name.partition(":")[0], format=form) if form else
        alt.Tooltip(name, title=title or name.partition(":")[0])
        for name, title, form, *_ in parts
    ]  # fmt: skip


def choice() -> alt.Parameter:
    """The selection that legends control: methods clicked there stay, the others fade."""
    return alt.selection_point(fields=["label"], bind="legend", name="chosen")


def faded(chosen: alt.Parameter, opacity: float, rest: float) -> Any:
    """`opacity` for chosen methods (all of them while none is chosen), `rest` for the others."""
    return alt.condition(chosen, alt.value(opacity), alt.value(rest))


@dataclass(frozen=True)
class ScoreAxis:
    """An axis for scores with two rails outside the values: one for diverged trials, one for missing ones.

    scale : "log" | "linear". low, high : the values' part of the axis. bottom, top : the whole axis.
    diverged, missing : where on the axis the rails lie; diverged is always on the side of the worse scores.
    diverged_median : on the same rail, beside its middle, so that a median hides no run.
    ticks : values between low and high that are labelled.
    """

    scale: str
    low: float
    high: float
    bottom: float
    top: float
    diverged: float
    diverged_median: float
    missing: float
    ticks: tuple[float, ...]

    def encode(self, title: str, *, diverged: bool = False, missing: bool = False) -> alt.Axis:
        """Ticks and labels, with the names of the rails that are shown."""
        above, below = ("diverged", "missing") if self.diverged > self.high else ("missing", "diverged")
        label = (
            f"datum.value > {self.high!r} ? '{above}' : datum.value < {self.low!r} ? '{below}' : "
            "format(datum.value, '~g')"
        )
        rails = [self.diverged] * diverged + [self.missing] * missing
        values = [*self.ticks, *rails]
        return alt.Axis(title=title, values=values, labelExpr=label, labelOverlap=False)

    def domain(self, *, diverged: bool = False, missing: bool = False) -> alt.Scale:
        """The scale, long enough for the rails that are shown."""
        above, below = (diverged, missing) if self.diverged > self.high else (missing, diverged)
        ends = [self.bottom if below else self.low, self.top if above else self.high]
        return alt.Scale(type="log" if self.scale == "log" else "linear", domain=ends, nice=False)

    def place(self, value: float, *, diverged: bool) -> float:
        """Where a trial is drawn: its value, or the rail that tells what became of it."""
        if diverged or math.isinf(value):
            return self.diverged
        return value if math.isfinite(value) else self.missing


def score_axis(values: Sequence[float], *, lower_is_better: bool) -> ScoreAxis:
    """An axis that holds the finite ones of `values`: logarithmic when lower is better and all are positive."""
    finite = [float(value) for value in values if math.isfinite(value)] or [1.0]
    log = lower_is_better and min(finite) > 0
    forward, back = (math.log10, lambda x: 10.0**x) if log else (float, float)
    start, end = forward(min(finite)), forward(max(finite))
    span = max(end - start, 0.3 if log else 0.1 * max(abs(end), 1.0))
    middle = (start + end) / 2
    start, end = middle - 0.54 * span, middle + 0.54 * span
    rail = _RAIL * span
    below, above = start - 0.6 * rail, end + 0.6 * rail
    diverged, missing, outwards = (above, below, 1) if lower_is_better else (below, above, -1)
    low, high = back(start), back(end)
    return ScoreAxis(
        scale="log" if log else "linear",
        low=low,
        high=high,
        bottom=back(start - 1.2 * rail),
        top=back(end + 1.2 * rail),
        diverged=back(diverged),
        diverged_median=back(diverged - outwards * 0.42 * rail),
        missing=back(missing),
        ticks=log_ticks(low, high) if log else linear_ticks(low, high),
    )


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Round values between `low` and `high` (both > 0), at most 8, as even as a logarithmic axis allows."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices: list[list[float]] = [
        [float(f"{step * 10.0**e:.6g}") for e in exponents for step in steps if low <= step * 10.0**e <= high]
        for steps in _LOG_STEPS
    ]
    richest = max((len(found) for found in choices if len(found) <= _MAX_TICKS), default=0)
    for found in choices:
        if len(found) == richest > 0:
            return tuple(found)
    # So many powers of ten that some must go.
    return tuple(choices[0][:: max(1, math.ceil(len(choices[0]) / _MAX_TICKS))])


def linear_ticks(low: float, high: float) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten between `low` and `high`, at most 8."""
    step = 10.0 ** math.floor(math.log10((high - low) / _MAX_TICKS))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if (high - low) / (step * factor) <= _MAX_TICKS - 1)
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(float(f"{index * step:.6g}") for index in range(first, last + 1))


def in_panels(chart: Any, field: str, order: Sequence[str], columns: int, **more: Any) -> Chart:
    """The chart once for every value of a field, in this order, row by row, on the same scales."""
    panels = chart.facet(alt.Facet(f"{field}:N", title=None, sort=list(order)), columns=columns, **more)
    full = len(order) <= columns or len(order) % columns == 0
    # A shared axis stands at the bottom of its column, even where the last row has no panel.
    return themed(panels if full else panels.resolve_axis(x="independent"))


def note(text: str) -> Chart:
    """A chart that holds nothing but a sentence, for figures without data."""
    chart = (
        alt.Chart(alt.InlineData(values=[{"text": text}]))
        .mark_text(fontSize=13, color=INK, opacity=0.75)
        .encode(text=alt.Text("text:N"))
        .properties(width=560, height=80)
    )
    return themed(chart)
