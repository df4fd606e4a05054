"""A metric's name is its protocol: what is measured, on how many images, against which real ones, by which network.

    fid/gen5000-test10000-inception    Frechet distance, 5,000 generated images against the test split's first 10,000
    kid/gen5000-test10000-inception    kernel distance on the same images
    is/gen5000x10-inception            Inception Score of 5,000 generated images, 10 times
    recall/gen5000-test10000-inception share of the real images that lie near generated ones

A metric's own constants (neighbours, subsets, sizes of a fit) are fixed and no part of the name: catalog.py, kernel.py,
neighbours.py, fid_infinity.py.

Numbers of different protocols must never be compared: the Frechet distance between two samples of the same
distribution grows like 1/N1 + 1/N2, on CIFAR-10 from 1.0 at 50,000/50,000 to 7.8 at 10,000/5,000 images.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from sngan.errors import InputError, unknown
from sngan.fields import require
from sngan.metrics.catalog import METRICS, Metric
from sngan.metrics.extractors import EXTRACTORS
from sngan.registry import Registry

MAX_IMAGES = 10_000_000
_WITH_REAL = tuple(name for name, metric in METRICS.items() if metric.with_real)
_COUNT = r"[1-9][0-9]{0,7}"
_DISTANCE = re.compile(rf"({'|'.join(_WITH_REAL)})/gen({_COUNT})-([a-z]+)({_COUNT})-([a-z0-9_]+)")
_SCORE = re.compile(rf"(is)/gen({_COUNT})x({_COUNT})-([a-z0-9_]+)")
_HASH = re.compile(r"-[0-9a-f]{8}$")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one number is measured.

    metric : its name in METRICS. num_generated : generated images of one repetition; repeats : repetitions on
    images of their own (Inception Score: the "x10"; 1 elsewhere). split, num_real : the real images compared with
    are the split's first num_real, in its own order; "" and 0 for "is". extractor : name of the network.
    usage : who uses it, for lists; "" unless it is a recommended protocol.
    """

    metric: str
    num_generated: int
    repeats: int = 1
    split: str = ""
    num_real: int = 0
    extractor: str
    usage: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be measured. Raises InputError with the bad value and the allowed ones."""
        kind = self.kind  # refuses an unknown name
        if self.extractor not in EXTRACTORS:
            raise unknown("feature extractor", self.extractor, EXTRACTORS)
        least = max(kind.least_images, math.ceil(kind.images_per_feature * EXTRACTORS[self.extractor].dim))
        require(
            self.num_generated >= least and self.num_images <= MAX_IMAGES,
            f"number of generated images in {self.name}",
            self.num_images,
            f"{least} to {MAX_IMAGES}",
        )
        if self.metric == "is":
            require(
                self.repeats >= 1 and not self.split and not self.num_real,
                "Inception Score protocol",
                self.name,
                "is/genNxR-NETWORK",
            )
        else:
            require(self.repeats == 1, f"repeats of {self.name}", self.repeats, "1")
            require(
                kind.least_images <= self.num_real <= MAX_IMAGES,
                f"number of real images in {self.name}",
                self.num_real,
                f"{kind.least_images} to {MAX_IMAGES}",
            )

    @property
    def kind(self) -> Metric:
        """The metric's line of the catalog."""
        return METRICS[self.metric]

    @property
    def name(self) -> str:
        """The short name, without the extractor's hash: what a TrialConfig holds."""
        if self.metric == "is":
            return f"is/gen{self.num_generated}x{self.repeats}-{self.extractor}"
        return f"{self.metric}/gen{self.num_generated}-{self.split}{self.num_real}-{self.extractor}"

    def full_name(self, hash8: str) -> str:
        """The name that every stored number carries: the short name and 8 hex digits of the extractor's hash."""
        return f"{self.name}-{hash8}"

    @property
    def lower_is_better(self) -> bool:
        """True for distances, False for the Inception Score and for shares."""
        return self.kind.lower_is_better

    @property
    def by_class(self) -> bool:
        """Whether generated images of given classes are looked at: only a conditional model has them."""
        return self.kind.keeps == "class-statistics"

    @property
    def num_images(self) -> int:
        """Generated images over all repetitions."""
        return self.num_generated * self.repeats

    def caution(self, num_classes: int = 1) -> str:
        """What readers of its numbers must know, "" where nothing. A covariance of no more images than features lacks
        full rank, and the Frechet distance's bias (Chong and Forsyth 2020, arXiv:1911.07023) is then large.

        num_classes : of the data set, by which images are divided where the metric goes by class.
        """
        each, of_each = (num_classes, " of each class") if self.by_class else (1, "")
        images, dim = min(self.num_generated, self.num_real) // each, EXTRACTORS[self.extractor].dim
        if not self.kind.frechet or images > dim:
            return ""
        return (
            f"{self.name}: {images} images{of_each} are few for covariances of {dim} features; read it beside what "
            "real images give, or measure kid, which has no such bias"
        )


