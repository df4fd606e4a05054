"""From the store's frames to one array under one protocol; and the bounded score's properties."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sngan.errors import InputError
from sngan.metrics.catalog import METRICS
from sngan.seeding import numpy_stream
from sweeps.scores import Kind, ScoreTable, score_table
from sweeps.transforms import Transform, worsened
from tests.sweeps.score_samples import PROTOCOLS, evaluations_frame, small_preset, table_of, trials_frame

FID = PROTOCOLS["fid"]
FULL = f"{FID}-0123abcd"

Values = dict[tuple[str, str, int, int], float | None]


@pytest.fixture
def trials() -> pd.DataFrame:
    return trials_frame(small_preset())


@pytest.fixture
def values() -> Values:
    """Every cell at updates 10 and 20, best at 10 for batch norm."""
    return {
        (method, setting, seed, update): base + 10 * seed + (update if method == "batch-norm" else -update)
        for method, base in (("sn", 50.0), ("batch-norm", 60.0))
        for setting in "AD"
        for seed in (0, 1)
        for update in (10, 20)
    }


def table(trials: pd.DataFrame, values: Values, kind: Kind = "final") -> ScoreTable:
    return score_table(evaluations_frame(trials, values, FULL), trials, FID, kind)


def test_axes_follow_the_catalogs_and_values_their_cells(trials: pd.DataFrame, values: Values) -> None:
    found = table(trials.sample(frac=1, random_state=0), values)
    assert found.methods == ("batch-norm", "sn")
    assert found.settings == ("A", "D")
    assert found.seeds == (0, 1)
    assert (found.protocol, found.metric, found.lower_is_better) == (FULL, "fid", True)
    assert (found.floor, found.dataset, found.kind) == (7.8, "digits", "final")
    np.testing.assert_array_equal(found.values, [[[80, 90], [80, 90]], [[30, 40], [30, 40]]])
    assert not found.missing.any()


def test_best_is_over_all_evaluations_and_final_is_the_last(trials: pd.DataFrame, values: Values) -> None:
    best = table(trials, values, "best")
    np.testing.assert_array_equal(best.values, [[[70, 80], [70, 80]], [[30, 40], [30, 40]]])


def test_higher_is_better_for_the_inception_score(trials: pd.DataFrame, values: Values) -> None:
    name = PROTOCOLS["is"]
    found = score_table(evaluations_frame(trials, values, f"{name}-0123abcd"), trials, name, "best")
    assert found.values[0, 0, 0] == 80
    assert not found.lower_is_better


def test_diverged_failed_running_and_unmeasured_runs(values: Values) -> None:
    states = {("sn", "A", 0): "diverged", ("sn", "A", 1): "failed", ("sn", "D", 0): "running", ("sn", "D", 1): "queued"}
    trials = trials_frame(small_preset(), states)
    del values["batch-norm", "A", 0, 20]
    values["batch-norm", "A", 1, 20] = None
    expected: dict[Kind, list[list[float]]] = {
        "final": [[np.nan, np.nan], [80, 90]],
        "best": [[70, 80], [70, 80]],
    }
    for kind, numbers in expected.items():
        found = table(trials, values, kind)
        # A run that diverged is diverged, however good it was before; an unfinished or failed one is missing.
        np.testing.assert_array_equal(found.diverged[1], [[True, False], [False, False]])
        np.testing.assert_array_equal(found.missing[1], [[False, True], [True, True]])
        assert np.isnan(found.values[1]).all()
        np.testing.assert_array_equal(found.values[0], numbers)
        np.testing.assert_array_equal(found.missing[0], np.isnan(numbers))


def test_nothing_measured_is_all_missing(trials: pd.DataFrame) -> None:
    found = table(trials, {})
    assert found.missing.all()
    assert (found.protocol, found.floor) == (FID, None)
    empty = score_table(evaluations_frame(trials, {}, FULL), trials.iloc[:0], FID, "final")
    assert empty.values.shape == (0, 0, 0)


def test_two_extractors_are_never_mixed(trials: pd.DataFrame, values: Values) -> None:
    rows = pd.concat([evaluations_frame(trials, values, name) for name in (FULL, f"{FID}-ffffffff")])
    with pytest.raises(InputError, match=r"different extractors: .*-0123abcd, .*-ffffffff"):
        score_table(rows, trials, FID, "final")


def test_another_protocol_is_left_alone(trials: pd.DataFrame, values: Values) -> None:
    other = evaluations_frame(trials, {**values, ("sn", "A", 0, 20): 1.0}, "fid/gen10000-test10000-inception-0123abcd")
    rows = pd.concat([other, evaluations_frame(trials, values, FULL)])
    assert score_table(rows, trials, FID, "final").values[1, 0, 0] == 30


def test_an_unknown_protocol_is_an_input_error(trials: pd.DataFrame, values: Values) -> None:
    with pytest.raises(InputError, match="unknown protocol"):
        score_table(evaluations_frame(trials, values, FULL), trials, "fid/gen5k-test", "final")


def test_two_trials_of_one_cell_are_refused(values: Values) -> None:
    both = pd.concat([trials_frame(small_preset()), trials_frame(small_preset(config={"updates": 40}))])
    with pytest.raises(InputError, match="with seed 0 has several trials"):
        table(both, {})


@pytest.mark.parametrize("change", [{"updates": 40}, {"batch_size": 16}, {"dataset": "cifar10"}])
def test_trials_of_different_experiments_are_refused(change: dict[str, Any]) -> None:
    ours = small_preset(methods=("sn",))
    other = small_preset(methods=("none",), config={**ours.config, **change})
    with pytest.raises(InputError, match=rf"differ in config\.{next(iter(change))}: .*{next(iter(change.values()))}"):
        table(pd.concat([trials_frame(ours), trials_frame(other)]), {})


def test_what_belongs_to_a_method_may_differ() -> None:
    everything = small_preset(methods=("none", "wgan-gp", "batch-norm", "orthonormal", "sn-hinge"))
    assert len(table(trials_frame(everything), {}).methods) == 5


def test_what_a_setting_varies_in_its_name_may_differ() -> None:
    varied = small_preset(methods=("none", "sn"), settings=("C", "C(z_dim=16)", "C(n_dis=2)"))
    assert table(trials_frame(varied), {}).settings == ("C", "C(n_dis=2)", "C(z_dim=16)")


# --- Bounded scores ---


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("floor", [None, 0.0, 5.0])
def test_scores_are_bounded_strictly_monotone_and_keep_missing(metric: str, floor: float | None) -> None:
    is_share = metric in ("precision", "recall", "coverage")
    values = np.linspace(0.001, 0.999, 200) if is_share else np.linspace(1.001, 500, 200)
    scores = Transform.of(metric, floor)(values)
    assert ((scores > 0) & (scores < 1)).all()
    steps = np.diff(scores)
    assert (steps < 0).all() if METRICS[metric].lower_is_better else (steps > 0).all()
    assert np.isnan(Transform.of(metric, floor)(np.array([np.nan]))).all()


@pytest.mark.parametrize(("floor", "expected"), [(7.8, 1 / 1.1), (0.5, 1 / 1.1), (None, 1.0)])
def test_the_score_of_real_images(floor: float | None, expected: float) -> None:
    """h is ten floors, so that real images score 10 / 11 under every FID protocol."""
    assert table_of(np.ones((1, 6, 2)), ("sn",), floor=floor).real_score == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "floor", "value", "text"),
    [
        ("fid", 7.8, 78.0, "1 / (1 + FID / 78), diverged = 0"),
        ("fid", None, 100.0, "1 / (1 + FID / 100), diverged = 0"),
        ("kid", 0.001, 0.1, "1 / (1 + KID / 0.1), diverged = 0"),
        ("is", 11.24, 6.12, "1 / (1 + 5.12 / (IS - 1)), diverged = 0"),
        ("is", None, 6.0, "1 / (1 + 5 / (IS - 1)), diverged = 0"),
        ("precision", 0.9, 0.5, "Precision, diverged = 0"),
        ("recall", 0.8, 0.5, "Recall, diverged = 0"),
        ("density", 0.98, 1.0, "1 / (1 + 1 / Density), diverged = 0"),
        ("coverage", None, 0.5, "Coverage, diverged = 0"),
        ("fid-infinity", 3.0, 30.0, "1 / (1 + FID∞ / 30), diverged = 0"),
        ("fid-infinity", -0.1, 100.0, "1 / (1 + FID∞ / 100), diverged = 0"),
        ("intra-fid", 15.3, 153.0, "1 / (1 + Intra-class FID / 153), diverged = 0"),
    ],
)
def test_half_points_and_the_formula_that_figures_state(
    metric: str, floor: float | None, value: float, text: str
) -> None:
    transform = Transform.of(metric, floor)
    assert transform(np.array([value]))[0] == pytest.approx(0.5)
    assert transform.text == text


def test_ends_of_the_scale() -> None:
    assert Transform.of("fid", None)(np.array([0.0]))[0] == 1
    assert Transform.of("kid", None)(np.array([-0.002]))[0] == 1
    assert Transform.of("fid-infinity", None)(np.array([-0.4]))[0] == 1
    assert Transform.of("is", None)(np.array([1.0]))[0] == 0
    for share in ("precision", "recall", "coverage"):
        np.testing.assert_array_equal(Transform.of(share, 0.9)(np.array([0.0, 1.0])), [0, 1])
    assert Transform.of("density", None)(np.array([0.0]))[0] == 0


@pytest.mark.parametrize("metric", ["fid", "is"])
def test_diverged_scores_zero_and_stands_at_the_worst_end(metric: str) -> None:
    diverged = np.array([[[True, False, False]]])
    found = table_of(np.array([[[5.0, 9999.0 if metric == "fid" else 1.01, np.nan]]]), ["sn"], settings="A",
                     diverged=diverged, metric=metric)  # fmt: skip
    scores = found.scores[0, 0]
    assert scores[0] == 0 < scores[1]
    assert np.isnan(scores[2])
    assert found.ordered[0, 0, 0] == (np.inf if metric == "fid" else -np.inf)
    np.testing.assert_array_equal(found.missing[0, 0], [False, False, True])


@pytest.mark.parametrize("factor", [1.0, 1.25, 2.0, 10.0])
def test_worsened_is_the_score_of_a_fid_times_a_factor(factor: float) -> None:
    values = numpy_stream(0, "bootstrap").uniform(1, 400, 50)
    fid, inception = Transform.of("fid", 7.8), Transform.of("is", 11.24)
    np.testing.assert_allclose(worsened(fid(values), factor), fid(values * factor))
    np.testing.assert_allclose(worsened(inception(1 + values), factor), inception(1 + values / factor))
    assert worsened(np.array([0.0]), factor)[0] == 0


def test_pick_takes_settings_in_the_order_asked_for() -> None:
    found = table_of(np.arange(12.0).reshape(2, 3, 2), ["sn", "none"], settings="ABC")
    np.testing.assert_array_equal(found.pick_ordered("none", ["C", "A"]), [[10, 11], [6, 7]])
    np.testing.assert_allclose(found.pick("sn"), found.scores[0])
