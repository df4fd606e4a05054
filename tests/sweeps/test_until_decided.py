"""Seeds until decided, with real training: an open claim gets more, a decided one does not, and the plan stays."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sngan.errors import InputError
from sngan.results import RunOptions
from sweeps.claims import claims_about, rule_of
from sweeps.commands.line import run
from sweeps.commands.options import database_url
from sweeps.engine import EngineOptions, EngineResult
from sweeps.looks import Looks
from sweeps.measures import MEASURES
from sweeps.store import open_store
from sweeps.study import STUDIES, Claim, Preset, Study, plan
from sweeps.sweep import Ending, Sweep, launch
from sweeps.until_decided import Candidates, UntilDecided

FID = "fid/gen600-test600-digits"
# After one update all methods draw the same noise: far less than twice as bad as each other, and none better.
_TEXTS = {"source": "arXiv:0000.00000", "sentence": "It is so."}
CLAIMS = (
    Claim(
        **_TEXTS,
        name="similar",
        rule="within",
        contrast={"settings": ("C",), "method": "none", "reference": "sn", "ratio": 2.0},
    ),
    Claim(
        **_TEXTS,
        name="better",
        rule="better-best",
        contrast={"settings": ("C",), "method": "sn-hinge", "others": ("sn",)},
    ),
)
PRESET = Preset(
    name="tiny",
    description="for tests",
    config={
        "dataset": "digits", "architecture": "small-cnn", "updates": 1, "evaluate_every": 1, "batch_size": 8,
        "generator_batch_size": 8, "z_dim": 8, "protocols": (FID,),
    },
    methods=("none", "sn", "sn-hinge"),
    settings=("C",),
    seeds=1,
    headline=FID,
)  # fmt: skip
STUDY = Study(
    name="made-up",
    question="Is it so?",
    description="Two claims.",
    presets={"tiny": PRESET},
    claims=CLAIMS,
    figures=("divergence",),
)

Launch = Callable[..., Ending]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def launched(out: Path, cache_dir: Path) -> Launch:
    """Launches the study into `out`, with UntilDecided's arguments, and returns how that ended."""

    def start(*, said: list[str] | None = None, study: Study = STUDY, seeds: int = 1, **until: float | None) -> Ending:
        engine = EngineOptions(run=RunOptions(cache_dir=cache_dir, storage_dir=out, device="cpu"), engine="in-process")
        sweep = Sweep(
            study=study,
            preset=PRESET,
            trials=plan(PRESET, seeds=seeds),
            out=out,
            database=database_url(out),
            engine=engine,
            mlflow=None,
            command=("test",),
            until=UntilDecided(**until) if until else None,  # type: ignore[arg-type]
        )
        return launch(sweep, (said if said is not None else []).append)

    return start


def seeds_of(out: Path) -> Mapping[str, int]:
    """Number of completed seeds of every method."""
    with open_store(database_url(out), create=False) as store:
        trials: pd.DataFrame = store.trials(STUDY.name, PRESET.name)
    return dict(trials[trials["state"] == "completed"].groupby("method").size())


def test_an_open_claim_gets_more_seeds_a_decided_one_does_not_and_the_last_is_the_last(
    launched: Launch, out: Path
) -> None:
    said: list[str] = []
    ending = launched(said=said, max_seeds=6)
    similar, better = ending.verdicts
    assert (similar.verdict, similar.num_seeds) == ("supported", 4), "two claims need four seeds at least"
    assert (better.verdict, better.num_seeds) == ("undecided", 6)
    assert seeds_of(out) == {"none": 4, "sn": 6, "sn-hinge": 6}
    assert (ending.ran, len(ending.sweep.planned), len(ending.missing)) == (16, 16, 0)
    assert ending.why == "Undecided after all 6 planned seeds: better."
    assert said[1:] == [
        "Open: similar, better. 9 trials more, with seeds 1 to 3.",
        "Open: better. 2 trials more, with seed 4.",
        "Open: better. 2 trials more, with seed 5.",
    ]
    assert "at the look with 4" in similar.explanation
    assert "Left out" not in similar.explanation + better.explanation
    assert similar.p_value is not None
    assert similar.p_value <= 0.05
    with open_store(database_url(out), create=False) as store:
        assert store.looks(STUDY.name, PRESET.name) == Looks(first=4, last=6)
        assert len(json.loads(store.studies()["launches"].iloc[0])) == 1, "rounds of one launch"
    assert ending.report is not None
    page = ending.report.read_text()
    assert "after every seed from 4 to at most 6, which was fixed before the first look" in " ".join(page.split())
    again = launched(max_seeds=6)
    assert (again.ran, again.why, list(again.verdicts)) == (0, ending.why, list(ending.verdicts))


def test_the_plan_is_kept_by_later_launches_and_another_one_is_refused(launched: Launch, out: Path) -> None:
    launched(max_seeds=5)
    with pytest.raises(InputError, match="--max-seeds is 9, but this study is judged at 4 to 5 seeds"):
        launched(max_seeds=9)
    assert launched(max_seeds=None).ran == 0
    # More seeds by hand do not count: their number was chosen with the verdicts in sight.
    before = launched(max_seeds=5).verdicts
    after = launched(seeds=7)
    assert after.ran == 7 * 3 - 4 - 5 - 5
    assert [dataclasses.replace(v, explanation="") for v in after.verdicts] == [
        dataclasses.replace(v, explanation="") for v in before
    ]


