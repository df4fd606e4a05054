"""Diagnostics: they change nothing, and every number in them is the one that theory or a dense computation gives."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from sngan.config import TrialConfig
from sngan.datasets import ImageSplit, open_dataset
from sngan.diagnostics import Probe, diagnose, diagnosed_updates, spectra_updates
from sngan.losses import LOSSES
from sngan.methods import METHODS
from sngan.regularizers import Regularizer
from sngan.regularizers.base import PlacedLayer, raw_weight, weighted_layers
from sngan.regularizers.frobenius_norm import FrobeniusNorm
from sngan.regularizers.operator_spectral_norm import OperatorSpectralNorm
from sngan.regularizers.spectral_norm import SpectralNorm
from sngan.regularizers.weight_norm import WeightNorm
from sngan.results import Diagnosis
from sngan.seeding import torch_stream
from sngan.spectra import entropy_rank, operator_norm, singular_values, stable_rank
from sngan.state import TrainState
from sngan.training import train

LAYERS = 6  # of the small CNN's discriminator, the last one dense
OTHER_FORMS = {
    f"{advance} {gradient}": (SpectralNorm(advance=advance, gradient=gradient),)
    for advance in ("per-update", "per-forward")
    for gradient in ("stopped", "flows")
}


@pytest.fixture(scope="module")
def images(cache_dir: Path) -> NDArray[np.uint8]:
    return open_dataset("digits", cache_dir=cache_dir, data_dir=None).splits["train"].images


def start(config: TrialConfig) -> TrainState:
    return TrainState.start(config, channels=1, image_size=8)


def probe_of(state: TrainState, images: NDArray[np.uint8]) -> Probe:
    return Probe.of(state, ImageSplit(images=images, labels=None))


def at_start(config: TrialConfig, images: NDArray[np.uint8]) -> Diagnosis:
    state = start(config)
    return diagnose(state, probe_of(state, images))


# --- Looking changes nothing ---


@pytest.mark.parametrize("method", [*METHODS, *OTHER_FORMS])
def test_training_is_the_same_bit_for_bit(method: str, tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    """Weights, buffers, optimizers, streams and sums, with diagnoses between all updates and without any."""
    config = tiny.replace(regularizers=OTHER_FORMS[method]) if method in OTHER_FORMS else METHODS[method].apply(tiny)
    watched, alone = start(config), start(config)
    global_state = torch.get_rng_state()
    probe = probe_of(watched, images)
    for update in range(1, 5):
        diagnose(watched, probe)
        train(watched, images, update)
        train(alone, images, update)
    before = [None if p.grad is None else p.grad.clone() for p in watched.discriminator.parameters()]
    diagnose(watched, probe)
    after = [p.grad for p in watched.discriminator.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None)
    assert [p is None for p in before] == [p is None for p in after], "no gradient is left behind"
    assert torch.equal(torch.get_rng_state(), global_state), "no number of the global generator is drawn"
    assert watched.discriminator.training
    assert watched.generator.training
    torch.testing.assert_close(watched.state_dict(), alone.state_dict(), rtol=0, atol=0)


def test_the_same_state_gives_the_same_numbers(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    config = METHODS["sn"].apply(tiny)
    assert at_start(config, images) == at_start(config, images)


def test_methods_see_the_same_images_and_latents(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    one, other = (probe_of(start(METHODS[name].apply(tiny)), images) for name in ("sn", "wgan-gp"))
    assert torch.equal(one.real, other.real)
    assert torch.equal(one.drawn.latents, other.drawn.latents)
    assert one.real.shape == (8, 1, 8, 8)


# --- Singular values and what is read off them ---


@pytest.mark.parametrize("shape", [(64, 27), (27, 64), (16, 16), (1, 50)])
def test_singular_values_are_those_of_a_decomposition(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch_stream(0, "diagnostics"))
    exact = torch.linalg.svdvals(matrix.double())
    torch.testing.assert_close(singular_values(matrix), exact, rtol=1e-12, atol=1e-12)


def test_small_singular_values_are_exact_to_1e_8_of_the_largest() -> None:
    stream = torch_stream(1, "diagnostics")
    left, right = (torch.linalg.qr(torch.randn(20, 20, generator=stream, dtype=torch.float64))[0] for _ in range(2))
    wanted = torch.logspace(0, -12, 20, dtype=torch.float64)
    found = singular_values(left @ wanted.diag() @ right)
    assert float((found - wanted).abs().max()) < 5e-8


def test_what_is_not_finite_or_zero_has_no_ranks() -> None:
    assert singular_values(torch.tensor([[1.0, torch.inf], [0.0, 1.0]])).isnan().all()
    zeros = singular_values(torch.zeros(3, 4))
    assert zeros.tolist() == [0, 0, 0]
    assert stable_rank(zeros).isnan()
    assert entropy_rank(zeros).isnan()


def test_ranks_of_known_spectra() -> None:
    flat, single = torch.ones(7, dtype=torch.float64), torch.tensor([3.0, 0, 0], dtype=torch.float64)
    assert float(stable_rank(flat)) == pytest.approx(7)
    assert float(entropy_rank(flat)) == pytest.approx(7)
    assert float(stable_rank(single)) == float(entropy_rank(single)) == 1
    # Shares 4/5 and 1/5 of the energy: 5/4, and exp(-(0.8 log 0.8 + 0.2 log 0.2)).
    two = torch.tensor([2.0, 1.0], dtype=torch.float64)
    assert float(stable_rank(two)) == pytest.approx(1.25)
    assert float(entropy_rank(two)) == pytest.approx(0.8**-0.8 * 0.2**-0.2)


@pytest.mark.parametrize(("channels", "kernel", "stride", "size"), [(1, 3, 1, 8), (16, 4, 2, 8), (16, 3, 1, 7)])
def test_operator_norms_are_within_3_percent_of_dense_ones(channels: int, kernel: int, stride: int, size: int) -> None:
    layer = nn.Conv2d(channels, 16, kernel, stride, 1)
    basis = torch.eye(channels * size * size).view(-1, channels, size, size)
    for seed in range(10):
        weight = torch.randn(layer.weight.shape, generator=torch_stream(seed, "diagnostics"))
        exact = float(torch.linalg.svdvals(F.conv2d(basis, weight, stride=stride, padding=1).flatten(1))[0])
        found = float(operator_norm(PlacedLayer(layer, (size, size)), weight, torch_stream(seed, "samples")))
        assert 0.97 * exact < found < exact * (1 + 1e-5)
        sigma = float(singular_values(weight.flatten(1))[0])
        assert found < math.ceil(kernel / stride) * sigma * (1 + 1e-5)


# --- What the regularizers imply ---


def spectra_of(regularizer: Regularizer, tiny: TrialConfig, images: NDArray[np.uint8]) -> list[tuple[float, ...]]:
    spectra = at_start(tiny.replace(regularizers=(regularizer,)), images).spectra
    assert [(s.layer, s.weight) for s in spectra] == [
        (f"layer{number}", weight) for number in range(1, LAYERS + 1) for weight in ("effective", "raw")
    ]
    return [s.values for s in spectra if s.weight == "effective"]


def test_spectra_of_weight_and_frobenius_norm_have_a_known_sum(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    rows = [layer.weight.shape[0] for layer in weighted_layers(start(tiny).discriminator)]
    for values, num_rows in zip(spectra_of(WeightNorm(), tiny, images), rows, strict=True):
        assert sum(value**2 for value in values) == pytest.approx(num_rows, rel=1e-5)
    for values in spectra_of(FrobeniusNorm(), tiny, images):
        assert sum(value**2 for value in values) == pytest.approx(1, rel=1e-5)


def test_converged_spectral_norm_has_sigma_1_and_at_most_lecuns_variance(
    tiny: TrialConfig, images: NDArray[np.uint8]
) -> None:
    values = at_start(tiny.replace(regularizers=(SpectralNorm(num_iterations=200),)), images).values
    for number in range(1, LAYERS + 1):
        assert values[f"layer{number}/sigma"] == pytest.approx(1, abs=1e-4)
        assert values[f"layer{number}/sigma-error"] < 1e-4
        assert 0.9 < values[f"layer{number}/operator-norm"] < 3
        assert values[f"layer{number}/variance"] < 1 + 1e-4
    assert values[f"layer{LAYERS}/variance"] == pytest.approx(1, rel=1e-4), "one row: all the energy is in sigma"


def test_gradients_by_raw_weights_are_those_of_equation_12(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    """(G - <G, W_SN> u v^T) / sigma, with the gradient G by the effective weight, of the first layer."""
    state = start(tiny.replace(regularizers=(SpectralNorm(num_iterations=200),)))
    probe = probe_of(state, images)
    values = diagnose(state, probe).values
    raw = raw_weight(probe.layers[0].layer).detach()
    left, sigmas, right = torch.linalg.svd(raw.flatten(1), full_matrices=False)
    plain = start(tiny)
    with torch.no_grad():
        theirs = [raw_weight(placed.layer) for placed in probe.layers]
        for layer, weight in zip(weighted_layers(plain.discriminator), theirs, strict=True):
            layer.weight.copy_(weight / torch.linalg.svdvals(weight.flatten(1))[0])
    logits = plain.discriminator(probe.real), plain.discriminator(plain.generator(probe.drawn.latents).detach())
    first = weighted_layers(plain.discriminator)[0].weight
    (grad,) = torch.autograd.grad(LOSSES[tiny.loss].discriminator(*logits), first)
    inner = (grad * first.detach()).sum()
    expected = (grad.flatten(1) - inner * torch.outer(left[:, 0], right[0])) / sigmas[0]
    assert values["layer1/gradient"] == pytest.approx(float(grad.norm()), rel=1e-3)
    assert values["layer1/raw-gradient"] == pytest.approx(float(expected.norm()), rel=1e-3)


def test_without_reparametrization_both_gradients_are_one(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    found = at_start(tiny, images)
    for number in range(1, LAYERS + 1):
        assert found.values[f"layer{number}/raw-gradient"] == found.values[f"layer{number}/gradient"] > 0
    assert {spectrum.weight for spectrum in found.spectra} == {"effective"}


def test_initializations_have_their_variances(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    lecun, xavier = (at_start(tiny.replace(discriminator_init=name), images).values for name in ("lecun", "glorot"))
    # Layer 1 has but 144 entries: their mean square scatters by 12 %.
    for number in range(2, LAYERS):
        assert lecun[f"layer{number}/variance"] == pytest.approx(1, rel=0.1)
        assert xavier[f"layer{number}/variance"] == pytest.approx(xavier[f"layer{number}/xavier-target"], rel=0.1)


@pytest.mark.parametrize("regularizers", [(), (SpectralNorm(),), (OperatorSpectralNorm(num_iterations=50),)])
def test_gradients_keep_the_bound_that_operator_norms_give(
    regularizers: tuple[Regularizer, ...], tiny: TrialConfig, images: NDArray[np.uint8]
) -> None:
    """||grad by layer t|| <= ceil(kernel / stride) x (||real|| + ||fake||) x product of the other norms.

    Biases are 0 here; leaky ReLU and the loss have slopes of up to 1.
    """
    config = tiny.replace(regularizers=regularizers, discriminator_init="lecun")
    state = start(config)
    probe = probe_of(state, images)
    values = diagnose(state, probe).values
    norms = [values[f"layer{number}/operator-norm"] / 0.97 for number in range(1, LAYERS + 1)]
    fake = state.generator(probe.drawn.latents).detach()
    length = float(probe.real.flatten(1).norm(dim=1).mean() + fake.flatten(1).norm(dim=1).mean())
    for number, placed in enumerate(probe.layers, start=1):
        windows = 1
        if isinstance(placed.layer, nn.Conv2d):
            windows = math.ceil(placed.layer.kernel_size[0] / placed.layer.stride[0])
        bound = windows * length * math.prod(norms) / norms[number - 1]
        assert 0 < values[f"layer{number}/gradient"] <= bound
    # ||grad_x D(x)|| <= product of all norms.
    for kind in ("real", "fake"):
        least, mean, most = (values[f"input-gradient/{kind}{end}"] for end in ("-min", "", "-max"))
        assert 0 < least <= mean <= most <= math.prod(norms)


def test_layers_are_numbered_from_the_image(images: NDArray[np.uint8]) -> None:
    """The label's embedding, which is defined first, comes behind the third block."""
    config = TrialConfig(architecture="small-resnet", conditioning="concat", discriminator_init="glorot")
    state = TrainState.start(config, channels=1, image_size=8, num_classes=10)
    probe = Probe.of(state, ImageSplit(images=images, labels=np.zeros(len(images), np.int64)))
    names = {module: name for name, module in state.discriminator.named_modules()}
    blocks = [[f"blocks.{number}.{part}" for part in ("first", "second", "shortcut")] for number in range(4)]
    expected = [*blocks[0], *blocks[1], *blocks[2][:2], "concatenation.embedding", *blocks[3], "head.dense"]
    assert [names[placed.layer] for placed in probe.layers] == expected


