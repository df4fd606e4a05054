"""Worlds with planted effects, and claims about them, for the tests of verdicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sngan.seeding import numpy_stream
from sweeps.claims import Verdict, claims_about, judge
from sweeps.rules.evidence import Contrast, Decision, Evidence
from sweeps.rules.evidence import decide as decide_evidence
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray
from sweeps.studies.robustness_claims import ROBUSTNESS_CLAIMS
from sweeps.study import Claim
from tests.sweeps.score_samples import table_of

# Table 2 of arXiv:1802.05957, and an unregularized GAN as tuned by Kurach et al.: (FID, IS) at the best setting.
BEST = {
    "none": (33.0, 6.9), "weight-clipping": (42.6, 6.41), "gan-gp": (37.7, 6.93), "wgan-gp": (40.2, 6.68),
    "batch-norm": (56.3, 6.27), "layer-norm": (33.9, 7.19), "weight-norm": (34.7, 6.84),
    "orthonormal": (29.0, 7.40), "sn": (29.3, 7.42), "sn-hinge": (25.5, 7.58),
}  # fmt: skip
METHODS = tuple(BEST)
THREE = ("sn", "none", "orthonormal")
# How many times the best FID a fragile and a robust method have at A to F.
FRAGILE = np.array([1.0, 1.2, 1.1, 6.0, 7.0, 8.0])
ROBUST = np.array([1.0, 1.1, 1.05, 1.2, 1.3, 1.4])
RANKED = ("sn", "none", "r1")
CLAIMS = {claim.name: claim for claim in claims_about(ROBUSTNESS_CLAIMS, "cifar10")}


def world(num_seeds: int, *, opposite: bool = False, noise: float = 0.02) -> dict[str, ScoreTable]:
    """Tables in which every claim of the study is true, or the contrary of every one."""
    stream = numpy_stream(0, "bootstrap", num_seeds)
    fids, scores = (np.array([BEST[name][column] for name in METHODS]) for column in (0, 1))
    factor = np.array([ROBUST if name in ("sn", "sn-hinge") else FRAGILE for name in METHODS])
    if opposite:
        # The order is reversed, SN and orthonormal lie apart, no regularizer is far behind, WGAN-GP is robust, SN not.
        fids, scores = 80 - fids, 13 - scores
        fids[METHODS.index("orthonormal")], fids[METHODS.index("none")] = 20.0, 120.0
        factor[METHODS.index("wgan-gp")] = ROBUST
        factor[METHODS.index("sn")] = FRAGILE * np.array([1, 1, 1, 3, 3, 3])
    shape = (len(METHODS), 6, num_seeds)
    fid = (fids[:, None] * factor)[..., None] * np.exp(noise * stream.standard_normal(shape))
    inception = 1 + ((scores[:, None] - 1) / factor)[..., None] * np.exp(0.2 * noise * stream.standard_normal(shape))
    return {"fid": table_of(fid, METHODS), "is": table_of(inception, METHODS, metric="is", floor=11.24)}


def verdict(claim: str | Claim, tables: dict[str, ScoreTable]) -> Verdict:
    return judge([CLAIMS[claim] if isinstance(claim, str) else claim], tables)[0]


def decide(contrasts: Sequence[Contrast]) -> Decision:
    """The decision on a claim that is judged alone."""
    return decide_evidence(Evidence(contrasts=contrasts))


def better(method: str, *others: str, **more: Any) -> Claim:
    return Claim(name="better", source="", sentence="", rule="better-best",
                 contrast={"method": method, "others": others, **more})  # fmt: skip


def contrast(per_seed: Sequence[float] | FloatArray, **more: Any) -> Contrast:
    return Contrast(label="x", unit="u", per_seed=np.asarray(per_seed, dtype=np.float64), reading="r", **more)
