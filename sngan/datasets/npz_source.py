"""An .npz file of arrays as a source."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sngan.datasets.source import Source, SourceSplit, fingerprint, warn_of_small
from sngan.errors import InputError, unknown

# What an array may be called -> (split, what it is).
_NAMES = {
    "images": ("train", "images"),
    "x": ("train", "images"),
    "labels": ("train", "labels"),
    "y": ("train", "labels"),
    "test_images": ("test", "images"),
    "test_labels": ("test", "labels"),
}
_SHAPES = "[N, H, W], [N, H, W, C] or [N, C, H, W] with C = 1 or 3"


def npz_source(path: Path, *, image_size: int) -> Source:
    """The arrays of `path`: images (or x), and where given labels (or y), test_images, test_labels.

    Images are uint8 [N, H, W], [N, H, W, C] or [N, C, H, W] with C = 1 or 3; labels are integers [N] from 0.
    The file is read into memory as a whole. Raises InputError for anything else; pickled objects are never
    loaded.
    """
    arrays = _arrays(path)
    _check_parts(path, arrays)
    images = {name: _images(path, name, parts["images"]) for name, parts in arrays.items()}
    labels = {
        name: _labels(path, name, parts["labels"], len(images[name])) if "labels" in parts else None
        for name, parts in arrays.items()
    }
    channels = {name: array.shape[3] for name, array in images.items()}
    if len(set(channels.values())) > 1:
        raise InputError(f"{path} has images of {channels['train']}, test_images of {channels['test']} channels.")
    for name, array in images.items():
        num_small = len(array) if min(array.shape[1:3]) < image_size else 0
        warn_of_small(f"split {name} of {path}", num_small, len(array), image_size)
    tops = [int(array.max()) for array in labels.values() if array is not None]
    return Source(
        channels=channels["train"],
        num_classes=1 + max(tops) if tops else None,
        splits={name: _source_split(images[name], labels[name]) for name in images},
        fingerprint=fingerprint([path.resolve(), path.stat().st_size, path.stat().st_mtime_ns]),
    )


def _check_parts(path: Path, arrays: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    if "images" not in arrays["train"]:
        raise InputError(f"{path} has no array of training images: images (or x).")
    if "test" in arrays and "images" not in arrays["test"]:
        raise InputError(f"{path} has test_labels but no test_images.")
    if len({"labels" in parts for parts in arrays.values()}) > 1:
        raise InputError(f"{path} has labels for one split only: give labels and test_labels, or neither.")


def _arrays(path: Path) -> dict[str, dict[str, NDArray[Any]]]:
    """Split -> "images" or "labels" -> array; there is always a split "train"."""
    found: dict[str, dict[str, NDArray[Any]]] = {"train": {}}
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(f"{path} is a single array, not an .npz file; save it with numpy.savez.")
            for key in archive.files:
                if key not in _NAMES:
                    raise unknown(f"array in {path}:", key, _NAMES)
                split, part = _NAMES[key]
                if part in found.setdefault(split, {}):
                    raise InputError(f"{path} has the {part} twice: as {key!r} and under another name.")
                found[split][part] = np.asanyarray(archive[key])  # bytes, where the member is no .npy file
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        # numpy takes every other file for a pickle, and advises to load it all the same.
        reason = "" if "pickle" in str(error) else f": {str(error).rstrip('.')}"
        raise InputError(f"{path} is no readable .npz file of plain arrays{reason}.") from None
    return found


def _images(path: Path, split: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 [N, H, W, C]."""
    where = f"{path}: the images of split {split}"
    if array.dtype != np.uint8:
        raise InputError(f"{where} are {array.dtype}; allowed: uint8, from 0 to 255.")
    if array.ndim == 3:
        array = array[..., np.newaxis]
    elif array.ndim == 4:
        array = _channels_last(where, array)
    else:
        raise InputError(f"{where} have shape {array.shape}; allowed: {_SHAPES}.")
    if 0 in array.shape:
        raise InputError(f"{where} have shape {array.shape}: there are none.")
    return array


def _channels_last(where: str, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    if first and last:
        raise InputError(f"{where} have shape {array.shape}, in which the channels may be axis 1 or axis 3.")
    if not first and not last:
        raise InputError(f"{where} have shape {array.shape}; allowed: {_SHAPES}.")
    return array.transpose(0, 2, 3, 1) if first else array


def _labels(path: Path, split: str, array: NDArray[Any], num_images: int) -> NDArray[np.int64]:
    where = f"{path}: the labels of split {split}"
    if array.dtype.kind not in "iu":
        raise InputError(f"{where} are {array.dtype}; allowed: integers from 0.")
    if array.shape != (num_images,):
        raise InputError(f"{where} have shape {array.shape}; allowed: ({num_images},), one for each image.")
    if int(array.min()) < 0 or int(array.max()) >= 2**31:
        raise InputError(f"{where} are from {array.min()} to {array.max()}; allowed: 0 to 2147483647.")
    return array.astype(np.int64)


def _source_split(images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> SourceSplit:
    def load(position: int) -> Image.Image:
        pixels = images[position]
        return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))

    return SourceSplit(names=[f"image {position}" for position in range(len(images))], load=load, labels=labels)
