"""Training of one GAN: the state, one update, and nothing else. Evaluation and checkpoints are in sngan.trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sngan.config import TrialConfig
from sngan.datasets.batches import batch_indices, to_unit_range
from sngan.losses import LOSSES, with_class_loss
from sngan.models import Discriminator, build_networks
from sngan.models.conditioning import Judgement
from sngan.regularizers.base import Penalty, PenaltyInputs, Projection
from sngan.regularizers.power_iteration import advance_power_iterations
from sngan.seeding import torch_stream

# What is summed on the device at every update and read at the next evaluation; the discriminator's loss is without its
# penalties, and with the cross entropy of its classifier where it has one.
DISCRIMINATOR_SUMS = ("loss/discriminator", "loss/penalty", "logits/real", "logits/fake")


@dataclass
class TrainState:
    """Everything that training changes: two networks, two optimizers, the random streams and the position.

    num_classes : of a conditional trial, else None.
    update : generator updates done. sums : on the device, the sums of DISCRIMINATOR_SUMS since the last evaluation
    [4]; generator_sum : the same of the generator's loss, a scalar. A single non-finite loss makes its sum
    non-finite, so that divergence is seen at the next evaluation without asking the device at every update.
    """

    config: TrialConfig
    device: torch.device
    generator: nn.Module
    discriminator: Discriminator
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    streams: dict[str, torch.Generator]
    num_classes: int | None = None
    update: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(len(DISCRIMINATOR_SUMS)))
    generator_sum: Tensor = field(default_factory=lambda: torch.zeros(()))
    num_summed: int = 0

    @classmethod
    def start(
        cls,
        config: TrialConfig,
        *,
        channels: int,
        image_size: int,
        num_classes: int | None = None,
        device: torch.device | str = "cpu",
    ) -> "TrainState":
        """The state before the first update, a function of the config and of what the data set's images are like.

        num_classes : of the data set, None where it has no labels; not looked at in an unconditional trial. Raises
        InputError as `build_networks` does.
        """
        device = torch.device(device)
        generator, discriminator = build_networks(
            config, channels=channels, image_size=image_size, num_classes=num_classes
        )
        conditional = config.conditioning != "none"
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
                **({"labels": torch_stream(config.seed, "labels")} if conditional else {}),
            },
            num_classes=num_classes if conditional else None,
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


class Draw(NamedTuple):
    """What the generator makes images of: latents [B, z_dim] and, in a conditional trial, classes int64 [B]."""

    latents: Tensor
    labels: Tensor | None


def train(state: TrainState, images: NDArray[np.uint8], until: int, labels: NDArray[np.int64] | None = None) -> None:
    """Train in place up to `until` generator updates on the real images, uint8 [N, C, H, W].

    labels : int64 [N], from 0 to num_classes - 1; a conditional trial needs them, another one does not look at them.

    This is the whole algorithm, and the only place where weights move.
    """
    config = state.config
    loss = LOSSES[config.loss]
    penalties = [r for r in config.regularizers if isinstance(r, Penalty)]
    projections = [r for r in config.regularizers if isinstance(r, Projection)]
    generator, discriminator = state.generator, state.discriminator

    while state.update < until:
        _set_learning_rate(state)
        drawn = None

        if config.update_order == "generator-first":
            _update_generator(state, _draw(state, config.generator_batch_size))

        for step in range(config.n_dis):
            # Power iterations advance once, here: everything in this update sees the same effective weights.
            advance_power_iterations(discriminator)

            # Real images by position, so that the order of the data depends on the seed alone; classes go with them.
            real, real_labels = _real_batch(state, images, labels, step)

            # Fake images without a graph: this update does not reach into the generator.
            drawn = _draw(state, config.batch_size)
            fake_labels = drawn.labels
            with torch.no_grad():
                fake = generator(*drawn)

            # Judgements of both.
            of_real, of_fake = judge_both(state, real, fake, real_labels, fake_labels)

            # Loss and penalties.
            adversarial = loss.discriminator(of_real.logits, of_fake.logits)
            main = with_class_loss(adversarial, "discriminator", of_real.class_logits, real_labels)
            inputs = PenaltyInputs(discriminator, real, fake, state.streams["penalty"], real_labels, fake_labels)
            penalty = sum((p(inputs) for p in penalties), torch.zeros((), device=state.device))

            # Step, then put the weights back where a projection wants them.
            state.discriminator_optimizer.zero_grad()
            torch.autograd.backward(main + penalty)
            state.discriminator_optimizer.step()
            with torch.no_grad():
                for projection in projections:
                    projection.project_(discriminator)

                # Remember for the next evaluation, without waiting for the device.
                state.sums += torch.stack([main, penalty, of_real.logits.mean(), of_fake.logits.mean()])

        if config.update_order == "discriminator-first":
            reused = config.generator_latents == "reused"
            fresh = None if reused else _draw(state, config.generator_batch_size)
            _update_generator(state, drawn if fresh is None else fresh)

        state.update += 1
        state.num_summed += 1


def judge_both(
    state: TrainState, real: Tensor, fake: Tensor, real_labels: Tensor | None, fake_labels: Tensor | None
) -> tuple[Judgement, Judgement]:
    """What the discriminator says of real and of fake images [B, C, H, W], in one forward or in two as configured."""
    if state.config.discriminator_forward == "joint":
        both = state.discriminator.judge(torch.cat([real, fake]), _joined(real_labels, fake_labels))
        of_real, of_fake = both.split(len(real))
        return of_real, of_fake
    return state.discriminator.judge(real, real_labels), state.discriminator.judge(fake, fake_labels)


def _update_generator(state: TrainState, drawn: Draw | None) -> None:
    """One step of the generator's optimizer; the discriminator passes gradients on but keeps its weights."""
    assert drawn is not None
    state.discriminator.requires_grad_(False)
    judged = state.discriminator.judge(state.generator(*drawn), drawn.labels)
    adversarial = LOSSES[state.config.loss].generator(judged.logits)
    loss = with_class_loss(adversarial, "generator", judged.class_logits, drawn.labels)
    state.generator_optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.generator_optimizer.step()
    state.discriminator.requires_grad_(True)
    state.generator_sum += loss.detach()


