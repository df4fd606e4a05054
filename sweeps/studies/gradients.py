"""Does spectral normalization keep gradients from exploding and vanishing? The abstract of arXiv:2009.02773."""

from sweeps.studies.base_configs import DIGITS, cifar10_paper, cifar10_short, quick
from sweeps.study import STUDIES, Claim, Study

_LIN = "Lin et al. 2021, arXiv:2009.02773"
# All with the paper's hinge loss: nothing, LeCun's variance at the start only, SN throughout, its strict form, BSSN.
_METHODS = ("none(loss=hinge)", "lecun-init", "sn-hinge", "bssn", "sn-conv")
# B is their optimizer; D is aggressive.
_SETTINGS = ("B", "D")
_CONTRAST = {"datasets": ("cifar10",), "method": "sn-hinge"}

_PRESETS = (
    quick(
        {**DIGITS, "updates": 360, "evaluate_every": 90, "protocols": ("fid/gen600-test600-digits",)},
        _METHODS,
        _SETTINGS,
        seeds=2,
    ),
    cifar10_short(_METHODS, _SETTINGS, seeds=4),
    cifar10_paper(_METHODS, _SETTINGS, seeds=5),
)
_OUR_MEASURE = (
    "The abstract says that stricter implementations perform poorly out of the box. Smaller gradients are how this is "
    "measured here, and a factor of two is our choice."
)
_CLAIMS = (
    Claim(
        name="sn-keeps-gradients-from-exploding",
        source=f"{_LIN}, abstract",
        sentence="At the aggressive setting D the largest gradient of any layer stays smaller with SN than without.",
        rule="times-better",
        contrast={
            **_CONTRAST, "metric": "largest-gradient", "settings": ("D",), "others": ("none(loss=hinge)",),
            "factor": 1.0,
        },
        note="The abstract speaks of no setting; this one is the aggressive one of Miyato et al. 2018 "
        "(arXiv:1802.05957), which Lin et al. do not train with.",
    ),
    Claim(
        name="strict-sn-starts-with-vanishing-gradients",
        source=f"{_LIN}, abstract: stricter implementations perform poorly out of the box",
        sentence="Before training, gradients are more than twice as large with SN as with SN by the convolution's "
        "norm.",
        rule="times-better",
        contrast={**_CONTRAST, "metric": "first-gradient", "settings": ("B",), "others": ("sn-conv",)},
        note=_OUR_MEASURE,
    ),
    Claim(
        name="strict-sn-keeps-vanishing-gradients",
        source=f"{_LIN}, abstract: stricter implementations perform poorly out of the box",
        sentence="Late in training, too, gradients are more than twice as large with SN as with SN by the "
        "convolution's norm.",
        rule="times-better",
        contrast={**_CONTRAST, "metric": "late-gradient", "settings": ("B",), "others": ("sn-conv",)},
        note=_OUR_MEASURE,
    ),
    Claim(
        name="sn-keeps-lecuns-variance",
        source=f"{_LIN}, abstract: SN controls the variance throughout training",
        sentence="After the first hundredth of training no layer's variance times fan-in exceeds 1, LeCun's, with SN; "
        "1.1 allows for a power iteration that lags behind.",
        rule="keeps-limit",
        contrast={**_CONTRAST, "metric": "largest-variance", "settings": ("B",), "limit": 1.1},
    ),
    Claim(
        name="lecun-controls-only-the-start",
        source=f"{_LIN}, abstract: LeCun's initialization controls vanishing only at the start",
        sentence="LeCun's initialization alone does not hold the variance: some layer's grows to more than twice the "
        "largest with SN.",
        rule="times-better",
        contrast={**_CONTRAST, "metric": "largest-variance", "settings": _SETTINGS, "others": ("lecun-init",)},
    ),
    Claim(
        name="late-gradients-vanish-less-with-sn",
        source=f"{_LIN}, abstract: LeCun's initialization controls vanishing only at the start",
        sentence="Late in training gradients are larger with SN than with LeCun's initialization alone.",
        rule="times-better",
        contrast={
            **_CONTRAST, "metric": "late-gradient", "settings": _SETTINGS, "others": ("lecun-init",), "factor": 1.0,
        },
    ),
)  # fmt: skip

STUDIES.add(
    "gradients",
    Study(
        name="gradients",
        question="Does spectral normalization keep the discriminator's gradients from exploding and from vanishing?",
        description="The claims in the abstract of Lin et al. 2021 (arXiv:2009.02773): SN against no normalization, "
        "against LeCun's initialization without any normalization afterwards, against SN by the norm of the "
        "convolution itself, and BSSN, all with hinge loss.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("gradient-norms", "weight-variance", "spectra", "sigma-tracking", "learning-curves", "divergence"),
    ),
)
