"""What goes on inside a discriminator while it trains: spectra, operator norms, gradients, variances, accuracy.

Looking changes nothing: images, latents and start vectors are of a stream of their own, gradients are asked for and
not left behind, and every buffer (power iterations, running averages) is put back.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parametrize

from sngan.config import TrialConfig
from sngan.datasets import ImageSplit
from sngan.datasets.batches import to_unit_range
from sngan.losses import LOSSES, with_class_loss
from sngan.models.build import placed_layers
from sngan.regularizers.base import PlacedLayer, raw_weight
from sngan.regularizers.power_iteration import advance_power_iterations
from sngan.results import Diagnosis, Spectrum
from sngan.seeding import numpy_stream, torch_stream
from sngan.spectra import entropy_rank, operator_norm, singular_values, stable_rank
from sngan.state import TrainState
from sngan.training import Draw, judge_both

# At most this many intervals between diagnoses, and optimizer steps of either network between two of them at least:
# a diagnosis takes as long as two to three steps, and may cost 3 % of training.
_MOST_INTERVALS = 20
_LEAST_STEPS = 200
_SPECTRA_INTERVALS = 4


def diagnosed_updates(config: TrialConfig) -> tuple[int, ...]:
    """Updates at which a trial is diagnosed, evenly from 0 to the last: a function of its length and n_dis alone."""
    steps = config.updates * (config.n_dis + 1)
    return _evenly(config.updates, max(1, min(_MOST_INTERVALS, steps // _LEAST_STEPS, config.updates)))


def spectra_updates(config: TrialConfig) -> tuple[int, ...]:
    """Those at which whole spectra are kept: the first, the last and up to three between."""
    updates = diagnosed_updates(config)
    intervals = len(updates) - 1
    return tuple(updates[index] for index in _evenly(intervals, min(_SPECTRA_INTERVALS, intervals)))


def _evenly(last: int, intervals: int) -> tuple[int, ...]:
    return tuple(round(last * number / intervals) for number in range(intervals + 1))


@dataclass(frozen=True)
class Probe:
    """What a discriminator is diagnosed with, the same at every update and, for one seed, in every method.

    real : images [B, C, H, W] in [-1, 1], without dequantization, and in a conditional trial their classes
    real_labels [B]; drawn : latents [B, z_dim] and classes of the fake images; B is the batch size, or the number of
    images where there are fewer. layers : the discriminator's, in the order in which an image comes to them.
    """

    real: Tensor
    real_labels: Tensor | None
    drawn: Draw
    layers: tuple[PlacedLayer, ...]

    @classmethod
    def of(cls, state: TrainState, split: ImageSplit) -> Self:
        """The probe of a trial on the images of a split."""
        config, images = state.config, split.images
        num = min(config.batch_size, len(images))
        chosen = np.sort(numpy_stream(config.seed, "diagnostics").choice(len(images), num, replace=False))
        stream = torch_stream(config.seed, "diagnostics")
        latents = torch.randn(num, config.z_dim, generator=stream).to(state.device)
        real_labels = fake_labels = None
        if state.num_classes is not None:
            assert split.labels is not None, "a conditional trial is trained with labels"
            real_labels = torch.from_numpy(split.labels[chosen]).to(state.device)
            fake_labels = torch.randint(state.num_classes, (num,), generator=stream).to(state.device)
        _, channels, image_size, _ = images.shape
        return cls(
            real=to_unit_range(torch.from_numpy(images[chosen]).to(state.device)),
            real_labels=real_labels,
            drawn=Draw(latents, fake_labels),
            layers=tuple(placed_layers(state.discriminator, channels, image_size)),
        )


def diagnose(state: TrainState, probe: Probe) -> Diagnosis:
    """The state as its next discriminator update would find it, after that update's power iteration.

    Per layer, numbered from the image: "layer1/sigma", largest singular value of the effective weight, the matrix
    d_out x (d_in h w); "sigma-error", |sigma - 1| (Fig. 9 of arXiv:1802.05957); "operator-norm" (sngan.spectra);
    "stable-rank", "entropy-rank"; "variance", mean square of the effective weight's entries times fan_in, which
    LeCun's initialization makes 1; "gradient" and "raw-gradient", Frobenius norm of the gradient of the loss,
    with that of an auxiliary classifier and without penalties, by the effective and by the trained weight. At update 0
    "xavier-target": the variance that Xavier's initialization gives, 2 fan_in / (fan_in + fan_out).

    Of the logits: "accuracy/real", share above 0, "accuracy/fake", share below; "logits-mean/...", "logits-spread/...",
    mean and standard deviation over images. "input-gradient/real", "...-min", "...-max" and the same of fake images:
    mean, least and largest norm of the gradient of an image's logit by that image (as the code of arXiv:2009.02773).
    """
    with _put_back(state), parametrize.cached():
        advance_power_iterations(state.discriminator)
        weights = [placed.layer.weight for placed in probe.layers]
        values = _gradients(state, probe, weights)
        spectra: list[Spectrum] = []
        keep_spectra = state.update in spectra_updates(state.config)
        stream = torch_stream(state.config.seed, "diagnostics", 1)
        for number, (placed, weight) in enumerate(zip(probe.layers, weights, strict=True), start=1):
            name = f"layer{number}"
            found = singular_values(weight.flatten(1))
            values.update({f"{name}/{key}": float(value) for key, value in _of_layer(weight, found).items()})
            values[f"{name}/operator-norm"] = float(operator_norm(placed, weight.detach(), stream))
            if state.update == 0:
                values[f"{name}/xavier-target"] = _xavier_target(weight)
            if keep_spectra:
                spectra += _kept(name, placed, found)
    return Diagnosis(update=state.update, values=values, spectra=tuple(spectra))


def _of_layer(weight: Tensor, found: Tensor) -> dict[str, Tensor]:
    """What is read off the effective weight and its singular values."""
    return {
        "sigma": found[0],
        "sigma-error": (found[0] - 1).abs(),
        "stable-rank": stable_rank(found),
        "entropy-rank": entropy_rank(found),
        "variance": found.square().sum() / weight.shape[0],  # ||W||_F^2 / (d_out fan_in), times fan_in
    }


def _xavier_target(weight: Tensor) -> float:
    fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
    return 2 * fan_in / (fan_in + fan_out)


def _kept(name: str, placed: PlacedLayer, effective: Tensor) -> Iterator[Spectrum]:
    """The spectrum of the effective weight, and of the raw one where that is another."""
    yield _spectrum(name, "effective", effective)
    if parametrize.is_parametrized(placed.layer, "weight"):
        yield _spectrum(name, "raw", singular_values(raw_weight(placed.layer).flatten(1)))


def _spectrum(name: str, weight: str, found: Tensor) -> Spectrum:
    finite = found if bool(found.isfinite().all()) else found[:0]
    # Seven digits, as many as the weights have.
    values = tuple(float(f"{value:.7g}") for value in finite.tolist())
    return Spectrum(layer=name, weight="raw" if weight == "raw" else "effective", values=values)


def _gradients(state: TrainState, probe: Probe, weights: Sequence[Tensor]) -> dict[str, float]:
    """Norms of gradients by layer and by image, and what the logits are like."""
    real = probe.real.detach().requires_grad_()
    with torch.no_grad():
        fake = state.generator(*probe.drawn)
    fake.requires_grad_()
    of_real, of_fake = judge_both(state, real, fake, probe.real_labels, probe.drawn.labels)
    logits = {"real": of_real.logits, "fake": of_fake.logits}
    adversarial = LOSSES[state.config.loss].discriminator(of_real.logits, of_fake.logits)
    loss = with_class_loss(adversarial, "discriminator", of_real.class_logits, probe.real_labels)
    raw = [raw_weight(placed.layer) for placed in probe.layers]
    by_weight = torch.stack([grad.norm() for grad in torch.autograd.grad(loss, [*weights, *raw], retain_graph=True)])
    by_image = torch.autograd.grad(logits["real"].sum() + logits["fake"].sum(), [real, fake])
    names = [f"layer{number}/{kind}" for kind in ("gradient", "raw-gradient") for number in range(1, len(raw) + 1)]
    values = dict(zip(names, by_weight.tolist(), strict=True))
    for kind, sign, grad in zip(("real", "fake"), (1, -1), by_image, strict=True):
        values.update(_of_images(kind, sign * logits[kind].detach(), sign, grad.flatten(1).norm(dim=1)))
    return values


def _of_images(kind: str, right: Tensor, sign: int, norms: Tensor) -> dict[str, float]:
    """What `diagnose` says of one kind of images.

    right : logits [B], positive where the discriminator is right. norms : of the gradients by the images, [B].
    """
    numbers = {
        f"accuracy/{kind}": (right > 0).float().mean(),
        f"logits-mean/{kind}": sign * right.mean(),
        f"logits-spread/{kind}": right.std(correction=0),
        f"input-gradient/{kind}": norms.mean(),
        f"input-gradient/{kind}-min": norms.min(),
        f"input-gradient/{kind}-max": norms.max(),
    }
    return dict(zip(numbers, torch.stack(list(numbers.values())).tolist(), strict=True))


@contextmanager
def _put_back(state: TrainState) -> Iterator[None]:
    """Put every buffer of both networks back to what it was."""
    buffers = [*state.generator.buffers(), *state.discriminator.buffers()]
    kept = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
