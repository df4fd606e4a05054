"""Plugins in sweeps: planned, checked, kept, run by both engines, found again, and missed without a crash."""

import json
import logging
import re
import shutil
from pathlib import Path

import pytest

from sngan.methods import METHODS
from sngan.plugins.loading import use_plugins
from sweeps.commands.line import run
from sweeps.commands.options import database_url
from sweeps.plugins import codes_of, find_kept, keep, plugins_folder
from sweeps.store import open_store
from sweeps.study import STUDIES
from sweeps.variation import parse_overrides, vary
from tests.plugin_samples import SOUND, penalty, write
from tests.sweeps.command_line import Line

SET = [
    part
    for change in ("updates=2", "evaluate_every=1", "batch_size=8", "generator_batch_size=8", "z_dim=8",
                   "protocols=fid/gen600-test600-digits")
    for part in ("--set", f"config.{change}")
]  # fmt: skip
LABEL = next(iter(vary(STUDIES["robustness"], "quick", parse_overrides(SET[1::2])).presets))
HERE = ["--no-mlflow", "--engine", "in-process"]
SMALL = ["robustness", *SET, "--methods", "sn,mine", "--settings", "C", "--seeds", "1", *HERE]

pytestmark = pytest.mark.usefixtures("small_report")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, small_report: None) -> Path:
    """The folder of a small sweep with a plugin, which was given relative to nowhere that is there any more."""
    folder = tmp_path_factory.mktemp("plugin")
    plugin = write(folder, SOUND["penalty"])
    code = run([*SMALL, "--plugin", str(plugin), "--out", str(folder / "runs"), "--cache-dir", str(cache_dir)])
    use_plugins([])
    plugin.unlink()
    assert code == 0
    return folder / "runs"


