"""The Inception Score against closed forms and torch-fidelity's."""

import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

from sngan.metrics.inception_score import inception_score

LOGITS = np.random.default_rng(0).normal(size=(300, 7), scale=2.0).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 10, 1008])
def test_certain_and_balanced_predictions_score_the_number_of_classes(classes: int) -> None:
    logits = np.tile(np.eye(classes) * 1e4, (3, 1))
    assert inception_score(logits, 3) == pytest.approx((classes, 0.0), abs=1e-9)


@pytest.mark.parametrize("row", [np.zeros(10), np.arange(10.0), np.eye(10)[3] * 1e5])
def test_equal_predictions_score_one(row: np.ndarray) -> None:
    assert inception_score(np.tile(row, (50, 1)), 1)[0] == pytest.approx(1.0)


def test_classes_that_never_occur_cost_what_they_should() -> None:
    logits = np.eye(10)[np.arange(90) % 3] * 1e4  # mode collapse to three classes
    assert inception_score(logits, 1)[0] == pytest.approx(3.0)


def test_collapse_and_doubt_lower_the_score() -> None:
    certain = np.eye(10)[np.arange(1000) % 10] * 8.0
    scores = [inception_score(certain[np.arange(1000) % 10 < kept], 1)[0] for kept in (10, 8, 5, 2)]
    assert scores == sorted(scores, reverse=True)
    scores = [inception_score(certain * sharpness, 1)[0] for sharpness in (1, 0.5, 0.2, 0)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == pytest.approx(1.0)


def test_every_repeat_has_its_own_images() -> None:
    mean, spread = inception_score(LOGITS, 3)
    parts = [inception_score(part, 1)[0] for part in np.split(LOGITS, 3)]
    assert mean == pytest.approx(np.mean(parts))
    assert spread == pytest.approx(np.std(parts))


@pytest.mark.parametrize("repeats", [1, 5, 10])
def test_it_agrees_with_torch_fidelity(repeats: int) -> None:
    theirs = isc_features_to_metric(torch.from_numpy(LOGITS), splits=repeats, shuffle=False)
    expected = (theirs[KEY_METRIC_ISC_MEAN], theirs[KEY_METRIC_ISC_STD])
    assert inception_score(LOGITS, repeats) == pytest.approx(expected, rel=1e-10, abs=1e-12)
