"""A GAN as tutorials write it, in eager PyTorch: what somebody without this platform would train first.

Networks of `nn.Sequential` in the shape of the standard CNN, torch's own spectral norm, Adam as it comes, real and fake
images in two forwards, nothing taken out of the way.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def plain_generator(z_dim: int, widths: Sequence[int], channels: int, image_size: int) -> nn.Sequential:
    """Dense, then transposed convolutions that double the size, then 3x3 and tanh; batch norm and ReLU between."""
    bottom = image_size // 2 ** (len(widths) - 1)
    layers: list[nn.Module] = [
        nn.Linear(z_dim, widths[0] * bottom**2),
        nn.Unflatten(1, (widths[0], bottom, bottom)),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
    ]
    for before, width in pairwise(widths):
        layers += [nn.ConvTranspose2d(before, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, 1, 1), nn.Tanh())


def plain_discriminator(widths: Sequence[int], channels: int, image_size: int) -> nn.Sequential:
    """3x3 and halving 4x4 convolutions by turns, a last 3x3 one, dense -> 1; all spectrally normalized."""
    layers: list[nn.Module] = []
    before, size = channels, image_size
    for index, width in enumerate(widths):
        halving = index % 2 == 1 and index < len(widths) - 1
        size //= 2 if halving else 1
        layers += [spectral_norm(nn.Conv2d(before, width, *((4, 2, 1) if halving else (3, 1, 1)))), nn.LeakyReLU(0.1)]
        before = width
    return nn.Sequential(*layers, nn.Flatten(), spectral_norm(nn.Linear(before * size**2, 1)))


class PlainGAN:
    """Two networks, two optimizers and the loop over the batches.

    images : float [N, C, H, W] in [-1, 1].
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, images: Tensor, *, z_dim: int, batch: int
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self._images, self._z_dim, self._batch = images, z_dim, batch
        self._of_generator = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._of_discriminator = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def update(self, n_dis: int) -> None:
        """`n_dis` steps of the discriminator and one of the generator."""
        device = self._images.device
        ones, zeros = torch.ones(self._batch, 1, device=device), torch.zeros(self._batch, 1, device=device)
        for _ in range(n_dis):
            real = self._images[torch.randint(len(self._images), (self._batch,))]
            self._of_discriminator.zero_grad()
            of_real = F.binary_cross_entropy_with_logits(self.discriminator(real), ones)
            fake = self.generator(torch.randn(self._batch, self._z_dim, device=device)).detach()
            of_fake = F.binary_cross_entropy_with_logits(self.discriminator(fake), zeros)
            (of_real + of_fake).backward()
            self._of_discriminator.step()
        self._of_generator.zero_grad()
        fake = self.generator(torch.randn(self._batch, self._z_dim, device=device))
        F.binary_cross_entropy_with_logits(self.discriminator(fake), ones).backward()
        self._of_generator.step()
