"""The command line: what a user types, what it answers, and with which exit code it ends."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps import reporting
from sweeps.commands.line import run
from sweeps.commands.options import database_url
from sweeps.store import NoResultsError, TrialState, open_store
from sweeps.study import STUDIES, plan
from sweeps.variation import parse_overrides, vary
from tests.sweeps.command_line import Line, assert_told
from tests.sweeps.store.samples import DATABASES, fresh_database

TINY = ["config.updates=2", "config.evaluate_every=1", "config.batch_size=8", "config.generator_batch_size=8",
        "config.z_dim=8", "config.protocols=fid/gen600-test600-digits"]  # fmt: skip
SET = [part for change in TINY for part in ("--set", change)]
VARIED = vary(STUDIES["robustness"], "quick", parse_overrides(TINY))
LABEL, PRESET = next(iter(VARIED.presets.items()))
SMALL = ["robustness", *SET, "--methods", "sn,r1", "--settings", "C", "--seeds", "1", "--engine", "in-process"]

pytestmark = pytest.mark.usefixtures("small_report")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, small_report: None) -> Path:
    """The folder of a finished small sweep, run by the command line without Ray and without MLflow."""
    out = tmp_path_factory.mktemp("swept") / "runs"
    code = run([*SMALL, "--no-mlflow", "--out", str(out), "--cache-dir", str(cache_dir)])
    assert code == 0
    return out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["robustnes"], ["robustnes", "Did you mean 'robustness'"]),
        (["stats", "robustness"], ["Did you mean 'status'"]),
        (["status", "robustnes"], ["Did you mean 'robustness'"]),
        (["robustness", "--preset", "quik"], ["quik", "Did you mean 'quick'"]),
        (["robustness", "--methods", "sn,wgan"], ["'wgan'", "Did you mean 'wgan-gp'"]),
        (["robustness", "--methods", ","], ["--methods is empty"]),
        (["robustness", "--settings", "A,G"], ["'G'", "A, B, C, D, E, F"]),
        (["robustness", "--seeds", "0"], ["--seeds is 0", "1 to 10000"]),
        (["robustness", "--seeds", "-3"], ["--seeds is -3"]),
        (["robustness", "--seeds", "abc"], ["--seeds", "'abc'", "python -m sweeps.launch robustness --help"]),
        (["robustness", "--set", "config.update=3"], ["'update'", "Did you mean 'updates'"]),
        (["robustness", "--set", "config.updates=-3"], ["config.updates is -3"]),
        (["robustness", "--set", "config.updates=many"], ["config.updates", "'many'"]),
        (["robustness", "--set", "updates=3"], ["config.KEY=VALUE"]),
        (["robustness", "--set", "config.alpha=0.1"], ["axis of the study"]),
        (["robustness", "--set", "config.protocols=fod/gen600-test600-digits"], ["fod"]),
        (["robustness", "--cpus-per-trial", "-1"], ["--cpus-per-trial is -1.0"]),
        (["robustness", "--gpus-per-trial", "1.5"], ["--gpus-per-trial is 1.5"]),
        (["robustness", "--max-concurrent", "0"], ["--max-concurrent is 0"]),
        (["robustness", "--engine", "rey"], ["rey", "ray", "in-process"]),
        (["robustness", "--prset", "quick"], ["--prset", "--preset"]),
        (["robustness", "--data-dir", "/no/such/folder"], ["/no/such/folder does not exist"]),
        (["robustness", "--inception-weights", "/no/such/file"], ["/no/such/file does not exist"]),
        (["robustness", "--mlflow", "http://x", "--no-mlflow"], ["exclude each other"]),
        (["robustness", "--database", "mysql://u:secret@h/d"], ["mysql"]),
        (["robustness", "--out", "/proc/no-place"], ["/proc/no-place", "--out"]),
        (["robustness", "--storage", "results"], ["'results'", "neither a URL nor an absolute path"]),
        (["robustness", "--storage", "s4://bucket/x"], ["'s4'", "Did you mean 's3'"]),
        (["robustness", "--storage", "s3://"], ["'s3://'", "names no place"]),
        (["robustness", "--storage", "s3://me:top/secret@bucket/x"], ["--storage holds a credential"]),
        (["robustness", "--storage", "s3://bucket/x?secret_key=topsecret"], ["--storage holds a credential"]),
        (["robustness", "--storage", "s3://bucket/x?endpoint=y"], ["'endpoint'", "s3://bucket/x?endpoint=y"]),
        (["robustness", "--notify", "htps://host/secret"], ["unknown scheme of --notify", "Did you mean 'https'"]),
        (["robustness", "--notify", "https://host:secret/x"], ["--notify names no host, or no port"]),
        (["robustness", "--notify", "***"], ["--notify is hidden here"]),
        (["export", "robustness", "--format", "xml"], ["xml", "csv"]),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(
    line: Line, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    place = [] if "--out" in arguments or arguments[0] not in ("robustness", "export") else ["--out", tmp_path]
    answer = line(*arguments, *place)
    assert_told(answer, *parts)
    assert "secret" not in answer[2]


def test_a_folder_below_a_file_cannot_hold_results(line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_told(line(*SMALL, "--out", tmp_path / "file" / "runs"), "cannot write results to", "--out")


def test_results_that_were_never_made_are_told(line: Line, tmp_path: Path, swept: Path) -> None:
    for command in ("status", "report", "export", "sync"):
        assert_told(line(command, "robustness", "--out", tmp_path / "nothing"), "no database")
        assert_told(line(command, "robustness", "--out", swept), "was never launched", LABEL)
    assert_told(line("compare", "robustness", tmp_path / "one", tmp_path / "two"), "neither a folder")


def test_list_names_every_study_and_preset_with_its_number_of_trials(line: Line) -> None:
    code, out, _ = line("--list")
    assert code == 0
    for study in STUDIES.values():
        assert study.question in out
        for preset in study.presets.values():
            assert preset.name in out
            if preset.search is None:
                assert str(len({trial.digest for trial in plan(preset)})) in out
    assert re.search(r"quick +4 x 18 x 1 +56 ", out), "two searches of 8 + 1 share 4"


@pytest.mark.parametrize("command", ["status", "report", "export", "sync", "compare", *STUDIES])
def test_every_command_has_help_with_an_example(line: Line, command: str) -> None:
    code, out, _ = line(command, "--help")
    assert code == 0
    assert f"Example: python -m sweeps.launch {command}" in " ".join(out.split())
    assert all(len(row) <= 100 for row in out.splitlines() if "python -m" not in row)


def test_a_launch_runs_the_plan_and_says_where_the_report_is(line: Line, tmp_path: Path, cache_dir: Path) -> None:
    out = tmp_path / "runs"
    code, told, _ = line(*SMALL, "--no-mlflow", "--out", out, "--cache-dir", cache_dir)
    page = out / "reports" / f"robustness-{LABEL}" / "index.html"
    assert code == 0
    assert "2 of 2 trials to run" in told
    assert f"Report: {page}\nApp: python -m dashboards.app --out {out}\n" in told
    assert "Digits are not CIFAR-10" in told
    assert page.is_file()
    with open_store(database_url(out), create=False) as store:
        trials = store.trials("robustness", LABEL)
        assert set(trials["state"]) == {"completed"}
        assert set(trials["num_attempts"]) == {1}
        assert len(store.evaluations("robustness", LABEL)) == 4
        assert store.states("robustness", "quick") == {}, "a varied preset never mixes with the plain one"
        assert store.verdicts("robustness", LABEL)
        row = store.studies().iloc[0]
    about = json.loads(row["provenance"])
    assert about["command"] == shlex.join(["python", "-m", "sweeps.launch", *SMALL, "--no-mlflow", "--out", str(out),
                                           "--cache-dir", str(cache_dir)])  # fmt: skip
    assert about["inputs"]["dataset"] == "digits"
    assert len(about["inputs"]["dataset_digest"]) >= 16
    assert {"python", "torch", "ray", "sngan-robustness"} <= about["versions"].keys()
    assert len(json.loads(row["launches"])) == 1


def test_launching_again_changes_nothing(line: Line, swept: Path) -> None:
    def contents() -> dict[str, tuple[float, bytes]]:
        files = [file for file in swept.rglob("*") if file.is_file() and "results.db" not in file.name]
        return {str(file): (file.stat().st_mtime, file.read_bytes()) for file in files}

    before = contents()
    code, told, _ = line(*SMALL, "--no-mlflow", "--out", swept)
    assert code == 0
    assert "Nothing to do: all 2 trials have a result." in told
    assert contents() == before
    with open_store(database_url(swept), create=False) as store:
        assert len(json.loads(store.studies().iloc[0]["launches"])) == 1


def test_launching_again_starts_neither_ray_nor_mlflow(swept: Path) -> None:
    program = (
        "import sys; from sweeps.launch import main; from tests.sweeps.conftest import shorten_reports;"
        "shorten_reports(); code = main(sys.argv[1:]);"
        "print('imported:', sorted({'ray', 'mlflow'} & sys.modules.keys())); sys.exit(code)"
    )
    arguments = [argument if argument != "in-process" else "ray" for argument in SMALL]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--out", str(swept)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing to do" in done.stdout
    assert "imported: []" in done.stdout


def test_more_seeds_run_only_what_is_missing_and_share_the_report(line: Line, tmp_path: Path) -> None:
    place = ["--no-mlflow", "--out", tmp_path]
    first = [*SMALL[:-6], "--methods", "sn", "--settings", "C", "--seeds", "1", "--engine", "in-process"]
    assert line(*first, *place)[0] == 0
    assert line(*SMALL, *place)[1].startswith("1 of 2 trials to run")
    with open_store(database_url(tmp_path), create=False) as store:
        assert len(store.trials("robustness", LABEL)) == 2
        assert len(store.studies()) == 1


def test_a_stale_report_is_written_again_and_a_current_one_is_not(line: Line, swept: Path) -> None:
    place = [*SET, "--out", swept]
    page = swept / "reports" / f"robustness-{LABEL}" / "index.html"
    code, told, _ = line("report", "robustness", *place)
    assert (code, told.strip()) == (0, str(page))
    written = page.stat().st_mtime_ns
    line("report", "robustness", *place)
    assert page.stat().st_mtime_ns == written
    line("report", "robustness", *place, "--force")
    assert page.stat().st_mtime_ns > written
    written = page.stat().st_mtime_ns
    (page.parent / "fingerprint.txt").write_text("of other results")
    assert line(*SMALL, "--no-mlflow", "--out", swept)[0] == 0
    assert page.stat().st_mtime_ns > written


def test_dry_run_says_what_would_run_and_writes_nothing(line: Line, tmp_path: Path, swept: Path) -> None:
    code, told, _ = line(*SMALL, "--dry-run", "--out", tmp_path / "new")
    assert code == 0
    assert "2 trials to run, 0 already done" in told
    assert not (tmp_path / "new").exists()
    more = ["3" if argument == "1" else argument for argument in SMALL]
    code, told, _ = line(*more, "--dry-run", "--out", swept)
    assert "4 trials to run, 2 already done" in told
    assert "  1 to 2 " in told, "seeds"
    assert "Expected: " in told
    assert "at least" not in told
    assert "not measured yet" not in told
    _, told, _ = line(*more, "--methods", "sn,wgan-gp", "--dry-run", "--out", swept)
    assert "Expected: at least " in told
    with open_store(database_url(swept), create=False) as store:
        assert len(store.trials("robustness", LABEL)) == 2


@pytest.mark.parametrize("kind", DATABASES)
def test_a_dry_run_takes_a_database_that_a_launch_would_begin(line: Line, tmp_path: Path, kind: str) -> None:
    with fresh_database(kind, tmp_path) as url:
        code, told, err = line(*SMALL, "--dry-run", "--out", tmp_path / "new", "--database", url)
        assert (code, err) == (0, "")
        assert "2 trials to run, 0 already done" in told
        with pytest.raises(NoResultsError):
            open_store(url, create=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--cpus-per-trial", "1024"), "no machine here has both"),
        (("--device", "meta"), "device 'meta' cannot be used here"),
        (("--set", "config.protocols=fid/gen600-test9999-digits"), "split 'test' of data set 'digits' has 600"),
        (("--set", "config.protocols=fid/gen600-val600-digits"), "unknown split of data set 'digits': 'val'"),
        (("--set", "config.dataset=images-123"), "unknown data set 'images-123'"),
        (("--out", ""), "is empty"),
    ],
)
def test_a_dry_run_refuses_what_a_launch_refuses(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = line("robustness", *arguments, "--dry-run")
    assert code == 2
    assert told in err
    assert line("robustness", *arguments) == (code, "", err)
    assert not list(tmp_path.iterdir())


def test_a_shortened_label_is_a_preset_for_every_command(
    line: Line, swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "~" in LABEL
    monkeypatch.chdir(tmp_path)
    assert line("status", "robustness", "--preset", LABEL, "--out", swept)[0] == 0
    code, told, _ = line("compare", "robustness", swept, swept, "--preset", LABEL)
    assert code == 0
    assert told.startswith("equal: 2 trials")
    code, told, _ = line("robustness", "--preset", LABEL, *SMALL[-8:], "--dry-run", "--out", swept)
    assert code == 0
    assert "0 trials to run, 2 already done" in told


@pytest.mark.parametrize("study", STUDIES)
def test_the_example_of_every_study_is_one_that_works(line: Line, study: str) -> None:
    _, told, _ = line(study, "--help")
    (example,) = re.findall(r"Example: (python -m sweeps\.launch .*? --seeds 3)", " ".join(told.split()))
    code, _, err = line(*shlex.split(example)[3:], "--dry-run")
    assert code == 0, err


def test_status_shows_the_cells_and_export_writes_every_number(line: Line, tmp_path: Path, swept: Path) -> None:
    code, told, _ = line("status", "robustness", *SET, "--out", swept)
    assert code == 0
    assert "2 completed" in told
    assert "at work" not in told
    code, told, _ = line("export", "robustness", *SET, "--out", swept, "--to", tmp_path, "--format", "csv")
    assert code == 0
    table = tmp_path / f"robustness-{LABEL}.csv"
    assert str(table) in told
    assert len(table.read_text().splitlines()) == 1 + 4


def test_compare_tells_equal_from_different(line: Line, tmp_path: Path, swept: Path) -> None:
    code, told, _ = line("compare", "robustness", swept, swept, *SET)
    assert (code, told) == (0, "equal: 2 trials, 4 measured numbers\n")
    fewer = [*SMALL[:-6], "--methods", "sn", "--settings", "C", "--seeds", "1", "--engine", "in-process"]
    assert line(*fewer, "--no-mlflow", "--out", tmp_path)[0] == 0
    code, told, _ = line("compare", "robustness", swept, tmp_path, *SET)
    assert code == 1
    assert "r1 C seed 0: trial only on the left" in told


def test_failed_trials_are_named_with_their_error_and_tried_again(line: Line, tmp_path: Path, swept: Path) -> None:
    digest = plan(PRESET, methods=["sn"], settings=["C"], seeds=1)[0].digest
    checkpoint = tmp_path / "checkpoints" / digest / "state.pt"
    checkpoint.parent.mkdir(parents=True)
    content = (swept / "checkpoints" / digest / "state.pt").read_bytes()
    checkpoint.write_bytes(content[:-10] + b"0123456789")
    code, told, err = line(*SMALL, "--no-mlflow", "--out", tmp_path)
    assert code == 1
    assert "1 of 2 trials failed" in err
    assert "sn C seed 0" in err
    assert f"{checkpoint} is damaged" in err
    assert "Report: " in told
    with open_store(database_url(tmp_path), create=False) as store:
        assert sorted(store.states("robustness", LABEL).values()) == [TrialState.COMPLETED, TrialState.FAILED]
    checkpoint.unlink()
    assert line(*SMALL, "--no-mlflow", "--out", tmp_path)[0] == 0
    assert line("compare", "robustness", swept, tmp_path, *SET)[0] == 0


def test_a_comparison_with_what_was_never_launched_is_a_mistake(line: Line, swept: Path) -> None:
    assert_told(line("compare", "robustness", swept, swept), "robustness quick was never launched", LABEL)


def test_a_folder_may_be_written_in_two_ways(line: Line, swept: Path) -> None:
    """A launch is not in its own way."""
    other = swept / ".." / swept.name
    code, out, err = line(*SMALL, "--no-mlflow", "--out", other, "--database", database_url(swept))
    assert (code, err) == (0, "")
    assert "Nothing to do: all 2 trials have a result." in out


def test_results_of_an_earlier_version_of_the_preset_are_refused_before_anything_is_trained(
    line: Line, tmp_path: Path
) -> None:
    """Cells that the plan does not replace, of another length: no table could hold both."""
    longer = dataclasses.replace(PRESET, config={**PRESET.config, "updates": 3})
    with open_store(database_url(tmp_path)) as store:
        store.register("robustness", LABEL, {"question": ""}, plan(longer, methods=["sn"], settings=["C"], seeds=2))
    answer = line(*SMALL, "--no-mlflow", "--out", tmp_path)
    assert_told(answer, "config.updates: 2, 3", "--out")
    assert not (tmp_path / "checkpoints").exists()


def test_results_with_other_data_are_refused_before_anything_is_trained(line: Line, swept: Path) -> None:
    more = [*SMALL, "--no-mlflow", "--out", swept]
    more[more.index("sn,r1")] = "sn,r1,none"
    with open_store(database_url(swept)) as store:
        about = store.provenance("robustness", LABEL)
        other = {**about, "inputs": {**about["inputs"], "dataset_digest": "0123456789abcdef"}}
        store.set_provenance("robustness", LABEL, other)
    try:
        assert_told(line(*more), "dataset digest is ", "were made with 0123456789abcdef", "--out")
    finally:
        with open_store(database_url(swept)) as store:
            store.set_provenance("robustness", LABEL, about)
            assert len(store.trials("robustness", LABEL)) == 2, "nothing was added"


def test_an_internal_error_is_one_line_and_a_file(line: Line, swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("inner\nworkings")

    monkeypatch.setattr("sweeps.commands.results.show_status", broken)
    code, _, err = line("status", "robustness", *SET, "--out", swept)
    assert code == 1
    first, second = err.strip().splitlines()
    assert first == "internal error: ZeroDivisionError: inner workings"
    log = Path(second.removeprefix("Traceback: ").partition(" (")[0])
    assert "in broken" in log.read_text()
    log.unlink()
    assert "in broken" in line("status", "robustness", *SET, "--out", swept, "--debug")[2]


def test_mlflow_that_cannot_be_reached_costs_a_warning(
    line: Line, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code, told, _ = line(*SMALL, "--out", tmp_path, "--mlflow", "http://user:secret@127.0.0.1:9")
    assert code == 0
    assert "Report: " in told
    warnings = [record.getMessage() for record in caplog.records if "MLflow" in record.getMessage()]
    assert len(warnings) == 1
    assert "sync" in warnings[0]
    assert "secret" not in warnings[0]
    with open_store(database_url(tmp_path), create=False) as store:
        assert set(store.states("robustness", LABEL).values()) == {TrialState.COMPLETED}
    assert "secret" not in (reporting.report_folder(tmp_path, VARIED, PRESET) / "index.html").read_text()


def test_a_cluster_that_does_not_answer_leaves_no_plan_behind(line: Line, tmp_path: Path) -> None:
    code, _, err = line("robustness", *SET, "--methods", "sn", "--settings", "C", "--out", tmp_path / "runs",
                        "--address", "127.0.0.1:9", "--no-mlflow")  # fmt: skip
    assert code == 2
    assert "no Ray cluster answers at 127.0.0.1:9" in err
    assert "RAY_AUTH_MODE" not in err
    code, _, err = line("status", "robustness", *SET, "--out", tmp_path / "runs")
    assert code == 2
    assert "never launched here" in err
