"""The cache: prepared once by whichever process comes first, never half, and refused where it is damaged."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sngan.datasets import Dataset, open_dataset
from sngan.datasets.cache import build, measured_digest, open_prepared
from sngan.datasets.manifest import Manifest
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError

# Opens a data set whose preparation takes a while and is logged. With "hang" it stops half-way.
PROCESS = """
import logging, sys, time
from pathlib import Path
import numpy as np
from sngan.datasets import DATASETS, DatasetEntry, open_dataset
from sngan.datasets.cache import measured_digest

cache_dir, log, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
logging.basicConfig(level=logging.INFO)

def prepare(writer, data_dir):
    with log.open("a") as file:
        file.write("begun\\n")
    with writer.split("train", 20_000) as split:
        for number in range(40):
            split.append(np.full((500, 1, 8, 8), number, np.uint8))
            time.sleep(0.02)
            while mode == "hang" and number == 20:
                log.with_suffix(".half").touch()
                time.sleep(0.1)

DATASETS.add("slow", DatasetEntry(name="slow", version=1, source="test", channels=1, image_size=8,
    num_classes=None, num_images={"train": 20_000}, download_mb=0, prepare=prepare))
print("ready", flush=True)
sys.stdin.readline()
dataset = open_dataset("slow", cache_dir=cache_dir)
print(dataset.digest, measured_digest(dataset) == dataset.digest, flush=True)
"""


@contextmanager
def process(cache_dir: Path, log: Path, mode: str = "") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROCESS, str(cache_dir), str(log), mode]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def ready(started: subprocess.Popen[str]) -> None:
    assert started.stdout is not None
    line = started.stdout.readline()
    assert line == "ready\n", started.communicate()[1]


def go(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("\n")
    started.stdin.flush()


def result(started: subprocess.Popen[str]) -> str:
    out, errors = started.communicate(timeout=60)
    assert started.returncode == 0, errors
    digest, is_content = out.split()
    assert is_content == "True"
    return digest


def wait_for(path: Path, started: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert started.poll() is None, started.communicate()[1]


def test_processes_that_prepare_at_once_prepare_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process(tmp_path, log) as one, process(tmp_path, log) as two:
        ready(one)
        ready(two)
        go(one)
        go(two)
        digests = {result(one), result(two)}
    assert len(digests) == 1
    assert log.read_text() == "begun\n"
    assert [path.name for path in (tmp_path / "datasets").iterdir() if path.suffix != ".lock"] == ["slow-1"]


@pytest.mark.thorough
def test_a_killed_preparation_is_not_mistaken_for_a_finished_one(tmp_path: Path) -> None:
    """A process is killed half-way while another one waits for it: that one takes over."""
    log = tmp_path / "log"
    datasets = tmp_path / "datasets"
    with process(tmp_path, log, "hang") as killed, process(tmp_path, log) as waiting:
        ready(killed)
        ready(waiting)
        go(killed)
        wait_for(log.with_suffix(".half"), killed)
        go(waiting)
        assert waiting.stderr is not None
        assert "waiting for another process" in waiting.stderr.readline()
        killed.kill()
        killed.wait()
        partial = datasets / ".slow-1.partial"
        assert (partial / "train-images.npy").exists()
        assert not (datasets / "slow-1").exists()
        digest = result(waiting)
    assert log.read_text() == "begun\nbegun\n"
    assert not partial.exists()
    assert open_prepared(datasets / "slow-1").digest == digest


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    partial = tmp_path / "datasets" / ".digits-1.partial"
    partial.mkdir(parents=True)
    (partial / "manifest.json").write_text("{}")
    (partial / "train-images.npy").write_bytes(b"half an arr")
    dataset = open_dataset("digits", cache_dir=tmp_path)
    assert measured_digest(dataset) == dataset.digest
    assert not partial.exists()


def write_one(folder: Path) -> Manifest:
    writer = DatasetWriter(folder, channels=1, image_size=2, num_classes=None)
    with writer.split("train", 3) as split:
        split.append(np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2))
        split.append(np.full((1, 1, 2, 2), 9, np.uint8))
    return writer.manifest("one", 1)


def test_pieces_are_appended_in_order(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    images = open_prepared(build(tmp_path, "one", write_one))
    assert images.splits["train"].images[:, 0].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[9, 9], [9, 9]]]
    assert images.splits["train"].labels is None


def test_the_same_content_that_stands_already_is_kept(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    first = build(tmp_path, "one", write_one)
    inode = first.stat().st_ino
    assert build(tmp_path, "another-key", write_one) == first
    assert first.stat().st_ino == inode
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["one-1"]


def test_the_digest_depends_on_every_byte_label_and_shape(tmp_path: Path) -> None:
    def digest(images: np.ndarray, labels: list[int] | None = None, name: str = "train") -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        channels, size = images.shape[1], images.shape[2]
        writer = DatasetWriter(folder, channels=channels, image_size=size, num_classes=None if labels is None else 3)
        with writer.split(name, len(images)) as split:
            split.append(images, None if labels is None else np.array(labels))
        return writer.digest

    base = np.zeros((4, 1, 2, 2), np.uint8)
    changed = base.copy()
    changed[3, 0, 1, 1] = 1
    assert digest(base) == digest(base.copy())
    different = [
        digest(base),
        digest(changed),
        digest(base[:3]),
        digest(base.reshape(1, 4, 2, 2)),
        digest(base, [0, 1, 2, 0]),
        digest(base, [0, 1, 2, 1]),
        digest(base, name="test"),
    ]
    assert len(set(different)) == len(different)


def test_a_split_must_get_every_image_that_was_announced(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, channels=1, image_size=2, num_classes=None)
    with pytest.raises(AssertionError, match="2 rows written, 3 announced"), writer.split("train", 3) as split:
        split.append(np.zeros((2, 1, 2, 2), np.uint8))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    open_dataset("digits", cache_dir=tmp_path)
    return tmp_path / "datasets" / "digits-1"


def damage_truncate(folder: Path) -> None:
    with (folder / "train-images.npy").open("r+b") as file:
        file.truncate(1000)


def damage_lengthen(folder: Path) -> None:
    with (folder / "train-images.npy").open("ab") as file:
        file.write(b"ab")


def damage_remove_array(folder: Path) -> None:
    (folder / "test-labels.npy").unlink()


def damage_other_array(folder: Path) -> None:
    size = (folder / "test-labels.npy").stat().st_size
    other = np.zeros((size - 128) // 8, np.float64)
    np.save(folder / "test-labels.npy", other)


def damage_no_array(folder: Path) -> None:
    path = folder / "test-images.npy"
    path.write_bytes(b"\0" * path.stat().st_size)


def damage_remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def damage_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 1, "na')


def damage_manifest_field(folder: Path) -> None:
    data = json.loads((folder / "manifest.json").read_text())
    del data["splits"]["train"]["images"]["sha256"]
    (folder / "manifest.json").write_text(json.dumps(data))


def damage_format(folder: Path) -> None:
    data = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**data, "format": 7}))


def damage_empty_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_truncate, "train-images.npy has 1000 bytes instead of 76736"),
        (damage_lengthen, "train-images.npy has 76738 bytes instead of 76736"),
        (damage_remove_array, "test-labels.npy: No such file"),
        (damage_other_array, "test-labels.npy is float64"),
        (damage_no_array, "test-images.npy is no array"),
        (damage_remove_manifest, "manifest.json is missing"),
        (damage_manifest, "manifest.json cannot be read"),
        (damage_manifest_field, "manifest.json lacks a field"),
        (damage_format, "its format is 7, this version reads 1"),
        (damage_empty_folder, "manifest.json is missing"),
    ],
)
def test_a_damaged_data_set_is_refused_and_says_what_to_do(prepared: Path, damage, message: str) -> None:
    damage(prepared)
    with pytest.raises(InputError) as caught:
        open_dataset("digits", cache_dir=prepared.parents[1])
    assert message in str(caught.value)
    assert str(prepared) in str(caught.value)
    assert str(caught.value).splitlines()[1] == "Delete that folder and start again."


def test_altered_content_is_found_by_measuring_it(prepared: Path) -> None:
    with (prepared / "train-images.npy").open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)[0]
        file.seek(5000)
        file.write(bytes([byte ^ 1]))
    dataset: Dataset = open_dataset("digits", cache_dir=prepared.parents[1])
    assert measured_digest(dataset) != dataset.digest


@contextmanager
def files_no_larger_than(num_bytes: int) -> Iterator[None]:
    """The system refuses to write more, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("num_bytes", [0, 100, 20_000, 70_000])
def test_a_full_disk_is_an_input_error_that_leaves_nothing(tmp_path: Path, num_bytes: int) -> None:
    with pytest.raises(InputError) as caught, files_no_larger_than(num_bytes):
        open_dataset("digits", cache_dir=tmp_path)
    assert "cannot use the cache" in str(caught.value)
    assert "Free some space there or choose another cache folder." in str(caught.value)
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == [".digits-1.lock"]
    assert len(open_dataset("digits", cache_dir=tmp_path).splits["train"]) == 1197


@pytest.mark.parametrize("place", ["file/cache", "file", "x" * 300, "/proc/cache"])
def test_a_cache_that_cannot_be_used(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="cannot use the cache"):
        open_dataset("digits", cache_dir=tmp_path / place)
