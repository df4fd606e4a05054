"""Training of one GAN: the state, one update, and nothing else. Evaluation and checkpoints are in sngan.trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sngan.config import TrialConfig
from sngan.datasets.batches import batch_indices, to_unit_range
from sngan.losses import LOSSES
from sngan.models import build_networks
from sngan.regularizers.base import Penalty, PenaltyInputs, Projection
from sngan.regularizers.power_iteration import advance_power_iterations
from sngan.seeding import torch_stream

# What is summed on the device at every update and read at the next evaluation.
DISCRIMINATOR_SUMS = ("loss/discriminator", "loss/penalty", "logits/real", "logits/fake")


@dataclass
class TrainState:
    """Everything that training changes: two networks, two optimizers, the random streams and the position.

    update : generator updates done. sums : on the device, the sums of DISCRIMINATOR_SUMS since the last evaluation
    [4]; generator_sum : the same of the generator's loss, a scalar. A single non-finite loss makes its sum
    non-finite, so that divergence is seen at the next evaluation without asking the device at every update.
    """

    config: TrialConfig
    device: torch.device
    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    streams: dict[str, torch.Generator]
    update: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(len(DISCRIMINATOR_SUMS)))
    generator_sum: Tensor = field(default_factory=lambda: torch.zeros(()))
    num_summed: int = 0

    @classmethod
    def start(
        cls, config: TrialConfig, *, channels: int, image_size: int, device: torch.device | str = "cpu"
    ) -> "TrainState":
        """The state before the first update, a function of the config alone."""
        device = torch.device(device)
        generator, discriminator = build_networks(config, channels=channels, image_size=image_size)
        generator.to(device).train()
        discriminator.to(device).train()
        state = cls(
            config=config,
            device=device,
            generator=generator,
            discriminator=discriminator,
            generator_optimizer=_adam(generator, config),
            discriminator_optimizer=_adam(discriminator, config),
            # On the CPU for every device: one seed means the same latents everywhere.
            streams={
                "latent": torch_stream(config.seed, "latent"),
                "dequantization": torch_stream(config.seed, "dequantization"),
                "penalty": torch_stream(config.seed, "penalty"),
            },
        )
        state.reset_sums()
        return state

    def reset_sums(self) -> None:
        """Begin a new interval between evaluations."""
        self.sums = torch.zeros(len(DISCRIMINATOR_SUMS), device=self.device)
        self.generator_sum = torch.zeros((), device=self.device)
        self.num_summed = 0

    def means(self) -> dict[str, float]:
        """Means since the last evaluation, read from the device; non-finite when training diverged."""
        num = max(self.num_summed, 1)
        values = (self.sums / (num * self.config.n_dis)).tolist()
        named = dict(zip(DISCRIMINATOR_SUMS, values, strict=True))
        return {**named, "loss/generator": float(self.generator_sum) / num}

    def networks_are_finite(self) -> bool:
        """Whether every weight and buffer of both networks is finite."""
        tensors = [*self.generator.state_dict().values(), *self.discriminator.state_dict().values()]
        return all(bool(tensor.isfinite().all()) for tensor in tensors if tensor.is_floating_point())

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors from which `load_state_dict` continues bit for bit."""
        return {
            "update": self.update,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
            "streams": {name: stream.get_state() for name, stream in self.streams.items()},
            "sums": self.sums,
            "generator_sum": self.generator_sum,
            "num_summed": self.num_summed,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, on this state's device."""
        self.update = saved["update"]
        self.generator.load_state_dict(saved["generator"])
        self.discriminator.load_state_dict(saved["discriminator"])
        self.generator_optimizer.load_state_dict(saved["generator_optimizer"])
        self.discriminator_optimizer.load_state_dict(saved["discriminator_optimizer"])
        for name, stream in self.streams.items():
            stream.set_state(saved["streams"][name].cpu())
        self.sums = saved["sums"].to(self.device)
        self.generator_sum = saved["generator_sum"].to(self.device)
        self.num_summed = saved["num_summed"]


def _adam(network: nn.Module, config: TrialConfig) -> torch.optim.Adam:
    return torch.optim.Adam(
        network.parameters(),
        lr=config.alpha,
        betas=(config.beta1, config.beta2),
        eps=config.adam_epsilon,
        fused=True,
    )


def train(state: TrainState, images: np.ndarray, until: int) -> None:
    """Train in place up to `until` generator updates on the real images, uint8 [N, C, H, W].

    This is the whole algorithm, and the only place where weights move.
    """
    config = state.config
    loss = LOSSES[config.loss]
    penalties = [r for r in config.regularizers if isinstance(r, Penalty)]
    projections = [r for r in config.regularizers if isinstance(r, Projection)]
    generator, discriminator = state.generator, state.discriminator

    while state.update < until:
        # A linear schedule reaches 0 right after the last update.
        _set_learning_rate(state)
        latents = None

        if config.update_order == "generator-first":
            _update_generator(state, _latents(state, config.generator_batch_size))

        for step in range(config.n_dis):
            # Power iterations advance once, here: everything in this update sees the same effective weights.
            advance_power_iterations(discriminator)

            # Real images by position, so that the order of the data depends on the seed alone.
            real = _real_images(state, images, step)

            # Fake images without a graph: this update does not reach into the generator.
            latents = _latents(state, config.batch_size)
            with torch.no_grad():
                fake = generator(latents)

            # Logits of both.
            real_logits, fake_logits = logits_of_both(state, real, fake)

            # Loss and penalties.
            adversarial = loss.discriminator(real_logits, fake_logits)
            inputs = PenaltyInputs(discriminator, real, fake, state.streams["penalty"])
            penalty = sum((p(inputs) for p in penalties), torch.zeros((), device=state.device))

            # Step, then put the weights back where a projection wants them.
            state.discriminator_optimizer.zero_grad()
            torch.autograd.backward(adversarial + penalty)
            state.discriminator_optimizer.step()
            with torch.no_grad():
                for projection in projections:
                    projection.project_(discriminator)

                # Remember for the next evaluation, without waiting for the device.
                state.sums += torch.stack([adversarial, penalty, real_logits.mean(), fake_logits.mean()])

        if config.update_order == "discriminator-first":
            reused = config.generator_latents == "reused"
            fresh = None if reused else _latents(state, config.generator_batch_size)
            _update_generator(state, latents if fresh is None else fresh)

        state.update += 1
        state.num_summed += 1


def logits_of_both(state: TrainState, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [B] of the real and of the fake images [B, C, H, W], in one forward or in two as the config says."""
    if state.config.discriminator_forward == "joint":
        real_logits, fake_logits = state.discriminator(torch.cat([real, fake])).split(len(real))
        return real_logits, fake_logits
    return state.discriminator(real), state.discriminator(fake)


def _update_generator(state: TrainState, latents: Tensor | None) -> None:
    """One step of the generator's optimizer; the discriminator passes gradients on but keeps its weights."""
    assert latents is not None
    state.discriminator.requires_grad_(False)
    loss = LOSSES[state.config.loss].generator(state.discriminator(state.generator(latents)))
    state.generator_optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.generator_optimizer.step()
    state.discriminator.requires_grad_(True)
    state.generator_sum += loss.detach()


def _latents(state: TrainState, num: int) -> Tensor:
    """The next `num` latents z ~ N(0, I), [num, z_dim]."""
    z = torch.randn(num, state.config.z_dim, generator=state.streams["latent"])
    return z.to(state.device, non_blocking=True)


def _real_images(state: TrainState, images: np.ndarray, step: int) -> Tensor:
    """The real batch [B, C, H, W] in [-1, 1] of discriminator update `step` of this generator update."""
    config = state.config
    index = state.update if config.real_batches == "shared" else state.update * config.n_dis + step
    chosen = images[batch_indices(config.seed, index, config.batch_size, len(images))]
    batch = torch.from_numpy(chosen).to(state.device, non_blocking=True)
    noise = state.streams["dequantization"] if config.dequantization else None
    return to_unit_range(batch, noise)


def _set_learning_rate(state: TrainState) -> None:
    config = state.config
    if config.learning_rate_schedule == "linear":
        alpha = config.alpha * (1 - state.update / config.updates)
        for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
            optimizer.param_groups[0]["lr"] = alpha