def test_gradients_by_image_do_not_mix_images(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    state = start(tiny)
    probe = probe_of(state, images)
    norms = []
    for image in probe.real:
        x = image.detach()[None].requires_grad_()
        norms.append(float(torch.autograd.grad(state.discriminator(x).sum(), x)[0].norm()))
    assert diagnose(state, probe).values["input-gradient/real"] == pytest.approx(sum(norms) / len(norms), rel=1e-4)


def test_logits_and_accuracy_are_those_of_the_probe(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    state = start(tiny)
    train(state, images, 8)
    probe = probe_of(state, images)
    values = diagnose(state, probe).values
    with torch.no_grad():
        logits = {
            "real": state.discriminator(probe.real),
            "fake": state.discriminator(state.generator(probe.drawn.latents)),
        }
    for kind, sign in (("real", 1), ("fake", -1)):
        assert values[f"accuracy/{kind}"] == float((sign * logits[kind] > 0).float().mean())
        assert values[f"logits-mean/{kind}"] == pytest.approx(float(logits[kind].mean()), rel=1e-4)
        assert values[f"logits-spread/{kind}"] == pytest.approx(float(logits[kind].std(correction=0)), rel=1e-3)


def test_weights_that_are_not_finite_give_numbers_that_are_not(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    state = start(METHODS["sn"].apply(tiny))
    probe = probe_of(state, images)
    with torch.no_grad():
        raw_weight(weighted_layers(state.discriminator)[0]).fill_(torch.nan)
    found = diagnose(state, probe)
    assert math.isnan(found.values["layer1/sigma"])
    assert not math.isfinite(found.values["layer2/gradient"])
    # All that goes through that weight, and nothing else: the other layers' own numbers are as ever.
    sound = at_start(METHODS["sn"].apply(tiny), images).values
    assert found.values.keys() == sound.keys()
    through = {name for name in sound if name.startswith(("layer1/", "logits-")) or "gradient" in name}
    not_finite = {name for name, value in found.values.items() if not math.isfinite(value)}
    assert not_finite == through - {"layer1/xavier-target"}
    assert all(math.isfinite(value) for value in sound.values())


# --- When ---


@pytest.mark.parametrize("n_dis", [1, 5])
@pytest.mark.parametrize("updates", [1, 2, 8, 240, 1000, 20_000, 100_000])
def test_diagnoses_are_even_few_and_at_both_ends(updates: int, n_dis: int, tiny: TrialConfig) -> None:
    config = tiny.replace(updates=updates, n_dis=n_dis)
    found = diagnosed_updates(config)
    assert found[0] == 0
    assert found[-1] == updates
    assert list(found) == sorted(set(found))
    assert len(found) <= 21
    gaps = np.diff(found)
    assert gaps.max() - gaps.min() <= 1
    assert len(found) == 2 or gaps.min() * (n_dis + 1) > 100, "a diagnosis costs about as much as three steps"
    kept = spectra_updates(config)
    assert set(kept) <= set(found)
    assert {0, updates} <= set(kept)
    assert len(kept) == min(5, len(found))


def test_the_schedule_depends_on_nothing_but_length_and_n_dis(tiny: TrialConfig) -> None:
    config = tiny.replace(updates=1000)
    assert diagnosed_updates(config) == diagnosed_updates(METHODS["wgan-gp"].apply(config.replace(evaluate_every=7)))
