"""The programs that this one is compared with, as they were published; `make .bench-peers/installed` gets those that
are no part of the environment.

Two of them cannot be imported as they are: torch-mimicry's package imports TensorFlow for its metrics, and arch, on
which rliable builds, does not import beside pandas 3. Of both the modules wanted here are imported past the package's
own __init__; none of their code is copied or changed.
"""

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parents[2] / ".bench-peers"
_HOW = "make .bench-peers/installed"


def mimicry() -> types.SimpleNamespace:
    """torch-mimicry 0.1.16: its networks for 32 pixels, which bring their own train steps, and its log.

    Raises SystemExit with one line where it is not installed.
    """
    root = _folder_of("torch_mimicry")
    _bare_package("torch_mimicry", root)
    _bare_package("torch_mimicry.training", root / "training")
    sngan = importlib.import_module("torch_mimicry.nets.sngan.sngan_32")
    wgan_gp = importlib.import_module("torch_mimicry.nets.wgan_gp.wgan_gp_32")
    return types.SimpleNamespace(
        sngan_generator=sngan.SNGANGenerator32,
        sngan_discriminator=sngan.SNGANDiscriminator32,
        wgan_gp_generator=wgan_gp.WGANGPGenerator32,
        wgan_gp_discriminator=wgan_gp.WGANGPDiscriminator32,
        metric_log=importlib.import_module("torch_mimicry.training.metric_log").MetricLog,
    )


def image_generation_metrics() -> types.SimpleNamespace:
    """pytorch-image-generation-metrics 0.6.1: its network and its formulas. Raises SystemExit as `mimicry` does."""
    _folder_of("pytorch_image_generation_metrics")
    core = importlib.import_module("pytorch_image_generation_metrics.core")
    network = importlib.import_module("pytorch_image_generation_metrics.inception").InceptionV3
    return types.SimpleNamespace(
        network=network,
        frechet_distance=core.calculate_frechet_distance,
        inception_score=core.calculate_inception_score,
    )


def rliable() -> types.SimpleNamespace:
    """rliable's `library`, which its authors call `rly`, and `metrics`."""
    specification = importlib.util.find_spec("arch")
    if specification is None or importlib.util.find_spec("rliable") is None:
        sys.exit("rliable is not installed: make .venv/installed-dev")
    _bare_package("arch", Path(str(specification.origin)).parent)
    from rliable import library, metrics  # here: rliable imports arch

    return types.SimpleNamespace(rly=library, metrics=metrics)


def _folder_of(package: str) -> Path:
    """The package's folder, from which it can be imported from now on."""
    if not (FOLDER / package).is_dir():
        sys.exit(f"{package} is not installed: {_HOW}")
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return FOLDER / package


def _bare_package(name: str, folder: Path) -> None:
    """Stand for a package without running its __init__: its modules are found in `folder`."""
    package: Any = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


# The file that pytorch-fid and pytorch-image-generation-metrics download, and torch-fidelity's name for the same.
_WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"
_WEIGHTS_OF_FIDELITY = "weights-inception-2015-12-05-6726825d.pth"
_FC = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}


def torch_home(weights: Path, folder: Path) -> Path:
    """Lay the weights where all three look for what they have downloaded: TORCH_HOME is then `folder`, returned.

    Files without the class layer get one of zeros, without which the others do not load them; features do not see it.
    """
    checkpoints = folder / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    tensors = torch.load(weights, map_location="cpu")
    torch.save({**{name: torch.zeros(shape) for name, shape in _FC.items()}, **tensors}, checkpoints / _WEIGHTS)
    (checkpoints / _WEIGHTS_OF_FIDELITY).symlink_to(checkpoints / _WEIGHTS)
    return folder
