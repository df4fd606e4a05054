"""Checkpoints: written atomically, checksummed, loaded without running code, refused when they are another config's.

File format: one line naming the format, one line with the SHA-256 of the rest, then what torch.save wrote. A reader
sees the old file or the new one, never half of either.
"""

import hashlib
import io
import os
import pickle
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from sngan.config import TrialConfig
from sngan.errors import InputError, one_line

_FORMAT = b"sngan checkpoint 1\n"
_DIGEST_LENGTH = 64


def checkpoint_path(storage_dir: Path, digest: str) -> Path:
    """Where the checkpoint of the trial `digest` is kept."""
    return storage_dir / "checkpoints" / digest / "state.pt"


def save_checkpoint(path: Path, config: TrialConfig, content: Mapping[str, Any]) -> None:
    """Write `content` (tensors and plain values) and the config. Raises InputError when the disk refuses."""
    buffer = io.BytesIO()
    torch.save({"config": config.to_dict(), **content}, buffer)
    payload = buffer.getvalue()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(_FORMAT + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise InputError(f"cannot write the checkpoint {path}: {error.strerror or error}.") from error


def load_checkpoint(path: Path, config: TrialConfig, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None when there is no checkpoint.

    Raises InputError for a damaged file, for a file of another kind, and for the checkpoint of another config, whose
    differences it lists.
    """
    if not path.exists():
        return None
    saved = load_any_checkpoint(path, device)
    differences = config.differences(saved["config"])
    if differences:
        raise InputError(f"the checkpoint {path} belongs to another config.\n" + "; ".join(differences))
    return saved


def load_any_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The checkpoint of whichever config. Raises InputError for a missing, damaged or foreign file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the checkpoint {path}: {error.strerror or error}.") from error
    again = "Delete it: its trial then begins anew."
    if not data.startswith(_FORMAT):
        raise InputError(f"{path} is not a checkpoint of this program.\n{again}")
    start = len(_FORMAT) + _DIGEST_LENGTH + 1
    payload = data[start:]
    if hashlib.sha256(payload).hexdigest().encode() != data[len(_FORMAT) : start - 1]:
        raise InputError(f"the checkpoint {path} is damaged (wrong checksum).\n{again}")
    try:
        return dict(torch.load(io.BytesIO(payload), map_location=device, weights_only=True))
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise InputError(f"the checkpoint {path} cannot be read: {one_line(error)}\n{again}") from error
