"""Checkpoints: atomic, checksummed, safe to load, refused when foreign."""

import io
import pickle
from pathlib import Path

import pytest
import torch

from sngan.checkpoints import load_any_checkpoint, load_checkpoint, save_checkpoint
from sngan.config import TrialConfig
from sngan.errors import InputError

CONFIG = TrialConfig(seed=5)


def saved(folder: Path) -> Path:
    path = folder / "a" / "state.pt"
    save_checkpoint(path, CONFIG, {"x": torch.arange(3), "n": 4})
    return path


def test_round_trip_and_absence(tmp_path: Path) -> None:
    content = load_checkpoint(saved(tmp_path), CONFIG)
    assert content is not None
    assert torch.equal(content["x"], torch.arange(3))
    assert content["n"] == 4
    assert load_checkpoint(tmp_path / "none.pt", CONFIG) is None
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["state.pt"], "no temporary file stays"


@pytest.mark.parametrize("position", [0, 30, 90, 200, -1])
def test_one_flipped_byte_is_noticed(tmp_path: Path, position: int) -> None:
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"damaged|not a checkpoint"):
        load_checkpoint(path, CONFIG)


def test_truncated_and_empty_files_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path, CONFIG)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_checkpoint(path, CONFIG)


def test_another_configs_checkpoint_is_refused_with_the_differences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed: 6 here, 5 there"):
        load_checkpoint(saved(tmp_path), CONFIG.replace(seed=6))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code ran')",))


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    import hashlib

    buffer = io.BytesIO()
    torch.save({"config": CONFIG.to_dict(), "evil": Evil()}, buffer, pickle_module=pickle)
    payload = buffer.getvalue()
    path = tmp_path / "state.pt"
    path.write_bytes(b"sngan checkpoint 1\n" + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
    with pytest.raises(InputError, match="cannot be read"):
        load_any_checkpoint(path)


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the checkpoint"):
        save_checkpoint(tmp_path / "file" / "state.pt", CONFIG, {})
