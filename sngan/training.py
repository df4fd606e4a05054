"""Training of one GAN: one update, and nothing else. Evaluation and checkpoints are in sngan.trial."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sngan.datasets.batches import batch_indices, to_unit_range
from sngan.devices import products_in
from sngan.losses import LOSSES, with_class_loss
from sngan.models.conditioning import Judgement
from sngan.regularizers.base import Penalty, PenaltyInputs, Projection
from sngan.regularizers.power_iteration import advance_power_iterations
from sngan.state import TrainState


class Draw(NamedTuple):
    """What the generator makes images of: latents [B, z_dim] and, in a conditional trial, classes int64 [B]."""

    latents: Tensor
    labels: Tensor | None


def train(
    state: TrainState,
    images: NDArray[np.uint8],
    until: int,
    labels: NDArray[np.int64] | None = None,
    *,
    perform: Callable[[], None] | None = None,
) -> None:
    """Train in place up to `until` generator updates on the real images, uint8 [N, C, H, W].

    labels : int64 [N], from 0 to num_classes - 1; a conditional trial needs them, another one does not look at them.
    perform : does what `update` does, where that has been made faster (sngan.graphs).
    """
    perform = perform or partial(update, state, images, labels)
    with products_in(state.config.precision):
        while state.update < until:
            _set_learning_rate(state)
            perform()
            state.update += 1
            state.num_summed += 1


def update(state: TrainState, images: NDArray[np.uint8], labels: NDArray[np.int64] | None = None) -> None:
    """One update: n_dis of the discriminator and one of the generator.

    This is the whole algorithm, and the only place where weights move. Nothing in it waits for the device, and all that
    comes from the CPU is random numbers of `state.streams` and `state.from_host`: a CUDA graph can hold it.
    """
    config = state.config
    loss = LOSSES[config.loss]
    penalties = [r for r in config.regularizers if isinstance(r, Penalty)]
    projections = [r for r in config.regularizers if isinstance(r, Projection)]
    generator, discriminator = state.generator, state.discriminator
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
        with torch.no_grad(), state.autocast():
            fake = generator(*drawn).float()

        with state.autocast():
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
    with _frozen(state.discriminator):
        with state.autocast():
            judged = state.discriminator.judge(state.generator(*drawn).float(), drawn.labels)
            adversarial = LOSSES[state.config.loss].generator(judged.logits)
            loss = with_class_loss(adversarial, "generator", judged.class_logits, drawn.labels)
        state.generator_optimizer.zero_grad()
        torch.autograd.backward(loss)
    state.generator_optimizer.step()
    state.generator_sum += loss.detach()


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the network's own weights inside; after an error, too, they get some again."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


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

    def of_batch(array: NDArray[Any]) -> Tensor:
        """What belongs to the images of the batch; called again, it goes by the update of then."""
        index = state.update if config.real_batches == "shared" else state.update * config.n_dis + step
        return torch.from_numpy(array[batch_indices(config.seed, index, config.batch_size, len(images))])

    batch = state.from_host(lambda: of_batch(images))
    noise = state.streams["dequantization"] if config.dequantization else None
    real = to_unit_range(batch, noise)
    if state.num_classes is None:
        return real, None
    assert labels is not None, "a conditional trial is trained with labels"
    return real, state.from_host(lambda: of_batch(labels))


def _joined(real_labels: Tensor | None, fake_labels: Tensor | None) -> Tensor | None:
    return None if real_labels is None or fake_labels is None else torch.cat([real_labels, fake_labels])


# The part of training after which a schedule decays linearly to 0, right after the last update.
_DECAYS_AFTER = {"linear": 0.0, "late-linear": 8 / 9}


def _set_learning_rate(state: TrainState) -> None:
    start = _DECAYS_AFTER.get(state.config.learning_rate_schedule)
    if start is not None:
        left = (1 - state.update / state.config.updates) / (1 - start)
        state.set_learning_rate(state.config.alpha * min(1.0, left))
