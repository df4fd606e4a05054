"""What a trial tells the outside: scores, evaluations and how it ended. Plain data, cheap to import and to send."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One measured number with everything that it depends on.

    protocol : full name, e.g. "fid/gen5000-test10000-inception-1a2b3c4d": metric, generated and real counts,
        split of the real data, extractor and the first 8 hex digits of the extractor's hash.
    metric : its name in sngan.metrics.catalog, "fid".
    value : finite, or None when it could not be computed (then the trial has diverged).
    spread : standard deviation over the protocol's repetitions (IS splits, KID subsets); for FID-infinity the
        standard error of its line's intercept; else None. This is measurement noise of one model and must never be
        mixed with the spread over training seeds.
    split, num_real : the real data compared with; split is "" and num_real 0 for IS.
    extractor : "name-hash8".
    floor : what this protocol gives for real images in place of generated ones, where known.
    seconds : what measuring took, s.
    """

    protocol: str
    metric: str
    value: float | None
    spread: float | None
    num_generated: int
    num_real: int
    split: str
    extractor: str
    floor: float | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """All singular values of one layer's d_out x (d_in h w) matrix, largest first; none where it is not finite.

    layer : "layer1", "layer2", ... numbered from the image. weight : the trained parameter ("raw") or what the
    layer computes with ("effective").
    """

    layer: str
    weight: Literal["raw", "effective"]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What sngan.diagnostics sees in a trial after `update` generator updates.

    values : by name, such as "layer3/gradient"; not finite where training has diverged. spectra : at some updates.
    """

    update: int
    values: Mapping[str, float]
    spectra: tuple[Spectrum, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The Diagnosis that dataclasses.asdict made `data` of."""
        return cls(**{**data, "spectra": tuple(Spectrum(**spectrum) for spectrum in data["spectra"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The state of a trial after `update` generator updates.

    diagnostics : means since the evaluation before: "loss/discriminator", "loss/generator", "loss/penalty",
        "logits/real", "logits/fake", "seconds_per_update". The losses of both networks are without penalties, and with
        the cross entropy of an auxiliary classifier.
    diagnoses : those made since the evaluation before, in order of updates.
    train_s, evaluate_s : seconds spent so far, over all attempts, in training and in measuring.
    samples : PNG file with a grid of 8 x 8 images, or of a column for each of up to 16 classes, relative to
        RunOptions.storage_dir, or None. The same latents at every update and in every method.
    """

    update: int
    scores: tuple[Score, ...]
    diagnostics: Mapping[str, float]
    train_s: float
    evaluate_s: float
    samples: Path | None
    diagnoses: tuple[Diagnosis, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and for messages between processes; `from_dict` is the inverse."""
        return {**asdict(self), "samples": None if self.samples is None else self.samples.as_posix()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The Evaluation that `to_dict` made `data` of."""
        samples = None if data["samples"] is None else Path(data["samples"])
        scores = tuple(Score(**score) for score in data["scores"])
        return cls(**{**data, "scores": scores, "samples": samples, "diagnoses": _diagnoses(data)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a trial ended. Diverged (non-finite values) is a result, an exception is not.

    update : last generator update that was evaluated. reason : why it diverged, else "".
    diagnoses : those made after that update, before it diverged.
    """

    state: Literal["completed", "diverged"]
    update: int
    reason: str
    train_s: float
    evaluate_s: float
    diagnoses: tuple[Diagnosis, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The Outcome that dataclasses.asdict made `data` of."""
        return cls(**{**data, "diagnoses": _diagnoses(data)})


def _diagnoses(data: Mapping[str, Any]) -> tuple[Diagnosis, ...]:
    """Those of an evaluation or outcome; checkpoints from before there were any have none."""
    return tuple(Diagnosis.from_dict(item) for item in data.get("diagnoses", ()))


Report = Callable[[Evaluation], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Where and how a trial runs: everything that may not change its result.

    cache_dir : prepared data sets and reference statistics, shared by all trials of a machine.
    storage_dir : checkpoints/DIGEST/ and samples/DIGEST/ below it; None keeps nothing.
    checkpoint_every_s : seconds between checkpoints; there is one at every evaluation too.
    data_dir : folder with a data set's official files, for machines without internet.
    inception_weights : the extractor's weights, instead of the places that are searched.
    cuda_graphs : on a CUDA device, updates are replayed as graphs.
    on_write : called with each file that was written below storage_dir, relative to it, once it is whole.
    """

    cache_dir: Path
    storage_dir: Path | None = None
    device: str = "cpu"
    num_threads: int = 1
    checkpoint_every_s: float = 30.0
    data_dir: Path | None = None
    inception_weights: Path | None = None
    cuda_graphs: bool = True
    on_write: Callable[[Path], None] | None = None
