"""STL-10 at 48 pixels from its official binary files, in a folder of the user's or downloaded.

"train" is the unlabelled set: the authors of spectral normalization trained on nothing else (github.com/pfnet-research/
sngan_projection/issues/20), and so does the BSSN code. "test" is the official test set, of which neither the
networks nor the search for settings has seen an image; it comes from the labelled ten classes only, and the
unlabelled set from more, so a floor measured between the two is above that of a mere sample. Labels are left out:
the training images have none.

The papers do not say how 96 pixels became 48. The BSSN code resizes by OpenCV's bilinear filter, which at one half
is the mean of 2 x 2 pixels; so does this file. Ports that use torchvision's filter are a little smoother.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sngan.datasets.base import DATASETS, DatasetEntry
from sngan.datasets.official import download, wrong_md5
from sngan.datasets.pixels import halve
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError

FOLDER = "stl10_binary"
ARCHIVE = "stl10_binary.tar.gz"
URL = f"http://ai.stanford.edu/~acoates/stl10/{ARCHIVE}"
ARCHIVE_MD5 = "91f7769df0f17e558f3565bffb0c7dfb"
_HINT = f"Without internet, pass the folder with {ARCHIVE} or {FOLDER}/ with --data-dir."

_SIZE = 96
_IMAGE_BYTES = 3 * _SIZE * _SIZE
_PIECE = 1000  # images read at once, 28 MB


@dataclass(frozen=True, kw_only=True)
class OfficialImages:
    """An official file of images: its name, how many it holds, its md5."""

    file: str
    num_images: int
    md5: str

    @property
    def num_bytes(self) -> int:
        """The file's size."""
        return self.num_images * _IMAGE_BYTES


OFFICIAL = {
    "train": OfficialImages(file="unlabeled_X.bin", num_images=100_000, md5="5242ba1fed5e4be9e1e742405eb56ca4"),
    "test": OfficialImages(file="test_X.bin", num_images=8_000, md5="7f263ba9f9e0b06b93213547f721ac82"),
}


def stl10_entry(
    official: Mapping[str, OfficialImages], *, url: str = URL, archive_md5: str = ARCHIVE_MD5
) -> DatasetEntry:
    """The data set of these files, split -> file, and of the archive with them. The catalog's is that of `OFFICIAL`."""
    return DatasetEntry(
        name="stl10",
        version=1,
        source="Coates et al. 2011, An Analysis of Single-Layer Networks in Unsupervised Feature Learning",
        channels=3,
        image_size=_SIZE // 2,
        num_classes=None,
        num_images={split: images.num_images for split, images in official.items()},
        download_mb=2640,
        prepare=partial(_prepare, official, url, archive_md5),
    )


def read_images(data: bytes) -> NDArray[np.uint8]:
    """Images [n, 3, 96, 96] of a binary file's bytes, in which each channel is stored column by column."""
    return np.frombuffer(data, np.uint8).reshape(-1, 3, _SIZE, _SIZE).swapaxes(2, 3)


def _prepare(
    official: Mapping[str, OfficialImages], url: str, archive_md5: str, writer: DatasetWriter, data_dir: Path | None
) -> None:
    if data_dir is not None:
        _write_splits(official, writer, data_dir)
        return
    with writer.scratch() as scratch:
        download(scratch, url, archive_md5, hint=_HINT, unpack=False)
        _write_splits(official, writer, scratch)


def _write_splits(official: Mapping[str, OfficialImages], writer: DatasetWriter, data_dir: Path) -> None:
    with _opened(data_dir, [images.file for images in official.values()]) as (place, sizes, open_file):
        _check_sizes(place, sizes, official)
        for split_name, images in official.items():
            with writer.split(split_name, images.num_images) as split, open_file(images.file) as file:
                for piece in _checked_pieces(file, place, images):
                    split.append(halve(read_images(piece)))


Opened = tuple[Path, dict[str, int], Callable[[str], IO[bytes]]]


@contextmanager
def _opened(data_dir: Path, names: list[str]) -> Iterator[Opened]:
    """Where the files are, their sizes, and how to open one: the extracted folder first, then the archive.

    Turns whatever a damaged archive raises inside the block into an InputError.
    """
    folders = [folder for folder in (data_dir, data_dir / FOLDER) if any((folder / name).is_file() for name in names)]
    archive = data_dir / ARCHIVE
    if folders and (not archive.is_file() or all((folders[0] / name).is_file() for name in names)):
        folder = folders[0]
        try:
            sizes = {name: (folder / name).stat().st_size for name in names if (folder / name).is_file()}
            yield folder, sizes, lambda name: (folder / name).open("rb")
        except OSError as error:
            raise InputError(f"cannot read {error.filename or folder}: {error.strerror or error}.") from None
        return
    if not archive.is_file():
        state = "holds none of STL-10's official files" if data_dir.is_dir() else "is not a folder"
        raise InputError(
            f"the data folder {data_dir} {state}.\nIt must hold {ARCHIVE}, or {' and '.join(names)}, directly or in "
            f"{FOLDER}."
        )
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = {Path(member.name).name: member for member in tar if member.isfile()}
            yield archive, {name: members[name].size for name in names if name in members}, _extractor(tar, members)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise InputError(
            f"{archive} is damaged or incomplete ({error}).\nIts official md5 is {ARCHIVE_MD5}; fetch it again."
        ) from None


def _extractor(tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> Callable[[str], IO[bytes]]:
    def open_member(name: str) -> IO[bytes]:
        file = tar.extractfile(members[name])
        assert file is not None, "members are files"
        return file

    return open_member


def _check_sizes(place: Path, sizes: Mapping[str, int], official: Mapping[str, OfficialImages]) -> None:
    """Raise InputError that names every file that is missing or of another size."""
    wrong = []
    for images in official.values():
        size = sizes.get(images.file)
        if size is None:
            wrong.append(f"{images.file} is missing")
        elif size != images.num_bytes:
            wrong.append(
                f"{images.file} has {size} bytes instead of {images.num_bytes}, "
                f"{min(size // _IMAGE_BYTES, images.num_images)} of {images.num_images} images"
            )
    if wrong:
        raise InputError(f"STL-10 in {place} is incomplete: {'; '.join(wrong)}.\nFetch it again from {URL}.")


def _checked_pieces(file: IO[bytes], place: Path, images: OfficialImages) -> Iterator[bytes]:
    """The file's bytes, a thousand images at a time; at the end InputError unless they have the official md5."""
    digest = hashlib.md5(usedforsecurity=False)
    for start in range(0, images.num_images, _PIECE):
        data = file.read(min(_PIECE, images.num_images - start) * _IMAGE_BYTES)
        digest.update(data)
        yield data
    if digest.hexdigest() != images.md5:
        raise wrong_md5(f"{images.file} in {place}", "STL-10", digest.hexdigest(), images.md5)


DATASETS.add("stl10", stl10_entry(OFFICIAL))
