"""Small data sets in the formats of the official files, with the entries that declare what they hold."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sngan.datasets import DatasetEntry
from sngan.datasets import celeba as celeba_files
from sngan.datasets import stl10 as stl10_files
from sngan.datasets.celeba import OfficialFaces, celeba_entry
from sngan.datasets.imagenet import OfficialClasses, imagenet_entry
from sngan.datasets.stl10 import OfficialImages, stl10_entry

SYNSETS = ("n01440764", "n01443537", "n02085620")


def picture(number: int, width: int, height: int) -> np.ndarray:
    """uint8 [height, width, 3] of black and white patches, another one for every number."""
    stream = np.random.Generator(np.random.Philox(number))
    patches = stream.integers(0, 2, (-(-height // 12), -(-width // 12), 3), dtype=np.uint8) * 255
    return patches.repeat(12, 0).repeat(12, 1)[:height, :width]


def jpeg(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def stl10(folder: Path, *, archive: bool = False, num_images: tuple[int, int] = (12, 5)) -> DatasetEntry:
    """Binary files of pictures 0, 1, ... (train) and 100, 101, ... (test), in stl10_binary/ or in the archive."""
    official, contents = {}, {}
    for (split, images), num, first in zip(stl10_files.OFFICIAL.items(), num_images, (0, 100), strict=True):
        pictures = np.stack([picture(first + number, 96, 96) for number in range(num)])
        # [n, row, column, channel] -> the file's [n, channel, column, row]
        contents[images.file] = pictures.transpose(0, 3, 2, 1).tobytes()
        official[split] = OfficialImages(file=images.file, num_images=num, md5=md5(contents[images.file]))
    inside = folder / stl10_files.FOLDER
    inside.mkdir(parents=True)
    for name, data in contents.items():
        (inside / name).write_bytes(data)
    if archive:
        with tarfile.open(folder / stl10_files.ARCHIVE, "w:gz") as tar:
            tar.add(inside, arcname=inside.name)
        for name in contents:
            (inside / name).unlink()
    return stl10_entry(official)


def imagenet_declared(num_train: int, num_val: int) -> DatasetEntry:
    """The entry of folders with so many images of each of three classes, but for one that has an image less."""
    return imagenet_entry(
        OfficialClasses(
            synsets=SYNSETS,
            num_images={"train": 3 * num_train - 1, "val": 3 * num_val},
            num_per_class={"train": (num_train - 1, num_train), "val": (num_val, num_val)},
        )
    )


def imagenet(folder: Path, *, num_train: int = 4, num_val: int = 2, size: tuple[int, int] = (160, 130)) -> DatasetEntry:
    """Folders train/ and val/ of JPEG files, size is width and height; the last class has an image less in train/."""
    for split, num, first in (("train", num_train, 0), ("val", num_val, 10_000)):
        for label, synset in enumerate(SYNSETS):
            (folder / split / synset).mkdir(parents=True)
            for number in range(num - (split == "train" and label == 2)):
                data = jpeg(picture(first + 1000 * label + number, *size))
                (folder / split / synset / f"{synset}_{number:04}.JPEG").write_bytes(data)
    return imagenet_declared(num_train, num_val)


def celeba(folder: Path, *, archive: bool = False) -> DatasetEntry:
    """Pictures 1 to 12 as 000001.jpg to 000012.jpg with the list of splits, in a folder or in the archive."""
    codes = dict.fromkeys(range(1, 9), 0) | {9: 1, 10: 1, 11: 2, 12: 2}
    files = {f"{number:06}.jpg": jpeg(picture(number, 178, 218)) for number in codes}
    partition = "".join(f"{number:06}.jpg {code}\n" for number, code in codes.items()).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / celeba_files.PARTITION).write_bytes(partition)
    archive_md5 = ""
    if archive:
        with zipfile.ZipFile(folder / celeba_files.ARCHIVE, "w") as zipped:
            for name, data in files.items():
                zipped.writestr(f"{celeba_files.FOLDER}/{name}", data)
        archive_md5 = md5((folder / celeba_files.ARCHIVE).read_bytes())
    else:
        (folder / celeba_files.FOLDER).mkdir()
        for name, data in files.items():
            (folder / celeba_files.FOLDER / name).write_bytes(data)
    return celeba_entry(
        OfficialFaces(
            num_images={"train": 8, "valid": 2, "test": 2}, partition_md5=md5(partition), archive_md5=archive_md5
        )
    )


# Catalog name -> writes small official files into a folder and returns the entry for them.
SMALL: dict[str, Callable[[Path], DatasetEntry]] = {"stl10": stl10, "imagenet": imagenet, "celeba": celeba}
