"""The state of one training: everything that its updates change, and how it is written down."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

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
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
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
            generator_optimizer=_adam(generator, config, device),
            discriminator_optimizer=_adam(discriminator, config, device),
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
            group = optimizer.param_groups[0]
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(alpha)
            else:
                group["lr"] = alpha

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
        for optimizer, name in (
            (self.generator_optimizer, "generator_optimizer"),
            (self.discriminator_optimizer, "discriminator_optimizer"),
        ):
            _load_adam(optimizer, saved[name])
        for name, stream in self.streams.items():
            stream.set_state(saved["streams"][name].cpu())
        self.sums.copy_(saved["sums"])
        self.generator_sum.copy_(saved["generator_sum"])
        self.num_summed = saved["num_summed"]


def _load_adam(optimizer: torch.optim.Adam, saved: dict[str, Any]) -> None:
    """Continue with the moments and steps of an Adam that may have run on another kind of device."""
    own = {name: optimizer.param_groups[0][name] for name in ("lr", "capturable")}
    optimizer.load_state_dict(saved)
    optimizer.param_groups[0].update(own)
    # In the order in memory that the weights have: the fused step goes by memory alone.
    for parameter, moments in optimizer.state.items():
        for name, moment in moments.items():
            if moment.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(moment)


def _adam(network: nn.Module, config: TrialConfig, device: torch.device) -> torch.optim.Adam:
    # A CUDA graph reads the learning rate and counts the steps where they lie, on the device.
    on_gpu = device.type == "cuda"
    return torch.optim.Adam(
        network.parameters(),
        lr=torch.tensor(config.alpha, device=device) if on_gpu else config.alpha,
        betas=(config.beta1, config.beta2),
        eps=config.adam_epsilon,
        fused=True,
        capturable=on_gpu,
    )
