"""A study submitted to a real Ray as a job: the code travels, the numbers are those of one machine, ends are told."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps import provenance
from sweeps.commands.options import database_url
from sweeps.compare import compare
from sweeps.store import open_store
from sweeps.study import STUDIES
from sweeps.variation import parse_overrides, vary
from tests.plugin_samples import SOUND
from tests.sweeps.clusters.own_ray import OwnRay, own_ray

ROOT = Path(__file__).parents[3]
STUDY = "cost"
CHANGES = ["config.updates=30", "config.evaluate_every=10", "config.batch_size=16",
           "config.generator_batch_size=16", "config.protocols=fid/gen600-test600-digits"]  # fmt: skip
SWEEP = ["--methods", "sn,mine", "--settings", "B", "--seeds", "1", "--no-mlflow",
         *(part for change in CHANGES for part in ("--set", change))]  # fmt: skip
LABEL = next(iter(vary(STUDIES[STUDY], "quick", parse_overrides(CHANGES)).presets))
# Where the code is from that trials run; and that a name is no command.
PLUGIN = """
import os, pathlib, sngan
if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ or "RAY_RAYLET_PID" in os.environ:
    with open(os.environ["CODE_IS_FROM"], "a") as file:
        file.write(str(pathlib.Path(sngan.__file__)) + chr(10))
"""
LONGEST_S = 240

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnRay]:
    with own_ray(num_cpus=2) as started:
        yield started


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    file = tmp_path / "mine $(touch hacked) 'r2'.py"
    file.write_text(PLUGIN + SOUND["penalty"])
    return file


def submit(cluster: OwnRay, *words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "sweeps.submit", "ray", STUDY, "--head", cluster.url, *map(str, words)]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=LONGEST_S, check=False, cwd=ROOT,
        env={**cluster.environment, **environment},
    )  # fmt: skip


def test_a_submitted_study_ends_with_the_numbers_of_one_machine(
    cluster: OwnRay, tmp_path: Path, cache_dir: Path, plugin: Path
) -> None:
    places = ["--cache-dir", str(cache_dir), "--plugin", str(plugin)]
    code_is_from = tmp_path / "code-is-from"
    done = submit(
        cluster, *SWEEP, *places, "--out", tmp_path / "there", "--follow", "--env", "CODE_IS_FROM",
        CODE_IS_FROM=str(code_is_from),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    job = re.search(rf"Submitted as Ray job ({STUDY}-quick-\S+)", done.stdout)
    assert job, done.stdout
    assert f"ray job stop --address {cluster.url} {job[1]}" in done.stdout
    assert "Report: " in done.stdout
    assert f"Job {job[1]}: SUCCEEDED." in done.stderr
    files = set(code_is_from.read_text().split("\n")) - {""}
    assert files
    assert all("/working_dir_files/" in file for file in files), files
    assert not list(tmp_path.rglob("hacked")) + list(ROOT.rglob("hacked"))

    here = [sys.executable, "-m", "sweeps.launch", STUDY, *SWEEP, *places, "--engine", "in-process", "--out"]
    subprocess.run([*here, str(tmp_path / "here")], check=True, timeout=LONGEST_S, cwd=ROOT, capture_output=True)
    with (
        open_store(database_url(tmp_path / "here"), create=False) as left,
        open_store(database_url(tmp_path / "there"), create=False) as right,
    ):
        assert len(left.evaluations(STUDY, LABEL)) == 2 * 3
        assert not compare(left, right, STUDY, LABEL, left_dir=tmp_path / "here", right_dir=tmp_path / "there")
    recorded = stored_provenance(tmp_path / "there")
    assert recorded["git_commit"] == provenance.git_state()["git_commit"]
    assert recorded["git_dirty"] is not None
    assert provenance.PACKAGE in recorded["versions"]
    assert cluster.environment["RAY_AUTH_TOKEN"] not in json.dumps(recorded) + done.stdout + done.stderr


def stored_provenance(out: Path) -> dict[str, object]:
    with sqlite3.connect(f"file:{out / 'results.db'}?mode=ro", uri=True) as database:
        ((text,),) = database.execute("SELECT provenance FROM studies")
    found: dict[str, object] = json.loads(text)
    return found


def test_who_does_not_know_the_token_is_refused(cluster: OwnRay, tmp_path: Path) -> None:
    for changed in ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "0" * 32}):
        done = submit(cluster, "--methods", "sn", "--settings", "B", "--out", tmp_path, **changed)
        assert done.returncode == 2
        assert "RAY_AUTH_TOKEN" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_exit_code_of_the_launch_comes_back(cluster: OwnRay, tmp_path: Path) -> None:
    done = submit(
        cluster, "--methods", "sn", "--settings", "B", "--gpus-per-trial", 1, "--out", tmp_path / "out", "--follow"
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no machine here has both" in done.stdout
    assert "FAILED" in done.stderr
