"""SN as a reparametrization inside WGAN-GP: Appendix E, Tables 7 and 8 of arXiv:1802.05957."""

from sweeps.studies.base_configs import CIFAR10_PAPER, DIGITS_QUICK, cifar10_paper, cifar10_short, quick
from sweeps.study import STUDIES, Claim, Preset, Study

_MIYATO = "Miyato et al. 2018, arXiv:1802.05957, Appendix E"
_APPENDIX_E = f"{_MIYATO}, Table 7"
_METHODS = ("wgan-gp", "wgan-gp-frobenius", "wgan-gp-weight-norm", "wgan-gp-sn", "wgan-gp-sn-shared")
# The text names no setting; A is that of WGAN-GP's authors.
_SETTINGS = ("A",)
# Without labels and with them, each with a discriminator as wide as the generator and 1.5 times as wide.
_RESNET, _WIDE, _LABELS, _WIDE_LABELS = (
    "resnet",
    "resnet(width_factor=1.5)",
    "resnet(conditioning=auxiliary-classifier)",
    "resnet(conditioning=auxiliary-classifier,width_factor=1.5)",
)

_PRESETS = (
    quick(DIGITS_QUICK, _METHODS, _SETTINGS, seeds=3),
    cifar10_short(_METHODS, _SETTINGS, seeds=4),
    cifar10_paper(_METHODS, _SETTINGS, seeds=5),
    Preset(
        name="cifar10-resnet",
        description="CIFAR-10 with WGAN-GP's ResNet, with and without labels, 100,000 generator updates, 5 seeds.",
        # What else the code of Gulrajani et al. 2017, arXiv:1704.00028, does (gan_cifar_resnet.py).
        config={
            **CIFAR10_PAPER,
            "architecture": "resnet-32-wgan-gp",
            "generator_init": "glorot-residual",
            "discriminator_init": "glorot-residual",
            "generator_batch_size": 128,
            "dequantization": True,
            "learning_rate_schedule": "linear",
        },
        methods=("wgan-gp", "wgan-gp-sn"),
        settings=(_RESNET, _WIDE, _LABELS, _WIDE_LABELS),
        seeds=5,
        headline="fid/gen5000-test10000-inception",
    ),
)
_CONTRAST = {"datasets": ("cifar10",), "settings": _SETTINGS}
_SN_INSIDE = {"datasets": ("cifar10",), "method": "wgan-gp-sn", "others": ("wgan-gp",)}
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
    Claim(
        name="sn-improves-resnet-wgan-gp",
        source=f"{_APPENDIX_E}: FID 23.6 and 24.5",
        sentence="WGAN-GP's ResNet gets better when its weights are spectrally normalized and each layer learns its "
        "scale.",
        rule="better-best",
        contrast={**_SN_INSIDE, "settings": (_RESNET,)},
    ),
    Claim(
        name="sn-improves-ac-wgan-gp",
        source=f"{_MIYATO}, Table 8: FID 18.6 and 19.5",
        sentence="WGAN-GP's ResNet with an auxiliary classifier gets better likewise.",
        rule="better-best",
        contrast={**_SN_INSIDE, "settings": (_LABELS,)},
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