@pytest.fixture
def copied(swept: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed."""
    return Path(shutil.copytree(swept, tmp_path / "runs"))


def page(out: Path) -> str:
    return (out / "reports" / f"robustness-{LABEL}" / "index.html").read_text()


def test_the_methods_of_a_plugin_join_those_of_the_preset(line: Line, tmp_path: Path) -> None:
    plugin = write(tmp_path, SOUND["penalty"])
    arguments = ["robustness", *SET, "--settings", "C", "--seeds", "1", "--dry-run", "--out", tmp_path / "runs"]
    code, told, _ = line(*arguments, "--plugin", plugin)
    assert code == 0
    preset = STUDIES["robustness"].preset("quick")
    assert f"{len(preset.methods) + 1} trials to run" in told
    assert "mine " in told
    assert not (tmp_path / "runs").exists()
    assert f"{len(preset.methods)} trials to run" in line(*arguments)[1]


def test_the_methods_of_a_plugin_join_a_search(line: Line, tmp_path: Path) -> None:
    fields = 'gamma: float = 3.0\nsearched = {"gamma": (0.1, 10.0)}'
    plugin = write(tmp_path, penalty("value = self.gamma * value", fields=fields))
    code, told, err = line("tuning", "--plugin", plugin, "--dry-run", "--out", tmp_path / "runs")
    assert code == 0, err
    assert len(re.findall(r"^ *mine ", told, re.MULTILINE)) == len(re.findall(r"^ *wgan-gp ", told, re.MULTILINE)) > 0


def test_the_code_is_kept_and_named_in_configs_and_on_the_page(swept: Path) -> None:
    (kept,) = (swept / "plugins").iterdir()
    assert kept.read_text() == SOUND["penalty"]
    with open_store(database_url(swept), create=False) as store:
        configs = list(store.trials("robustness", LABEL)["config"])
        provenance = json.loads(store.studies().iloc[0]["provenance"])
    (code,) = codes_of(configs)
    assert kept.name == f"mine-{code[:12]}.py"
    assert provenance["plugins"] == {kept.name: code}
    assert find_kept(swept, code) == kept
    assert "My own" in page(swept)
    assert f"--plugin {kept}" in page(swept)


@pytest.mark.parametrize("command", ["status", "report", "export"])
def test_commands_on_results_know_the_plugin(command: str, line: Line, swept: Path, tmp_path: Path) -> None:
    more = {"report": ["--force"], "export": ["--to", tmp_path]}.get(command, [])
    code, told, err = line(command, "robustness", *SET, "--out", swept, *more)
    assert (code, err) == (0, "")
    assert METHODS["mine"].label == "My own"
    if command == "status":
        assert "My own" in told


def test_a_second_launch_finds_the_code_without_being_told(line: Line, copied: Path) -> None:
    code, told, _ = line(*SMALL, "--out", copied)
    assert code == 0
    assert "Nothing to do: all 2 trials have a result." in told
    more = ["2" if argument == "1" else argument for argument in SMALL]
    code, told, _ = line(*more, "--out", copied)
    assert code == 0
    assert "2 of 4 trials to run" in told


def test_a_page_without_the_plugin_shows_bare_names(line: Line, copied: Path, caplog) -> None:
    shutil.rmtree(copied / "plugins")
    with caplog.at_level(logging.WARNING):
        code, _, _ = line("report", "robustness", *SET, "--out", copied, "--force")
    assert code == 0
    assert "My own" not in page(copied)
    assert "mine" in page(copied)
    assert [record.message[:19] for record in caplog.records] == ["no plugin with code"]
    code, _, err = line(*SMALL, "--out", copied)
    assert code == 2
    assert "unknown method 'mine'" in err


def test_overrides_of_an_unknown_method_are_no_mixture(line: Line, tmp_path: Path) -> None:
    text = SOUND["penalty"].replace("label=", "discriminator_init='orthonormal', label=")
    assert line(*SMALL, "--plugin", write(tmp_path, text), "--out", tmp_path / "runs")[0] == 0
    shutil.rmtree(tmp_path / "runs" / "plugins")
    assert line("report", "robustness", *SET, "--out", tmp_path / "runs", "--force")[0] == 0


def test_a_kept_file_that_was_changed_is_not_used(line: Line, copied: Path, caplog) -> None:
    (kept,) = (copied / "plugins").iterdir()
    kept.write_text(SOUND["penalty"].replace("My own", "Changed"))
    with caplog.at_level(logging.WARNING):
        _, told, _ = line("status", "robustness", *SET, "--out", copied)
    assert "Changed" not in told
    assert "mine" in told
    assert any("no plugin with code" in record.message for record in caplog.records)


def test_changed_code_is_another_trial_and_never_mixed(line: Line, copied: Path, tmp_path: Path, caplog) -> None:
    changed = write(tmp_path, SOUND["penalty"].replace("My own", "Newer"))
    more = [argument if argument != "C" else "A" for argument in SMALL]
    code, _, err = line(*more, "--plugin", changed, "--out", copied)
    assert code == 2
    assert "regularizer 'mine' from two versions of its plugin" in err
    code, told, _ = line(*SMALL, "--plugin", changed, "--out", copied)
    assert code == 0
    assert {record.message.partition(";")[0] for record in caplog.records} == {
        "plugin mine is another version than trials were made with"
    }
    assert "1 of 2 trials to run" in told
    assert len(list((copied / "plugins").iterdir())) == 2
    assert "Newer" in line("status", "robustness", *SET, "--out", copied)[1]


@pytest.mark.parametrize(
    ("text", "part"),
    [("import nothing_there\n", "line 1"), (penalty("value = value.double()"), "breaks the promise")],
)
def test_a_broken_plugin_is_refused_before_anything_runs(text: str, part: str, line: Line, tmp_path: Path) -> None:
    code, _, err = line(*SMALL, "--plugin", write(tmp_path, text), "--out", tmp_path / "runs")
    assert code == 2
    assert "mine.py" in err
    assert part in err
    assert len(err.strip().splitlines()) <= 3
    assert not (tmp_path / "runs").exists()


def test_keeping_again_writes_nothing(tmp_path: Path) -> None:
    use_plugins([write(tmp_path, SOUND["penalty"])])
    sources = keep(tmp_path)
    (kept,) = plugins_folder(tmp_path).iterdir()
    assert sources == {kept.name: kept.read_bytes()}
    written = kept.stat().st_mtime_ns
    use_plugins([kept])
    assert keep(tmp_path) == sources
    assert kept.stat().st_mtime_ns == written
    use_plugins([])
