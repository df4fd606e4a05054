"""Verdicts: planted effects are found in both directions, absent ones are not, and little data decides nothing."""

from dataclasses import replace

import numpy as np
import pytest

from sngan.seeding import numpy_stream
from sweeps.claims import claims_about
from sweeps.rules.evidence import Contrast, unseen_rate
from sweeps.studies.robustness_claims import ROBUSTNESS_CLAIMS
from tests.sweeps.claim_samples import (
    CLAIMS,
    METHODS,
    better,
    decide,
    verdict,
    world,
)
from tests.sweeps.score_samples import table_of


def test_claims_are_chosen_by_what_they_speak_of() -> None:
    cifar10, stl10, both = (
        replace(better("sn", "none", datasets=names), name="-".join(names))
        for names in (("cifar10",), ("stl10",), ("cifar10", "stl10"))
    )
    of_all = better("sn", "none")
    claims = (of_all, cifar10, stl10, both)
    assert claims_about(claims, "stl10") == (of_all, stl10, both)
    assert claims_about(claims, "digits") == (of_all, cifar10, both), "as of the first that names a data set"
    assert claims_about((of_all,), "digits") == (of_all,)
    assert claims_about((), "digits") == ()
    elsewhere = better("sn", "none", settings=("resnet",))
    assert claims_about((of_all, elsewhere), "digits", ["A", "D"]) == (of_all,)
    assert claims_about((of_all, elsewhere), "digits", ["resnet"]) == (elsewhere,)


# --- Planted effects ---


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_planted_effect_is_supported_with_five_seeds(claim: str) -> None:
    found = verdict(claim, world(5))
    assert found.verdict == "supported", found
    assert found.effect is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.effect <= found.high
    assert (found.num_seeds, found.seeds_needed) == (5, None)


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_contrary_is_contradicted_with_five_seeds(claim: str) -> None:
    found = verdict(claim, world(5, opposite=True))
    assert found.verdict == "contradicted", found
    assert found.high is not None
    assert found.high < 0


@pytest.mark.parametrize("opposite", [False, True])
@pytest.mark.parametrize("num_seeds", [1, 2])
@pytest.mark.parametrize("claim", CLAIMS)
def test_one_and_two_seeds_decide_nothing_however_large_the_effect(claim: str, num_seeds: int, opposite: bool) -> None:
    found = verdict(claim, world(num_seeds, opposite=opposite))
    assert found.verdict == "undecided"
    assert found.num_seeds == num_seeds
    assert f"{num_seeds} seed" in found.explanation
    if num_seeds == 1:
        assert found.effect is not None
        assert (found.low, found.high, found.seeds_needed) == (None, None, None)
    else:
        assert found.seeds_needed is None or found.seeds_needed >= 3


def test_diverged_runs_count_as_the_worst() -> None:
    tables = world(5)
    fid = tables["fid"]
    diverged = fid.diverged.copy()
    diverged[METHODS.index("sn"), 5] = True
    broken = {"fid": table_of(fid.values, METHODS, diverged=diverged)}
    assert verdict("sn-worst-setting", broken).verdict == "contradicted"
    assert "diverged" in verdict("sn-worst-setting", broken).explanation
    # The same runs missing: then there is no result for a setting that is needed.
    values = np.where(diverged, np.nan, fid.values)
    assert verdict("sn-worst-setting", {"fid": table_of(values, METHODS)}).verdict == "undecided"


def test_a_method_that_always_diverges_fails() -> None:
    fid = world(5)["fid"]
    diverged = fid.diverged.copy()
    diverged[METHODS.index("wgan-gp"), 3:] = True
    found = verdict("wgan-gp-fails-at-high-rates", {"fid": table_of(fid.values, METHODS, diverged=diverged)})
    assert found.verdict == "supported"


# --- What few seeds cannot see ---


def test_a_verdict_says_how_frequent_an_unseen_collapse_may_be() -> None:
    rate = unseen_rate(5)
    assert (1 - rate) ** 5 == pytest.approx(0.05)
    for opposite in (False, True):
        explanation = verdict("sn-worst-setting", world(5, opposite=opposite)).explanation
        assert explanation.endswith("A collapse that strikes up to 45 % of seeds can be absent from all of them.")


@pytest.mark.parametrize(("num_seeds", "rate"), [(3, 0.45), (5, 0.56), (8, 0.42)])
def test_rare_collapse_deceives_as_often_as_the_documentation_says(num_seeds: int, rate: float) -> None:
    """A gain of 0.05, and a loss of 0.5 in one seed of ten: on average nothing."""
    stream = numpy_stream(0, "bootstrap", num_seeds)
    repetitions = 1000
    supported = 0
    for _ in range(repetitions):
        collapsed = stream.random(num_seeds) < 0.1
        per_seed = 0.05 + 0.02 * stream.standard_normal(num_seeds) - 0.55 * collapsed
        found = decide([Contrast(label="", unit="", per_seed=per_seed, reading="")])
        supported += found.verdict == "supported"
    assert supported / repetitions == pytest.approx(rate, abs=0.05)


