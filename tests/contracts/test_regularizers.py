"""Every regularizer and method of the registries keeps the contract, the same that `python -m sngan check` asks of
plugins; and what the package promises of its own beyond that.
"""

import copy

import pytest
import torch

from sngan.config import TrialConfig
from sngan.contract import CHECKS, checks_of
from sngan.methods import METHODS
from sngan.models import build_networks
from sngan.regularizers import REGULARIZERS, Normalization, Penalty, PenaltyInputs, Projection
from sngan.seeding import torch_stream

ALL = [REGULARIZERS[name]() for name in REGULARIZERS]


def of_kind(kind: type) -> list[object]:
    return [pytest.param(r, id=r.name) for r in ALL if isinstance(r, kind)]


@pytest.mark.parametrize(
    ("regularizer", "check"), [pytest.param(r, name, id=f"{r.name}-{name}") for r in ALL for name in checks_of(r)]
)
def test_regularizer_keeps_its_promises(regularizer, check: str) -> None:
    CHECKS[check].run(regularizer)


@pytest.mark.parametrize(("method", "check"), [(name, check) for name in METHODS for check in checks_of(METHODS[name])])
def test_method_keeps_its_promises(method: str, check: str) -> None:
    CHECKS[check].run(METHODS[method])


def test_every_check_binds_something() -> None:
    bound = {name for subject in (*ALL, *METHODS.values()) for name in checks_of(subject)}
    assert bound == set(CHECKS)


# --- The package's own, beyond the contract ---


@pytest.mark.parametrize("regularizer", [pytest.param(r, id=r.name) for r in ALL])
def test_has_a_source(regularizer) -> None:
    module = __import__(type(regularizer).__module__, fromlist=["x"])
    assert "arXiv:" in (regularizer.__doc__ + module.__doc__)


def discriminator() -> torch.nn.Module:
    return build_networks(TrialConfig(discriminator_init="lecun"), channels=1, image_size=8)[1]


@pytest.mark.parametrize("penalty", of_kind(Penalty))
def test_penalty_is_not_negative(penalty) -> None:
    real, fake = torch.randn(2, 6, 1, 8, 8, generator=torch_stream(0, "penalty"))
    assert penalty(PenaltyInputs(discriminator(), real, fake, torch_stream(3, "penalty"))) >= 0


@pytest.mark.parametrize("regularizer", of_kind(Normalization))
def test_normalization_normalizes_without_gain(regularizer) -> None:
    layer = regularizer.layer(1, 6, 4, 4)
    assert layer is not None
    y = layer(5 + 3 * torch.randn(8, 6, 4, 4, generator=torch_stream(0, "penalty")))
    torch.testing.assert_close(y.mean().item(), 0.0, atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std().item(), 1.0, atol=2e-2, rtol=0)
    assert all(p.abs().max() == 0 for p in layer.parameters()), "a shift that starts at 0 and nothing else"


@pytest.mark.parametrize("projection", of_kind(Projection))
def test_projection_moves_ordinary_weights_and_is_idempotent(projection) -> None:
    network = discriminator()
    states = [copy.deepcopy(network.state_dict())]
    with torch.no_grad():
        for _ in range(2):
            projection.project_(network)
            states.append(copy.deepcopy(network.state_dict()))
    assert any(not torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert all(torch.equal(states[1][k], states[2][k]) for k in states[1])
