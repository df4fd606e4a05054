"""python -m sngan as a person types it."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sngan.checkpoints import save_checkpoint
from sngan.commands import progress
from sngan.commands.data import floor
from sngan.config import TrialConfig
from sngan.datasets import DATASETS
from sngan.methods import METHODS, SETTINGS
from sngan.metrics.catalog import METRICS
from sngan.metrics.evaluator import Evaluator
from sngan.metrics.protocols import PROTOCOLS
from sngan.metrics.samples import Progress
from sngan.models import ARCHITECTURES
from sngan.regularizers import REGULARIZERS
from tests.sngan.typed import sngan


def test_list_shows_every_registry() -> None:
    printed = sngan("list").stdout
    for registry in (METHODS, SETTINGS, DATASETS, ARCHITECTURES, REGULARIZERS, METRICS, PROTOCOLS):
        for name in registry:
            assert f"  {name} " in printed


def test_train_show_and_evaluate(tmp_path: Path) -> None:
    out, cache = str(tmp_path / "runs"), ("--cache-dir", str(tmp_path / "cache"))
    small = ("--updates", "4", "--set", "batch_size=8", "--set", "evaluate_every=2")
    command = [sys.executable, "-m", "sngan", "train", "--method", "r1", "--out", out, *small, *cache]
    trained = subprocess.run(command, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    assert "update 4: fid/gen600-test600-digits-" in trained.stdout
    (checkpoint,) = (tmp_path / "runs" / "checkpoints").glob("*/state.pt")
    shown = json.loads(sngan("show", str(checkpoint)).stdout)
    assert shown["config"]["regularizers"][0]["name"] == "r1"
    assert [evaluation["update"] for evaluation in shown["evaluations"]] == [2, 4]
    assert not any("diagnoses" in part for part in (*shown["evaluations"], shown["outcome"]))
    protocol = "fid/gen600-test600-digits"
    measured = sngan("evaluate", str(checkpoint), "--protocol", protocol, *cache)
    value = float(measured.stdout.split("\t")[1])
    assert value == shown["evaluations"][-1]["scores"][0]["value"]


def test_prepare_ones_own_images_and_train_on_them(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images)
    cache = ("--cache-dir", str(tmp_path / "cache"))
    prepared = sngan("prepare", str(tmp_path / "mine.npz"), "--image-size", "8", *cache)
    assert prepared.returncode == 0, prepared.stderr
    name = prepared.stdout.split()[0]
    small = ("--updates", "2", "--set", "batch_size=8", "--out", str(tmp_path / "runs"))
    trained = sngan("train", "--dataset", name, *small, *cache)
    assert trained.returncode == 0, trained.stderr
    assert "completed" in trained.stdout
    assert trained.stderr.startswith("no protocol is given: nothing will be measured.")


def test_prepare_a_data_set_of_the_catalog(tmp_path: Path) -> None:
    for _ in range(2):
        done = sngan("prepare", "digits", "--cache-dir", str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert done.stdout == "digits  (train 1197, test 600 images of 8 pixels, 1 channel)\n"
    assert (tmp_path / "datasets" / "digits-1").exists()


def test_list_says_what_data_sets_need() -> None:
    lines = {line.split()[0]: line for line in sngan("list").stdout.splitlines() if " prepared. " in line}
    assert lines.keys() == set(DATASETS)
    assert "bundled, less than 1 MB prepared" in lines["digits"]
    assert "2640 MB download, 746 MB prepared" in lines["stl10"]
    assert "train 1281167, val 50000, 1000 classes; needs --data-dir, 65430 MB prepared" in lines["imagenet"]


def test_what_is_set_by_hand_wins_over_method_and_setting(tmp_path: Path) -> None:
    by_hand = ("--set", "alpha=0.5", "--set", "loss=hinge", "--set", "n_dis=2", "--set", "batch_size=8")
    done = sngan("train", "--updates", "1", *by_hand, "--out", str(tmp_path), "--cache-dir", str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "set by hand: alpha: 0.5, batch_size: 8, loss: 'hinge', n_dis: 2" in done.stdout
    (checkpoint,) = (tmp_path / "checkpoints").glob("*/state.pt")
    config = json.loads(sngan("show", str(checkpoint)).stdout)["config"]
    assert (config["alpha"], config["loss"], config["n_dis"]) == (0.5, "hinge", 2)
    assert config["regularizers"][0]["name"] == "spectral-norm"


def test_numbers_that_are_not_finite_are_shown_as_null(tmp_path: Path) -> None:
    evaluation = {"diagnostics": {"loss/generator": math.nan, "logits/real": 2.5}, "diagnoses": [{"values": {}}]}
    content = {"evaluations": [evaluation], "outcome": None}
    save_checkpoint(tmp_path / "state.pt", TrialConfig(), content)
    shown = json.loads(sngan("show", str(tmp_path / "state.pt")).stdout, parse_constant=pytest.fail)
    assert shown["evaluations"] == [{"diagnostics": {"loss/generator": None, "logits/real": 2.5}}]
    assert shown["outcome"] is None


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_data_set_has_an_architecture_that_takes_it(dataset: str, tmp_path: Path) -> None:
    """Without a data folder it ends where the data set is opened, if not in a trial."""
    files = ("--data-dir", str(tmp_path / "none"), "--cache-dir", str(tmp_path / "cache"))
    done = sngan("train", "--updates", "1", "--dataset", dataset, "--out", str(tmp_path), *files)
    if DATASETS[dataset].download_mb == 0:
        assert done.returncode == 0, done.stderr
    else:
        assert f"the data folder {tmp_path / 'none'} is not a folder" in done.stderr


def test_a_floor_is_measured_with_the_threads_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    measure = Evaluator.floors

    def floors(evaluator: Evaluator, progress: Progress) -> dict[str, float | None]:
        used.append(torch.get_num_threads())
        return measure(evaluator, progress)

    monkeypatch.setattr(Evaluator, "floors", floors)
    before = torch.get_num_threads()
    arguments = ["fid/gen100-test600-digits", "--threads", str(before + 1), "--cache-dir", str(tmp_path)]
    try:
        done = CliRunner().invoke(floor, arguments)
    finally:
        torch.set_num_threads(before)
    assert done.exit_code == 0, done.output
    assert used == [before + 1]


def test_bars_are_for_what_takes_long_each_with_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([0.0, 0.0, 0.5, 10.0, 12.0, 12.5, 20.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    with progress.measuring_bar() as tell:
        tell("quick", 1, 2)  # begins at 0.0, asks at 0.5
        tell("slow", 1, 4)  # begins at 10, asks at 12
        tell("slow", 4, 4)
        tell("slow", 1, 4)  # once more, for another quantity: begins at 12.5, asks at 20
    assert capsys.readouterr().err.splitlines() == ["measuring slow, once per machine"] * 2


def test_an_unusable_device_is_told_before_anything_is_prepared(tmp_path: Path) -> None:
    done = sngan("train", "--device", "meta", "--out", str(tmp_path / "o"), "--cache-dir", str(tmp_path / "cache"))
    assert done.returncode == 2
    assert "device 'meta' cannot be used here" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_floor_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    done = sngan("floor", "fid/gen1000-test600-digits", "--cache-dir", str(tmp_path / "cache"))
    assert done.returncode == 0, "1197 training images stand for 1000 generated ones"
    done = sngan("floor", "fid/gen5000-test600-digits", "--cache-dir", str(tmp_path / "cache"))
    assert done.returncode == 2
    assert "digits has too few images for fid/gen5000-test600-digits" in done.stderr
    assert done.stdout == ""


def test_ctrl_c_says_that_the_command_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sngan", "train", "--updates", "1000000", "--set", "evaluate_every=20"]
    places = ["--out", str(tmp_path), "--cache-dir", str(tmp_path / "cache")]
    process = subprocess.Popen([*command, *places], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "update 20" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    # On a busy machine it takes long enough to be told of.
    assert err.replace("preparing digits", "").strip() == "stopped; the same command goes on from the last checkpoint"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "--set", "batch_size=1e9"), "whole numbers from 1 to 65536"),
        (("train", "--method", "spectral"), "unknown method 'spectral'"),
        (("train", "--setting", "G"), "unknown setting 'G'"),
        (
            ("train", "--method", "orthonormal", "--setting", "C(discriminator_init=lecun)"),
            "config.discriminator_init is 'orthonormal' by definition of method 'orthonormal'",
        ),
        (("train", "--set", "n_dsi=3"), "Did you mean 'n_dis'?"),
        (("train", "--set", "batch_size"), "KEY=VALUE"),
        (("train", "--updates", "-3"), "config.updates is -3"),
        (("train", "--updates", "many"), "'many' is not a valid int"),
        (("train", "--updtes", "3"), "--updates"),
        (("trian",), "'trian'"),
        (("train", "--dataset", "digit"), "Did you mean 'digits'?"),
        (("show", "/nowhere/state.pt"), "cannot read the checkpoint"),
        (("prepare", "/nowhere", "--image-size", "8"), "/nowhere"),
        (("prepare", "/tmp"), "how large shall the images of /tmp become?"),
        (("prepare", "/nowhere"), "/nowhere does not exist."),
        (("prepare", "imagnet"), "unknown data set 'imagnet'. Did you mean 'imagenet'?"),
        (("prepare", "stl10", "--image-size", "32"), "--image-size is for your own images; stl10 has 48."),
        (("prepare", "stl10", "--data-dir", "/nowhere"), "the data folder /nowhere is not a folder"),
        (("prepare", "imagenet"), "imagenet cannot be downloaded without an account"),
        (("prepare", "celeba"), "Fetch img_align_celeba.zip and list_eval_partition.txt from"),
        (("floor", "fid/gen600-test600-digits", "--dataset", "cifar"), "cifar10"),
        (("train", "--device", "tpu9"), "device"),
        (("train", "--set", "protocols=intra-fid/gen600-test600-digits"), "this model is not conditional"),
    ],
)
def test_mistakes_are_told_in_two_lines(arguments: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    cache = ("--cache-dir", str(tmp_path)) if arguments[0] in ("train", "prepare", "floor") else ()
    done = sngan(*arguments, *cache)
    assert done.returncode != 0
    assert expected in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
