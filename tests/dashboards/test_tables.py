"""Tables for papers: the store's numbers in three formats, diverged and missing runs marked, LaTeX that compiles."""

import csv
import dataclasses
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dashboards.best_setting import best_setting_of
from dashboards.figures import StudyFrames
from dashboards.summary import summarize
from dashboards.tables import FORMATS, Table, paper_tables, write_table
from dashboards.tables.differences import differences_table
from sweeps.published import ALL_SETTINGS, REAL_IMAGES, published, table_2
from sweeps.records import StudyRecords
from sweeps.reporting import judge_study
from tests.dashboards.synthetic import FID, Story, Sweep, changed, make_preset, make_searched_preset, open_sweep

PAPER_FID = "fid/gen5000-test10000-inception"


def tables_of(frames: StudyFrames, sweep: Sweep) -> dict[str, Table]:
    verdicts = judge_study(StudyRecords(store=sweep.store, study=sweep.study, preset=sweep.preset))
    return {table.name: table for table in paper_tables(frames, summarize(frames.headline), verdicts)}


@pytest.fixture(scope="module")
def tables(full: Sweep) -> dict[str, Table]:
    return tables_of(full.frames(), full)


@pytest.fixture(scope="module")
def on_cifar10(full: Sweep) -> StudyFrames:
    """The same made-up numbers as if they were those of the paper's experiment."""
    frames = full.frames()
    config = (
        frames.trials["config"].str.replace('"digits"', '"cifar10"').str.replace('"updates": 800', '"updates": 1e5')
    )
    return changed(
        frames,
        preset=dataclasses.replace(make_preset(), headline=PAPER_FID, caveat=""),
        trials=frames.trials.assign(dataset="cifar10", architecture="standard-cnn", updates=100_000, config=config),
        evaluations=frames.evaluations.assign(
            protocol=frames.evaluations["protocol"].str.replace(FID, PAPER_FID),
            update=frames.evaluations["update"].replace(800, 100_000),
        ),
    )


def records_of(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(FORMATS["csv"](table))))


# --- Numbers ---


def test_scores_are_the_medians_of_the_store(tables: dict[str, Table], frames: StudyFrames) -> None:
    table = frames.headline
    records = records_of(tables["scores"])
    assert len(records) == 11 * 6
    for record in records:
        runs = table.pick_ordered(record["method"], [record["setting"]])[0]
        if np.isinf(runs).any():
            assert record["median"] == record["quartile_high"] == "diverged", "one of two seeds"
        else:
            assert float(record["median"]) == pytest.approx(float(np.median(runs)), rel=1e-5)
            ends = float(record["quartile_low"]), float(record["quartile_high"])
            assert ends == pytest.approx((runs.min(), runs.max()), rel=1e-5)
        assert int(record["num_diverged"]) == np.isinf(runs).sum()
        assert record["protocol"] == table.protocol


def test_the_best_of_every_setting_is_bold(tables: dict[str, Table], frames: StudyFrames) -> None:
    shown = tables["scores"]
    for position, setting in enumerate(frames.settings, start=1):
        (bold,) = (row[0].text for row in shown.rows if row[position].best)
        medians = {r["label"]: r["median"] for r in records_of(shown) if r["setting"] == setting}
        finite = {label: float(value) for label, value in medians.items() if value != "diverged"}
        assert bold == min(finite, key=lambda label: finite[label])


def test_diverged_and_missing_runs_are_marked(tables: dict[str, Table], unfinished: Sweep) -> None:
    wgan = next(row for row in tables["scores"].rows if row[0].text == "WGAN-GP")
    assert wgan[-1].text.startswith("diverged (")
    assert wgan[-1].text.endswith("–diverged) †1")
    texts = [cell.text for row in tables_of(unfinished.frames(), unfinished)["scores"].rows for cell in row[1:]]
    assert any(text.endswith("‡1") for text in texts)
    assert texts.count("missing") == unfinished.frames().headline.missing.all(axis=-1).sum() > 0
    assert "\\textdagger{}1" in FORMATS["tex"](tables["scores"])


def test_only_signs_that_are_there_are_explained(full: Sweep, unfinished: Sweep) -> None:
    for sweep, seeds, setting in ((full, 2, "F"), (unfinished, 2, "A"), (full, 1, "A")):
        told = sweep.frames()
        records = told.records.part(told.methods, [setting], range(seeds))
        part = StudyFrames(records=records, storage_dir=told.storage_dir)
        for name in ("scores", "best-settings"):
            (table,) = (each for each in paper_tables(part, summarize(part.headline), ()) if each.name == name)
            cells = " ".join(row[1 if name == "scores" else 2].text for row in table.rows)
            notes = " ".join(table.notes)
            for sign, meaning in ((" (", "In brackets the runs"), ("†", "†n"), ("‡", "‡n")):
                assert (sign in cells) == (meaning in notes), (name, seeds, setting, sign)
        gaps = differences_table(part, "sn")
        assert ("[" in " ".join(cell.text for row in gaps.rows for cell in row)) == ("In brackets" in gaps.notes[-1])


