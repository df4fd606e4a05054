"""How large should a spectrally normalized weight be? The c sweep of Lin et al. 2021, arXiv:2009.02773."""

from collections.abc import Iterable

from sweeps.studies.base_configs import CIFAR10, DIGITS, DIGITS_CAVEAT
from sweeps.study import STUDIES, Claim, Preset, Study

_LIN = "Lin et al. 2021, arXiv:2009.02773"
_DATASETS = ("cifar10",)
# The published grid of c for CIFAR-10, and the part of it that was used for the larger data sets.
_FULL = (0.7, 0.8, 0.9, 1.0, *(c / 10 for c in range(12, 41, 2)))
_SHORT = (0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6)
_QUICK = (0.7, 1.0, 1.4, 2.0, 4.0)
# What every preset has, so that every claim can be judged at each: the same c for both families.
_COMMON = (0.7, 1.0, 1.4)


def _methods(scales: Iterable[float]) -> tuple[str, ...]:
    """SSN and BSSN at every scale; at 1 they are SN and BSN. And SN by the convolution's own norm."""
    scales = tuple(scales)
    return (*(f"ssn(factor={c:g})" for c in scales), *(f"bssn(factor={c:g})" for c in scales), "sn-conv")


# B is their optimizer; C doubles both learning rates, as some of their further runs do.
_SETTINGS = ("B", "C")
_SN, _BSN = "ssn(factor=1)", "bssn(factor=1)"
_CIFAR10 = {
    **CIFAR10,
    "generator_latents": "reused",
    # 10,000 generated against 5,000 of the training images; theirs are drawn anew in every run, ours are the first.
    "protocols": ("fid/gen10000-train5000-inception", "is/gen5000x10-inception"),
}
_PRESETS = (
    Preset(
        name="quick",
        description="Digits of 8 x 8 pixels with a small CNN, five scales: minutes on two cores.",
        config={
            **DIGITS,
            "updates": 200,
            "evaluate_every": 50,
            "protocols": ("fid/gen600-test600-digits", "is/gen600x1-digits"),
        },
        methods=_methods(_QUICK),
        settings=_SETTINGS,
        seeds=2,
        headline="fid/gen600-test600-digits",
        caveat=DIGITS_CAVEAT,
    ),
    Preset(
        name="cifar10-short",
        description="CIFAR-10 with the standard CNN, seven scales, a twentieth of the paper's length.",
        config={**_CIFAR10, "updates": 20_000, "evaluate_every": 2_500},
        methods=_methods(_SHORT),
        settings=_SETTINGS,
        seeds=4,
        headline="fid/gen10000-train5000-inception",
        caveat="Trained for less than the paper's 400,000 generator updates: late failures do not show.",
    ),
    Preset(
        name="cifar10",
        description="The published sweep: CIFAR-10, 19 scales, 400,000 generator updates, with 5 seeds.",
        config={**_CIFAR10, "updates": 400_000, "evaluate_every": 20_000},
        methods=_methods(_FULL),
        settings=_SETTINGS,
        seeds=5,
        headline="fid/gen10000-train5000-inception",
    ),
)
_CONTRAST = {"datasets": _DATASETS, "settings": ("B",)}
_VARIANTS = tuple(f"bssn(factor={c:g})" for c in _COMMON)
_CLAIMS = (
    Claim(
        name="bssn-improves-sn",
        source=f"{_LIN}, abstract: better sample quality than SN",
        sentence="BSSN with a tuned scale gives better samples than SN.",
        rule="best-variant",
        contrast={**_CONTRAST, "variants": _VARIANTS, "others": (_SN,), "family": "BSSN"},
    ),
    Claim(
        name="bsn-improves-sn",
        source=f"{_LIN}, first version: both directions, without a scale",
        sentence="BSN gives better samples than SN.",
        rule="better-best",
        contrast={**_CONTRAST, "method": _BSN, "others": (_SN,)},
    ),
    Claim(
        name="bssn-loses-less-late",
        source=f"{_LIN}, abstract: better training stability than SN",
        sentence="From its best evaluation to its last, a run with BSSN, with a scale tuned for that, loses less than "
        "one with SN.",
        rule="best-variant",
        contrast={**_CONTRAST, "metric": "late-loss", "variants": _VARIANTS, "others": (_SN,), "family": "BSSN"},
        note="The scale is the one that loses least, which need not be the one with the best samples.",
    ),
    Claim(
        name="strict-sn-is-poor-out-of-the-box",
        source=f"{_LIN}, abstract: stricter implementations perform poorly out of the box",
        sentence="SN by the norm of the reshaped kernel gives better samples than SN by the convolution's own norm.",
        rule="better-best",
        contrast={**_CONTRAST, "method": _SN, "others": ("sn-conv",)},
    ),
)

STUDIES.add(
    "scale",
    Study(
        name="scale",
        question="How large should a spectrally normalized weight be, and by which norm?",
        description="SSN and BSSN of Lin et al. 2021 (arXiv:2009.02773) multiply every normalized weight of the "
        "discriminator by a constant c. At c = 1 they are SN and BSN. Over 8 layers c = 1.4 makes the discriminator "
        "15 times as steep, and c = 4 65,000 times.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("variants", "heat-map", "learning-curves", "divergence", "time-per-update", "sample-grids"),
    ),
)
