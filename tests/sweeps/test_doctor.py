"""What a study would miss on a machine: each look says what is there, and finds what was broken for it."""

import dataclasses
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from sngan.config import TrialConfig
from sngan.datasets import open_dataset
from sngan.errors import InputError
from sngan.inputs import check_ready
from sngan.results import RunOptions
from sweeps import doctor
from sweeps.doctor import Finding, Needs, examine
from sweeps.filesystems import file_system, is_network
from sweeps.store import open_store
from sweeps.webhooks import check_address
from tests.sweeps.store.samples import DATABASES, fresh_database
from tests.sweeps.webhook_server import SECRET, Webhook

Mount = namedtuple("Mount", "device mountpoint fstype opts")


@pytest.fixture
def needs(tmp_path: Path) -> Needs:
    open_dataset("digits", cache_dir=tmp_path / "cache")
    return Needs(
        out=tmp_path / "runs",
        database=f"sqlite:///{tmp_path / 'runs' / 'results.db'}",
        mlflow=f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}",
        run=RunOptions(cache_dir=tmp_path / "cache"),
        config=TrialConfig(protocols=("fid/gen600-test600-digits",)),
        storage=None,
        gpus=0,
        prepare="python -m sweeps.launch prepare robustness",
    )


def looked(needs: Needs, what: str) -> Finding:
    return next(finding for finding in examine(needs) if finding.what == what)


def test_a_machine_that_has_everything_is_good(needs: Needs) -> None:
    found = examine(needs)
    assert len(found) == len({finding.what for finding in found}) == 11
    # A small disk is this machine's own affair.
    assert [finding for finding in found if finding.state == "bad"] == []
    assert looked(needs, "data and weights").told.startswith("digits ")
    assert not (needs.out / "results.db").exists()
    assert not list(needs.out.iterdir())


