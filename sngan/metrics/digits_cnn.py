"""The extractor of the quick presets: a small classifier of 8 x 8 digits whose weights are part of the package.

Its numbers say nothing about photographs, and an FID on its features cannot be compared with an Inception FID. What it
gives is a full evaluation in milliseconds, on every machine with the same weights and therefore the same hash.
`python -m sngan.metrics.train_digits_classifier` makes the weights.
"""

from pathlib import Path
from typing import ClassVar
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from sngan.errors import InputError
from sngan.metrics.extractor_base import Extractor, tensors_hash

WEIGHTS_FILE = Path(__file__).parent / "weights" / "digits-cnn.npz"
IMAGE_SIZE, NUM_CLASSES, NUM_FEATURES = 8, 10, 64


class DigitsNetwork(nn.Module):
    """Grey images [B, 1, 8, 8] in [-1, 1] -> features [B, 64] and logits [B, 10].

    Smooth activations: features move little when an image moves little.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.conv_2 = nn.Conv2d(16, 32, kernel_size=4, stride=2, padding=1)
        self.hidden = nn.Linear(32 * (IMAGE_SIZE // 2) ** 2, NUM_FEATURES)
        self.classes = nn.Linear(NUM_FEATURES, NUM_CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features behind the last activation, and class logits."""
        maps = nn.functional.silu(self.conv_1(images))
        maps = nn.functional.silu(self.conv_2(maps))
        features = nn.functional.silu(self.hidden(maps.flatten(start_dim=1)))
        return features, self.classes(features)


def to_inputs(images: Tensor) -> Tensor:
    """uint8 images as float32 in [-1, 1]."""
    return images.float().div(127.5).sub(1)


class DigitsExtractor(Extractor):
    """The shipped classifier: 64 features before the class layer, and the logits of the ten digits.

    Raises InputError when the weights file is missing or damaged, which an installation should never be.
    """

    name: ClassVar[str] = "digits"
    dim: ClassVar[int] = NUM_FEATURES
    fast: ClassVar[bool] = True

    def __init__(self, *, device: str = "cpu", weights_file: Path = WEIGHTS_FILE) -> None:
        weights = _read(weights_file)
        self.hash = tensors_hash(weights)
        self.batch_size = 1024
        self._device = torch.device(device)
        with torch.device("meta"):  # no initial values: all are loaded
            network = DigitsNetwork()
        network.load_state_dict(weights, assign=True)
        self._network = network.to(self._device).eval().requires_grad_(False)

    @property
    def has_logits(self) -> bool:
        """True: the class layer is part of the weights."""
        return True

    def check_images(self, channels: int, height: int, width: int) -> None:
        """Raise InputError unless the images are grey and 8 x 8."""
        if (channels, height, width) != (1, IMAGE_SIZE, IMAGE_SIZE):
            raise InputError(
                f"the digits classifier measures grey images of 8 x 8 pixels, not {channels} channels of "
                f"{height} x {width}; use a protocol with the inception extractor."
            )

    @torch.inference_mode()
    def features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features float32 [B, 64] and logits float32 [B, 10] of uint8 images [B, 1, 8, 8]."""
        _, channels, height, width = images.shape
        self.check_images(channels, height, width)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            features, logits = self._network(to_inputs(images.to(self._device)))
        return features, logits


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise InputError(f"the digits classifier's weights {str(path)!r} cannot be read ({error}).") from None
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in DigitsNetwork().state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != expected:
        raise InputError(f"{str(path)!r} does not hold the weights of the digits classifier.")
    return weights
