"""Ray Jobs as they are typed: what would be submitted, what travels, mistakes, secrets and hostile names."""

import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from sweeps import provenance
from sweeps.clusters import travelling
from sweeps.clusters.ray_jobs import Ending, JobServer, RayJob, job_name
from sweeps.clusters.travelling import copy_plugins, copy_project, pinned_requirements, plugin_names
from sweeps.commands.submit_ray import described, entrypoint
from tests.plugin_samples import SOUND
from tests.sweeps.command_line import Line

GOLDEN = Path(__file__).parents[2] / "golden" / "ray"
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
LAUNCH = ["--preset", "cifar10", "--out", "/shared/runs", "--database", "postgresql://me@db/sweeps"]
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "plugins": (Path("mine/my r2.py"), Path("other.py")),
        "pip": ("numpy==2.0.0", "ray[tune]<3,>=2.50"),
        "env_vars": {"OMP_NUM_THREADS": "1"},
    },
}
NOT_HERE = "/no-such-place-on-this-machine"
SUBMIT = ["ray", "robustness", "--out", f"{NOT_HERE}/runs", "--dry-run"]


def sample(**changes: Any) -> RayJob:
    plugins = changes.get("plugins", ())
    given = [*LAUNCH, *(word for file in plugins for word in ("--plugin", str(file)))]
    return RayJob(
        **{
            "job": job_name("robustness", "cifar10", TIME),
            "entrypoint": entrypoint("python", "robustness", given, plugin_names(plugins)),
            "env_vars": {},
            "metadata": {"study": "robustness", "preset": "cifar10"},
            **changes,
        }
    )


@pytest.mark.parametrize("case", CASES)
def test_what_is_submitted_is_the_golden_text(case: str) -> None:
    """After a change that is meant: python -m tests.sweeps.clusters.test_ray_jobs."""
    assert described(sample(**CASES[case])) == (GOLDEN / f"{case}.yaml").read_text()


def test_a_dry_run_prints_the_job_alone_and_what_would_run_beside_it(line: Line, tmp_path: Path) -> None:
    places = [
        "--out", f"{NOT_HERE}/runs", "--database", f"sqlite:///{NOT_HERE}/x.db", "--data-dir", f"{NOT_HERE}/cifar",
        f"--cache-dir={NOT_HERE}/cache", "--inception-weights", f"{NOT_HERE}/w.pth",
    ]  # fmt: skip
    code, out, err = line("ray", "robustness", "--methods", "sn,r1", "--settings", "C", *places, "--dry-run")
    assert code == 0, err
    job = yaml.safe_load(out)
    launch = ["python", "-m", "sweeps.launch", "robustness", "--methods", "sn,r1", "--settings", "C", *places]
    assert shlex.split(job["entrypoint"]) == [*launch, "--address", "auto", "--debug"]
    assert job["submission_id"].startswith("robustness-quick-20")
    assert list(job["runtime_env"]) == ["working_dir"]
    assert "2 trials to run, 0 already done." in err
    assert not list(tmp_path.iterdir())
    assert not Path(NOT_HERE).exists()


def test_plugins_travel_and_are_named_as_the_job_finds_them(line: Line, tmp_path: Path) -> None:
    plugin = tmp_path / "my $(touch hacked) r2.py"
    plugin.write_text(SOUND["penalty"])
    code, out, err = line(*SUBMIT, "--settings", "C", f"--plugin={plugin}")
    assert code == 0, err
    words = shlex.split(yaml.safe_load(out)["entrypoint"])
    assert words[words.index("--plugin") + 1] == f"plugins/0/{plugin.name}"
    assert str(plugin) not in words
    copy_plugins([plugin], tmp_path / "job")
    assert (tmp_path / "job" / "plugins" / "0" / plugin.name).read_text() == SOUND["penalty"]


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        (["--methods", "sm"], ["Did you mean 'sn'"]),
        (["--sedes", "3"], ["--sedes"]),
        (["--address", "auto"], ["--address auto", "leave it out"]),
        (["--out", "runs"], ["--out runs", "absolute"]),
        (["--data-dir", "cifar"], ["--data-dir cifar", "absolute"]),
        (["--database", "sqlite:///x.db"], ["--database sqlite:///x.db", "four slashes"]),
        (["--mlflow", "sqlite:///x.db"], ["--mlflow sqlite:///x.db", "four slashes"]),
        (["--database", "oracle://x"], ["'oracle'"]),
        (["--preset", "quick+updates=3~ab12"], ["only the database knows"]),
        (["--database", "postgresql://me:hunter2@db/x"], ["holds a password"]),
        (["--head", "http://me:hunter2@head:8265"], ["--head holds a password", "RAY_AUTH_TOKEN"]),
        (["--env", "NOT_SET_ANYWHERE"], ["--env NOT_SET_ANYWHERE", "not set"]),
        (["--env", "PGPASSWORD"], ["--env PGPASSWORD", "looks like a secret", "where the cluster's nodes start"]),
        (["--env", "AWS_SECRET_ACCESS_KEY"], ["looks like a secret"]),
        (["--env", "SNGAN_NOTIFY"], ["looks like a secret"]),
        (["--env", "HTTPS_PROXY"], ["its value holds a password"]),
    ],
)
def test_mistakes_are_told(line: Line, monkeypatch: pytest.MonkeyPatch, more: list[str], parts: list[str]) -> None:
    for name in ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy")
    code, out, err = line(*SUBMIT, *more)
    assert code == 2
    assert "Traceback" not in out + err
    assert "hunter2" not in out + err
    for part in parts:
        assert part in err


