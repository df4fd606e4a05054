"""Names, the embedded digits, and what the shared contract cannot know about them."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sngan.datasets import Dataset, open_dataset
from sngan.datasets.digits import test_mask as choose_test_images
from sngan.errors import InputError

# Stored results and the shipped digits classifier refer to this content: if it must change, raise the version.
DIGITS = "0eecbf38f5964a6b7de5983934ec6fd553b6e9210939062755dc0a96bf39ccb0"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset("digits", cache_dir=tmp_path_factory.mktemp("cache"))


def test_digits_content_never_changes(digits: Dataset) -> None:
    assert digits.digest == DIGITS


def test_digits_are_scikit_learns_with_white_at_255(digits: Dataset) -> None:
    bunch = load_digits()
    images = np.concatenate([split.images[:, 0] for split in digits.splits.values()])
    assert set(np.unique(images)) == {round(value * 255 / 16) for value in range(17)}
    restored = np.rint(images / 255 * 16).reshape(len(images), -1)
    assert sorted(map(tuple, restored)) == sorted(map(tuple, bunch.data))


def test_digits_keep_their_labels_and_order(digits: Dataset) -> None:
    bunch = load_digits()
    is_test = choose_test_images(bunch.target, 600)
    for split, chosen in ((digits.splits["train"], ~is_test), (digits.splits["test"], is_test)):
        assert np.array_equal(split.labels, bunch.target[chosen])
        assert np.array_equal(np.rint(split.images[:, 0] / 255 * 16), bunch.images[chosen])


def test_the_split_is_stratified_and_exact() -> None:
    labels = np.repeat([0, 1, 2], [10, 35, 56])
    mask = choose_test_images(labels, 34)
    assert mask.sum() == 34
    # Shares 3.37, 11.78, 18.85: the two largest remainders are rounded up.
    assert np.bincount(labels[mask]).tolist() == [3, 12, 19]


def test_the_split_mixes_the_writers(digits: Dataset) -> None:
    """The source is ordered by writer, so a test set from one end would be of other hands."""
    positions = np.flatnonzero(choose_test_images(load_digits().target, 600))
    assert abs(positions.mean() / 1796 - 0.5) < 0.03
    assert np.diff(positions).max() < 40


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("digist", ["unknown data set 'digist'. Did you mean 'digits'?", "cifar10"]),
        ("images-zz", ["unknown data set 'images-zz'."]),
        ("images-../../../etc", ["unknown data set"]),
        ("images-0123456789ab", ["'images-0123456789ab' is not in the cache", "python -m sngan prepare SOURCE"]),
    ],
)
def test_unknown_names(name: str, lines: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_dataset(name, cache_dir=tmp_path)
    assert len(str(caught.value).splitlines()) == 2
    for line in lines:
        assert line in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_split_is_answered_with_the_known_ones(digits: Dataset) -> None:
    assert len(digits.split("test")) == 600
    with pytest.raises(InputError, match=r"'tset'. Did you mean 'test'\?\nKnown: test, train"):
        digits.split("tset")
