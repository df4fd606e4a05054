"""The evaluator on real digits: what is measured, what is shared, what is cached, and what divergence looks like."""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import torch
from torch import Tensor

from sngan.datasets import Dataset, ImageSplit, open_dataset
from sngan.errors import InputError
from sngan.metrics import evaluator as evaluator_module
from sngan.metrics.digits_cnn import DigitsExtractor
from sngan.metrics.evaluator import Evaluator, cached_evaluator
from sngan.metrics.extractor_base import Extractor
from sngan.metrics.samples import BLOCK, Needs, StreamedSample
from sngan.results import RunOptions, Score

ALL = ("fid/gen600-test600-digits", "kid/gen600-test600-digits", "is/gen600x1-digits")


@pytest.fixture
def digits(cache_dir: Path) -> Dataset:
    return open_dataset("digits", cache_dir=cache_dir)


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    """An empty cache of references for every test."""
    return RunOptions(cache_dir=tmp_path)


@pytest.fixture
def train_images(digits: Dataset) -> Tensor:
    return torch.tensor(digits.split("train").images)


def batches(images: Tensor, size: int = 64) -> Callable[[int], Iterator[Tensor]]:
    return lambda n: iter(images[:n].split(size))


def values(scores: tuple[Score, ...]) -> list[float]:
    assert all(score.value is not None for score in scores)
    return [score.value for score in scores if score.value is not None]


def noisy(images: Tensor, level: float) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + level * noise).clamp(0, 255).to(torch.uint8)


def test_a_score_carries_its_whole_protocol(digits: Dataset, options: RunOptions, train_images: Tensor) -> None:
    evaluator = Evaluator([*ALL, ALL[0]], digits, options)
    scores = evaluator.evaluate(batches(train_images))
    identity = evaluator.extractors["digits"]
    assert [score.protocol for score in scores] == [f"{name}-{identity[-8:]}" for name in ALL]
    fid, kid, inception = scores
    assert (fid.metric, fid.num_generated, fid.num_real, fid.split) == ("fid", 600, 600, "test")
    assert (inception.metric, inception.num_generated, inception.num_real, inception.split) == ("is", 600, 0, "")
    assert {score.extractor for score in scores} == {identity}
    assert kid.spread is None  # 600 of 600: there is one subset


def test_real_images_of_the_other_split_score_their_floor(
    digits: Dataset, options: RunOptions, train_images: Tensor
) -> None:
    fid, kid, inception = Evaluator(ALL, digits, options).evaluate(batches(train_images))
    assert fid.value == pytest.approx(fid.floor)
    assert kid.value == pytest.approx(kid.floor)
    (of_test,) = Evaluator(ALL[2:], digits, options).evaluate(batches(torch.tensor(digits.split("test").images)))
    assert inception.floor == pytest.approx(of_test.value)


def test_the_test_split_is_at_no_distance_from_itself(digits: Dataset, options: RunOptions) -> None:
    fid, kid = Evaluator(ALL[:2], digits, options).evaluate(batches(torch.tensor(digits.split("test").images)))
    assert fid.value == pytest.approx(0, abs=1e-6)
    assert kid.value is not None
    assert kid.value < 0  # unbiased: equal sets look closer than independent ones
    assert fid.floor is not None
    assert fid.floor > 1


def test_noise_and_collapse_make_every_metric_worse(digits: Dataset, options: RunOptions, train_images: Tensor) -> None:
    evaluator = Evaluator(ALL, digits, options)
    labels = torch.tensor(digits.split("train").labels)
    few = train_images[labels < 3].repeat(3, 1, 1, 1)
    steps = [train_images, noisy(train_images, 30), noisy(train_images, 90), noisy(train_images, 180)]
    by_noise = np.array([values(evaluator.evaluate(batches(images))) for images in steps])
    assert (np.diff(by_noise[:, 0]) > 0).all()
    assert (np.diff(by_noise[:, 1]) > 0).all()
    assert (np.diff(by_noise[:, 2]) < 0).all()
    fid, kid, inception = values(evaluator.evaluate(batches(few)))
    assert fid > 10 * by_noise[0, 0]
    assert kid > 100
    assert inception == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize("size", [1200, 600, 100, 37])
def test_the_batch_size_does_not_matter(digits: Dataset, options: RunOptions, train_images: Tensor, size: int) -> None:
    evaluator = Evaluator(ALL, digits, options)
    expected = values(evaluator.evaluate(batches(train_images, 200)))
    assert values(evaluator.evaluate(batches(train_images, size))) == pytest.approx(expected, rel=1e-4)


