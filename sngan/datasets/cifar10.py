"""CIFAR-10 from its official files, binary or Python version, in a folder of the user's or downloaded.

Both versions hold the same images in the same order, so the prepared set does not depend on which was used.
"""

import hashlib
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sngan.datasets.base import DATASETS, DatasetEntry
from sngan.datasets.official import download, wrong_md5
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
Records = tuple[NDArray[np.uint8], NDArray[np.int64]]
OFFLINE_HINT = (
    "Without internet, pass the folder of the official files (cifar-10-batches-bin or cifar-10-batches-py)"
    " with --data-dir."
)


@dataclass(frozen=True, kw_only=True)
class OfficialFiles:
    """An official version: the folder's usual name, split -> file -> md5, and how to read a file's bytes."""

    folder: str
    splits: Mapping[str, Mapping[str, str]]
    read: Callable[[bytes], Records]

    @property
    def names(self) -> list[str]:
        """Every file, training files first."""
        return [name for files in self.splits.values() for name in files]


def read_binary(data: bytes) -> Records:
    """Images [n, 3, 32, 32] and labels [n] of a binary file: records of a label and 3,072 pixels, bytes."""
    records = np.frombuffer(data, np.uint8).reshape(-1, 1 + 3072)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def read_python(data: bytes) -> Records:
    """Images [n, 3, 32, 32] and labels [n] of a pickle that Python 2 wrote. The bytes must be trusted."""
    with warnings.catch_warnings():
        # NumPy 2.4.0 to 2.4.4 complains about how NumPy 1 pickled a dtype; other versions do not.
        warnings.filterwarnings("ignore", r"dtype\(\): align", np.exceptions.VisibleDeprecationWarning)
        batch = pickle.loads(data, encoding="latin1")  # noqa: S301  (its md5 is that of the official file)
    return batch["data"].reshape(-1, 3, 32, 32), np.array(batch["labels"], np.int64)


BINARY = OfficialFiles(
    folder="cifar-10-batches-bin",
    splits={
        "train": {
            "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
            "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
            "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
            "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
            "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
        },
        "test": {"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
    },
    read=read_binary,
)
PYTHON = OfficialFiles(
    folder="cifar-10-batches-py",
    splits={
        "train": {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
    },
    read=read_python,
)


def find_files(data_dir: Path, versions: Sequence[OfficialFiles] = (BINARY, PYTHON)) -> tuple[Path, OfficialFiles]:
    """The folder, `data_dir` itself or one in it, and the version that is complete there.

    Raises InputError that names the missing files.
    """
    places = [(folder, files) for files in versions for folder in (data_dir, data_dir / files.folder)]
    missing = [[name for name in files.names if not (folder / name).is_file()] for folder, files in places]
    best = min(range(len(places)), key=lambda place: len(missing[place]))
    folder, files = places[best]
    if len(missing[best]) == len(files.names):
        wanted = " or ".join(f"{version.names[0]} ... {version.names[-1]}" for version in versions)
        state = "holds none of CIFAR-10's official files" if data_dir.is_dir() else "is not a folder"
        raise InputError(
            f"the data folder {data_dir} {state}.\nIt must hold {wanted}, directly or in "
            f"{' or '.join(version.folder for version in versions)}."
        )
    if missing[best]:
        raise InputError(
            f"CIFAR-10 in {folder} is incomplete: {', '.join(missing[best])} missing.\n"
            f"All of {', '.join(files.names)} are needed."
        )
    return folder, files


def write_splits(writer: DatasetWriter, folder: Path, files: OfficialFiles, *, num_records: int = 10_000) -> None:
    """Check and write every file of a complete folder; `num_records` are in each file.

    Raises InputError for a file whose md5 is not the official one.
    """
    for split_name, md5s in files.splits.items():
        with writer.split(split_name, num_records * len(md5s)) as split:
            for name, md5 in md5s.items():
                split.append(*files.read(_checked_bytes(folder / name, md5)))


def _checked_bytes(path: Path, official: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from None
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != official:
        raise wrong_md5(path, "CIFAR-10", found, official)
    return data


def _prepare(writer: DatasetWriter, data_dir: Path | None) -> None:
    if data_dir is not None:
        write_splits(writer, *find_files(data_dir))
        return
    with writer.scratch() as scratch:
        download(scratch, URL, ARCHIVE_MD5, hint=OFFLINE_HINT, unpack=True)
        write_splits(writer, scratch / PYTHON.folder, PYTHON)


DATASETS.add(
    "cifar10",
    DatasetEntry(
        name="cifar10",
        version=1,
        source="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        channels=3,
        image_size=32,
        num_classes=10,
        num_images={"train": 50_000, "test": 10_000},
        download_mb=170,
        prepare=_prepare,
    ),
)
