"""CIFAR-10's two official versions, on small files of the same formats, and on the real ones where they are."""

import hashlib
import io
import os
import pickle
import socket
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from sngan.datasets import Dataset, open_dataset
from sngan.datasets.cache import build, open_prepared
from sngan.datasets.cifar10 import (
    ARCHIVE_MD5,
    BINARY,
    OFFLINE_HINT,
    PYTHON,
    URL,
    OfficialFiles,
    find_files,
    write_splits,
)
from sngan.datasets.official import download
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError

NUM_RECORDS = 4
# Of the real data set; both official versions must give it.
CIFAR10 = "6a73a2ab676e89d214ee4aa94cab4d29009792690810a32272cc3e258f266114"


class Python2Pickler(pickle._Pickler):  # the pure Python pickler, which can be altered
    """Writes what Python 2 and NumPy 1 wrote: byte strings, 0 and 1 for booleans, NumPy's old module names."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value: str | bytes) -> None:
        data = value.encode("latin-1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    def save_bool(self, value: bool) -> None:
        self.save_long(int(value))

    dispatch[str] = dispatch[bytes] = save_bytes
    dispatch[bool] = save_bool


def pickled(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b"numpy._core", b"numpy.core")


def records(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [4, 3072] and labels [4] of the file with this number."""
    stream = np.random.Generator(np.random.Philox(number))
    return stream.integers(0, 256, (NUM_RECORDS, 3072), dtype=np.uint8), stream.integers(0, 10, NUM_RECORDS)


def with_md5s(files: OfficialFiles, folder: Path) -> OfficialFiles:
    """`files` for the content of `folder` instead of the official one."""
    splits = {
        split: {name: hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest() for name in md5s}
        for split, md5s in files.splits.items()
    }
    return replace(files, splits=splits)


@pytest.fixture
def binary(tmp_path: Path) -> tuple[Path, OfficialFiles]:
    folder = tmp_path / "data" / BINARY.folder
    folder.mkdir(parents=True)
    for number, name in enumerate(BINARY.names):
        images, labels = records(number)
        (folder / name).write_bytes(np.concatenate([labels[:, None].astype(np.uint8), images], 1).tobytes())
    return folder, with_md5s(BINARY, folder)


@pytest.fixture
def python(tmp_path: Path) -> tuple[Path, OfficialFiles]:
    folder = tmp_path / "data" / PYTHON.folder
    folder.mkdir(parents=True)
    for number, name in enumerate(PYTHON.names):
        images, labels = records(number)
        batch = {"batch_label": f"batch {number}", "labels": labels.tolist(), "data": images}
        (folder / name).write_bytes(pickled(batch))
    return folder, with_md5s(PYTHON, folder)


def prepare(cache_dir: Path, folder: Path, files: OfficialFiles) -> Dataset:
    def fill(partial_folder: Path):
        writer = DatasetWriter(partial_folder, channels=3, image_size=32, num_classes=10)
        write_splits(writer, folder, files, num_records=NUM_RECORDS)
        return writer.manifest(files.folder, 1)

    (cache_dir / "datasets").mkdir(parents=True, exist_ok=True)
    return open_prepared(build(cache_dir, "key", fill))


@pytest.mark.parametrize("version", ["binary", "python"])
def test_images_and_labels_are_those_of_the_files(version: str, tmp_path: Path, request) -> None:
    dataset = prepare(tmp_path / "cache", *request.getfixturevalue(version))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 20, "test": 4}
    images, labels = zip(*map(records, range(6)), strict=True)
    found = np.concatenate([dataset.splits[name].images for name in ("train", "test")])
    assert np.array_equal(found, np.concatenate(images).reshape(24, 3, 32, 32))
    found_labels = np.concatenate([dataset.splits[name].labels for name in ("train", "test")])
    assert np.array_equal(found_labels, np.concatenate(labels))


def test_both_versions_are_the_same_data_set(tmp_path: Path, binary, python) -> None:
    digests = {prepare(tmp_path / "cache", *version).digest for version in (binary, python)}
    assert len(digests) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("version", ["binary", "python"])
def test_a_wrong_md5_names_the_file_and_both_sums(version: str, tmp_path: Path, request) -> None:
    folder, files = request.getfixturevalue(version)
    name = files.names[2]
    data = bytearray((folder / name).read_bytes())
    data[-100] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        prepare(tmp_path / "cache", folder, files)
    assert str(folder / name) in str(caught.value)
    assert hashlib.md5(data, usedforsecurity=False).hexdigest() in str(caught.value)
    assert files.splits["train"][name] in str(caught.value)
    assert list((tmp_path / "cache" / "datasets").iterdir()) == []


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def test_a_foreign_pickle_is_never_opened(tmp_path: Path, python) -> None:
    folder, files = python
    marker = tmp_path / "opened"
    (folder / "data_batch_1").write_bytes(pickle.dumps(Bomb(marker)))
    with pytest.raises(InputError, match="is not CIFAR-10's official file"):
        prepare(tmp_path / "cache", folder, files)
    assert not marker.exists()
    pickle.loads((folder / "data_batch_1").read_bytes())
    assert marker.exists(), "this file would have done harm"


