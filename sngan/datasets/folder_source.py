"""A folder of image files as a source: train/ and test/ are splits, subfolders are classes."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sngan.datasets.pixels import is_grey
from sngan.datasets.source import Source, SourceSplit, broken, fingerprint, reason, warn_of_small
from sngan.errors import InputError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_SPLITS = ("train", "test")


def folder_source(root: Path, *, image_size: int) -> Source:
    """The images below `root`, in the order of their relative paths.

    If there is a train/, the images in it (and in test/) are the splits, and none may lie elsewhere;
    otherwise all are "train". If every image of a split lies in a subfolder of it, the name of the topmost
    one is its class. Hidden files and files of other types are passed over. Raises InputError for no images,
    images beside the splits, classes that differ between splits, and unreadable files.
    """
    paths = sorted((path.relative_to(root) for path in _image_paths(root)), key=Path.as_posix)
    if not paths:
        raise InputError(f"there are no images below {root}.\nLooked for: {', '.join(sorted(SUFFIXES))}.")
    heads = _heads(root, paths)
    warn_of_small(root, sum(head.side < image_size for head in heads), len(paths), image_size)
    members = _split_members(root, paths)
    classes = _classes(root, members)
    return Source(
        channels=1 if all(head.is_grey for head in heads) else 3,
        num_classes=len(classes) or None,
        splits={name: _source_split(root / prefix, paths, classes) for name, (prefix, paths) in members.items()},
        fingerprint=fingerprint(zip(paths, heads, strict=True)),
    )


def _image_paths(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Every image file below `folder`. Links to folders are followed, unless they lead back to one `above`."""
    real = folder.resolve()
    if real in above:
        return
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}.") from None
    for name, is_folder in found:
        if is_folder:
            yield from _image_paths(folder / name, above | {real})
        elif Path(name).suffix.lower() in SUFFIXES:
            yield folder / name


@dataclass(frozen=True, slots=True)
class _Head:
    """What an image file's header says: side is the shorter one, pixels; and the file's size and time of change."""

    is_grey: bool
    side: int
    num_bytes: int
    changed_ns: int


def _heads(root: Path, paths: Sequence[Path]) -> list[_Head]:
    """The head of every file; reading them first tells one channel from three before anything is written."""
    reasons: dict[str, str] = {}

    def head(path: Path) -> _Head:
        try:
            with Image.open(root / path, formats=FORMATS) as image:
                state = (root / path).stat()
                return _Head(is_grey(image.mode), min(image.size), state.st_size, state.st_mtime_ns)
        except Exception as error:  # Pillow raises many kinds for damaged files
            reasons[path.as_posix()] = reason(error)
            return _Head(True, 0, 0, 0)

    with ThreadPoolExecutor() as pool:
        heads = list(pool.map(head, paths))
    if reasons:
        raise broken(root, dict(sorted(reasons.items())), len(paths))
    return heads


def _split_members(root: Path, paths: Sequence[Path]) -> dict[str, tuple[str, list[Path]]]:
    """Split name -> (its folder below `root`, the paths in it relative to that folder)."""
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    if not tops & set(_SPLITS):
        return {"train": ("", list(paths))}
    members = {
        name: (name, [path.relative_to(name) for path in paths if path.is_relative_to(name)]) for name in _SPLITS
    }
    stray = next((path for path in paths if path.parts[0] not in _SPLITS or len(path.parts) == 1), None)
    if stray is not None:
        raise InputError(
            f"{root} has a folder train or test, but also {stray} beside it.\n"
            "Allowed: images only in train/ and test/, or no folders of these names."
        )
    if not members["train"][1]:
        raise InputError(f"{root} has images in test/ but none in train/.")
    return {name: member for name, member in members.items() if member[1]}


def _classes(root: Path, members: dict[str, tuple[str, list[Path]]]) -> list[str]:
    """The names of the classes, sorted; empty where images have none."""
    found = {
        name: sorted({path.parts[0] for path in paths}) if all(len(path.parts) > 1 for path in paths) else []
        for name, (_, paths) in members.items()
    }
    train, test = found["train"], found.get("test")
    if test is None or train == test:
        return train
    if bool(train) != bool(test):
        with_classes, without = ("train", "test") if train else ("test", "train")
        raise InputError(f"in {root}, {with_classes}/ has a subfolder for every class and {without}/ has not.")
    extra = [name for name in test if name not in train]
    if extra:
        raise InputError(f"in {root}, test/ has classes that train/ has not: {', '.join(extra[:5])}.")
    return train


def _source_split(folder: Path, paths: Sequence[Path], classes: Sequence[str]) -> SourceSplit:
    def load(position: int) -> Image.Image:
        with Image.open(folder / paths[position], formats=FORMATS) as image:
            image.load()
            return image

    codes = {name: code for code, name in enumerate(classes)}
    labels = np.array([codes[path.parts[0]] for path in paths], np.int64) if classes else None
    return SourceSplit(names=[path.as_posix() for path in paths], load=load, labels=labels)
