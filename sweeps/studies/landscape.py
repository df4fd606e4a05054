"""Where does each method work at all? A dense grid of learning rate, momenta and n_dis."""

from collections.abc import Iterable
from itertools import product

from sweeps.studies.base_configs import CIFAR10_PAPER, CIFAR10_SHORT, DIGITS, DIGITS_CAVEAT, SHORT_CAVEAT
from sweeps.study import STUDIES, Claim, Preset, Study


def _grid(alphas: Iterable[float], betas: Iterable[tuple[float, float]], numbers: Iterable[int]) -> tuple[str, ...]:
    """Settings by their values; A is only the name that is varied."""
    return tuple(
        f"A(alpha={alpha:g},beta1={beta1:g},beta2={beta2:g},n_dis={n_dis})"
        for n_dis, (beta1, beta2), alpha in product(numbers, betas, alphas)
    )


# The momenta of Table 1, arXiv:1802.05957; the first without momentum, of its ResNets, joins them in the full grid.
_BETAS = ((0.5, 0.9), (0.5, 0.999), (0.9, 0.999))
# What every preset has, so that every claim can be judged at each.
_COMMON = _grid((0.0001, 0.0003, 0.001, 0.003), _BETAS, (1, 5))
_SHORT = _grid((0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01), _BETAS, (1, 5))
_FULL = _grid((0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01), ((0.0, 0.9), *_BETAS), (1, 2, 5))
_METHODS = ("none", "weight-clipping", "gan-gp", "wgan-gp", "layer-norm", "weight-norm", "orthonormal", "sn")

_PRESETS = (
    Preset(
        name="quick",
        description="Digits of 8 x 8 pixels with a small CNN, 24 settings, one seed: minutes on two cores.",
        config={
            **DIGITS,
            "updates": 90,
            "evaluate_every": 45,
            "protocols": ("fid/gen600-test600-digits", "is/gen600x1-digits"),
        },
        methods=("wgan-gp", "weight-norm", "sn"),
        settings=_COMMON,
        seeds=1,
        headline="fid/gen600-test600-digits",
        caveat=DIGITS_CAVEAT,
    ),
    Preset(
        name="cifar10-short",
        description="CIFAR-10 with the standard CNN, 36 settings, a tenth of the paper's length, 4 seeds.",
        config={**CIFAR10_SHORT, "updates": 10_000},
        methods=_METHODS,
        settings=_SHORT,
        seeds=4,  # three could support the claim about two methods, and never contradict it
        headline="fid/gen5000-test10000-inception",
        caveat=SHORT_CAVEAT,
    ),
    Preset(
        name="cifar10",
        description="CIFAR-10 with the standard CNN, 84 settings, 100,000 generator updates, 5 seeds.",
        config=CIFAR10_PAPER,
        methods=_METHODS,
        settings=_FULL,
        seeds=5,
        headline="fid/gen5000-test10000-inception",
    ),
)
_CLAIMS = (
    Claim(
        name="sn-works-in-a-larger-region",
        source="Miyato et al. 2018, arXiv:1802.05957, section 4.1: relatively robust to aggressive settings",
        sentence="Of a grid of learning rates, momenta and n_dis, SN works at a larger part than WGAN-GP and weight "
        "norm: there its FID is below ten times that of real images.",
        rule="larger-region",
        contrast={
            "datasets": ("cifar10",),
            "settings": _COMMON,
            "method": "sn",
            "others": ("wgan-gp", "weight-norm"),
        },
    ),
)

STUDIES.add(
    "landscape",
    Study(
        name="landscape",
        question="In which region of learning rate, momenta and n_dis does each method work?",
        description="Six settings are few: one may be lucky for a method. This is a grid around all of them, and the "
        "part of it where a method works, its FID below ten times that of real images, measures its robustness without "
        "anybody's choice of settings.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("landscape", "performance-profile", "divergence", "learning-curves", "sample-grids"),
    ),
)