@pytest.mark.parametrize("head", ["127.0.0.1:8265", "ray://127.0.0.1:10001", "os://x", "auto"])
def test_only_web_addresses_are_asked(line: Line, head: str) -> None:
    code, _, err = line(*SUBMIT[:-1], "--methods", "sn", "--settings", "C", "--head", head)
    assert code == 2
    assert repr(head) in err
    assert "http://HOST:8265" in err


def test_a_variable_that_is_named_goes_along_and_no_other(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("SOME_OTHER", "hunter2")
    code, out, err = line(*SUBMIT, "--methods", "sn", "--settings", "C", "--env", "OMP_NUM_THREADS")
    assert code == 0, err
    assert yaml.safe_load(out)["runtime_env"]["env_vars"] == {"OMP_NUM_THREADS": "3"}
    assert "hunter2" not in out


def test_a_cluster_that_does_not_answer_is_told(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:9")
    code, out, err = line(*SUBMIT[:-1], "--methods", "sn", "--settings", "C")
    assert code == 2
    assert "the Ray cluster at http://127.0.0.1:9 does not answer" in err
    assert "Traceback" not in out + err


def test_what_is_missing_of_rays_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ValueError, match=r"\[ray-jobs\]"):
        JobServer("http://127.0.0.1:9")


def test_names_of_jobs_can_be_read_and_mean_nothing_to_shells() -> None:
    assert job_name("robustness", "quick+updates=60/$(x)", TIME) == "robustness-quick-updates-60-x-20260102T030405678"


@pytest.mark.parametrize(
    ("state", "exit_code", "code"),
    [("SUCCEEDED", 0, 0), ("FAILED", 1, 1), ("FAILED", 75, 75), ("FAILED", None, 1), ("FAILED", -9, 1),
     ("STOPPED", None, 75)],
)  # fmt: skip
def test_how_a_job_ended_is_the_exit_code(state: str, exit_code: int | None, code: int) -> None:
    assert Ending(state=state, exit_code=exit_code, told="").code == code


@pytest.mark.thorough
def test_a_copy_of_the_code_runs_alone_and_knows_its_commit_and_version(tmp_path: Path) -> None:
    """Imported by an interpreter that finds nothing else of this project."""
    copy_project(tmp_path)
    assert not list(tmp_path.rglob("__pycache__"))
    asked = (
        "import json, os, sngan, dashboards.report, sweeps.store.schema as s, sweeps.provenance as p;"
        "from importlib import metadata, resources;"
        "print(json.dumps([sngan.__file__, s.__file__, dashboards.report.__file__, p.git_state(), "
        "metadata.version(p.PACKAGE), os.path.abspath(metadata.distribution(p.PACKAGE).locate_file('')), "
        "(resources.files('sngan.datasets') / 'imagenet_synsets.txt').is_file()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *files, state, version, place, found = json.loads(done.stdout)
    assert all(file.startswith(str(tmp_path)) for file in files)
    assert state == provenance.git_state()
    assert version == metadata.version(provenance.PACKAGE)
    assert Path(place).resolve() == tmp_path.resolve()
    assert found
    here = {str(file.relative_to(Path(provenance.__file__).parent)) for file in _data_files()}
    assert here
    assert here <= {str(file.relative_to(tmp_path / "sweeps")) for file in (tmp_path / "sweeps").rglob("*")}


def _data_files() -> list[Path]:
    return [*Path(provenance.__file__).parent.rglob("*.mako"), *Path(provenance.__file__).parent.rglob("versions/0*")]


def test_a_copy_of_a_copy_still_knows_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git_state.json").write_text('{"git_commit": "ab", "git_dirty": true}')
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    (tmp_path / "copy").mkdir()
    provenance.carry_git_state(tmp_path / "copy")
    assert json.loads((tmp_path / "copy" / "git_state.json").read_text()) == {"git_commit": "ab", "git_dirty": True}


def test_requirements_are_pinned_to_what_is_here_and_rays_stay_the_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {(each := Requirement(text)).name: each for text in pinned_requirements()}
    assert str(found["numpy"]) == f"numpy=={metadata.version('numpy')}"
    assert found["ray"].extras == {"tune"}
    assert metadata.version("ray") in found["ray"].specifier
    assert "==" not in str(found["ray"])
    assert {"torch", "mlflow", "sqlalchemy"} <= found.keys()
    assert not {"pytest", "ruff", "mypy"} & found.keys()
    assert all("+" not in str(each) for each in found.values())
    there = metadata.version

    def without_onnx(name: str) -> str:
        if name == "onnxruntime":
            raise metadata.PackageNotFoundError(name)
        return "2.9.1+cu130" if name == "torch" else there(name)

    assert "onnx" in found  # all of that extra is installed for tests
    monkeypatch.setattr(travelling.metadata, "version", without_onnx)
    less = pinned_requirements()
    assert "torch==2.9.1" in less
    assert not [text for text in less if text.startswith("onnx")]


if __name__ == "__main__":
    for name, changes in CASES.items():
        (GOLDEN / f"{name}.yaml").write_text(described(sample(**changes)))
    sys.exit()
