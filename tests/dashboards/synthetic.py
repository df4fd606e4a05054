"""A made-up study with plausible numbers: what a sweep would have told the store, without training anything."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dashboards.figures import StudyFrames
from dashboards.report import write_report
from sngan.config import TrialConfig
from sngan.results import Diagnosis, Evaluation, Outcome, Score, Spectrum
from sngan.seeding import numpy_stream
from sweeps.records import StudyRecords
from sweeps.reporting import judge_study
from sweeps.spaces import Axis, Choice, Range, Search, configured, place_of, space_of
from sweeps.store import ResultStore, open_store
from sweeps.study import Claim, PlannedTrial, Preset, Study, plan
from sweeps.variation import describe

FID = "fid/gen600-test600-digits"
INCEPTION = "is/gen600x1-digits"
EXTRACTOR = "digits-1a2b3c4d"
METHODS = ("none", "weight-clipping", "gan-gp", "wgan-gp", "batch-norm", "layer-norm", "weight-norm",
           "orthonormal", "sn", "sn-hinge", "r1")  # fmt: skip
SETTINGS = ("A", "B", "C", "D", "E", "F")

# Final FID at A, and by which factor it is worse at the aggressive settings D, E, F.
_LEVEL = {"none": 9.0, "weight-clipping": 14.0, "gan-gp": 6.5, "wgan-gp": 7.0, "batch-norm": 16.0, "layer-norm": 6.2,
          "weight-norm": 6.0, "orthonormal": 4.1, "sn": 4.2, "sn-hinge": 3.8, "r1": 5.5}  # fmt: skip
_FRAGILE = {"none": 4.0, "weight-clipping": 2.2, "gan-gp": 6.0, "wgan-gp": 9.0, "batch-norm": 2.5, "layer-norm": 3.0,
            "weight-norm": 3.5, "orthonormal": 1.9, "sn": 1.25, "sn-hinge": 1.2, "r1": 1.6}  # fmt: skip
_DIVERGES = {("wgan-gp", "F"), ("none", "F"), ("gan-gp", "F"), ("none", "E")}

CLAIM = Claim(
    name="sn-is-robust",
    source="Miyato et al. 2018, arXiv:1802.05957, Fig. 1 and 2",
    sentence="Over the settings A to F, the scores of spectral normalization vary less than those of WGAN-GP.",
    rule="robustness",
    contrast={"datasets": ("cifar10",), "method": "sn", "smaller_spread_than": ("wgan-gp",)},
)
PROVENANCE = {
    "started": "2026-01-02T03:04:05+00:00",
    "command": "python -m sweeps.launch robustness",
    "git_commit": "0123456789abcdef0123456789abcdef01234567",
    "git_dirty": False,
    "versions": {"python": "3.11.7", "torch": "2.15.0"},
    "cpu": "A processor",
    "inputs": {"dataset": "digits", "dataset_digest": "ab12" * 16, "extractor_digits": EXTRACTOR},
    "gpus": [],
}


def make_preset(methods: Sequence[str] = METHODS, settings: Sequence[str] = SETTINGS, seeds: int = 2) -> Preset:
    """A preset on digits with four evaluations per trial."""
    return Preset(
        name="quick",
        description="Digits, a small CNN, minutes on two cores.",
        config={"updates": 800, "evaluate_every": 200, "protocols": (FID, INCEPTION)},
        methods=tuple(methods),
        settings=tuple(settings),
        seeds=seeds,
        headline=FID,
        caveat="Digits are not CIFAR-10: these numbers test the platform, not the paper's claims.",
    )


def make_searched_preset(methods: Sequence[str] = METHODS, budget: int = 8, seeds: int = 2) -> Preset:
    """The same with searches of optimizer and gradient penalty in place of the settings."""
    search = Search(
        optimizer={
            "alpha": Range(low=1e-5, high=1e-2, log=True),
            "beta1": Range(low=0.0, high=0.999),
            "beta2": Range(low=0.0, high=0.999),
            "n_dis": Choice(options=(1, 5)),
        },
        own={"gradient-penalty": {"coefficient": Range(low=0.1, high=100.0, log=True)}},
        budget=budget,
        round_size=2,
        retrain=1,
    )
    return replace(make_preset(methods, search.settings, seeds), search=search)


def make_study(preset: Preset, figures: tuple[str, ...] = (), claims: tuple[Claim, ...] = (CLAIM,)) -> Study:
    """A study; without names of figures it shows all of them."""
    return Study(
        name="made-up",
        question="Is spectral normalization really more robust to learning rate, momentum and n_dis than WGAN-GP?",
        description="Miyato's comparison of eleven methods at six optimizer settings, with seeds.",
        presets={preset.name: preset},
        claims=claims,
        figures=figures,
    )


@dataclass(frozen=True, kw_only=True)
class Story:
    """How a made-up sweep goes.

    diverge : "some" | "none" | "all" of the trials diverge. unfinished : every how many-th trial never starts, and the
    one after it fails half-way; 0: all end. inception : whether there are Inception Scores.
    """

    diverge: str = "some"
    unfinished: int = 0
    inception: bool = True
    grids: bool = True
    fid: float | None = None


@dataclass(frozen=True)
class Sweep:
    """A made-up sweep: its store, what was planned, and where its sample grids lie."""

    store: ResultStore
    study: Study
    preset: Preset
    folder: Path

    def frames(self) -> StudyFrames:
        return StudyFrames.read(self.store, self.study, self.preset, self.folder)

    def report(self, folder: Path | None = None, figures: tuple[str, ...] = ()) -> Path:
        """The page, with some figures or all."""
        study = replace(self.study, figures=figures)
        folder = folder or self.folder / "report"
        return page_of(self.store, study, self.preset, storage_dir=self.folder, folder=folder)


def page_of(store: ResultStore, study: Study, preset: Preset, *, storage_dir: Path, folder: Path) -> Path:
    """The report of what a store holds, with its claims judged."""
    records = StudyRecords(store=store, study=study, preset=preset)
    return write_report(records, judge_study(records), storage_dir=storage_dir, folder=folder)


def changed(frames: StudyFrames, preset: Preset | None = None, **given: pd.DataFrame) -> StudyFrames:
    """The same frames with another preset, or with some of them (by name) in place of the store's."""
    known = frames.records
    records = StudyRecords(store=known.store, study=known.study, preset=preset or known.preset)
    names = ("trials", "evaluations", "diagnostics", "spectra", "samples")
    vars(records).update({name: given.get(name, getattr(known, name)) for name in names})
    return StudyFrames(records=records, storage_dir=frames.storage_dir)


