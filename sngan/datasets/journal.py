"""The journal of a preparation: what is safely on disk, so that the next one goes on there.

It lies in the hidden folder in which a data set is written, and leaves it when the data set is complete.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 1
FILE_NAME = "journal.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The first `num_images` images of a split, with the SHA-256 of the bytes of images and, if any, labels."""

    num_images: int
    images: str
    labels: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """source : what the images are made from and how; nothing of another source must be appended to them.
    splits : name -> its beginning.
    """

    source: str
    splits: Mapping[str, Beginning]

    def write(self, folder: Path) -> None:
        """Replace the journal in `folder`. What it speaks of must have reached the disk. Raises OSError."""
        text = json.dumps({"format": FORMAT, **asdict(self)})
        fresh = folder / f"{FILE_NAME}.new"
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / FILE_NAME)


def read_journal(folder: Path) -> Journal | None:
    """The journal in `folder`; None where there is none that can be read: then all must be done anew."""
    try:
        data = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        if data.pop("format") != FORMAT:
            return None
        splits = {name: Beginning(**beginning) for name, beginning in data.pop("splits").items()}
        return Journal(splits=splits, **data)
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None


def forget_journal(folder: Path) -> None:
    """Remove the journal from the folder of a complete data set."""
    (folder / FILE_NAME).unlink(missing_ok=True)
