"""Every regularizer of the registry keeps the contract of its kind."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from sngan.config import TrialConfig
from sngan.models import build_networks
from sngan.regularizers import (
    REGULARIZERS,
    Normalization,
    Penalty,
    PenaltyInputs,
    Projection,
    Reparametrization,
)
from sngan.regularizers.base import weighted_layers
from sngan.seeding import torch_stream

KINDS = (Reparametrization, Normalization, Penalty, Projection)
ALL = [REGULARIZERS[name]() for name in REGULARIZERS]


def of_kind(kind: type) -> list[object]:
    return [pytest.param(r, id=r.name) for r in ALL if isinstance(r, kind)]


@pytest.mark.parametrize("regularizer", [pytest.param(r, id=r.name) for r in ALL])
def test_is_a_small_frozen_object_of_one_kind_with_a_source(regularizer) -> None:
    assert sum(isinstance(regularizer, kind) for kind in KINDS) == 1
    assert dataclasses.is_dataclass(regularizer)
    assert type(regularizer).__dataclass_params__.frozen
    assert regularizer.__doc__
    module = __import__(type(regularizer).__module__, fromlist=["x"])
    assert "arXiv:" in (regularizer.__doc__ + module.__doc__)
    config = TrialConfig(regularizers=(regularizer,))
    assert TrialConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("regularizer", of_kind(Penalty))
def test_penalty_is_a_non_negative_scalar_that_reaches_the_weights(regularizer) -> None:
    _, discriminator = build_networks(TrialConfig(discriminator_init="lecun"), channels=1, image_size=8)
    real, fake = torch.randn(2, 6, 1, 8, 8, generator=torch_stream(0, "penalty"))
    kept = copy.deepcopy((real, fake, discriminator.state_dict()))
    values = []
    for _ in range(2):
        inputs = PenaltyInputs(discriminator, real, fake, torch_stream(3, "penalty"))
        values.append(regularizer(inputs))
    assert values[0].shape == ()
    assert values[0] >= 0
    assert torch.equal(values[0], values[1]), "deterministic, given its stream"
    values[0].backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in discriminator.parameters())
    assert torch.equal(real, kept[0])
    assert torch.equal(fake, kept[1])
    assert all(torch.equal(v, kept[2][k]) for k, v in discriminator.state_dict().items())


@pytest.mark.parametrize("regularizer", of_kind(Reparametrization))
@pytest.mark.parametrize("layer", [nn.Linear(5, 1), nn.Linear(3, 7), nn.Conv2d(2, 4, 3), nn.Conv2d(4, 2, 4, 2)])
def test_reparametrization_keeps_shape_is_deterministic_and_passes_gradients(regularizer, layer) -> None:
    layer = copy.deepcopy(layer)
    nn.init.normal_(layer.weight, generator=torch_stream(1, "init-discriminator"))
    size = (8, 8) if isinstance(layer, nn.Conv2d) else (1, 1)
    modules = [regularizer.parametrization(layer, size, torch_stream(0, "init-discriminator")) for _ in range(2)]
    effective = modules[0](layer.weight)
    assert effective.shape == layer.weight.shape
    assert effective.isfinite().all()
    assert torch.equal(effective, modules[1](layer.weight))
    effective[0].sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize("regularizer", of_kind(Normalization))
def test_normalization_keeps_shape_and_has_no_gain(regularizer) -> None:
    layer = regularizer.layer(1, 6, 4, 4)
    assert layer is not None
    x = 5 + 3 * torch.randn(8, 6, 4, 4, generator=torch_stream(0, "penalty"))
    y = layer(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y.mean().item(), 0.0, atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std().item(), 1.0, atol=2e-2, rtol=0)
    assert all(p.abs().max() == 0 for p in layer.parameters()), "a shift that starts at 0 and nothing else"


@pytest.mark.parametrize("regularizer", of_kind(Projection))
def test_projection_is_idempotent_and_moves_something(regularizer) -> None:
    _, discriminator = build_networks(TrialConfig(discriminator_init="lecun"), channels=1, image_size=8)
    states = [copy.deepcopy(discriminator.state_dict())]
    with torch.no_grad():
        for _ in range(2):
            regularizer.project_(discriminator)
            states.append(copy.deepcopy(discriminator.state_dict()))
    assert any(not torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert all(torch.equal(states[1][k], states[2][k]) for k in states[1])
    assert len(weighted_layers(discriminator)) == 6