@pytest.mark.parametrize("version", ["binary", "python"])
@pytest.mark.parametrize("inside", [True, False])
def test_the_folder_is_found_directly_or_one_above(version: str, inside: bool, request) -> None:
    folder, files = request.getfixturevalue(version)
    found, version_found = find_files(folder if inside else folder.parent)
    assert found == folder
    assert version_found.folder == files.folder


def test_a_complete_version_wins_over_an_incomplete_one(binary, python) -> None:
    (binary[0] / "test_batch.bin").unlink()
    assert find_files(binary[0].parent) == (python[0], PYTHON)


def test_missing_files_are_named(binary) -> None:
    folder = binary[0]
    (folder / "data_batch_3.bin").unlink()
    (folder / "test_batch.bin").unlink()
    with pytest.raises(InputError, match=r"incomplete: data_batch_3\.bin, test_batch\.bin missing") as caught:
        find_files(folder)
    assert str(folder) in str(caught.value)


def test_a_folder_without_the_files_says_what_belongs_there(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"not unpacked")
    with pytest.raises(InputError, match="holds none of CIFAR-10's official files") as caught:
        open_dataset("cifar10", cache_dir=tmp_path / "cache", data_dir=tmp_path)
    assert "data_batch_1.bin ... test_batch.bin or data_batch_1 ... test_batch" in str(caught.value)
    assert "cifar-10-batches-bin or cifar-10-batches-py" in str(caught.value)
    with pytest.raises(InputError, match="is not a folder"):
        open_dataset("cifar10", cache_dir=tmp_path / "cache", data_dir=tmp_path / "absent")


def test_files_of_the_right_names_but_another_content_are_refused(tmp_path: Path, binary) -> None:
    with pytest.raises(InputError, match=r"data_batch_1\.bin is not CIFAR-10's official file"):
        open_dataset("cifar10", cache_dir=tmp_path / "cache", data_dir=binary[0])


def test_our_sums_are_those_of_torchvision() -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    assert PYTHON.splits["train"] == dict(datasets.CIFAR10.train_list)
    assert PYTHON.splits["test"] == dict(datasets.CIFAR10.test_list)
    assert PYTHON.folder == datasets.CIFAR10.base_folder
    assert (datasets.CIFAR10.url, datasets.CIFAR10.tgz_md5) == (URL, ARCHIVE_MD5)


def test_the_official_archive_is_downloaded_checked_and_read(tmp_path: Path, server, python) -> None:
    address, served = server
    folder, files = python
    archive = served / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=files.folder)
    md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    target = tmp_path / "target"
    target.mkdir()
    download(target, f"{address}/{archive.name}", md5, hint=OFFLINE_HINT, unpack=True)
    fetched = prepare(tmp_path / "cache", target / files.folder, files)
    assert fetched.digest == prepare(tmp_path / "cache2", folder, files).digest

    with pytest.raises(InputError, match="cannot download http") as caught:
        download(tmp_path / "other", f"{address}/{archive.name}", "0" * 32, hint=OFFLINE_HINT, unpack=True)
    assert "corrupted" in str(caught.value)


def test_without_internet_the_error_says_how_to_pass_a_folder(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/cifar-10-python.tar.gz"
        with pytest.raises(InputError) as caught:
            download(tmp_path, address, "0" * 32, hint=OFFLINE_HINT, unpack=True)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"cannot download {address}: ")
    assert "--data-dir" in second
    assert "cifar-10-batches-bin" in second


def test_an_address_that_is_gone(tmp_path: Path, server) -> None:
    with pytest.raises(InputError, match="File not found"):
        download(tmp_path, f"{server[0]}/gone.tar.gz", "0" * 32, hint=OFFLINE_HINT, unpack=True)


@pytest.mark.skipif("SNGAN_TEST_CIFAR10" not in os.environ, reason="set SNGAN_TEST_CIFAR10 to CIFAR-10's folder")
def test_the_real_data_set_has_its_known_digest(tmp_path: Path) -> None:
    dataset = open_dataset("cifar10", cache_dir=tmp_path, data_dir=Path(os.environ["SNGAN_TEST_CIFAR10"]))
    assert dataset.digest == CIFAR10
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    # The first training image is the brown frog, whose first red pixels are well known; the first test image a cat.
    assert train.labels[0] == 6
    assert train.images[0, 0, 0, :4].tolist() == [59, 43, 50, 68]
    assert test.labels[0] == 3
    # Channel means on [0, 1], as published in many places: 0.4914, 0.4822, 0.4465.
    means = np.array([train.images[:, channel].mean() / 255 for channel in range(3)])
    assert np.allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
