"""A preparation that was stopped goes on where it was: the result is the same, and nothing is done twice."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sngan.datasets import open_dataset, prepare_images
from sngan.datasets import writer as writer_module
from sngan.datasets.cache import measured_digest
from sngan.datasets.catalog import open_entry
from sngan.datasets.decoding import write_source
from sngan.datasets.journal import FILE_NAME, read_journal
from sngan.datasets.pixels import square
from sngan.datasets.source import Source, SourceSplit
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError
from tests.sngan.official_files import SMALL, SYNSETS, imagenet, imagenet_declared

NUM_TRAIN, NUM_VAL = 500, 4

# Prepares slowly and says how far it is.
PROCESS = f"""
import sys, time
from pathlib import Path
from sngan.datasets.catalog import open_entry
from tests.sngan.official_files import imagenet_declared

def progress(done, total):
    print(done, flush=True)
    time.sleep(0.6)

entry = imagenet_declared({NUM_TRAIN}, {NUM_VAL})
open_entry(entry, cache_dir=Path(sys.argv[1]), data_dir=Path(sys.argv[2]), progress=progress)
"""


def kill_when(done: Callable[[], bool], cache_dir: Path, data_dir: Path) -> None:
    """Start a preparation in a process of its own and kill it, with no chance to clean up, as soon as `done`."""
    command = [sys.executable, "-c", PROCESS, str(cache_dir), str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not done():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        process.kill()
    assert process.returncode == -9


def test_a_killed_preparation_goes_on_where_it_was(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    entry = imagenet(data_dir, num_train=NUM_TRAIN, num_val=NUM_VAL, size=(24, 20))
    whole = open_entry(entry, cache_dir=tmp_path / "whole", data_dir=data_dir)

    cache_dir = tmp_path / "cache"
    partial = cache_dir / "datasets" / ".imagenet-1.partial"
    kill_when(lambda: (partial / FILE_NAME).exists(), cache_dir, data_dir)
    journal = read_journal(partial)
    assert journal is not None
    kept = journal.splits["train"].num_images
    assert 0 < kept < 3 * NUM_TRAIN - 1
    assert not (cache_dir / "datasets" / "imagenet-1").exists()

    # Whoever decoded a finished image again would now fail. It keeps its size, so that the source seems the same.
    finished = data_dir / "train" / SYNSETS[0] / f"{SYNSETS[0]}_0000.JPEG"
    finished.write_bytes(b"gone bad".ljust(finished.stat().st_size))
    calls: list[tuple[int, int]] = []
    dataset = open_entry(entry, cache_dir=cache_dir, data_dir=data_dir, progress=lambda *call: calls.append(call))
    assert calls[0] == (kept, 3 * NUM_TRAIN - 1 + 3 * NUM_VAL)
    assert calls[-1] == (3 * NUM_TRAIN - 1 + 3 * NUM_VAL,) * 2
    assert dataset.digest == whole.digest == measured_digest(dataset)
    for name, split in whole.splits.items():
        assert np.array_equal(dataset.splits[name].labels, split.labels)
    assert {path.name for path in (cache_dir / "datasets").iterdir()} == {"imagenet-1", ".imagenet-1.lock"}
    assert not (cache_dir / "datasets" / "imagenet-1" / FILE_NAME).exists()


# The journal


@pytest.fixture
def always_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every piece is recorded, not only one each second."""
    monkeypatch.setattr(writer_module, "_RECORD_EVERY_S", -1.0)


def noise(number: int, num: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(number)).integers(0, 256, (num, 1, 8, 8), dtype=np.uint8)


def begin(folder: Path, source: str = "one", image_size: int = 8, num_classes: int | None = 3) -> DatasetWriter:
    folder.mkdir(exist_ok=True)
    writer = DatasetWriter(folder, channels=1, image_size=image_size, num_classes=num_classes)
    writer.keep(source)
    return writer


class StoppedError(Exception):
    pass


def write_half(folder: Path) -> None:
    """Six of ten images: the first four recorded, two more only written."""
    with suppress(StoppedError), begin(folder).split("train", 10) as split:
        split.append(noise(0, 10)[:4], np.arange(4) % 3)
        with (folder / "train-images.npy").open("ab") as file:
            file.write(b"what was under way when the process died")
        raise StoppedError


