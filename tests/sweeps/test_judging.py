"""What verdicts are worth: how often they are wrong without an effect, over many claims, looks and seeds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sngan.seeding import numpy_stream
from sweeps.claims import Verdict, first_look, judge
from sweeps.looks import Looks
from sweeps.rules.evidence import MAX_SEEDS, Evidence
from sweeps.rules.times_better import TimesBetter
from sweeps.scores import ScoreTable
from sweeps.study import Claim
from tests.sweeps.claim_samples import (
    METHODS,
    THREE,
    better,
    contrast,
    decide,
    verdict,
)
from tests.sweeps.score_samples import BASE, equal_methods, table_of

# --- No effect ---


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
@pytest.mark.parametrize("name", ["hinge-improves-sn", "sn-worst-setting", "table-2-order-fid"])
def test_equal_methods_get_a_verdict_in_at_most_six_of_a_hundred_studies(name: str, num_seeds: int) -> None:
    stream = numpy_stream(0, "bootstrap", num_seeds)
    repetitions = 50 if num_seeds == 2 else 500
    wrong = sum(
        verdict(name, {"fid": table_of(equal_methods(METHODS, num_seeds, stream), METHODS)}).verdict != "undecided"
        for _ in range(repetitions)
    )
    assert wrong <= 0.06 * repetitions


@pytest.mark.parametrize("num_seeds", [3, 4, 5])
def test_methods_whose_runs_fail_like_a_coin_get_no_verdict_by_luck(num_seeds: int) -> None:
    # A run at F collapses or diverges half of the time: the contrast of two equal methods has three values.
    stream = numpy_stream(1, "bootstrap", num_seeds)
    wrong = 0
    for repetition in range(400):
        values = equal_methods(METHODS, num_seeds, stream, noise=0.05)
        tails = np.zeros(values.shape, dtype=bool)
        tails[:, 5] = stream.random((len(METHODS), num_seeds)) < 0.5
        collapsed = np.where(tails, 400 * values / BASE[:, None], values)
        table = table_of(values, METHODS, diverged=tails) if repetition % 2 else table_of(collapsed, METHODS)
        wrong += verdict("sn-worst-setting", {"fid": table}).verdict != "undecided"
    assert wrong <= 0.06 * 400


@pytest.mark.parametrize("num_seeds", [3, 5])
@pytest.mark.parametrize("draw", ["normal", "lognormal", "two-ended"])
def test_a_contrast_without_effect_is_decided_in_at_most_six_of_a_hundred(draw: str, num_seeds: int) -> None:
    stream = numpy_stream(2, "bootstrap", num_seeds)
    shape = (2, 4000, num_seeds)
    ours, theirs = {
        "normal": lambda: stream.standard_normal(shape),
        "lognormal": lambda: stream.lognormal(size=shape),
        "two-ended": lambda: stream.beta(0.5, 0.5, shape),
    }[draw]()
    wrong = np.mean([decide([contrast(sample)]).verdict != "undecided" for sample in ours - theirs])
    assert wrong <= 0.06


def test_many_comparisons_do_not_add_up_to_a_contradiction() -> None:
    # Without the correction about a fifth of these would be contradicted.
    stream = numpy_stream(3, "bootstrap")
    wrong = np.mean([
        decide([contrast(sample) for sample in stream.standard_normal((10, 5))]).verdict != "undecided"
        for _ in range(500)
    ])  # fmt: skip
    assert wrong <= 0.06


# --- Composition ---


def test_all_of_is_only_as_sure_as_its_weakest_contrast() -> None:
    strong, weak = contrast([0.5, 0.51, 0.49, 0.5]), contrast([0.1, 0.3, -0.1, 0.2])
    assert decide([strong]).verdict == "supported"
    found = decide([strong, weak])
    assert (found.verdict, found.num_holding, found.limiting) == ("undecided", 1, weak)


def test_any_clear_failure_contradicts() -> None:
    strong, wrong = contrast([0.5, 0.51, 0.49, 0.5]), contrast([-0.5, -0.51, -0.49, -0.5])
    found = decide([strong, wrong])
    assert (found.verdict, found.limiting) == ("contradicted", wrong)


def test_interval_is_students() -> None:
    found = contrast([1.0, 2.0, 3.0])
    assert (found.mean, found.deviation) == (2.0, 1.0)
    assert found.half_width() == pytest.approx(4.302653 / np.sqrt(3))
    assert contrast([1.0, np.nan, 2.0, 3.0]).half_width() == found.half_width()


def test_values_that_agree_exactly_have_no_interval_unless_they_are_discrete() -> None:
    assert contrast([0.5] * 5).half_width() is None
    assert decide([contrast([0.5] * 5)]).verdict == "undecided"
    discrete = contrast([1.0] * 5, resolution=0.1, support_above=0.5)
    assert discrete.half_width() == pytest.approx(2.776445 * 0.1 / np.sqrt(12 * 5))
    assert decide([discrete]).verdict == "supported"


def test_between_two_boundaries_nothing_is_decided_and_nothing_is_foreseen() -> None:
    between = decide([contrast([0.1, 0.11, 0.12, 0.1], support_above=0.3, contradict_below=0.0)])
    assert (between.verdict, between.seeds_needed) == ("undecided", None)


def test_too_few_seeds_to_contradict_are_told() -> None:
    claim = better("sn", "none", "orthonormal")
    for num_seeds, expected in ((3, "undecided"), (4, "contradicted")):
        values = equal_methods(THREE, num_seeds, numpy_stream(10, "bootstrap"), noise=1e-3)
        values[0] *= 3
        found = verdict(claim, {"fid": table_of(values, THREE)})
        assert found.verdict == expected, "of two comparisons each is a chance of error"
        words = "3 seeds cannot contradict it, 4 are the least."
        assert (words in found.explanation) == (expected == "undecided")
        values[0] /= 9
        assert verdict(claim, {"fid": table_of(values, THREE)}).verdict == "supported"


def test_a_contrast_may_be_contradicted_by_another() -> None:
    plain = contrast([-0.1, -0.11, -0.12, -0.1])
    found = decide([contrast([-0.5, -0.1, -0.9, 0.2], against=plain)])
    assert (found.verdict, found.limiting) == ("contradicted", plain)
    opened = decide([contrast([-0.5, -0.51, -0.52, -0.5], against=contrast([0.1, -0.2, 0.1, 0.05]))])
    assert (opened.verdict, opened.seeds_needed) == ("undecided", None)


def test_a_factor_that_is_claimed_between_equal_methods_is_contradicted_in_at_most_three_of_a_hundred() -> None:
    """Scores about 0.9, where a factor changes little: the other method's are noisy, the method's own are not."""
    stream = numpy_stream(11, "bootstrap")
    rule = TimesBetter(method="sn", others=("none",), settings=("A",))
    sweeps = 2000
    wrong = 0
    for _ in range(sweeps):
        scores = 0.9 + np.array([[[0.002]], [[0.02]]]) * stream.standard_normal((2, 1, 5))
        table = table_of(78 * (1 - scores) / scores, ("sn", "none"), settings=("A",))
        wrong += Evidence(contrasts=rule.contrasts(table)).p_contradicted <= 0.025
    assert 0.01 * sweeps < wrong <= 0.035 * sweeps


# --- Several claims, several looks ---


def claims_of(*settings: str) -> list[Claim]:
    return [replace(better("sn", "none", settings=(setting,)), name=setting) for setting in settings]


def shifted(gains: Sequence[float], num_seeds: int, *, noise: float = 0.1) -> dict[str, ScoreTable]:
    """SN is better than none by a factor exp(gain) in FID, one gain per setting."""
    values = equal_methods(("sn", "none"), num_seeds, numpy_stream(7, "bootstrap", num_seeds), noise=noise)
    values[0, : len(gains)] *= np.exp(-np.array(gains))[:, None]
    return {"fid": table_of(values, ("sn", "none"))}


def test_each_further_claim_makes_the_others_harder_to_decide_and_a_decided_one_easier() -> None:
    tables = shifted([0.5, 0.0, 0.0, 0.0], 6)
    alone, among = (judge(claims_of(*settings), tables)[0] for settings in ("A", "ABCD"))
    assert (alone.verdict, alone.level) == ("supported", pytest.approx(0.95))
    assert among.level == pytest.approx(1 - 0.05 / 4)
    assert alone.p_value is not None
    assert among.p_value == pytest.approx(4 * alone.p_value)
    assert (among.high or 0) - (among.low or 0) > (alone.high or 0) - (alone.low or 0)
    first, second, *_ = judge(claims_of(*"ABCD"), shifted([2.0, 0.5, 0, 0], 6))
    assert first.verdict == "supported"
    assert second.level == pytest.approx(1 - 0.05 / 3), "tested at the next step of Holm's procedure"


def test_verdict_interval_and_p_value_agree() -> None:
    decided = 0
    for gain in (0.05, 0.1, 0.2, 0.4, -0.2):
        for found in judge(claims_of(*"ABCDEF"), shifted([gain, 2 * gain, 0], 6)):
            assert found.p_value is not None
            assert found.low is not None
            assert found.high is not None
            assert (found.verdict != "undecided") == (found.p_value <= 0.05) == (found.low > 0 or found.high < 0)
            decided += found.verdict != "undecided"
    assert 3 < decided < 25


@pytest.mark.parametrize(("num_claims", "least"), [(1, 3), (2, 4), (3, 4), (9, 5)])
def test_no_p_value_is_below_that_of_coins_which_all_fall_the_same_way(num_claims: int, least: int) -> None:
    assert first_look(num_claims) == least
    claims = claims_of(*"AAAAAAAAA"[:num_claims])
    for num_seeds in (least - 1, least):
        found = judge(claims, shifted([5.0], num_seeds, noise=1e-4))[0]
        assert (found.verdict == "supported") == (num_seeds == least)
        assert found.p_value is not None
        assert found.p_value >= 2 * num_claims * 0.25**num_seeds * 0.999
    assert (
        f"{least - 1} seeds cannot decide, {least} are the least"
        in judge(claims, shifted([5.0], least - 1, noise=1e-4))[0].explanation
    )


def test_a_verdict_stays_as_it_was_at_the_look_where_it_fell() -> None:
    looks, claims = Looks(first=4, last=12), claims_of("A", "B")
    tables = shifted([0.5, 0.02], 12)
    whole = judge(claims, tables, looks)
    assert [found.verdict for found in whole] == ["supported", "undecided"]
    at = whole[0].num_seeds
    assert 4 <= at < 12
    assert f"at the look with {at}" in whole[0].explanation
    # With the seeds of that look alone nothing else is known, and later seeds of the other claim change nothing.
    assert judge(claims, {"fid": tables["fid"].first_seeds(at)}, looks)[0] == whole[0]
    values = tables["fid"].values.copy()
    values[0, 0, at:] *= 50
    assert judge(claims, {"fid": table_of(values, ("sn", "none"))}, looks)[0] == whole[0]
    earlier = judge(claims, {"fid": tables["fid"].first_seeds(at - 1)}, looks)[0]
    assert (earlier.verdict, earlier.num_seeds) == ("undecided", at - 1 if at > 4 else 0)
    # The interval is wider than that of a number of seeds chosen beforehand.
    once = judge(claims, {"fid": tables["fid"].first_seeds(at)})[0]
    assert once.level == whole[0].level
    assert (once.low or 0) > (whole[0].low or 0)


def test_looks_use_seeds_in_a_row_and_none_after_the_last() -> None:
    looks, claims, tables = Looks(first=4, last=8), claims_of("A"), shifted([0.03], 12)
    assert judge(claims, tables, looks)[0].num_seeds == 8
    values = tables["fid"].values.copy()
    values[0, 0, 6] = np.nan
    found = judge(claims, {"fid": table_of(values, ("sn", "none"))}, looks)[0]
    assert found.num_seeds == 6, "not 7 of which one is missing: then a run that is tried again would change the looks"
    assert "Left out: seed 6, for lack of a result for sn at A." in found.explanation
    too_few = judge(claims, {"fid": tables["fid"].first_seeds(3)}, looks)[0]
    assert (too_few.verdict, too_few.effect, too_few.p_value) == ("undecided", None, None)
    assert "with 4 seeds for the first time; 3 are complete" in too_few.explanation


def test_a_plan_that_will_not_do_is_said() -> None:
    found = judge(claims_of("A"), shifted([0.05], 6), Looks(first=4, last=8))[0]
    assert (found.verdict, found.seeds_needed) == ("undecided", None)
    assert "As things stand, the 8 seeds that are planned will not decide it." in found.explanation
    larger = judge(claims_of("A"), shifted([0.15], 4), Looks(first=4, last=30))[0]
    assert larger.seeds_needed is not None
    assert 4 < larger.seeds_needed <= 30


# --- Seeds still needed ---


def test_more_scatter_needs_more_seeds_and_a_hundred_is_the_limit() -> None:
    needed = []
    for scatter in (0.5, 1.0, 2.0, 5.0, 50.0):
        found = decide([contrast(1.0 + scatter * np.array([-1.0, 0.0, 1.0]))])
        assert found.verdict == "undecided"
        assert found.seeds_needed is not None
        needed.append(found.seeds_needed)
    assert needed == sorted(needed)
    assert 4 <= needed[0] < needed[2] <= MAX_SEEDS
    assert needed[-1] == MAX_SEEDS + 1


def test_seeds_needed_would_decide_four_times_in_five() -> None:
    found = decide([contrast([0.2, 1.0, 1.8])])
    assert found.seeds_needed is not None
    stream = numpy_stream(4, "bootstrap")
    samples = 1.0 + 0.8 * stream.standard_normal((1000, found.seeds_needed))
    power = np.mean([decide([contrast(sample)]).verdict == "supported" for sample in samples])
    assert 0.75 <= power <= 0.9


def test_seeds_needed_are_told_in_words() -> None:
    open_claim = Verdict(claim="x", verdict="undecided", explanation="e")
    words = {None: "", 12: "12", MAX_SEEDS: "100", MAX_SEEDS + 1: "more than 100"}
    assert {n: replace(open_claim, seeds_needed=n).seeds_needed_text for n in words} == words
