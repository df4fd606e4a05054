"""Measures: closed forms of one number per run, what divergence does to them, and verdicts on measures."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from sngan.errors import InputError
from sweeps.claims import judge
from sweeps.measures import MEASURES, CourseMeasure, DiagnosticMeasure, MeasureTransform, measure_table
from sweeps.rules import RULES
from sweeps.rules.keeps_limit import KeepsLimit
from sweeps.rules.times_better import TimesBetter
from sweeps.study import Claim
from sweeps.transforms import worsened
from tests.sweeps.score_samples import small_preset, table_of, trials_frame

TRIALS = trials_frame(small_preset())  # 20 updates each
FIRST = str(TRIALS["digest"].iloc[0])
RISING = {(layer, update): 10.0 * layer + update for layer in (1, 2, 3) for update in (0, 10, 20)}


def diagnostics(values: dict[tuple[int, int], float], digest: str = FIRST, name: str = "gradient") -> pd.DataFrame:
    """The store's frame: values by (layer, update)."""
    rows = [(digest, update, f"layer{layer}/{name}", value) for (layer, update), value in values.items()]
    return pd.DataFrame(rows, columns=["digest", "update", "name", "value"])


def measure(**changes: object) -> DiagnosticMeasure:
    known = DiagnosticMeasure(
        name="m", title="a measure", diagnostic="gradient", layers=(1, 0), lower_is_better=True, half=2.0, summary="max"
    )
    return dataclasses.replace(known, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 50.0),
        ({"layers": (1, 2)}, 40.0),
        ({"layers": (1, -1)}, 40.0),
        ({"layers": (1, -2)}, 30.0),
        ({"end": 0.5}, 40.0),
        ({"summary": "median"}, 30.0),
        ({"summary": "median", "layers": (2, 2), "start": 0.5}, 35.0),
        ({"summary": "geometric-mean", "layers": (1, 2), "end": 0.0}, math.sqrt(10 * 20)),
        ({"summary": "high", "layers": (3, 0)}, 48.0),
        ({"start": 1.0, "layers": (1, 1)}, 30.0),
    ],
)
def test_layers_window_and_summary_choose_what_counts(changes: dict[str, object], expected: float) -> None:
    assert measure(**changes).values(diagnostics(RISING), TRIALS) == {FIRST: pytest.approx(expected)}


def test_other_diagnostics_do_not_count() -> None:
    frame = pd.concat([diagnostics(RISING), diagnostics({(1, 10): 9e9}, name="raw-gradient")])
    assert measure().values(frame, TRIALS) == {FIRST: 50.0}
    plain = frame.assign(name="gradient", value=3.0)
    assert measure(layers=None).values(plain, TRIALS) == {FIRST: 3.0}
    assert measure().values(diagnostics({}), TRIALS) == {}


def test_the_dense_layer_has_no_part_in_the_error_of_sigma() -> None:
    # It has one singular value, so that its error is 0 at every update: with it, this would be 0.27.
    frame = diagnostics({(1, 20): 0.3, (2, 20): 0.0}, name="sigma-error")
    assert MEASURES["sigma-error-usual"].values(frame, TRIALS) == {FIRST: pytest.approx(0.3)}


def test_a_trial_in_two_cells_is_measured_once() -> None:
    # Two settings may give the same config: then the store's frames tell its rows once for each.
    twice = pd.concat([TRIALS, TRIALS.iloc[:1].assign(setting="B")])
    frame = diagnostics({(1, 0): 1.0, (1, 10): 2.0, (1, 20): 9.0})
    high = measure(summary="high")
    assert high.values(pd.concat([frame, frame]), twice) == high.values(frame, TRIALS)
    scores = pd.DataFrame([(FIRST, 10, 20.0), (FIRST, 20, 30.0)], columns=["digest", "update", "value"])
    table = measure_table(pd.concat([scores, scores]), twice, "late-loss")
    row = TRIALS.iloc[0]
    for setting in (row["setting"], "B"):
        cell = table.methods.index(row["method"]), table.settings.index(setting), table.seeds.index(row["seed"])
        assert table.values[cell] == pytest.approx(1.5)


@pytest.mark.parametrize(("lower_is_better", "expected"), [(True, math.inf), (False, 0.0)])
def test_a_value_that_was_not_finite_is_the_worst(lower_is_better: bool, expected: float) -> None:
    broken = diagnostics({**RISING, (2, 10): math.nan})
    assert measure(lower_is_better=lower_is_better).values(broken, TRIALS) == {FIRST: expected}


def test_the_table_has_every_cell_and_diverged_runs_are_worst_unless_measured() -> None:
    sn, broken = (("sn", "A", 0), ("batch-norm", "D", 1))
    trials = trials_frame(small_preset(), {broken: "diverged", ("sn", "D", 0): "failed"})
    digests = {(row.method, row.setting, row.seed): row.digest for row in trials.itertuples(index=False)}
    rows = [(digest, 20, "seconds_per_update", 1.0 if cell == sn else 3.0) for cell, digest in digests.items()]
    frame = pd.DataFrame(rows, columns=["digest", "update", "name", "value"])
    table = measure_table(frame, trials, "seconds-per-update")
    assert (table.methods, table.settings, table.seeds) == (("batch-norm", "sn"), ("A", "D"), (0, 1))
    assert table.values[1, 0, 0] == 1.0
    assert table.values[0, 1, 1] == 3.0, "what it cost is known although it diverged"
    assert not table.diverged.any()
    assert table.missing.sum() == 1, "a failed run is no result"
    worst = measure_table(frame.assign(name="layer1/gradient"), trials, "largest-gradient")
    assert worst.diverged[0, 1, 1]
    assert worst.scores[0, 1, 1] == 0
    assert worst.title == "largest gradient by any layer's effective weight"


