"""A made-up study with plausible numbers: what a sweep would have told the store, without training anything."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sngan.results import Evaluation, Outcome, Score
from sngan.seeding import numpy_stream
from sweeps.study import Claim, PlannedTrial, Preset, Study, plan

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
    rule="smaller-spread",
    contrast={},
)


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


def make_study(preset: Preset, figures: tuple[str, ...]) -> Study:
    """A study with one claim."""
    return Study(
        name="robustness",
        question="Is spectral normalization really more robust to learning rate, momentum and n_dis than WGAN-GP?",
        description="Miyato's comparison of eleven methods at six optimizer settings, with seeds.",
        presets={preset.name: preset},
        claims=(CLAIM,),
        figures=figures,
    )


@dataclass(frozen=True)
class History:
    """What one trial told: its evaluations, and its outcome unless it is still to end."""

    trial: PlannedTrial
    evaluations: tuple[Evaluation, ...]
    outcome: Outcome | None


def histories(
    preset: Preset, storage_dir: Path, *, diverge: str = "some", inception: bool = True, grids: bool = True
) -> Iterator[History]:
    """One history per planned trial. `diverge`: "some" | "none" | "all" of them diverge."""
    for trial in plan(preset):
        fragile = (trial.method, trial.setting) in _DIVERGES and trial.seed % 2 == 0
        diverged = diverge == "all" or (diverge == "some" and fragile)
        updates = range(200, 801, 200)
        kept = [u for u in updates if not diverged or u <= (200 if diverge == "all" else 400)]
        evaluations = tuple(
            _evaluation(trial, update, storage_dir, diverged and update == kept[-1], inception, grids)
            for update in kept
        )
        outcome = Outcome(
            state="diverged" if diverged else "completed",
            update=kept[-1],
            reason="the generator's loss is not finite" if diverged else "",
            train_s=evaluations[-1].train_s,
            evaluate_s=evaluations[-1].evaluate_s,
        )
        yield History(trial, evaluations, outcome)


def _evaluation(
    trial: PlannedTrial, update: int, storage_dir: Path, broken: bool, inception: bool, grids: bool
) -> Evaluation:
    stream = numpy_stream(trial.seed, "metric", *map(ord, trial.method + trial.setting), update)
    level = _LEVEL.get(trial.method, 8.0)
    if trial.setting in "DEF":
        level *= _FRAGILE.get(trial.method, 2.0) * {"D": 0.7, "E": 0.85, "F": 1.0}[trial.setting]
    fid = float(level * (1 + 6 * math.exp(-update / 180)) * stream.lognormal(0, 0.14))
    inception_score = float(max(1.0, 9.2 - 1.9 * math.log(fid)) + stream.normal(0, 0.1))
    scores = [_score(FID, "fid", None if broken else fid, 0.55, spread=None)]
    if inception:
        scores.append(_score(INCEPTION, "is", None if broken else inception_score, 9.6, spread=0.12))
    config = trial.config
    per_update = 0.004 * (1 + 0.8 * config.n_dis) * (1.9 if "gp" in trial.method or trial.method == "r1" else 1)
    per_update *= 1.12 if trial.method.startswith("sn") else 1
    return Evaluation(
        update=update,
        scores=tuple(scores),
        diagnostics={
            "loss/discriminator": float(stream.normal(1, 0.2)),
            "loss/generator": float(stream.normal(1, 0.2)),
            "seconds_per_update": float(per_update * stream.lognormal(0, 0.05)),
        },
        train_s=per_update * update,
        evaluate_s=0.3 * update / 200,
        samples=_grid(trial, update, storage_dir, stream) if grids else None,
    )


def _score(protocol: str, metric: str, value: float | None, floor: float, spread: float | None) -> Score:
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


def _grid(trial: PlannedTrial, update: int, storage_dir: Path, stream: np.random.Generator) -> Path:
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
