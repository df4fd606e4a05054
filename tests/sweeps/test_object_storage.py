"""The storage of checkpoints and grids: whole files, clear refusals, patience, private folders; a real S3 server."""

import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sngan.checkpoints import checkpoint_path
from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.results import Evaluation, RunOptions
from sngan.trial import run_trial
from sweeps import patience
from sweeps.filesystems import private_folder
from sweeps.grids import GridFetcher
from sweeps.object_storage import LocalFolder, ObjectStorage, StorageError, check_url
from sweeps.ray_worker import train_pack
from tests.sweeps.object_store import SECRET, Server, running
from tests.sweeps.recording import planned

FILE = Path("checkpoints/abc/state.pt")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(params=["s3", "file", "path"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    if request.param == "s3":
        server = request.getfixturevalue("server")
        return ObjectStorage(f"s3://{server.bucket}/{tmp_path.name}")
    folder = tmp_path / "else where"
    return ObjectStorage(str(folder) if request.param == "path" else folder.as_uri())


def write(folder: Path, content: bytes) -> Path:
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(content)
    return folder


def test_a_file_that_was_put_is_got_elsewhere_and_replaced(storage: ObjectStorage, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert not storage.get(there, FILE)
    for content in (b"first", os.urandom(12_000_000)):
        storage.put(write(here, content), FILE)
        assert storage.get(there, FILE)
        assert (there / FILE).read_bytes() == content
    storage.check()
    assert [path.relative_to(there) for path in there.rglob("*") if path.is_file()] == [FILE]
    elsewhere = tmp_path / "else where"
    assert {path.relative_to(elsewhere) for path in elsewhere.rglob("*") if path.is_file()} <= {FILE}


def test_an_object_that_is_still_empty_is_none(server: Server, tmp_path: Path) -> None:
    server.put(f"empty/{FILE}", b"")
    assert not ObjectStorage(f"s3://{server.bucket}/empty").get(tmp_path, FILE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    ["s3://me:secret-word@bucket/x", "s3://me:secret/word@bucket/x", "s3://secret-word@bucket/x",
     "s3://bucket/x?secret_key=secret-word", "s3://bucket/x?endpoint_override=http://me:secret-word@host",
     "abfs://account:secret-word@host/x", "abfs://account.blob.core.windows.net/c?sig=secret-word"],
)  # fmt: skip
def test_a_credential_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="holds a credential") as refused:
        check_url(url)
    assert "word" not in str(refused.value)


@pytest.mark.parametrize("url", ["s3://bucket", "gs://bucket/x", "abfs://container@account.dfs.core.windows.net/x",
                                 "hdfs://name:8020/x", "file:///x", "/x"])  # fmt: skip
def test_places_that_may_be_used(url: str) -> None:
    check_url(url)


def refused(url: str) -> str:
    with pytest.raises(InputError) as error:
        ObjectStorage(url).check()
    text = str(error.value)
    assert len(text.splitlines()) <= 2
    assert SECRET not in text
    assert text.startswith(f"storage {url}")
    return text


def test_what_is_wrong_with_a_store_is_said_before_anything_starts(server: Server, tmp_path: Path) -> None:
    assert "NO_SUCH_BUCKET" in refused("s3://another/x")
    with server.strict():
        assert re.search(
            "INVALID_ACCESS_KEY_ID|ACCESS_DENIED|INVALID_CLIENT_TOKEN_ID", refused(f"s3://{server.bucket}/x")
        )
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(f"{tmp_path}/file/x")


@pytest.mark.thorough
def test_an_endpoint_where_nobody_answers(server: Server) -> None:
    """Named in the URL, it wins over the environment's; nobody waits for Amazon's services."""
    begun_s = time.monotonic()
    assert "Could" in refused("s3://bucket/x?endpoint_override=http://127.0.0.1:9")
    assert time.monotonic() - begun_s < 20


def test_a_store_that_is_away_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "mount"
    place.touch()  # in place of a folder
    monkeypatch.setattr(patience.time, "sleep", lambda _: place.unlink(missing_ok=True))
    storage = ObjectStorage(f"{place}/study")
    storage.put(write(tmp_path / "here", b"content"), FILE)
    assert (place / "study" / FILE).read_bytes() == b"content"
    assert caplog.text.count("Trying again for 60 s") == 1


def test_a_store_that_stays_away_is_an_ordinary_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 0)
    (tmp_path / "mount").touch()
    storage = ObjectStorage(f"{tmp_path}/mount/study")
    with pytest.raises(StorageError, match="Not a directory"):
        storage.get(tmp_path, FILE)


# Trials


def test_a_checkpoint_is_sent_after_the_grid_that_it_mentions(tiny: TrialConfig, options: RunOptions) -> None:
    written: list[Path] = []
    sent = RunOptions(cache_dir=options.cache_dir, storage_dir=options.storage_dir, on_write=written.append)
    run_trial(tiny, sent, lambda _: None)
    checkpoint = checkpoint_path(Path(), tiny.digest)
    grids = [Path("samples", tiny.digest, f"u{update:06d}.png") for update in (4, 8)]
    assert written == [grids[0], checkpoint, grids[1], checkpoint]


def test_a_pack_keeps_its_files_in_the_storage_and_names_them_there(
    server: Server, tiny: TrialConfig, cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two checkpoints there is damaged: its trial says where, the other one completes."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("sweeps.ray_worker.tune.report", told.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sound, damaged = planned(tiny, 2)
    place = checkpoint_path(Path("pack"), damaged.digest).as_posix()
    server.put(place, b"not a checkpoint")
    train_pack(
        {"pack": [sound.digest, damaged.digest]},
        configs={trial.digest: trial.config.to_dict() for trial in (sound, damaged)},
        options=RunOptions(cache_dir=cache_dir, storage_dir=tmp_path / "out"),
        plugins={},
        storage=f"s3://{server.bucket}/pack",
        run_trial=run_trial,
    )
    errors = [message["input_error"] for message in told if "input_error" in message]
    assert len(errors) == 1
    assert f"s3://{server.bucket}/{place} is not a checkpoint" in errors[0]
    assert str(tmp_path) not in errors[0]
    assert [message["digest"] for message in told if "outcome" in message] == [sound.digest]
    assert {path.name for path in map(Path, server.objects(f"pack/samples/{sound.digest}"))} == {
        "u000004.png",
        "u000008.png",
    }
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_a_storage_files_are_in_out(options: RunOptions, tmp_path: Path) -> None:
    with LocalFolder(None, tmp_path).options(options, ["abc"]) as here:
        assert here == options
    assert LocalFolder(None, tmp_path).told(f"{tmp_path}/x") == f"{tmp_path}/x"


def test_the_private_folder_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\nfrom sweeps.filesystems import private_folder\n"
        "with private_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'large').touch()\n    print(folder, flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        other = Path(process.stdout.readline().strip())
        with private_folder(tmp_path) as mine:
            assert (other / "large").exists()
            assert mine.stat().st_mode & 0o077 == 0
        process.kill()
        process.wait()
        assert (other / "large").exists()
    with private_folder(tmp_path) as mine:
        assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, f"{mine.name}.lock"]
    assert not list(tmp_path.iterdir())


def test_grids_that_cannot_be_fetched_are_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "mount"
    place.touch()
    fetcher = GridFetcher(f"{place}/study", tmp_path / "out")
    (trial,) = planned(TrialConfig(updates=2), 1)

    def evaluated(update: int) -> Path:
        samples = Path(f"samples/x/u{update}.png")
        fetcher.on_evaluation(
            trial, Evaluation(update=update, scores=(), diagnostics={}, train_s=1.0, evaluate_s=1.0, samples=samples)
        )
        return tmp_path / "out" / samples

    with caplog.at_level(logging.WARNING):
        assert not evaluated(1).exists()
        place.unlink()
        (place / "study/samples/x").mkdir(parents=True)
        (place / "study/samples/x/u2.png").write_bytes(b"image")
        assert not evaluated(2).exists(), "a store that was away is left alone for a while"
        fetcher._not_before_s = 0.0
        assert evaluated(2).read_bytes() == b"image"
    assert caplog.text.count("image grids are not fetched: storage") == 1
