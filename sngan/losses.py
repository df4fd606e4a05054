"""Adversarial losses in logits, as means over the batch.

Every loss is a pair of formulas: the discriminator's in (real_logits, fake_logits), the generator's in fake_logits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from sngan.registry import Registry


@dataclass(frozen=True)
class Loss:
    """A pair of formulas; logits are [B], results are scalars to be minimized.

    equation : where it stands.
    """

    name: str
    equation: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


LOSSES: Registry[Loss] = Registry("loss")

for _loss in (
    Loss(
        name="non-saturating",
        equation="E softplus(-D(x)) + E softplus(D(G(z))); G: E softplus(-D(G(z))). Eq. 15, arXiv:1802.05957",
        discriminator=lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        generator=lambda fake: F.softplus(-fake).mean(),
    ),
    Loss(
        name="hinge",
        equation="E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))); G: -E D(G(z)). Eq. 16-17, arXiv:1802.05957",
        discriminator=lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        generator=lambda fake: -fake.mean(),
    ),
    Loss(
        name="wasserstein",
        equation="-E D(x) + E D(G(z)); G: -E D(G(z)). Eq. 29 without penalty, arXiv:1802.05957",
        discriminator=lambda real, fake: fake.mean() - real.mean(),
        generator=lambda fake: -fake.mean(),
    ),
):
    LOSSES.add(_loss.name, _loss)


# Of an auxiliary classifier's cross entropy in each network's loss: Gulrajani et al. 2017, arXiv:1704.00028, the code.
CLASS_WEIGHTS = {"discriminator": 1.0, "generator": 0.1}


def with_class_loss(
    adversarial: Tensor,
    network: Literal["discriminator", "generator"],
    class_logits: Tensor | None,
    labels: Tensor | None,
) -> Tensor:
    """The adversarial loss, a scalar, plus the weighted cross entropy of class logits [B, num_classes] at labels [B].

    Without a classifier it is the adversarial loss alone. The discriminator's cross entropy is that of real images, the
    generator's that of fake ones.
    """
    if class_logits is None:
        return adversarial
    assert labels is not None
    return adversarial + CLASS_WEIGHTS[network] * F.cross_entropy(class_logits, labels)
