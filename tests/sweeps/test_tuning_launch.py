"""A study with searches from the command line: killed, started again on Ray, and the same as if nothing had been."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.commands.line import run
from sweeps.commands.options import database_url
from sweeps.store import TrialState, open_store
from tests.sweeps.command_line import Line, assert_told

TINY = ["config.updates=2", "config.evaluate_every=2", "config.protocols=fid/gen600-test600-digits",
        "config.batch_size=8", "config.generator_batch_size=8", "config.z_dim=8"]  # fmt: skip
SET = [part for change in TINY for part in ("--set", change)]
ONE = ["tuning", *SET, "--methods", "none", "--seeds", "1", "--no-mlflow"]


def results(out: Path) -> dict[tuple[str, str, int], tuple[str, str, list[float]]]:
    """(method, setting, seed) -> digest, state, values: all that training could have changed."""
    with open_store(database_url(out), create=False) as store:
        preset = next(str(row.preset) for row in store.studies().itertuples())
        trials, scores = store.trials("tuning", preset), store.evaluations("tuning", preset)
    return {
        (row.method, row.setting, row.seed): (
            row.digest, row.state, scores[scores["digest"] == row.digest]["value"].tolist(),
        )
        for row in trials.itertuples()
    }  # fmt: skip


def kill_after(results_told: int, arguments: list[str]) -> None:
    """Launch in a process of its own, and kill it without warning once so many trials have ended."""
    command = [sys.executable, "-m", "sweeps.launch", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        for row in process.stdout:
            if row.startswith(f"[{results_told}/"):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL


@pytest.mark.ray
@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_killed_search_that_goes_on_on_ray_ends_as_if_it_had_never_stopped(tmp_path: Path, cache_dir: Path) -> None:
    place = ["--cache-dir", str(cache_dir), "--out"]
    assert run([*ONE, "--engine", "in-process", *place, str(tmp_path / "whole")]) == 0
    whole = results(tmp_path / "whole")
    assert len(whole) == 2 * (8 + 1)
    assert {state for _, state, _ in whole.values()} <= {"completed", "diverged"}
    kill_after(10, [*ONE, "--engine", "in-process", *place, str(tmp_path / "killed")])
    broken = results(tmp_path / "killed")
    assert len(broken) < len(whole)
    assert run([*ONE, "--max-concurrent", "2", *place, str(tmp_path / "killed")]) == 0
    assert results(tmp_path / "killed") == whole


def test_a_dry_run_tells_what_comes_first_and_how_much_later(line: Line, tmp_path: Path) -> None:
    code, out, _ = line(*ONE, "--dry-run", "--out", tmp_path)
    assert code == 0
    assert "random-003" in out
    assert "random-004" not in out
    assert "4 trials to run, 0 already done." in out
    assert "10 more trials will be proposed from the results of these." in out
    assert not (tmp_path / "optuna.db").exists()


def test_settings_that_a_search_finds_cannot_be_chosen(line: Line, tmp_path: Path) -> None:
    assert_told(line(*ONE, "--settings", "A", "--out", tmp_path), "searches its settings", "--methods and --seeds")


def test_a_stopped_search_says_so_and_names_what_goes_on(
    line: Line,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sweeps import listeners

    finish = listeners.StoreWriter.on_finish

    def stop_after_the_first(*arguments: object) -> None:
        finish(*arguments)  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(listeners.StoreWriter, "on_finish", stop_after_the_first)
    code, _, err = line(*ONE, "--engine", "in-process", "--out", tmp_path)
    assert code == 75
    assert "Stopped: 1 of 14 trials have a result." in err
    with open_store(database_url(tmp_path), create=False) as store:
        preset = next(str(row.preset) for row in store.studies().itertuples())
        states = store.states("tuning", preset)
    assert sorted(states.values()).count(TrialState.QUEUED) == 3