def finish(writer: DatasetWriter) -> tuple[int, str]:
    with writer.split("train", 10) as split:
        num_done = split.num_done
        split.append(noise(0, 10)[num_done:], (np.arange(10) % 3)[num_done:])
    return num_done, writer.digest


@pytest.fixture
def digest(tmp_path: Path) -> str:
    return finish(begin(tmp_path / "whole"))[1]


def test_what_was_recorded_is_taken_over_and_what_was_not_is_cut_off(tmp_path, always_recorded, digest: str) -> None:
    write_half(tmp_path / "half")
    assert finish(begin(tmp_path / "half")) == (4, digest)
    assert np.array_equal(np.load(tmp_path / "half" / "train-images.npy"), noise(0, 10))


def test_a_finished_split_is_not_written_again(tmp_path: Path, digest: str) -> None:
    finish(begin(tmp_path / "half"))
    assert finish_nothing(begin(tmp_path / "half")) == (10, digest)


def finish_nothing(writer: DatasetWriter) -> tuple[int, str]:
    with writer.split("train", 10) as split:
        pass
    return split.num_done, writer.digest


@pytest.mark.parametrize("change", [{"source": "two"}, {"image_size": 16}, {"num_classes": 4}])
def test_another_source_or_format_begins_anew(tmp_path: Path, always_recorded, change: dict) -> None:
    write_half(tmp_path / "half")
    (tmp_path / "half" / "test-images.npy").write_bytes(b"of the earlier source")
    writer = begin(tmp_path / "half", **change)
    assert list((tmp_path / "half").iterdir()) == []
    with suppress(StoppedError), writer.split("train", 10) as split:
        num_done = split.num_done
        raise StoppedError
    assert num_done == 0


def damage_image(folder: Path) -> None:
    data = bytearray((folder / "train-images.npy").read_bytes())
    data[128 + 70] ^= 1
    (folder / "train-images.npy").write_bytes(data)


def damage_length(folder: Path) -> None:
    with (folder / "train-labels.npy").open("r+b") as file:
        file.truncate(128 + 3 * 8)


def damage_header(folder: Path) -> None:
    np.save(folder / "train-images.npy", noise(0, 9))


def damage_absent(folder: Path) -> None:
    (folder / "train-images.npy").unlink()


@pytest.mark.parametrize("damage", [damage_image, damage_length, damage_header, damage_absent])
def test_what_is_not_as_it_was_recorded_is_written_anew(tmp_path, always_recorded, digest, caplog, damage) -> None:
    write_half(tmp_path / "half")
    damage(tmp_path / "half")
    assert finish(begin(tmp_path / "half")) == (0, digest)
    assert "was damaged since it was written and is written anew" in caplog.text


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1', '{"format": 2, "source": "", "splits": {}}', "[]"])
def test_an_unreadable_journal_is_none(tmp_path: Path, always_recorded, digest: str, text: str) -> None:
    write_half(tmp_path / "half")
    (tmp_path / "half" / FILE_NAME).write_text(text)
    assert read_journal(tmp_path / "half") is None
    assert finish(begin(tmp_path / "half")) == (0, digest)


def test_the_journal_vouches_only_for_what_it_has_seen(tmp_path: Path, always_recorded) -> None:
    write_half(tmp_path / "half")
    recorded = json.loads((tmp_path / "half" / FILE_NAME).read_text())
    assert recorded["splits"]["train"]["num_images"] == 4


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    too_much = begin(tmp_path / "half").split("train", 10**21)
    with pytest.raises(InputError, match=r"split train takes 64000000000000\.0 GB more") as caught:
        too_much.__enter__()
    assert str(tmp_path) in str(caught.value)
    assert list((tmp_path / "half").iterdir()) == []


# Official files