def test_summary_has_every_aggregate_with_its_interval(tables: dict[str, Table], frames: StudyFrames) -> None:
    rows = {row.method: row for row in summarize(frames.headline).rows}
    records = records_of(tables["summary"])
    assert [record["method"] for record in records] == list(rows)
    for record in records:
        row = rows[record["method"]]
        assert record["protocol"] == frames.headline.protocol
        for name in ("iqm", "mean", "median_of_means", "optimality_gap", "spread"):
            value = getattr(row, name)
            told = [float(record[f"{name}{end}"]) for end in ("", "_low", "_high")]
            assert told == pytest.approx([value.value, value.low, value.high], rel=1e-5)
        assert float(record["optimality_gap"]) == pytest.approx(
            float(record["target"]) - float(record["mean"]), abs=1e-5
        )
    assert records[0]["improvement"] == ""
    assert {record["worst_median"] for record in records} > {"diverged"}


def test_verdicts_are_those_of_the_report(tables: dict[str, Table], full: Sweep) -> None:
    (record,) = records_of(tables["verdicts"])
    (verdict,) = judge_study(StudyRecords(store=full.store, study=full.study, preset=full.preset))
    assert (record["claim"], record["verdict"]) == (verdict.claim, verdict.verdict)
    assert float(record["effect"]) == pytest.approx(verdict.effect, rel=1e-5)
    assert record["source"].startswith("Miyato")


# --- Searches ---


def searched(folder: Path, retrain: int) -> Sweep:
    preset = make_searched_preset(("none", "wgan-gp", "sn"), budget=8, seeds=3)
    assert preset.search is not None
    search = dataclasses.replace(preset.search, retrain=retrain)
    preset = dataclasses.replace(preset, search=search, settings=search.settings)
    return open_sweep(folder, preset, Story(grids=False))


def test_settings_of_a_search_are_what_it_found_trained_again(tmp_path: Path) -> None:
    """A place in a search is another configuration in every repetition: no median over them, and no best of them."""
    sweep = searched(tmp_path, retrain=2)
    frames = sweep.frames()
    tables = tables_of(frames, sweep)
    assert [column.heading for column in tables["scores"].columns] == ["Method", "random search", "TPE"]
    scores = {(r["method"], r["setting"]): r for r in records_of(tables["scores"])}
    assert set(scores) == {(m, s) for m in ("none", "wgan-gp", "sn") for s in ("random search", "TPE")}
    for (method, setting), record in scores.items():
        sampler = {"random search": "random", "TPE": "tpe"}[setting]
        runs = frames.headline.pick_ordered(method, [f"{sampler}-best-0", f"{sampler}-best-1"])
        assert runs.size == int(record["num_seeds"]) == 6
        assert int(record["num_diverged"]) == np.isinf(runs).sum()
        if np.isfinite(np.median(runs)):
            assert float(record["median"]) == pytest.approx(float(np.median(runs)), rel=1e-5)
    for record in records_of(tables["best-settings"]):
        if record["method"] == REAL_IMAGES:
            continue
        known = [r["median"] for (method, _), r in scores.items() if method == record["method"]]
        finite = [float(value) for value in known if value != "diverged"]
        assert record["median"] == (f"{min(finite):.6g}" if finite else "diverged")
        assert record["setting"] in {"random search", "TPE"}
    for name in ("scores", "best-settings"):
        assert any("trained again" in note for note in tables[name].notes)


def test_without_a_training_again_a_search_has_no_settings_to_tell(tmp_path: Path) -> None:
    sweep = searched(tmp_path, retrain=0)
    tables = tables_of(sweep.frames(), sweep)
    assert records_of(tables["scores"]) == []
    assert {row[1].text for row in tables["best-settings"].rows} == {"–"}


def test_a_search_has_no_worst_setting_and_no_spread_over_settings(tmp_path: Path) -> None:
    sweep = searched(tmp_path, retrain=1)
    table = tables_of(sweep.frames(), sweep)["summary"]
    for record in records_of(table):
        assert float(record["iqm"]) > 0
        assert {record[f] for f in ("worst_setting", "worst_median", "spread", "spread_low", "median_of_means")} == {""}
    assert "over all configurations that were tried or trained again" in table.caption


# --- Published numbers ---