def test_an_unknown_measure_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'entropy-rank'"):
        measure_table(diagnostics({}), TRIALS, "entropy-rnk")


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize("half", [0.01, 1.0, 300.0])
def test_scores_keep_the_order_and_factors_whatever_half_is(lower_is_better: bool, half: float) -> None:
    transform = MeasureTransform(metric="m", half=half, title="x", lower_is_better=lower_is_better)
    values = np.array([0.0, 0.1, 1.0, 10.0, np.inf])
    scores = transform(values)
    assert np.all(np.diff(scores) < 0) if lower_is_better else np.all(np.diff(scores) > 0)
    assert {scores[0], scores[-1]} == {0.0, 1.0}
    assert transform(np.array([half]))[0] == 0.5
    np.testing.assert_allclose(transform.value(scores), values)
    assert np.isnan(transform(np.array([np.nan])))[0]
    worse = values * 3 if lower_is_better else values / 3
    np.testing.assert_allclose(transform(worse), worsened(scores, 3.0), rtol=1e-12)


def judged(rule: str, values: np.ndarray, metric: str, **contrast: object) -> str:
    """The verdict on a claim about SN and batch norm at setting A; `values` [2, seeds] in hundredths of the middle."""
    claim = Claim(
        name="c", source="arXiv:0", sentence="It holds.", rule=rule,
        contrast={"metric": metric, "settings": ("A",), "datasets": ("cifar10",), "method": "sn", **contrast},
    )  # fmt: skip
    table = table_of(values[:, None, :], ("sn", "batch-norm"), settings=("A",), metric=metric)
    return judge([claim], {metric: table})[0].verdict


@pytest.mark.parametrize(("ratio", "verdict"), [(4.0, "supported"), (1.5, "undecided"), (0.5, "contradicted")])
@pytest.mark.parametrize("metric", ["entropy-rank", "seconds-per-update"])
def test_times_better_needs_the_factor_and_is_contradicted_by_the_other_direction(
    metric: str, ratio: float, verdict: str
) -> None:
    noise = 1 + 0.01 * np.array([1.0, -1.0, 0.5, -0.5, 0.0])
    better = ratio if metric == "entropy-rank" else 1 / ratio
    assert (
        judged("times-better", 100 * np.stack([better * noise, noise[::-1]]), metric, others=("batch-norm",)) == verdict
    )


@pytest.mark.parametrize(("level", "verdict"), [(0.5, "supported"), (1.0, "undecided"), (2.0, "contradicted")])
def test_keeps_limit_compares_with_the_number(level: float, verdict: str) -> None:
    noise = 1 + 0.01 * np.array([1.0, -1.2, 0.5, -0.5, 0.2])
    half = MEASURES["largest-variance"].half
    values = np.stack([level * noise, noise]) * 100
    assert judged("keeps-limit", values, "largest-variance", limit=half) == verdict


def test_rules_refuse_what_means_nothing() -> None:
    with pytest.raises(InputError, match="factor of rule times-better"):
        TimesBetter(method="sn", others=("none",), factor=0.5)
    with pytest.raises(InputError, match="limit of rule keeps-limit"):
        KeepsLimit(method="sn", limit=0.0)
    assert {"times-better", "keeps-limit"} <= set(RULES)


def test_a_measure_without_values_was_not_measured() -> None:
    claim = Claim(
        name="c", source="arXiv:0", sentence="It holds.", rule="keeps-limit",
        contrast={"metric": "largest-variance", "method": "sn", "limit": 1.0, "settings": ("A",)},
    )  # fmt: skip
    assert judge([claim], {})[0].explanation.startswith("Largest variance x fan-in")


@pytest.mark.parametrize("name", MEASURES)
def test_measures_say_what_they_are(name: str) -> None:
    found = MEASURES[name]
    assert found.name == name
    assert found.title
    assert found.half > 0
    assert 0 <= found.start <= found.end <= 1


def course(values: dict[int, float | None], name: str) -> float | None:
    """The measure of one run with these scores by update."""
    frame = pd.DataFrame([(FIRST, update, value) for update, value in values.items()],
                         columns=["digest", "update", "value"])  # fmt: skip
    return MEASURES[name].values(frame, TRIALS).get(FIRST)


def test_a_course_compares_the_end_with_the_best() -> None:
    assert isinstance(MEASURES["late-loss"], CourseMeasure)
    assert course({5: 40.0, 10: 20.0, 20: 30.0}, "late-loss") == pytest.approx(1.5)
    assert course({5: 40.0, 20: 30.0}, "late-loss") == 1.0
    assert course({5: 40.0, 10: 20.0}, "late-loss") is None, "the run has no last score"
    # Inception Scores of 2 and 3 in the first quarter, 5 at the end: 1 / (IS - 1) falls from 1/2 to 1/4.
    assert course({2: 2.0, 5: 3.0, 10: 9.0, 20: 5.0}, "late-gain") == pytest.approx(0.5)
    assert course({10: 9.0, 20: 5.0}, "late-gain") is None, "nothing was measured in the first quarter"


def test_a_run_that_gets_worse_at_the_end_scores_less() -> None:
    stays, falls = (course({10: 20.0, 20: end}, "late-loss") for end in (20.0, 60.0))
    transform = MeasureTransform(metric="late-loss", half=1.0, title="", lower_is_better=True)
    assert stays is not None
    assert falls is not None
    assert transform(np.array([stays, falls])) == pytest.approx([0.5, 0.25])
