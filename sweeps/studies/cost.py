"""What does a regularizer cost? Fig. 10 of arXiv:1802.05957."""

from sweeps.studies.base_configs import CIFAR10, DIGITS, DIGITS_CAVEAT, STL10, quick
from sweeps.study import STUDIES, Claim, Preset, Study

_FIG_10 = "Miyato et al. 2018, arXiv:1802.05957, section 4.1.1 and Appendix C.2, Fig. 10"
_METHODS = ("none", "wgan-gp", "weight-norm", "sn")
_SETTINGS = ("A",)  # n_dis = 5, as in the figure
_NOISE = (
    "Trials that run side by side slow each other down: time with --max-concurrent 1 on a machine with nothing else "
    "to do."
)

_PRESETS = (
    quick(
        {**DIGITS, "updates": 120, "evaluate_every": 60, "protocols": ("fid/gen600-test600-digits",)},
        _METHODS,
        _SETTINGS,
        seeds=5,
        caveat=f"{DIGITS_CAVEAT} {_NOISE}",
    ),
    *(
        Preset(
            name=str(networks["dataset"]),
            description=f"{title} with the paper's standard CNN, 1,000 generator updates, 5 seeds.",
            config={
                **networks,
                "updates": 1_000,
                "evaluate_every": 500,
                "protocols": ("fid/gen500-test2000-inception",),
            },
            methods=_METHODS,
            settings=_SETTINGS,
            seeds=5,
            headline="fid/gen500-test2000-inception",
            caveat=_NOISE,
        )
        for title, networks in (("CIFAR-10", CIFAR10), ("STL-10", STL10))
    ),
)
_CONTRAST = {"metric": "seconds-per-update", "settings": _SETTINGS}
_CLAIMS = (
    Claim(
        name="sn-costs-little-more-than-weight-norm",
        source=f"{_FIG_10}: 110 to 120 % of weight norm's time on CIFAR-10",
        sentence="An update with SN takes less than 1.2 times as long as one with weight norm.",
        rule="within",
        contrast={
            **_CONTRAST,
            "datasets": ("cifar10",),
            "method": "sn",
            "reference": "weight-norm",
            "ratio": 1.2,
            "both_sides": False,
        },
    ),
    Claim(
        name="sn-costs-about-as-much-as-nothing",
        source=f"{_FIG_10}: nearly the same as the vanilla GAN on STL-10",
        sentence="An update with SN takes about as long as one without any regularization: neither takes 1.1 times as "
        "long as the other.",
        rule="within",
        # The paper says "almost the same"; a tenth is what its bars, up to 100 s, let one see.
        contrast={**_CONTRAST, "datasets": ("stl10",), "method": "sn", "reference": "none", "ratio": 1.1},
    ),
    Claim(
        name="wgan-gp-is-slower-than-sn",
        source=_FIG_10,
        sentence="An update with SN takes less time than one of WGAN-GP.",
        rule="better-best",
        contrast={**_CONTRAST, "datasets": ("cifar10", "stl10"), "method": "sn", "others": ("wgan-gp",)},
    ),
)

STUDIES.add(
    "cost",
    Study(
        name="cost",
        question="How much longer does an update take with each regularizer?",
        description="Time per generator update at n_dis = 5, as in Fig. 10 of Miyato et al. 2018 (arXiv:1802.05957): "
        "no regularization, weight norm, SN and WGAN-GP.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("time-per-update", "metric-by-setting", "learning-curves"),
    ),
)
