"""python -m sweeps.submit as it is typed: scripts, mistakes, and what becomes of secrets and hostile names."""

from pathlib import Path

import pytest

from sweeps.clusters import submissions
from sweeps.clusters.submissions import Submission
from tests.sweeps.command_line import Line


def test_a_dry_run_prints_the_script_alone_and_what_would_run_beside_it(line: Line, tmp_path: Path) -> None:
    code, out, err = line("slurm", "robustness", "--nodes", 2, "--methods", "sn,r1", "--settings", "C", "--dry-run")
    assert code == 0
    assert out.startswith("#!/bin/bash\n")
    assert out.endswith('exit "$code"\n')
    assert "#SBATCH --nodes=2\n" in out
    assert f"#SBATCH --output={tmp_path}/runs/slurm/%x-%j.log\n" in out
    assert '"$python" -m sweeps.launch robustness --methods sn,r1 --settings C --debug &\n' in out
    assert "2 trials to run, 0 already done." in err
    assert not (tmp_path / "runs" / "slurm").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["slurm", "robustnes"], ["robustnes", "Did you mean 'robustness'"]),
        (["slurm", "robustness", "--preset", "quik"], ["quik", "Did you mean 'quick'"]),
        (["slurm", "robustness", "--methods", "sn,wgan"], ["'wgan'", "Did you mean 'wgan-gp'"]),
        (["slurm", "robustness", "--sedes", "3"], ["--sedes"]),
        (["slurm", "robustness", "--nodes", "0"], ["nodes is 0"]),
        (["slurm", "robustness", "--time", "soon"], ["'soon'", "HOURS:MINUTES:SECONDS"]),
        (["slurm", "robustness", "--address", "auto"], ["--address auto", "Ray of its own"]),
        (["slurm", "robustness", "--engine", "in-process"], ["--engine in-process"]),
        (["slurm", "robustness", "--cpus-per-trial", "4"], ["4 CPUs", "--cpus-per-node"]),
        (["slurm", "robustness", "--gpus-per-trial", "0.5"], ["trials ask for GPUs", "--gpus-per-node"]),
        (["slurm", "robustness", "--trials-per-gpu", "8"], ["trials ask for GPUs"]),
        (["slurm", "robustness", "--sbatch", "output=x"], ["the script sets it itself"]),
        (["slurm", "robustness", "--sbatch", "wait"], ["the script sets it itself"]),
        (["slurm", "robustness", "--sbatch", "test-only"], ["the script sets it itself"]),
        (["slurm", "robustness", "--partition", 'a"; rm -rf'], ["--partition", "no spaces"]),
        (["slurm", "robustness", "--methods", "sn", "--settings", "C"], ["sbatch is not there"]),
        (["status"], ["nothing was submitted from"]),
        (["cancel", "7"], ["nothing was submitted from"]),
        (["logs"], ["nothing was submitted from"]),
        (["cancel", "seven"], ["'seven' is no job", "1234_5"]),
        (["logs", "7_1_2"], ["'7_1_2' is no job"]),
    ],
)
def test_mistakes_are_told_in_a_line_or_two(line: Line, arguments: list[str], parts: list[str]) -> None:
    code, out, err = line(*arguments)
    assert code == 2
    assert "Traceback" not in out + err
    for part in parts:
        assert part in err


@pytest.mark.parametrize("place", ["me:hunter2@host/x", "me:hun/hunter2@host/x", "me@host/x?password=hunter2"])
@pytest.mark.parametrize("option", ["--database", "--mlflow", "--storage"])
def test_passwords_are_refused_and_not_repeated(line: Line, option: str, place: str) -> None:
    scheme = {"--database": "postgresql", "--mlflow": "https", "--storage": "s3"}[option]
    code, out, err = line("slurm", "robustness", option, f"{scheme}://{place}", "--dry-run")
    assert code == 2
    assert "holds a password" in err
    assert "hunter2" not in out + err


@pytest.mark.parametrize("system", ["slurm", "kubernetes", "ray"])
@pytest.mark.parametrize("given", [["--notify", "https://x/hunter2"], ["--notify=https://x/hunter2"]])
def test_addresses_of_webhooks_are_refused_and_the_variable_is_named(line: Line, system: str, given: list[str]) -> None:
    more = {"kubernetes": ["--image", "x", "--claim", "y"]}.get(system, [])
    code, out, err = line(system, "robustness", *more, *given, "--dry-run")
    assert code == 2
    assert "--notify holds a secret, which others could read in the script.\nPut it into SNGAN_NOTIFY" in err
    assert "hunter2" not in out + err


def test_an_address_in_the_environment_is_not_written_into_the_script(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNGAN_NOTIFY", "https://x/hunter2")
    code, out, err = line("slurm", "robustness", "--methods", "sn", "--settings", "C", "--dry-run")
    assert code == 0
    assert "hunter2" not in out + err


def test_a_storage_is_handed_on_to_the_launch(line: Line) -> None:
    code, out, err = line("slurm", "robustness", "--storage", "s3://bucket/study", "--dry-run")
    assert code == 0
    assert "-m sweeps.launch robustness --storage s3://bucket/study --debug &\n" in out
    assert "kept in s3://bucket/study." in err


def test_an_unknown_job_is_told_with_those_there_are(line: Line, tmp_path: Path) -> None:
    known = Submission(
        job=41, study="robustness", preset="quick", database="sqlite:///x", name="n", submitted="", command=["x"]
    )
    submissions.remember(tmp_path / "runs", known, "#!/bin/bash\n")
    code, _, err = line("logs", "42")
    assert code == 2
    assert "'42'" in err
    assert "41" in err
    assert submissions.submissions(tmp_path / "runs") == [known]
    for name in ("n-41.log", "n-41_3.log", "n-411.log", "other-41.log"):
        (tmp_path / "runs" / "slurm" / name).touch()
    assert [file.name for file in submissions.logs(tmp_path / "runs", known)] == ["n-41.log", "n-41_3.log"]
    assert [file.name for file in submissions.logs(tmp_path / "runs", known, 3)] == ["n-41_3.log"]
    (tmp_path / "runs" / "slurm" / "n-41_3.log").write_text("of task 3\n")
    assert line("logs", "41_3")[1] == "of task 3\n"
    assert line("logs", "41")[1] == "==> n-41_3.log\nof task 3\n"
    for file in submissions.logs(tmp_path / "runs", known):
        file.unlink()
    assert line("logs", "41")[2] == "Job 41 has written nothing yet.\n"


def test_a_dry_run_leaves_nothing_behind_and_warns_of_folders_that_nodes_do_not_share(
    line: Line, tmp_path: Path
) -> None:
    code, _, err = line("slurm", "robustness", "--methods", "sn", "--settings", "C", "--dry-run")
    assert code == 0
    assert not (tmp_path / "runs").exists()
    shared = not any(tmp_path.resolve().is_relative_to(name) for name in ("/tmp", "/var/tmp", "/dev/shm"))
    assert ("which nodes seldom share" in err) == (not shared)
