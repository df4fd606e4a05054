"""The manifest of a prepared data set: what its folder must hold, and the digest of its content."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from sngan.errors import InputError

FORMAT = 1
FILE_NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArray:
    """A .npy file: its name, the shape of its array, its whole size in bytes and the SHA-256 of the array's
    bytes (C order, little-endian, without the header).
    """

    file: str
    shape: tuple[int, ...]
    num_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSplit:
    """Images uint8 [N, C, H, W] and, where the data set has classes, labels int64 [N]."""

    images: StoredArray
    labels: StoredArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything about a prepared data set but the pixels.

    version : of the preparation; a change that alters the content raises it. digest : `content_digest` of
        splits.
    """

    name: str
    version: int
    digest: str
    channels: int
    image_size: int
    num_classes: int | None
    splits: Mapping[str, StoredSplit]

    @property
    def folder_name(self) -> str:
        """Name of the folder below CACHE/datasets."""
        return f"{self.name}-{self.version}"

    def write(self, folder: Path) -> None:
        """Write the manifest into `folder` as JSON."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"
        with (folder / FILE_NAME).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest in `folder`. Raises InputError where it is absent, damaged or of another format."""
        try:
            data = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise damaged(folder, f"{FILE_NAME} is missing") from None
        except (OSError, ValueError) as error:
            raise damaged(folder, f"{FILE_NAME} cannot be read ({error})") from None
        found = data.pop("format", None) if isinstance(data, dict) else None
        if found != FORMAT:
            raise damaged(folder, f"its format is {found!r}, this version reads {FORMAT}")
        try:
            splits = {name: _split(stored) for name, stored in data.pop("splits").items()}
            return cls(splits=splits, **data)
        except (AttributeError, KeyError, TypeError):
            raise damaged(folder, f"{FILE_NAME} lacks a field or has one too many") from None


def damaged(folder: Path, why: str) -> InputError:
    """The error for a prepared data set that cannot be used."""
    return InputError(f"the prepared data set {folder} is damaged: {why}.\nDelete that folder and start again.")


def content_digest(splits: Mapping[str, StoredSplit]) -> str:
    """SHA-256 (hex) of shapes, images and labels of all splits, independent of names, dates and formats."""
    content = {
        name: {
            "shape": split.images.shape,
            "images": split.images.sha256,
            "labels": split.labels.sha256 if split.labels else None,
        }
        for name, split in splits.items()
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _split(data: Mapping[str, Any]) -> StoredSplit:
    labels = data["labels"]
    return StoredSplit(images=_array(data["images"]), labels=None if labels is None else _array(labels))


def _array(data: Mapping[str, Any]) -> StoredArray:
    return StoredArray(**{**data, "shape": tuple(data["shape"])})
