"""How much tuning does each regularizer need? Budgets as in Lucic et al. 2018 (arXiv:1711.10337) and Kurach et al.
2019 (arXiv:1807.04720).
"""

from collections.abc import Mapping

from sweeps.spaces import Axis, Choice, Range, Search
from sweeps.studies.base_configs import CIFAR10, DIGITS, DIGITS_CAVEAT
from sweeps.study import STUDIES, Claim, Preset, Study

_LUCIC = "Lucic et al. 2018, arXiv:1711.10337"
_KURACH = "Kurach et al. 2019, arXiv:1807.04720"
_DATASETS = ("cifar10",)

# The wide ranges of Lucic et al.; beta2 as Kurach et al. search it. Adam needs momenta below 1.
_OPTIMIZER: Mapping[str, Axis] = {
    "alpha": Range(low=1e-5, high=1e-2, log=True),
    "beta1": Range(low=0.0, high=0.999),
    "beta2": Range(low=0.0, high=0.999),
    "n_dis": Choice(options=(1, 5)),
}
_OWN: Mapping[str, Mapping[str, Axis]] = {
    # Published: the penalty's weight and the clipping limit of Lucic et al., the factors of arXiv:2009.02773.
    "gradient-penalty": {"coefficient": Range(low=0.1, high=100.0, log=True)},
    "weight-clipping": {"limit": Range(low=1e-3, high=1.0, log=True)},
    "scale": {"factor": Range(low=0.7, high=4.0, log=True)},
    # Not published. Orthonormal: from the 1e-4 of later code to 1. R1: the gradient penalty's range, around its 10.
    "orthonormal": {"coefficient": Range(low=1e-4, high=1.0, log=True)},
    "r1": {"gamma": Range(low=0.1, high=100.0, log=True)},
}
_METHODS = (
    "none", "weight-clipping", "gan-gp", "wgan-gp", "batch-norm", "layer-norm", "weight-norm", "orthonormal", "sn",
    "sn-hinge", "sn-gp", "r1",
)  # fmt: skip
_COMPARED = ("none", "gan-gp", "wgan-gp", "sn")
_FID = "fid/gen10000-test10000-inception"  # as both papers measure it
_SHORT = "Trained for less than the papers' lengths: late failures do not show."


def _search(budget: int, round_size: int, retrain: int, samplers: tuple[str, ...] = ("random", "tpe")) -> Search:
    return Search(
        optimizer=_OPTIMIZER, own=_OWN, samplers=samplers, budget=budget, round_size=round_size, retrain=retrain
    )


def _preset(search: Search, **fields: object) -> Preset:
    """A preset whose settings are the places in its search."""
    return Preset(search=search, settings=search.settings, **fields)  # type: ignore[arg-type]


_PRESETS = (
    _preset(
        _search(budget=8, round_size=4, retrain=1),
        name="quick",
        description="Digits of 8 x 8 pixels with a small CNN, 4 methods, 8 configurations per search: minutes on two "
        "cores, nothing to download.",
        config={**DIGITS, "updates": 70, "evaluate_every": 35, "protocols": ("fid/gen600-test600-digits",)},
        methods=_COMPARED,
        seeds=1,
        headline="fid/gen600-test600-digits",
        caveat=DIGITS_CAVEAT,
    ),
    _preset(
        _search(budget=20, round_size=5, retrain=2),
        name="cifar10-short",
        description="CIFAR-10 with the standard CNN, 20 configurations per search, 20,000 updates each, 4 repetitions.",
        config={**CIFAR10, "updates": 20_000, "evaluate_every": 5_000, "protocols": (_FID,)},
        methods=_METHODS,
        seeds=4,  # the least with which one of four claims can be decided; to contradict it of three methods takes five
        headline=_FID,
        caveat=_SHORT,
    ),
    _preset(
        _search(budget=100, round_size=100, retrain=50, samplers=("random",)),
        name="cifar10-wide",
        description="As Lucic et al. search: 100 random configurations, the best one trained with 50 further seeds. "
        "One search decides no claim; --seeds 4 does.",
        config={**CIFAR10, "updates": 100_000, "evaluate_every": 10_000, "protocols": (_FID,)},
        methods=_METHODS,
        seeds=1,
        headline=_FID,
    ),
    _preset(
        _search(budget=240, round_size=10, retrain=5),
        name="cifar10-rounds",
        description="As Kurach et al. search: 240 configurations in rounds of 10 that learn from the rounds before "
        "(by TPE in place of their Gaussian process), beside as many random ones. --seeds 4 decides claims.",
        config={**CIFAR10, "updates": 100_000, "evaluate_every": 10_000, "protocols": (_FID,)},
        methods=_METHODS,
        seeds=1,
        headline=_FID,
    ),
)
_CLAIMS = (
    Claim(
        name="tuned-losses-are-alike",
        source=f"{_LUCIC}, abstract: with enough tuning no loss is consistently better than the non-saturating one",
        sentence="With the same tuning budget, the GAN with the non-saturating loss and no regularization comes close "
        "to WGAN-GP: its FID is less than 1.25 times as high.",
        rule="tuned",
        # Theirs on CIFAR-10: 58.5 and 55.8.
        contrast={"datasets": _DATASETS, "method": "none", "others": ("wgan-gp",), "ratio": 1.25},
    ),
    Claim(
        name="tuned-gan-comes-close",
        source=f"{_KURACH}, CIFAR-10, SNDCGAN: best FID 28.7 (none) and 25.3 (SN)",
        sentence="With the same tuning budget, a GAN without any regularization comes within a few FID of SN: its FID "
        "is less than 1.25 times as high.",
        rule="tuned",
        # Their two pairs of models have ratios 1.13 (SNDCGAN) and 1.23 (ResNet).
        contrast={"datasets": _DATASETS, "method": "none", "others": ("sn",), "ratio": 1.25},
    ),
    Claim(
        name="sn-needs-fewer-tries",
        source=f"{_KURACH}, section 3: FID below 100 takes six settings or more with a gradient penalty, two with SN",
        sentence="SN after 2 tries is better than the gradient penalty after 5.",
        rule="tuned",
        contrast={"datasets": _DATASETS, "method": "sn", "others": ("gan-gp",), "tries": 2, "others_tries": 5},
    ),
    Claim(
        name="sn-is-better-untuned",
        source=f"{_KURACH}, section 3: SN improves consistently; and section 4.1 of arXiv:1802.05957, there for A to F",
        sentence="At a random configuration SN is better than no regularization, the gradient penalty and WGAN-GP.",
        rule="tuned",
        contrast={
            "datasets": _DATASETS,
            "method": "sn",
            "others": ("none", "gan-gp", "wgan-gp"),
            "tries": 1,
            "others_tries": 1,
        },
    ),
)

STUDIES.add(
    "tuning",
    Study(
        name="tuning",
        question="With the same tuning budget, which regularizer is best, and how much tuning does each need?",
        description="Learning rate, momenta, n_dis and each method's own hyperparameters are searched in the wide "
        "ranges of Lucic et al. 2018 (arXiv:1711.10337), by random search and by TPE, with the same number of "
        "configurations for every method. The best configuration of each search is trained again with other seeds; "
        "tables of scores tell how it does there. Elsewhere a setting is a place in a search, and a seed one "
        "repetition of it. Lengths are counted in generator updates.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("budget-curves", "best-share", "importance", "performance-profile", "time-per-update"),
    ),
)
