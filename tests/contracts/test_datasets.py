"""Every entry of the catalog keeps the contract of a data set. Sets that must be downloaded are tested where
SNGAN_TEST_<NAME> names a folder with their official files, and everywhere on small files of the same formats.
"""

import os
import re
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest

from sngan.datasets import DATASETS, Dataset, DatasetEntry
from sngan.datasets.cache import measured_digest
from sngan.datasets.catalog import open_entry
from tests.sngan.official_files import SMALL

Prepared = tuple[DatasetEntry, Path | None]


def variable(name: str) -> str:
    return "SNGAN_TEST_" + name.upper().replace("-", "_")


# Where official files are not at hand, their small likeness stands for them.
OFFICIAL = [name for name in DATASETS if name not in SMALL or variable(name) in os.environ]


@pytest.fixture(scope="module", params=[*OFFICIAL, *(f"small {name}" for name in SMALL)])
def prepared_from(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    kind, _, name = request.param.rpartition(" ")
    if kind == "small":
        data_dir = tmp_path_factory.mktemp("data")
        return SMALL[name](data_dir), data_dir
    entry = DATASETS[name]
    if entry.download_mb == 0:
        return entry, None
    if variable(name) not in os.environ:
        pytest.skip(f"{name} is not bundled: set {variable(name)} to a folder with its official files")
    return entry, Path(os.environ[variable(name)])


@pytest.fixture(scope="module")
def entry(prepared_from: Prepared) -> DatasetEntry:
    return prepared_from[0]


@pytest.fixture(scope="module")
def cache_dir(prepared_from: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def dataset(prepared_from: Prepared, cache_dir: Path) -> Dataset:
    entry, data_dir = prepared_from
    return open_entry(entry, cache_dir=cache_dir, data_dir=data_dir)


def test_the_catalog_holds_the_embedded_default_and_knows_entries_by_their_own_names() -> None:
    assert "digits" in DATASETS
    for name, entry in DATASETS.items():
        assert entry.name == name
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name)
        assert not name.startswith("images-"), "names of users' own sets"
        assert entry.version >= 1
        assert entry.source
        assert "train" in entry.num_images


def test_content_is_as_declared(entry: DatasetEntry, dataset: Dataset) -> None:
    assert (dataset.name, dataset.channels, dataset.image_size) == (
        entry.name,
        entry.channels,
        entry.image_size,
    )
    assert dataset.num_classes == entry.num_classes
    assert {name: len(split) for name, split in dataset.splits.items()} == dict(entry.num_images)


def test_images_are_read_only_memory_maps_of_bytes(entry: DatasetEntry, dataset: Dataset) -> None:
    for name, split in dataset.splits.items():
        assert isinstance(split.images, np.memmap)
        assert not split.images.flags.writeable
        assert split.images.dtype == np.uint8
        assert split.images.shape == (
            entry.num_images[name],
            entry.channels,
            entry.image_size,
            entry.image_size,
        )


def test_labels_cover_every_class_of_every_split(entry: DatasetEntry, dataset: Dataset) -> None:
    for split in dataset.splits.values():
        if entry.num_classes is None:
            assert split.labels is None
            continue
        assert split.labels is not None
        assert split.labels.dtype == np.int64
        assert np.array_equal(np.unique(split.labels), np.arange(entry.num_classes))


def test_images_use_the_range_of_a_byte_and_differ(dataset: Dataset) -> None:
    for split in dataset.splits.values():
        some = np.array(split.images[:500])
        assert some.min() <= 10
        assert some.max() >= 245
        assert len(np.unique(some.reshape(len(some), -1), axis=0)) > 0.9 * len(some)


def test_splits_share_no_image_to_speak_of(dataset: Dataset) -> None:
    known = {md5(image).digest() for image in dataset.splits["train"].images}  # all images may be 60 GB
    for name, split in dataset.splits.items():
        if name != "train":
            assert sum(md5(image).digest() in known for image in split.images) < 0.01 * len(split)


def test_the_digest_is_that_of_the_content(dataset: Dataset) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", dataset.digest)
    assert measured_digest(dataset) == dataset.digest


def test_a_second_opening_prepares_nothing(entry: DatasetEntry, dataset: Dataset, cache_dir: Path) -> None:
    def files() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in cache_dir.rglob("*.npy")}

    before = files()
    again = open_entry(entry, cache_dir=cache_dir)
    assert again.digest == dataset.digest
    assert files() == before


def test_preparing_leaves_nothing_but_the_data_set(entry: DatasetEntry, dataset: Dataset, cache_dir: Path) -> None:
    (folder,) = (path for path in (cache_dir / "datasets").iterdir() if path.suffix != ".lock")
    assert folder.name == f"{entry.name}-{entry.version}"
    kinds = ("images", "labels") if entry.num_classes else ("images",)
    arrays = {f"{split}-{kind}.npy" for split in entry.num_images for kind in kinds}
    assert {path.name for path in folder.iterdir()} == {"manifest.json", *arrays}
