"""Does spectral normalization train a conditional GAN of a thousand classes? Fig. 5 of arXiv:1802.05957."""

from collections.abc import Mapping
from typing import Any

from sweeps.studies.base_configs import DIGITS, DIGITS_CAVEAT
from sweeps.study import STUDIES, Claim, Preset, Study

_MIYATO = "Miyato et al. 2018, arXiv:1802.05957, section 4.2"
# The two ways in which the paper's discriminators are told the class.
_SETTINGS = tuple(f"resnet(conditioning={how})" for how in ("concat", "projection"))
_SN, _ORTHONORMAL, _NONE, _LAYER_NORM = (
    "sn-hinge",
    "orthonormal(loss=hinge)",
    "none(loss=hinge)",
    "layer-norm(loss=hinge)",
)
_METHODS = (_NONE, _LAYER_NORM, _ORTHONORMAL, _SN)
_RESNET: Mapping[str, Any] = {"generator_init": "glorot-residual", "discriminator_init": "glorot-residual"}
# Appendix B.3 and the published code: four GPUs with 16 real and 32 generated images each.
_IMAGENET: Mapping[str, Any] = {
    **_RESNET,
    "dataset": "imagenet",
    "architecture": "resnet-128",
    "batch_size": 64,
    "generator_batch_size": 128,
    "z_dim": 128,
    "dequantization": True,
    "learning_rate_schedule": "late-linear",
    "protocols": ("is/gen5000x10-inception", "fid/gen10000-val10000-inception"),
}

_PRESETS = (
    Preset(
        name="quick",
        description="Digits of 8 x 8 pixels with their ten classes and a small ResNet: minutes on two cores.",
        config={
            **DIGITS,
            **_RESNET,
            "architecture": "small-resnet",
            "generator_batch_size": 64,
            "dequantization": True,
            "learning_rate_schedule": "late-linear",
            "updates": 32,
            "evaluate_every": 8,
            "protocols": ("is/gen600x1-digits", "fid/gen600-test600-digits", "intra-fid/gen600-test600-digits"),
        },
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=2,
        headline="is/gen600x1-digits",
        caveat=DIGITS_CAVEAT.replace("CIFAR-10", "ImageNet"),
    ),
    Preset(
        name="imagenet-short",
        description="ImageNet at 128 x 128 pixels, a ninth of the paper's length, 4 seeds.",
        config={**_IMAGENET, "updates": 50_000, "evaluate_every": 5_000},
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=4,
        headline="is/gen5000x10-inception",
        caveat="Trained for less than the paper's 450,000 generator updates: late failures do not show.",
    ),
    Preset(
        name="imagenet",
        description="The paper's experiment: ImageNet at 128 x 128 pixels, 450,000 generator updates, with 4 seeds.",
        config={**_IMAGENET, "updates": 450_000, "evaluate_every": 10_000},
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=4,
        headline="is/gen5000x10-inception",
    ),
)
_CONTRAST = {"metric": "is", "datasets": ("imagenet",), "settings": _SETTINGS}
# "Collapsed at the beginning": the paper gives no number. Half of what SN is above 1, where all images look alike.
_COLLAPSE = {**_CONTRAST, "reference": _SN, "ratio": 2.0}
_CLAIMS = (
    Claim(
        name="sn-beats-orthonormal-on-imagenet",
        source=f"{_MIYATO}, Fig. 5 and 13",
        sentence="On ImageNet, SN reaches a higher Inception Score than orthonormal regularization.",
        rule="better-best",
        contrast={**_CONTRAST, "method": _SN, "others": (_ORTHONORMAL,)},
    ),
    Claim(
        name="sn-keeps-improving-on-imagenet",
        source=f"{_MIYATO}, Fig. 5: orthonormal stops near 20,000 updates, SN rises to 450,000",
        sentence="On ImageNet, SN gains more after the first quarter of training than orthonormal regularization.",
        rule="better-best",
        contrast={**_CONTRAST, "metric": "late-gain", "method": _SN, "others": (_ORTHONORMAL,)},
    ),
    Claim(
        name="no-normalization-collapses-on-imagenet",
        source=_MIYATO,
        sentence="On ImageNet, a discriminator without any normalization collapses: its Inception Score exceeds 1 by "
        "less than half of what SN's does.",
        rule="worse-by",
        contrast={**_COLLAPSE, "method": _NONE},
    ),
    Claim(
        name="layer-norm-collapses-on-imagenet",
        source=_MIYATO,
        sentence="On ImageNet, layer norm collapses: its Inception Score exceeds 1 by less than half of what "
        "SN's does.",
        rule="worse-by",
        contrast={**_COLLAPSE, "method": _LAYER_NORM},
    ),
)

STUDIES.add(
    "imagenet",
    Study(
        name="imagenet",
        question="Which regularizers train a conditional GAN on the thousand classes of ImageNet?",
        description="The ResNets of Table 6 of Miyato et al. 2018 (arXiv:1802.05957) with conditional batch norm in "
        "the generator and the class in the discriminator, by concatenation or by projection (arXiv:1802.05637). All "
        "methods with the hinge loss.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("metric-by-setting", "learning-curves", "heat-map", "divergence", "time-per-update", "sample-grids"),
    ),
)
