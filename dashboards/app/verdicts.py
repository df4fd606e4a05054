"""Verdicts: what follows for each claim, and from which runs."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import views
from dashboards.app import desk
from dashboards.app.snapshots import Snapshot
from dashboards.figures import StudyFrames
from dashboards.figures.frames import records
from dashboards.tables.verdicts import verdicts_table
from sngan.metrics.protocols import short_name
from sweeps.claims import rule_of
from sweeps.measures import MEASURES
from sweeps.reporting import measured
from sweeps.scores import ScoreTable
from sweeps.study import Claim


def choose(snapshot: Snapshot) -> desk.Drawing:
    """What all verdicts promise, then each of them; whose evidence is shown is chosen."""
    frames, verdicts = snapshot.frames, snapshot.verdicts
    claims = {claim.name: claim for claim in frames.study.claims}
    if not claims:
        return partial(st.info, "This study makes no claims that can be judged on this preset.")
    if not verdicts:
        st.info("Nothing was judged yet: a launch judges when it ends, and so does the command below.")
        key = frames.study.name, "--preset", frames.preset.name
        line = shlex.join(["python", "-m", "sweeps.launch", "report", *key, *snapshot.source.options])
        return partial(st.code, line, language=None)
    st.markdown(f"**{views.verdict_counts(verdicts)}** {views.error_rates(len(claims), snapshot.looks)}")
    if snapshot.at_work:
        st.caption("A launch is at work, and judges again at its end: these verdicts are of when it last did.")
    asked: list[tuple[DeltaGenerator, Claim, str]] = []
    for item in views.verdict_views(verdicts, frames.study.claims):
        box = st.container(border=True, key=f"claim-{item['verdict'].claim}")
        with box:
            desk.shown("verdict.html", item=item)
            claim = claims.get(item["verdict"].claim)
            if claim is not None and desk.switched_on("Evidence", f"evidence-{claim.name}"):
                asked.append((box, claim, item["verdict"].protocol))
    return partial(_show, snapshot, asked)


def _show(snapshot: Snapshot, asked: Sequence[tuple[DeltaGenerator, Claim, str]]) -> None:
    frames, verdicts = snapshot.frames, snapshot.verdicts
    for box, claim, protocol in asked:
        with box:
            _evidence(frames, claim, protocol)
    table = verdicts_table(verdicts, frames)
    desk.download(f"{frames.name}-verdicts", pd.DataFrame(table.records, columns=list(table.fields)))


def _evidence(frames: StudyFrames, claim: Claim, protocol: str) -> None:
    """The runs of the methods and settings that a claim speaks of, under the protocol that it was judged by."""
    rule = rule_of(claim)
    methods = [name for name in frames.methods if name in rule.methods] or list(frames.methods)
    settings = [name for name in frames.settings if name in rule.settings] or list(frames.settings)
    seeds = sorted(map(int, frames.trials["seed"].unique()))
    cells = records(frames.trials, "method", "setting", "seed")
    states = dict(zip(cells, frames.trials["state"], strict=True))
    if rule.metric in MEASURES:
        st.caption("Judged by what was recorded during training, one number per run; the page Inside has the curves.")
        table = measured(frames.records, rule.metric).part(methods, settings, seeds)
        runs = pd.DataFrame(runs_of(table, MEASURES[rule.metric].title, states))
        st.dataframe(runs, hide_index=True, height=min(400, 38 + 35 * len(runs)))
        return
    known = {short_name(str(name)) for name in frames.evaluations["protocol"].unique()}
    short = short_name(protocol) if protocol else ""
    chosen = desk.part(frames, methods, settings, seeds, short if short in known else frames.preset.headline)
    desk.figure("metric-by-setting", chosen, heading=False, key=claim.name)
    runs = pd.DataFrame(runs_of(chosen.headline, chosen.headline.title, states))
    with st.expander(f"All {len(runs):,} runs"):
        st.dataframe(runs, hide_index=True, height=min(400, 38 + 35 * len(runs)))


def runs_of(table: ScoreTable, title: str, states: Mapping[tuple[str, str, int], str]) -> Iterator[dict[str, Any]]:
    """A row per run: its value, its score, and what became of it."""
    for m, method in enumerate(table.methods):
        for s, setting in enumerate(table.settings):
            for k, seed in enumerate(table.seeds):
                if (method, setting, seed) in states:
                    value, score = table.values[m, s, k], table.scores[m, s, k]
                    yield {
                        "method": method, "setting": setting, "seed": seed, title: value, "score": score,
                        "state": states[method, setting, seed],
                    }  # fmt: skip
