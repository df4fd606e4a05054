"""Stores that the app is shown: whole, running, without a result, with names that mean harm."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from dashboards.app.snapshots import Source
from sweeps.records import StudyRecords
from sweeps.reporting import judge_study
from sweeps.store import ResultStore, open_store
from sweeps.study import STUDIES, plan
from sweeps.variation import describe, vary
from tests.dashboards.synthetic import FID, INCEPTION, Story, make_searched_preset, tell

CHANGES = {"updates": "800", "evaluate_every": "200", "protocols": f"{FID},{INCEPTION}"}
SCRIPT = "<script>alert(1)</script>"
IMAGE = "![here](http://example.invalid/image.png)"


def told(out: Path, story: Story, *, study: str = "robustness", seeds: int = 2, most: int = 100) -> Source:
    """A folder of results in which a study went as the story says, judged at its end."""
    varied = vary(STUDIES[study], "quick", CHANGES)
    preset = next(iter(varied.presets.values()))
    preset = replace(preset, seeds=seeds, methods=preset.methods[:most], settings=preset.settings[:most])
    varied = replace(varied, presets={preset.name: preset})
    with open_store(f"sqlite:///{out}/results.db") as store:
        tell(store, varied, preset, out, story)
        records = StudyRecords(store=store, study=varied, preset=preset)
        store.record_verdicts(varied.name, preset.name, judge_study(records))
    return Source(out=out, database=f"sqlite:///{out}/results.db")


def running(out: Path) -> Source:
    """Some trials have a result, some failed, one runs, others wait."""
    source = told(out, Story(unfinished=3), most=4)
    with open_store(source.database) as store:
        start(store)
    return source


LAUNCH = "robustness quick, process 1 on here since 2026-01-02 03:04 UTC"


def start(store: ResultStore) -> str:
    """A launch begins the first trial that waits; its digest."""
    study, label = next(iter(store.studies()[["study", "preset"]].itertuples(index=False, name=None)))
    trials = store.trials(study, label)
    digest = str(trials[trials["state"] == "queued"]["digest"].iloc[0])
    store.claim([digest], 1, holder="here", about=LAUNCH, lease_s=3600)
    store.start_attempt(digest, host="here", device="cpu", versions={})
    return digest


def planned(out: Path) -> Source:
    """Trials that wait, and nothing else."""
    varied = vary(STUDIES["robustness"], "quick", CHANGES)
    preset = next(iter(varied.presets.values()))
    with open_store(f"sqlite:///{out}/results.db") as store:
        store.register(varied.name, preset.name, describe(varied, preset), plan(preset, seeds=1))
    return Source(out=out, database=f"sqlite:///{out}/results.db")


def hostile(out: Path) -> Source:
    """A failure that tells HTML, in a study that runs."""
    source = told(out, Story(unfinished=4), most=2, seeds=1)
    with open_store(source.database) as store:
        digest = start(store)
        store.fail(digest, f"Traceback\nValueError: {SCRIPT} {IMAGE}")
    return source


def searched(out: Path) -> Source:
    """A search of three methods, in its own study."""
    study = STUDIES["tuning"]
    preset = replace(make_searched_preset(("none", "wgan-gp", "sn"), 4), caveat="")
    with open_store(f"sqlite:///{out}/results.db") as store:
        tell(store, replace(study, presets={preset.name: preset}), preset, out, Story(grids=False))
    return Source(out=out, database=f"sqlite:///{out}/results.db")


STORES: Mapping[str, Callable[[Path], Source]] = {
    "whole": lambda out: told(out, Story()),
    "running": running,
    "one trial": lambda out: told(out, Story(), seeds=1, most=1),
    "all diverged": lambda out: told(out, Story(diverge="all"), most=3),
    "no grids": lambda out: told(out, Story(grids=False), most=3),
    "landscape": lambda out: told(out, Story(), study="landscape", most=4),
    "planned": planned,
    "searched": searched,
    "hostile": hostile,
}