def open_sweep(folder: Path, preset: Preset, story: Story | None, claims: tuple[Claim, ...] = (CLAIM,)) -> Sweep:
    """A new store in `folder` that holds the story; without one it stays empty."""
    study = make_study(preset, claims=claims)
    store = open_store(f"sqlite:///{folder}/results.db")
    if story is not None:
        tell(store, study, preset, folder, story)
    return Sweep(store, study, preset, folder)


def tell(store: ResultStore, study: Study, preset: Preset, storage_dir: Path, story: Story) -> None:
    """Register the study's trials and store what each of them reports."""
    trials = plan(preset) or searched(preset)
    store.register(study.name, preset.name, describe(study, preset), trials)
    store.set_provenance(study.name, preset.name, PROVENANCE)
    for number, trial in enumerate(trials):
        place = number % story.unfinished if story.unfinished else None
        if place == 0:
            continue
        evaluations, outcome = _history(trial, storage_dir, story)
        store.start_attempt(trial.digest, host="here", device="cpu", versions={"torch": "2.15.0"})
        if place == 1:
            store.record_many([(trial.digest, evaluation) for evaluation in evaluations[:2]])
            store.fail(trial.digest, "OSError: no space left on device")
            continue
        store.record_many([(trial.digest, evaluation) for evaluation in evaluations])
        store.finish(trial.digest, outcome)


def searched(preset: Preset) -> list[PlannedTrial]:
    """What searches might have tried: values anywhere in the ranges, and the best place's again."""
    search, base = preset.search, TrialConfig.from_dict(dict(preset.config))
    assert search is not None
    trials = []
    for seed in range(preset.seeds):
        for method in preset.methods:
            for setting in search.settings:
                place = place_of(setting)
                assert place is not None
                stream = numpy_stream(seed, "search", place.number, *map(ord, place.sampler * (place.number > 1)))
                values = {
                    key: _drawn(axis, stream.random()) for key, axis in space_of(search, method).items()
                }  # fmt: skip
                config = configured(method, values, base).replace(seed=place.seed(seed))
                trials.append(PlannedTrial(method=method, setting=setting, seed=seed, config=config))
    return trials


def _drawn(axis: Axis, part: float) -> float:
    if isinstance(axis, Choice):
        return axis.options[int(part * len(axis.options))]  # type: ignore[return-value]
    if axis.log:
        return float(axis.low * (axis.high / axis.low) ** part)
    return float(axis.low + part * (axis.high - axis.low))