def test_all_protocols_share_one_pass_and_each_takes_the_first_images(
    digits: Dataset, options: RunOptions, train_images: Tensor
) -> None:
    names = ("fid/gen100-test600-digits", "is/gen50x4-digits", "fid/gen600-test600-digits", "kid/gen333-test200-digits")
    asked: list[int] = []

    def generate(n: int) -> Iterator[Tensor]:
        asked.append(n)
        return iter(train_images[:n].split(70))

    together = Evaluator(names, digits, options).evaluate(generate)
    assert asked == [600]
    for name, score in zip(names, together, strict=True):
        (alone,) = Evaluator([name], digits, options).evaluate(batches(train_images))
        assert score.protocol == alone.protocol
        assert score.value == pytest.approx(alone.value, rel=1e-5)
    assert together[1].spread is not None
    assert together[3].spread is not None


def test_seconds_add_up_to_what_the_call_took(digits: Dataset, options: RunOptions, train_images: Tensor) -> None:
    evaluator = Evaluator(("fid/gen100-test600-digits", "is/gen600x1-digits"), digits, options)
    evaluator.prepare()
    started = perf_counter()
    few, many = evaluator.evaluate(batches(train_images, 10))
    wall_s = perf_counter() - started
    assert 0.5 * wall_s < few.seconds + many.seconds <= wall_s
    assert few.seconds > 0


def hollow(dataset: Dataset) -> Dataset:
    """The same data set by its digest, with black images: whoever looks at them gets other numbers."""
    splits = {
        name: ImageSplit(images=np.zeros_like(split.images), labels=None) for name, split in dataset.splits.items()
    }
    return dataclasses.replace(dataset, splits=splits)


def test_references_and_floors_are_measured_once_per_machine(
    digits: Dataset, options: RunOptions, train_images: Tensor
) -> None:
    first = Evaluator(ALL, digits, options).evaluate(batches(train_images))
    again = Evaluator(ALL, hollow(digits), options).evaluate(batches(train_images))
    for score, expected in zip(again, first, strict=True):
        assert (score.value, score.floor) == (expected.value, expected.floor)
    other = dataclasses.replace(hollow(digits), digest="0" * 64)
    (fid, *_) = Evaluator(ALL, other, options).evaluate(batches(train_images))
    assert fid.value is not None
    assert first[0].value is not None
    assert fid.value > 10 * first[0].value


def test_a_damaged_reference_is_measured_again(
    digits: Dataset, options: RunOptions, train_images: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    expected = values(Evaluator(ALL, digits, options).evaluate(batches(train_images)))
    files = list((options.cache_dir / "references").glob("*.npz"))
    assert len(files) >= 4
    for file in files:
        file.write_bytes(file.read_bytes()[:200])
    with caplog.at_level(logging.WARNING):
        assert values(Evaluator(ALL, digits, options).evaluate(batches(train_images))) == expected
    assert [record.levelname for record in caplog.records] == ["WARNING"] * len(files)


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("fid/gen1000-test600-digits", True),
        ("fid/gen600-train1197-digits", True),
        ("fid/gen700-train1197-digits", False),  # the test split has 600 images
        ("fid/gen1200-test600-digits", False),  # the train split has 1197
        ("is/gen60x10-digits", True),
        ("is/gen100x10-digits", False),
    ],
)
def test_a_floor_is_what_enough_real_images_give(digits: Dataset, options: RunOptions, name: str, floor: bool) -> None:
    evaluator = Evaluator([name], digits, options)
    (value,) = evaluator.floors().values()
    assert (value is not None) == floor
    if value is not None:
        assert 0 < value < 11


def test_the_inception_scores_floor_is_of_images_that_are_not_trained_on(digits: Dataset, options: RunOptions) -> None:
    train, test = digits.splits["train"], digits.splits["test"]
    few = ImageSplit(images=test.images[:100], labels=None)
    (expected,) = Evaluator(ALL[2:], digits, options).floors().values()
    for splits in ({"train": train, "val": test}, {"train": train, "val": test, "test": few}):
        other = dataclasses.replace(digits, digest=f"{len(splits):064}", splits=splits)
        (value,) = Evaluator(ALL[2:], other, options).floors().values()
        assert value == expected
    seen = dataclasses.replace(digits, digest="1" * 64, splits={"train": train})
    assert list(Evaluator(ALL[2:], seen, options).floors().values()) == [None]


def test_floors_report_their_progress(digits: Dataset, options: RunOptions) -> None:
    seen: list[tuple[str, int, int]] = []
    Evaluator(ALL, digits, options).floors(lambda what, done, total: seen.append((what, done, total)))
    assert seen
    assert all(0 < done <= total == 600 for _, done, total in seen)
    assert any("digits train" in what for what, _, _ in seen)


def test_more_real_images_than_there_are_is_an_error_that_names_the_size(digits: Dataset, options: RunOptions) -> None:
    with pytest.raises(InputError, match="needs 10000 real images, but split 'test' of data set 'digits' has 600"):
        Evaluator(["fid/gen600-test10000-digits"], digits, options)


