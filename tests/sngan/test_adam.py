"""Our Adam takes the steps of torch.optim.Adam, from its checkpoints, too, and needs none of what that brings along."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from sngan.adam import Adam

SETTINGS = {"alpha": 3e-3, "beta1": 0.4, "beta2": 0.8, "epsilon": 1e-6}


def network() -> nn.Sequential:
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2))
    stream = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(generator=stream)
    return made.to(memory_format=torch.channels_last)


def theirs_of(made: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(
        made.parameters(), lr=SETTINGS["alpha"], betas=(SETTINGS["beta1"], SETTINGS["beta2"]), eps=SETTINGS["epsilon"]
    )


def give_gradients(made: nn.Module, images: torch.Tensor) -> None:
    made(images).square().mean().backward()


def assert_equal(one: nn.Module, other: nn.Module) -> None:
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)


def test_steps_are_those_of_torch_and_go_on_from_its_checkpoint() -> None:
    ours, theirs = network(), network()
    mine, other = Adam(ours.parameters(), **SETTINGS), theirs_of(theirs)
    for step in range(12):
        if step == 6:  # from here on by a new one that has read the other's state
            mine = Adam(ours.parameters(), **SETTINGS)
            mine.load_state_dict(other.state_dict())
        images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        for made, optimizer in ((ours, mine), (theirs, other)):
            optimizer.zero_grad()
            give_gradients(made, images)
            optimizer.step()
        assert_equal(ours, theirs)


def test_state_goes_through_a_dictionary_bit_for_bit() -> None:
    first, second = network(), network()
    mine = Adam(first.parameters(), **SETTINGS)
    images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    give_gradients(first, images)
    mine.step()
    copied = Adam(second.parameters(), **SETTINGS)
    second.load_state_dict(first.state_dict())
    copied.load_state_dict(mine.state_dict())
    for made, optimizer in ((first, mine), (second, copied)):
        optimizer.zero_grad()
        give_gradients(made, images)
        optimizer.step()
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))


def test_a_parameter_without_a_gradient_stays_and_does_not_count_the_step() -> None:
    """As in torch: its first step, later, is corrected as a first one."""
    ours, theirs = network(), network()
    mine, other = Adam(ours.parameters(), **SETTINGS), theirs_of(theirs)
    for frozen in (True, False):
        for made, optimizer in ((ours, mine), (theirs, other)):
            made[0].requires_grad_(not frozen)
            optimizer.zero_grad()
            give_gradients(made, torch.ones(2, 3, 8, 8))
            optimizer.step()
    assert_equal(ours, theirs)


def test_learning_rate_holds_from_the_next_step_on() -> None:
    ours = network()
    mine = Adam(ours.parameters(), **SETTINGS)
    mine.set_learning_rate(0.0)
    before = [parameter.clone() for parameter in ours.parameters()]
    give_gradients(ours, torch.ones(2, 3, 8, 8))
    mine.step()
    assert all(torch.equal(one, other) for one, other in zip(before, ours.parameters(), strict=True))
    mine.set_learning_rate(SETTINGS["alpha"])
    mine.step()
    assert not any(torch.equal(one, other) for one, other in zip(before, ours.parameters(), strict=True))


@pytest.mark.thorough
@pytest.mark.slow
def test_a_trial_does_without_the_compiler() -> None:
    """Importing it takes seconds, in the driver and in every worker."""
    program = """
import sys, tempfile
from pathlib import Path
from sngan.config import TrialConfig
from sngan.methods import METHODS
from sngan.results import RunOptions
from sngan.trial import run_trial
config = TrialConfig(updates=2, evaluate_every=2, n_dis=1, protocols=("fid/gen600-test600-digits",))
with tempfile.TemporaryDirectory() as folder:
    run_trial(METHODS["sn"].apply(config), RunOptions(cache_dir=Path(folder)), lambda evaluation: None)
print(sorted(name for name in ("torch._dynamo", "torch._inductor", "sympy", "triton") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
