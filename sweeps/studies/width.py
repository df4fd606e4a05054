"""Does a wider last layer hurt? Fig. 4 of arXiv:1802.05957."""

from sweeps.studies.base_configs import DIGITS_QUICK, SHORT_CAVEAT, STL10_PAPER, STL10_SHORT, quick
from sweeps.study import STUDIES, Claim, Preset, Study

_SETTINGS = tuple(f"C(width_factor={factor:g})" for factor in (0.5, 1, 2, 4, 6, 8))
_METHODS = ("orthonormal", "sn")

_PRESETS = (
    quick(DIGITS_QUICK, _METHODS, _SETTINGS, seeds=2, headline="is/gen600x1-digits"),
    Preset(
        name="stl10-short",
        description="STL-10 with the standard CNN, a fifth of the paper's length, 4 seeds.",
        config=STL10_SHORT,
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=4,
        headline="is/gen5000x10-inception",
        caveat=SHORT_CAVEAT,
    ),
    Preset(
        name="stl10",
        description="The paper's experiment: STL-10, standard CNN, 100,000 generator updates, with 5 seeds.",
        config=STL10_PAPER,
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=5,
        headline="is/gen5000x10-inception",
    ),
)
_CLAIMS = (
    Claim(
        name="orthonormal-falls-with-width-and-sn-does-not",
        source="Miyato et al. 2018, arXiv:1802.05957, section 4.1.2, Fig. 4",
        sentence="The wider the last convolution, from half to eight times its width, the worse orthonormal "
        "regularization gets; SN does not.",
        rule="trend",
        contrast={
            "metric": "is",
            "datasets": ("stl10",),
            "settings": _SETTINGS,
            "falling": ("orthonormal",),
            "holding": ("sn",),
        },
    ),
)

STUDIES.add(
    "width",
    Study(
        name="width",
        question="Does a discriminator with a wider last layer suffer, when all its singular values are pushed to one?",
        description="Fig. 4 of Miyato et al. 2018 (arXiv:1802.05957): the feature maps into and out of the last "
        "convolution, half to eight times as many, at setting C. Orthonormal regularization has to use all of them, "
        "SN only bounds the largest singular value.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("setting-curves", "heat-map", "learning-curves", "divergence", "time-per-update", "sample-grids"),
    ),
)