# --- What is missing, and what it is about ---


def test_missing_methods_settings_and_cells_are_named() -> None:
    fid = world(5)["fid"]
    some = [METHODS.index(name) for name in ("sn", "wgan-gp")]
    found = verdict("sn-spreads-less", {"fid": table_of(fid.values[some], ("sn", "wgan-gp"))})
    assert (found.verdict, found.effect, found.num_seeds) == ("undecided", None, 0)
    assert found.explanation == "No result yet for methods weight-norm, weight-clipping."
    three = table_of(fid.values[:, :3], METHODS, settings="ABC")
    assert verdict("wgan-gp-fails-at-high-rates", {"fid": three}).explanation == "No result yet for settings D, E, F."
    assert verdict("tuned-gan-comes-close", {"fid": three}).verdict == "supported"
    values = fid.values.copy()
    values[METHODS.index("wgan-gp"), 4] = np.nan
    assert "wgan-gp at E" in verdict("sn-spreads-less", {"fid": table_of(values, METHODS)}).explanation


def test_a_seed_without_all_runs_is_left_out_and_not_counted() -> None:
    fid = world(5)["fid"]
    values = fid.values.copy()
    values[METHODS.index("sn"), 2, 4] = np.nan
    found = verdict("sn-spreads-less", {"fid": table_of(values, METHODS)})
    assert found.num_seeds == 4
    first_four = verdict("sn-spreads-less", {"fid": table_of(values[..., :4], METHODS)})
    assert (found.effect, found.low) == (first_four.effect, first_four.low)
    # No comparison looks at that seed, not even one for which it is complete.
    values = fid.values.copy()
    values[METHODS.index("wgan-gp"), 2, 4] = np.nan
    values[METHODS.index("weight-norm"), :, 4] /= 50
    left_out, without = (
        verdict("sn-spreads-less", {"fid": table_of(array, METHODS)}) for array in (values, values[..., :4])
    )
    assert "Left out: seed 4, for lack of a result for wgan-gp at C." in left_out.explanation
    told = without.explanation.split(". ")[0]
    assert left_out.explanation.startswith(told), "nor does what it says of medians"
    assert replace(left_out, explanation="") == replace(without, explanation="")
    # Every cell has a run, but no seed is complete.
    values = fid.values[..., :2].copy()
    values[METHODS.index("sn"), 0, 0] = values[METHODS.index("sn"), 1, 1] = np.nan
    assert "No seed has a result" in verdict("sn-spreads-less", {"fid": table_of(values, METHODS)}).explanation


def test_a_metric_that_was_not_measured() -> None:
    found = verdict("table-2-order-is", {"fid": world(5)["fid"]})
    assert (found.verdict, found.protocol, found.explanation) == ("undecided", "", "IS was not measured.")


def test_the_first_table_with_the_metric_is_used() -> None:
    right, wrong = world(5)["fid"], world(5, opposite=True)["fid"]
    assert verdict("sn-is-robust", {"headline": right, "other": wrong}).verdict == "supported"
    assert verdict("sn-is-robust", {"headline": wrong, "other": right}).verdict == "contradicted"


def test_another_data_set_than_the_claims_is_said() -> None:
    fid = world(5)["fid"]
    digits = verdict("sn-is-robust", {"fid": table_of(fid.values, METHODS, dataset="digits")})
    assert digits.explanation.endswith("This is about digits; the claim speaks of cifar10.")
    assert "This is about" not in verdict("sn-is-robust", {"fid": fid}).explanation


def test_the_protocol_and_the_formula_travel_with_the_verdict() -> None:
    found = verdict("sn-worst-setting", world(5))
    assert found.protocol == "fid/gen5000-test10000-inception-1a2b3c4d"
    assert "1 / (1 + FID / 78), diverged = 0" in found.effect_label


def test_only_orders_are_compared_under_another_protocol_than_the_published_one() -> None:
    fid = world(5)["fid"]
    words = "Only the orders are compared: the published numbers are fid/gen5000-test10000-inception, ours"
    assert words not in verdict("table-2-order-fid", {"fid": fid}).explanation
    other = replace(fid, protocol="fid/gen600-test600-digits-1a2b3c4d")
    assert f"{words} fid/gen600-test600-digits." in verdict("table-2-order-fid", {"fid": other}).explanation


def test_an_order_that_no_protocol_describes_is_told_in_the_words_of_its_source() -> None:
    (claim,) = (claim for claim in ROBUSTNESS_CLAIMS if claim.name == "table-2-order-fid-stl10")
    said = verdict(claim, world(5)).explanation
    assert "measured on 5,000 generated against 10,000 real images, split not stated, ours fid/gen5000-test" in said