def test_best_settings_stand_beside_the_papers_table(on_cifar10: StudyFrames, full: Sweep) -> None:
    table = tables_of(on_cifar10, full)["best-settings"]
    records = [record for record in records_of(table) if record["comparable"] == "yes"]
    assert {r["method"]: float(r["published"]) for r in records} == {**table_2("fid"), "real images": 7.8}
    for record in records:
        if record["method"] != "real images":
            best = best_setting_of(on_cifar10.headline, record["method"])
            assert (record["setting"], best.settings) == (best.setting, ALL_SETTINGS)
            assert float(record["median"]) == pytest.approx(best.median, rel=1e-5)
    sn = next(row for row in table.rows if row[0].text == "SN")
    assert [cell.text for cell in sn[3:6]] == ["29.3", PAPER_FID, "yes"]
    others = {record["source"] for record in records_of(table) if record["comparable"] == "no"}
    assert any("mimicry" in source for source in others), "programs get all of them, with the reason"
    assert all(record["reason"] for record in records_of(table) if record["comparable"] == "no")


def test_fewer_settings_make_the_comparison_unlike(on_cifar10: StudyFrames, full: Sweep) -> None:
    trials = on_cifar10.trials[on_cifar10.trials["setting"] != "F"]
    table = tables_of(changed(on_cifar10, trials=trials), full)["best-settings"]
    sn = next(row for row in table.rows if row[0].text == "SN")
    assert sn[5].text == "no: best of settings A, B, C, D, E, F there, of A, B, C, D, E here"


def test_a_data_set_without_published_numbers_says_so(tables: dict[str, Table]) -> None:
    table = tables["best-settings"]
    assert {record["published"] for record in records_of(table)} == {""}
    assert any(note.startswith("No published number for the data set digits") for note in table.notes)
    assert published("digits") == ()


def test_what_a_paper_does_not_print_is_noted(tables: dict[str, Table]) -> None:
    assert any("printed without numbers" in note for note in tables["best-settings"].notes)


# --- Formats ---


def test_an_empty_study_has_tables_without_rows(empty: Sweep) -> None:
    for table in tables_of(empty.frames(), empty).values():
        if table.name != "verdicts":
            assert table.rows == ()
            assert len(FORMATS["csv"](table).splitlines()) == 1


def test_markdown_rows_have_equal_columns(tables: dict[str, Table]) -> None:
    for table in tables.values():
        lines = [line for line in FORMATS["md"](table).splitlines() if line.startswith("|")]
        assert len(lines) == len(table.rows) + 2
        assert {line.count("|") for line in lines} == {len(table.columns) + 1}


HOSTILE = r"50 % & a_b #1 {x} $y$ ~ ^ \end{table} <b> | “q” – ± × 漢 é"


def hostile(table: Table) -> Table:
    rows = tuple((dataclasses.replace(row[0], text=HOSTILE), *row[1:]) for row in table.rows)
    return dataclasses.replace(table, rows=rows, caption=f"{table.caption} {HOSTILE}", notes=(HOSTILE,))


def test_latex_is_balanced_and_escaped(tables: dict[str, Table]) -> None:
    for table in (*tables.values(), *map(hostile, tables.values())):
        text = FORMATS["tex"](dataclasses.replace(table, study="made up/quick"))
        assert text.count("\\begin{table}") == text.count("\\end{table}") == 1
        plain = re.sub(r"\\[&%$#_{}]", "", text.replace("{%\n", "{\n"))
        assert plain.count("{") == plain.count("}")
        assert not re.search(r"(?<!\\)[#~^]", plain.split("\\begin{tabular}")[1])
        assert "%" not in plain.split("\n", 1)[1]
        rows = [line for line in text.splitlines() if line.endswith(" \\tabularnewline")]
        assert len(rows) == len(table.rows) + 1
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table.columns) - 1}
        assert text.isascii() or "é" in text
        assert f"\\label{{tab:made-up-quick-{table.name}}}" in text


@pytest.mark.slow
def test_latex_compiles(tables: dict[str, Table], on_cifar10: StudyFrames, full: Sweep, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex with booktabs: apt-get install texlive-latex-recommended")
    cifar = [dataclasses.replace(t, name=f"cifar-{t.name}") for t in tables_of(on_cifar10, full).values()]
    names = []
    for table in (*tables.values(), *cifar, *(dataclasses.replace(hostile(t), name=f"h-{t.name}") for t in cifar)):
        write_table(table, tmp_path)
        names.append(table.name)
    inputs = "\n".join(f"\\input{{{name}}}\\clearpage" for name in names)
    (tmp_path / "all.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage[margin=2cm]{geometry}\\usepackage{booktabs,graphicx}\n"
        f"\\begin{{document}}\n{inputs}\n\\end{{document}}\n"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "all.log").read_text(errors="replace")
    wide = [float(width) for width in re.findall(r"Overfull \\hbox \(([0-9.]+)pt too wide\)", log)]
    assert max(wide, default=0) < 8, "tables fit on a page"