def _draw(state: TrainState, num: int) -> Draw:
    """The next `num` latents z ~ N(0, I), and in a conditional trial as many classes, all equally likely."""
    z = torch.randn(num, state.config.z_dim, generator=state.streams["latent"]).to(state.device, non_blocking=True)
    if state.num_classes is None:
        return Draw(z, None)
    labels = torch.randint(state.num_classes, (num,), generator=state.streams["labels"])
    return Draw(z, labels.to(state.device, non_blocking=True))


def _real_batch(
    state: TrainState, images: NDArray[np.uint8], labels: NDArray[np.int64] | None, step: int
) -> tuple[Tensor, Tensor | None]:
    """The real images [B, C, H, W] in [-1, 1] of discriminator update `step` of this generator update, and in a
    conditional trial their classes int64 [B].
    """
    config = state.config
    index = state.update if config.real_batches == "shared" else state.update * config.n_dis + step
    positions = batch_indices(config.seed, index, config.batch_size, len(images))
    batch = torch.from_numpy(images[positions]).to(state.device, non_blocking=True)
    noise = state.streams["dequantization"] if config.dequantization else None
    real = to_unit_range(batch, noise)
    if state.num_classes is None:
        return real, None
    assert labels is not None, "a conditional trial is trained with labels"
    return real, torch.from_numpy(labels[positions]).to(state.device, non_blocking=True)


def _joined(real_labels: Tensor | None, fake_labels: Tensor | None) -> Tensor | None:
    return None if real_labels is None or fake_labels is None else torch.cat([real_labels, fake_labels])


# The part of training after which a schedule decays linearly to 0, right after the last update.
_DECAYS_AFTER = {"linear": 0.0, "late-linear": 8 / 9}


def _set_learning_rate(state: TrainState) -> None:
    start = _DECAYS_AFTER.get(state.config.learning_rate_schedule)
    if start is not None:
        left = (1 - state.update / state.config.updates) / (1 - start)
        for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
            optimizer.param_groups[0]["lr"] = state.config.alpha * min(1.0, left)
