"""The state of one training: everything that its updates change, and how it is written down."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sngan.adam import Adam
from sngan.config import TrialConfig
from sngan.models import Discriminator, build_networks
from sngan.seeding import torch_stream

# What is summed on the device at every update and read at the next evaluation; the discriminator's loss is without its
# penalties, and with the cross entropy of its classifier where it has one.
DISCRIMINATOR_SUMS = ("loss/discriminator", "loss/penalty", "logits/real", "logits/fake")


# A function that makes a tensor on the CPU -> that tensor on the device.
FromHost = Callable[[Callable[[], Tensor]], Tensor]


@dataclass
class TrainState:
    """Everything that training changes: two networks, two optimizers, the random streams and the position.

    num_classes : of a conditional trial, else None.
    from_host : brings what a function makes on the CPU, a tensor, to the device.
    update : generator updates done. sums : on the device, the sums of DISCRIMINATOR_SUMS since the last evaluation
    [4]; generator_sum : the same of the generator's loss, a scalar. A single non-finite loss makes its sum
    non-finite, so that divergence is seen at the next evaluation without asking the device at every update.
    """

    config: TrialConfig
    device: torch.device
    generator: nn.Module
    discriminator: Discriminator
    generator_optimizer: Adam
    discriminator_optimizer: Adam
    streams: dict[str, torch.Generator]
    num_classes: int | None
    from_host: FromHost
    sums: Tensor
    generator_sum: Tensor
    update: int = 0
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
        # Channels last in memory: convolutions of most devices take it so, and need not turn it around.
        for network in (generator, discriminator):
            network.to(device).to(memory_format=torch.channels_last).train()
        return cls(
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
            from_host=lambda make: make().to(device, non_blocking=True),
            sums=torch.zeros(len(DISCRIMINATOR_SUMS), device=device),
            generator_sum=torch.zeros((), device=device),
        )

    def autocast(self) -> AbstractContextManager[object]:
        """The context of forward passes: in bfloat16 where the config says so."""
        if self.config.precision != "bf16":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False)

    def set_learning_rate(self, alpha: float) -> None:
        """Give both optimizers another learning rate."""
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            optimizer.set_learning_rate(alpha)

    def reset_sums(self) -> None:
        """Begin a new interval between evaluations."""
        self.sums.zero_()
        self.generator_sum.zero_()
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
        self.sums.copy_(saved["sums"])
        self.generator_sum.copy_(saved["generator_sum"])
        self.num_summed = saved["num_summed"]


def _adam(network: nn.Module, config: TrialConfig) -> Adam:
    return Adam(
        network.parameters(),
        alpha=config.alpha,
        beta1=config.beta1,
        beta2=config.beta2,
        epsilon=config.adam_epsilon,
    )
