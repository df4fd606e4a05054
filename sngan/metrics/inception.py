"""FID's Inception network: the one door to pytorch-fid."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from pytorch_fid import inception as pytorch_fid
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sngan.errors import InputError
from sngan.metrics.array_cache import ArrayCache
from sngan.metrics.extractor_base import Extractor
from sngan.metrics.inception_weights import InceptionWeights
from sngan.metrics.onnx_network import by_onnx_runtime

INPUT_SIZE = 299


class InceptionExtractor(Extractor):
    """The last pooling layer (2048 features) and, where the weights have an fc layer, logits of 1008 classes.

    Images are resized as by pytorch-fid: bilinear without corner alignment and without antialiasing, to 299 x 299,
    in [-1, 1]; grey images are repeated to three channels. Logits are features times the fc layer's weight without
    its bias, over all 1008 outputs: what the first Inception Score code computed (openai/improved-gan) and
    torch-fidelity calls "logits_unbiased".

    The network is in fp32 on every device (no TF32), so that a protocol means one number. On a CPU it is run by ONNX
    Runtime where that is installed (sngan.metrics.onnx_network), else by torch in channels-last order, in as many
    threads as torch has at the first images.
    """

    name: ClassVar[str] = "inception"
    dim: ClassVar[int] = 2048
    fast: ClassVar[bool] = False

    def __init__(self, weights: InceptionWeights, *, cache_dir: Path, device: str = "cpu") -> None:
        self.hash = weights.hash
        # 32 images of 299 x 299 need about 0.5 GB; an accelerator wants larger batches.
        self.batch_size = 32 if device == "cpu" else 256
        self._device = torch.device(device)
        self._network = build_network(weights).to(self._device).to(memory_format=torch.channels_last)
        self._files = ArrayCache(cache_dir / "networks")
        self._fc = None if weights.fc is None else weights.fc.to(self._device)

    @property
    def has_logits(self) -> bool:
        """True with the official weights file."""
        return self._fc is not None

    def check_images(self, channels: int, height: int, width: int) -> None:
        """Raise InputError unless the images are grey or RGB."""
        if channels not in (1, 3):
            raise InputError(f"the Inception network measures images of 1 or 3 channels, not {channels}.")

    def make_ready(self) -> None:
        """Write the network down for ONNX Runtime, or load it."""
        with torch.inference_mode():
            _ = self._run

    @torch.inference_mode()
    def features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features float32 [B, 2048] and logits float32 [B, 1008], or None, of uint8 images [B, 1 or 3, H, W]."""
        _, channels, height, width = images.shape
        self.check_images(channels, height, width)
        unit = images.to(self._device).float().div(255).expand(-1, 3, -1, -1)
        resized = F.interpolate(unit, size=(INPUT_SIZE, INPUT_SIZE), mode="bilinear", align_corners=False)
        features = self._run(2 * resized - 1).flatten(start_dim=1)
        return features, None if self._fc is None else features @ self._fc.T

    @cached_property
    def _run(self) -> Callable[[Tensor], Tensor]:
        """Inputs [B, 3, 299, 299] in [-1, 1] -> pooled features [B, 2048, 1, 1]."""
        if self._device.type == "cpu":
            example = torch.linspace(-1, 1, 2 * 3 * INPUT_SIZE**2).view(2, 3, INPUT_SIZE, INPUT_SIZE)
            fast = by_onnx_runtime(
                self._network,
                example,
                key=f"inception {self.hash}",
                files=self._files,
                num_threads=torch.get_num_threads(),
            )
            if fast is not None:
                return fast
        return self._by_torch

    def _by_torch(self, inputs: Tensor) -> Tensor:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            features: Tensor = self._network(inputs.contiguous(memory_format=torch.channels_last))
        return features


def build_network(weights: InceptionWeights) -> nn.Sequential:
    """Inputs [B, 3, 299, 299] in [-1, 1] -> pooled features [B, 2048, 1, 1], in evaluation mode, without gradients.

    The layers are those of pytorch_fid.inception.fid_inception_v3, put together here because that function
    downloads its weights.
    """
    with torch.device("meta"):  # no initial values: all are loaded
        layers = _layers()
    network = nn.Module()
    for name, layer in layers.items():
        network.add_module(name, layer)
    steps = torch.zeros((), dtype=torch.int64)
    untrained = {name: steps for name in network.state_dict() if name.endswith("num_batches_tracked")}
    network.load_state_dict({**weights.features, **untrained}, assign=True)
    _fold_batch_norms(network.eval())
    layers = dict(network.named_children())
    layers |= {
        "pool_1": nn.MaxPool2d(kernel_size=3, stride=2),
        "pool_2": nn.MaxPool2d(kernel_size=3, stride=2),
        "pool_3": nn.AdaptiveAvgPool2d(output_size=(1, 1)),
    }
    return nn.Sequential(*(layers[name] for name in _ORDER)).eval().requires_grad_(False)


def _fold_batch_norms(network: nn.Module) -> None:
    """Multiply each batch norm's scale into the convolution before it: 1.12 times as fast on a CPU, equal to 1e-5."""
    for block in network.modules():
        conv, norm = getattr(block, "conv", None), getattr(block, "bn", None)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            block.conv, block.bn = fuse_conv_bn_eval(conv, norm), nn.Identity()


_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "pool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "pool_2")
_MIXED = tuple(f"Mixed_{name}" for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"))
_ORDER = (*_STEM, *_MIXED, "pool_3")


def _layers() -> dict[str, nn.Module]:
    """Name -> layer with weights: torchvision's Inception v3 with pytorch-fid's changed blocks."""
    plain = pytorch_fid._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    changed = {
        "Mixed_5b": pytorch_fid.FIDInceptionA(192, pool_features=32),
        "Mixed_5c": pytorch_fid.FIDInceptionA(256, pool_features=64),
        "Mixed_5d": pytorch_fid.FIDInceptionA(288, pool_features=64),
        "Mixed_6b": pytorch_fid.FIDInceptionC(768, channels_7x7=128),
        "Mixed_6c": pytorch_fid.FIDInceptionC(768, channels_7x7=160),
        "Mixed_6d": pytorch_fid.FIDInceptionC(768, channels_7x7=160),
        "Mixed_6e": pytorch_fid.FIDInceptionC(768, channels_7x7=192),
        "Mixed_7b": pytorch_fid.FIDInceptionE_1(1280),
        "Mixed_7c": pytorch_fid.FIDInceptionE_2(2048),
    }
    names = [name for name in _ORDER if not name.startswith("pool")]
    return {name: changed.get(name) or getattr(plain, name) for name in names}
