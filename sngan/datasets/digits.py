"""The handwritten digits that scikit-learn bundles: small, without a download, the embedded default."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sngan.datasets.base import DATASETS, DatasetEntry
from sngan.datasets.writer import DatasetWriter
from sngan.seeding import numpy_stream

NUM_TRAIN, NUM_TEST = 1197, 600


def _prepare(writer: DatasetWriter, data_dir: Path | None) -> None:  # noqa: ARG001  (nothing to fetch)
    from sklearn.datasets import (
        load_digits,
    )  # imported here: it takes a second, and only the first use needs it

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, np.newaxis]
    labels = bunch.target.astype(np.int64)
    is_test = test_mask(labels, NUM_TEST)
    for name, chosen in (("train", ~is_test), ("test", is_test)):
        with writer.split(name, int(chosen.sum())) as split:
            split.append(images[chosen], labels[chosen])


def test_mask(labels: NDArray[np.int64], num_test: int) -> NDArray[np.bool_]:
    """Bool [N]: which images are the test split, each class in its share (largest remainders).

    Each image draws 64 bits from the stream (0, "data"), which no trial uses; the images of a class with the
    smallest draws are its test images. Raw bits, because NumPy promises them to be the same in every version,
    and a permutation not. Both splits keep the order of the source.
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * num_test / len(labels)
    quotas = np.floor(shares).astype(np.int64)
    remainders = np.argsort(quotas - shares, kind="stable")
    quotas[remainders[: num_test - quotas.sum()]] += 1
    draws = numpy_stream(0, "data").bit_generator.random_raw(len(labels))
    mask = np.zeros(len(labels), bool)
    for label, quota in zip(classes, quotas, strict=True):
        members = np.flatnonzero(labels == label)
        mask[members[np.argsort(draws[members], kind="stable")[:quota]]] = True
    return mask


DATASETS.add(
    "digits",
    DatasetEntry(
        name="digits",
        version=1,
        source="Alpaydin and Kaynak 1998, UCI Optical Recognition of Handwritten Digits, as in scikit-learn",
        channels=1,
        image_size=8,
        num_classes=10,
        num_images={"train": NUM_TRAIN, "test": NUM_TEST},
        download_mb=0,
        prepare=_prepare,
    ),
)
