"""The evaluator where protocols share work, and where they go class by class: on real digits."""

import dataclasses
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sngan.datasets import Dataset, ImageSplit, open_dataset
from sngan.errors import InputError
from sngan.metrics import measuring, samples
from sngan.metrics.evaluator import Evaluator
from sngan.metrics.measuring import grouped
from sngan.metrics.neighbours import NEIGHBOURS
from sngan.metrics.protocols import parse
from sngan.metrics.statistics import FeatureStatistics
from sngan.results import RunOptions, Score

NEIGHBOUR_NAMES = tuple(f"{metric}/gen600-test600-digits" for metric in NEIGHBOURS)
INTRA = "intra-fid/gen600-test600-digits"
FID = "fid/gen600-test600-digits"
INFINITY = "fid-infinity/gen600-test600-digits"


@pytest.fixture
def digits(cache_dir: Path) -> Dataset:
    return open_dataset("digits", cache_dir=cache_dir)


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    """An empty cache of references for every test."""
    return RunOptions(cache_dir=tmp_path)


@pytest.fixture
def images(digits: Dataset) -> Tensor:
    return torch.tensor(digits.split("train").images)


@pytest.fixture
def labels(digits: Dataset) -> Tensor:
    return torch.tensor(digits.split("train").labels)


def batches(images: Tensor) -> Callable[[int], Iterator[Tensor]]:
    return lambda n: iter(images[:n].split(64))


def of_class(images: Tensor, labels: Tensor) -> Callable[[int, int], Iterator[Tensor]]:
    """A conditional generator that knows these images by heart."""
    return lambda label, n: iter(images[labels == label][:n].split(17))


def by_metric(scores: tuple[Score, ...]) -> dict[str, float]:
    return {score.metric: score.value for score in scores if score.value is not None}