def parse(name: str) -> Protocol:
    """The protocol that a short name says; one of PROTOCOLS where it is recommended.

    Raises InputError for anything that is not such a name, with the nearest recommended one.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if match := _DISTANCE.fullmatch(name):
        metric, generated, split, real, extractor = match.groups()
        return Protocol(
            metric=metric,
            num_generated=int(generated),
            split=split,
            num_real=int(real),
            extractor=extractor,
        )
    if match := _SCORE.fullmatch(name):
        _, generated, repeats, extractor = match.groups()
        return Protocol(metric="is", num_generated=int(generated), repeats=int(repeats), extractor=extractor)
    near = get_close_matches(name.lower(), PROTOCOLS, n=1, cutoff=0.0)
    raise InputError(
        f"unknown protocol {name!r}. Did you mean {near[0]!r}?\n"
        f"A protocol reads METRIC/genN-SPLITN-NETWORK or is/genNxREPEATS-NETWORK, with METRIC one of "
        f"{', '.join(_WITH_REAL)} and NETWORK one of {', '.join(EXTRACTORS)}; `python -m sngan list` shows examples."
    )


def check_splits(protocols: Iterable[Protocol], dataset: str, num_images: Mapping[str, int]) -> None:
    """Raise InputError where a protocol compares with more real images than a split has, or with one that is not there.

    num_images : split -> its images.
    """
    for protocol in protocols:
        if not protocol.split:
            continue
        if protocol.split not in num_images:
            raise unknown(f"split of data set {dataset!r}:", protocol.split, num_images)
        if protocol.num_real > num_images[protocol.split]:
            raise InputError(
                f"{protocol.name} needs {protocol.num_real} real images, but split {protocol.split!r} of data set "
                f"{dataset!r} has {num_images[protocol.split]}."
            )


def check_conditional(protocols: Iterable[Protocol], conditional: bool) -> None:
    """Raise InputError where a protocol goes by class and the model, unconditional, does not know classes."""
    for protocol in protocols:
        if protocol.by_class and not conditional:
            raise InputError(
                f"{protocol.name} needs images of a given class, but this model is not conditional.\n"
                f"Leave the protocol out, or train a conditional model."
            )


def short_name(full_name: str) -> str:
    """A stored number's protocol without the extractor's hash: the inverse of Protocol.full_name. A short name, that of
    a table in which nothing was measured, stays as it is.
    """
    return parse(_HASH.sub("", full_name)).name


PROTOCOLS: Registry[Protocol] = Registry("protocol")


def _recommend(name: str, usage: str) -> None:
    protocol = parse(name)
    PROTOCOLS.add(name, Protocol(**{**vars(protocol), "usage": usage}))


_recommend(
    "fid/gen5000-test10000-inception",
    "Miyato et al. 2018 (arXiv:1802.05957, appendix B.1, read as in Kurach et al. 2019, section 4): Table 2, Fig. 2.",
)
_recommend(
    "is/gen5000x10-inception",
    "Miyato et al. 2018 and most papers since 2016: ten times 5,000 images, mean and spread of the ten.",
)
_recommend(
    "fid/gen50000-train50000-inception",
    "Most PyTorch code since 2018 (pytorch-gan-collections, mimicry, StyleGAN): least biased, slowest.",
)
_recommend(
    "fid/gen10000-test10000-inception",
    "Lucic et al. 2018 and Kurach et al. 2019 (compare_gan).",
)
_recommend(
    "fid/gen10000-train50000-inception",
    "chainer-gan-lib, the standard CNN code that the SN authors point to.",
)
_recommend(
    "kid/gen5000-test10000-inception",
    "Whoever wants the paper's images without FID's bias in the number of images (Binkowski et al. 2018).",
)
_recommend(
    "kid/gen10000-test10000-inception",
    "The unbiased companion of the compare_gan protocol; both rank models alike (Kurach et al. 2019, section 2.4).",
)
_recommend(
    "kid/gen50000-train50000-inception",
    "The unbiased companion of the 50,000-image FID.",
)
_recommend(
    "fid/gen500-test2000-inception",
    "Short CIFAR-10 runs on a CPU: minutes per evaluation, comparable only with itself.",
)
_recommend(
    "kid/gen500-test2000-inception",
    "Short CIFAR-10 runs on a CPU; the metric to trust at 500 images, since it is unbiased at any number.",
)
_recommend(
    "fid/gen200-test1000-inception",
    "Trying the CIFAR-10 path out on a CPU, well under a minute per evaluation; too few images to rank methods.",
)
_recommend(
    "kid/gen200-test1000-inception",
    "Trying the CIFAR-10 path out on a CPU; noisy, but unbiased.",
)
_recommend(
    "fid/gen600-test600-digits",
    "The quick presets: as many generated digits as the test split has, measured by the shipped classifier.",
)
_recommend(
    "kid/gen600-test600-digits",
    "The quick presets' unbiased companion.",
)
_recommend(
    "is/gen600x1-digits",
    "The quick presets: is every digit recognized, are all ten there? 10 is the best possible.",
)

# What FID mixes: precision and density say whether images look real, recall and coverage whether everything is there.
_HALVES = {
    "precision": "do the images look real? Kynkaanniemi et al. 2019 with k = 3",
    "recall": "is everything there? Kynkaanniemi et al. 2019 with k = 3",
    "density": "do the images look real, outliers apart? Naeem et al. 2020 with k = 5",
    "coverage": "is everything there, outliers apart? Naeem et al. 2020 with k = 5",
}
for _metric, _question in _HALVES.items():
    _recommend(
        f"{_metric}/gen5000-test10000-inception",
        f"On the images of Miyato's FID: {_question}, on Inception features.",
    )
    _recommend(f"{_metric}/gen500-test2000-inception", f"Short CIFAR-10 runs on a CPU: {_question}.")
    _recommend(f"{_metric}/gen600-test600-digits", f"The quick presets' digits: {_question}.")
_recommend(
    "fid-infinity/gen50000-test10000-inception",
    "Whoever compares models whose FIDs differ by little: Chong and Forsyth 2020, as in their code.",
)
_recommend(
    "fid-infinity/gen600-test600-digits",
    "The quick presets' digits: FID without what 600 generated images add to it.",
)
_recommend(
    "intra-fid/gen50000-train50000-inception",
    "Conditional models: the intra FID of Miyato and Koyama 2018 (arXiv:1802.05637), 5,000 images per CIFAR-10 class.",
)
_recommend(
    "intra-fid/gen600-test600-digits",
    "Conditional models of the quick presets' digits: 60 images of each class.",
)