@pytest.mark.parametrize("same_place", [True, False], ids=["same place, another size", "another place, same size"])
@pytest.mark.parametrize("name", ["imagenet", "celeba"])
def test_other_official_files_are_not_appended_to_the_first_ones(
    name: str, same_place: bool, tmp_path: Path, always_recorded
) -> None:
    data_dir, cache_dir = tmp_path / "data", tmp_path / "cache"
    entry = SMALL[name](data_dir)
    with pytest.raises(KeyboardInterrupt):
        open_entry(entry, cache_dir=cache_dir, data_dir=data_dir, progress=stop_after(entry.num_images["train"]))
    journal = read_journal(cache_dir / "datasets" / f".{name}-1.partial")
    assert journal is not None
    assert journal.splits["train"].num_images == entry.num_images["train"]

    if not same_place:
        data_dir = data_dir.rename(tmp_path / "other")
    finished = min(path for path in data_dir.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    finished.write_bytes(b"gone bad".ljust(8 if same_place else finished.stat().st_size))
    with pytest.raises(InputError, match=finished.name):
        open_entry(entry, cache_dir=cache_dir, data_dir=data_dir)


# One's own images


def folder_of_images(folder: Path, num: int = 600) -> Path:
    folder.mkdir()
    for number in range(num):
        Image.fromarray(noise(number, 1)[0, 0]).save(folder / f"{number:04}.png")
    return folder


def stop_after(num: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done >= num:
            raise KeyboardInterrupt

    return progress


def test_ones_own_images_go_on_too(tmp_path: Path, always_recorded) -> None:
    source = folder_of_images(tmp_path / "photos")
    whole = prepare_images(source, image_size=8, cache_dir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        prepare_images(source, image_size=8, cache_dir=tmp_path / "cache", progress=stop_after(256))
    calls: list[int] = []
    again = prepare_images(
        source, image_size=8, cache_dir=tmp_path / "cache", progress=lambda done, total: calls.append(done)
    )
    assert calls == [256, 512, 600]
    assert again.digest == whole.digest
    assert open_dataset(again.name, cache_dir=tmp_path / "cache").digest == whole.digest
    assert {path.name for path in (tmp_path / "cache" / "datasets").iterdir()} == {f"{again.name}-1", ".images.lock"}


def test_a_changed_folder_begins_anew(tmp_path: Path, always_recorded) -> None:
    source = folder_of_images(tmp_path / "photos")
    with pytest.raises(KeyboardInterrupt):
        prepare_images(source, image_size=8, cache_dir=tmp_path / "cache", progress=stop_after(256))
    Image.fromarray(noise(7777, 1)[0, 0]).save(source / "0000.png")
    calls: list[int] = []
    changed = prepare_images(
        source, image_size=8, cache_dir=tmp_path / "cache", progress=lambda done, total: calls.append(done)
    )
    assert calls == [256, 512, 600]
    assert np.array_equal(changed.splits["train"].images[0], noise(7777, 1)[0])


def test_after_mending_a_broken_image_the_good_ones_before_it_are_kept(tmp_path: Path, always_recorded) -> None:
    data_dir = tmp_path / "data"
    entry = imagenet(data_dir, num_train=200, num_val=2, size=(24, 20))
    whole = open_entry(entry, cache_dir=tmp_path / "whole", data_dir=data_dir)
    broken = data_dir / "train" / SYNSETS[1] / f"{SYNSETS[1]}_0150.JPEG"
    good = broken.read_bytes()
    broken.write_bytes(good[:300])
    with pytest.raises(InputError, match="1 of 599 images in split train"):
        open_entry(entry, cache_dir=tmp_path / "cache", data_dir=data_dir)
    broken.write_bytes(good)
    calls: list[int] = []
    mended = open_entry(
        imagenet_declared(200, 2), cache_dir=tmp_path / "cache", data_dir=data_dir,
        progress=lambda done, total: calls.append(done),
    )  # fmt: skip
    assert calls[0] == 256
    assert mended.digest == whole.digest


# Order


def test_parallel_decoding_keeps_the_order(tmp_path: Path) -> None:
    """The first images take the longest, so that later ones are ready before them."""
    num = 700
    finished: list[int] = []

    def load(position: int) -> Image.Image:
        time.sleep(0.02 if position % 8 == 0 else 0)
        finished.append(position)
        return Image.fromarray(np.full((8, 8), position % 251, np.uint8))

    split = SourceSplit(names=[str(position) for position in range(num)], load=load, labels=np.arange(num) % 3)
    source = Source(channels=1, num_classes=3, splits={"train": split}, fingerprint="numbers")
    folder = tmp_path / "set"
    folder.mkdir()
    writer = DatasetWriter(folder, channels=1, image_size=8, num_classes=3)
    write_source(writer, source, lambda image: square(image, image_size=8, channels=1), tmp_path)
    assert finished != sorted(finished), "several were decoded at once"
    images = np.load(folder / "train-images.npy")
    assert images[:, 0, 0, 0].tolist() == [position % 251 for position in range(num)]
    assert np.load(folder / "train-labels.npy").tolist() == [position % 3 for position in range(num)]