def test_a_split_or_an_image_size_that_does_not_fit_is_an_error(digits: Dataset, options: RunOptions) -> None:
    with pytest.raises(InputError, match="unknown split of data set 'digits': 'valid'"):
        Evaluator(["fid/gen600-valid600-digits"], digits, options)
    with pytest.raises(InputError, match="grey images of 8 x 8"):
        Evaluator(ALL, dataclasses.replace(digits, channels=3, image_size=32), options)


def test_a_caution_is_given_once(
    digits: Dataset, options: RunOptions, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sngan.metrics.evaluator._given_warnings", set())
    for _ in range(2):
        Evaluator(["fid/gen64-test100-digits", "fid/gen65-test65-digits", "kid/gen60-test60-digits"], digits, options)
    (record,) = caplog.records
    assert "fid/gen64-test100-digits: 64 images are few for covariances of 64 features" in record.getMessage()


def test_images_that_are_not_finite_have_no_score(digits: Dataset, options: RunOptions, train_images: Tensor) -> None:
    def generate(n: int) -> Iterator[Tensor]:
        yield train_images[:100]
        yield torch.full((100, 1, 8, 8), torch.nan)

    scores = Evaluator(ALL, digits, options).evaluate(generate)
    assert [score.value for score in scores] == [None] * 3
    assert [score.spread for score in scores] == [None] * 3
    assert all(score.floor is not None for score in scores)


def test_features_that_are_not_finite_have_no_score(
    digits: Dataset, options: RunOptions, train_images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluator = Evaluator(ALL, digits, options)
    evaluator.prepare()
    real = DigitsExtractor.features

    def overflow(self: DigitsExtractor, images: Tensor) -> tuple[Tensor, Tensor | None]:
        features, logits = real(self, images)
        return torch.where(features > 2, torch.inf, features), logits

    monkeypatch.setattr(DigitsExtractor, "features", overflow)
    assert [score.value for score in evaluator.evaluate(batches(train_images))] == [None] * 3


def test_a_generator_that_stops_early_or_gives_floats_is_a_bug(
    digits: Dataset, options: RunOptions, train_images: Tensor
) -> None:
    evaluator = Evaluator(ALL, digits, options)
    with pytest.raises(AssertionError, match="600 images were asked for, 599 came"):
        evaluator.evaluate(lambda n: iter(train_images[: n - 1].split(100)))
    with pytest.raises(AssertionError, match="uint8"):
        evaluator.evaluate(lambda n: iter(train_images[:n].float().split(100)))


def test_no_protocol_measures_nothing(digits: Dataset, options: RunOptions) -> None:
    def generate(n: int) -> Iterator[Tensor]:
        raise AssertionError("nothing is to be generated")

    assert Evaluator((), digits, options).evaluate(generate) == ()


def test_a_worker_keeps_its_last_evaluators(
    digits: Dataset, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator_module, "_cached", {})
    first = cached_evaluator(ALL, digits, options)
    assert cached_evaluator(list(ALL), digits, dataclasses.replace(options, checkpoint_every_s=1)) is first
    assert cached_evaluator(ALL[:1], digits, options) is not first
    for count in range(evaluator_module.MAX_CACHED):
        cached_evaluator([f"is/gen{10 + count}x1-digits"], digits, options)
    assert len(evaluator_module._cached) == evaluator_module.MAX_CACHED
    assert cached_evaluator(ALL, digits, options) is not first


class PixelExtractor(Extractor):
    """Pixels as features: exact, and as many as are asked for."""

    name, dim, fast = "pixels", 4, True
    hash, batch_size = "0" * 64, 1000
    has_logits = False

    def check_images(self, channels: int, height: int, width: int) -> None:
        pass

    def features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        return images.flatten(1).float(), None


@pytest.mark.parametrize("size", [7, 512, BLOCK, 5000])
def test_streamed_statistics_are_the_same_bit_for_bit_in_every_batch_size(size: int) -> None:
    count = 2 * BLOCK + 300
    images = torch.randint(0, 256, (count, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    needs = Needs(statistics=frozenset({100, BLOCK, count}), features=BLOCK + 5)
    sample, reference = StreamedSample(PixelExtractor(), needs), StreamedSample(PixelExtractor(), needs)
    reference.add(images)
    for batch in images.split(size):
        sample.add(batch)
    for n in needs.statistics:
        assert sample.statistics(n).count == n
        np.testing.assert_array_equal(sample.statistics(n).scatter, reference.statistics(n).scatter)
        np.testing.assert_allclose(
            sample.statistics(n).covariance, np.cov(images[:n].flatten(1).numpy(), rowvar=False), rtol=1e-10
        )
    np.testing.assert_array_equal(sample.features(BLOCK + 5), images[: BLOCK + 5].flatten(1).numpy())