def count_calls(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[int]:
    """Sizes of the first argument at every call of a function, which still does its work."""
    calls: list[int] = []
    original = getattr(module, name)

    def counted(first: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(first))
        return original(first, *args, **kwargs)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_protocols_on_the_same_images_are_measured_together() -> None:
    names = (*NEIGHBOUR_NAMES, "recall/gen500-test600-digits", FID, INTRA, "density/gen500-test600-digits")
    groups = [[protocol.name for protocol in group] for group in grouped(map(parse, names))]
    assert groups == [[*NEIGHBOUR_NAMES], [names[4], names[7]], [FID], [INTRA]]


def test_distances_are_computed_once_for_all_and_real_ones_once_per_machine(
    digits: Dataset, options: RunOptions, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = count_calls(monkeypatch, measuring, "neighbour_scores")
    among_real = count_calls(monkeypatch, samples, "nearest_distances")
    evaluator = Evaluator(NEIGHBOUR_NAMES, digits, options)
    evaluator.prepare()
    assert (passes, among_real) == ([600], [600])  # for the floors
    evaluator.evaluate(batches(images))
    evaluator.evaluate(batches(images.flip(0)))
    Evaluator(NEIGHBOUR_NAMES, digits, options).evaluate(batches(images))
    assert (passes, among_real) == ([600] * 4, [600])


def test_together_and_alone_are_the_same(digits: Dataset, options: RunOptions, images: Tensor) -> None:
    names = (INFINITY, *NEIGHBOUR_NAMES, "precision/gen300-test600-digits")
    together = Evaluator(names, digits, options).evaluate(batches(images))
    assert [score.protocol.rpartition("-")[0] for score in together] == list(names)
    for name, score in zip(names, together, strict=True):
        (alone,) = Evaluator([name], digits, options).evaluate(batches(images))
        assert dataclasses.replace(alone, seconds=score.seconds) == score


def test_all_have_the_floor_of_real_images(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    names = (*NEIGHBOUR_NAMES, INFINITY, INTRA)
    scores = Evaluator(names, digits, options).evaluate(batches(images), of_class(images, labels))
    for score in scores:  # the other split's images in place of generated ones: just what the floor is
        assert score.value == pytest.approx(score.floor), score.metric
    found = by_metric(scores)
    assert 0.7 < found["recall"] < found["precision"] < 1
    assert 0.8 < found["coverage"] < 1
    assert found["density"] == pytest.approx(1, abs=0.1)
    assert [score.spread is not None for score in scores] == [False] * 4 + [True, False]


def test_fid_infinity_is_below_fid(digits: Dataset, options: RunOptions, images: Tensor) -> None:
    found = by_metric(Evaluator([FID, INFINITY], digits, options).evaluate(batches(images)))
    assert 0 < found["fid-infinity"] < 0.75 * found["fid"]  # what is left is the 600 real images' own bias


def test_a_collapsed_generator_keeps_precision_and_loses_recall(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    evaluator = Evaluator(NEIGHBOUR_NAMES, digits, options)
    whole = by_metric(evaluator.evaluate(batches(images)))
    few = by_metric(evaluator.evaluate(batches(images[labels < 3].repeat(2, 1, 1, 1))))
    assert few["recall"] < 0.4 * whole["recall"]
    assert few["coverage"] < 0.4 * whole["coverage"]
    assert few["precision"] > 0.9 * whole["precision"]


def test_confused_classes_are_seen_class_by_class_only(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    evaluator = Evaluator([FID, INTRA], digits, options)
    right = by_metric(evaluator.evaluate(batches(images), of_class(images, labels)))
    wrong = by_metric(evaluator.evaluate(batches(images), of_class(images, (labels + 1) % 10)))
    assert wrong["fid"] == right["fid"]
    assert wrong["intra-fid"] > 10 * right["intra-fid"]


def test_intra_class_fid_is_the_mean_over_the_classes(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    scores = Evaluator([INTRA], digits, options).evaluate(batches(images), of_class(images, labels))
    test = digits.split("test")
    assert test.labels is not None
    values = []
    for label in range(10):
        real = ImageSplit(images=test.images[test.labels == label], labels=None)
        one_class = dataclasses.replace(digits, digest=f"{label}", splits={"test": real})
        generated = images[labels == label]
        (score,) = Evaluator([f"fid/gen60-test{len(real)}-digits"], one_class, options).evaluate(batches(generated))
        values.append(score.value)
    assert by_metric(scores)["intra-fid"] == pytest.approx(np.mean(np.array(values, float)), rel=1e-6)


def test_without_classes_nothing_goes_class_by_class(digits: Dataset, options: RunOptions, images: Tensor) -> None:
    with pytest.raises(InputError, match=f"{INTRA} needs images of a given class, but this model is not conditional"):
        Evaluator([FID, INTRA], digits, options).evaluate(batches(images))
    blind = {name: dataclasses.replace(split, labels=None) for name, split in digits.splits.items()}
    with pytest.raises(InputError, match="'digits' has no labels"):
        Evaluator([INTRA], dataclasses.replace(digits, splits=blind, num_classes=None), options)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("intra-fid/gen605-test600-digits", "605; allowed: a multiple of digits's 10 classes"),
        ("intra-fid/gen10-test600-digits", "10; allowed: a multiple of digits's 10 classes, at least 2 for each"),
        ("intra-fid/gen600-test12-digits", "among the first 12 images of split 'test' class . has [01], and 2 are"),
        ("intra-fid/gen600-test601-digits", "needs 601 real images"),
    ],
)
def test_classes_that_cannot_be_measured_are_refused(
    digits: Dataset, options: RunOptions, name: str, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        Evaluator([name], digits, options)


def test_a_floor_needs_enough_real_images_of_every_class(digits: Dataset, options: RunOptions) -> None:
    (enough,) = Evaluator(["intra-fid/gen1100-test600-digits"], digits, options).floors().values()
    (too_few,) = Evaluator(["intra-fid/gen1190-test600-digits"], digits, options).floors().values()
    assert enough is not None  # the train split has 116 images of its rarest digit, not 119
    assert too_few is None


def test_references_of_classes_are_measured_once_per_machine(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    first = Evaluator([INTRA], digits, options).evaluate(batches(images), of_class(images, labels))
    black = {name: dataclasses.replace(split, images=np.zeros_like(split.images)) for name, split in
             digits.splits.items()}  # fmt: skip
    hollow = dataclasses.replace(digits, splits=black)
    again = Evaluator([INTRA], hollow, options).evaluate(batches(images), of_class(images, labels))
    assert by_metric(again) == by_metric(first)


def test_of_many_classes_a_few_are_kept_in_memory(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Evaluator([INTRA], digits, options).evaluate(batches(images), of_class(images, labels))
    monkeypatch.setattr(samples, "MAX_CLASSES_KEPT", 3)
    gc.collect()
    before = statistics_alive()
    evaluator = Evaluator([INTRA], digits, options)
    for _ in range(2):
        scores = evaluator.evaluate(batches(images), of_class(images, labels))
        assert by_metric(scores) == by_metric(expected)
        gc.collect()
        assert statistics_alive() - before == 3


def statistics_alive() -> int:
    return sum(type(thing) is FeatureStatistics for thing in gc.get_objects())


def test_one_class_that_is_not_finite_has_no_score(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    good = of_class(images, labels)

    def generate_class(label: int, n: int) -> Iterator[Tensor]:
        return good(label, n) if label != 7 else iter([torch.full((n, 1, 8, 8), torch.nan)])

    fid, intra = Evaluator([FID, INTRA], digits, options).evaluate(batches(images), generate_class)
    assert fid.value is not None
    assert intra.value is None
    assert intra.floor is not None


def test_images_that_are_not_finite_have_no_score(digits: Dataset, options: RunOptions, images: Tensor) -> None:
    def generate(n: int) -> Iterator[Tensor]:
        yield images[:100]
        yield torch.full((100, 1, 8, 8), torch.inf)

    scores = Evaluator((*NEIGHBOUR_NAMES, INFINITY), digits, options).evaluate(generate)
    assert [(score.value, score.spread) for score in scores] == [(None, None)] * 5


def test_seconds_add_up_and_shared_work_is_shared(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    evaluator = Evaluator((*NEIGHBOUR_NAMES, INTRA, INFINITY), digits, options)
    evaluator.prepare()
    started = perf_counter()
    scores = evaluator.evaluate(batches(images), of_class(images, labels))
    wall_s = perf_counter() - started
    assert 0.5 * wall_s < sum(score.seconds for score in scores) <= wall_s
    assert len({score.seconds for score in scores[:4]}) == 1


def test_a_conditional_generator_alone_is_enough(
    digits: Dataset, options: RunOptions, images: Tensor, labels: Tensor
) -> None:
    def generate(n: int) -> Iterator[Tensor]:
        raise AssertionError("no protocol looks at images of any class")

    (score,) = Evaluator([INTRA], digits, options).evaluate(generate, of_class(images, labels))
    assert score.value is not None
