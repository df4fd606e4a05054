"""The catalog of feature extractors: a new one is one entry here, with a file of its own for the network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sngan.metrics.extractor_base import Extractor
from sngan.registry import Registry
from sngan.results import RunOptions


@dataclass(frozen=True, kw_only=True)
class ExtractorEntry:
    """A line of the catalog: the network's name, what it is, its features per image, and how to load it."""

    name: str
    description: str
    dim: int
    load: Callable[[RunOptions], Extractor]


def _load_inception(options: RunOptions) -> Extractor:
    # Imported here: torchvision, which pytorch-fid brings, costs a second that digits need not pay.
    from sngan.metrics.inception import InceptionExtractor
    from sngan.metrics.inception_weights import find_weights

    return InceptionExtractor(
        find_weights(options.inception_weights), cache_dir=options.cache_dir, device=options.device
    )


def _load_digits(options: RunOptions) -> Extractor:
    from sngan.metrics.digits_cnn import DigitsExtractor

    return DigitsExtractor(device=options.device)


EXTRACTORS: Registry[ExtractorEntry] = Registry("feature extractor")
for _entry in (
    ExtractorEntry(
        name="inception",
        description="FID's Inception network of 2015-12-05 as in pytorch-fid: 2048 features, images of any size",
        dim=2048,
        load=_load_inception,
    ),
    ExtractorEntry(
        name="digits",
        description="a small classifier of 8 x 8 grey digits whose weights are part of this package: 64 features",
        dim=64,
        load=_load_digits,
    ),
):
    EXTRACTORS.add(_entry.name, _entry)

_loaded: dict[tuple[str, str, Path | None], Extractor] = {}


def load_extractor(name: str, options: RunOptions) -> Extractor:
    """The extractor called `name`, loaded once per process, device and weights file.

    Raises InputError for an unknown name and for weights that are missing or are not the right ones.
    """
    key = (name, options.device, options.inception_weights)
    if key not in _loaded:
        _loaded[key] = EXTRACTORS[name].load(options)
    return _loaded[key]
