"""The simulation of whole sweeps: it judges as the program does, and the promised rates hold. Small; the benchmark is
large.
"""

import numpy as np
import pytest
from scipy.stats import binom

from sweeps.claims import judge
from sweeps.looks import ONCE, Looks
from tests.benchmarks import stopping_rule
from tests.benchmarks.stopping_rule import CLAIMS, LOOKS, MAX_SEEDS, METHODS, NOISES, TRUE_OF_EQUALS
from tests.sweeps.score_samples import table_of

SWEEPS = 200


def test_the_truth_is_known_of_every_claim_that_is_judged() -> None:
    names = {claim.name for claim in CLAIMS}
    assert len(names) == 8, "as the benchmark's text says"
    assert names > TRUE_OF_EQUALS


@pytest.mark.parametrize("looks", [LOOKS, None])
def test_simulated_sweeps_are_judged_as_the_program_judges(looks: Looks | None) -> None:
    num_sweeps = 4
    table = stopping_rule.draw(stopping_rule.true_factors(), "skewed", 0.2, num_sweeps, MAX_SEEDS, "few")
    judged = stopping_rule.judge_sweeps(CLAIMS, table, MAX_SEEDS, looks or ONCE)
    assert 0 < judged.decided.mean() < 1, "verdicts and open claims"
    for sweep in range(num_sweeps):
        values = table.values[..., sweep * MAX_SEEDS : (sweep + 1) * MAX_SEEDS]
        found = judge(CLAIMS, {"fid": table_of(values, METHODS)}, looks)
        assert [v.verdict == "supported" for v in found] == judged.supported[sweep].tolist()
        assert [v.verdict == "contradicted" for v in found] == judged.contradicted[sweep].tolist()
        seeds = [v.num_seeds for v in found]
        decided = judged.decided[sweep]
        assert np.array(seeds)[decided].tolist() == judged.seeds[sweep][decided].tolist()


@pytest.mark.parametrize("noise", NOISES)
def test_adding_seeds_until_decided_keeps_the_rate_of_wrong_verdicts(noise: str) -> None:
    table = stopping_rule.draw(stopping_rule.equal_factors(), noise, 0.2, SWEEPS, MAX_SEEDS, "test")
    judged = stopping_rule.judge_sweeps(CLAIMS, table, MAX_SEEDS, LOOKS)
    wrong = stopping_rule.wrong_among_equals(CLAIMS, judged).sum()
    assert wrong <= binom.ppf(0.99, SWEEPS, 0.05)
    naive = stopping_rule.judge_sweeps(CLAIMS, table, MAX_SEEDS, LOOKS, naive=True)
    assert stopping_rule.wrong_among_equals(CLAIMS, naive).sum() > 2 * wrong, "without the correction they are more"


def test_clear_effects_are_decided_early_and_rightly() -> None:
    table = stopping_rule.draw(stopping_rule.true_factors(), "normal", 0.05, SWEEPS, MAX_SEEDS, "test")
    judged = stopping_rule.judge_sweeps(CLAIMS, table, MAX_SEEDS, LOOKS)
    assert judged.supported.mean() > 0.99
    assert not judged.contradicted.any()
    assert judged.seeds.mean() < 8
