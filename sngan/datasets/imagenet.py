"""ImageNet (ILSVRC2012) at 128 pixels from the official images, sorted into a folder for each class.

An image is cropped to its central square and resized once by Pillow's bilinear filter; grey and CMYK images become
RGB; pixels are taken as they are stored. The code of spectral normalization does the same after it has brought every
image to 256 pixels and written a JPEG of it again; the BSSN code leaves that out, as this file does, but resizes by
OpenCV's filter, which aliases when it shrinks by more than two.

Labels are positions in the sorted list of the 1,000 synsets. Each split takes the first image of every class, then the
second of every class, and so on: the first images of a split, with which metrics compare, are of all classes alike.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from sngan.datasets.base import DATASETS, DatasetEntry
from sngan.datasets.decoding import write_source
from sngan.datasets.folder_source import FORMATS
from sngan.datasets.pixels import square
from sngan.datasets.source import Source, SourceSplit, file_sizes, fingerprint, first_few
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError

ClassFiles = Mapping[str, Mapping[str, int]]  # synset -> file name -> bytes

_IMAGE_SIZE = 128
_SUFFIX = ".jpeg"
_HINT = (
    "Fetch ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz from https://image-net.org"
    " into FOLDER, sort them by torchvision.datasets.ImageNet(FOLDER, 'train') and (FOLDER, 'val'), and pass"
    " --data-dir FOLDER."
)


@dataclass(frozen=True, kw_only=True)
class OfficialClasses:
    """What the official folders hold.

    synsets : names of the class folders, sorted. num_images : per split. num_per_class : per split the fewest and
        the most images of a class (Russakovsky et al. 2015, arXiv:1409.0575, Table 2).
    """

    synsets: Sequence[str]
    num_images: Mapping[str, int]
    num_per_class: Mapping[str, tuple[int, int]]


def official_synsets() -> tuple[str, ...]:
    """The 1,000 WordNet ids of ILSVRC2012, sorted."""
    return tuple((resources.files("sngan.datasets") / "imagenet_synsets.txt").read_text(encoding="ascii").split())


OFFICIAL = OfficialClasses(
    synsets=official_synsets(),
    num_images={"train": 1_281_167, "val": 50_000},
    num_per_class={"train": (732, 1300), "val": (50, 50)},
)


def imagenet_entry(official: OfficialClasses) -> DatasetEntry:
    """The data set of these folders. The catalog's is that of `OFFICIAL`."""
    return DatasetEntry(
        name="imagenet",
        version=1,
        source="Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge, arXiv:1409.0575",
        channels=3,
        image_size=_IMAGE_SIZE,
        num_classes=len(official.synsets),
        num_images=official.num_images,
        download_mb=None,
        prepare=partial(_prepare, official),
    )


def _prepare(official: OfficialClasses, writer: DatasetWriter, data_dir: Path | None) -> None:
    if data_dir is None:
        raise InputError(f"imagenet cannot be downloaded without an account.\n{_HINT}")
    if not any((data_dir / split).is_dir() for split in official.num_images):
        state = f"holds none of {', '.join(f'{split}/' for split in official.num_images)}"
        raise InputError(f"the data folder {data_dir} {state if data_dir.is_dir() else 'is not a folder'}.\n{_HINT}")
    files = {split: _class_files(data_dir / split, official.synsets) for split in official.num_images}
    problems = [problem for split, found in files.items() for problem in _problems(split, found, official)]
    if problems:
        raise InputError(f"ImageNet in {data_dir} is not the official set: {'; '.join(problems)}.\n{_HINT}")
    splits = {split: _source_split(data_dir / split, found) for split, found in files.items()}
    source = Source(
        channels=3,
        num_classes=len(official.synsets),
        splits=splits,
        fingerprint=fingerprint(_parts(data_dir, files)),
    )
    to_pixels = partial(square, image_size=_IMAGE_SIZE, channels=3, resampling=Image.Resampling.BILINEAR, upright=False)
    write_source(writer, source, to_pixels, data_dir)


def _parts(data_dir: Path, files: Mapping[str, ClassFiles]) -> Iterator[object]:
    """What tells these files from others without opening them: where they lie, their names and sizes."""
    yield data_dir.resolve()
    for split, classes in files.items():
        for synset, sizes in classes.items():
            yield from (f"{split}/{synset}/{name} {num_bytes}" for name, num_bytes in sizes.items())


def _class_files(folder: Path, synsets: Sequence[str]) -> ClassFiles:
    """The files of every class, sorted; none for a missing folder. Raises InputError for images outside of classes."""
    if folder.is_dir():
        flat = [name for name in os.listdir(folder) if name.lower().endswith(_SUFFIX)]
        if flat:
            raise InputError(
                f"{folder} has {len(flat)} images outside of class folders, such as {flat[0]}.\n"
                f"torchvision.datasets.ImageNet(FOLDER, {folder.name!r}) sorts them: it takes "
                f"ILSVRC2012_img_{folder.name}.tar and ILSVRC2012_devkit_t12.tar.gz in FOLDER."
            )
    found: dict[str, Mapping[str, int]] = {}
    for synset in synsets:
        try:
            found[synset] = file_sizes(folder / synset, _SUFFIX)
        except (FileNotFoundError, NotADirectoryError):
            found[synset] = {}
        except OSError as error:
            raise InputError(f"cannot read {folder / synset}: {error.strerror}.") from None
    return found


def _problems(split: str, files: ClassFiles, official: OfficialClasses) -> list[str]:
    """What is missing or too much in a split: classes, images of a class, images in all."""
    counts = {synset: len(names) for synset, names in files.items()}
    fewest, most = official.num_per_class[split]
    kinds = {
        "classes without images": [synset for synset, count in counts.items() if not count],
        f"classes with fewer than {fewest} images": [
            f"{synset} {count}" for synset, count in counts.items() if 0 < count < fewest
        ],
        f"classes with more than {most} images": [
            f"{synset} {count}" for synset, count in counts.items() if count > most
        ],
    }
    problems = [f"{split}/ has {len(found)} {kind} ({first_few(found)})" for kind, found in kinds.items() if found]
    num_found, num_official = sum(counts.values()), official.num_images[split]
    if num_found != num_official:
        problems.append(f"{split}/ has {num_found} of {num_official} images")
    return problems


def _source_split(folder: Path, files: ClassFiles) -> SourceSplit:
    names: list[str] = []
    labels: list[int] = []
    for one_of_each in zip_longest(*([f"{synset}/{name}" for name in found] for synset, found in files.items())):
        for label, name in enumerate(one_of_each):
            if name is not None:
                names.append(name)
                labels.append(label)

    def load(position: int) -> Image.Image:
        with Image.open(folder / names[position], formats=FORMATS) as image:
            image.load()
            return image

    return SourceSplit(names=names, load=load, labels=np.array(labels, np.int64))


DATASETS.add("imagenet", imagenet_entry(OFFICIAL))
