"""CelebA's aligned faces at 64 pixels from the official files; the splits are the official ones.

Each face is cropped to its central 128 x 128 pixels and halved, as in the BSSN code. That code trains on all 202,599
images and compares with 5,000 of them. Here "train" is the official 162,770 of them, so that "valid" and "test" hold
images that no generator has seen.
"""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sngan.datasets.base import DATASETS, DatasetEntry
from sngan.datasets.decoding import write_source
from sngan.datasets.official import check_md5
from sngan.datasets.source import Source, SourceSplit, file_sizes, fingerprint, first_few
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError

FOLDER = "img_align_celeba"
ARCHIVE = "img_align_celeba.zip"
PARTITION = "list_eval_partition.txt"
_SPLITS = {"0": "train", "1": "valid", "2": "test"}
# As the files are laid out where they are offered, and by torchvision.
_PLACES = ("", "Img", "Eval", "celeba")
_HINT = (
    f"Fetch {ARCHIVE} and {PARTITION} from http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html and pass"
    " their folder with --data-dir."
)

_ALIGNED = (178, 218)  # width and height of every official image
_CROP = 128


@dataclass(frozen=True, kw_only=True)
class OfficialFaces:
    """What the official files hold: images per split, and the md5 of the list of splits and of the archive."""

    num_images: Mapping[str, int]
    partition_md5: str
    archive_md5: str


OFFICIAL = OfficialFaces(
    num_images={"train": 162_770, "valid": 19_867, "test": 19_962},
    partition_md5="d32c9cbf5e040fd4025c592c306e6668",
    archive_md5="00d2c5bc6d35e252742224ab0c1e8fcb",
)


def celeba_entry(official: OfficialFaces) -> DatasetEntry:
    """The data set of these files. The catalog's is that of `OFFICIAL`."""
    return DatasetEntry(
        name="celeba",
        version=1,
        source="Liu et al. 2015, Deep Learning Face Attributes in the Wild, arXiv:1411.7766; aligned and cropped",
        channels=3,
        image_size=_CROP // 2,
        num_classes=None,
        num_images=official.num_images,
        download_mb=None,
        prepare=partial(_prepare, official),
    )


def face(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 [3, 64, 64] of an aligned face: its central 128 x 128 pixels, the mean of every 2 x 2.

    Raises ValueError for an image of another size than the official 178 x 218.
    """
    if image.size != _ALIGNED:
        raise ValueError(f"{image.width} x {image.height} pixels instead of {_ALIGNED[0]} x {_ALIGNED[1]}")
    left, top = (image.width - _CROP) // 2, (image.height - _CROP) // 2
    cropped = image.convert("RGB").crop((left, top, left + _CROP, top + _CROP))
    return np.asarray(cropped.reduce(2)).transpose(2, 0, 1)


def _prepare(official: OfficialFaces, writer: DatasetWriter, data_dir: Path | None) -> None:
    if data_dir is None:
        raise InputError(f"celeba cannot be downloaded without a visit to its page.\n{_HINT}")
    partition = _find(data_dir, PARTITION)
    if partition is None:
        state = f"holds no {PARTITION}" if data_dir.is_dir() else "is not a folder"
        raise InputError(f"the data folder {data_dir} {state}.\n{_HINT}")
    check_md5(partition, "CelebA", official.partition_md5)
    splits = _read_partition(partition)
    with _opened(data_dir, official) as (place, present, load):
        wanted = [name for names in splits.values() for name in names]
        missing = [name for name in wanted if name not in present]
        if missing:
            raise InputError(
                f"CelebA in {place} is incomplete: {len(missing)} of {len(wanted)} images are missing:\n"
                f"{first_few(missing)}."
            )
        source = Source(
            channels=3,
            num_classes=None,
            splits={
                split: SourceSplit(names=names, load=partial(_load, load, names), labels=None)
                for split, names in splits.items()
            },
            fingerprint=fingerprint([place.resolve(), *(f"{name} {present[name]}" for name in wanted)]),
        )
        write_source(writer, source, face, place)


def _find(data_dir: Path, name: str) -> Path | None:
    """The file or folder of this name in one of the usual places."""
    return next((path for place in _PLACES if (path := data_dir / place / name).exists()), None)


def _read_partition(path: Path) -> dict[str, list[str]]:
    """Split -> file names, in the order of the list. Its md5 has been checked."""
    splits: dict[str, list[str]] = {name: [] for name in _SPLITS.values()}
    for line in path.read_text(encoding="ascii").splitlines():
        name, code = line.split()
        splits[_SPLITS[code]].append(name)
    return splits


Load = Callable[[str], Image.Image]


def _load(load: Load, names: Sequence[str], position: int) -> Image.Image:
    return load(names[position])


@contextmanager
def _opened(data_dir: Path, official: OfficialFaces) -> Iterator[tuple[Path, Mapping[str, int], Load]]:
    """Where the images are, name -> bytes, and how to load one from any thread: the folder first, then the archive."""
    folder, archive = _find(data_dir, FOLDER), _find(data_dir, ARCHIVE)
    if folder is not None and folder.is_dir():
        yield folder, file_sizes(folder), lambda name: _decoded(folder / name)
    elif archive is not None:
        check_md5(archive, "CelebA", official.archive_md5)
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if member.filename.startswith(f"{FOLDER}/")]
            present = {Path(member.filename).name: member.file_size for member in members}
            yield archive, present, lambda name: _decoded(io.BytesIO(opened.read(f"{FOLDER}/{name}")))
    else:
        raise InputError(f"the data folder {data_dir} holds neither {FOLDER}/ nor {ARCHIVE}.\n{_HINT}")


def _decoded(file: Path | io.BytesIO) -> Image.Image:
    with Image.open(file, formats=("JPEG",)) as image:
        image.load()
        return image


DATASETS.add("celeba", celeba_entry(OFFICIAL))
