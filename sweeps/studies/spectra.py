"""What do regularizers do to the singular values of a discriminator's weights? Fig. 3 and 9 of arXiv:1802.05957."""

from sweeps.studies.base_configs import DIGITS, cifar10_paper, cifar10_short, quick
from sweeps.study import STUDIES, Claim, Study

_MIYATO = "Miyato et al. 2018, arXiv:1802.05957"
# Those of Fig. 3. Fig. 9 is about SN at setting C.
_METHODS = ("weight-clipping", "weight-norm", "sn")
_SETTINGS = ("A", "C")
_CONTRAST = {"datasets": ("cifar10",), "settings": ("C",), "method": "sn"}

_PRESETS = (
    quick(
        {**DIGITS, "updates": 500, "evaluate_every": 125, "protocols": ("fid/gen600-test600-digits",)},
        _METHODS,
        _SETTINGS,
        seeds=2,
    ),
    cifar10_short(_METHODS, _SETTINGS, seeds=4),
    # At all settings, of which the figure shows each method's best: the study robustness has the same trials.
    cifar10_paper(_METHODS, ("A", "B", "C", "D", "E", "F"), seeds=5),
)
_CLAIMS = (
    Claim(
        name="sn-keeps-more-directions",
        source=f"{_MIYATO}, section 4.1.2, Fig. 3",
        sentence="At setting C, weight clipping and weight norm concentrate layers 1 to 5 on few singular values; with "
        "SN their effective rank is at least twice as large.",
        rule="times-better",
        contrast={**_CONTRAST, "metric": "entropy-rank", "others": ("weight-clipping", "weight-norm")},
        note="Fig. 3 shows each method at the setting of its best Inception Score, which is not told; here all are "
        "compared at the same one.",
    ),
    Claim(
        name="sigma-is-usually-close-to-1",
        source=f"{_MIYATO}, Appendix C.1, Fig. 9",
        sentence="One power iteration per update is enough: the largest singular value of a normalized weight is "
        "nearly always within 0.05 of 1, after the first tenth of training.",
        rule="keeps-limit",
        contrast={**_CONTRAST, "metric": "sigma-error-usual", "limit": 0.05},
    ),
    Claim(
        name="sigma-strays-early-only",
        source=f"{_MIYATO}, Appendix C.1, Fig. 9",
        sentence="The largest singular value of a normalized weight is more than 0.1 away from 1 early in training "
        "only.",
        rule="keeps-limit",
        contrast={**_CONTRAST, "metric": "sigma-error-late", "limit": 0.1},
    ),
)

STUDIES.add(
    "spectra",
    Study(
        name="spectra",
        question="What do regularizers do to the singular values of the discriminator's weights?",
        description="Weight clipping, weight norm and spectral normalization, as in Fig. 3 and 9 of Miyato et al. 2018 "
        "(arXiv:1802.05957): which singular values each layer keeps, and how well one power iteration per update "
        "follows the largest.",
        presets={preset.name: preset for preset in _PRESETS},
        claims=_CLAIMS,
        figures=("spectra", "sigma-tracking", "weight-variance", "gradient-norms", "learning-curves", "divergence"),
    ),
)