def _history(trial: PlannedTrial, storage_dir: Path, story: Story) -> tuple[list[Evaluation], Outcome]:
    fragile = (trial.method, trial.setting) in _DIVERGES and trial.seed % 2 == 0
    fragile = fragile or (place_of(trial.setting) is not None and _distance(trial) > 2.2)
    diverged = story.diverge == "all" or (story.diverge == "some" and fragile)
    updates = [200, 400, 600, 800] if not diverged else [200] if story.diverge == "all" else [200, 400]
    evaluations = [
        _evaluation(trial, update, storage_dir, story, broken=diverged and update == updates[-1]) for update in updates
    ]
    outcome = Outcome(
        state="diverged" if diverged else "completed",
        update=updates[-1],
        reason="the generator's loss is not finite" if diverged else "",
        train_s=evaluations[-1].train_s,
        evaluate_s=evaluations[-1].evaluate_s,
    )
    return evaluations, outcome


def _distance(trial: PlannedTrial) -> float:
    """How far a searched configuration is from a good one: decades of alpha, mostly."""
    return abs(math.log10(trial.config.alpha / 3e-4)) + 0.8 * max(0.0, trial.config.beta1 - 0.5)


def _evaluation(trial: PlannedTrial, update: int, storage_dir: Path, story: Story, *, broken: bool) -> Evaluation:
    stream = numpy_stream(trial.seed, "metric", *map(ord, trial.method + trial.setting), update)
    level = _LEVEL.get(trial.method, 8.0)
    if place_of(trial.setting) is not None:
        level *= _FRAGILE.get(trial.method, 2.0) ** _distance(trial)
    elif trial.setting in "DEF":
        level *= _FRAGILE.get(trial.method, 2.0) * {"D": 0.7, "E": 0.85, "F": 1.0}[trial.setting]
    fid = float(level * (1 + 6 * math.exp(-update / 180)) * stream.lognormal(0, 0.14))
    fid = fid if story.fid is None else story.fid
    inception = float(max(1.0, 9.2 - 1.9 * math.log(fid)) + stream.normal(0, 0.1))
    scores = [score(FID, "fid", None if broken else fid, 0.55, spread=None)]
    if story.inception:
        scores.append(score(INCEPTION, "is", None if broken else inception, 9.6, spread=0.12))
    per_update = 0.004 * (1 + 0.8 * trial.config.n_dis)
    per_update *= 1.9 if "gp" in trial.method or trial.method == "r1" else 1.0
    return Evaluation(
        update=update,
        scores=tuple(scores),
        diagnostics={
            "loss/discriminator": float(stream.normal(1, 0.2)),
            "seconds_per_update": float(per_update * stream.lognormal(0, 0.05)),
        },
        train_s=per_update * update,
        evaluate_s=0.3 * update / 200,
        samples=grid(trial, update, storage_dir, stream) if story.grids else None,
        diagnoses=tuple(diagnosis(trial, at, stream) for at in ((0, update) if update == 200 else (update,))),
    )


def diagnosis(trial: PlannedTrial, update: int, stream: np.random.Generator) -> Diagnosis:
    """Two layers; with SN the first is used in all directions."""
    values = {"accuracy/real": float(stream.uniform(0.5, 1))}
    spectra = []
    for number, size in ((1, 16), (2, 40)):
        decay = 0.05 if trial.method.startswith("sn") else 0.4 * number
        spectrum = np.exp(-decay * np.arange(size)) * stream.uniform(1, 1.1)
        values |= {
            f"layer{number}/sigma": float(spectrum[0]),
            f"layer{number}/gradient": float(stream.lognormal(-2, 0.3)),
            f"layer{number}/variance": float(np.square(spectrum).sum() / size),
        }
        if update == 0:
            values[f"layer{number}/xavier-target"] = 0.5 * number
        spectra.append(Spectrum(layer=f"layer{number}", weight="effective", values=tuple(spectrum.tolist())))
    return Diagnosis(update=update, values=values, spectra=tuple(spectra))


def score(protocol: str, metric: str, value: float | None, floor: float | None, spread: float | None) -> Score:
    return Score(
        protocol=f"{protocol}-{EXTRACTOR[-8:]}",
        metric=metric,
        value=value,
        spread=spread,
        num_generated=600,
        num_real=600 if metric == "fid" else 0,
        split="test" if metric == "fid" else "",
        extractor=EXTRACTOR,
        floor=floor,
        seconds=0.3,
    )


def grid(trial: PlannedTrial, update: int, storage_dir: Path, stream: np.random.Generator) -> Path:
    """Write a grid of samples; its path below `storage_dir`."""
    relative = Path("samples") / trial.digest / f"u{update:06d}.png"
    path = storage_dir / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    # Blobs, 8 x 8 of them, 8 pixels each.
    y, x = np.mgrid[0:8, 0:8]
    centres = stream.uniform(2, 6, size=(64, 2))
    tiles = np.exp(-((y - centres[:, 0, None, None]) ** 2 + (x - centres[:, 1, None, None]) ** 2) / 3)
    pixels = (255 * tiles).reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return relative
