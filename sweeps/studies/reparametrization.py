"""SN as a reparametrization inside WGAN-GP: Appendix E, Table 7 of arXiv:1802.05957."""

from sweeps.studies.base_configs import CIFAR10_PAPER, CIFAR10_SHORT, DIGITS_CAVEAT, DIGITS_QUICK, SHORT_CAVEAT
from sweeps.study import STUDIES, Claim, Preset, Study

_APPENDIX_E = "Miyato et al. 2018, arXiv:1802.05957, Appendix E, Table 7"
_METHODS = ("wgan-gp", "wgan-gp-frobenius", "wgan-gp-weight-norm", "wgan-gp-sn", "wgan-gp-sn-shared")
# The text names no setting; A is that of WGAN-GP's authors.
_SETTINGS = ("A",)

_PRESETS = (
    Preset(
        name="quick",
        description="Digits of 8 x 8 pixels with a small CNN: minutes on two cores, nothing to download.",
        config=DIGITS_QUICK,
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=3,
        headline="fid/gen600-test600-digits",
        caveat=DIGITS_CAVEAT,
    ),
    Preset(
        name="cifar10-short",
        description="CIFAR-10 with the paper's standard CNN, a fifth of its length, 4 seeds.",
        config=CIFAR10_SHORT,
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=4,
        headline="fid/gen5000-test10000-inception",
        caveat=SHORT_CAVEAT,
    ),
    Preset(
        name="cifar10",
        description="The upper half of Table 7: CIFAR-10, standard CNN, 100,000 generator updates, with 5 seeds.",
        config=CIFAR10_PAPER,
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=5,
        headline="fid/gen5000-test10000-inception",
    ),
)
_CONTRAST = {"datasets": ("cifar10",), "settings": _SETTINGS}
_CLAIMS = (
    Claim(
        name="sn-improves-wgan-gp",
        source=f"{_APPENDIX_E}: FID 32.0 and 40.1",
        sentence="WGAN-GP gets better when its weights are spectrally normalized and each layer learns its scale.",
        rule="better-best",
        contrast={**_CONTRAST, "method": "wgan-gp-sn", "others": ("wgan-gp",)},
    ),
    Claim(
        name="weight-norm-worsens-wgan-gp",
        source=f"{_APPENDIX_E}: FID 42.4 and 40.1",
        sentence="WGAN-GP gets worse when weight norm takes the place of spectral normalization.",
        rule="better-best",
        contrast={**_CONTRAST, "method": "wgan-gp", "others": ("wgan-gp-weight-norm",)},
    ),
    Claim(
        name="frobenius-collapses",
        source=f"{_APPENDIX_E}: collapsed early, no score",
        sentence="Normalized by the Frobenius norm, WGAN-GP collapses: its FID is more than twice that of plain "
        "WGAN-GP, or it diverges.",
        rule="worse-by",
        # The paper gives no number; no tuning of a working method doubles its FID.
        contrast={**_CONTRAST, "method": "wgan-gp-frobenius", "reference": "wgan-gp", "ratio": 2.0},
    ),
)

STUDIES.add(
    "reparametrization",
    Study(
        name="reparametrization",
        question="Does spectral normalization help where the gradient penalty already bounds the critic?",
        description="Appendix E of Miyato et al. 2018 (arXiv:1802.05957): weights divided by a norm and multiplied by "
        "a learned scale per layer, inside WGAN-GP. Frobenius norm, weight norm and spectral norm; and one "
        "scale for all layers, as in the code of Lin et al. 2021 (arXiv:2009.02773).",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("metric-by-setting", "inception-score-by-setting", "learning-curves", "divergence", "time-per-update",
                 "sample-grids"),
    ),
)  # fmt: skip