def test_webhooks_get_a_test(needs: Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Webhook() as good, Webhook([403]) as bad:
        good_one, bad_one = check_address(good.url), check_address(bad.url)
        found = looked(dataclasses.replace(needs, notify=[good_one]), "notifications")
        assert (found.state, found.told) == ("good", "1 webhook took a test")
        found = looked(dataclasses.replace(needs, notify=[good_one, bad_one]), "notifications")
    assert (found.state, found.told) == ("bad", "--notify number 2: HTTP 403 Forbidden")
    assert SECRET not in found.advice
    assert good.events == ["test", "test"]


def test_a_file_in_place_of_a_folder_is_told(needs: Needs, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wrong = dataclasses.replace(needs, out=tmp_path / "file", database=f"sqlite:///{tmp_path / 'file' / 'results.db'}")
    for what in ("folder of results", "database"):
        found = looked(wrong, what)
        assert found.state == "bad"
        assert "it is a file, not a folder" in found.told


def test_a_storage_is_written_and_read_back(needs: Needs, tmp_path: Path) -> None:
    there = dataclasses.replace(needs, storage=f"file://{tmp_path}/elsewhere")
    assert looked(there, "storage").state == "good"
    assert not list((tmp_path / "elsewhere").iterdir())
    (tmp_path / "file").touch()
    found = looked(dataclasses.replace(needs, storage=str(tmp_path / "file")), "storage")
    assert found.state == "bad"
    assert str(tmp_path / "file") in found.told


def test_missing_gpus_are_counted(needs: Needs) -> None:
    found = looked(dataclasses.replace(needs, gpus=64), "GPUs")
    assert found.state == "bad"
    assert "of 64" in found.told
    assert "CUDA_VISIBLE_DEVICES" in found.advice


def test_data_that_were_not_prepared_or_were_altered_are_found(needs: Needs, tmp_path: Path) -> None:
    empty = dataclasses.replace(needs, run=RunOptions(cache_dir=tmp_path / "other"))
    found = looked(empty, "data and weights")
    assert found.state == "good"
    assert "the first launch prepares it" in found.told
    found = looked(dataclasses.replace(empty, config=needs.config.replace(dataset="cifar10")), "data and weights")
    assert found.state == "bad"
    assert "cifar10 is not prepared in" in found.told
    assert found.advice.endswith(needs.prepare)
    assert not list((tmp_path / "other").glob("datasets/*"))
    images = next((tmp_path / "cache").glob("datasets/*/train-images.npy"))
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    with pytest.raises(InputError, match="was altered"):
        check_ready(needs.config, needs.run)


def test_weights_are_never_downloaded(needs: Needs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr("sngan.metrics.inception_weights._extra_file", lambda: None)
    config = needs.config.replace(protocols=("fid/gen600-test600-inception",))
    found = looked(dataclasses.replace(needs, config=config), "data and weights")
    assert found.state == "bad"
    assert "Inception weights are not on this machine" in found.told
    both = dataclasses.replace(needs, config=config.replace(dataset="cifar10"))
    assert re.search("cifar10 is not prepared.*Inception weights are not", looked(both, "data and weights").told)


def test_a_database_on_a_network_file_system_is_refused(
    needs: Needs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = [Mount("/dev/sda", "/", "ext4", ""), Mount("server:/x", str(tmp_path), "nfs4", "")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    assert is_network(file_system(tmp_path / "not" / "there"))
    assert file_system(Path("/")) == "ext4"
    found = looked(needs, "database")
    assert found.state == "bad"
    assert "nfs4" in found.told
    with pytest.raises(InputError, match="cannot be shared over a network") as told:
        open_store(needs.database)
    assert "--database postgresql://" in str(told.value)


@pytest.mark.parametrize("kind", DATABASES)
def test_the_clock_of_a_server_is_compared(needs: Needs, kind: str, tmp_path: Path) -> None:
    with fresh_database(kind, tmp_path) as url:
        open_store(url).close()
        found = looked(dataclasses.replace(needs, database=url), "database")
    assert found.state == "good"
    assert "answers after" in found.told
    assert ("its clock is" in found.told) == (kind == "postgresql")


def test_clocks_that_differ_are_doubtful() -> None:
    assert doctor._skew("x", 0.5).state == "good"
    assert doctor._skew("x", -60.0).state == "doubtful"
    assert doctor._skew("x", -60.0).told == "60.0 s behind this machine's"


def test_a_folder_without_room_is_bad(tmp_path: Path) -> None:
    assert doctor._space(tmp_path, low_gb=0.0, too_low_gb=0.0).state == "good"
    assert doctor._space(tmp_path, low_gb=1e9, too_low_gb=0.0).state == "doubtful"
    assert doctor._space(tmp_path, low_gb=1e9, too_low_gb=1e9).state == "bad"


def test_a_lock_that_is_given_twice_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system without locks: the other process locks nothing."""
    monkeypatch.setattr(doctor, "_OTHER_PROCESS", 'print("given twice")')
    assert doctor._locks(tmp_path).state == "bad"


def test_servers_that_do_not_answer_are_bad_and_tell_no_password(needs: Needs) -> None:
    gone = dataclasses.replace(
        needs, database="postgresql://me:hunter2@127.0.0.1:9/x", mlflow="http://me:hunter2@127.0.0.1:9"
    )
    for what in ("database", "MLflow"):
        found = looked(gone, what)
        assert found.state == "bad"
        assert "hunter2" not in found.told + found.advice


@pytest.mark.thorough
def test_the_commands(tmp_path: Path) -> None:
    """What a login node prepares, a node without network finds; and not before."""
    place = ["robustness", "--out", str(tmp_path / "runs"), "--cache-dir", str(tmp_path / "cache")]
    codes, told = [], []
    for name in ("doctor", "prepare", "doctor"):
        line = [sys.executable, "-m", "sweeps.launch", name, *place]
        done = subprocess.run(line, capture_output=True, text=True, timeout=100, check=False)
        codes.append(done.returncode)
        told.append(done.stdout)
    assert codes == [0, 0, 0], done.stderr
    assert "the first launch prepares it" in told[0]
    assert "the first launch prepares it" not in told[2]
    assert done.stdout.endswith("Ready.\n")
