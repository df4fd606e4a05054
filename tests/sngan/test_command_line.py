"""python -m sngan as a person types it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sngan.datasets import DATASETS
from sngan.methods import METHODS, SETTINGS
from sngan.metrics.protocols import PROTOCOLS
from sngan.models import ARCHITECTURES
from sngan.regularizers import REGULARIZERS


def sngan(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sngan", *arguments], capture_output=True, text=True, check=False)


def test_list_shows_every_registry() -> None:
    printed = sngan("list").stdout
    for registry in (METHODS, SETTINGS, DATASETS, ARCHITECTURES, REGULARIZERS, PROTOCOLS):
        for name in registry:
            assert f"  {name} " in printed


def test_train_show_and_evaluate(tmp_path: Path) -> None:
    out, cache = str(tmp_path / "runs"), ("--cache-dir", str(tmp_path / "cache"))
    small = ("--updates", "4", "--set", "batch_size=8", "--set", "evaluate_every=2")
    trained = sngan("train", "--method", "r1", "--out", out, *small, *cache)
    assert trained.returncode == 0, trained.stderr
    assert "update 4: fid/gen600-test600-digits-" in trained.stdout
    (checkpoint,) = (tmp_path / "runs" / "checkpoints").glob("*/state.pt")
    shown = json.loads(sngan("show", str(checkpoint)).stdout)
    assert shown["config"]["regularizers"][0]["name"] == "r1"
    assert [evaluation["update"] for evaluation in shown["evaluations"]] == [2, 4]
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


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "--method", "spectral"), "unknown method 'spectral'"),
        (("train", "--setting", "G"), "unknown setting 'G'"),
        (("train", "--set", "n_dsi=3"), "Did you mean 'n_dis'?"),
        (("train", "--set", "batch_size"), "KEY=VALUE"),
        (("train", "--updates", "-3"), "config.updates is -3"),
        (("train", "--dataset", "digit"), "Did you mean 'digits'?"),
        (("show", "/nowhere/state.pt"), "cannot read the checkpoint"),
        (("prepare", "/nowhere", "--image-size", "8"), "/nowhere"),
        (("floor", "fid/gen600-test600-digits", "--dataset", "cifar"), "cifar10"),
        (("train", "--device", "tpu9"), "device"),
    ],
)
def test_mistakes_are_told_in_two_lines(arguments: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    cache = ("--cache-dir", str(tmp_path)) if arguments[0] in ("train", "prepare", "floor") else ()
    done = sngan(*arguments, *cache)
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
