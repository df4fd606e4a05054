"""Is spectral normalization more robust to the optimizer than the alternatives? Fig. 1, 2 and Table 2 of
arXiv:1802.05957, with seeds.
"""

from sweeps.studies.base_configs import (
    DIGITS_QUICK,
    SHORT_CAVEAT,
    STL10_PAPER,
    STL10_SHORT,
    cifar10_paper,
    cifar10_short,
    quick,
)
from sweeps.studies.robustness_claims import ROBUSTNESS_CLAIMS
from sweeps.study import STUDIES, Preset, Study

# Fig. 1 and 2 of the paper, its SN with hinge loss, and two neighbours: no regularization at all, and R1.
_METHODS = (
    "none",
    "weight-clipping",
    "gan-gp",
    "wgan-gp",
    "batch-norm",
    "layer-norm",
    "weight-norm",
    "orthonormal",
    "sn",
    "sn-hinge",
    "r1",
)
_SETTINGS = ("A", "B", "C", "D", "E", "F")

# One seed, and without R1, of which no claim speaks: what is left fits into minutes.
_QUICK = quick(DIGITS_QUICK, tuple(name for name in _METHODS if name != "r1"), _SETTINGS, seeds=1)
# Five seeds are the least with which any of nine claims can get a verdict.
_CIFAR10_SHORT = cifar10_short(_METHODS, _SETTINGS, seeds=5)
_PAPER = cifar10_paper(_METHODS, _SETTINGS, seeds=5)

# The methods of Fig. 1(b) and 2(b).
_METHODS_STL10 = ("weight-clipping", "wgan-gp", "layer-norm", "weight-norm", "orthonormal", "sn")
_STL10_SHORT = Preset(
    name="stl10-short",
    description="STL-10 at 48 x 48 pixels with the paper's standard CNN, a fifth of its length, 5 seeds.",
    config=STL10_SHORT,
    methods=_METHODS_STL10,
    settings=_SETTINGS,
    seeds=5,
    headline="fid/gen5000-train10000-inception",
    caveat=SHORT_CAVEAT,
)
_STL10 = Preset(
    name="stl10",
    description="The paper's experiment: STL-10, standard CNN, 100,000 generator updates, with 5 seeds.",
    config=STL10_PAPER,
    methods=_METHODS_STL10,
    settings=_SETTINGS,
    seeds=5,
    headline="fid/gen5000-train10000-inception",
)

STUDIES.add(
    "robustness",
    Study(
        name="robustness",
        question="Is spectral normalization really more robust to learning rate, momentum and n_dis than the "
        "other regularizers?",
        description="Every method is trained at each of the optimizer settings A to F of Miyato et al. 2018 "
        "(arXiv:1802.05957, Table 1), with several seeds. Methods with the same seed see the same data and "
        "latents.",
        presets={preset.name: preset for preset in (_QUICK, _CIFAR10_SHORT, _PAPER, _STL10_SHORT, _STL10)},
        claims=ROBUSTNESS_CLAIMS,
        figures=(
            "metric-by-setting",
            "inception-score-by-setting",
            "heat-map",
            "critical-difference",
            "performance-profile",
            "failure-rate",
            "learning-curves",
            "divergence",
            "time-per-update",
            "pareto",
            "sample-grids",
        ),
    ),
)
