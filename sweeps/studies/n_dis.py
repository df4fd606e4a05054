"""Does it help to train the discriminator more often? Fig. 11 of arXiv:1802.05957."""

from sweeps.studies.base_configs import CIFAR10, DIGITS, quick
from sweeps.study import STUDIES, Claim, Preset, Study

# Setting D, except for n_dis.
_SETTINGS = tuple(f"D(n_dis={number})" for number in (1, 2, 5, 10, 20))
_PROTOCOLS = ("is/gen5000x10-inception", "fid/gen5000-test10000-inception")
# The paper's two, and two neighbours for which finitely many discriminator updates are an issue in theory.
_METHODS = ("none", "wgan-gp", "weight-norm", "sn")

_PRESETS = (
    quick(
        {
            **DIGITS,
            "updates": 120,
            "evaluate_every": 30,
            "protocols": ("is/gen600x1-digits", "fid/gen600-test600-digits"),
        },
        ("weight-norm", "sn"),
        _SETTINGS,
        seeds=2,
        headline="is/gen600x1-digits",
    ),
    Preset(
        name="cifar10-short",
        description="CIFAR-10 with the paper's standard CNN, a fifth of the figure's length, 4 seeds.",
        config={**CIFAR10, "updates": 2_000, "evaluate_every": 500, "protocols": _PROTOCOLS},
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=4,
        headline="is/gen5000x10-inception",
        caveat="Trained for less than the 10,000 generator updates of the paper's figure.",
    ),
    Preset(
        name="cifar10",
        description="The paper's experiment: CIFAR-10, standard CNN, 10,000 generator updates, with 5 seeds.",
        config={**CIFAR10, "updates": 10_000, "evaluate_every": 1_000, "protocols": _PROTOCOLS},
        methods=_METHODS,
        settings=_SETTINGS,
        seeds=5,
        headline="is/gen5000x10-inception",
    ),
)
_CLAIMS = (
    Claim(
        name="weight-norm-falls-with-n-dis-and-sn-does-not",
        source="Miyato et al. 2018, arXiv:1802.05957, Appendix C.3, Fig. 11",
        sentence="At the aggressive setting D, weight norm gets worse the more often the discriminator is trained, "
        "from 1 to 20 updates per generator update; SN does not.",
        rule="trend",
        contrast={
            "metric": "is",
            "datasets": ("cifar10",),
            "settings": _SETTINGS,
            "falling": ("weight-norm",),
            "holding": ("sn",),
        },
    ),
)

STUDIES.add(
    "n-dis",
    Study(
        name="n-dis",
        question="Does a discriminator that is trained more often per generator update help, or hurt?",
        description="Setting D of Miyato et al. 2018 (arXiv:1802.05957, Table 1) with 1 to 20 discriminator updates "
        "per generator update, as in their Fig. 11. With the Inception Score after 10,000 generator updates.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("setting-curves", "heat-map", "learning-curves", "divergence", "time-per-update", "sample-grids"),
    ),
)
