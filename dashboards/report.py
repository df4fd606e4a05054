"""One self-contained HTML page per study and preset, readable without a network, with its figures as files beside it.

FOLDER/index.html holds everything, scripts and images included; FOLDER/figures/ has NAME.png, .svg and .pdf of every
figure, FOLDER/tables/ NAME.md, .tex and .csv of every table.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dashboards import provenance, views
from dashboards.figures import FIGURES, StudyFrames, save
from dashboards.figures.frames import metric_label
from dashboards.figures.rendering import FORMATS, browser_bundle, page_spec, trusted
from dashboards.figures.sample_grids import SampleGridsData
from dashboards.figures.style import method_style, number
from dashboards.files import write_atomically
from dashboards.summary import Summary, estimate_text, summarize, worst_text
from dashboards.tables import FORMATS as TABLE_FORMATS
from dashboards.tables import Table, paper_tables, write_table
from sweeps.claims import Verdict
from sweeps.looks import Looks
from sweeps.records import StudyRecords
from sweeps.scores import ScoreTable
from sweeps.store import ResultStore
from sweeps.study import Preset, Study


@dataclass(frozen=True, kw_only=True)
class FigureView:
    """A figure as the page shows it: a Vega-Lite specification, or a matrix of images, or why it is absent."""

    name: str
    title: str
    question: str
    reading: str
    marks: str
    seeds: str
    alt_text: str
    absent: str
    spec: dict[str, Any] | None = None
    matrix: dict[str, Any] | None = None


def write_report(records: StudyRecords, verdicts: Sequence[Verdict], *, storage_dir: Path, folder: Path) -> Path:
    """FOLDER/index.html with the verdicts of sweeps.reporting.judge_study, written last, so that what it links to is
    there.

    Sample paths in the store are relative to `storage_dir`. Raises InputError for an unknown figure, for results
    that must not be compared, and when the disk refuses.
    """
    frames = StudyFrames(records=records, storage_dir=storage_dir)
    store, study, preset = records.store, records.study, records.preset
    summary = summarize(frames.each_once)
    with trusted():
        figures = [_figure(name, frames, folder / "figures") for name in study.figures or FIGURES]
    tables = paper_tables(frames, summary, verdicts)
    for table in tables:
        write_table(table, folder / "tables")
    launched = _launched(store, study, preset)
    looks = store.looks(study.name, preset.name)
    page = (
        _environment()
        .get_template("report.html")
        .render(**_context(frames, summary, figures, tables, verdicts, looks, launched))
    )
    return write_atomically(folder / "index.html", page)


def _figure(name: str, frames: StudyFrames, folder: Path) -> FigureView:
    """Draw the figure and write its files; the files of a figure that is absent now are removed."""
    figure = FIGURES[name]
    data = figure.prepare(frames)
    spec, matrix = None, None
    if data.absent:
        for ending in FORMATS:
            (folder / f"{name}.{ending}").unlink(missing_ok=True)
    else:
        saved = save(figure.draw(data), folder, name)
        if isinstance(data, SampleGridsData):
            matrix = views.grid_matrix(data)
        elif saved is not None:
            spec = page_spec(saved)
    return FigureView(
        name=name,
        title=figure.title,
        question=figure.question,
        reading=figure.reading,
        marks=figure.marks,
        seeds=data.seeds,
        alt_text=data.alt_text,
        absent=data.absent,
        spec=spec,
        matrix=matrix,
    )


def _launched(store: ResultStore, study: Study, preset: Preset) -> dict[str, Any]:
    """The newest launch's provenance and the start of every launch; empty when there was none."""
    known = store.studies()
    rows = known[(known["study"] == study.name) & (known["preset"] == preset.name)]
    if rows.empty:
        return {"provenance": {}, "launches": []}
    return {"provenance": json.loads(rows.iloc[0]["provenance"]), "launches": json.loads(rows.iloc[0]["launches"])}


def _context(
    frames: StudyFrames,
    summary: Summary,
    figures: list[FigureView],
    tables: tuple[Table, ...],
    verdicts: Sequence[Verdict],
    looks: Looks | None,
    launched: dict[str, Any],
) -> dict[str, Any]:
    table: ScoreTable = frames.headline
    return {
        "study": frames.study,
        "preset": frames.preset,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "progress": views.progress_view(frames.trials),
        "verdicts": views.verdict_views(verdicts, frames.study.claims),
        "verdict_counts": views.verdict_counts(verdicts),
        "error_rates": views.error_rates(len(frames.study.claims), looks),
        "summary": summary,
        "table": table,
        "metric": metric_label(table.metric),
        "figures": figures,
        "formats": FORMATS,
        "tables": {table.name: table for table in tables},
        "table_formats": TABLE_FORMATS,
        "protocols": views.protocol_views(frames),
        "meanings": views.meanings(table),
        "provenance": provenance.provenance_rows(launched["provenance"]),
        "launches": launched["launches"],
        "configs": provenance.config_table(frames.trials),
        "commands": provenance.reproduce_commands(frames, launched["provenance"]),
        # The bundle is our dependency's code, not anybody's input; a closing tag in it would still end the script.
        "bundle": Markup(browser_bundle().replace("</script", "<\\/script")),  # noqa: S704
    }


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dashboards"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        worst=worst_text,
        estimate=lambda value, percent=False: estimate_text(value, percent=percent),
        colour=lambda method: method_style(method).colour,
        iqm_plot=lambda row: views.iqm_plot(row, method_style(row.method).colour),
    )
    return environment
