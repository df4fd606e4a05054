"""Trial: all that is known of one training run."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import provenance
from dashboards.app import desk, now
from dashboards.app.markup import plain
from dashboards.app.snapshots import Snapshot
from dashboards.figures import FIGURES, StudyFrames
from dashboards.figures.frames import metric_label
from dashboards.figures.rendering import data_uri, encode_png
from dashboards.figures.sample_grids import open_grid
from dashboards.figures.style import number
from dashboards.tables.base import Column
from sngan.errors import InputError
from sngan.metrics.protocols import parse, short_name
from sweeps import tracking
from sweeps.plugins import codes_of, find_kept
from sweeps.provenance import hide_credentials
from sweeps.wording import duration

_MOST_GRIDS = 12
_LOCAL_PAGE = "http://127.0.0.1:5000"  # where `sweeps.launch ui` serves a database unless told otherwise


def choose(snapshot: Snapshot) -> desk.Drawing:
    """The trial of a method, a setting and a seed."""
    trials = snapshot.frames.trials
    if trials.empty:
        return partial(st.info, "This study has no trials yet.")
    places = st.columns(3)
    with places[0]:
        method = desk.one_of("Method", "method", snapshot.frames.methods)
    of_method = trials[trials["method"] == method]
    with places[1]:
        settings = [name for name in snapshot.frames.settings if name in set(of_method["setting"])]
        setting = desk.one_of("Setting", "setting", settings)
    of_cell = of_method[of_method["setting"] == setting]
    with places[2]:
        seed = desk.one_of("Seed", "seed", sorted(map(int, of_cell["seed"])))
    (row,) = of_cell[of_cell["seed"] == seed].head(1).to_dict("records")
    return partial(_show, snapshot, {str(key): value for key, value in row.items()})


def _show(snapshot: Snapshot, row: Mapping[str, Any]) -> None:
    frames, digest = snapshot.frames, str(row["digest"])
    state, value = str(row["state"]), snapshot.values.get(digest)
    score = "–" if value is None or state == "diverged" else number(value)
    spent = [("Digest", digest), ("State", state), (metric_label(frames.headline.metric), score),
             ("Updates", f"{row['last_update']:,} of {row['updates']:,}"),
             ("Training", duration(_known(row["train_s"]))), ("Measuring", duration(_known(row["evaluate_s"]))),
             ("Attempts", row["num_attempts"])]  # fmt: skip
    desk.shown("numbers.html", numbers=[(name, str(value)) for name, value in spent])
    if row["reason"]:
        st.warning(f"Diverged: {plain(row['reason'])}.")
    if row["error"]:
        st.error("The last attempt that failed said:")
        st.code(str(row["error"]), language=None, wrap_lines=True)
    _curve(desk.part(frames, [str(row["method"])], [str(row["setting"])], [int(row["seed"])], frames.preset.headline))
    _scores(snapshot, digest)
    _grids(snapshot, digest)
    _attempts(snapshot, digest)
    _files(snapshot, digest)
    _mlflow(snapshot, digest)
    st.header("Config", anchor="config")
    config = json.loads(str(row["config"]))
    desk.shown("pairs.html", pairs=[(key, provenance.shown(value)) for key, value in config.items()])
    _provenance(snapshot)
    st.header("Again", anchor="again")
    st.markdown(
        "This trains it again, in a folder of its own, with the code of the newest launch: on the same kind of "
        "machine with as many threads to the same bits. Data and weights of one's own are named by "
        "`--data-dir` and `--inception-weights`."
    )
    st.code(command(snapshot, row), language=None, wrap_lines=True)


def _curve(frames: StudyFrames) -> None:
    """The figure of all methods, told for one run."""
    figure = replace(
        FIGURES["learning-curves"],
        question="How did its score develop?",
        reading="A line that turns back belongs to a training that loses what it had.",
        marks="✕: the last score before it diverged.",
    )
    st.header("Learning curve", anchor="learning-curves")
    desk.draw(figure, figure.prepare(frames), name=f"{frames.name}-learning-curves")


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _scores(snapshot: Snapshot, digest: str) -> None:
    rows = snapshot.frames.evaluations
    rows = rows[rows["digest"] == digest]
    if rows.empty:
        return
    wide = rows.pivot_table(index="update", columns="protocol", values="value", dropna=False)
    st.header("Scores", anchor="scores")
    names = [str(name) for name in wide.columns]
    desk.shown(
        "plain_table.html",
        columns=[Column("update", "name"), *(Column(metric_label(parse(short_name(name)).metric)) for name in names)],
        rows=[[f"{update:,}", *(number(value) for value in values)]
              for update, *values in wide.itertuples(name=None)],
        caption=", ".join(names),
    )  # fmt: skip
    desk.download(f"trial-{digest}-scores", rows)


def _grids(snapshot: Snapshot, digest: str) -> None:
    samples = snapshot.frames.samples
    samples = samples[samples["digest"] == digest].sort_values("update")
    if samples.empty:
        return
    st.header("Samples", anchor="samples")
    newest = samples.tail(_MOST_GRIDS)
    if len(newest) < len(samples):
        st.caption(f"The newest {len(newest)} of {len(samples)}; the page Samples has every update.")
    pictures = []
    for update, path in zip(newest["update"], newest["path"], strict=True):
        picture = open_grid(snapshot.frames.storage_dir / path)
        if picture is not None:
            source = data_uri(encode_png(picture), "image/png")
            pictures.append({"source": source, "small": max(picture.size) <= 128, "words": f"update {update:,}",
                             "alt": f"Samples at update {update:,}"})  # fmt: skip
    desk.shown("strip.html", pictures=pictures)


def _attempts(snapshot: Snapshot, digest: str) -> None:
    attempts = snapshot.store.attempts(digest)
    if attempts.empty:
        return
    st.header("Where it ran", anchor="attempts")
    rows = [
        [str(row["host"]), str(row["device"]), f"{row['start']:%Y-%m-%d %H:%M:%S}",
         "" if pd.isna(row["end"]) else f"{row['end']:%Y-%m-%d %H:%M:%S}", now.last_lines(row["error"], 1)]
        for row in attempts.to_dict("records")
    ]  # fmt: skip
    columns = [Column(name, "name") for name in ("host", "device", "start (UTC)", "end (UTC)")]
    desk.shown("plain_table.html", columns=[*columns, Column("error", "words")], rows=rows, caption="")
    for place, error in enumerate(attempts["error"], start=1):
        if error:
            with st.expander(f"What attempt {place} said at its end"):
                st.code(str(error), language=None, wrap_lines=True)
    for text in attempts["versions"].unique():
        versions = json.loads(text)
        if not versions:
            continue
        places = ", ".join(str(place) for place in attempts.index[attempts["versions"] == text] + 1)
        with st.expander(f"Versions of attempt {places}"):
            desk.shown("pairs.html", pairs=list(versions.items()))


def _provenance(snapshot: Snapshot) -> None:
    """Of the newest launch, which need not be the one that ran this trial: attempts have their own versions."""
    if snapshot.provenance:
        st.header("Provenance", anchor="provenance")
        st.caption("Of the study's newest launch.")
        desk.shown("pairs.html", pairs=provenance.provenance_rows(snapshot.provenance))


def _files(snapshot: Snapshot, digest: str) -> None:
    folder = snapshot.frames.storage_dir / "checkpoints" / digest
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    if files:
        st.header("Checkpoints", anchor="checkpoints")
        rows = [[str(file), f"{file.stat().st_size / 1e6:.1f} MB"] for file in files if file.exists()]
        desk.shown("plain_table.html", columns=[Column("file", "name"), Column("size")], rows=rows, caption="")


def _mlflow(snapshot: Snapshot, digest: str) -> None:
    """Its run, looked for when somebody asks, since MLflow takes seconds; what was found stays when there is news."""
    source = snapshot.source
    if not source.mlflow:
        return
    found: dict[str, str | None] = st.session_state.setdefault("runs in MLflow", {})
    if st.button("Find its MLflow run", icon=":material/link:", key=f"mlflow-{digest}"):
        try:
            with st.spinner("Asking MLflow ..."):
                page = tracking.server_page(source.mlflow) if tracking.is_server(source.mlflow) else _LOCAL_PAGE
                found[digest] = tracking.trial_page(source.mlflow, digest, page)
        except InputError as error:
            st.warning(plain(error))
            return
    if digest in found:
        _run(snapshot, found[digest])


def _run(snapshot: Snapshot, address: str | None) -> None:
    """A link to what was found, and the command that serves it, or sends it."""
    source = snapshot.source
    place = [] if source.mlflow == tracking.default_uri(source.out) else ["--mlflow", hide_credentials(source.mlflow)]
    if address is None:
        study, preset = snapshot.frames.records.key
        st.info("MLflow has no run of this trial. This command sends what it lacks:")
        line = ["python", "-m", "sweeps.launch", "sync", study, "--preset", preset, *source.options, *place]
        st.code(shlex.join(line), language=None, wrap_lines=True)
        return
    st.link_button("Open its MLflow run", address)
    if not tracking.is_server(source.mlflow):
        st.caption("Served by this command, wherever the database is:")
        line = ["python", "-m", "sweeps.launch", "ui", "--mlflow", hide_credentials(source.mlflow)]
        st.code(shlex.join(line), language=None, wrap_lines=True)


def command(snapshot: Snapshot, row: Mapping[str, Any]) -> str:
    """What trains this one trial again, from its config alone."""
    commit = str(snapshot.provenance.get("git_commit") or "")
    plugins = [find_kept(snapshot.frames.storage_dir, code) for code in sorted(codes_of([str(row["config"])]))]
    options = [option for file in plugins if file is not None for option in ("--plugin", str(file))]
    train = shlex.join(["python", "-m", "sngan", "train", *options, "--out", "again", "--config", "-"])
    config = json.dumps(json.loads(str(row["config"])), sort_keys=True)
    lines = [shlex.join(["git", "checkout", commit])] if commit else []
    return "\n".join([*lines, f"{train} <<'END'", config, "END"])