def test_without_time_nothing_is_begun_after_the_plan_and_a_later_launch_goes_on(launched: Launch, out: Path) -> None:
    ending = launched(max_seeds=5, max_s=1e-6)
    assert (ending.ran, len(ending.missing), ending.failed) == (3, 0, {})
    assert ending.why.startswith("Out of time (0 s left): undecided so far: similar, better.")
    assert {verdict.verdict for verdict in ending.verdicts} == {"undecided"}
    assert "with 4 seeds for the first time; 1 are complete" in ending.verdicts[0].explanation
    assert ending.report is not None
    assert launched(max_seeds=5).ran == 3 * 3 + 2


def test_a_stop_between_two_seeds_is_unfinished_and_the_rest_comes_later(
    launched: Launch, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweeps import sweep as module

    real = module.run

    def stopping(*arguments: Any, then: Iterator[Any], **rest: Any) -> EngineResult:
        result = real(*arguments, then=islice(then, 1), **rest)
        return dataclasses.replace(result, interrupted=True)

    monkeypatch.setattr(module, "run", stopping)
    stopped = launched(max_seeds=5)
    assert stopped.interrupted
    assert (stopped.ran, len(stopped.missing), stopped.report, stopped.why) == (12, 2, None, "")
    assert len(stopped.sweep.planned) == 14, "12 of 14 have results"
    monkeypatch.undo()
    ending = launched(max_seeds=5)
    assert (ending.ran, ending.interrupted) == (2, False)
    assert [verdict.verdict for verdict in ending.verdicts] == ["supported", "undecided"]


def test_earlier_results_are_judged_anew_under_the_plan(launched: Launch, out: Path) -> None:
    fixed = launched(seeds=5).verdicts
    assert [verdict.verdict for verdict in fixed] == ["supported", "undecided"]
    planned = launched(max_seeds=20, max_s=1e-6)
    assert planned.ran == 0
    (before, now) = fixed[1], planned.verdicts[1]
    assert (now.verdict, now.num_seeds, now.effect, now.level) == ("undecided", 5, before.effect, before.level)
    assert now.low is not None
    assert before.low is not None
    assert now.low < before.low, "the same level, over all looks, takes a wider interval"


def test_what_cannot_be_decided_is_refused(launched: Launch) -> None:
    with pytest.raises(InputError, match=r"--max-seeds is 3; allowed: 4 or more"):
        launched(max_seeds=3)
    with pytest.raises(InputError, match="makes no claim that these methods and settings can decide"):
        launched(study=dataclasses.replace(STUDY, claims=()), max_seeds=8)


@pytest.mark.parametrize("name", ["spectra", "cost", "gradients", "scale"])
def test_claims_about_measures_get_seeds_too(name: str) -> None:
    study = STUDIES[name]
    preset = study.presets["quick"]
    claims = claims_about(study.claims, preset.config["dataset"])
    study = dataclasses.replace(study, claims=claims)
    found = Candidates.of(study, preset, plan(preset), UntilDecided(), None)
    assert found.claims == claims
    assert {rule_of(claim).metric for claim in claims} & set(MEASURES)


def test_a_course_of_a_metric_that_is_not_measured_gets_none() -> None:
    gains, loses = (
        dataclasses.replace(CLAIMS[1], name=name, contrast={**CLAIMS[1].contrast, "metric": name})
        for name in ("late-gain", "late-loss")
    )
    study = dataclasses.replace(STUDY, claims=(gains, loses))
    assert Candidates.of(study, PRESET, plan(PRESET), UntilDecided(), None).claims == (loses,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-seeds", "9"], "--max-seeds limits the seeds that --until-decided adds"),
        (["--max-hours", "1"], "--max-hours limits the seeds that --until-decided adds"),
        (["--until-decided", "--max-seeds", "0"], "--max-seeds is 0; allowed: above 0"),
        (["--until-decided", "--max-hours", "-1"], "--max-hours is -1.0; allowed: above 0"),
        (["--until-decided", "--methods", "sn,r1"], "makes no claim that these methods"),
        (["--until-decided", "--max-seeds", "4"], "allowed: 5 or more, below which this study gets no verdict"),
    ],
)
def test_mistakes_are_told(
    options: list[str], message: str, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert run(["robustness", *options, "--out", str(out), "--dry-run"]) == 2
    assert message in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_done_at_most(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert run(["robustness", "--until-decided", "--max-seeds", "8", "--out", str(out), "--dry-run"]) == 0
    told = capsys.readouterr().out
    preset = STUDIES["robustness"].preset("quick")
    assert f"{len(plan(preset))} trials to run, 0 already done." in told
    assert "Then 9 claims judged after every seed from 5 to 8" in told
    cells = len(preset.methods) * len(preset.settings) - 3
    assert f"at most {(8 - preset.seeds) * cells} trials more" in told, "a claim that speaks of A to C needs no D to F"
    assert not out.exists()
